"""What is owed: fingerprints of inputs, what a change makes stale, and one word for how every table-date stands."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors import history, inputs, planner, runner, statements, survey
from processors.book import Book
from processors.calendar import Calendar, Day
from processors.declaration import Dated, Processor, Relation
from processors.graph import processors_in_order
from processors.planner import Asked
from processors.request import Outcome
from processors.survey import State, Survey
from shared import versions
from shared.clock import DateRange
from shared.errors import NbactlError, WarehouseFull
from shared.ledger import PROCESSOR_RUNS, RAW_VERSIONS, Status
from shared.tables.raw import (
    FALLBACK_BOX,
    GAME_LINES,
    INJURY_REPORT,
    PLAY_BY_PLAY,
    PLAYER_BOX,
    POINTS_PROPS,
    RAW_TABLES,
    SCHEDULE,
    TEAM_BOX,
)
from shared.warehouse.duckdb import DuckDBSession, DuckDBWarehouse
from tests.builders import (
    FINAL_DATES,
    SLATE,
    Tables,
    fallback,
    game_id,
    joined,
    league,
    played,
    scheduled,
    with_market,
    write,
)
from tests.conftest import (
    alter,
    analytics,
    at,
    at_statements,
    contents,
    copied,
    one_day,
    precompute,
    rows,
    silent,
    statuses,
    unequal,
)

FIRST, SECOND, THIRD, FOURTH, FIFTH = FINAL_DATES
EVERYTHING = DateRange(FIRST, SLATE)
NIGHT = date(2024, 11, 9)
"""Between the last results and the slate; no games."""
PROCESSORS = processors_in_order()
OF = {one.short: one for one in PROCESSORS}
OUTPUTS = tuple(one.output for one in PROCESSORS)
NEW_YORK = ZoneInfo("America/New_York")
LATER = datetime(2024, 12, 1, 12, tzinfo=UTC)
"""When everything is overdue."""

TableDate = tuple[str, date]
"""Short name of a processor and an output date."""


def dates_of(processor: Processor) -> tuple[date, ...]:
    return FINAL_DATES if processor.dated is Dated.RESULTS else (*FINAL_DATES, SLATE)


ALL = {(one.short, day) for one in PROCESSORS for day in dates_of(one)}


def surveyed(warehouse: DuckDBWarehouse, dates: DateRange = EVERYTHING, now: datetime = LATER) -> Survey:
    with warehouse.reading() as session:
        return survey.take(session, dates, now)


def stale(warehouse: DuckDBWarehouse) -> set[TableDate]:
    return stale_in(surveyed(warehouse))


def stale_in(seen: Survey) -> set[TableDate]:
    return {(short, day) for short, day in ALL if seen.stale(OF[short], day)}


def states(warehouse: DuckDBWarehouse, dates: DateRange = EVERYTHING) -> dict[TableDate, State]:
    """How every table stands on every day with games."""
    return states_in(surveyed(warehouse, dates), dates)


def states_in(seen: Survey, dates: DateRange = EVERYTHING) -> dict[TableDate, State]:
    results, slates = seen.calendar.results(dates), seen.calendar.slates(dates)
    return {
        (one.short, day): seen.standing(one, day).state
        for one in PROCESSORS
        for day in (results if one.dated is Dated.RESULTS else slates)
    }


def repaired(warehouse: DuckDBWarehouse, dates: DateRange = EVERYTHING, **asked: Any) -> list[Outcome]:  # noqa: ANN401
    """What `nbactl backfill` does."""
    with warehouse.writing(runner.all_tables()) as session:
        plan = planner.backfill(session, Asked(dates, **asked), [3, 4])
        return runner.run(session, plan.survey, plan.request, silent)


def computed(outcomes: Iterable[Outcome]) -> set[TableDate]:
    return {(one.processor.short, one.date) for one in outcomes if one.status is not Status.SKIPPED_UNCHANGED}


def ledger(warehouse: DuckDBWarehouse, where: str = "TRUE") -> list[dict[str, Any]]:
    with warehouse.reading() as session:
        return session.query(f"SELECT * FROM {PROCESSOR_RUNS.id} WHERE {where} ORDER BY started_at, run_id").records()


def of(short: str, day: date) -> str:
    """The ledger's rows of a table-date, as a condition."""
    return f"output_table = '{OF[short].output.name}' AND game_date = DATE '{day}'"


def everything(warehouse: DuckDBWarehouse) -> dict[str, list[str]]:
    """All rows of outputs and ledger, stamps and all."""
    return contents(warehouse, *OUTPUTS, PROCESSOR_RUNS, RAW_VERSIONS)


def rebuilt(file: Path, folder: Path, *changes: str) -> DuckDBWarehouse:
    """The loaded league with the same changes, computed in one go."""
    folder.mkdir()
    warehouse = copied(file, folder)
    alter(warehouse, *changes)
    repaired(warehouse)
    return warehouse


def reached(
    changed: set[tuple[str, date]], *, before_the_games: bool = False, also: Iterable[TableDate] = ()
) -> set[TableDate]:
    """Whatever reads changed table-dates, itself or through others: the contract's words over the declared inputs.

    Args:
        changed: raw table-dates.
        before_the_games: whether what changed of the schedule was known before the games.
        also: table-dates that are stale of themselves.
    """
    found = {(OF[short].output.name, day) for short, day in also} | changed
    for processor in PROCESSORS:
        slate = processor.dated is Dated.SLATE
        for day in dates_of(processor):
            for one in processor.inputs:
                if one.table == SCHEDULE.name:
                    ahead = day + timedelta(days=one.days_ahead)
                    season = slate and any(name == one.table and other < day for name, other in changed)
                    known = not slate or before_the_games
                    own = known and any(name == one.table and day <= other <= ahead for name, other in changed)
                    reads = season or own
                elif one.relation is Relation.HISTORY:
                    reads = any(name == one.table and other < day for name, other in found)
                else:
                    reads = (one.table, day) in found
                if reads:
                    found.add((processor.output.name, day))
    return {(short, day) for short, day in ALL if (OF[short].output.name, day) in found}


# ---------------------------------------------------------------- nothing has changed


def test_a_second_run_writes_nothing_at_all(tiny_done: DuckDBWarehouse) -> None:
    before = everything(tiny_done)
    for again in (repaired(tiny_done), analytics(tiny_done, EVERYTHING), precompute(tiny_done, EVERYTHING)):
        assert again
        assert {(one.status, one.reason_code) for one in again} == {(Status.SKIPPED_UNCHANGED, "unchanged")}
    assert everything(tiny_done) == before
    assert states(tiny_done) == dict.fromkeys(ALL, State.DONE)


