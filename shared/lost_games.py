"""Games that had rows in a table and have none any more, though they were played: what a half-written file does.

Fewer rows of a game are ordinary, and so are fewer injuries or lines; a game without any row is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from shared.errors import Finding
from shared.tables.model import Table
from shared.tables.raw import FALLBACK_BOX, PLAY_BY_PLAY, PLAYER_BOX, SCHEDULE, TEAM_BOX

GAME_TABLES = (PLAYER_BOX, FALLBACK_BOX, TEAM_BOX, PLAY_BY_PLAY)
"""Raw tables whose rows belong to games that have been played."""
_NAMED = 5


@dataclass(frozen=True, slots=True)
class LostGames:
    """The games of one table and date that lose all their rows.

    Attributes:
        table: its bare name.
        date: of the games.
        before: games that had rows.
        after: games that have rows afterwards.
        games: ids of those that lost them, in order; they may be fewer than the difference, where the schedule says
            why, and more, where others came.
    """

    table: str
    date: date
    before: int
    after: int
    games: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {len(self.games) - _NAMED} more" if len(self.games) > _NAMED else ""
        named = ", ".join(self.games[:_NAMED])
        return f"{self.table} {self.date}: {self.before} games become {self.after}, without {named}{more}"

    def as_finding(self) -> Finding:
        """The same as something wrong with the table."""
        return Finding(
            self.table, f"{self.date} has {self.before} games and would have {self.after}", "game_id", self.games[0]
        )


def games_lost(before: str, after: str) -> str:
    """SQL of the games that have rows in one relation and none in another, in GoogleSQL and DuckDB alike.

    A game that the schedule, as it is now, calls postponed or cancelled, or has under another date, is not lost.

    Args:
        before: SELECT of `game_date`, `game_id` and `nba_game_id` (the league's number, or NULL where nobody knows it),
            a row for each game.
        after: SELECT of `game_date` and `game_id`, as many rows of a game as there are.

    Returns:
        A SELECT of `game_date`, `game_id`, `games_before` and `games_after`: a row for each game lost, and how many
        games of its date have rows on either side.
    """
    return f"""WITH was AS ({before}),
now AS (SELECT DISTINCT game_date, game_id FROM ({after}) AS a),
scheduled AS (
  SELECT game_id, nba_game_id, game_status, processed_at
  FROM {SCHEDULE.id}
  WHERE game_date IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY game_id ORDER BY processed_at DESC) = 1
)
SELECT DISTINCT
  was.game_date, was.game_id, counts.games_before, COALESCE(left_over.games_after, 0) AS games_after
FROM was
INNER JOIN (SELECT game_date, COUNT(DISTINCT game_id) AS games_before FROM was GROUP BY game_date) AS counts
  ON counts.game_date = was.game_date
LEFT JOIN (SELECT game_date, COUNT(*) AS games_after FROM now GROUP BY game_date) AS left_over
  ON left_over.game_date = was.game_date
LEFT JOIN now ON now.game_id = was.game_id
LEFT JOIN scheduled AS own ON own.game_id = was.game_id
LEFT JOIN scheduled AS moved
  ON moved.nba_game_id = COALESCE(was.nba_game_id, own.nba_game_id)
  AND moved.game_id != was.game_id
  AND (own.game_id IS NULL OR moved.processed_at > own.processed_at)
WHERE now.game_id IS NULL AND moved.game_id IS NULL AND COALESCE(own.game_status, 0) != 4
ORDER BY game_date, game_id"""


def by_date(table: Table, rows: Iterable[tuple[date, str, int, int]]) -> list[LostGames]:
    """The rows of `games_lost` for a table, a value for each date."""
    dates: dict[date, list[tuple[str, int, int]]] = {}
    for day, game_id, before, after in rows:
        dates.setdefault(day, []).append((game_id, before, after))
    return [
        LostGames(table.name, day, games[0][1], games[0][2], tuple(game_id for game_id, *_ in games))
        for day, games in sorted(dates.items())
    ]
