"""Every statement of the pipeline is GoogleSQL, reads what is declared and gives what is declared."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from processors import calendar, graph, matchups, runner, statements
from processors.declaration import Processor
from shared import ledger
from shared.clock import DateRange
from shared.warehouse.base import Result
from tests.googlesql.conftest import PARAMS, with_stage
from tests.googlesql.oracle import Engine, Oracle, RefusedError

BESIDE = (("quality_issues", "ARRAY<STRING>"), ("_id", "STRING"), ("_broken", "STRING"))
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


@each_processor
def test_candidate_gives_the_declared_columns(oracle: Oracle, processor: Processor) -> None:
    declared = tuple((column.name, column.type) for column in processor.result_columns)
    assert oracle.analyze(statements.candidate(processor), PARAMS).columns == declared + BESIDE


@each_processor
def test_casts_to_the_declared_types_change_no_value(oracle: Oracle, processor: Processor) -> None:
    declared = {column.name: column.type for column in processor.result_columns}
    text = statements.compose("SELECT * FROM result", result=statements.source(processor))
    given = dict(oracle.analyze(text, PARAMS).columns)
    changed = {name: (given[name], declared[name]) for name in declared if given[name] != declared[name]}
    assert {pair for pair in changed.values() if pair != ("INT64", "FLOAT64")} == set()


@each_processor
def test_inputs_are_exactly_the_tables_that_are_read(engine: Engine, oracle: Oracle, processor: Processor) -> None:
    read = oracle.analyze(statements.candidate(processor), PARAMS).tables
    wanted = with_stage(engine, oracle, processor).analyze(statements.expected(processor), PARAMS).tables
    assert len(processor.inputs) == len({(one.table, one.relation) for one in processor.inputs})
    assert read | wanted - {"stage"} == {graph.table(one.table).id for one in processor.inputs}


@each_processor
def test_what_is_asked_of_exchanged_rows_is_accepted(engine: Engine, oracle: Oracle, processor: Processor) -> None:
    stage = with_stage(engine, oracle, processor)
    found = {
        statement.__name__: stage.analyze(statement(processor), PARAMS).columns
        for statement in (
            statements.expected,
            statements.counts,
            statements.issue_counts,
            statements.broken_rows,
        )
    }
    tallies = ("row_count", "high", "medium", "ready", "broken")
    assert found == {
        "expected": (("date", "DATE"), ("rows_expected", "INT64"), ("missing", "ARRAY<STRING>")),
        "counts": (("date", "DATE"), *((name, "INT64") for name in tallies)),
        "issue_counts": (("date", "DATE"), ("code", "STRING"), ("row_count", "INT64")),
        "broken_rows": (("date", "DATE"), ("id", "STRING"), ("codes", "STRING")),
    }


@each_processor
def test_the_count_of_stored_rows_is_accepted(oracle: Oracle, processor: Processor) -> None:
    assert runner._stored(Session(oracle), processor, [date(2025, 1, 15)]) == {}  # noqa: SLF001 -- its SQL


def test_the_calendar_is_accepted(oracle: Oracle) -> None:
    assert calendar.read(Session(oracle), DATES) == calendar.Calendar(())


def test_the_question_for_the_latest_runs_is_accepted(oracle: Oracle) -> None:
    assert ledger.latest(Session(oracle), [DATES.start, DATES.end]) == {}


def test_the_question_for_the_best_matchups_is_accepted(oracle: Oracle) -> None:
    assert matchups.best(Session(oracle), DATES.start) == []


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
