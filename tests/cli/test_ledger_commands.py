"""What ran, what is owed and how to repair it, as an operator types it: every command that is printed is obeyed."""

import csv
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings

from nbactl.commands import status as status_command
from processors import calendar as calendars
from processors import inputs, runner, statements
from processors.calendar import Calendar
from processors.declaration import Processor
from processors.graph import processors_in_order
from shared.clock import DateRange
from shared.ledger import PROCESSOR_RUNS
from shared.tables.raw import PLAYER_BOX, SCHEDULE, TEAM_BOX
from tests.builders import FINAL_DATES, SLATE, Tables, league, one, player_names, scheduled, with_market, write
from tests.cli.conftest import Run, Said, Type
from tests.conftest import at
from tests.test_schedule_reach import ranges, schedules

FIRST, SECOND, THIRD, FOURTH, FIFTH = FINAL_DATES
PLAYED = ("--start", FIRST, "--end", FIFTH)
ONE_DAY = timedelta(days=1)
EVERYTHING = ("--start", FIRST, "--end", SLATE)
STATUS_KEYS = ["table", "processor", "date", "state", "rows", "expected", "finished_at", "trigger", "why", "next"]
HOSTILE = "[/x] \x1b[31mred\x1b[0m \0 \u202egnorw [bold]\r\nline"
HARMFUL = ("\x1b", "\0", "\u202e", "\r")


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> Callable[[date], None]:
    """Let `nbactl status` believe that it is noon in New York, in winter, on a day."""

    def set_clock(day: date) -> None:
        moment = datetime(day.year, day.month, day.day, 17, tzinfo=UTC)
        monkeypatch.setattr(status_command, "utc_now", lambda: moment)

    return set_clock


def ledger(path: Path, change: str, where: str, *values: object) -> None:
    with duckdb.connect(path) as connection:
        changed = connection.execute(f"UPDATE {PROCESSOR_RUNS.id} SET {change} WHERE {where}", values).fetchone()
        assert changed
        assert changed[0], where


def last_run(table: str, day: date) -> str:
    return f"output_table = '{table}' AND game_date = DATE '{day}'"


def tables_of(change: Callable[[Tables], object] = lambda _: None) -> Tables:
    tables = with_market(league())
    change(tables)
    return tables


def corrected(tables: Tables) -> None:
    """Another plus-minus for a player on the second date."""
    one(tables[PLAYER_BOX.name], game_date=SECOND, player_name=player_names("BOS")[1])["plus_minus"] += 3


def wrong(tables: Tables) -> None:
    """A free throw that the points know nothing of, on the second date."""
    one(tables[TEAM_BOX.name], game_date=SECOND, team_abbr="LAL")["ft_made"] += 1


def without_team_box(tables: Tables) -> None:
    """The team box of the last date is still to come."""
    tables[TEAM_BOX.name] = [row for row in tables[TEAM_BOX.name] if row["game_date"] != FIFTH]


def unfinished(tables: Tables) -> None:
    """One of the last games is under way."""
    game = one(tables[SCHEDULE.name], game_date=FIFTH, home_team_abbr="GSW")
    game.update(game_status=2, home_team_score=None, away_team_score=None)


def states(said: Said) -> dict[tuple[str, str], str]:
    return {(line["table"].partition(".")[2], line["date"]): line["state"] for line in said.json}


def ill(said: Said) -> list[dict[str, Any]]:
    return [line for line in said.json if line["state"] not in {"NO_GAMES", "NOT_DUE", "DONE"}]


def obey(typed: Type, commands: Sequence[str], raw: Path | None = None) -> None:
    """Type printed commands one after the other; DIR is what there is to load."""
    for command in commands:
        said = typed(command.replace("DIR", str(raw)))
        assert said.code == 0, (command, said.err)


def repaired(typed: Type, *asked: object, raw: Path | None = None) -> None:
    """Do what the end of `nbactl status` says until it says nothing, three times at most."""
    for _ in range(3):
        said = typed("status", *asked, "-o", "json")
        if said.code == 0:
            return
        obey(typed, said.error["hint"].splitlines(), raw)
    assert typed("status", *asked).code == 0


# ---------------------------------------------------------------- backfill


def test_a_backfill_says_its_plan_beside_the_result(nbactl: Run, here: Path) -> None:
    assert here.exists()
    said = nbactl("backfill", *map(str, EVERYTHING), "-o", "json")
    assert said.returncode == 0, said.stderr
    outcomes = json.loads(said.stdout)
    assert len(outcomes) == 57
    assert {one["status"] for one in outcomes} == {"SUCCESS", "SUCCESS_EMPTY"}
    plan = said.stderr.splitlines()
    assert plan[0] == f"results of {FIRST} to {FIFTH} (5 dates) -> slates {FIRST} to {SLATE} (6 dates)"
    assert plan[1].startswith("57 of 57 table-dates are owed, about ")
    assert plan[2] == f"  team_offense_game_summary: 5 of 5 dates: never computed ({FIRST}..{FIFTH} (5))"
    assert [line.split(":")[0].strip() for line in plan[2:12]] == [one.output.name for one in processors_in_order()]
    assert plan[-1] == "[57/57] ml_feature_store"


@pytest.mark.usefixtures("here")
def test_a_second_backfill_computes_nothing(typed: Type) -> None:
    assert typed("backfill", *EVERYTHING).code == 0
    runs = typed("runs", "-n", 1000, "-o", "json").json
    again = typed("backfill", *EVERYTHING, "-o", "json")
    assert again.code == 0
    assert {one["status"] for one in again.json} == {"SKIPPED_UNCHANGED"}
    assert "0 of 57 table-dates are owed\n" in again.err
    assert typed("runs", "-n", 1000, "-o", "json").json == runs


