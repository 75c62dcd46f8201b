"""From raw files to a proved slate, as an operator types it."""

import csv
import io
import json
import re
from datetime import date
from pathlib import Path

import duckdb
import pytest

from processors import statements
from processors.graph import processors_in_order
from shared.tables.raw import PLAYER_BOX, SCHEDULE, TEAM_BOX
from tests.builders import FINAL_DATES, SLATE, league, with_market, write
from tests.cli.conftest import Run, Type
from tests.conftest import at

FIRST, SECOND, THIRD, FOURTH, FIFTH = FINAL_DATES
OUTCOME_KEYS = [
    "processor",
    "table",
    "date",
    "status",
    "rows",
    "expected",
    "missing",
    "games",
    "absent_games",
    "quality",
    "production_ready",
    "issues",
    "reason_code",
    "reason",
    "run_id",
    "seconds",
]


def alter(path: Path, statement: str) -> None:
    with duckdb.connect(path) as connection:
        connection.execute(statement)


# ---------------------------------------------------------------- the whole way


def test_from_files_to_a_proved_slate(nbactl: Run, tmp_path: Path) -> None:
    """In processes of their own, as an operator has it: each step finds what the one before has left."""
    write(tmp_path / "raw", with_market(league()), "csv")

    loaded = nbactl("data", "load", "raw", "-o", "json")
    assert loaded.returncode == 0, loaded.stderr
    assert {row["table"]: row["rows"] for row in json.loads(loaded.stdout)}["nba_raw.nbac_schedule"] == 12
    assert "not in the folder" in loaded.stderr
    assert "hint: nbactl data tables" in loaded.stderr

    results = nbactl("run-analytics", "--start", str(FIRST), "--end", str(FIFTH))
    assert results.returncode == 0, results.stderr
    assert f"results of {FIRST} to {FIFTH} (5 dates) -> slates {SECOND} to {SLATE} (5 dates)" in results.stderr
    assert "PlayerGameSummaryProcessor" in results.stdout

    slate = nbactl("run-precompute", "--date", str(SLATE), "-o", "jsonl")
    assert slate.returncode == 0, slate.stderr
    assert f"slate {SLATE}" in slate.stderr
    outcomes = [json.loads(line) for line in slate.stdout.splitlines()]
    assert [one["table"] for one in outcomes][-1] == "nba_predictions.ml_feature_store"
    contexts = ["nba_analytics.upcoming_team_game_context", "nba_analytics.upcoming_player_game_context"]
    assert [one["table"] for one in outcomes if one["status"] == "SKIPPED_UNCHANGED"] == contexts
    assert [one["status"] for one in outcomes if one["table"] not in contexts] == ["SUCCESS"] * 5

    shown = nbactl("show", "ml_feature_store", "--date", str(SLATE), "--player", "Luka Dončić", "-o", "csv")
    assert shown.returncode == 0, shown.stderr
    (row,) = csv.DictReader(io.StringIO(shown.stdout))
    assert (row["player_lookup"], row["feature_version"]) == ("lukadoncic", "v1_wide_40")

    proved = nbactl("verify", "leakage", "--date", str(FOURTH), "-o", "json")
    assert proved.returncode == 0, proved.stderr
    (proof,) = json.loads(proved.stdout)
    assert (proof["slate"], proof["tables"], proof["differences"]) == (str(FOURTH), 7, 0)
    assert proof["rows"] > 100
    assert f"identical: slate {FOURTH}" in proved.stderr


# ---------------------------------------------------------------- data


