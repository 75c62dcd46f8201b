"""The fixtures of a season: 82 games a team in 25 weeks, and the first weeks of it as a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations

from processors.sample.dice import Dice, edges
from shared.clock import EASTERN
from shared.tables.team_locations import TEAM_LOCATIONS

WEEKS = 25
SCHEDULED, FINAL, POSTPONED = 1, 3, 4
_DAYS = 7 * WEEKS
_BREAK = range(114, 119)  # all-star days
_ONE_GAME_NIGHT, _EMPTY_NIGHT, _FIRST_POSTPONED, _NEUTRAL_FROM = 17, 37, 10, 20
_BUSY = (1.0, 1.35, 0.5, 1.35, 1.05, 1.0, 0.75)
"""Games on each day of a week, counted from its first day, against the average."""
_DIVISIONS = (
    (
        ("BOS", "BKN", "NYK", "PHI", "TOR"),
        ("CHI", "CLE", "DET", "IND", "MIL"),
        ("ATL", "CHA", "MIA", "ORL", "WAS"),
    ),
    (
        ("DEN", "MIN", "OKC", "POR", "UTA"),
        ("GSW", "LAC", "LAL", "PHX", "SAC"),
        ("DAL", "HOU", "MEM", "NOP", "SAS"),
    ),
)
_HOURS_BEHIND = {abbr: -5 - offset for abbr, _, _, offset in TEAM_LOCATIONS}
_EVENINGS = (time(19), time(19, 30), time(20))
_EVENING_EDGES = edges((0.55, 0.33, 0.12))
_MATINEES = (time(12, 30), time(13), time(15, 30), time(18))
_SATURDAY, _SUNDAY = 5, 6

Pair = tuple[str, str]
"""Home and away."""


@dataclass(frozen=True, slots=True)
class Fixture:
    """One game of the schedule.

    Attributes:
        number: in the season, in the order of dates; a replayed game keeps its own.
        day: of the season, from 0.
        tip: UTC.
    """

    number: int
    day: int
    date: date
    tip: datetime
    season: int
    home: str
    away: str
    status: int
    neutral: bool = False

    @property
    def game_id(self) -> str:
        """The id of every table."""
        return f"{self.date:%Y%m%d}_{self.away}_{self.home}"

    @property
    def nba_game_id(self) -> str:
        """The league's id."""
        return f"002{self.season % 100:02d}{self.number:05d}"


def season(seed: int, start: date, weeks: int, *, played_weeks: int) -> list[Fixture]:
    """The games of the first weeks of a season, in playing order.

    Args:
        seed: of the sample.
        start: the first day.
        weeks: how many weeks there are.
        played_weeks: the games after these are scheduled only.
    """
    games = _days(Dice(seed, "calendar"))
    dice = Dice(seed, "tip-offs")
    fixtures: list[Fixture] = []
    for day in range(weeks * 7):
        today = start + timedelta(days=day)
        status = FINAL if day < played_weeks * 7 else SCHEDULED
        for tip, (home, away) in sorted((_tip(dice, today, game[0]), game) for game in games[day]):
            number = len(fixtures) + 1
            fixtures.append(Fixture(number, day, today, tip, start.year, home, away, status))
    fixtures = _with_neutral(fixtures)
    return _with_postponed(fixtures, played_weeks * 7)


def opening_day(year: int) -> date:
    """The Tuesday on which a season begins: the first one from 19 October on."""
    earliest = date(year, 10, 19)
    return earliest + timedelta(days=(1 - earliest.weekday()) % 7)


def _tip(dice: Dice, day: date, home: str) -> datetime:
    """When a game begins: in the evening where it is played, at weekends now and then earlier."""
    evening = dice.weighted(_EVENINGS, _EVENING_EDGES)
    matinee, early = dice.pick(_MATINEES), dice.chance(0.3)
    if early and day.weekday() in (_SATURDAY, _SUNDAY):
        local = matinee
    else:
        hour = min(evening.hour + _HOURS_BEHIND[home], 22)
        local = evening.replace(hour=hour)
    return datetime.combine(day, local, EASTERN).astimezone(UTC)


def _matches() -> Counter[Pair]:
    """How often each pair meets at whose place: 41 home games for every team."""
    matches: Counter[Pair] = Counter()
    for conference in _DIVISIONS:
        for division in conference:
            for one, other in combinations(division, 2):
                matches.update({(one, other): 2, (other, one): 2})
        for first, second in combinations(conference, 2):
            for i, one in enumerate(first):
                for j, other in enumerate(second):
                    # three of five opponents are met four times, the others three times
                    turn = (j - i) % 5
                    matches.update({(one, other): 1 if turn == 4 else 2, (other, one): 1 if turn == 3 else 2})  # noqa: PLR2004
    east, west = ([team for division in half for team in division] for half in _DIVISIONS)
    matches.update({pair: 1 for one in east for other in west for pair in ((one, other), (other, one))})
    return matches


