"""Rows of any table by date, player or team."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from processors import graph
from shared.clock import DateRange
from shared.errors import UnknownName, UsageError
from shared.tables.model import Table
from shared.warehouse.base import Result, Session

_PLAYERS = ("player_lookup", "player_1_lookup")
_TEAMS = ("team_abbr", "defending_team_abbr", "home_team_abbr", "away_team_abbr", "outcome")


@dataclass(frozen=True, slots=True)
class Selection:
    """What to read.

    Attributes:
        table: as typed, with or without its dataset.
        dates: partition dates; None for all.
        player: a name in any spelling, or a `player_lookup`.
        team: a three-letter code in any case.
        columns: names; none selects all.
    """

    table: str
    dates: DateRange | None = None
    player: str | None = None
    team: str | None = None
    columns: tuple[str, ...] = ()


def read(session: Session, wanted: Selection) -> Result:
    """The rows, ordered by date and key.

    Raises:
        UnknownName: there is no such table, column or player.
        UsageError: the table has no dates, players or teams to select by.
    """
    table = graph.table(wanted.table)
    conditions = ["TRUE"]
    params: dict[str, object] = {}
    if wanted.dates:
        (dated,) = _one_of(table, (table.partition,) if table.partition else (), "dates", "--date")
        conditions.append(f"{dated} BETWEEN @start_date AND @end_date")
        params |= {"start_date": wanted.dates.start, "end_date": wanted.dates.end}
    if wanted.player:
        (column, *_) = _one_of(table, _PLAYERS, "players", "--player")
        conditions.append(f"{column} = @player")
        params["player"] = lookup(wanted.player)
    if wanted.team:
        named = _one_of(table, _TEAMS, "teams", "--team")
        conditions.append(f"({' OR '.join(f'{name} = @team' for name in named)})")
        params["team"] = wanted.team.upper()
    for name in wanted.columns:
        if name not in table.column_names:
            raise UnknownName("column", name, table.column_names)
    order = ", ".join(dict.fromkeys([*([table.partition] if table.partition else []), *table.key]))
    result = session.query(
        f"SELECT {', '.join(wanted.columns or table.column_names)} FROM {table.id}"
        f" WHERE {' AND '.join(conditions)} ORDER BY {order}",
        params,
    )
    if wanted.player and not result.rows:
        _check_player(session, table, column, lookup(wanted.player))
    return result


def lookup(name: str) -> str:
    """A name as `player_lookup` spells it: diacritics folded, lower case, letters and digits only."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", folded.lower())


def _one_of(table: Table, names: tuple[str, ...], what: str, flag: str) -> list[str]:
    found = [name for name in names if name in table.column_names]
    if not found:
        raise UsageError(f"{table.name} has no {what} to select by", hint=f"leave {flag} out")
    return found


def _check_player(session: Session, table: Table, column: str, player: str) -> None:
    known = [row[0] for row in session.query(f"SELECT DISTINCT {column} FROM {table.id}").rows if row[0]]
    if player not in known:
        raise UnknownName("player", player, known)