def test_an_answer_without_a_run_names_the_run_whose_rows_are_stored(tiny_done: DuckDBWarehouse) -> None:
    written = {(one["output_table"], one["game_date"]): one for one in ledger(tiny_done)}
    answers = repaired(tiny_done)
    assert len(answers) == len(written)
    for one in answers:
        noted = written[one.processor.output.name, one.date]
        assert (one.run_id, one.rows, one.expected) == (noted["run_id"], noted["rows_written"], noted["rows_expected"])
        assert noted["run_id"] in str(one.reason)


def test_an_identical_reload_makes_nothing_stale(tiny_done: DuckDBWarehouse, tmp_path: Path) -> None:
    before = everything(tiny_done)
    again = with_market(league())
    for table in again.values():
        for row in table:
            row["processed_at"] += timedelta(days=1)
    loaded = load(tiny_done, tmp_path, again)
    assert set(loaded) == set(again)
    assert not any(loaded.values())
    assert stale(tiny_done) == set()
    assert everything(tiny_done) == before


def test_a_fingerprint_is_the_hash_of_the_canonical_list_of_all_that_is_read(tiny_done: DuckDBWarehouse) -> None:
    """Said again from the stored hashes, for a table of every kind."""
    raw = {(name, day): (content, known) for name, day, _, content, known, *_ in rows(tiny_done, CONTENT_OF_RAW)}
    made = {(one["output_table"], one["game_date"]): one["output_hash"] for one in ledger(tiny_done)}

    def listed(name: str, wanted: Callable[[date], bool], *, calendar: bool = False) -> list[dict[str, str]]:
        hashes = {key: known if calendar else content for key, (content, known) in raw.items()} | made
        return [
            {"table": name, "date": str(day), "hash": hashes[name, day]}
            for name_, day in hashes
            if name_ == name and wanted(day)
        ]

    def same(day: date) -> bool:
        return day == FIFTH

    def before(day: date) -> bool:
        return day < FIFTH

    read = {
        "TDG": listed("team_offense_game_summary", same),
        "TDZA": [
            *listed("team_defense_game_summary", before),
            *listed("nbac_schedule", before),
            *listed("nbac_schedule", same, calendar=True),
        ],
        "PCF": [
            *listed("upcoming_player_game_context", same),
            *listed("player_shot_zone_analysis", same),
            *listed("team_defense_zone_analysis", same),
        ],
        "TGC": [
            *listed("nbac_schedule", before),
            *listed("nbac_schedule", lambda day: FIFTH <= day <= FIFTH + timedelta(days=8), calendar=True),
            *listed("odds_api_game_lines", same),
            *listed("nbac_injury_report", same),
        ],
    }
    for short, entries in read.items():
        entries.sort(key=lambda one: (one["table"], one["date"]))
        canonical = json.dumps(entries, sort_keys=True, separators=(",", ":"))
        (noted,) = ledger(tiny_done, of(short, FIFTH))
        assert noted["input_fingerprint"] == sha256(canonical.encode()).hexdigest(), short


CONTENT_OF_RAW = f"SELECT {', '.join(RAW_VERSIONS.column_names)} FROM {RAW_VERSIONS.id}"


def test_the_ledger_says_which_inputs_were_read(tiny_done: DuckDBWarehouse) -> None:
    (noted,) = ledger(tiny_done, of("UPC", SLATE))
    read = {(one.pop("table"), one.pop("scope")): one for one in json.loads(noted["input_versions"])}
    counted = {key: (one["dates"], one["rows"]) for key, one in read.items()}
    stored = dict(rows(tiny_done, "SELECT 'p', COUNT(*) FROM nba_analytics.player_game_summary"))
    assert counted == {
        ("nbac_injury_report", "date"): (1, 4),
        ("nbac_schedule", "season before"): (5, 10),
        ("nbac_schedule", "calendar"): (1, 2),
        ("odds_api_player_points_props", "date"): (1, 4),
        ("player_game_summary", "season before"): (5, stored["p"]),
        ("team_defense_game_summary", "season before"): (5, 20),
        ("team_offense_game_summary", "season before"): (5, 20),
        ("upcoming_team_game_context", "date"): (1, 4),
    }
    assert all(one["complete"] is True and len(one["hash"]) == 64 for one in read.values())


# ---------------------------------------------------------------- something has changed


def load(warehouse: DuckDBWarehouse, folder: Path, tables: Tables) -> Mapping[str, Iterable[date]]:
    """Load some tables from files; by table, the dates whose content is another than before."""
    with warehouse.writing(runner.all_tables()) as session:
        return session.load(write(folder / "files", tables), RAW_TABLES).changed


def test_a_corrected_row_in_a_loaded_file_makes_its_readers_stale_and_nothing_else(
    tiny_done: DuckDBWarehouse, tmp_path: Path
) -> None:
    boxes = league()[PLAYER_BOX.name]
    next(box for box in boxes if box["game_date"] == THIRD and box["minutes"])["plus_minus"] = 7
    assert load(tiny_done, tmp_path, {PLAYER_BOX.name: boxes}) == {PLAYER_BOX.name: [THIRD]}
    found = stale(tiny_done)
    assert found == reached({(PLAYER_BOX.name, THIRD)})
    assert {("PGS", THIRD), ("UPC", FOURTH), ("MLFS", SLATE)} < found
    assert not {day for _, day in found if day < THIRD}
    assert ("UPC", THIRD) not in found
    assert not {short for short, _ in found} & {"TGC"}


def changed(table: str, column: str, day: date) -> str:
    return f"UPDATE nba_raw.{table} SET {column} = {column} + 1 WHERE game_date = DATE '{day}'"


