"""A league that never was: raw tables to try the pipeline on, made without a network.

Teams are real, players and games are inventions. Every game is played possession by possession (`game`); box
scores are counted from its events (`box`), so that all tables agree. `docs/sample-data.md` says how like a real
season it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from processors.sample import calendar, game, health, results
from processors.sample.box import Box
from processors.sample.calendar import FINAL, SCHEDULED, WEEKS, Fixture
from processors.sample.court import Side
from processors.sample.dice import Dice
from processors.sample.health import Squad, Ward
from processors.sample.markets import Market
from processors.sample.rosters import Team, league, trade
from processors.sample.scorebook import numbered_late
from processors.sample.write import Files
from shared.tables import raw

_FALLBACK_GAME, _UNREPORTED_GAME, _BLURRED_GAME = 12, 15, 20
"""Numbers of the games, in the first season, whose gamebook is missing, whose home team does not report, and whose
home team's last report is badly read."""


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """What was made.

    Attributes:
        rows: by table.
        first: the first day with games.
        last: the last one that was played.
        tonight: the first day of the week to come.
        slate: tonight's games as AWAY @ HOME, by their beginning.
    """

    rows: dict[str, int]
    first: date
    last: date
    tonight: date
    slate: tuple[str, ...]


def make(  # noqa: PLR0913 -- what a sample depends on, and where it goes
    folder: Path,
    *,
    weeks: int | None = 8,
    seasons: int | None = None,
    seed: int = 1,
    today: date,
    watch: Callable[[str, int], None],
) -> SampleSummary:
    """Write a file per raw table.

    Args:
        folder: where to; it is made.
        weeks: the first weeks of a season, from 2 to 25; the last one begins today and is scheduled only.
        seasons: whole seasons instead, from October to April; the newest one is in its last week today or later.
        seed: the same seed gives the same league and the same games, whatever day it is.
        today: where the dates are put; nothing else depends on it.
        watch: told what was made, and that one more week is done.

    Returns:
        What was made.
    """
    plan = _plan(today, weeks, seasons)
    with Files(folder) as files:
        teams = league(seed)
        for number, (start, length, played) in enumerate(plan):
            fixtures = calendar.season(seed + 7919 * number, start, length, played_weeks=played)
            _Season(files, teams, fixtures, number, seed).run(watch)
    tonight = _tonight(fixtures)
    return SampleSummary(
        rows=files.rows,
        first=plan[0][0],
        last=max(one.date for one in fixtures if one.status == FINAL),
        tonight=tonight,
        slate=tuple(f"{one.away} @ {one.home}" for one in fixtures if one.date == tonight),
    )


def steps(weeks: int | None, seasons: int | None) -> int:
    """How often `watch` is told that a week is done."""
    return seasons * WEEKS if seasons else weeks or 0


def _plan(today: date, weeks: int | None, seasons: int | None) -> list[tuple[date, int, int]]:
    """First day, weeks, and weeks that are played, of each season."""
    if not seasons:
        length = weeks or 0
        return [(today - timedelta(weeks=length - 1), length, length - 1)]
    last_week = timedelta(weeks=WEEKS - 1)
    newest = next(year for year in range(today.year, 0, -1) if calendar.opening_day(year) + last_week <= today)
    years = range(newest - seasons + 1, newest + 1)
    return [(calendar.opening_day(year), WEEKS, WEEKS - (year == newest)) for year in years]


def _tonight(fixtures: list[Fixture]) -> date:
    return min(one.date for one in fixtures if one.status == SCHEDULED)


@dataclass
class _Season:
    """One season being played and written.

    Attributes:
        ordinal: 0 for the first of the sample.
    """

    files: Files
    teams: dict[str, Team]
    fixtures: list[Fixture]
    ordinal: int
    seed: int
    last_played: dict[str, date] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stream = (self.seed, self.ordinal)
        self.ward, self.market = Ward(stream), Market(stream)
        dates = sorted({one.date for one in self.fixtures if one.status == FINAL})
        self.trade_day = dates[len(dates) // 2]
        self.open_night = min((one.date for one in self.fixtures if one.status == SCHEDULED), default=None)

    def run(self, watch: Callable[[str, int], None]) -> None:
        """Every game in turn."""
        traded = False
        for at, fixture in enumerate(self.fixtures):
            if fixture.date >= self.trade_day and not traded:
                trade(self.teams, (self.seed, self.ordinal))
                traded = True
            self._write(fixture)
            following = self.fixtures[at + 1] if at + 1 < len(self.fixtures) else None
            for week in range(fixture.day // 7, following.day // 7 if following else fixture.day // 7 + 1):
                watch(f"week {week + 1} of the season {fixture.season}", 1)

    def _write(self, fixture: Fixture) -> None:
        known = fixture.status == FINAL or fixture.date == self.open_night
        squads = self._squads(fixture) if known else None
        score: tuple[int, int] | tuple[None, None] = (None, None)
        if squads:
            self._write_expectations(fixture, *squads)
            if fixture.status == FINAL:
                score = self._write_game(fixture, *squads)
        self.files.write(raw.SCHEDULE, [results.schedule(fixture, score, self.open_night or fixture.date)])

    def _squads(self, fixture: Fixture) -> tuple[Squad, Squad]:
        squads = []
        for abbr in (fixture.home, fixture.away):
            yesterday = fixture.date - timedelta(days=1)
            rested = self.last_played.get(abbr) != yesterday
            squads.append(self.ward.squad(self.teams[abbr], back_to_back=not rested))
            self.last_played[abbr] = fixture.date
        return squads[0], squads[1]

    def _write_expectations(self, fixture: Fixture, home: Squad, away: Squad) -> None:
        """What is said before the game: reports and odds."""
        dice = Dice(self.seed, self.ordinal, "reports", fixture.number)
        first = self.ordinal == 0
        for squad in (home, away):
            at_home = squad is home
            if not (first and at_home and fixture.number == _UNREPORTED_GAME):
                blurred = first and at_home and fixture.number == _BLURRED_GAME
                rows = health.reports(fixture, squad, dice, blurred=blurred)
                self.files.write(raw.INJURY_REPORT, rows)
            self.files.write(raw.POINTS_PROPS, self.market.props(fixture, squad))
        self.files.write(raw.GAME_LINES, self.market.lines(fixture, home, away))

    def _write_game(self, fixture: Fixture, home: Squad, away: Squad) -> tuple[int, int]:
        """Play it; the score."""
        dice = Dice(self.seed, self.ordinal, "game", fixture.number)
        sides = [Side(squad.team, squad.dressed, dice, home=squad is home) for squad in (home, away)]
        floor = game.play(sides[0], sides[1], dice)
        box = Box(floor.book.events)
        fallback = self.ordinal == 0 and fixture.number == _FALLBACK_GAME
        for side, squad in zip(sides, (home, away), strict=True):
            if fallback:
                self.files.write(raw.FALLBACK_BOX, results.fallback_box(fixture, side, box))
            else:
                self.files.write(raw.PLAYER_BOX, results.player_box(fixture, side, squad, box))
            for man in side.men:
                if man.seconds:
                    self.market.learn(man.player.id, box.player(man.player.id).points)
        self.files.write(raw.TEAM_BOX, results.team_box(fixture, floor, box))
        feed = numbered_late(dice, floor.book.events)
        self.files.write(raw.PLAY_BY_PLAY, results.plays(fixture, feed))
        return floor.book.home, floor.book.away