def test_load_says_what_is_wrong_and_loads_nothing(typed: Type, here: Path, tmp_path: Path) -> None:
    raw = league((FIRST,), ())
    raw[PLAYER_BOX.name][3]["points"] = "many"
    write(tmp_path / "raw", raw, "csv")
    before = _held(here)
    said = typed("data", "load", tmp_path / "raw", "-o", "json")
    assert (said.code, said.out) == (1, "")
    assert said.error["error"] == "DataError"
    (finding,) = said.error["findings"]
    assert (finding["table"], finding["column"]) == (PLAYER_BOX.name, "points")
    assert "'many'" in finding["example"]
    assert "row 4" in finding["example"]
    assert said.error["hint"]
    assert _held(here) == before
    plain = typed("data", "load", tmp_path / "raw")
    assert plain.code == 1
    assert "  why: nbac_gamebook_player_stats.points: 1 of its values are no INT64" in plain.err


def test_a_folder_that_is_not_there(typed: Type, tmp_path: Path) -> None:
    said = typed("data", "load", tmp_path / "nowhere")
    assert said.code == 1
    assert "no folder" in said.err
    assert "nbac_schedule.parquet" in said.err


@pytest.mark.usefixtures("here")
def test_tables_lists_what_is_there(typed: Type) -> None:
    said = typed("data", "tables", "-o", "json")
    assert (said.code, said.err) == (0, "")
    rows = {row["table"]: row for row in said.json}
    assert list(said.json[0]) == ["table", "rows", "dates", "first", "last", "bytes"]
    schedule = rows["nba_raw.nbac_schedule"]
    assert (schedule["rows"], schedule["dates"], schedule["first"], schedule["last"]) == (12, 6, str(FIRST), str(SLATE))
    assert rows["nba_analytics.player_game_summary"]["rows"] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("data", "tables"),
        ("show", "nbac_schedule"),
        ("run-precompute", "--date", "2024-11-10", "--dry-run"),
        ("verify", "leakage", "--date", "2024-11-10"),
        ("verify", "accuracy", "--answers", "."),
    ],
)
def test_without_a_warehouse_nothing_is_made(typed: Type, tmp_path: Path, words: tuple[str, ...]) -> None:
    said = typed(*words)
    assert (said.code, said.out) == (5, "")
    assert "there is no warehouse at" in said.err
    assert "nbactl data load DIR" in said.err
    assert not (tmp_path / ".nbactl").exists()


# ---------------------------------------------------------------- running


@pytest.mark.parametrize("command", ["run-analytics", "run-precompute"])
def test_dry_run_changes_nothing(typed: Type, here: Path, command: str) -> None:
    before = (here.read_bytes(), here.stat().st_mtime_ns)
    said = typed(command, "--start", FIRST, "--end", SLATE, "--dry-run", "-o", "json")
    assert said.code == 0
    assert said.err.startswith("would compute results of")
    steps = said.json
    assert list(steps[0]) == ["processor", "table", "dates", "first", "last", "owed", "why"]
    for step in steps:
        dates = f"{step['first']}..{step['last']} ({step['dates']})"
        assert (step["owed"], step["why"]) == (step["dates"], f"never computed ({dates})")
    assert [step["processor"] for step in steps][:3] == [one.name for one in processors_in_order()[:3]]
    assert len(steps) == (5 if command == "run-analytics" else 10)
    assert (here.read_bytes(), here.stat().st_mtime_ns) == before


def test_dry_run_needs_no_writer(typed: Type, here: Path) -> None:
    with at(here).reading():
        said = typed("run-precompute", "--date", SLATE, "--dry-run")
    assert said.code == 0, said.err


@pytest.mark.usefixtures("here")
def test_a_run_prints_an_outcome_for_every_processor_and_date(typed: Type) -> None:
    said = typed("run-precompute", "--date", SECOND, "-o", "json")
    assert said.code == 0
    assert f"results of {FIRST} -> slate {SECOND}" in said.err
    assert [list(one) for one in said.json] == [OUTCOME_KEYS] * 10
    teams = said.json[0]
    assert {key: teams[key] for key in OUTCOME_KEYS if key not in {"seconds", "issues", "run_id"}} == {
        "processor": "TeamOffenseGameSummaryProcessor",
        "table": "nba_analytics.team_offense_game_summary",
        "date": str(FIRST),
        "status": "SUCCESS",
        "rows": 4,
        "expected": 4,
        "missing": [],
        "games": 0,
        "absent_games": [],
        "quality": {"high": 4, "medium": 0, "low": 0},
        "production_ready": 0,
        "reason_code": None,
        "reason": None,
    }
    assert all(isinstance(one["seconds"], float) for one in said.json)
    assert len({one["run_id"] for one in said.json}) == 10


