"""Options that several commands share, so that they are spelled and behave alike everywhere."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import wraps
from typing import TypeVar

import click

from nbactl.option import option
from nbactl.render.tables import WRITERS
from shared.clock import EASTERN, DateRange, parse_date, utc_now
from shared.errors import UsageError


class EasternDate(click.ParamType[date]):
    """A US Eastern calendar date: YYYY-MM-DD, today, yesterday or tomorrow."""

    name = "date"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,  # noqa: ARG002
        ctx: click.Context | None,  # noqa: ARG002
    ) -> date:
        """Read the text; a default may already be a date."""
        return value if isinstance(value, date) else parse_date(str(value))


class Share(click.ParamType[float]):
    """A share of the whole: `20%`, or 0.2."""

    name = "share"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Read the text; a default may already be a number."""
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is no share, such as 20% or 0.2", param, ctx)
        return share


class Seconds(click.ParamType[float]):
    """A span: `5s`, `2m`, or a number of seconds."""

    name = "span"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Read the text; a default may already be a number."""
        text = str(value)
        units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
        number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
        if not number.replace(".", "", 1).isdecimal():
            self.fail(f"{text!r} is no span, such as 5s or 2m", param, ctx)
        return float(number) * unit


class Moment(click.ParamType[datetime]):
    """A point in time: a span ago (`2h`), a US Eastern date or one of its words, or a time as RFC 3339 has it.

    Args:
        end: whether a period ends there; one that ends on a date includes it.
    """

    name = "time"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> datetime:
        """Read the text; a default may already be a time."""
        if isinstance(value, datetime):
            return value
        text = str(value)
        try:
            if text[:1].isdecimal() and text[-1:] in "smhd":
                return utc_now() - timedelta(seconds=Seconds().convert(text, param, ctx))
            day = self._day(text)
            # without a zone a time is US Eastern, as every time that is printed
            moment = datetime.combine(day, time()) if day else datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=EASTERN)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is no time, such as 2h, yesterday, 2025-01-15 or 2025-01-15T22:30:00Z", param, ctx)

    def _day(self, text: str) -> date | None:
        try:
            return parse_date(text) + timedelta(days=self._end)
        except UsageError:
            return None


output_option = option(
    "-o",
    "--output",
    type=click.Choice(list(WRITERS)),
    default="table",
    show_default=True,
    help="How to print the result.",
)

dry_run_option = option("--dry-run", is_flag=True, help="Print what would be done and change nothing.")

announce_option = option(
    "--announce", is_flag=True, help="Publish what is written, so that the next phase takes it up."
)

processor_option = option(
    "--processor",
    "processors",
    metavar="NAME",
    multiple=True,
    help="Only this processor; may be given several times.",
)

R = TypeVar("R")

_DATE_OPTIONS = (
    option("--date", "day", type=EasternDate(), help="One day: YYYY-MM-DD, today, yesterday, tomorrow."),
    option("--start", type=EasternDate(), help="First day of a range."),
    option("--end", type=EasternDate(), help="Last day of a range, included."),
)


def dates_option(*, required: bool = True) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Add `--date`, `--start` and `--end`; the command receives one `dates: DateRange`.

    Args:
        required: whether no dates at all is an error; if it is not, `dates` may be None.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        @wraps(function)
        def command(*args: object, day: date | None, start: date | None, end: date | None, **rest: object) -> R:
            dates = _date_range(day, start, end)
            if required and dates is None:
                raise UsageError("no date is given", hint="--date yesterday, or --start DATE --end DATE")
            return function(*args, dates=dates, **rest)

        for add_option in reversed(_DATE_OPTIONS):
            command = add_option(command)
        return command

    return decorate


def _date_range(day: date | None, start: date | None, end: date | None) -> DateRange | None:
    if day and (start or end):
        raise UsageError("--date excludes --start and --end", hint=f"--date {day}")
    if day:
        return DateRange(day, day)
    if start and end:
        return DateRange(start, end)
    if start or end:
        raise UsageError(
            f"{'--start' if start else '--end'} needs {'--end' if start else '--start'}",
            why="a range has two ends, both included",
            hint=f"--start {start or 'DATE'} --end {end or 'DATE'}",
        )
    return None
