"""The league's own figures, and ours beside them, row by row.

The key is a folder of parquet files: `team_advanced`, `player_advanced`, `team_misc_scoring`, `player_misc_scoring` and
`shot_zones`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.errors import DataError, NotFound
from shared.warehouse.base import Session
from shared.warehouse.input_files import UnreadableFile, name_open_file, open_file

Row = Mapping[str, Any]
Rows = Mapping[tuple[Any, ...], Row]

_FILES = ("team_advanced", "player_advanced", "team_misc_scoring", "player_misc_scoring", "shot_zones")
ZONES = ("rim", "paint", "mid_range", "corner_three", "above_break_three")
_OFFICIAL = {
    "Restricted Area": ("rim", "paint"),
    "In The Paint (Non-RA)": ("paint",),
    "Mid-Range": ("mid_range",),
    "Left Corner 3": ("corner_three",),
    "Right Corner 3": ("corner_three",),
    "Above the Break 3": ("above_break_three",),
    "Backcourt": ("above_break_three",),
}
"""What the league calls the zones, and ours: the restricted area lies in the paint."""


def read(folder: Path) -> dict[str, Rows]:
    """The league's rows, by game and team and by game and player; zone attempts are counted from its shots.

    Raises:
        NotFound: a file is missing.
        DataError: a file is none, or no parquet, or lacks a column.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET enable_external_file_cache = false")  # numbers of open files come again
        for name in _FILES:
            path = folder / f"{name}.parquet"
            if not path.exists():
                raise NotFound(f"there is no {path}", hint="--answers names the folder of the league's own figures")
            try:
                with open_file(path) as stream:
                    parquet = [name_open_file(stream)]
                    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet(?)", parquet)
            except (UnreadableFile, duckdb.Error) as error:
                raise _unreadable(str(path), error) from error

        def rows(sql: str) -> list[dict[str, Any]]:
            try:
                cursor = connection.execute(sql)
            except duckdb.Error as error:
                raise _unreadable(str(folder), error) from error
            columns = [column[0] for column in cursor.description or ()]
            return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

        team = rows(
            "SELECT a.*, m.pts_paint, m.pct_ast_fgm FROM team_advanced AS a"
            " JOIN team_misc_scoring AS m USING (game_id, team_id)"
        )
        player = rows(
            "SELECT a.*, m.pts_paint, m.pct_ast_fgm FROM player_advanced AS a"
            " JOIN player_misc_scoring AS m USING (game_id, player_id)"
        )
        zone_rows = rows(
            "SELECT game_id, player_id, zone_basic_official AS zone, count(*) AS attempts FROM shot_zones GROUP BY ALL"
        )
    players = {(row["game_id"], row["player_id"]): row | dict.fromkeys(ZONES, 0) for row in player}
    for row in zone_rows:
        for zone in _OFFICIAL.get(row["zone"], ()):
            players[row["game_id"], row["player_id"]][zone] += row["attempts"]
    return {"team": {(row["game_id"], row["team_abbr"]): row for row in team}, "player": players}


def _unreadable(path: str, error: Exception) -> DataError:
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return DataError(
        f"{path} cannot be read",
        [],
        why=re.sub(r"/dev/fd/\d+", lambda _: path, reason),
        hint="--answers names the folder of the league's own figures",
    )


def ours(session: Session) -> dict[str, Rows]:
    """Our rows of the same shape: by game and team, and by game and player who played."""
    team = session.query(
        """SELECT t.*, d.defensive_rating, p.assisted, p.unassisted
FROM nba_analytics.team_offense_game_summary AS t
INNER JOIN nba_analytics.team_defense_game_summary AS d
  ON d.game_id = t.game_id AND d.defending_team_abbr = t.team_abbr
LEFT JOIN (
  SELECT game_id, team_abbr, SUM(assisted_fg_makes) AS assisted, SUM(unassisted_fg_makes) AS unassisted
  FROM nba_analytics.player_game_summary
  GROUP BY game_id, team_abbr
) AS p ON p.game_id = t.game_id AND p.team_abbr = t.team_abbr"""
    ).records()
    player = session.query("SELECT * FROM nba_analytics.player_game_summary WHERE NOT is_dnp").records()
    return {
        "team": {(row["game_id"], row["team_abbr"]): row for row in team},
        "player": {(row["game_id"], row["player_id"]): row for row in player},
    }