@pytest.mark.usefixtures("done")
def test_a_second_run_says_that_nothing_has_changed_and_names_the_first(typed: Type) -> None:
    said = typed("run-precompute", "--date", SLATE, "-o", "json")
    assert said.code == 0
    assert {(one["status"], one["reason_code"]) for one in said.json} == {("SKIPPED_UNCHANGED", "unchanged")}
    shown = typed("show", "ml_feature_store", "--date", SLATE, "--columns", "run_id", "-o", "json")
    assert {row["run_id"] for row in shown.json} == {said.json[-1]["run_id"]}
    steps = typed("run-precompute", "--date", SLATE, "--dry-run", "-o", "json").json
    assert {(step["owed"], step["why"]) for step in steps} == {(0, "")}


@pytest.mark.usefixtures("here")
def test_the_table_sums_up_and_nothing_else_is_on_stdout(typed: Type) -> None:
    said = typed("run-precompute", "--start", FIRST, "--end", SLATE)
    lines = said.out.splitlines()
    assert lines[0].split() == ["processor", "status", "dates", "rows", "expected", "high/medium/low", "seconds"]
    assert all(line.split()[0].endswith("Processor") for line in lines[1:])
    assert f"{FIRST}..{FIFTH}" in lines[1]
    assert [line for line in said.err.splitlines() if line.startswith("[")][-1].startswith("[57/57]")


@pytest.mark.usefixtures("here")
def test_quiet_leaves_results_only(typed: Type) -> None:
    said = typed("run-analytics", "--date", FIRST, "--quiet", "-o", "json")
    assert (said.code, said.err) == (0, "")
    assert len(said.json) == 5


@pytest.mark.parametrize("command", ["run-analytics", "run-precompute"])
@pytest.mark.parametrize(
    ("day", "known"),
    [(date(2024, 11, 2), f"the next slate is {SECOND}"), (date(2025, 7, 4), "the schedule knows no later slate")],
)
def test_a_date_without_games_is_no_failure(typed: Type, here: Path, command: str, day: date, known: str) -> None:
    before = _held(here)
    for more in ((), ("--dry-run",)):
        said = typed(command, "--date", day, *more)
        assert (said.code, said.out) == (0, "")
        assert said.err == f"no games to compute on {day} (1 day); {known}\n"
        assert typed(command, "--date", day, "-o", "json", *more).out == "[]\n"
    assert _held(here) == before


@pytest.mark.usefixtures("done")
def test_only_the_named_processors_run(typed: Type) -> None:
    said = typed(
        "run-precompute", "--date", SLATE, "--processor", "PDC", "--processor", "ml_feature_store", "-o", "json"
    )
    assert [one["processor"] for one in said.json] == ["PlayerDailyCacheProcessor", "MLFeatureStoreProcessor"]
    wrong = typed("run-analytics", "--date", FIRST, "--processor", "PlayerGameSumaryProcessor")
    assert wrong.code == 5
    assert "did you mean 'PlayerGameSummaryProcessor'" in wrong.err
    other = typed("run-analytics", "--date", FIRST, "--processor", "MLFS")
    assert other.code == 5


# ---------------------------------------------------------------- failing

_BROKEN = f"UPDATE {TEAM_BOX.id} SET ft_made = ft_made + 1 WHERE game_date = DATE '{SECOND}' AND team_abbr = 'LAL'"