CHANGES = {
    "a team box": (TEAM_BOX.name, SECOND, changed(TEAM_BOX.name, "turnovers", SECOND)),
    "one player's box": (
        PLAYER_BOX.name,
        FIRST,
        f"{changed(PLAYER_BOX.name, 'plus_minus', FIRST)} AND player_lookup = 'albos'",
    ),
    "an event": (PLAY_BY_PLAY.name, FOURTH, f"{changed(PLAY_BY_PLAY.name, 'x_ft', FOURTH)} AND event_sequence = 9"),
    "all events gone": (PLAY_BY_PLAY.name, THIRD, f"DELETE FROM {PLAY_BY_PLAY.id} WHERE game_date = DATE '{THIRD}'"),
    "a line of games played": (POINTS_PROPS.name, FIFTH, changed(POINTS_PROPS.name, "points_line", FIFTH)),
    "a line of tonight": (POINTS_PROPS.name, SLATE, changed(POINTS_PROPS.name, "points_line", SLATE)),
    "a spread": (GAME_LINES.name, SLATE, changed(GAME_LINES.name, "point", SLATE)),
    "a report": (INJURY_REPORT.name, SLATE, changed(INJURY_REPORT.name, "report_hour", SLATE)),
    "the first report of a day": (
        INJURY_REPORT.name,
        SECOND,
        f"""INSERT INTO {INJURY_REPORT.id} BY NAME
            SELECT * REPLACE (DATE '{SECOND}' AS game_date, '{game_id(SECOND, "BOS", "LAL")}' AS game_id)
            FROM {INJURY_REPORT.id} WHERE team_abbr = 'LAL' LIMIT 1""",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_makes_exactly_what_reads_it_stale(tiny_done: DuckDBWarehouse, case: str) -> None:
    table, day, statement = CHANGES[case]
    alter(tiny_done, statement)
    seen = surveyed(tiny_done)
    found = stale_in(seen)
    assert found == reached({(table, day)})
    assert found
    untouched = ALL - found
    assert untouched
    now = states_in(seen)
    assert {key for key, state in now.items() if state is State.STALE} == found
    assert {now[key] for key in untouched} == {State.DONE}


def test_the_fallback_source_makes_its_readers_stale(tiny_done: DuckDBWarehouse) -> None:
    boxes = [box for box in league()[PLAYER_BOX.name] if box["game_date"] == SECOND and box["minutes"]]
    with tiny_done.writing(runner.all_tables()) as session:
        session.insert(FALLBACK_BOX, [fallback(box, minutes=30) for box in boxes])
        versions.renew_all(session)
    assert stale(tiny_done) == reached({(FALLBACK_BOX.name, SECOND)})


MINUTES = f"""UPDATE {PLAYER_BOX.id} SET minutes = CASE player_lookup WHEN 'albos' THEN '34:00' ELSE '26:00' END
WHERE game_date = DATE '{SECOND}' AND player_lookup IN ('albos', 'bobos')"""
SHOTS = f"""UPDATE {PLAY_BY_PLAY.id} SET x_ft = 1.0, y_ft = 1.5
WHERE game_date = DATE '{THIRD}' AND event_type = '2pt' AND team_abbr = 'NYK'"""


def test_repairing_equals_a_full_rebuild_cell_for_cell(
    tiny_file: Path, tiny_done_file: Path, tiny_done: DuckDBWarehouse, tmp_path: Path
) -> None:
    alter(tiny_done, MINUTES, SHOTS)
    wanted = reached({(PLAYER_BOX.name, SECOND), (PLAY_BY_PLAY.name, THIRD)})
    outcomes = repaired(tiny_done)
    assert computed(outcomes) <= wanted
    assert set(statuses(outcomes)) == ALL
    assert {("TOG", THIRD), ("PGS", SECOND), ("PGS", THIRD), ("PSZA", FOURTH), ("MLFS", SLATE)} <= computed(outcomes)
    assert states(tiny_done) == dict.fromkeys(ALL, State.DONE)
    assert unequal(at(tiny_done_file), tiny_done, [OF["PDC"].output])
    assert unequal(rebuilt(tiny_file, tmp_path / "rebuilt", MINUTES, SHOTS), tiny_done, OUTPUTS) == {}


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_rows_that_come_out_equal_stop_the_ripple(tiny_done: DuckDBWarehouse) -> None:
    """No table says how an event is described."""
    before = contents(tiny_done, *OUTPUTS)
    alter(tiny_done, f"UPDATE {PLAY_BY_PLAY.id} SET description = 'in other words' WHERE game_date = DATE '{SECOND}'")
    assert stale(tiny_done) == reached({(PLAY_BY_PLAY.name, SECOND)}) > {("MLFS", SLATE), ("TDG", SECOND)}
    outcomes = repaired(tiny_done)
    assert computed(outcomes) == {("TOG", SECOND), ("PGS", SECOND)}
    assert stale(tiny_done) == set()
    rewritten = {OF[short].output.id for short in ("TOG", "PGS")}
    assert {name for name, kept in contents(tiny_done, *OUTPUTS).items() if kept != before[name]} == rewritten


# ---------------------------------------------------------------- definitions


@pytest.mark.parametrize("short", OF)
def test_another_definition_makes_its_dates_and_what_depends_on_them_stale(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch, short: str
) -> None:
    known = inputs._definition  # noqa: SLF001 -- stands for an edit of the code
    monkeypatch.setattr(inputs, "_definition", lambda name: "edited" if name == OF[short].name else known(name))
    own = {(short, day) for day in dates_of(OF[short])}
    seen = surveyed(tiny_done)
    assert stale_in(seen) == reached(set(), also=own)
    assert {seen.stale(OF[short], day) for day in dates_of(OF[short])} >= {"its definition changed"}
    # it makes the same rows, so what depends on them is not computed again
    assert computed(repaired(tiny_done)) == own
    assert stale(tiny_done) == set()
    assert {one["definition_hash"] for one in ledger(tiny_done, "attempt = 1")} > {"edited"}


@pytest.mark.usefixtures("fresh_definitions")
def test_an_edit_of_one_tables_sql_is_an_edit_of_that_table(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = statements.source
    monkeypatch.setattr(statements, "source", lambda one: honest(one) + ("\n-- edited" if one.short == "PDC" else ""))
    assert edited(tiny_done) == {"PDC"}


@pytest.mark.usefixtures("fresh_definitions")
@pytest.mark.parametrize("name", ["schedule", "team_box", "player_form", "unprocessed_games", "injury_reports"])
def test_an_edit_of_a_shared_definition_is_an_edit_of_every_table_that_uses_it(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    honest = statements.definition
    users = {
        one.short
        for one in PROCESSORS
        if name in {*statements.used(statements.source(one)), *statements.used(one.expected)}
    }
    monkeypatch.setattr(statements, "definition", lambda one: honest(one) + ("\n-- edited" if one == name else ""))
    assert edited(tiny_done) == users
    assert users


def edited(warehouse: DuckDBWarehouse) -> set[str]:
    inputs._definition.cache_clear()  # noqa: SLF001 -- as in a new process
    seen = surveyed(warehouse)
    return {short for short, day in ALL if seen.outdated(OF[short], day) == "its definition changed"}


# ---------------------------------------------------------------- the schedule


def test_how_games_end_makes_no_earlier_slate_stale_nor_their_own(tiny_done: DuckDBWarehouse) -> None:
    ended = "game_status = 3, home_team_score = 101, away_team_score = 99"
    alter(tiny_done, f"UPDATE {SCHEDULE.id} SET {ended} WHERE game_date = DATE '{SLATE}'")
    assert stale(tiny_done) == set()


def test_a_corrected_score_makes_its_results_and_the_slates_after_it_stale(tiny_done: DuckDBWarehouse) -> None:
    alter(tiny_done, changed(SCHEDULE.name, "home_team_score", THIRD))
    found = stale(tiny_done)
    assert found == reached({(SCHEDULE.name, THIRD)})
    assert {short for short, day in found if day == THIRD} == {"TOG", "TDG", "PGS"}
    assert not {day for _, day in found if day < THIRD}


TIP_OFF = f"""UPDATE {SCHEDULE.id} SET game_start_time = game_start_time + INTERVAL 30 MINUTE
WHERE game_date = DATE '{SLATE}'"""


def test_another_tip_off_is_news_for_its_slate_and_whoever_looks_ahead_to_it(tiny_done: DuckDBWarehouse) -> None:
    before = hashes(tiny_done)
    alter(tiny_done, TIP_OFF)
    found = stale(tiny_done)
    assert found == reached({(SCHEDULE.name, SLATE)}, before_the_games=True)
    assert not {short for short, day in found if day == FIRST}, "the slate is more than 8 days ahead"
    outcomes = repaired(tiny_done)
    reading = {one.short for one in PROCESSORS if any(each.table == SCHEDULE.name for each in one.inputs)}
    slate = {(short, SLATE) for short in reading if OF[short].dated is Dated.SLATE}
    assert computed(outcomes) >= slate | {("TGC", SECOND), ("TGC", FIFTH)}
    assert not {short for short, day in computed(outcomes) if day != SLATE} - {"TGC"}
    assert {day for _, day in different(before, hashes(tiny_done))} <= {SLATE}


def hashes(warehouse: DuckDBWarehouse) -> dict[TableDate, str]:
    made = {one.output.name: one.short for one in PROCESSORS}
    return {(made[one["output_table"]], one["game_date"]): one["output_hash"] for one in ledger(warehouse)}


def different(one: Mapping[TableDate, str], other: Mapping[TableDate, str]) -> set[TableDate]:
    return {key for key in {*one, *other} if one.get(key) != other.get(key)}


POSTPONED = f"UPDATE {SCHEDULE.id} SET game_status = 4 WHERE game_id = '{game_id(SLATE, 'BOS', 'GSW')}'"
"""One of the two games of the slate."""


def test_a_game_postponed_within_eight_days_changes_the_team_contexts_before_it(
    tiny_file: Path, tiny_done: DuckDBWarehouse, tmp_path: Path
) -> None:
    alter(tiny_done, POSTPONED)
    seen = surveyed(tiny_done)
    found = stale_in(seen)
    assert found == reached({(SCHEDULE.name, SLATE)}, before_the_games=True)
    early = {(short, day) for short, day in found if day != SLATE}
    itself = {key for key in early if seen.outdated(OF[key[0]], key[1])}
    assert itself == {("TGC", day) for day in (SECOND, THIRD, FOURTH, FIFTH)}
    repaired(tiny_done)
    assert states(tiny_done) == dict.fromkeys(ALL, State.DONE)
    assert rows(tiny_done, f"SELECT COUNT(*) FROM {OF['TGC'].output.id} WHERE game_date = DATE '{SLATE}'") == [(2,)]
    assert unequal(rebuilt(tiny_file, tmp_path / "rebuilt", POSTPONED), tiny_done, OUTPUTS) == {}


def test_a_postponed_game_is_played_later(tmp_path: Path) -> None:
    """On its first date it is a row that counts for nothing; on its second it is a game like any other."""
    raw = league()
    lost = game_id(SECOND, "BOS", "LAL")
    without = {name: [row for row in table if row["game_id"] != lost] for name, table in raw.items()}
    without[SCHEDULE.name].append(scheduled(SECOND, "BOS", "LAL", game_status=4))
    warehouse = at(tmp_path / "w.duckdb")
    load(warehouse, tmp_path, without)
    repaired(warehouse)
    assert states(warehouse) == dict.fromkeys(ALL, State.DONE)

    assert load(warehouse, tmp_path / "later", played(NIGHT, "BOS", "LAL")).keys() == {
        *(SCHEDULE.name, PLAYER_BOX.name, TEAM_BOX.name, PLAY_BY_PLAY.name),
    }
    late = {one.short for one in PROCESSORS}
    now = states(warehouse)
    assert {short for (short, day), state in now.items() if day == NIGHT and state is State.WAITING} == late
    assert {day for (_, day), state in now.items() if state is State.STALE} == {*FINAL_DATES, SLATE}
    assert {short for (short, day), state in now.items() if state is State.STALE and day == FIRST} >= {"TGC"}
    repaired(warehouse)
    now = states(warehouse)
    assert set(now.values()) == {State.DONE}
    assert {short for short, day in now if day == NIGHT} == late

    other = at(tmp_path / "other.duckdb")
    load(other, tmp_path / "all", joined([without, played(NIGHT, "BOS", "LAL")]))
    repaired(other)
    assert unequal(other, warehouse, OUTPUTS) == {}


def test_late_play_by_play_is_caught_up_with(tiny_done: DuckDBWarehouse, tmp_path: Path) -> None:
    late = _folder(tmp_path / "late")
    warehouse = copied(tiny_done.path, late)
    alter(warehouse, f"DELETE FROM {PLAY_BY_PLAY.id} WHERE game_date = DATE '{SECOND}'")
    repaired(warehouse)
    assert set(states(warehouse).values()) == {State.DONE}
    assert unequal(tiny_done, warehouse, [OF["TOG"].output])
    events = [event for event in league()[PLAY_BY_PLAY.name] if event["game_date"] == SECOND]
    assert load(warehouse, tmp_path, {PLAY_BY_PLAY.name: events}) == {PLAY_BY_PLAY.name: [SECOND]}
    assert stale(warehouse) == reached({(PLAY_BY_PLAY.name, SECOND)})
    assert computed(repaired(warehouse)) >= {("TOG", SECOND), ("PGS", SECOND), ("TDG", SECOND), ("MLFS", SLATE)}
    assert unequal(tiny_done, warehouse, OUTPUTS) == {}


def test_a_day_with_one_game_is_a_day(tmp_path: Path) -> None:
    raw = joined([league((FIRST,), ()), played(THIRD, "LAL", "BOS"), league((), (SLATE,))])
    warehouse = at(tmp_path / "w.duckdb")
    load(warehouse, tmp_path, raw)
    repaired(warehouse)
    assert set(states(warehouse).values()) == {State.DONE}
    (noted,) = ledger(warehouse, of("TOG", THIRD))
    assert (noted["status"], noted["rows_expected"], noted["rows_written"]) == ("SUCCESS", 2, 2)


def test_a_slate_all_of_whose_games_were_postponed_is_owed_nothing(tiny_done: DuckDBWarehouse) -> None:
    alter(tiny_done, f"UPDATE {SCHEDULE.id} SET game_status = 4 WHERE game_date = DATE '{SLATE}'")
    repaired(tiny_done)
    seen = surveyed(tiny_done)
    slates = [one for one in PROCESSORS if one.dated is Dated.SLATE]
    assert {seen.standing(one, SLATE).state for one in slates} == {State.NO_GAMES}


@pytest.mark.parametrize("day", [date(2025, 7, 1), NIGHT, date(1990, 1, 1)])
def test_a_day_without_games_is_owed_nothing(tiny_done: DuckDBWarehouse, day: date) -> None:
    before = everything(tiny_done)
    assert repaired(tiny_done, one_day(day)) == []
    seen = surveyed(tiny_done, one_day(day))
    assert {seen.standing(one, day).state for one in PROCESSORS} == {State.NO_GAMES}
    assert {seen.standing(one, day).expected for one in PROCESSORS} == {0}
    assert everything(tiny_done) == before


# ---------------------------------------------------------------- rows changed behind everybody's back


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM {table} WHERE {day} AND team_abbr = 'BOS'", "3 rows are stored, 4 were written"),
        ("DELETE FROM {table} WHERE {day}", "0 rows are stored, 4 were written"),
        (
            "UPDATE {table} SET run_id = 'another' WHERE {day} AND team_abbr = 'BOS'",
            "some of its rows are of another run",
        ),
        ("UPDATE {table} SET run_id = '~' WHERE {day}", "some of its rows are of another run"),
    ],
)
def test_rows_that_the_ledger_does_not_know_are_noticed_and_made_again(
    tiny_done: DuckDBWarehouse, tiny_done_file: Path, statement: str, why: str
) -> None:
    table = OF["TOG"].output
    alter(tiny_done, statement.format(table=table.id, day=f"game_date = DATE '{THIRD}'"))
    seen = surveyed(tiny_done)
    assert stale_in(seen) == reached(set(), also={("TOG", THIRD)})
    standing = seen.standing(OF["TOG"], THIRD)
    assert (standing.state, standing.why) == (State.STALE, why)
    assert computed(repaired(tiny_done)) == {("TOG", THIRD)}
    assert states(tiny_done) == dict.fromkeys(ALL, State.DONE)
    assert unequal(at(tiny_done_file), tiny_done, OUTPUTS) == {}


# ---------------------------------------------------------------- force, attempts, failures


def test_what_was_forced_is_recorded_with_its_reason(tiny_done: DuckDBWarehouse) -> None:
    outcomes = repaired(tiny_done, one_day(THIRD), processors=("TOG", "PGS", "TGC"), force="the league said so")
    assert set(statuses(outcomes)) == {("TOG", THIRD), ("PGS", THIRD), ("TGC", THIRD)}
    assert {one.status for one in outcomes} == {Status.SUCCESS}
    forced = ledger(tiny_done, "forced")
    assert {one["run_id"] for one in forced} == {one.run_id for one in outcomes}
    assert {(one["force_reason"], one["attempt"]) for one in forced} == {("the league said so", 1)}
    assert {one["force_reason"] for one in ledger(tiny_done, "NOT forced")} == {None}
    # equal rows: nobody else has to run
    assert stale(tiny_done) == set()


class Planted:
    """Lets one processor's statement fail, as often as an error is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, short: str) -> None:
        self.error: BaseException | None = None
        self.seen: list[dict[str, Any]] = []

        def beginning(session: DuckDBSession, name: str) -> None:
            if name == short:
                text = f"SELECT * FROM {PROCESSOR_RUNS.id} WHERE output_table = '{OF[short].output.name}'"
                self.seen = session.query(f"{text} AND status = 'RUNNING'").records()
                if self.error:
                    raise self.error

        at_statements(monkeypatch, beginning)


BREAKS = {
    "a defect": (ValueError("it broke\nin two lines " + "x" * 3000), "FAILED_PERMANENT", "error", "it broke"),
    "no room": (WarehouseFull("no room", why="disk"), "FAILED_TRANSIENT", "error", "no room"),
    "a refusal": (NbactlError("not like this"), "FAILED_PERMANENT", "error", "not like this"),
}


WAITING = ("UPC", "PSZA", "PDC", "PCF", "MLFS")
"""Whatever reads what players did, itself or through others."""


@pytest.mark.parametrize("case", BREAKS)
def test_a_failed_run_keeps_the_rows_and_says_why(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    error, status, code, reason = BREAKS[case]
    waiting = WAITING if case == "a defect" else ("UPC", "PSZA")
    kept = stored(tiny_done, "PGS", *waiting)
    runs = len(ledger(tiny_done))
    Planted(monkeypatch, "PGS").error = error
    outcomes = repaired(tiny_done, DateRange(THIRD, FOURTH), processors=("PGS", *waiting), force="to see")
    assert {statuses(outcomes)["PGS", day] for day in (THIRD, FOURTH)} == {Status(status)}
    # the gates of what follows are closed: the next day's slate waits for this day's results
    assert {short for (short, day), one in statuses(outcomes).items() if one is Status.NOT_READY} == set(waiting)
    (context,) = (one for one in outcomes if (one.processor.short, one.date) == ("UPC", FOURTH))
    assert context.reason == f"waits for player_game_summary {THIRD}"
    assert {statuses(outcomes)[short, FOURTH] for short in waiting} == {Status.NOT_READY}
    now = stored(tiny_done, "PGS", *waiting)
    for (short, day), rows_ in kept.items():
        if short == "PGS" or day == FOURTH:
            assert now[short, day] == rows_
    failed = ledger(tiny_done, "status LIKE 'FAILED%'")
    assert {(one["output_table"], one["game_date"]) for one in failed} == {
        ("player_game_summary", day) for day in (THIRD, FOURTH)
    }
    for one in failed:
        assert (one["status"], one["reason_code"], one["reason"]) == (status, code, reason)
        assert (one["error_type"], one["error_message"]) == (type(error).__name__, str(error)[:2000])
        assert (one["rows_written"], one["output_hash"]) == (0, None)
        assert one["finished_at"] >= one["started_at"]
    assert ledger(tiny_done, "status = 'RUNNING'") == []
    assert len(ledger(tiny_done)) == runs + sum(one.status.ran for one in outcomes)


def stored(warehouse: DuckDBWarehouse, *names: str) -> dict[TableDate, list[str]]:
    """All of two dates, stamps included."""
    found = {}
    with warehouse.reading() as session:
        for short in names:
            table = OF[short].output
            for day in (THIRD, FOURTH):
                text = f"SELECT * FROM {table.id} WHERE {table.date_column} = DATE '{day}'"
                found[short, day] = sorted(map(repr, session.query(text).rows))
    return found


def test_an_interrupted_run_keeps_the_rows_and_ends_the_request(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(tiny_done, *OUTPUTS)
    planted = Planted(monkeypatch, "TOG")
    planted.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        repaired(tiny_done, one_day(THIRD), processors=("TOG", "PGS", "TDG"), force="to see")
    assert contents(tiny_done, *OUTPUTS) == before
    (noted,) = ledger(tiny_done, "status != 'SUCCESS' AND status != 'SUCCESS_EMPTY'")
    assert (noted["status"], noted["reason_code"], noted["error_type"]) == (
        "FAILED_TRANSIENT",
        "interrupted",
        "KeyboardInterrupt",
    )
    assert ledger(tiny_done, "forced") == [noted]


def test_whoever_was_interrupted_in_vain_may_go_on_where_all_is_as_it_was(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows that are stored were right all the while."""
    planted = Planted(monkeypatch, "PGS")
    planted.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        repaired(tiny_done, one_day(THIRD), processors=("PGS",), force="to see")
    planted.error = None
    repaired(tiny_done)
    assert states(tiny_done) == dict.fromkeys(ALL, State.DONE)
    outcomes = repaired(tiny_done, one_day(FOURTH), processors=("UPC", "PSZA"), force="to see")
    assert {one.status for one in outcomes} == {Status.SUCCESS}


def test_a_retry_that_died_opens_no_gate_that_the_failure_closed(tiny_done: DuckDBWarehouse) -> None:
    def slate() -> set[str]:
        return {short for (short, _), one in statuses(repaired(tiny_done, one_day(THIRD))).items() if one is waits}

    waits = Status.NOT_READY
    alter(tiny_done, WRONG_TEAM_BOX)
    repaired(tiny_done, one_day(SECOND), processors=("TOG",))
    before = slate()
    # of the night before, the team boxes are wrong and the players' rows were made from others
    assert before == {"UPC", "PSZA", "PCF", "PDC", "MLFS"}
    alter(tiny_done, lost_run("TOG", SECOND, minutes=0))
    assert slate() == before


def test_attempts_count_failures_on_equal_inputs_alone(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = Planted(monkeypatch, "TOG")
    planted.error = ValueError("it broke")

    def attempts() -> list[int]:
        return [one["attempt"] for one in ledger(tiny_done, of("TOG", THIRD))]

    alter(tiny_done, changed(PLAY_BY_PLAY.name, "x_ft", THIRD))
    for _ in range(3):
        repaired(tiny_done, one_day(THIRD), processors=("TOG",))
    assert attempts() == [1, 1, 2, 3]
    assert surveyed(tiny_done).standing(OF["TOG"], THIRD).why == "it broke (attempt 3)"
    alter(tiny_done, changed(PLAY_BY_PLAY.name, "y_ft", THIRD))
    repaired(tiny_done, one_day(THIRD), processors=("TOG",))
    assert attempts() == [1, 1, 2, 3, 1]
    planted.error = None
    repaired(tiny_done, one_day(THIRD), processors=("TOG",))
    assert attempts() == [1, 1, 2, 3, 1, 2]
    # the inputs of the first three once more
    planted.error = ValueError("it broke")
    alter(tiny_done, changed(PLAY_BY_PLAY.name, "y_ft", THIRD).replace("+ 1", "- 1"))
    repaired(tiny_done, one_day(THIRD), processors=("TOG",))
    assert attempts() == [1, 1, 2, 3, 1, 2, 4]


def test_a_run_whose_clock_was_a_year_ahead_is_followed_by_the_next(tiny_done: DuckDBWarehouse) -> None:
    alter(
        tiny_done,
        f"UPDATE {PROCESSOR_RUNS.id} SET started_at = started_at + INTERVAL 1 YEAR,"
        f" finished_at = finished_at + INTERVAL 1 YEAR WHERE {of('TOG', THIRD)}",
        changed(PLAY_BY_PLAY.name, "x_ft", THIRD),
    )
    assert {one.status for one in repaired(tiny_done, one_day(THIRD), processors=("TOG",))} == {Status.SUCCESS}
    assert surveyed(tiny_done).standing(OF["TOG"], THIRD).state is State.DONE
    assert {one.status for one in repaired(tiny_done, one_day(THIRD), processors=("TOG",))} == {
        Status.SKIPPED_UNCHANGED
    }
    with tiny_done.reading() as session:
        newest, *_ = history.runs(session, history.Sought(one_day(THIRD), (OF["TOG"],)), LATER).records()
    assert newest["run_id"] == surveyed(tiny_done).book.made[OF["TOG"].output.name, THIRD].run_id


def test_a_run_is_in_the_ledger_before_it_computes_and_ends_in_the_same_row(
    tiny: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = Planted(monkeypatch, "TOG")
    (outcome,) = analytics(tiny, one_day(FIRST), ("TOG",))
    (begun,) = planted.seen
    (ended,) = ledger(tiny)
    assert begun["run_id"] == ended["run_id"] == outcome.run_id
    assert (begun["finished_at"], begun["output_hash"], begun["reason_code"]) == (None, None, None)
    terminal = {"status", "rows_written", "rows_expected", "output_hash", "missing", "issue_counts", "steps"}
    terminal |= {"finished_at", "duration_ms", "sequence", "noted_at"}
    assert {name for name in ended if ended[name] != begun[name]} == terminal
    assert set(json.loads(ended["steps"])) == {"compute", "check", "write"}


@pytest.mark.parametrize("step", ["begun", "deleted", "replaced", "verified", "written"])
def test_data_and_ledger_are_exchanged_in_one_step(
    tiny_done: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = contents(tiny_done, *OUTPUTS)
    monkeypatch.setattr("shared.warehouse.duckdb.border", _Break(f"exchange.{step}"))
    outcomes = repaired(tiny_done, one_day(THIRD), processors=("TOG",), force="to see")
    assert [one.status for one in outcomes] == [Status.FAILED_PERMANENT]
    assert contents(tiny_done, *OUTPUTS) == before
    (noted,) = ledger(tiny_done, "forced")
    assert (noted["status"], noted["reason"], noted["output_hash"]) == ("FAILED_PERMANENT", f"exchange.{step}", None)


class _Break:
    def __init__(self, where: str) -> None:
        self._where = where

    def __call__(self, name: str) -> None:
        if name == self._where:
            raise RuntimeError(name)


# ---------------------------------------------------------------- one vocabulary


@dataclass(frozen=True)
class Case:
    """A table-date after some planted facts, at some moment.

    Attributes:
        at: New York time.
        ran: what is computed before the facts are planted: nothing, or everything.
        then: dates that are computed after it.
        lease: minutes.
    """

    short: str
    day: date
    state: State
    why: str | None
    at: str = "2024-12-01 12:00"
    ran: bool = False
    planted: tuple[str, ...] = ()
    then: tuple[date, ...] = ()
    lease: int = 0


def lost_run(short: str, day: date, *, minutes: int) -> str:
    """A run that began some minutes before the first of December, and never ended."""
    made = OF[short]
    values = dict.fromkeys(("trigger_source", "correlation_id", "request_id", "code_version"), "''")
    values |= {
        "run_id": "'lost'",
        "run_date": "DATE '2024-12-01'",
        "processor_name": f"'{made.name}'",
        "phase": str(made.phase),
        "output_table": f"'{made.output.name}'",
        "game_date": f"DATE '{day}'",
        "status": "'RUNNING'",
        "attempt": "1",
        "definition_hash": "'d'",
        "announce": "FALSE",
        "forced": "FALSE",
        "started_at": f"TIMESTAMPTZ '2024-12-01 17:00:00+00' - INTERVAL {minutes} MINUTE",
        "noted_at": f"TIMESTAMPTZ '2024-12-01 17:00:00+00' - INTERVAL {minutes} MINUTE",
        "sequence": "1000",
    }
    return f"INSERT INTO {PROCESSOR_RUNS.id} ({', '.join(values)}) VALUES ({', '.join(values.values())})"


LIVE = f"""UPDATE {SCHEDULE.id} SET game_status = 2, home_team_score = NULL, away_team_score = NULL
WHERE game_id = '{game_id(FIFTH, "NYK", "GSW")}'"""
NO_TEAM_BOX = f"DELETE FROM {TEAM_BOX.id} WHERE game_id = '{game_id(SECOND, 'BOS', 'LAL')}' AND team_abbr = 'BOS'"
WRONG_TEAM_BOX = f"""UPDATE {TEAM_BOX.id} SET ft_made = ft_made + 1
WHERE game_date = DATE '{SECOND}' AND team_abbr = 'LAL'"""
HERE = "a run: its inputs are there"

CASES = {
    "no games": Case("TOG", date(2024, 11, 2), State.NO_GAMES, None),
    "no slate": Case("MLFS", date(2024, 11, 2), State.NO_GAMES, None),
    "results before ten past four": Case("TOG", FIFTH, State.NOT_DUE, "due 2024-11-09 04:10 ET", "2024-11-09 04:09"),
    "results at ten past four": Case("TOG", FIFTH, State.WAITING, HERE, "2024-11-09 04:10"),
    "results that wait for others": Case("TDG", FIFTH, State.WAITING, f"team_offense_game_summary {FIFTH}"),
    "results without their box": Case(
        "PGS",
        FIFTH,
        State.WAITING,
        f"nbac_gamebook_player_stats {FIFTH} to be loaded, team_offense_game_summary {FIFTH}",
        planted=(f"DELETE FROM {PLAYER_BOX.id} WHERE game_date = DATE '{FIFTH}'",),
    ),
    "contexts before ten past four": Case("TGC", SLATE, State.NOT_DUE, "due 2024-11-09 04:10 ET", "2024-11-09 04:09"),
    "contexts at ten past four": Case("TGC", SLATE, State.WAITING, HERE, "2024-11-09 04:10"),
    "contexts of opening night": Case("TGC", FIRST, State.NOT_DUE, "due 2024-11-01 04:10 ET", "2024-11-01 04:09"),
    "Phase 4 before twenty to five": Case("TDZA", SLATE, State.NOT_DUE, "due 2024-11-10 04:40 ET", "2024-11-10 04:39"),
    "Phase 4 at twenty to five": Case(
        "TDZA", SLATE, State.WAITING, f"team_defense_game_summary {FIFTH}", "2024-11-10 04:40"
    ),
    "several inputs": Case(
        "PCF",
        SLATE,
        State.WAITING,
        f"upcoming_player_game_context {SLATE}, player_shot_zone_analysis {SLATE}, team_defense_zone_analysis {SLATE}",
    ),
    "a game to end": Case("TOG", FIFTH, State.WAITING, "1 of 2 games to end", planted=(LIVE,)),
    "a game to end, computed so far": Case(
        "TOG", FIFTH, State.WAITING, "1 of 2 games to end", ran=True, planted=(LIVE,)
    ),
    "a game that may still be on": Case(
        "TOG", FIFTH, State.NOT_DUE, "due 2024-11-09 04:10 ET", "2024-11-09 01:00", planted=(LIVE,)
    ),
    "a slate after a game to end": Case(
        "TGC", SLATE, State.WAITING, f"1 of 2 games of {FIFTH} to end", planted=(LIVE,)
    ),
    "a run that died": Case("TOG", FIRST, State.LOST, "the run died", planted=(lost_run("TOG", FIRST, minutes=11),)),
    "a run older than the lease": Case(
        "TOG", FIRST, State.LOST, "the run died", planted=(lost_run("TOG", FIRST, minutes=10),), lease=10
    ),
    "a run at work": Case("TOG", FIRST, State.RUNNING, None, planted=(lost_run("TOG", FIRST, minutes=9),), lease=10),
    "a run that died over good rows": Case(
        "TOG", FIRST, State.DONE, None, ran=True, planted=(lost_run("TOG", FIRST, minutes=11),)
    ),
    "a run that failed": Case(
        "TOG",
        SECOND,
        State.FAILED,
        "1 rows fail points_add_up: 20241103_BOS_LAL/LAL (attempt 1)",
        ran=True,
        planted=(WRONG_TEAM_BOX,),
        then=(SECOND,),
    ),
    "a run that failed twice": Case(
        "TOG",
        SECOND,
        State.FAILED,
        "1 rows fail points_add_up: 20241103_BOS_LAL/LAL (attempt 2)",
        planted=(WRONG_TEAM_BOX,),
        then=(SECOND, SECOND),
    ),
    "inputs that changed": Case(
        "PGS",
        SECOND,
        State.STALE,
        "its inputs changed",
        ran=True,
        planted=(changed(PLAY_BY_PLAY.name, "x_ft", SECOND),),
    ),
    "a stale input of the date": Case(
        "TDG",
        SECOND,
        State.STALE,
        "team_offense_game_summary is stale",
        ran=True,
        planted=(changed(TEAM_BOX.name, "turnovers", SECOND),),
    ),
    "a stale input of the season": Case(
        "PSZA",
        SLATE,
        State.STALE,
        f"player_game_summary is stale since {SECOND}",
        ran=True,
        planted=tuple(changed(PLAY_BY_PLAY.name, "x_ft", day) for day in (THIRD, SECOND)),
    ),
    "rows that nobody was told of": Case(
        "TOG",
        SECOND,
        State.UNANNOUNCED,
        "its rows are written, and nobody was told",
        ran=True,
        planted=(f"UPDATE {PROCESSOR_RUNS.id} SET announce = true WHERE {of('TOG', SECOND)}",),
    ),
    "rows whose event Pub/Sub does not take": Case(
        "TOG",
        SECOND,
        State.UNANNOUNCED,
        "its rows are written, and the event breaks a limit of Pub/Sub",
        ran=True,
        planted=(f"UPDATE {PROCESSOR_RUNS.id} SET announce = true, publish_refused = true WHERE {of('TOG', SECOND)}",),
    ),
    "rows that are missing": Case(
        "TOG",
        SECOND,
        State.DEGRADED,
        "1 of 2 games has no rows: BOS@LAL (0022411032); 2 rows are there",
        planted=(NO_TEAM_BOX,),
        then=(SECOND,),
    ),
    "all well": Case("MLFS", SLATE, State.DONE, None, ran=True),
    "all well and empty": Case("UPC", FIRST, State.DONE, None, ran=True),
}


@pytest.mark.parametrize("case", CASES)
def test_every_table_date_stands_in_one_of_few_ways(
    tiny_file: Path, tiny_done_file: Path, tmp_path: Path, case: str
) -> None:
    one = CASES[case]
    warehouse = copied(tiny_done_file if one.ran else tiny_file, tmp_path)
    if one.planted:
        alter(warehouse, *one.planted)
    for day in one.then:
        repaired(warehouse, one_day(day), processors=(one.short,))
    now = datetime.fromisoformat(one.at).replace(tzinfo=NEW_YORK)
    taken = surveyed(warehouse, DateRange(min(one.day, FIRST), max(one.day, SLATE)), now)
    seen = Survey(taken.calendar, taken.book, now, timedelta(minutes=one.lease))
    found = seen.standing(OF[one.short], one.day)
    assert (found.state, found.why) == (one.state, one.why)
    assert one.state.well == (one.state in {State.NO_GAMES, State.NOT_DUE, State.DONE})


def test_every_state_has_a_case() -> None:
    assert {case.state for case in CASES.values()} == set(State)


DUE = {
    "a night like any other": ("TOG", date(2025, 1, 15), datetime(2025, 1, 16, 9, 10, tzinfo=UTC)),
    "results, the night the clocks go forward": ("TOG", date(2025, 3, 8), datetime(2025, 3, 9, 8, 10, tzinfo=UTC)),
    "Phase 4, the night the clocks go forward": ("PDC", date(2025, 3, 9), datetime(2025, 3, 9, 8, 40, tzinfo=UTC)),
    "results, the night after": ("TOG", date(2025, 3, 9), datetime(2025, 3, 10, 8, 10, tzinfo=UTC)),
    "results, the night the clocks go back": ("TOG", date(2024, 11, 2), datetime(2024, 11, 3, 9, 10, tzinfo=UTC)),
    "Phase 4, the night the clocks go back": ("PDC", date(2024, 11, 3), datetime(2024, 11, 3, 9, 40, tzinfo=UTC)),
    "results, the night before": ("TOG", date(2024, 11, 1), datetime(2024, 11, 2, 8, 10, tzinfo=UTC)),
    "contexts, the night the clocks go forward": ("UPC", date(2025, 3, 9), datetime(2025, 3, 9, 8, 10, tzinfo=UTC)),
    "contexts after a pause": ("UPC", date(2025, 2, 19), datetime(2025, 2, 14, 9, 10, tzinfo=UTC)),
}


@pytest.mark.parametrize("case", DUE)
def test_what_is_due_is_due_at_one_moment_whatever_the_clocks_do(case: str) -> None:
    short, day, moment = DUE[case]
    days = {day, *(day - timedelta(days=gap) for gap in (1, 6) if (day, gap) != (date(2025, 2, 19), 1))}
    calendar = Calendar(tuple(Day(one, 2024, 1, 1) for one in sorted(days)))
    known = DateRange(min(days), max(days))
    book = Book(known, known)

    def state(now: datetime) -> State:
        return Survey(calendar, book, now, timedelta(0)).standing(OF[short], day).state

    assert state(moment - timedelta(microseconds=1)) is State.NOT_DUE
    assert state(moment) is State.WAITING


# ---------------------------------------------------------------- any order

DAYS = tuple(FIRST + timedelta(days=gap) for gap in range((SLATE - FIRST).days + 1))
RUNS: Mapping[str, Callable[[DuckDBWarehouse, DateRange], list[Outcome]]] = {
    "analytics": analytics,
    "precompute": precompute,
    "backfill": repaired,
}


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[str, DateRange]]:
    """A few runs, each over other dates, in any order; some of them wait in vain."""
    ends = st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS)).map(lambda two: DateRange(min(two), max(two)))
    one = st.tuples(st.sampled_from(sorted(RUNS)), ends)
    return draw(st.lists(one, min_size=2, max_size=5, unique_by=lambda run: run[1]))


@settings(
    max_examples=2,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=runs(), after=runs())
def test_runs_in_any_order_end_where_one_range_ends(
    tiny_file: Path,
    tiny_done_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[str, DateRange]],
    after: list[tuple[str, DateRange]],
) -> None:
    """A correction comes in between, and is taken back at the end."""
    warehouse = copied(tiny_file, tmp_path_factory.mktemp("order"))
    for name, dates in before:
        RUNS[name](warehouse, dates)
    alter(warehouse, MINUTES)
    for name, dates in after:
        RUNS[name](warehouse, dates)
    alter(warehouse, MINUTES.replace("'34:00'", "'30:00'").replace("'26:00'", "'30:00'"))
    repaired(warehouse)
    assert states(warehouse) == dict.fromkeys(ALL, State.DONE)
    assert unequal(at(tiny_done_file), warehouse, OUTPUTS) == {}