@pytest.mark.parametrize("form", ["json", "table"])
def test_a_dry_backfill_says_what_is_owed_and_writes_nothing(typed: Type, here: Path, form: str) -> None:
    before = (here.read_bytes(), here.stat().st_mtime_ns)
    said = typed("backfill", *EVERYTHING, "--dry-run", "-o", form)
    assert said.code == 0
    assert said.err.startswith(f"would compute results of {FIRST} to {FIFTH}")
    assert len(said.err.splitlines()) == 1
    if form == "json":
        assert sum(step["owed"] for step in said.json) == 57
        assert list(said.json[0]) == ["processor", "table", "dates", "first", "last", "owed", "why"]
    assert (here.read_bytes(), here.stat().st_mtime_ns) == before


@pytest.mark.usefixtures("here")
def test_phases_are_computed_apart(typed: Type) -> None:
    third = typed("backfill", *EVERYTHING, "--phase", 3, "-o", "json")
    fourth = typed("backfill", *EVERYTHING, "--phase", 4, "-o", "json")
    assert (third.code, fourth.code) == (0, 0)
    tables = [sorted({one["table"] for one in said.json}) for said in (third, fourth)]
    assert tables[0] == sorted(one.output.id for one in processors_in_order() if one.phase == 3)
    assert tables[1] == sorted(one.output.id for one in processors_in_order() if one.phase == 4)


@pytest.mark.usefixtures("here")
def test_phase_4_alone_waits_for_phase_3_and_names_commands_that_help(typed: Type) -> None:
    said = typed("backfill", "--date", SLATE, "--phase", 4)
    assert said.code == 5
    assert "--allow-incomplete" not in said.err
    (line,) = (line for line in said.err.splitlines() if line.startswith(" next: "))
    assert line == f" next: nbactl status --date {SLATE} says for each table what to type"
    slates = [line["next"] for line in typed("status", "--date", SLATE, "-o", "json").json if line["expected"] is None]
    assert f"nbactl run-precompute --date {SLATE}" in slates
    assert typed(f"nbactl run-precompute --date {SLATE}").code == 0
    assert typed("backfill", "--date", SLATE, "--phase", 4).code == 0


@pytest.mark.usefixtures("here")
def test_a_backfill_of_one_processor(typed: Type) -> None:
    said = typed("backfill", *EVERYTHING, "--processor", "TeamOffenseGameSummaryProcessor", "-o", "json")
    assert {one["processor"] for one in said.json} == {"TeamOffenseGameSummaryProcessor"}
    assert [one["date"] for one in said.json] == [str(day) for day in FINAL_DATES]
    other = typed("backfill", *EVERYTHING, "--phase", 3, "--processor", "MLFS")
    assert (other.code, other.out) == (5, "")


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("reason", ["", "  ", "--dry-run"])
def test_force_needs_a_reason(typed: Type, reason: str) -> None:
    said = typed("backfill", "--date", SECOND, "--force", reason)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: --force ")


@pytest.mark.usefixtures("done")
def test_the_reason_of_a_forced_run_is_recorded(typed: Type) -> None:
    said = typed("backfill", "--date", SECOND, "--force", "late correction", "--processor", "TOG", "-o", "json")
    assert said.code == 0
    assert "forced: late correction" in said.err
    (run,) = typed("runs", "--date", SECOND, "--processor", "TOG", "-n", 1, "-o", "json").json
    assert (run["run_id"], run["status"]) == (said.json[0]["run_id"], "SUCCESS")
    assert (run["forced"], run["force_reason"], run["trigger_source"]) == (True, "late correction", "backfill")
    earlier = typed("runs", "--date", SECOND, "--processor", "TOG", "-o", "json").json[1]
    assert (earlier["forced"], earlier["force_reason"]) == (False, None)


@pytest.mark.usefixtures("here")
def test_a_quiet_backfill_prints_results_only(typed: Type) -> None:
    said = typed("backfill", *EVERYTHING, "--quiet", "-o", "csv")
    assert (said.code, said.err) == (0, "")
    assert len(list(csv.DictReader(io.StringIO(said.out)))) == 57