def test_some_dates_written_and_some_not_is_partly_failed(typed: Type, here: Path) -> None:
    alter(here, _BROKEN)
    said = typed("run-analytics", "--start", FIRST, "--end", THIRD)
    assert said.code == 3
    assert f"error: TeamOffenseGameSummaryProcessor {SECOND}: failed permanent, and" in said.err
    assert "fail points_add_up: 20241103_BOS_LAL/LAL" in said.err
    assert f"nbactl run-analytics --start {FIRST} --end {THIRD}" in said.err
    assert "FAILED_PERMANENT" in said.out
    assert "NOT_READY" in said.out


def test_nothing_written_and_a_check_failed_is_failed(typed: Type, here: Path) -> None:
    alter(here, _BROKEN)
    said = typed("run-analytics", "--date", SECOND, "--processor", "TOG", "-o", "json")
    assert said.code == 1
    assert (said.error["error"], said.error["exit_code"]) == ("NbactlError", 1)
    assert said.json[0]["status"] == "FAILED_PERMANENT"


def test_nothing_written_because_an_input_is_missing_is_a_precondition(typed: Type, here: Path) -> None:
    before = _held(here)
    said = typed("run-analytics", "--date", SECOND, "--processor", "PGS", "-o", "json")
    assert said.code == 5
    assert said.error["error"] == "PreconditionFailed"
    assert f"team_offense_game_summary {SECOND}" in said.error["why"]
    assert "--allow-incomplete" in said.error["hint"]
    assert said.json[0]["status"] == "NOT_READY"
    assert _held(here) == before


def test_allow_incomplete_runs_on_what_is_there(typed: Type, here: Path) -> None:
    alter(
        here,
        f"UPDATE {SCHEDULE.id} SET game_status = 2, home_team_score = NULL WHERE game_id = '{FIFTH:%Y%m%d}_NYK_GSW'",
    )
    waiting = typed("run-precompute", "--date", SLATE)
    assert waiting.code == 3
    assert f"1 of 2 games of {FIFTH} to end" in waiting.err
    forced = typed("run-precompute", "--date", SLATE, "--allow-incomplete", "-o", "json")
    assert forced.code == 0, forced.err
    assert {one["status"] for one in forced.json if one["date"] == str(SLATE)} == {"DEGRADED"}


_GAME = f"{SECOND:%Y%m%d}_BOS_LAL"
_WITHOUT_A_BOX = f"DELETE FROM {PLAYER_BOX.id} WHERE game_id = '{_GAME}'"


def test_a_game_without_rows_is_named_and_is_not_one_missing_row(typed: Type, here: Path) -> None:
    alter(here, _WITHOUT_A_BOX)
    said = typed("backfill", "--start", FIRST, "--end", SECOND, "-o", "json")
    assert said.code == 3
    (lacking,) = [one for one in said.json if one["absent_games"]]
    assert (lacking["table"], lacking["date"]) == ("nba_analytics.player_game_summary", str(SECOND))
    assert (lacking["status"], lacking["reason_code"]) == ("DEGRADED", "games_missing")
    assert (lacking["games"], lacking["absent_games"], lacking["rows"]) == (2, [{"game_id": _GAME, "team": None}], 20)
    assert said.error["message"] == f"PlayerGameSummaryProcessor {SECOND}: 1 of 2 games lacks rows"
    assert re.fullmatch(r"1 of 2 games has no rows: BOS@LAL \(002\d{7}\); 20 rows are there", said.error["why"])
    assert said.error["hint"].endswith(f"then nbactl backfill --start {FIRST} --end {SECOND}")
    # nor is it well because nothing has changed
    again = typed("backfill", "--date", SECOND)
    assert again.code == 3
    assert "BOS@LAL (002" in again.err
    assert "BOS@LAL (002" in typed("status", "--date", SECOND).out
    assert "BOS@LAL (002" in typed("runs", "--date", SECOND, "--processor", "PGS").out


