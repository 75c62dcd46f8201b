"""What bookmakers offer before a game: points lines of players, spreads and totals."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from processors.sample.calendar import Fixture
from processors.sample.dice import Dice
from processors.sample.health import Squad
from processors.sample.rosters import Team
from shared.clock import EASTERN

_BOOKMAKERS = ("draftkings", "fanduel")
_OPENING = time(18, 30)
"""On the eve."""
_WINDOW = 10
_OFFERED = 8
"""Men of a team that have a line."""
_POINTS_PER_USE = 0.0078  # of a second of planned play
_HOME_EDGE = 1.8
_AVERAGE_TOTAL = 228.0


class Market:
    """Bookmakers, and what they remember of every player's last games."""

    def __init__(self, seed: object) -> None:
        self._seed = seed
        self._form: dict[int, deque[int]] = {}

    def learn(self, player: int, points: int) -> None:
        """See how many points a player has made."""
        self._form.setdefault(player, deque(maxlen=_WINDOW)).append(points)

    def props(self, fixture: Fixture, squad: Squad) -> Iterator[tuple[object, ...]]:
        """Points lines of a team's best men; who is ruled out on the day has opening lines only."""
        dice = Dice(self._seed, "props", fixture.number, squad.team.abbr)
        late = [doubt.player for doubt in squad.scratched]
        snapshots = _snapshots(fixture)
        for rank, player in enumerate((squad.dressed[:_OFFERED] + tuple(late))[: _OFFERED + 2]):
            recent = self._form.get(player.id, ())
            usual = player.usage * _POINTS_PER_USE * (2000 - 150 * rank)
            expected = (3 * usual + sum(recent)) / (3 + len(recent))
            moved = dice.bell(0, 0.5)
            for bookmaker in _BOOKMAKERS if rank < 7 else _BOOKMAKERS[:1]:  # noqa: PLR2004 -- the last man in one book only
                leaning = dice.bell(0, 0.3)
                for snapshot, drift in zip(snapshots, (0, moved), strict=True):
                    over, under = _prices(dice)
                    if drift and player in late:
                        continue
                    yield (
                        fixture.game_id,
                        fixture.date,
                        player.id,
                        player.lookup,
                        player.name,
                        bookmaker,
                        snapshot,
                        max(2.5, round(2 * (expected + leaning + drift)) / 2),
                        over,
                        under,
                        snapshot,
                    )

    def lines(self, fixture: Fixture, home: Squad, away: Squad) -> Iterator[tuple[object, ...]]:
        """Spreads of both teams and the total, from what the men who are there are worth."""
        dice = Dice(self._seed, "lines", fixture.number)
        edge = _worth(home) - _worth(away) + (0 if fixture.neutral else _HOME_EDGE) + dice.bell(0, 1.5)
        total = _AVERAGE_TOTAL + _openness(home.team, away.team) + dice.bell(0, 3)
        moved, added = dice.bell(0, 0.8), dice.bell(0, 1.2)
        for bookmaker in _BOOKMAKERS:
            lean = dice.bell(0, 0.25)
            for snapshot, late in zip(_snapshots(fixture), (0, 1), strict=True):
                spread = round(2 * (edge + late * moved + lean)) / 2
                points = round(2 * (total + late * added + lean)) / 2
                home_price, away_price = _prices(dice)
                over, under = _prices(dice)
                for market, outcome, point, price in (
                    ("spreads", fixture.home, -spread, home_price),
                    ("spreads", fixture.away, spread, away_price),
                    ("totals", "over", points, over),
                    ("totals", "under", points, under),
                ):
                    # -0.0 is no line
                    yield (
                        fixture.game_id,
                        fixture.date,
                        bookmaker,
                        market,
                        outcome,
                        point + 0.0,
                        price,
                        snapshot,
                        snapshot,
                    )


def _snapshots(fixture: Fixture) -> tuple[str, str]:
    """The opening lines, on the eve, and the closing ones, half an hour before the tip."""
    eve = fixture.tip.astimezone(EASTERN).date() - timedelta(days=1)
    opening = datetime.combine(eve, _OPENING, EASTERN).astimezone(UTC)
    return opening.isoformat(), (fixture.tip - timedelta(minutes=30)).isoformat()


def _prices(dice: Dice) -> tuple[float, float]:
    """Decimal odds of two outcomes, with the bookmaker's share."""
    tilt = dice.bell(0, 0.03)
    return round(1.91 - tilt, 2), round(1.91 + tilt, 2)


def _worth(squad: Squad) -> float:
    """Points by which a team of these men beats an average one."""
    team = squad.team
    missing = sum(1.4 * one.player.usage for one in squad.doubts if not one.plays and one.category != "g_league")
    return 110 * (team.attack + team.defence) * 1.9 - missing


def _openness(home: Team, away: Team) -> float:
    """Points that two teams make more than usual."""
    finish = sum(team.attack - team.defence for team in (home, away))
    return 190 * finish - 110 * (home.tempo + away.tempo - 2)
