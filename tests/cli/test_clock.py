"""Dates are US Eastern, at midnight and on the two days that have no 24 hours."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import EASTERN, FIRST_DATE, LAST_DATE, DateRange, parse_date, today, utc_now
from shared.errors import UsageError


@pytest.mark.parametrize(
    ("utc", "eastern"),
    [
        ("2025-01-15T04:59:59", "2025-01-14"),  # winter: midnight is 05:00 UTC
        ("2025-01-15T05:00:00", "2025-01-15"),
        ("2025-06-15T03:59:59", "2025-06-14"),  # summer: 04:00 UTC
        ("2025-06-15T04:00:00", "2025-06-15"),
        ("2025-03-09T04:59:59", "2025-03-08"),  # the clock goes forward at two: 23 hours
        ("2025-03-09T05:00:00", "2025-03-09"),
        ("2025-03-10T03:59:59", "2025-03-09"),
        ("2025-03-10T04:00:00", "2025-03-10"),
        ("2025-11-02T03:59:59", "2025-11-01"),  # and back: 25 hours
        ("2025-11-02T04:00:00", "2025-11-02"),
        ("2025-11-03T04:59:59", "2025-11-02"),
        ("2025-11-03T05:00:00", "2025-11-03"),
    ],
)
def test_today_turns_at_midnight_in_new_york(utc: str, eastern: str) -> None:
    now = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert today(now) == parse_date("today", now) == date.fromisoformat(eastern)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_yesterday_and_tomorrow_are_calendar_days(now: datetime) -> None:
    assert parse_date("tomorrow", now) - today(now) == timedelta(days=1)
    assert today(now) - parse_date("yesterday", now) == timedelta(days=1)


def test_a_moment_without_zone_has_no_date() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        today(datetime(2025, 1, 15))  # noqa: DTZ001


def test_now_knows_its_zone() -> None:
    assert utc_now().tzinfo is UTC
    assert str(EASTERN) == "America/New_York"


@given(st.dates(FIRST_DATE, LAST_DATE))
def test_iso_dates_are_read_as_written(day: date) -> None:
    assert parse_date(day.isoformat()) == day


@pytest.mark.parametrize("text", ["0001-01-01", "1945-12-31", "2101-01-01", "9999-12-31"])
def test_a_date_out_of_all_reason_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"{text} is no date of a game"):
        parse_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20250115",
        "2025-W03-3",
        "2025-02-29",
        "01/15/2025",
        "2025-1-15",
        "Today",
        "\u0662\u0660\u0662\u0665-\u0660\u0661-\u0661\u0665",
    ],
)
def test_what_is_no_date_says_how_to_write_one(text: str) -> None:
    with pytest.raises(UsageError, match="is not a date") as caught:
        parse_date(text)
    assert "YYYY-MM-DD" in (caught.value.why or "")
    assert caught.value.hint


@given(st.dates(), st.dates())
def test_range_counts_both_ends(start: date, end: date) -> None:
    if end < start:
        with pytest.raises(UsageError, match="before it starts"):
            DateRange(start, end)
    else:
        assert DateRange(start, end).days == (end - start).days + 1


def test_range_in_words() -> None:
    first, last = date(2025, 1, 1), date(2025, 1, 31)
    assert str(DateRange(first, last)) == "2025-01-01 to 2025-01-31 (31 days)"
    assert str(DateRange(first, first)) == "2025-01-01 (1 day)"