def test_games_without_rows_on_several_dates_have_a_line_each_below_the_table(typed: Type, here: Path) -> None:
    first_games = f"SELECT min(game_id) FROM {SCHEDULE.id} GROUP BY game_date"
    alter(here, f"DELETE FROM {PLAYER_BOX.id} WHERE game_id IN ({first_games})")
    said = typed("backfill", "--start", FIRST, "--end", FIFTH, "--processor", "TOG", "--processor", "PGS")
    assert said.code == 3, said.err
    warned = [line for line in said.err.splitlines() if line.startswith("warning: player_game_summary ")]
    assert [line.split()[2] for line in warned] == [f"{day}:" for day in FINAL_DATES[1:]]
    assert f"error: PlayerGameSummaryProcessor {FIRST}: 1 of 2 games lacks rows, and 4 more table-dates" in said.err
    assert said.err.count("1 of 2 games has no rows: ") == len(FINAL_DATES)


def test_who_allows_incomplete_inputs_is_told_and_has_not_failed(typed: Type, here: Path) -> None:
    alter(here, _WITHOUT_A_BOX)
    said = typed("run-analytics", "--date", SECOND, "--allow-incomplete", "-o", "json")
    assert said.code == 0, said.err
    assert [one["absent_games"] for one in said.json if one["absent_games"]] == [[{"game_id": _GAME, "team": None}]]


def test_half_a_game_is_not_all_of_it(typed: Type, here: Path) -> None:
    alter(here, f"{_WITHOUT_A_BOX} AND team_abbr = 'BOS'")
    said = typed("backfill", "--start", FIRST, "--end", SECOND, "-o", "json")
    assert said.code == 3
    (lacking,) = [one for one in said.json if one["absent_games"]]
    assert lacking["absent_games"] == [{"game_id": _GAME, "team": "BOS"}]
    assert re.fullmatch(
        r"1 of 2 games has rows of one team only: BOS@LAL \(002\d{7}\) without BOS; 30 rows are there",
        said.error["why"],
    )


@pytest.mark.parametrize(
    "words",
    [
        ("run-analytics",),
        ("run-analytics", "--date", "2024-13-01"),
        ("run-precompute", "--date", "2024-11-10", "--start", "2024-11-10"),
        ("run-precompute", "--start", "2024-11-10", "--end", "2024-11-01"),
        ("show", "team_locations", "--date", "2024-11-10"),
        ("show", "nbac_schedule", "--player", "LeBron James"),
        ("--warehouse", "postgres://x", "data", "tables"),
    ],
)
def test_what_cannot_be_understood_is_usage(typed: Type, here: Path, words: tuple[str, ...]) -> None:
    before = _held(here)
    said = typed(*words)
    assert (said.code, said.out) == (2, "")
    assert "error: " in said.err
    assert "next: " in said.err
    assert _held(here) == before


# ---------------------------------------------------------------- showing


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize("name", ["Luka Dončić", "luka doncic", "LUKA DONČIĆ", "luka.doncic", "lukadoncic"])
def test_a_player_in_any_spelling(typed: Type, name: str) -> None:
    said = typed(
        "show", "player_game_summary", "--player", name, "--columns", "game_date,player_full_name,points", "-o", "json"
    )
    assert said.code == 0
    assert [row["game_date"] for row in said.json] == [str(day) for day in FINAL_DATES]
    assert {row["player_full_name"] for row in said.json} == {"Luka Dončić"}
    assert list(said.json[0]) == ["game_date", "player_full_name", "points"]


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("player_daily_cache", "--player", "Luka Dancic"), "did you mean 'lukadoncic'?"),
        (("player_dayly_cache",), "did you mean 'player_daily_cache'"),
        (("player_daily_cache", "--columns", "point_avg_last_5"), "points_avg_last_5"),
    ],
)
def test_an_unknown_name_offers_those_that_come_near(typed: Type, words: tuple[str, ...], hint: str) -> None:
    said = typed("show", *words)
    assert (said.code, said.out) == (5, "")
    assert hint in said.err


