"""The calendar of the NBA: a game belongs to its US Eastern date, wherever the computer stands."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.errors import UsageError

EASTERN = ZoneInfo("America/New_York")

FIRST_DATE, LAST_DATE = date(1946, 1, 1), date(2100, 12, 31)
"""The dates that can be asked for: the league began in 1946, and reckoning around dates must not leave the calendar."""

_RELATIVE = {"yesterday": -1, "today": 0, "tomorrow": 1}


@dataclass(frozen=True, slots=True, order=True)
class DateRange:
    """The dates from `start` to `end`, both included.

    Raises:
        UsageError: the end lies before the start.
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise UsageError(
                f"the range ends on {self.end}, before it starts on {self.start}",
                hint=f"--start {self.end} --end {self.start}",
            )

    @property
    def days(self) -> int:
        """How many dates there are; never less than one."""
        return (self.end - self.start).days + 1

    def __str__(self) -> str:
        return f"{self.start} (1 day)" if self.days == 1 else f"{self.start} to {self.end} ({self.days} days)"


def utc_now() -> datetime:
    """Return this moment, aware of its zone; naive times are not used anywhere."""
    return datetime.now(UTC)


def today(now: datetime | None = None) -> date:
    """Return the US Eastern date of a moment, by default of this one.

    Raises:
        ValueError: the moment does not say its zone, so its date is anybody's guess.
    """
    moment = now or utc_now()
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(EASTERN).date()


def parse_date(text: str, now: datetime | None = None) -> date:
    """Read YYYY-MM-DD, or today, yesterday, tomorrow as seen from US Eastern.

    Raises:
        UsageError: the text is neither, there is no such day, or it is out of all reason.
    """
    if text in _RELATIVE:
        # Calendar days, not 24 hours: two days a year have 23 or 25.
        return today(now) + timedelta(days=_RELATIVE[text])
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat also reads 20250115 and 2025-W03-3; one spelling is enough.
    if day is None or day.isoformat() != text:
        raise UsageError(
            f"{text!r} is not a date",
            why="a date is written YYYY-MM-DD, or today, yesterday, tomorrow (US Eastern)",
            hint=f"for today: {today(now)}",
        )
    if not FIRST_DATE <= day <= LAST_DATE:
        raise UsageError(
            f"{day} is no date of a game",
            why=f"dates go from {FIRST_DATE.year} to {LAST_DATE.year}",
            hint=f"for today: {today(now)}",
        )
    return day
