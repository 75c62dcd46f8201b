"""The runner on small data with planted facts: every status, what it writes, and what the ledger says of it."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from processors import calendar, planner, runner
from processors.graph import processors_in_order, select, tables
from processors.planner import Asked
from processors.request import Outcome
from shared import versions
from shared.clock import DateRange
from shared.ledger import PROCESSOR_RUNS, Status
from shared.tables.model import STAMPS, Table
from shared.tables.raw import FALLBACK_BOX, PLAYER_BOX, SCHEDULE, TEAM_BOX
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.builders import FINAL_DATES, SLATE, fallback, game_id, league
from tests.conftest import (
    alter,
    analytics,
    at,
    contents,
    one_day,
    precompute,
    rows,
    silent,
    statuses,
    unequal,
)

FIRST, SECOND, THIRD, FOURTH, FIFTH = FINAL_DATES
EVERYTHING = DateRange(FIRST, SLATE)
OUTPUTS = tuple(one.output for one in processors_in_order())
STAMP_NAMES = tuple(column.name for column in STAMPS)
TOG, PGS, TDG, TGC, UPC = (
    tables()[name]
    for name in (
        "team_offense_game_summary",
        "player_game_summary",
        "team_defense_game_summary",
        "upcoming_team_game_context",
        "upcoming_player_game_context",
    )
)


def of_date(warehouse: DuckDBWarehouse, table: Table, day: date) -> list[str]:
    """All of a date, stamps included."""
    return sorted(map(repr, rows(warehouse, f"SELECT * FROM {table.id} WHERE {table.date_column} = DATE '{day}'")))


def found(outcomes: list[Outcome], short: str, day: date) -> Outcome:
    (outcome,) = [one for one in outcomes if (one.processor.short, one.date) == (short, day)]
    return outcome


def ledger_of(warehouse: DuckDBWarehouse, table: Table, day: date) -> dict[str, Any]:
    """The newest row of the ledger for a table and date."""
    with warehouse.reading() as session:
        return session.query(
            f"SELECT * FROM {PROCESSOR_RUNS.id} WHERE output_table = '{table.name}' AND game_date = DATE '{day}'"
            " ORDER BY started_at DESC LIMIT 1"
        ).records()[0]


def runs(warehouse: DuckDBWarehouse) -> int:
    ((count,),) = rows(warehouse, f"SELECT COUNT(*) FROM {PROCESSOR_RUNS.id}")
    assert isinstance(count, int)
    return count


def without_stamps(warehouse: DuckDBWarehouse) -> Mapping[str, list[str]]:
    return contents(warehouse, *OUTPUTS, without=STAMP_NAMES)


# ---------------------------------------------------------------- success


def test_everything_succeeds_and_the_ledger_says_what_is_stored(tiny: DuckDBWarehouse) -> None:
    outcomes = precompute(tiny, EVERYTHING)
    assert set(statuses(outcomes).values()) == {Status.SUCCESS, Status.SUCCESS_EMPTY}
    written = rows(
        tiny,
        "SELECT run_id, output_table, game_date, status, rows_written, rows_expected, missing, reason_code,"
        " run_date, phase, forced, processor_name, rows_production_ready"
        f" FROM {PROCESSOR_RUNS.id}",
    )
    assert len(written) == len(outcomes) == len({row[0] for row in written}) == 5 * 3 + 6 * 7
    made = {one.output.name: one for one in processors_in_order()}
    with tiny.reading() as session:
        stored = {(table.name, day): run for table in OUTPUTS for day, *run in session.query(stamps(table)).rows}
    for run_id, name, day, status, count, expected, missing, code, _, phase, forced, processor, ready in written:
        there, runs_ = stored.get((name, day), (0, []))
        assert count == there == expected
        assert set(runs_) <= {run_id}
        assert (status, code) in {("SUCCESS", None), ("SUCCESS_EMPTY", "empty_ok")}
        assert (count == 0) == (status == "SUCCESS_EMPTY")
        assert (phase, processor) == (made[name].phase, made[name].name)
        assert (missing, forced) == ([], False)
        assert (ready is None) == (phase == 3)


def stamps(table: Table) -> str:
    """By date, how many rows there are, and of which runs."""
    return f"""SELECT {table.date_column}, COUNT(*), ARRAY_AGG(DISTINCT run_id)
