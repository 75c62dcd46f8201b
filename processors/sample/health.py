"""Who cannot or does not play, and what the teams report about it before the game."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from processors.sample.calendar import Fixture
from processors.sample.dice import Dice
from processors.sample.rosters import Player, Team
from shared.clock import EASTERN

_INJURIES = (
    "Left Ankle; Sprain",
    "Right Ankle; Sprain",
    "Left Hamstring; Strain",
    "Right Hamstring; Tightness",
    "Lower Back; Soreness",
    "Left Knee; Soreness",
    "Right Knee; Bruise",
    "Right Calf; Strain",
    "Left Foot; Sprain",
    "Right Wrist; Sprain",
    "Left Shoulder; Strain",
    "Illness; Flu",
)


class _Case(NamedTuple):
    """What may be said of a healthy man before a game, how often, and whether he then plays."""

    often: float
    first: str
    last: tuple[str, ...]
    category: str
    plays: bool


_HURT = _Case(0.014, "out", ("out",), "injury", plays=False)
_RECOVERING = _Case(0, "probable", ("available",), "injury", plays=True)
_REST = _Case(0, "out", ("out",), "rest", plays=False)
_CASES = (
    _HURT,
    _Case(0.013, "questionable", ("questionable", "available"), "injury", plays=True),
    _Case(0.011, "questionable", ("out",), "injury", plays=False),
    _Case(0.007, "doubtful", ("out",), "injury", plays=False),
    _Case(0.013, "probable", ("probable", "available"), "injury", plays=True),
    _Case(0.002, "out", ("out",), "personal", plays=False),
    _Case(0.0005, "out", ("out",), "suspension", plays=False),
)
_STARS, _RESTED = 3, 0.05
_DRESSED = 13
_NEEDED = 10
"""Healthy men that a team always has."""
_WHIM = 7.0
"""Against four points of level between one man and the next."""
_EVE = time(17)
_DAY_HOURS = (9, 11, 13, 15, 17)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A man on a team's injury report.

    Attributes:
        first: his status on the eve of the game.
        last: his status in the report before the tip.
        plays: whether he is available in the end.
    """

    player: Player
    first: str
    last: str
    reason: str
    category: str
    plays: bool


@dataclass(frozen=True, slots=True)
class Squad:
    """A team for one game.

    Attributes:
        dressed: who can play: the starters, then in the order in which they come in.
        doubts: who is on the injury report; who does not play and was not ruled out on the eve sits on the bench.
    """

    team: Team
    dressed: tuple[Player, ...]
    doubts: tuple[Doubt, ...]

    @property
    def inactive(self) -> list[Doubt]:
        """Who is not on the list for the game."""
        return [one for one in self.doubts if not one.plays and one.first == "out"]

    @property
    def scratched(self) -> list[Doubt]:
        """Who is on the list and was ruled out on the day."""
        return [one for one in self.doubts if not one.plays and one.first != "out"]


class Ward:
    """Everybody's health through a season."""

    def __init__(self, seed: object) -> None:
        self._dice = Dice(seed, "health")
        self._hurt: dict[int, tuple[int, str]] = {}

    def squad(self, team: Team, *, back_to_back: bool) -> Squad:
        """Who is there for the next game of a team."""
        ranked = team.ranked()
        # the last men of a long bench play elsewhere; so every team has somebody to report
        doubts = [
            Doubt(one, "out", "out", "G League - On Assignment", "g_league", plays=False) for one in ranked[_DRESSED:]
        ]
        spare = min(_DRESSED, len(ranked)) - _NEEDED
        for rank, player in enumerate(ranked[:_DRESSED]):
            doubt = self._doubt(player, rank, back_to_back=back_to_back)
            if doubt and (doubt.plays or spare > 0):
                doubts.append(doubt)
                spare -= not doubt.plays
        missing = [one.player for one in doubts if not one.plays]
        there = [one for one in ranked if one not in missing]
        # starters start; whom of the others the coach likes best changes from night to night
        liking = {one: self._dice.bell(one.level, _WHIM) for one in there[5:]}
        bench = sorted(liking, key=lambda one: -liking[one])
        return Squad(team, (*there[:5], *bench), tuple(doubts))

    def _doubt(self, player: Player, rank: int, *, back_to_back: bool) -> Doubt | None:
        games, reason = self._hurt.get(player.id, (0, ""))
        case = _RECOVERING
        if games > 0:
            case = _HURT
            self._hurt[player.id] = games - 1, reason
        elif not self._hurt.pop(player.id, None):
            tired = back_to_back and rank < _STARS and self._dice.chance(_RESTED)
            found = _REST if tired else self._case()
            if found is None:
                return None
            case, reason = found, self._dice.pick(_INJURIES)
        why = f"Injury/Illness - {reason}" if case.category == "injury" else case.category.title()
        if case is _HURT and games == 0:
            self._hurt[player.id] = 1 + self._dice.below(4) + self._dice.below(7) * self._dice.below(4), reason
        return Doubt(player, case.first, self._dice.pick(case.last), why, case.category, plays=case.plays)

    def _case(self) -> _Case | None:
        roll = self._dice.random()
        for case in _CASES:
            roll -= case.often
            if roll < 0:
                return case
        return None


def reports(fixture: Fixture, squad: Squad, dice: Dice, *, blurred: bool = False) -> Iterator[tuple[object, ...]]:
    """The rows of one team's reports: on the eve, and at some hours of the day until an hour before the tip.

    Args:
        fixture: the game.
        squad: the team.
        dice: chance.
        blurred: one row of the last report could hardly be read.
    """
    tip = fixture.tip.astimezone(EASTERN)
    hours = [hour for hour in _DAY_HOURS if hour < tip.hour and dice.random() < 0.7]  # noqa: PLR2004
    moments = [datetime.combine(tip.date() - timedelta(days=1), _EVE)]
    moments += [datetime.combine(tip.date(), time(hour)) for hour in hours or [min(9, tip.hour - 1)]]
    for moment in moments:
        final = moment is moments[-1]
        for number, doubt in enumerate(squad.doubts):
            unclear = blurred and final and number == 0
            yield (
                moment.date(),
                moment.hour,
                fixture.game_id,
                fixture.date,
                squad.team.abbr,
                doubt.player.id,
                doubt.player.lookup,
                doubt.player.name,
                doubt.last if final else doubt.first,
                doubt.reason,
                doubt.category,
                0.41 if unclear else round(dice.between(0.93, 1), 2),
                _stamp(moment),
            )


def _stamp(moment: datetime) -> str:
    """When the report was read: five minutes after it came out."""
    return (moment.replace(tzinfo=EASTERN) + timedelta(minutes=5)).astimezone(UTC).isoformat()
