"""Which dates have games, by the schedule alone."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import groupby, pairwise
from operator import attrgetter, itemgetter

from processors.statements import compose
from shared.clock import DateRange
from shared.errors import PreconditionFailed
from shared.tables.raw import SCHEDULE
from shared.warehouse.base import Session


@dataclass(frozen=True, slots=True)
class Day:
    """One date with counted games that are neither postponed nor cancelled.

    Attributes:
        date: US Eastern.
        season: first calendar year of its season.
        games: how many.
        final: how many of them have a final score.
    """

    date: date
    season: int
    games: int
    final: int


_date = attrgetter("date")
_SUMMER = (7, 8, 9)
"""Months between two seasons, without counted games unless the schedule says otherwise."""


@dataclass(frozen=True)
class Calendar:
    """The days with games around the dates asked for, in order."""

    days: tuple[Day, ...]

    def day(self, date_: date) -> Day | None:
        """A date, if it has games."""
        return self._by_date.get(date_)

    def season(self, date_: date) -> DateRange:
        """First and last day known of the season that a date with games belongs to; the date itself without games."""
        here = self.day(date_)
        return self._seasons[here.season] if here else DateRange(date_, date_)

    @cached_property
    def _by_date(self) -> dict[date, Day]:
        return {day.date: day for day in self.days}

    @cached_property
    def _seasons(self) -> dict[int, DateRange]:
        first = {day.season: day.date for day in reversed(self.days)}
        return {day.season: DateRange(first[day.season], day.date) for day in self.days}

    def covers(self, date_: date) -> bool:
        """Whether the schedule tells if there are games on a date.

        It does from the summer before a season that it has to the last day that it has of it, and in the summer after
        it. Of a season that it does not have it says nothing, even between two that it has.
        """
        known = any(self._known_from(season) <= date_ <= days.end for season, days in self._seasons.items())
        return known or (date_.month in _SUMMER and date_.year - 1 in self._seasons)

    def _known_from(self, season: int) -> date:
        return min(self._seasons[season].start, date(season, _SUMMER[0], 1))

    def gaps(self, dates: DateRange) -> list[DateRange]:
        """The parts of a range of which the schedule does not tell if there are games, in order."""
        days = [dates.start + timedelta(days=number) for number in range(dates.days)]
        runs = [list(run) for covered, run in groupby(days, self.covers) if not covered]
        return [DateRange(run[0], run[-1]) for run in runs]

    def unknown(self, dates: DateRange) -> str | None:
        """Why the schedule does not tell of all dates of a range if there are games; None where it does."""
        gaps = self.gaps(dates)
        if not gaps:
            return None
        ends = ", ".join(str(gap.start) if gap.days == 1 else f"{gap.start} to {gap.end}" for gap in gaps)
        if not self.days:
            return f"the schedule does not reach {ends}: it knows no game within a year of it"
        known = " and ".join(f"from {days.start} to {days.end}" for _, days in sorted(self._seasons.items()))
        return f"the schedule does not reach {ends}: it goes {known}"

    def slates(self, dates: DateRange) -> list[date]:
        """Days with games to play, or played."""
        return [day.date for day in self.days if dates.start <= day.date <= dates.end]

    def results(self, dates: DateRange) -> list[date]:
        """Days with at least one final game."""
        return [day.date for day in self.days if dates.start <= day.date <= dates.end and day.final]

    def next_slate(self, after: date) -> date | None:
        """The first day with games after a date."""
        at = bisect_right(self.days, after, key=_date)
        return self.days[at].date if at < len(self.days) else None

    def following(self, results: Iterable[date]) -> set[date]:
        """The first day with games after each of some dates."""
        return {slate for day in results if (slate := self.next_slate(day))}

    def season_around(self, date_: date) -> DateRange:
        """The season of a date, or of the first day with games after it; the date itself where there is none."""
        return self.season(date_ if self.day(date_) else self.next_slate(date_) or date_)

    def previous(self, slate: date) -> Day | None:
        """The last day with games before a slate, in its season."""
        here = self.day(slate)
        at = bisect_left(self.days, slate, key=_date)
        before = self.days[at - 1] if at else None
        return before if here and before and before.season == here.season else None

    def season_results_before(self, slates: list[date]) -> list[date]:
        """Days with final games before any of the slates, in the seasons of the slates."""
        if not slates:
            return []
        wanted = set(slates)
        seasons = {day.season for day in self.days if day.date in wanted}
        return [day.date for day in self.days if day.season in seasons and day.final and day.date < max(slates)]


def read(session: Session, dates: DateRange) -> Calendar:
    """The calendar of the seasons around some dates."""
    text = """-- uses: schedule
SELECT game_date, MIN(season_year), COUNT(*), COUNTIF(is_final)
FROM schedule
WHERE game_status != 4
GROUP BY game_date
ORDER BY game_date"""
    rows = session.query(compose(text), {"start_date": dates.start, "end_date": dates.end}).rows
    return Calendar(tuple(Day(*row) for row in rows))


def spans(dates: list[date], *, gap: int = 30) -> list[DateRange]:
    """Cut sorted dates into ranges, so that one statement does not run over months in which nothing is wanted."""
    cuts = [0]
    for before, after in pairwise(dates):
        cuts.append(cuts[-1] + (after - before > timedelta(days=gap)))
    groups = groupby(zip(cuts, dates, strict=False), key=itemgetter(0))
    parts = [[day for _, day in group] for _, group in groups]
    return [DateRange(part[0], part[-1]) for part in parts if part]


def nearest_slate(session: Session, day: date) -> date:
    """The first slate on or after a day, or the last one that the schedule knows.

    Raises:
        PreconditionFailed: the schedule is empty.
    """
    size = next(iter(session.sizes([SCHEDULE])), None)
    if size is None or size.first is None or size.last is None:
        raise PreconditionFailed("the schedule is empty", hint="nbactl data load DIR, or nbactl data sample")
    slates = read(session, DateRange(size.first, size.last)).slates(DateRange(size.first, size.last))
    return next((slate for slate in slates if slate >= day), slates[-1])
