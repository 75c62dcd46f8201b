"""The scorer's book of a game: clock, score, and every event as the play-by-play table has it."""

from __future__ import annotations

from typing import NamedTuple

from processors.sample.dice import Dice
from processors.sample.rosters import Player
from processors.sample.shots import NO_SHOT, Shot

QUARTER, OVERTIME = 7200, 3000
"""Lengths in tenths of a second."""
_QUARTERS = 4


class Event(NamedTuple):
    """One event, its fields as they are written and in the order of the table's columns."""

    event_sequence: int
    period: int
    clock_seconds_remaining: float
    event_type: str
    sub_type: str | None
    players_on_court: str | None
    description: str
    qualifiers: str
    team_abbr: str | None
    player_1_id: int | None
    player_1_lookup: str | None
    player_2_id: int | None
    player_2_lookup: str | None
    shot_made: str | None
    shot_value: int | None
    shot_distance_ft: float | None
    x_ft: float | None
    y_ft: float | None
    ft_number: int | None
    ft_total: int | None
    score_home: int
    score_away: int


class Scorebook:
    """What has happened so far.

    Attributes:
        period: 1 to 4, then overtime.
        clock: what is left of the period, in tenths of a second; whole seconds but for the last minute.
        court: the ten ids on court as text; None in the middle of substitutions.
    """

    __slots__ = ("_random", "away", "clock", "court", "events", "home", "number", "period")

    def __init__(self, dice: Dice) -> None:
        self._random = dice.random
        self.events: list[Event] = []
        self.number = 1
        self.period = 0
        self.clock = 0
        self.court: str | None = None
        self.home = self.away = 0

    def add(  # noqa: PLR0913 -- an event has this many sides
        self,
        kind: str,
        text: str,
        team: str | None = None,
        one: Player | None = None,
        two: Player | None = None,
        *,
        sub: str | None = None,
        tags: str = "",
        shot: Shot = NO_SHOT,
        number: int | None = None,
        total: int | None = None,
    ) -> None:
        """Write an event; the feed's numbers leave gaps."""
        self.number += 1 if self._random() < 0.7 else 2  # noqa: PLR2004
        self.events.append(
            Event(
                self.number,
                self.period,
                self.clock / 10,
                kind,
                sub,
                self.court,
                text,
                tags,
                team,
                one.id if one else None,
                one.lookup if one else None,
                two.id if two else None,
                two.lookup if two else None,
                *shot,
                number,
                total,
                self.home,
                self.away,
            )
        )

    @property
    def is_overtime(self) -> bool:
        """Whether four quarters were not enough."""
        return self.period > _QUARTERS

    @property
    def seconds(self) -> int:
        """Whole seconds played so far; exact at whistles."""
        full = QUARTER * min(self.period, _QUARTERS) + OVERTIME * max(0, self.period - _QUARTERS)
        return (full - self.clock) // 10

    def open_period(self) -> None:
        """Set the clock for the next period."""
        self.period += 1
        self.clock = OVERTIME if self.is_overtime else QUARTER
        self.add("period", f"Start of period {self.period}")

    def run(self, tenths: int) -> None:
        """Let the clock run; the feed has tenths in the last minute only."""
        left = max(0, self.clock - tenths)
        self.clock = left - left % 10 if left >= 600 else left  # noqa: PLR2004 -- a minute

    def whistle(self) -> bool:
        """Stop the clock on a whole second, so that minutes add up; False if the period is as good as over."""
        if self.clock < 10:  # noqa: PLR2004 -- a second
            return False
        self.clock -= self.clock % 10
        return True


def numbered_late(dice: Dice, events: list[Event]) -> list[Event]:
    """The events in the feed's order: a few were entered late and have later numbers than what came after them.

    Only events that have their moment for themselves, so that clock and number still give the playing order.
    """
    feed = list(events)
    for _ in range(dice.below(5)):
        at, late = dice.below(len(feed) - 40) + 20, dice.below(6) + 2
        moved = feed[at]
        neighbours = feed[at - 8 : at] + feed[at + 1 : at + late + 1]
        moment = (moved.period, moved.clock_seconds_remaining)
        if all((one.period, one.clock_seconds_remaining) != moment for one in neighbours):
            numbers = [one.event_sequence for one in feed[at : at + late + 1]]
            order = [*feed[at + 1 : at + late + 1], moved]
            feed[at : at + late + 1] = [
                one._replace(event_sequence=number) for one, number in zip(order, numbers, strict=True)
            ]
    return feed