@pytest.mark.usefixtures("done")
def test_rows_of_a_date_and_a_team(typed: Type) -> None:
    said = typed("show", "nba_analytics.team_defense_game_summary", "--date", SECOND, "--team", "bos", "-o", "json")
    assert [row["defending_team_abbr"] for row in said.json] == ["BOS"]
    games = typed("show", "nbac_schedule", "--start", FIRST, "--end", SECOND, "--team", "BOS", "-o", "json")
    assert [row["game_id"] for row in games.json] == ["20241101_NYK_BOS", "20241103_BOS_LAL"]
    assert games.json[0]["game_start_time"] == "2024-11-02T00:30:00Z"


@pytest.mark.usefixtures("done")
def test_one_row_reads_downwards_and_none_is_said(typed: Type) -> None:
    one = typed("show", "ml_feature_store", "--date", SLATE, "--player", "Al Bos")
    assert one.out.splitlines()[0].split() == ["column", "value"]
    assert any(line.split() == ["player_lookup", "albos"] for line in one.out.splitlines())
    none = typed("show", "ml_feature_store", "--date", "2024-11-02", "--player", "Al Bos", "-o", "json")
    assert (none.code, none.out, none.err) == (0, "[]\n", "ml_feature_store has no such rows\n")


@pytest.mark.usefixtures("done")
def test_the_ledger_is_shown_like_any_table(typed: Type) -> None:
    said = typed("show", "processor_runs", "--columns", "output_table,status", "-o", "json")
    assert {"output_table": "ml_feature_store", "status": "SUCCESS"} in said.json


# ---------------------------------------------------------------- verifying


@pytest.mark.usefixtures("done")
def test_a_slate_without_games_cannot_be_proved(typed: Type) -> None:
    said = typed("verify", "leakage", "--date", "2024-11-02")
    assert (said.code, said.out) == (5, "")
    assert f"the next slate is {SECOND}" in said.err


@pytest.mark.usefixtures("here")
def test_a_slate_whose_inputs_are_missing_cannot_be_proved(typed: Type) -> None:
    said = typed("verify", "leakage", "--date", FOURTH)
    assert (said.code, said.out) == (5, "")
    assert f"nbactl run-precompute --date {FOURTH}" in said.err


def test_a_proof_leaves_the_warehouse_alone(typed: Type, done: Path) -> None:
    before = _held(done)
    said = typed("verify", "leakage", "--date", FOURTH, "-o", "json")
    assert said.code == 0, said.err
    assert said.json[0]["differences"] == 0
    assert _held(done) == before


@pytest.mark.usefixtures("done", "fresh_definitions")
def test_a_leak_is_named_and_fails(typed: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slate that looks at how its own games ended."""
    honest = statements.definition
    monkeypatch.setattr(
        statements,
        "definition",
        lambda name: honest(name).replace("home_team_abbr AS venue", "IF(is_final, 'BOS', 'LAL') AS venue"),
    )
    said = typed("verify", "leakage", "--date", FOURTH)
    assert said.code == 1
    assert "travel_miles" in said.out
    assert "upcoming_team_game_context" in said.out
    assert f"cells of slate {FOURTH} depend on what came after" in said.err


@pytest.mark.usefixtures("done")
def test_accuracy_needs_the_answers(typed: Type, tmp_path: Path) -> None:
    said = typed("verify", "accuracy", "--answers", tmp_path / "nowhere", "-o", "json")
    assert (said.code, said.out) == (5, "")
    assert said.error["error"] == "NotFound"


def _held(path: Path) -> dict[str, int]:
    """Rows per table, and the ledger's newest moment."""
    with duckdb.connect(path, read_only=True) as connection:
        names = connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT internal ORDER BY 1"
        ).fetchall()
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for (name,) in names}