@pytest.mark.usefixtures("here")
def test_a_backfill_that_was_interrupted_goes_on_where_it_stopped(typed: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = statements.candidate

    def interrupted(processor: Processor) -> str:
        if processor.short == "TDG":
            raise KeyboardInterrupt
        return honest(processor)

    for processor in processors_in_order():
        inputs.definition(processor)  # kept, so that it is not what is interrupted
    with monkeypatch.context() as patch:
        patch.setattr(statements, "candidate", interrupted)
        stopped = typed("backfill", *PLAYED, "--processor", "TOG", "--processor", "TDG")
    assert stopped.code == 130
    failed = typed("runs", "--failed", "-o", "json").json
    assert {run["status"] for run in failed} == {"FAILED_TRANSIENT"}
    assert {run["output_table"] for run in failed} == {"team_defense_game_summary"}
    (line, *_) = [line for line in ill(typed("status", *PLAYED, "-o", "json")) if line["state"] == "FAILED"]
    assert line["next"] == f"nbactl backfill --date {FIRST}"
    repaired(typed, *PLAYED)


# ---------------------------------------------------------------- status


@pytest.mark.usefixtures("done")
def test_where_all_is_well_status_ends_well_and_needs_no_reasons(typed: Type) -> None:
    said = typed("status", *PLAYED)
    assert (said.code, said.err) == (0, f"{FIRST} to {FIFTH} (8 days), 3 without games\n")
    heading, *lines = said.out.splitlines()
    assert heading.split() == ["table", "date", "state", "rows", "age", "trigger"]
    assert [line.split()[0] for line in lines] == [one.output.name for one in processors_in_order()]
    assert lines[0].split()[:5] == ["team_offense_game_summary", f"{FIRST}..{FIFTH}", "(5)", "DONE", "20/20"]
    assert typed("status", *PLAYED, "--quiet").err == ""


@pytest.mark.usefixtures("done")
def test_every_form_says_the_same(typed: Type) -> None:
    said = typed("status", *EVERYTHING, "-o", "json")
    assert [list(line) for line in said.json] == [STATUS_KEYS] * 100
    assert [json.loads(line) for line in typed("status", *EVERYTHING, "-o", "jsonl").out.splitlines()] == said.json
    flat = list(csv.DictReader(io.StringIO(typed("status", *EVERYTHING, "-o", "csv").out)))
    for name in ("table", "date", "state", "next"):
        assert [line[name] for line in flat] == [line[name] or "" for line in said.json]


@pytest.mark.usefixtures("done")
def test_a_line_for_machines_has_exact_values_and_times(typed: Type) -> None:
    said = typed("status", "--date", SECOND, "-o", "json")
    line = said.json[1]
    finished = line.pop("finished_at")
    assert finished.endswith("Z")
    assert datetime.fromisoformat(finished).tzinfo
    assert line == {
        "table": "nba_analytics.player_game_summary",
        "processor": "PlayerGameSummaryProcessor",
        "date": str(SECOND),
        "state": "DONE",
        "rows": 40,
        "expected": 40,
        "trigger": "cli",
        "why": None,
        "next": None,
    }


@pytest.mark.usefixtures("done")
def test_without_a_date_last_night_and_tonight(typed: Type, at_noon: Callable[[date], None]) -> None:
    at_noon(SLATE)
    said = typed("status", "-o", "json")
    assert (said.code, said.err) == (0, f"results of {FIFTH}, slate of {SLATE}\n")
    assert {line["date"] for line in said.json[:3]} == {str(FIFTH)}
    assert {line["date"] for line in said.json[3:]} == {str(SLATE)}
    assert {line["state"] for line in said.json} == {"DONE"}


@pytest.mark.usefixtures("done")
def test_after_the_end_of_the_schedule_nobody_can_tell(typed: Type, at_noon: Callable[[date], None]) -> None:
    at_noon(date(2024, 11, 12))
    said = typed("status", "-o", "json")
    assert said.code == 7
    assert (said.error["error"], said.error["exit_code"]) == ("Undetermined", 7)
    assert f"the schedule does not reach 2024-11-12: it goes from {FIRST} to {SLATE}" in said.error["why"]


@pytest.mark.usefixtures("done")
def test_a_newer_schedule_is_what_helps_where_nobody_can_tell(typed: Type, tmp_path: Path) -> None:
    day = date(2024, 12, 25)
    said = typed("status", "--date", day, "-o", "json")
    assert (said.code, said.out) == (7, "[]\n")
    assert said.error["hint"].startswith("nbactl data load DIR")
    write(tmp_path / "raw", {SCHEDULE.name: [scheduled(date(2024, 12, 26), "NYK", "BOS")]})
    assert typed("data", "load", tmp_path / "raw").code == 0
    known = typed("status", "--date", day, "-o", "json")
    assert known.code == 0
    assert set(states(known).values()) == {"NO_GAMES"}


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("day", [date(2024, 10, 15), date(2025, 7, 4), date(2024, 11, 2)])
def test_a_date_that_can_have_no_games_is_well(typed: Type, day: date) -> None:
    said = typed("status", "--date", day, "-o", "json")
    assert said.code == 0
    assert set(states(said).values()) == {"NO_GAMES"}
    assert {(line["rows"], line["expected"]) for line in said.json} == {(0, 0)}


@pytest.mark.usefixtures("done")
def test_a_range_that_ends_in_summer_does_not_hide_the_months_that_nobody_knows(typed: Type) -> None:
    said = typed("status", "--start", SECOND, "--end", "2025-07-04")
    assert said.code == 7
    assert "the schedule does not reach 2024-11-11 to 2025-06-30" in said.err


def test_an_empty_schedule_is_a_precondition_that_names_the_way(typed: Type, tmp_path: Path) -> None:
    tables = {name: rows for name, rows in tables_of().items() if name != SCHEDULE.name}
    write(tmp_path / "raw", tables)
    assert typed("data", "load", tmp_path / "raw").code == 0
    for command in ("status", "impact --table nbac_schedule --date 2024-11-03"):
        said = typed(*command.split(), "-o", "json")
        assert said.code == 5
        assert said.error["message"] == "the schedule is empty"
        assert "nbactl data load DIR" in said.error["hint"]


@pytest.mark.usefixtures("done")
def test_the_future_is_not_due_and_the_states_of_many_dates_are_one_line(
    typed: Type, at_noon: Callable[[date], None], tmp_path: Path
) -> None:
    ahead = [scheduled(date(2024, 11, day), "NYK", "BOS") for day in (20, 21, 22)]
    write(tmp_path / "raw", {SCHEDULE.name: ahead})
    assert typed("data", "load", tmp_path / "raw").code == 0
    at_noon(SLATE)
    said = typed("status", "--start", "2024-11-20", "--end", "2024-11-22")
    assert said.code == 0
    assert len(said.out.splitlines()) == 11
    assert said.out.count("2024-11-20..2024-11-22 (3)  NOT_DUE") == 10
    assert "due 2024-11-21 04:10 ET and later" in said.out


def test_what_was_never_computed_waits_and_the_commands_compute_it(typed: Type, here: Path) -> None:
    assert here.exists()
    said = typed("status", *PLAYED, "-o", "json")
    assert said.code == 1
    assert set(states(said).values()) == {"WAITING", "NO_GAMES"}
    assert said.error["message"] == "50 of 80 table-dates are not well: 50 WAITING"
    assert said.error["hint"].splitlines() == [
        f"nbactl backfill --start {FIRST} --end {FIFTH}",
        f"nbactl run-precompute --start {FIRST} --end {FIFTH}",
    ]
    obey(typed, said.error["hint"].splitlines())
    assert typed("status", *PLAYED).code == 0


@pytest.mark.usefixtures("here")
def test_each_line_that_is_not_well_ends_with_a_command_that_works(typed: Type) -> None:
    """Obeyed from the top: results first, then what is made of them."""
    for _ in range(10):
        wanted = ill(typed("status", "--date", THIRD, "-o", "json"))
        if not wanted:
            break
        assert all(line["next"] and line["why"] for line in wanted)
        typed(wanted[0]["next"])
        left = ill(typed("status", "--date", THIRD, "-o", "json"))
        assert wanted[0]["table"] not in {line["table"] for line in left}
    assert typed("status", "--date", THIRD).code == 0


@pytest.mark.usefixtures("here")
def test_lines_for_eyes_end_with_the_command_for_all_their_dates(typed: Type) -> None:
    said = typed("status", *PLAYED)
    heading, *lines = said.out.splitlines()
    assert len(lines) == 10
    at = heading.index("next")
    assert {line[at:] for line in lines[:3]} == {f"nbactl backfill --start {FIRST} --end {FIFTH}"}
    assert {line[at:] for line in lines[3:]} == {f"nbactl run-precompute --start {FIRST} --end {FIFTH}"}
    assert "upcoming_player_game_context, upcoming_team_game_context and 4 more" in lines[-1]


@pytest.mark.usefixtures("done")
def test_a_stale_line_names_the_input_and_its_date_and_the_commands_repair(typed: Type, tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", tables_of(corrected))
    assert typed("data", "load", raw).code == 0
    said = typed("status", *PLAYED, "-o", "json")
    assert said.code == 1
    (line,) = [line for line in ill(said) if line["table"] == "nba_analytics.player_game_summary"]
    assert (line["state"], line["date"]) == ("STALE", str(SECOND))
    assert line["why"] == f"nbac_gamebook_player_stats changed ({SECOND})"
    assert line["next"] == f"nbactl backfill --date {SECOND}"
    assert said.error["hint"].splitlines() == [
        f"nbactl backfill --date {SECOND}",
        f"nbactl run-precompute --start {THIRD} --end {FIFTH}",
    ]
    repaired(typed, *PLAYED)


@pytest.mark.usefixtures("done")
def test_a_check_that_fails_is_explained_and_repaired_by_the_right_rows(typed: Type, tmp_path: Path) -> None:
    assert typed("data", "load", write(tmp_path / "wrong", tables_of(wrong))).code == 0
    assert typed("backfill", "--date", SECOND).code != 0
    said = typed("status", "--date", SECOND, "-o", "json")
    failed = [line for line in ill(said) if line["state"] == "FAILED"]
    assert [line["table"] for line in failed] == ["nba_analytics.team_offense_game_summary"]
    assert "1 rows fail points_add_up: 20241103_BOS_LAL/LAL (attempt 1)" in failed[0]["why"]
    assert (failed[0]["rows"], failed[0]["expected"]) == (4, 4)
    assert failed[0]["next"] == f"nbactl runs --failed --date {SECOND}"
    told = typed(failed[0]["next"])
    assert told.code == 0
    assert "points_add_up: 20241103_BOS_LAL/LAL" in told.out

    assert typed("data", "load", write(tmp_path / "right", tables_of(corrected))).code == 0
    now = typed("status", "--date", SECOND, "-o", "json").json[0]
    assert (now["state"], now["next"]) == ("FAILED", f"nbactl backfill --date {SECOND}")
    repaired(typed, *PLAYED)


@pytest.mark.usefixtures("done")
def test_a_wrong_correction_that_is_taken_back_leaves_nothing_to_do(typed: Type, tmp_path: Path) -> None:
    assert typed("data", "load", write(tmp_path / "wrong", tables_of(wrong))).code == 0
    assert typed("backfill", "--date", SECOND).code != 0
    assert typed("data", "load", write(tmp_path / "as_before", tables_of())).code == 0
    repaired(typed, "--date", SECOND)
    assert typed("backfill", "--date", SECOND).code == 0


def test_a_run_that_failed_for_want_of_room_is_run_again(typed: Type, done: Path) -> None:
    why = "status = 'FAILED_TRANSIENT', reason_code = 'error', reason = 'the disk is full'"
    ledger(done, why, last_run("player_daily_cache", FOURTH))
    said = typed("status", "--date", FOURTH, "-o", "json")
    (line,) = [line for line in ill(said) if line["state"] == "FAILED"]
    assert "the disk is full" in line["why"]
    assert line["next"] == f"nbactl run-precompute --date {FOURTH}"
    repaired(typed, "--date", FOURTH)


def test_a_run_that_died_is_lost_and_reconcile_repairs_it(typed: Type, done: Path) -> None:
    ledger(done, "status = 'RUNNING', finished_at = NULL", last_run("ml_feature_store", FOURTH))
    said = typed("status", "--date", FOURTH, "-o", "json")
    assert said.code == 1
    (line,) = ill(said)
    assert (line["state"], line["why"], line["next"]) == ("LOST", "the run died", "nbactl reconcile")
    assert said.error["hint"] == "nbactl reconcile"
    obey(typed, [line["next"]])
    assert typed("status", "--date", FOURTH).code == 0


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("lacking", "why"),
    [(without_team_box, f"{TEAM_BOX.name} {FIFTH} to be loaded"), (unfinished, "1 of 2 games")],
)
def test_what_waits_for_rows_says_load_them_and_then_run(
    typed: Type, tmp_path: Path, lacking: Callable[[Tables], None], why: str
) -> None:
    shutil.rmtree(tmp_path / ".nbactl")
    assert typed("data", "load", write(tmp_path / "early", tables_of(lacking))).code == 0
    assert typed("run-precompute", "--date", FIFTH).code == 0
    said = typed("status", "--start", FIFTH, "--end", SLATE, "-o", "json")
    waits = {(line["table"].partition(".")[2], line["date"]): line for line in ill(said)}
    results = waits["team_offense_game_summary", str(FIFTH)]
    assert (results["state"], results["next"]) == ("WAITING", "nbactl data load DIR")
    assert why in results["why"]
    # whatever would only wait as well says so, too
    assert waits["player_game_summary", str(FIFTH)]["next"] == "nbactl data load DIR"
    assert said.error["hint"].splitlines()[0] == "nbactl data load DIR"
    raw = write(tmp_path / "late", tables_of())
    repaired(typed, "--date", FIFTH, raw=raw)
    assert typed("run-precompute", "--date", SLATE).code == 0


@pytest.mark.usefixtures("here")
def test_what_was_made_of_too_little_is_degraded_until_the_rest_is_loaded(typed: Type, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / ".nbactl")
    assert typed("data", "load", write(tmp_path / "early", tables_of(unfinished))).code == 0
    assert typed("run-precompute", "--date", SLATE, "--allow-incomplete").code == 0
    said = typed("status", "--date", SLATE, "-o", "json")
    degraded = [line for line in said.json if line["state"] == "DEGRADED"]
    assert [line["table"] for line in degraded]
    assert {line["next"] for line in degraded} == {"nbactl data load DIR"}
    assert f"ran on incomplete inputs: 1 of 2 games of {FIFTH} to end" in degraded[0]["why"]
    assert typed("data", "load", write(tmp_path / "late", tables_of())).code == 0
    stale = {line["next"] for line in typed("status", "--date", SLATE, "-o", "json").json if line["state"] == "STALE"}
    assert stale == {f"nbactl run-precompute --date {SLATE}"}
    obey(typed, sorted(stale))
    slates = {
        state
        for (table, _), state in states(typed("status", "--date", SLATE, "-o", "json")).items()
        if not table.endswith("game_summary")
    }
    assert slates == {"DONE"}


def test_a_locked_warehouse_names_who_holds_it(typed: Type, done: Path) -> None:
    with at(done).writing(runner.all_tables()):
        told = typed("status", "--wait", "0", "-o", "json")
        runs = typed("runs", "--wait", "0", "-o", "json")
    assert told.code == 7
    assert told.error["message"] == "cannot tell while the warehouse is locked"
    assert f"process {os.getpid()} is writing to it" in told.error["why"]
    assert f"ps -fp {os.getpid()}" in told.error["hint"]
    assert runs.code == 5
    assert str(os.getpid()) in runs.error["why"]


@pytest.mark.usefixtures("here")
def test_commands_name_the_warehouse_that_was_named(typed: Type, tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path}/an other.duckdb"
    shutil.move(tmp_path / ".nbactl" / "warehouse.duckdb", tmp_path / "an other.duckdb")
    said = typed("status", *PLAYED, "--warehouse", url, "-o", "json")
    assert said.code == 1
    obey(typed, said.error["hint"].splitlines())
    assert typed("status", *PLAYED, "--warehouse", url).code == 0
    obey(typed, [typed("impact", "--table", "nbac_schedule", "--date", FIRST, "--warehouse", url).hint])
    assert not (tmp_path / ".nbactl" / "warehouse.duckdb").exists()


# ---------------------------------------------------------------- waiting for another process


@pytest.mark.parametrize("wait", ["x", "-1", "inf", "nan"])
def test_a_wait_that_is_no_number_of_seconds_is_refused(typed: Type, done: Path, wait: str) -> None:
    assert done.exists()
    said = typed("status", "--wait", wait, "-o", "json")
    assert (said.code, said.out) == (2, "")
    assert said.error["message"] == f"{wait!r} is no number of seconds"
    assert said.error["hint"] == "it comes from flag --wait"


def test_the_environment_says_how_long_to_wait(typed: Type, done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBACTL_WAIT", "0.3")
    with at(done).writing(runner.all_tables()):
        clock = time.monotonic()
        assert typed("status").code == 7
        assert 0.3 <= time.monotonic() - clock < 5
        clock = time.monotonic()
        assert typed("status", "--wait", "0").code == 7
        assert time.monotonic() - clock < 0.3
    monkeypatch.setenv("NBACTL_WAIT", "soon")
    said = typed("runs", "-o", "json")
    assert (said.code, said.error["hint"]) == (2, "it comes from environment NBACTL_WAIT")


# ---------------------------------------------------------------- dates that the schedule does not reach

COMMANDS = ("run-analytics", "run-precompute", "backfill")
BEYOND = ["2019-01-15", "2024-06-30", "2024-11-11", "2025-04-01", "2030-07-04"]


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("command", [*COMMANDS, "status"])
@pytest.mark.parametrize("day", BEYOND)
def test_of_a_date_that_the_schedule_does_not_reach_nobody_can_tell(typed: Type, command: str, day: str) -> None:
    said = typed(command, "--date", day, "-o", "json")
    assert (said.code, said.out, said.error["error"]) == (7, "[]\n", "Undetermined")
    assert f"the schedule does not reach {day}" in said.error["why"]
    assert said.error["hint"].startswith("nbactl data load DIR")


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_range_that_the_schedule_does_not_reach_at_all_is_not_without_games(typed: Type, command: str) -> None:
    for more in ((), ("--dry-run",)):
        said = typed(command, "--start", "2019-01-01", "--end", "2019-01-31", *more)
        assert (said.code, said.out) == (7, "")
        assert "cannot tell if there are games on 2019-01-01 to 2019-01-31 (31 days)" in said.err


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("command", COMMANDS)
def test_of_a_range_that_the_schedule_reaches_in_part_that_part_is_done_and_the_rest_is_said(
    typed: Type, command: str
) -> None:
    said = typed(command, "--start", "2020-01-01", "--end", "2030-01-01", "-o", "json")
    assert said.code == 0, said.err
    assert {one["date"] for one in said.json} <= {str(day) for day in (*FINAL_DATES, SLATE)}
    assert {one["date"] for one in said.json} >= {str(day) for day in FINAL_DATES}
    assert (
        f"left out: the schedule does not reach 2020-01-01 to 2024-06-30, {SLATE + ONE_DAY} to 2025-06-30" in said.err
    )


@pytest.mark.usefixtures("done")
def test_a_season_that_is_not_loaded_is_not_known_for_being_between_two_that_are(typed: Type, tmp_path: Path) -> None:
    games = [
        scheduled(date(2026, 11, 3), "NYK", "BOS", season=2026),
        scheduled(date(2026, 11, 4), "LAL", "GSW", season=2026),
    ]
    write(tmp_path / "raw", {SCHEDULE.name: games})
    assert typed("data", "load", tmp_path / "raw").code == 0
    for command in (*COMMANDS, "status"):
        said = typed(command, "--date", "2025-11-05", "-o", "json")
        assert said.code == 7, command
        assert f"it goes from {FIRST} to {SLATE} and from 2026-11-03 to 2026-11-04" in said.error["why"]


@settings(max_examples=15, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedules(), ranges(120))
@pytest.mark.usefixtures("done")
def test_every_command_knows_the_same_dates(typed: Type, schedule: Calendar, asked: DateRange) -> None:
    """Whatever the schedule, whatever the range: what `nbactl status` can tell of, the others compute, and no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calendars, "read", lambda _session, _dates: schedule)
        gaps, line = schedule.gaps(asked), ("--start", asked.start, "--end", asked.end)
        known = {str(asked.start + number * ONE_DAY) for number in range(asked.days)}
        known -= {str(gap.start + number * ONE_DAY) for gap in gaps for number in range(gap.days)}
        told = typed("status", *line, "-o", "json")
        assert {row["date"] for row in told.json} == known
        assert (told.code == 7) == bool(gaps)
        for command in COMMANDS:
            said = typed(command, *line, "--dry-run")
            assert said.code == (7 if gaps and not schedule.slates(asked) else 0), said.err
            assert ("left out: " in said.err) == bool(gaps and said.code == 0)


@pytest.mark.usefixtures("done")
def test_a_proof_of_a_slate_that_the_schedule_does_not_reach_cannot_tell(typed: Type) -> None:
    said = typed("verify", "leakage", "--date", "2025-04-01", "-o", "json")
    assert (said.code, said.error["error"]) == (7, "Undetermined")


# ---------------------------------------------------------------- ranges into the future


def test_a_range_into_the_future_does_what_can_be_done_and_says_the_rest(
    typed: Type, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = [scheduled(date(2024, 11, day), "NYK", "BOS") for day in (20, 21, 22)]
    write(tmp_path / "raw", {SCHEDULE.name: ahead})
    assert typed("data", "load", tmp_path / "raw").code == 0
    monkeypatch.setattr("processors.survey.utc_now", lambda: datetime(2024, 11, 9, 17, tzinfo=UTC))
    said = typed("backfill", "--start", FIRST, "--end", "2035-12-31", "-o", "json")
    assert said.code == 0, said.err
    waiting = {one["date"] for one in said.json if one["status"] == "NOT_READY"}
    assert waiting == {"2024-11-20", "2024-11-21", "2024-11-22"}
    assert "not due yet: 21 table-dates of 2024-11-20..2024-11-22 (3) wait for games that are to be played" in said.err
    assert "left out: the schedule does not reach 2024-11-23 to 2025-06-30" in said.err
    again = typed("backfill", "--start", FIRST, "--end", "2035-12-31", "--quiet", "-o", "json")
    assert (again.code, again.err) == (0, "")
    # a date of its own was asked for, and is not there
    alone = typed("backfill", "--date", "2024-11-21", "-o", "json")
    assert (alone.code, alone.error["error"]) == (5, "PreconditionFailed")
    # and once it is due, what is not there is missed
    monkeypatch.setattr("processors.survey.utc_now", lambda: datetime(2024, 12, 1, tzinfo=UTC))
    assert typed("backfill", "--start", FIRST, "--end", "2035-12-31").code == 5
    with duckdb.connect(here) as connection:
        beyond = f"SELECT count(*) FROM {PROCESSOR_RUNS.id} WHERE game_date > DATE '2024-11-22'"
        assert connection.execute(beyond).fetchone() == (0,)


@pytest.mark.usefixtures("done")
def test_games_that_are_to_be_played_are_not_no_games(typed: Type, tmp_path: Path) -> None:
    write(tmp_path / "raw", {SCHEDULE.name: [scheduled(date(2024, 11, 20), "NYK", "BOS")]})
    assert typed("data", "load", tmp_path / "raw").code == 0
    said = typed("run-analytics", "--date", "2024-11-20")
    assert (said.code, said.err) == (0, "nothing to compute on 2024-11-20 (1 day): none of its 1 games is final\n")


# ---------------------------------------------------------------- runs


@pytest.mark.usefixtures("done")
def test_runs_has_every_column_of_the_ledger_and_exact_times(typed: Type) -> None:
    said = typed("runs", "-o", "json")
    assert (said.code, said.err) == (0, "these are the newest 50; --limit N shows more\n")
    assert [list(run) for run in said.json] == [list(PROCESSOR_RUNS.column_names)] * 50
    assert all(run[name].endswith("Z") for run in said.json for name in ("started_at", "finished_at"))
    moments = [datetime.fromisoformat(run["noted_at"]) for run in said.json]
    assert moments == sorted(moments, reverse=True)


@pytest.mark.usefixtures("done")
def test_runs_are_chosen_by_date_processor_and_number(typed: Type) -> None:
    everything = typed("runs", "--limit", 1000, "-o", "json")
    assert (len(everything.json), everything.err) == (57, "")
    dated = typed("runs", "--date", SECOND, "-o", "json").json
    assert dated == [run for run in everything.json if run["game_date"] == str(SECOND)]
    chosen = typed("runs", "--start", SECOND, "--end", THIRD, "--processor", "PGS", "--processor", "TOG", "-o", "json")
    assert [(run["processor_name"], run["game_date"]) for run in chosen.json] == [
        (run["processor_name"], run["game_date"])
        for run in everything.json
        if run["output_table"] in {"player_game_summary", "team_offense_game_summary"}
        and run["game_date"] in {str(SECOND), str(THIRD)}
    ]
    assert len(chosen.json) == 4
    assert typed("runs", "-n", 3, "-o", "json").json == everything.json[:3]
    assert typed("runs", "-n", 57).err == ""
    assert typed("runs", "-n", 0).code == 2
    assert typed("runs", "--processor", "PlayerGameSumaryProcessor").code == 5


@pytest.mark.usefixtures("done")
def test_no_run_is_said_and_is_no_failure(typed: Type) -> None:
    said = typed("runs", "--failed", "-o", "json")
    assert (said.code, said.out, said.err) == (0, "[]\n", "no such run\n")


def test_runs_that_failed_or_died(typed: Type, done: Path) -> None:
    ledger(done, "status = 'RUNNING', finished_at = NULL, duration_ms = NULL", last_run("ml_feature_store", FOURTH))
    ledger(done, "status = 'FAILED_PERMANENT', reason = 'no'", last_run("player_daily_cache", FIFTH))
    said = typed("runs", "--failed", "-o", "json")
    assert [(run["output_table"], run["status"]) for run in said.json] == [
        ("ml_feature_store", "LOST"),
        ("player_daily_cache", "FAILED_PERMANENT"),
    ]
    table = typed("runs", "--failed")
    assert "LOST" in table.out
    assert "RUNNING" not in table.out
    heading = table.out.splitlines()[0].split()
    assert heading == ["started", "table", "date", "status", "rows", "expected", "attempt", "ms", "trigger", "reason"]


# ---------------------------------------------------------------- impact


@pytest.mark.usefixtures("done")
def test_impact_is_what_a_correction_makes_stale_and_its_command_repairs_all(typed: Type, tmp_path: Path) -> None:
    said = typed("impact", "--table", PLAYER_BOX.name, "--date", SECOND, "-o", "json")
    assert said.code == 0
    assert [list(each) for each in said.json] == [["processor", "table", "dates", "first", "last", "through"]] * 9
    assert {each["dates"] for each in said.json} == {1, 4}
    assert said.hint == f"nbactl backfill --start {SECOND} --end {SLATE}"

    assert typed("data", "load", write(tmp_path / "raw", tables_of(corrected))).code == 0
    told = typed("status", *EVERYTHING, "-o", "json")
    stale: dict[str, list[str]] = {}
    for line in told.json:
        if line["state"] == "STALE":
            stale.setdefault(line["table"], []).append(line["date"])
    assert stale == {
        each["table"]: [
            line["date"]
            for line in told.json
            if line["table"] == each["table"]
            and line["state"] != "NO_GAMES"
            and each["first"] <= line["date"] <= each["last"]
            and line["rows"] is not None
            and line["trigger"]
        ]
        for each in said.json
    }
    obey(typed, [said.hint])
    assert "STALE" not in states(typed("status", *EVERYTHING, "-o", "json")).values()
    assert typed("status", *PLAYED).code == 0


@pytest.mark.usefixtures("done")
def test_a_game_added_after_the_last_one_known_has_an_impact_on_slates_before_it(typed: Type, tmp_path: Path) -> None:
    """A game that is added after the last one known concerns the slates of the eight days before it."""
    day = date(2024, 11, 12)
    said = typed("impact", "--table", "nbac_schedule", "--date", day, "-o", "json")
    reached = {each["table"].partition(".")[2]: (each["first"], each["last"]) for each in said.json}
    assert reached["upcoming_team_game_context"] == (str(THIRD), str(SLATE))
    write(tmp_path / "raw", {SCHEDULE.name: [scheduled(day, "NYK", "BOS")]})
    assert typed("data", "load", tmp_path / "raw").code == 0
    told = states(typed("status", *EVERYTHING, "-o", "json"))
    stale = {key for key, state in told.items() if state == "STALE"}
    assert {(table, end) for table, ends in reached.items() for end in ends} <= stale
    assert {table for table, _ in stale} == set(reached)
    obey(typed, [said.hint])
    assert "STALE" not in states(typed("status", *EVERYTHING, "-o", "json")).values()


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize(
    ("table", "day"), [("ml_feature_store", SLATE), ("nbac_play_by_play", date(2030, 1, 1)), ("processor_runs", FIRST)]
)
def test_what_nothing_depends_on_has_no_impact(typed: Type, table: str, day: date) -> None:
    said = typed("impact", "--table", table, "--date", day, "-o", "json")
    assert (said.code, said.out) == (0, "[]\n")
    assert said.err == f"nothing that was computed depends on {table} {day}\n"


@pytest.mark.usefixtures("done")
def test_impact_on_an_unknown_table_offers_those_that_come_near(typed: Type) -> None:
    said = typed("impact", "--table", "nbac_gamebok_player_stats", "--date", SECOND)
    assert (said.code, said.out) == (5, "")
    assert "did you mean 'nbac_gamebook_player_stats'" in said.err
    assert typed("impact", "--table", PLAYER_BOX.name).code == 2


@pytest.mark.usefixtures("done")
def test_impact_for_eyes_is_short(typed: Type) -> None:
    said = typed("impact", "--table", PLAYER_BOX.name, "--date", SECOND)
    heading, *lines = said.out.splitlines()
    assert heading.split() == ["table", "dates", "first", "last", "through"]
    assert "player_composite_factors, player_daily_cache and 4 more" in lines[-1]
    assert max(map(len, lines)) <= 126
    assert typed("impact", "--table", PLAYER_BOX.name, "--date", SECOND, "--quiet").err == ""


# ---------------------------------------------------------------- reconcile


@pytest.mark.usefixtures("done")
def test_nothing_is_left_over(typed: Type) -> None:
    said = typed("reconcile", "-o", "json")
    assert (said.code, said.out, said.err) == (0, "[]\n", "nothing is left over\n")


@pytest.fixture
def leftovers(done: Path) -> dict[tuple[str, str], str]:
    """A run that died, changed results, and changed raw rows; what each is called."""
    ledger(done, "status = 'RUNNING', finished_at = NULL", last_run("ml_feature_store", FOURTH))
    with duckdb.connect(done) as connection:
        connection.execute(
            f"UPDATE nba_analytics.player_game_summary SET points = points + 1 WHERE game_date = DATE '{SECOND}'"
        )
        connection.execute(f"UPDATE {PLAYER_BOX.id} SET plus_minus = plus_minus + 1 WHERE game_date = DATE '{FIRST}'")
    return {
        ("ml_feature_store", str(FOURTH)): "run died",
        ("player_game_summary", str(SECOND)): "rows changed outside of nbactl",
        (PLAYER_BOX.name, str(FIRST)): "raw rows changed outside of a load",
    }


def test_a_dry_reconcile_finds_everything_and_writes_nothing(
    typed: Type, done: Path, leftovers: dict[tuple[str, str], str]
) -> None:
    before = (done.read_bytes(), done.stat().st_mtime_ns)
    said = typed("reconcile", "--dry-run", "-o", "json")
    assert said.code == 0
    assert [list(each) for each in said.json] == [["kind", "table", "date", "found", "outcome"]] * 3
    assert {(each["table"], each["date"]): each["kind"] for each in said.json} == leftovers
    assert {each["outcome"] for each in said.json} == {None}
    assert (done.read_bytes(), done.stat().st_mtime_ns) == before


def test_reconcile_repairs_and_says_how_to_go_on(typed: Type, leftovers: dict[tuple[str, str], str]) -> None:
    said = typed("reconcile", "-o", "json")
    assert said.code == 0, said.err
    assert {(each["table"], each["date"]): each["kind"] for each in said.json} == leftovers
    assert {each["table"]: each["outcome"] for each in said.json} == {
        PLAYER_BOX.name: "noted",
        "ml_feature_store": "SUCCESS",
        "player_game_summary": "SUCCESS",
    }
    forced = [run for run in typed("runs", "-n", 9, "-o", "json").json if run["trigger_source"] == "reconcile"]
    assert {run["output_table"]: run["forced"] for run in forced} == {
        "ml_feature_store": False,
        "player_game_summary": True,
    }
    # what was noted makes stale what was made of it; the command repairs that
    assert typed("status", *PLAYED).code == 1
    obey(typed, [said.hint])
    assert typed("status", *PLAYED).code == 0
    assert typed("reconcile", "-o", "json").out == "[]\n"


def test_a_repair_that_fails_names_what_will_work(typed: Type, done: Path) -> None:
    """The run that died would fail now: its input is wrong."""
    ledger(done, "status = 'RUNNING', finished_at = NULL", last_run("team_offense_game_summary", SECOND))
    with duckdb.connect(done) as connection:
        connection.execute(
            f"UPDATE {TEAM_BOX.id} SET ft_made = ft_made + 1 WHERE game_date = DATE '{SECOND}' AND team_abbr = 'LAL'"
        )
    said = typed("reconcile", "-o", "json")
    assert said.code == 1
    assert f"then nbactl backfill --start {SECOND} --end {SECOND}" in said.error["hint"]
    assert "allow-incomplete" not in said.error["hint"]


# ---------------------------------------------------------------- text from outside


@pytest.mark.parametrize("command", [("status", "--date", FOURTH), ("runs", "--failed")])
@pytest.mark.parametrize("form", ["table", "csv", "jsonl", "json"])
def test_hostile_text_in_the_ledger_is_printed_harmlessly(
    typed: Type, done: Path, command: tuple[object, ...], form: str
) -> None:
    text = "status = 'FAILED_PERMANENT', reason = $1, trigger_source = $1, error_message = $1"
    ledger(done, text, last_run("ml_feature_store", FOURTH), HOSTILE)
    said = typed(*command, "-o", form)
    assert said.code in {0, 1}
    assert not any(char in said.out + said.err for char in HARMFUL)
    assert "[/x]" in said.out
    if form == "json":
        fields = [str(value) for row in said.json for value in row.values()]
        assert any(HOSTILE in field for field in fields)


def test_hostile_text_on_a_terminal_is_printed_harmlessly(on_terminal: Callable[..., str], done: Path) -> None:
    ledger(done, "status = 'FAILED_PERMANENT', reason = $1", last_run("ml_feature_store", FOURTH), HOSTILE)
    code = f"""import sys
from nbactl.__main__ import main
for words in (["status", "--date", "{FOURTH}"], ["runs", "--failed"]):
    sys.argv = ["nbactl", "--no-color", *words]
    main()
"""
    sent = on_terminal(code, COLUMNS="250")
    assert sent.count("[/x]") >= 2
    assert "\x1b[31m" not in sent
    assert not any(char in sent for char in ("\0", "\u202e"))
