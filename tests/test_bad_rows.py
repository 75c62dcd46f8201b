"""Rows that cannot be right are refused by file and row; rows that are merely odd are loaded and reported."""

from pathlib import Path

import pytest

from shared.tables.raw import (
    GAME_LINES,
    INJURY_REPORT,
    PLAY_BY_PLAY,
    PLAYER_BOX,
    POINTS_PROPS,
    SCHEDULE,
    TEAM_BOX,
)
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.builders import write
from tests.conftest import at
from tests.test_raw_files import load, refused, rows, two_dates, two_days, warehouse

__all__ = ["two_dates", "warehouse"]

IMPOSSIBLE = {
    "two forms of one id": (SCHEDULE, {"nba_game_id": "22400561"}, "ten digits"),
    "a team that the league does not have": (SCHEDULE, {"game_id": "20241101_NYX_BOS"}, "does not have"),
    "home and away swapped in the row": (
        SCHEDULE,
        {"home_team_abbr": "NYK", "away_team_abbr": "BOS"},
        "away team first",
    ),
    "a status nobody knows": (SCHEDULE, {"game_status": 7}, "1, 2, 3 or 4"),
    "a season of another year": (SCHEDULE, {"season_year": 2020}, "first calendar year"),
    "a box for a team that does not play": (PLAYER_BOX, {"team_abbr": "LAL"}, "two teams in game_id"),
    "a lookup with a suffix as printed": (PLAYER_BOX, {"player_lookup": "kelly-oubre Jr."}, "letters and digits"),
    "a lookup with a diacritic": (PLAYER_BOX, {"player_lookup": "lukadončić"}, "letters and digits"),
    "minutes as a duration": (PLAYER_BOX, {"minutes": "PT34M12.00S"}, "MM:SS"),
    "minutes with 75 seconds": (PLAYER_BOX, {"minutes": "10:75"}, "MM:SS"),
    "negative minutes": (PLAYER_BOX, {"minutes": "-5:00"}, "MM:SS"),
    "negative points": (PLAYER_BOX, {"points": -2}, "below zero"),
    "makes above attempts": (PLAYER_BOX, {"field_goals_made": 40, "field_goals_attempted": 3}, "than attempted"),
    "a status of a player that nobody knows": (PLAYER_BOX, {"player_status": "resting"}, "active, dnp or inactive"),
    "free throws above attempts": (TEAM_BOX, {"ft_made": 99, "ft_attempted": 20}, "than attempted"),
    "no word on who is at home": (TEAM_BOX, {"is_home": None}, "every row must"),
    "a clock that has run backwards": (PLAY_BY_PLAY, {"clock_seconds_remaining": -3.0}, "0 to 720"),
    "a period before the first": (PLAY_BY_PLAY, {"period": 0}, "1 or more"),
    "a report at 25 o'clock": (INJURY_REPORT, {"report_hour": 25}, "0 to 23"),
    "an injury status that nobody knows": (INJURY_REPORT, {"injury_status": "sore"}, "questionable"),
    "a market that nobody knows": (GAME_LINES, {"market": "moneyline"}, "spreads or totals"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_row_is_refused_with_its_file_and_row(
    warehouse: DuckDBWarehouse,
    tmp_path: Path,
    case: str,
) -> None:
    table, values, words = IMPOSSIBLE[case]
    raw = two_days(table.name)
    raw[table.name][1] |= values
    folder = write(tmp_path / "bad", raw)
    findings = refused(warehouse, folder)
    said = "\n".join(map(str, findings))
    assert words in said
    assert f"{folder / table.name}.parquet, row 2" in said


ODD = {
    "a final game without a score": (SCHEDULE, {"game_status": 3, "home_team_score": None}, "both scores"),
    "seven fouls": (PLAYER_BOX, {"personal_fouls": 7}, "six personal fouls"),
    "team points that are not those of the shots": (TEAM_BOX, {"points": 1}, "shots made"),
    "a line of ninety points": (POINTS_PROPS, {"points_line": 90.0}, "outside 0.5 to 60"),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_row_is_loaded_and_reported(tmp_path: Path, case: str) -> None:
    table, values, words = ODD[case]
    raw = two_days()
    raw[table.name][1] |= values
    loaded = load(at(tmp_path / "w.duckdb"), write(tmp_path / "raw", raw))
    assert [finding for finding in loaded.odd if finding.table == table.name and words in finding.problem]
    stored = rows(at(tmp_path / "w.duckdb"), f"SELECT COUNT(*) FROM {table.id}")
    assert stored == [(len(raw[table.name]),)]


def test_shots_without_coordinates_and_with_another_value_are_odd(tmp_path: Path) -> None:
    raw = two_days()
    shots = [event for event in raw[PLAY_BY_PLAY.name] if event["event_type"] == "3pt"]
    shots[0] |= {"x_ft": None}
    shots[1] |= {"shot_value": 2}
    loaded = load(at(tmp_path / "w.duckdb"), write(tmp_path / "raw", raw))
    said = "\n".join(map(str, loaded.odd))
    assert "1 rows: a field goal attempt without coordinates" in said
    assert "1 rows: shot_value disagrees with event_type" in said


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    folder = write(tmp_path / "raw", two_days(SCHEDULE.name), "csv")
    path = folder / f"{SCHEDULE.name}.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [one.table.name for one in load(at(tmp_path / "w.duckdb"), folder).staged] == [SCHEDULE.name]


def test_a_line_of_ten_megabytes_is_refused_by_name(
    warehouse: DuckDBWarehouse,
    tmp_path: Path,
) -> None:
    raw = two_days(PLAYER_BOX.name)
    raw[PLAYER_BOX.name][4] |= {"dnp_reason": "x" * 10_000_000}
    folder = write(tmp_path / "bad", raw, "csv")
    assert f"{PLAYER_BOX.name}.csv" in str(refused(warehouse, folder)[0])


def test_a_file_in_another_encoding_is_refused_by_name(
    warehouse: DuckDBWarehouse,
    tmp_path: Path,
) -> None:
    raw = two_days(PLAYER_BOX.name)
    raw[PLAYER_BOX.name][4] |= {"player_name": "Luka Dončić"}
    folder = write(tmp_path / "bad", raw, "csv")
    path = folder / f"{PLAYER_BOX.name}.csv"
    path.write_bytes(path.read_bytes().decode().encode("iso-8859-2"))
    assert path.name in str(refused(warehouse, folder)[0])


def test_an_all_star_game_has_teams_of_its_own(tmp_path: Path) -> None:
    raw = two_days(SCHEDULE.name)
    raw[SCHEDULE.name][1] |= {
        "game_id": "20241101_WST_EST",
        "nba_game_id": "0032400001",
        "away_team_abbr": "WST",
        "home_team_abbr": "EST",
    }
    assert not load(at(tmp_path / "w.duckdb"), write(tmp_path / "raw", raw)).odd


def test_a_file_without_rows_is_reported(tmp_path: Path) -> None:
    folder = write(tmp_path / "raw", two_days(SCHEDULE.name), "csv")
    path = folder / f"{SCHEDULE.name}.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    path = path.rename(path.with_suffix(".CSV"))
    (finding,) = load(at(tmp_path / "w.duckdb"), folder).odd
    assert (finding.problem, finding.example) == ("there are no rows", str(path))
