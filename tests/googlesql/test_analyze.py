"""Every statement of the pipeline is GoogleSQL, reads what is declared and gives what is declared."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from processors import book, calendar, computing, graph, matchups, nights, statements, tracing
from processors.declaration import Dated, Processor
from shared import versions
from shared.clock import DateRange
from shared.errors import PreconditionFailed
from shared.ledger import DELIVERIES, LEDGER_TABLES, PROCESSOR_RUNS, RAW_VERSIONS
from shared.lost_games import games_lost
from shared.tables.model import STAMPS, Table
from shared.tables.raw import PLAYER_BOX, RAW_TABLES, SCHEDULE, TEAM_BOX
from shared.warehouse.base import Digest, Params, Records, Result, TableSize
from tests.googlesql.conftest import PARAMS, with_stage
from tests.googlesql.oracle import Engine, Oracle, RefusedError

BESIDE = {"quality_issues": "ARRAY<STRING>", "_id": "STRING", "_there": "BOOL", "_expected": "STRING", "_due": "DATE"}
DATES = DateRange(PARAMS["start_date"], PARAMS["end_date"])

each_processor = pytest.mark.parametrize(
    "processor", graph.processors_in_order(), ids=lambda processor: processor.short
)


class Session:
    """A session on the oracle, over empty tables."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Result:
        columns = self._oracle.analyze(sql, params).columns
        return Result(tuple(name for name, _ in columns), self._oracle.query(sql, {}, params))

    def tables(self) -> set[str]:
        return set(graph.tables())

    def sizes(self, _tables: Iterable[Table]) -> list[TableSize]:
        return []


@each_processor
def test_candidate_gives_the_declared_columns(oracle: Oracle, processor: Processor) -> None:
    declared = {column.name: column.type for column in processor.result_columns}
    given = dict(oracle.analyze(statements.candidate(processor), PARAMS).columns)
    # what is not stored has a name that says so
    assert {name: kind for name, kind in given.items() if name in BESIDE or name[0] != "_"} == declared | BESIDE


@each_processor
def test_casts_to_the_declared_types_change_no_value(oracle: Oracle, processor: Processor) -> None:
    declared = {column.name: column.type for column in processor.result_columns}
    text = statements.compose("SELECT * FROM result", result=statements.source(processor))
    given = dict(oracle.analyze(text, PARAMS).columns)
    changed = {name: (given[name], declared[name]) for name in declared if given[name] != declared[name]}
    assert {pair for pair in changed.values() if pair != ("INT64", "FLOAT64")} == set()


@each_processor
def test_inputs_are_exactly_the_tables_that_are_read(oracle: Oracle, processor: Processor) -> None:
    read = oracle.analyze(statements.candidate(processor), PARAMS).tables
    assert len(processor.inputs) == len({(one.table, one.relation) for one in processor.inputs})
    assert read == {graph.table(one.table).id for one in processor.inputs}


@each_processor
def test_what_is_asked_of_exchanged_rows_is_accepted(engine: Engine, oracle: Oracle, processor: Processor) -> None:
    stage = with_stage(engine, oracle, processor)
    found = {
        statement.__name__: stage.analyze(statement(processor), PARAMS).columns
        for statement in (
            statements.counts,
            statements.absent_games,
            statements.issue_counts,
            statements.broken_rows,
        )
    }
    tallies = ("row_count", "high", "medium", "ready", "marked", "broken", "expected")
    assert found == {
        "counts": (("date", "DATE"), *((name, "INT64") for name in tallies), ("missing", "ARRAY<STRING>")),
        "absent_games": (
            ("date", "DATE"),
            ("games", "INT64"),
            *((name, "STRING") for name in ("game_id", "nba_game_id", "away_team_abbr", "home_team_abbr", "team")),
        ),
        "issue_counts": (("date", "DATE"), ("code", "STRING"), ("row_count", "INT64")),
        "broken_rows": (("date", "DATE"), ("id", "STRING"), ("codes", "STRING")),
    }


@each_processor
def test_what_is_asked_about_lost_games_is_accepted(engine: Engine, oracle: Oracle, processor: Processor) -> None:
    if processor.dated is Dated.RESULTS:
        asked = with_stage(engine, oracle, processor).analyze(statements.lost_games(processor), PARAMS)
        assert asked.columns == (
            *(("date", "DATE"), ("game_id", "STRING")),
            *(("stored_count", "INT64"), ("staged_count", "INT64")),
        )


def test_the_calendar_is_accepted(oracle: Oracle) -> None:
    assert calendar.read(Session(oracle), DATES) == calendar.Calendar(())


def test_the_book_is_read_from_ledger_and_outputs(oracle: Oracle) -> None:
    empty = book.read(Session(oracle), DATES)
    assert (empty.last, empty.made, empty.raw, empty.stored) == ({}, {}, {}, {})
    outputs = {one.output.id for one in graph.processors_in_order()}
    statements = (book._RUNS, book._VERSIONS, book._FAILURES, book._stored(outputs))  # noqa: SLF001 -- its SQL
    read = [oracle.analyze(text, PARAMS) for text in statements]
    assert [one.tables for one in read] == [{PROCESSOR_RUNS.id}, {RAW_VERSIONS.id}, {PROCESSOR_RUNS.id}, outputs]
    assert [kind for _, kind in read[0].columns] == [
        *("STRING", "DATE", "STRING", "STRING", "STRING", "STRING", "STRING", "STRING", "INT64", "INT64", "INT64"),
        *("INT64", "STRING", "STRING", "STRING", "INT64", "INT64", "INT64"),
    ]


