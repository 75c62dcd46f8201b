"""A team in a game: who is on court, for how long, and who comes in for whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from processors.sample.dice import Dice, edges
from processors.sample.rosters import Player, Team

_MINUTES = (35.0, 33.4, 31.6, 29.6, 27.6, 24.6, 21.2, 17.2, 12.4, 7.4)
"""What a coach plans for his first ten men."""
FOULS_ALLOWED = 6
_OVERDUE = 190
"""Seconds by which a man on the bench must be more due than one on court."""


class Mood(Enum):
    """What a coach looks at when he changes men."""

    USUAL = "who has played less than planned"
    BEST = "the best five: the game is close and nearly over, or a half begins"
    LOST = "the deep bench: the game is decided"


@dataclass(slots=True, eq=False)
class Man:
    """A player in a game.

    Attributes:
        plan: seconds that the coach means him to play; 0 for the deep bench.
        since: when he came in, in seconds of the game.
        margin: the margin when he came in.
    """

    player: Player
    plan: float
    fouls: int = 0
    technicals: int = 0
    seconds: int = 0
    plus_minus: int = 0
    since: int = 0
    margin: int = 0


class Side:
    """One of the two teams of a game.

    Attributes:
        shift: what is added to the share of its tries that go in.
        fouls: team fouls of the period; `late_fouls` those of its last two minutes.
    """

    def __init__(self, team: Team, players: Sequence[Player], dice: Dice, *, home: bool) -> None:
        self.abbr = team.abbr
        self.team = team
        self.home = home
        self.shift = team.attack + (0.006 if home else -0.006)
        self.men = [Man(player, plan) for player, plan in zip(players, _plans(dice, len(players)), strict=True)]
        self.court = self.men[:5]
        self.starters = tuple(self.court)
        self.other: Side = self
        self.fouls = self.late_fouls = 0
        self.timeouts = 7
        self.possessions = 0
        self.settle()

    def settle(self) -> None:
        """Work out who is likely to do what, for the five on court."""
        five = [man.player for man in self.court]
        self.shooters = edges([one.usage for one in five])
        self.passers = edges([one.assists for one in five])
        self.losers = edges([one.turnovers for one in five])
        self.offensive_rebounders = edges([one.offensive_rebounds for one in five])
        self.defensive_rebounders = edges([one.defensive_rebounds for one in five])
        self.stealers = edges([one.steals for one in five])
        self.blockers = edges([one.blocks for one in five])
        self.foulers = edges([one.fouls for one in five])

    @property
    def bench(self) -> list[Man]:
        """Who can come in."""
        return [man for man in self.men if man.fouls < FOULS_ALLOWED and man not in self.court]

    def changes(self, now: int, mood: Mood, keep: Man | None) -> list[tuple[Man, Man]]:
        """Who leaves for whom; `keep` has a free throw to shoot and stays."""
        due = self._due(now, mood)
        leaving = sorted((man for man in self.court if man is not keep), key=due)
        coming = sorted(self.bench, key=due, reverse=True)
        least = _OVERDUE if mood is Mood.USUAL else 1
        pairs = zip(leaving, coming, strict=False)
        return [
            (out, in_)
            for out, in_ in pairs
            if out.fouls >= FOULS_ALLOWED or (due(in_) - due(out) > least and in_.fouls < FOULS_ALLOWED - 1)
        ]

    def swap(self, out: Man, in_: Man, now: int, margin: int) -> None:
        """Change two men; `settle` afterwards."""
        self.clock_out(out, now, margin)
        self.court[self.court.index(out)] = in_
        in_.since, in_.margin = now, margin

    def clock_out(self, man: Man, now: int, margin: int) -> None:
        """Add to a man's time and margin what has gathered since he came in."""
        man.seconds += now - man.since
        man.plus_minus += margin - man.margin
        man.since, man.margin = now, margin

    def _due(self, now: int, mood: Mood) -> Callable[[Man], float]:
        """How much a man should be on court."""
        progress = now / 2880

        def due(man: Man) -> float:
            if man.fouls >= FOULS_ALLOWED:
                return -1e9
            if mood is Mood.BEST:
                return man.plan
            if mood is Mood.LOST:
                return -man.plan
            if not man.plan:
                return -1e5
            played = man.seconds + (now - man.since if man in self.court else 0)
            # foul trouble: sit until later
            trouble = 300 if man.fouls > 1 + 4 * progress else 0
            return man.plan * progress - played - trouble

        return due


def _plans(dice: Dice, count: int) -> list[float]:
    """Seconds for each man, the best first; together five men for 48 minutes."""
    minutes = [max(4.0, dice.bell(usual, 2.2)) for usual in _MINUTES[:count]]
    scale = 5 * 2880 / sum(minutes)
    return [one * scale for one in minutes] + [0.0] * (count - len(minutes))
