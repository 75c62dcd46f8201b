"""A game that had rows keeps some, unless the schedule says why it has none or the operator says that it may."""

import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors import runner
from shared.errors import GamesLost
from shared.lost_games import GAME_TABLES, LostGames, by_date, games_lost
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
from shared.warehouse.duckdb import DuckDBWarehouse
from shared.warehouse.raw_files import Loaded
from tests import builders
from tests.builders import LOADED, Row, Tables, game_id, write
from tests.conftest import at, contents
from tests.survival import typed
from tests.test_raw_files import DAY, NEXT, two_dates, two_days, warehouse

__all__ = ["two_dates", "warehouse"]

GONE, STAYS = game_id(DAY, "NYK", "BOS"), game_id(DAY, "GSW", "LAL")


def load(warehouse: DuckDBWarehouse, folder: Path, *, shrink: bool = False) -> Loaded:
    with warehouse.writing(runner.all_tables()) as session:
        return session.load(folder, RAW_TABLES, shrink=shrink)


def without(game: str, *names: str) -> Tables:
    """The tables of one date, but for a game."""
    return {
        name: [row for row in rows if row["game_date"] == DAY and row["game_id"] != game]
        for name, rows in two_days(*names).items()
    }


def lost(warehouse: DuckDBWarehouse, folder: Path) -> tuple[LostGames, ...]:
    """What a refused load would lose; the warehouse must be as it was."""
    before = contents(warehouse, *runner.all_tables())
    with pytest.raises(GamesLost) as caught:
        load(warehouse, folder)
    assert contents(warehouse, *runner.all_tables()) == before
    return caught.value.lost


@pytest.mark.parametrize("table", [PLAYER_BOX, TEAM_BOX, PLAY_BY_PLAY], ids=lambda table: table.name)
def test_a_file_without_a_game_that_has_rows_is_refused_whole(
    warehouse: DuckDBWarehouse, tmp_path: Path, table: builders.Table
) -> None:
    files = write(tmp_path / "raw", without(GONE, table.name) | two_days(GAME_LINES.name))
    assert lost(warehouse, files) == (LostGames(table.name, DAY, 2, 1, (GONE,)),)
    assert load(warehouse, files, shrink=True).lost == (LostGames(table.name, DAY, 2, 1, (GONE,)),)
    assert load(warehouse, files).lost == ()