FROM {table.id}
GROUP BY {table.date_column}"""


def test_issue_counts_are_those_of_the_rows(tiny_done: DuckDBWarehouse) -> None:
    counted = rows(
        tiny_done,
        f"SELECT code, COUNT(*) FROM {UPC.id}, UNNEST(quality_issues) AS code"
        f" WHERE game_date = DATE '{SLATE}' GROUP BY code",
    )
    noted = ledger_of(tiny_done, UPC, SLATE)["issue_counts"]
    assert dict(counted) == json.loads(noted)
    assert dict(counted)["no_line"] == 36


def test_opening_night_is_empty_and_complete(tiny_done: DuckDBWarehouse) -> None:
    opening = ledger_of(tiny_done, UPC, FIRST)
    assert (opening["status"], opening["rows_expected"], opening["rows_written"]) == ("SUCCESS_EMPTY", 0, 0)
    assert len(of_date(tiny_done, TGC, FIRST)) == 4


def test_a_forced_run_writes_equal_rows_with_new_stamps(tiny_done: DuckDBWarehouse) -> None:
    before, stamps = without_stamps(tiny_done), rows(tiny_done, f"SELECT DISTINCT run_id FROM {PGS.id}")
    analytics(tiny_done, EVERYTHING, force="to see")
    precompute(tiny_done, EVERYTHING, force="to see")
    assert without_stamps(tiny_done) == before
    assert not set(stamps) & set(rows(tiny_done, f"SELECT DISTINCT run_id FROM {PGS.id}"))


# ---------------------------------------------------------------- a broken date

ALBOS = "player_lookup = 'albos'"
WRONG_BOX = f"""UPDATE {PLAYER_BOX.id} SET points = points + 1, free_throws_made = free_throws_made + 1,
    free_throws_attempted = free_throws_attempted + 1