class _Diary:
    """Who has played when and where so far."""

    def __init__(self) -> None:
        self.days: dict[str, set[int]] = {abbr: set() for abbr in _HOURS_BEHIND}
        self.met: dict[frozenset[str], int] = {}
        self.venues: dict[str, list[bool]] = {abbr: [] for abbr in _HOURS_BEHIND}

    def is_free(self, team: str, day: int) -> bool:
        """Whether a team can play: once a day, never on three days in a row, four times in any week."""
        played = self.days[team]
        return not (
            day in played
            or (day - 1 in played and (day - 2 in played or day + 1 in played))
            or (day + 1 in played and day + 2 in played)
            or self.in_week(team, day) >= 4  # noqa: PLR2004
        )

    def in_week(self, team: str, day: int) -> int:
        """Games in the week of a day."""
        first = day - day % 7
        return sum(other in self.days[team] for other in range(first, first + 7))

    def wish(self, team: str, *, home: bool) -> float:
        """How much a team would like to play at home, or away: trips of a few games, as many of both in the end."""
        venues = self.venues[team]
        ahead = 2 * sum(venues) - len(venues)
        run = next((i for i, venue in enumerate(reversed(venues)) if venue is not home), len(venues))
        return -0.15 * (ahead if home else -ahead) + (0.3 if 0 < run < 3 else 0) - (0.6 if run > 3 else 0)  # noqa: PLR2004

    def write(self, pair: Pair, day: int) -> None:
        """Enter a game."""
        self.met[frozenset(pair)] = day
        for team, home in zip(pair, (True, False), strict=True):
            self.days[team].add(day)
            self.venues[team].append(home)


def _days(dice: Dice) -> list[list[Pair]]:
    """The games of each day of a season."""
    left, diary = _matches(), _Diary()
    days: list[list[Pair]] = [[] for _ in range(_DAYS)]
    weights = [0 if day in _BREAK or day == _EMPTY_NIGHT else _BUSY[day % 7] for day in range(_DAYS)]
    for day, weight in enumerate(weights):
        quota = round(left.total() * weight / (sum(weights[day:]) or 1) * dice.between(0.85, 1.15))
        if day == _ONE_GAME_NIGHT:
            quota = 1
        for pair in _pairs(dice, left, diary, day, quota if weight else 0):
            diary.write(pair, day)
            days[day].append(pair)
    for pair in left.elements():
        day = _gap(pair, diary, days)
        diary.write(pair, day)
        days[day].append(pair)
    return days


def _pairs(dice: Dice, left: Counter[Pair], diary: _Diary, day: int, quota: int) -> Iterator[Pair]:
    """The games of one day: who is behind plays first, against whom is behind too."""
    urgency = {
        team: 82 * (day + 1) / _DAYS
        - len(played)
        - 0.65 * (day - 1 in played)
        - 0.3 * (day - 2 in played)
        + 0.5 * (3 - diary.in_week(team, day)) * (day % 7 > 3)  # noqa: PLR2004 -- late in the week
        + dice.random()
        for team, played in diary.days.items()
        if diary.is_free(team, day)
    }
    found = 0
    for team in sorted(urgency, key=lambda team: -urgency[team]):
        if found == quota:
            return
        if team not in urgency:
            continue
        options = [
            (urgency[other] + diary.wish(home, home=True) + diary.wish(away, home=False), (home, away))
            for other in urgency
            if other != team and diary.met.get(frozenset((team, other)), -99) < day - 8
            for home, away in ((team, other), (other, team))
            if left[home, away]
        ]
        if options:
            pair = max(options)[1]
            left[pair] -= 1
            found += 1
            for one in pair:
                del urgency[one]
            yield pair


def _gap(pair: Pair, diary: _Diary, days: list[list[Pair]]) -> int:
    """A day for a game that has found none: the emptiest one on which both teams are free."""
    free = [
        day
        for day, games in enumerate(days)
        if len(games) > 1 and len(games) < 15 and all(diary.is_free(team, day) for team in pair)  # noqa: PLR2004
    ]
    return min(free, key=lambda day: len(days[day]))


def _with_neutral(fixtures: list[Fixture]) -> list[Fixture]:
    """One game on foreign ground."""
    at = next((i for i, one in enumerate(fixtures) if one.day >= _NEUTRAL_FROM), None)
    if at is None:
        return fixtures
    return [*fixtures[:at], replace(fixtures[at], neutral=True), *fixtures[at + 1 :]]


def _with_postponed(fixtures: list[Fixture], played_days: int) -> list[Fixture]:
    """One game is not played on its day but later, under the same number; a short sample has no room for it."""
    diary = _Diary()
    for one in fixtures:
        diary.write((one.home, one.away), one.day)
    for at, one in enumerate(fixtures):
        for day in range(one.day + 7, played_days) if one.day >= _FIRST_POSTPONED and not one.neutral else ():
            if day not in (_ONE_GAME_NIGHT, _EMPTY_NIGHT, *_BREAK) and all(
                diary.is_free(team, day) for team in (one.home, one.away)
            ):
                later = timedelta(days=day - one.day)
                again = replace(one, day=day, date=one.date + later, tip=_same_hour(one.tip, later))
                rest = [*fixtures[:at], replace(one, status=POSTPONED), *fixtures[at + 1 :], again]
                return sorted(rest, key=lambda fixture: (fixture.tip, fixture.number))
    return fixtures


def _same_hour(tip: datetime, later: timedelta) -> datetime:
    """The same time of day in New York, whether summer time has begun in between or not."""
    return (tip.astimezone(EASTERN) + later).astimezone(UTC)
