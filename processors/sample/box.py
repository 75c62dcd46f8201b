"""Box scores, counted from the events of a game: what the league prints is what happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from processors.sample.scorebook import Event


@dataclass(slots=True)
class Line:
    """What somebody, a player or a team, has done in a game; in the order of the tables' columns."""

    points: int = 0
    field_goals: int = 0
    field_goal_tries: int = 0
    threes: int = 0
    three_tries: int = 0
    free_throws: int = 0
    free_throw_tries: int = 0
    offensive_rebounds: int = 0
    defensive_rebounds: int = 0
    assists: int = 0
    steals: int = 0
    blocks: int = 0
    turnovers: int = 0
    fouls: int = 0

    def add(self, other: Line) -> None:
        """Count another one's deeds in."""
        for name in _NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def values(self) -> tuple[int, ...]:
        """The numbers alone."""
        return tuple(getattr(self, name) for name in _NAMES)


_NAMES = tuple(field.name for field in fields(Line))


class Box:
    """The lines of every player and of both teams, turnovers of the team included."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._players: dict[int, Line] = {}
        self._teams: dict[str, Line] = {}
        self._shooting: str | None = None
        for event in events:
            count = _COUNTERS.get(event.event_type)
            if count:
                count(self, event)

    def player(self, number: int) -> Line:
        """A player's line."""
        return self._players.setdefault(number, Line())

    def team(self, abbr: str, players: Iterable[int]) -> Line:
        """A team's line: the sum of its players and what is nobody's own."""
        total = Line()
        for line in (self._teams.get(abbr, Line()), *map(self.player, players)):
            total.add(line)
        return total

    def _actor(self, event: Event) -> Line:
        if event.player_1_id is None:
            return self._teams.setdefault(str(event.team_abbr), Line())
        return self.player(event.player_1_id)

    def _shot(self, event: Event) -> None:
        line, three = self._actor(event), event.event_type == "3pt"
        self._shooting = event.team_abbr
        line.field_goal_tries += 1
        line.three_tries += three
        other = None if event.player_2_id is None else self.player(event.player_2_id)
        if event.shot_made == "true":
            line.points += 3 if three else 2
            line.field_goals += 1
            line.threes += three
            if other:
                other.assists += 1
        elif other:
            other.blocks += 1

    def _free_throw(self, event: Event) -> None:
        line = self._actor(event)
        self._shooting = event.team_abbr
        line.free_throw_tries += 1
        if event.shot_made == "true":
            line.points += 1
            line.free_throws += 1

    def _rebound(self, event: Event) -> None:
        if event.player_1_id is None:
            return  # team rebounds stand in no box
        line = self._actor(event)
        if event.team_abbr == self._shooting:
            line.offensive_rebounds += 1
        else:
            line.defensive_rebounds += 1

    def _turnover(self, event: Event) -> None:
        self._actor(event).turnovers += 1
        if event.player_2_id is not None:
            self.player(event.player_2_id).steals += 1

    def _foul(self, event: Event) -> None:
        if not str(event.sub_type).endswith("technical"):
            self._actor(event).fouls += 1


_COUNTERS = {
    "2pt": Box._shot,  # noqa: SLF001 -- the table of its own methods
    "3pt": Box._shot,  # noqa: SLF001
    "freethrow": Box._free_throw,  # noqa: SLF001
    "rebound": Box._rebound,  # noqa: SLF001
    "turnover": Box._turnover,  # noqa: SLF001
    "foul": Box._foul,  # noqa: SLF001
}