WHERE game_date = DATE '{SECOND}' AND {ALBOS}"""


def test_a_failed_check_keeps_the_old_rows_and_names_the_new_ones(tiny_done: DuckDBWarehouse) -> None:
    before = of_date(tiny_done, PGS, SECOND)
    others = [of_date(tiny_done, PGS, day) for day in (FIRST, THIRD)]
    alter(tiny_done, WRONG_BOX)
    outcomes = analytics(tiny_done, DateRange(FIRST, THIRD), force="to see")
    failed = found(outcomes, "PGS", SECOND)
    assert (failed.status, failed.reason_code, failed.rows) == (Status.FAILED_PERMANENT, "points_equal_team", 0)
    assert failed.reason
    game = game_id(SECOND, "BOS", "LAL")
    assert "10 rows fail points_equal_team" in failed.reason
    assert f"{game}/albos" in failed.reason
    assert "10 rows fail sums_equal_team" in failed.reason
    assert of_date(tiny_done, PGS, SECOND) == before
    assert [statuses(outcomes)["PGS", day] for day in (FIRST, THIRD)] == [Status.SUCCESS] * 2
    assert all(of_date(tiny_done, PGS, day) != old for day, old in zip((FIRST, THIRD), others, strict=True))
    noted = ledger_of(tiny_done, PGS, SECOND)
    assert (noted["status"], noted["rows_written"], noted["reason"]) == ("FAILED_PERMANENT", 0, failed.reason)
    assert noted["run_id"] not in {run for (run,) in rows(tiny_done, f"SELECT DISTINCT run_id FROM {PGS.id}")}


def test_what_follows_a_failed_date_waits_and_names_it(tiny_done: DuckDBWarehouse) -> None:
    slate_before = of_date(tiny_done, UPC, THIRD)
    alter(tiny_done, WRONG_BOX)
    analytics(tiny_done, one_day(SECOND))
    attempts = runs(tiny_done)
    outcomes = precompute(tiny_done, DateRange(THIRD, FOURTH), force="to see")
    by_status = statuses(outcomes)
    waiting = {short for (short, day), status in by_status.items() if status is Status.NOT_READY and day == THIRD}
    assert waiting == {"UPC", "PSZA", "PCF", "PDC", "MLFS"}
    assert by_status["TGC", THIRD] is by_status["TDZA", THIRD] is Status.SUCCESS
    assert {status for (_, day), status in by_status.items() if day == FOURTH} == {Status.SUCCESS}
    context = found(outcomes, "UPC", THIRD)
    assert context.reason == f"waits for player_game_summary {SECOND}"
    cache = found(outcomes, "PDC", THIRD)
    assert f"upcoming_player_game_context {THIRD}" in str(cache.reason)
    assert of_date(tiny_done, UPC, THIRD) == slate_before
    # an answer is no run: it leaves no row in the ledger
    assert runs(tiny_done) == attempts + sum(status is not Status.NOT_READY for status in by_status.values())


def test_a_mended_date_opens_the_way_again(tiny_done: DuckDBWarehouse) -> None:
    before = without_stamps(tiny_done)
    alter(tiny_done, WRONG_BOX)
    analytics(tiny_done, one_day(SECOND))
    alter(tiny_done, WRONG_BOX.replace("+ 1", "- 1"))
    outcomes = [*analytics(tiny_done, one_day(SECOND)), *precompute(tiny_done, one_day(THIRD))]
    assert set(statuses(outcomes).values()) <= {Status.SUCCESS, Status.SKIPPED_UNCHANGED}
    assert without_stamps(tiny_done) == before


PLANTED: dict[str, tuple[str, str, str]] = {
    "team points that do not add up": (
        "TOG",
        "points_add_up",
        f"UPDATE {TEAM_BOX.id} SET ft_made = ft_made + 1 WHERE game_date = DATE '{SECOND}' AND team_abbr = 'LAL'",
    ),
    "a score that is not the box's": (
        "TOG",
        "points_equal_schedule",
        f"UPDATE {SCHEDULE.id} SET home_team_score = home_team_score + 1 WHERE game_date = DATE '{SECOND}'",
    ),
    "a team that played 47 minutes": (
        "TOG",
        "minutes_of_a_game",
        f"UPDATE {TEAM_BOX.id} SET minutes = '235:00' WHERE game_date = DATE '{SECOND}' AND team_abbr = 'LAL'",
    ),
    "more makes than attempts": (
        "PGS",
        "makes_within_attempts",
        f"UPDATE {PLAYER_BOX.id} SET free_throws_attempted = 0 WHERE game_date = DATE '{SECOND}'",
    ),
    "a player with 75 minutes": (
        "PGS",
        "plausible_player",
        f"UPDATE {PLAYER_BOX.id} SET minutes = '75:00' WHERE game_date = DATE '{SECOND}' AND {ALBOS}",
    ),
    "a played name that nobody knows": (
        "PGS",
        "played_unresolved",
        f"UPDATE {PLAYER_BOX.id} SET player_lookup = NULL WHERE game_date = DATE '{SECOND}' AND {ALBOS}",
    ),
    "a played row without a count": (
        "PGS",
        "counts_of_played_rows",
        f"UPDATE {PLAYER_BOX.id} SET steals = NULL WHERE game_date = DATE '{SECOND}' AND {ALBOS}",
    ),
    "half a team": (
        "PGS",
        "players_per_team",
        f"UPDATE {PLAYER_BOX.id} SET minutes = NULL WHERE game_date = DATE '{SECOND}' AND player_id % 100 < 4",
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_each_planted_fault_stops_its_date_and_no_other(tiny_done: DuckDBWarehouse, case: str) -> None:
    short, code, statement = PLANTED[case]
    (processor,) = select([short], [3])
    before = of_date(tiny_done, processor.output, SECOND)
    alter(tiny_done, statement)
    outcomes = analytics(tiny_done, DateRange(SECOND, THIRD), ("TOG", "PGS"), force="to see")
    assert statuses(outcomes)[short, SECOND] is Status.FAILED_PERMANENT
    assert f"fail {code}: {game_id(SECOND, 'BOS', 'LAL')}/" in str(found(outcomes, short, SECOND).reason)
    assert of_date(tiny_done, processor.output, SECOND) == before
    assert {statuses(outcomes)[one, THIRD] for one in ("TOG", "PGS")} == {Status.SUCCESS}


# ---------------------------------------------------------------- what is missing

NO_BOX = f"DELETE FROM {TEAM_BOX.id} WHERE game_id = '{game_id(SECOND, 'BOS', 'LAL')}' AND team_abbr = 'BOS'"


def test_a_game_without_both_team_boxes_is_missing(tiny: DuckDBWarehouse) -> None:
    alter(tiny, NO_BOX)
    outcomes = analytics(tiny, DateRange(FIRST, THIRD))
    teams = found(outcomes, "TOG", SECOND)
    game = game_id(SECOND, "BOS", "LAL")
    assert (teams.status, teams.rows, teams.expected) == (Status.DEGRADED, 2, 4)
    assert teams.missing == (f"{game}/BOS", f"{game}/LAL")
    assert (teams.games, [one.game_id for one in teams.absent_games]) == (2, [game])
    assert teams.reason == f"1 of 2 games has no rows: {teams.absent_games[0]}; 2 rows are there"
    assert str(teams.absent_games[0]).startswith("BOS@LAL (002")
    assert len(of_date(tiny, TOG, SECOND)) == 2
    noted = ledger_of(tiny, TOG, SECOND)
    assert (noted["status"], noted["reason_code"], noted["missing"]) == (
        "DEGRADED",
        "games_missing",
        list(teams.missing),
    )
    assert found(outcomes, "PGS", SECOND).status is found(outcomes, "TDG", SECOND).status is Status.NOT_READY
    assert statuses(outcomes)["PGS", THIRD] is Status.SUCCESS


def test_what_ran_on_incomplete_inputs_is_degraded_and_opens_no_gate(tiny: DuckDBWarehouse) -> None:
    alter(tiny, NO_BOX)
    results = ("TOG", "TDG", "PGS")
    analytics(tiny, one_day(FIRST), results)
    outcomes = analytics(tiny, one_day(SECOND), results, allow_incomplete=True)
    players = found(outcomes, "PGS", SECOND)
    assert (players.status, players.reason_code) == (Status.DEGRADED, "inputs_incomplete")
    assert f"team_offense_game_summary {SECOND}" in str(players.reason)
    assert players.rows == players.expected == 40
    noted = ledger_of(tiny, PGS, SECOND)
    assert (noted["status"], noted["forced"]) == ("DEGRADED", True)
    again = precompute(tiny, one_day(THIRD), ("UPC",))
    assert statuses(again)["UPC", THIRD] is Status.NOT_READY


def test_a_player_of_a_game_without_team_row_has_no_usage(tiny: DuckDBWarehouse) -> None:
    alter(tiny, NO_BOX)
    analytics(tiny, one_day(SECOND), ("TOG", "PGS"), allow_incomplete=True)
    usage = rows(
        tiny,
        f"SELECT game_id, COUNT(usage_rate), COUNT(points), COUNT(win_flag) FROM {PGS.id} GROUP BY game_id ORDER BY 1",
    )
    assert usage == [(game_id(SECOND, "BOS", "LAL"), 0, 16, 0), (game_id(SECOND, "NYK", "GSW"), 16, 16, 20)]


def test_without_any_box_a_date_is_not_ready_and_keeps_its_place(tiny: DuckDBWarehouse) -> None:
    alter(tiny, f"DELETE FROM {TEAM_BOX.id} WHERE game_date = DATE '{SECOND}'")
    teams = found(analytics(tiny, one_day(SECOND), ("TOG",)), "TOG", SECOND)
    assert (teams.status, teams.reason_code) == (Status.NOT_READY, "inputs_incomplete")
    assert teams.reason == f"waits for nbac_team_boxscore {SECOND} to be loaded"
    teams = found(analytics(tiny, one_day(SECOND), ("TOG",), allow_incomplete=True), "TOG", SECOND)
    assert (teams.status, teams.reason_code, teams.run_id) == (Status.NOT_READY, "inputs_missing", None)
    assert "none of 4 expected rows" in str(teams.reason)
    assert "nbac_team_boxscore" in str(teams.reason)
    # what was begun, and came to nothing, is withdrawn
    assert runs(tiny) == 0


def test_a_date_with_rows_is_never_replaced_by_an_empty_one(tiny_done: DuckDBWarehouse) -> None:
    before = contents(tiny_done, *OUTPUTS)
    alter(
        tiny_done,
        f"DELETE FROM {TEAM_BOX.id} WHERE game_date = DATE '{SECOND}'",
        f"DELETE FROM {PLAYER_BOX.id} WHERE game_date = DATE '{THIRD}'",
    )
    outcomes = analytics(tiny_done, DateRange(SECOND, THIRD), ("TOG", "PGS"), allow_incomplete=True)
    for short, day in (("TOG", SECOND), ("PGS", THIRD)):
        refused = found(outcomes, short, day)
        assert (refused.status, refused.reason_code) == (Status.FAILED_PERMANENT, "would_empty")
        assert "the stored ones stay" in str(refused.reason)
    for table, day in ((TOG, SECOND), (PGS, THIRD)):
        assert of_date(tiny_done, table, day) == [one for one in before[table.id] if f"{day:%Y%m%d}_" in one]


def test_a_game_without_gamebook_is_told_by_the_fallback_source(tiny: DuckDBWarehouse) -> None:
    game = game_id(SECOND, "BOS", "LAL")
    boxes = [row for row in league()[PLAYER_BOX.name] if row["game_id"] == game and row["minutes"]]
    alter(tiny, f"DELETE FROM {PLAYER_BOX.id} WHERE game_id = '{game}'")
    with tiny.writing(runner.all_tables()) as session:
        session.insert(FALLBACK_BOX, [fallback(box, minutes=30) for box in boxes])
        versions.renew_all(session)
    outcomes = analytics(tiny, one_day(SECOND), ("TOG", "PGS"))
    assert statuses(outcomes)["PGS", SECOND] is Status.SUCCESS
    told = rows(
        tiny,
        "SELECT game_id, primary_source_used, COUNT(*), SUM(points), COUNT(player_id), COUNT(plus_minus),"
        f" COUNT(paint_attempts), MIN(data_quality_tier) FROM {PGS.id} GROUP BY 1, 2 ORDER BY 1",
    )
    points = sum(box["points"] for box in boxes)
    assert told[0] == (game, "bdl_boxscores", 16, points, 0, 0, 16, "medium")
    assert told[1][1:3] == ("nbac_gamebook", 20)


def test_a_game_without_play_by_play_has_no_zones_and_estimated_possessions(tiny: DuckDBWarehouse) -> None:
    game = game_id(SECOND, "BOS", "LAL")
    alter(tiny, f"DELETE FROM nba_raw.nbac_play_by_play WHERE game_id = '{game}'")
    outcomes = analytics(tiny, one_day(SECOND), ("TOG", "TDG", "PGS"))
    assert set(statuses(outcomes).values()) == {Status.SUCCESS}
    teams = rows(
        tiny,
        "SELECT game_id, possessions_source, COUNT(team_paint_attempts), COUNT(pace)"
        f" FROM {TOG.id} GROUP BY 1, 2 ORDER BY 1",
    )
    assert teams == [(game, "box", 0, 2), (game_id(SECOND, "NYK", "GSW"), "play_by_play", 2, 2)]
    players = rows(
        tiny,
        f"SELECT COUNT(usage_rate), COUNT(paint_attempts), COUNT(and1_count) FROM {PGS.id} WHERE game_id = '{game}'",
    )
    assert players == [(16, 0, 0)]
    assert found(outcomes, "TOG", SECOND).issues["no_play_by_play"] == 2


# ---------------------------------------------------------------- the night before

LAST_NIGHT = game_id(FIFTH, "NYK", "GSW")
LAST_NIGHT_LIVE = f"""UPDATE {SCHEDULE.id} SET game_status = 2, home_team_score = NULL, away_team_score = NULL
WHERE game_id = '{LAST_NIGHT}'"""


def test_a_slate_waits_for_the_games_of_the_night_before(tiny: DuckDBWarehouse) -> None:
    alter(tiny, LAST_NIGHT_LIVE)
    outcomes = precompute(tiny, one_day(SLATE))
    results = {status for (short, day), status in statuses(outcomes).items() if day != SLATE}
    assert results == {Status.SUCCESS}
    slate = {short: status for (short, day), status in statuses(outcomes).items() if day == SLATE}
    assert slate == dict.fromkeys(("TGC", "UPC", "PSZA", "TDZA", "PCF", "PDC", "MLFS"), Status.NOT_READY)
    assert f"1 of 2 games of {FIFTH} to end" in str(found(outcomes, "TDZA", SLATE).reason)
    assert of_date(tiny, TGC, SLATE) == []


def test_with_allow_incomplete_the_slate_runs_and_says_so(tiny: DuckDBWarehouse) -> None:
    alter(tiny, LAST_NIGHT_LIVE)
    outcomes = precompute(tiny, one_day(SLATE), allow_incomplete=True)
    slate = {short: status for (short, day), status in statuses(outcomes).items() if day == SLATE}
    assert slate == dict.fromkeys(("TGC", "UPC", "PSZA", "TDZA", "PCF", "PDC", "MLFS"), Status.DEGRADED)
    assert f"1 of 2 games of {FIFTH} to end" in str(found(outcomes, "MLFS", SLATE).reason)
    assert len(of_date(tiny, UPC, SLATE)) == 40
    issues = rows(tiny, f"SELECT team_abbr, quality_issues FROM {TGC.id} WHERE game_date = DATE '{SLATE}'")
    assert sorted(team for team, codes in issues if "prior_game_not_final" in codes) == ["GSW", "NYK"]


def test_a_postponed_game_keeps_nobody_waiting(tiny: DuckDBWarehouse) -> None:
    alter(tiny, LAST_NIGHT_LIVE.replace("game_status = 2", "game_status = 4"))
    outcomes = precompute(tiny, one_day(SLATE))
    assert set(statuses(outcomes).values()) == {Status.SUCCESS}


def test_a_hole_further_back_does_not_block_but_shows(tiny: DuckDBWarehouse) -> None:
    alter(tiny, f"DELETE FROM {PLAYER_BOX.id} WHERE game_date = DATE '{SECOND}'")
    outcomes = precompute(tiny, DateRange(FOURTH, FIFTH))
    late = {status for (short, day), status in statuses(outcomes).items() if day == FIFTH and short != "PGS"}
    assert late == {Status.SUCCESS}
    missing = rows(tiny, f"SELECT DISTINCT missing_games FROM {UPC.id} WHERE game_date = DATE '{FIFTH}'")
    assert missing == [(1,)]
    ready = rows(tiny, "SELECT COUNT(*) FROM nba_predictions.ml_feature_store WHERE is_production_ready")
    assert ready == [(0,)]


# ---------------------------------------------------------------- dates


def test_dates_without_games_plan_nothing(tiny: DuckDBWarehouse) -> None:
    with tiny.writing(runner.all_tables()) as session:
        for plan in (planner.analytics, planner.precompute):
            empty = plan(session, Asked(one_day(date(2024, 11, 2))))
            assert empty.request.is_empty
            assert empty.next_slate == SECOND
            assert runner.run(session, empty.survey, empty.request, silent) == []
        late = planner.precompute(session, Asked(one_day(date(2024, 12, 1))))
        assert (late.request.is_empty, late.next_slate) == (True, None)
    assert runs(tiny) == 0


def test_preseason_and_all_star_games_reach_no_output(tiny: DuckDBWarehouse) -> None:
    alter(
        tiny, f"UPDATE {SCHEDULE.id} SET nba_game_id = '001' || substr(nba_game_id, 4) WHERE game_date = DATE '{FIRST}'"
    )
    with tiny.reading() as session:
        days = calendar.read(session, EVERYTHING)
    assert [day.date for day in days.days] == [*FINAL_DATES[1:], SLATE]
    assert statuses(analytics(tiny, one_day(FIRST))) == {}


def test_analytics_computes_the_results_of_a_date_and_the_next_slates_contexts(tiny: DuckDBWarehouse) -> None:
    outcomes = analytics(tiny, one_day(FIRST))
    assert sorted(statuses(outcomes)) == sorted(
        [("TOG", FIRST), ("PGS", FIRST), ("TDG", FIRST), ("TGC", SECOND), ("UPC", SECOND)]
    )


def test_precompute_brings_results_that_were_never_computed_and_no_others(last_night: DuckDBWarehouse) -> None:
    stamps = rows(last_night, f"SELECT DISTINCT run_id FROM {TOG.id}")
    outcomes = precompute(last_night, one_day(SLATE))
    assert {day for short, day in statuses(outcomes) if short in {"TOG", "PGS", "TDG"}} == {FIFTH}
    assert set(stamps) < set(rows(last_night, f"SELECT DISTINCT run_id FROM {TOG.id}"))


# ---------------------------------------------------------------- a range is its dates


def test_dates_of_two_seasons_know_nothing_of_each_other(tiny_done: DuckDBWarehouse) -> None:
    """The same games a year later begin with empty histories."""
    names = {
        SCHEDULE.id: "game_start_time",
        PLAYER_BOX.id: None,
        TEAM_BOX.id: None,
        "nba_raw.nbac_play_by_play": None,
    }
    moved = []
    for table, moment in names.items():
        shift = "game_date + INTERVAL 1 YEAR AS game_date, '2025' || substr(game_id, 5) AS game_id, 2025 AS season_year"
        if moment:
            shift += f", {moment} + INTERVAL 1 YEAR AS {moment}"
        moved.append(f"INSERT INTO {table} BY NAME SELECT * REPLACE ({shift}) FROM {table}")
    alter(tiny_done, *moved)
    later = DateRange(FIRST.replace(year=2025), SLATE.replace(year=2025))
    read = ("TOG", "TDG", "PGS", "TGC", "UPC", "PSZA", "PDC")
    assert all(one.status.wrote for one in precompute(tiny_done, later, read))
    compared = "player_lookup, points_avg_season, minutes_avg_season, games_played_season"
    for year in (2024, 2025):
        day = SLATE.replace(year=year)
        made = rows(
            tiny_done, f"SELECT {compared} FROM nba_precompute.player_daily_cache WHERE cache_date = DATE '{day}'"
        )
        assert len(made) == 32
        assert {row[3] for row in made} == {5}


RESULTS = (DateRange(FOURTH, FIFTH), one_day(THIRD), DateRange(FIRST, SECOND))
SLATES = (one_day(FOURTH), DateRange(FIFTH, SLATE), one_day(FIRST), DateRange(SECOND, THIRD))


def test_a_range_equals_its_dates_and_shorter_ranges_in_any_order(tiny: DuckDBWarehouse, tiny_done_file: Path) -> None:
    for some in RESULTS:
        assert all(one.status.wrote for one in analytics(tiny, some, ("TOG", "TDG", "PGS")))
    for some in SLATES:
        assert all(one.status.wrote for one in precompute(tiny, some))
    assert unequal(tiny, at(tiny_done_file), OUTPUTS) == {}