def test_the_fallback_box_is_guarded_too(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    boxes = [builders.fallback(box, 30) for box in two_days(PLAYER_BOX.name)[PLAYER_BOX.name] if box["points"]]
    load(warehouse, write(tmp_path / "whole", {FALLBACK_BOX.name: boxes}))
    part = [box for box in boxes if box["game_id"] != GONE]
    ((table, games),) = [(one.table, one.games) for one in lost(warehouse, write(tmp_path, {FALLBACK_BOX.name: part}))]
    assert (table, games) == (FALLBACK_BOX.name, (GONE,))


def test_everything_that_would_be_lost_is_told_at_once(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    raw = two_days(PLAYER_BOX.name, TEAM_BOX.name)
    kept = {STAYS, game_id(NEXT, "NYK", "GSW")}
    found = lost(
        warehouse,
        write(tmp_path, {name: [row for row in rows if row["game_id"] in kept] for name, rows in raw.items()}),
    )
    assert [(one.table, one.date, one.before, one.after) for one in found] == [
        (name, day, 2, 1) for name in (PLAYER_BOX.name, TEAM_BOX.name) for day in (DAY, NEXT)
    ]


def test_fewer_rows_within_a_game_are_ordinary(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    raw = two_days()
    for table in GAME_TABLES:
        games = {row["game_id"]: row for row in raw.get(table.name, ())}
        raw[table.name] = list(games.values())
    for table in (INJURY_REPORT, POINTS_PROPS, GAME_LINES):
        raw[table.name] = raw[table.name][:1]
    del raw[FALLBACK_BOX.name]
    assert load(warehouse, write(tmp_path, raw)).lost == ()


def test_a_date_that_is_in_no_file_loses_nothing(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    boxes = [row for row in two_days(TEAM_BOX.name)[TEAM_BOX.name] if row["game_date"] == NEXT]
    assert load(warehouse, write(tmp_path, {TEAM_BOX.name: boxes})).lost == ()


# ---------------------------------------------------------------- what the schedule says


def of_day(*games: Row) -> Tables:
    return {TEAM_BOX.name: without(GONE, TEAM_BOX.name)[TEAM_BOX.name], SCHEDULE.name: list(games)}


def games_of_day() -> tuple[Row, Row]:
    """The game that goes, and the one that stays."""
    games = {row["game_id"]: row for row in two_days(SCHEDULE.name)[SCHEDULE.name]}
    return games[GONE], games[STAYS]


def moved(game: Row, **other: object) -> Row:
    day = DAY + timedelta(days=9)
    return builders.scheduled(day, "NYK", "BOS", nba_game_id=game["nba_game_id"], **other)


def test_a_postponed_or_cancelled_game_is_not_lost(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    gone, stays = games_of_day()
    off = gone | {"game_status": 4, "home_team_score": None, "away_team_score": None}
    assert load(warehouse, write(tmp_path, of_day(off, stays))).lost == ()


def test_a_game_that_has_another_date_now_is_not_lost(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    gone, stays = games_of_day()
    assert load(warehouse, write(tmp_path, of_day(stays, moved(gone)))).lost == ()


def test_a_game_that_has_another_date_since_is_not_lost(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """The old row of the schedule is still there: its date is in no file."""
    gone, _ = games_of_day()
    later = moved(gone, processed_at=LOADED + timedelta(days=1))
    assert load(warehouse, write(tmp_path, of_day(later))).lost == ()


def test_a_game_whose_number_another_game_has_too_is_lost(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """Two games with one number of the league are a fault of the source, and no move."""
    gone, stays = games_of_day()
    (games,) = lost(warehouse, write(tmp_path, of_day(gone, stays, moved(gone))))
    assert games.games == (GONE,)


def test_a_game_that_the_schedule_has_merely_dropped_is_lost(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """A half schedule beside half a box score is the same accident."""
    _, stays = games_of_day()
    (games,) = lost(warehouse, write(tmp_path, of_day(stays)))
    assert games.games == (GONE,)


# ---------------------------------------------------------------- the question itself

DAYS = [DAY, NEXT]
GAMES = [f"{day:%Y%m%d}_{pair}" for day in DAYS for pair in ("NYK_BOS", "GSW_LAL", "UTA_SAC")]


QUESTION = games_lost(
    "SELECT game_date, game_id, nba_game_id FROM before", "SELECT game_date, game_id FROM after, (VALUES (1), (2))"
)


@pytest.fixture(scope="module")
def league_of_six() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA nba_raw")
        for table in ("before", "after", SCHEDULE.id):
            columns = (
                "game_id VARCHAR, nba_game_id VARCHAR, game_date DATE, game_status BIGINT, processed_at TIMESTAMPTZ"
            )
            connection.execute(f"CREATE TABLE {table} ({columns})")
        yield connection


def put(connection: duckdb.DuckDBPyConnection, table: str, *games: tuple[str, int, str]) -> None:
    """Games with their status, and the day of December on which they were loaded."""
    connection.execute(f"DELETE FROM {table}")
    for game, status, load in games:
        values = [game, str(GAMES.index(game)), game[:8], status, f"2024-12-{load}"]
        connection.execute(f"INSERT INTO {table} SELECT ?, ?, strptime(?, '%Y%m%d'), ?, ?", values)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from(GAMES)), st.sets(st.sampled_from(GAMES)), st.sets(st.sampled_from(GAMES)))
def test_what_was_and_is_not_and_is_not_called_off_is_lost(
    league_of_six: duckdb.DuckDBPyConnection, before: set[str], after: set[str], off: set[str]
) -> None:
    put(league_of_six, "before", *((game, 3, "01") for game in before))
    put(league_of_six, "after", *((game, 3, "01") for game in after))
    # an older load says the opposite, and does not count
    newest = [(game, 4 if game in off else 3, "02") for game in GAMES]
    put(league_of_six, SCHEDULE.id, *newest, *((game, 7 - status, "01") for game, status, _ in newest))
    found = by_date(TEAM_BOX, league_of_six.execute(QUESTION).fetchall())
    assert [game for games in found for game in games.games] == sorted(before - after - off)
    for games in found:
        counts = [sum(game.startswith(f"{games.date:%Y%m%d}") for game in side) for side in (before, after)]
        assert [games.before, games.after] == counts


# ---------------------------------------------------------------- what the operator sees


def test_the_operator_is_told_what_would_go_and_what_to_type(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    folder = write(tmp_path / "part [1]", without(GONE, TEAM_BOX.name))
    refused = typed(warehouse, "data", "load", str(folder), "-q", "--max-file-rows", "9")
    assert refused.code == 5, refused
    assert f"{TEAM_BOX.name} {DAY}: 2 games become 1, without {GONE}" in refused.err
    line = shlex.split(refused.err.splitlines()[-1])
    assert line[:3] == ["nbactl", "data", "load"]
    assert {f"--warehouse={warehouse.url}", "--max-file-rows=9"} <= set(line)
    done = typed(warehouse, "-q", *line[1:])
    assert done.code == 0, done
    assert f"warning: {TEAM_BOX.name} {DAY}: 2 games become 1, without {GONE}" in done.err


def test_a_long_list_of_games_is_cut_and_counted() -> None:
    games = LostGames("t", DAY, 9, 2, tuple("abcdefg"))
    assert str(games) == "t 2024-11-01: 9 games become 2, without a, b, c, d, e and 2 more"


def test_machines_are_told_too(tmp_path: Path, warehouse: DuckDBWarehouse) -> None:
    folder = write(tmp_path / "part", without(GONE, TEAM_BOX.name))
    refused = typed(warehouse, "data", "load", str(folder), "-o", "json")
    assert '"error":"GamesLost"' in refused.err.replace(" ", "")
    assert GONE in refused.err


def test_a_new_warehouse_has_nothing_to_lose(tmp_path: Path) -> None:
    assert load(at(tmp_path / "w.duckdb"), write(tmp_path / "raw", without(GONE))).lost == ()
