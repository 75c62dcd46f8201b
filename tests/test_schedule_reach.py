"""Of which dates the schedule tells if there are games: one answer, whoever asks."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.calendar import Calendar, Day
from processors.handling import Decision
from shared.clock import DateRange
from shared.tables.raw import PLAYER_BOX
from tests.builders import FINAL_DATES, SLATE
from tests.test_handling import Pipeline, loaded
from tests.test_handling import pipeline as pipeline  # noqa: PLC0414 -- a fixture

_OPENING = (10, 15)
_ONE_DAY = timedelta(days=1)


@st.composite
def schedules(draw: st.DrawFn) -> Calendar:
    """A few seasons, some of them missing, each with some days from October on."""
    offsets = st.sets(st.integers(0, 250), min_size=1, max_size=6)
    seasons = sorted(draw(st.sets(st.integers(2019, 2026), max_size=4)))
    dates = [(season, timedelta(days=offset)) for season in seasons for offset in sorted(draw(offsets))]
    final = st.integers(0, 5)
    return Calendar(tuple(Day(date(season, *_OPENING) + after, season, 5, draw(final)) for season, after in dates))


def ranges(longest: int = 900) -> st.SearchStrategy[DateRange]:
    starts = st.dates(date(2018, 1, 1), date(2028, 12, 31))
    return st.builds(
        lambda start, days: DateRange(start, start + timedelta(days=days)), starts, st.integers(0, longest)
    )


def dates_of(range_: DateRange) -> list[date]:
    return [range_.start + timedelta(days=number) for number in range(range_.days)]


@given(schedules(), ranges())
def test_gaps_and_what_is_covered_are_the_whole_range_and_nothing_twice(calendar: Calendar, asked: DateRange) -> None:
    gaps = calendar.gaps(asked)
    left_out = [day for gap in gaps for day in dates_of(gap)]
    assert sorted({*left_out, *(day for day in dates_of(asked) if calendar.covers(day))}) == dates_of(asked)
    assert not any(calendar.covers(day) for day in left_out)
    assert all(before.end + _ONE_DAY < after.start for before, after in pairwise(gaps))
    assert (calendar.unknown(asked) is None) == (gaps == [])


@given(schedules())
def test_a_day_with_games_and_all_between_two_of_a_season_are_covered(calendar: Calendar) -> None:
    for before, after in pairwise(calendar.days):
        if before.season == after.season:
            assert calendar.gaps(DateRange(before.date, after.date)) == []
    assert all(calendar.covers(day.date) for day in calendar.days)


@given(schedules(), st.integers(2019, 2026))
def test_of_a_season_that_it_does_not_have_the_schedule_says_nothing(calendar: Calendar, season: int) -> None:
    missing = season not in {day.season for day in calendar.days}
    winter = DateRange(date(season, 10, 1), date(season + 1, 6, 30))
    others = {day.date for day in calendar.days}
    if missing and not others & set(dates_of(winter)):
        assert calendar.gaps(winter) == [winter]


@given(schedules(), st.integers(2019, 2026), st.integers(0, 250))
def test_another_game_makes_nothing_unknown(calendar: Calendar, season: int, offset: int) -> None:
    new = Day(date(season, *_OPENING) + timedelta(days=offset), season, 1, 0)
    more = Calendar(tuple(sorted({day.date: day for day in (*calendar.days, new)}.values(), key=lambda day: day.date)))
    everything = DateRange(date(2018, 1, 1), date(2028, 12, 31))
    assert {day for day in dates_of(everything) if calendar.covers(day)} <= {
        day for day in dates_of(everything) if more.covers(day)
    }


@pytest.mark.parametrize("day", [date(2019, 1, 15), SLATE + _ONE_DAY, date(2030, 1, 1)])
def test_a_service_does_not_say_that_there_are_no_games_where_it_cannot_tell(pipeline: Pipeline, day: date) -> None:
    answer = pipeline.push(3, loaded(PLAYER_BOX.name, day))
    assert (answer.http_status, answer.decision) == (200, Decision.NOT_READY)
    assert answer.reason is not None
    assert f"the schedule does not reach {day}" in answer.reason
    between = pipeline.push(3, loaded(PLAYER_BOX.name, FINAL_DATES[0] + _ONE_DAY), message_id="2")
    assert between.decision is not Decision.NOT_READY
