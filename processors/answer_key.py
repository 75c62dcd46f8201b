"""The league's own figures, and ours beside them, row by row.

The key is a folder of parquet files: `team_advanced`, `player_advanced`, `team_misc_scoring`, `player_misc_scoring` and
`shot_zones`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.errors import NotFound
from shared.warehouse.base import Session

Row = Mapping[str, Any]
Rows = Mapping[tuple[Any, ...], Row]

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
    """
    import duckdb

    def file(name: str) -> str:
        path = folder / f"{name}.parquet"
        if not path.is_file():
            raise NotFound(f"there is no {path}", hint="--answers names the folder of the league's own figures")
        return str(path)

    with duckdb.connect() as connection:

        def rows(sql: str, *names: str) -> list[dict[str, Any]]:
            cursor = connection.execute(sql, [file(name) for name in names])
            columns = [column[0] for column in cursor.description or ()]
            return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

        team = rows(
            "SELECT a.*, m.pts_paint, m.pct_ast_fgm FROM read_parquet(?) AS a"
            " JOIN read_parquet(?) AS m USING (game_id, team_id)",
            "team_advanced",
            "team_misc_scoring",
        )
        player = rows(
            "SELECT a.*, m.pts_paint, m.pct_ast_fgm FROM read_parquet(?) AS a"
            " JOIN read_parquet(?) AS m USING (game_id, player_id)",
            "player_advanced",
            "player_misc_scoring",
        )
        zone_rows = rows(
            "SELECT game_id, player_id, zone_basic_official AS zone, count(*) AS attempts"
            " FROM read_parquet(?) GROUP BY ALL",
            "shot_zones",
        )
    players = {(row["game_id"], row["player_id"]): row | dict.fromkeys(ZONES, 0) for row in player}
    for row in zone_rows:
        for zone in _OFFICIAL.get(row["zone"], ()):
            players[row["game_id"], row["player_id"]][zone] += row["attempts"]
    return {"team": {(row["game_id"], row["team_abbr"]): row for row in team}, "player": players}


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