@pytest.mark.parametrize("table", [one.output for one in graph.processors_in_order()], ids=lambda table: table.name)
def test_the_content_of_an_output_is_all_but_its_stamps(oracle: Oracle, table: Table) -> None:
    stamps = {column.name for column in STAMPS}
    said = [(column.name, column.type) for column in table.columns if column.name not in stamps]
    assert oracle.analyze(table.content, PARAMS).columns == (("date", "DATE"), *said)


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
def test_the_content_of_a_raw_table_is_all_but_its_load_time(oracle: Oracle, table: Table) -> None:
    given = oracle.analyze(versions._content(table), PARAMS).columns  # noqa: SLF001 -- its SQL
    said = {(column.name, column.type) for column in table.columns if column.name not in {"game_date", "processed_at"}}
    assert (given[0], set(given[1:])) == (("date", "DATE"), said)


def test_what_is_known_before_the_games_is_neither_score_nor_end(oracle: Oracle) -> None:
    given = oracle.analyze(versions._CALENDAR, PARAMS)  # noqa: SLF001 -- its SQL
    assert given.tables == {SCHEDULE.id}
    names = {name for name, _ in given.columns}
    assert names == {"date", "cancelled", *(column.name for column in SCHEDULE.columns)} - {
        *("game_date", "processed_at", "game_status", "home_team_score", "away_team_score"),
        *("home_team_id", "away_team_id"),
    }


class Writer(Session):
    """A session that does not write, and checks what it would execute."""

    def __init__(self, oracle: Oracle, noted: tuple[tuple[Any, ...], ...] = ()) -> None:
        super().__init__(oracle)
        self._noted = noted
        self.executed: list[str] = []

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Result:
        found = super().query(sql, params)
        return Result(found.columns, self._noted) if "content_hash" in found.columns else found

    def execute(self, sql: str, params: Params) -> None:
        self._oracle.analyze_change(sql, params)
        self.executed.append(sql)

    def digests(self, sql: str, params: Params) -> dict[Any, Digest]:
        assert super().query(sql, params).columns[0] == "date"
        return {}

    def put(self, table: Table, records: Records) -> None:
        assert (table, records) == (RAW_VERSIONS, [])


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
def test_what_is_gone_is_forgotten_in_googlesql(oracle: Oracle, table: Table) -> None:
    writer = Writer(oracle, ((DATES.start, "hash", None),))
    assert versions.renew(writer, table, DATES) == [DATES.start]
    assert len(writer.executed) == 1


def test_the_spans_of_raw_tables_are_asked_for_in_googlesql(oracle: Oracle) -> None:
    writer = Writer(oracle)
    versions.renew_all(writer)
    assert writer.executed == []


def test_what_came_to_nothing_is_withdrawn_in_googlesql(oracle: Oracle) -> None:
    writer = Writer(oracle)
    computing.withdraw(writer, ["a", "b"])
    assert computing.still_running(writer, ["a", "b"]) == set()
    assert len(writer.executed) == 1
    assert PROCESSOR_RUNS in LEDGER_TABLES


def test_what_became_of_messages_is_asked_for_in_googlesql(oracle: Oracle) -> None:
    session = Session(oracle)
    assert list(tracing.deliveries(session, "c-1").rows) == list(tracing.runs(session, "c-1").rows) == []
    assert (tracing.chains(session, DATES.start), tracing.chain_of(session, "t", DATES.start)) == ([], None)
    assert list(tracing.refusals(session, datetime(2025, 1, 15, tzinfo=UTC)).rows) == []


def test_nights_are_taken_out_in_googlesql(oracle: Oracle) -> None:
    writer, night = Writer(oracle), nights.Night(DATES.start, DATES.end)
    assert list(nights.rows(writer, night)) == []
    with pytest.raises(PreconditionFailed):
        nights.take_back(writer, [night])
    changed = len(RAW_TABLES) + len(graph.processors_in_order()) + len((PROCESSOR_RUNS, DELIVERIES))
    assert len(writer.executed) == changed


def test_the_question_for_the_best_matchups_is_accepted(oracle: Oracle) -> None:
    assert matchups.best(Session(oracle), DATES.start) == []


def test_the_question_for_lost_games_is_accepted(oracle: Oracle) -> None:
    before = f"SELECT DISTINCT game_date, game_id, nba_game_id FROM {PLAYER_BOX.id}"
    given = oracle.analyze(games_lost(before, f"SELECT game_date, game_id FROM {TEAM_BOX.id}"), PARAMS)
    assert given.tables == {PLAYER_BOX.id, TEAM_BOX.id, SCHEDULE.id}
    assert [kind for _, kind in given.columns] == ["DATE", "STRING", "INT64", "INT64"]


@pytest.mark.parametrize("sql", ["DELETE FROM nba_raw.nbac_schedule", "DELETE FROM nba_raw.no_such_table WHERE TRUE"])
def test_the_oracle_refuses_changes_that_bigquery_would(oracle: Oracle, sql: str) -> None:
    with pytest.raises(RefusedError):
        oracle.analyze_change(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ROW_NUMBER() OVER (PARTITION BY points_line) FROM nba_raw.odds_api_player_points_props",
        "SELECT points FROM nba_raw.nbac_schedule",
        "SELECT game_id + 1 FROM nba_raw.nbac_schedule",
        "SELECT 1 FROM nba_raw.no_such_table",
        "SELECT list_sum([1])",
    ],
)
def test_the_oracle_refuses_what_bigquery_would(oracle: Oracle, sql: str) -> None:
    with pytest.raises(RefusedError):
        oracle.analyze(sql)
