"""Options that several commands share, so that they are spelled and behave alike everywhere."""

from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import TypeVar

import click

from nbactl.render.tables import WRITERS
from shared.clock import DateRange, parse_date
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


output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(list(WRITERS)),
    default="table",
    show_default=True,
    help="How to print the result.",
)

dry_run_option = click.option("--dry-run", is_flag=True, help="Print what would be done and change nothing.")

announce_option = click.option(
    "--announce", is_flag=True, help="Publish what is written, so that the next phase takes it up."
)

processor_option = click.option(
    "--processor",
    "processors",
    metavar="NAME",
    multiple=True,
    help="Only this processor; may be given several times.",
)

R = TypeVar("R")

_DATE_OPTIONS = (
    click.option("--date", "day", type=EasternDate(), help="One day: YYYY-MM-DD, today, yesterday, tomorrow."),
    click.option("--start", type=EasternDate(), help="First day of a range."),
    click.option("--end", type=EasternDate(), help="Last day of a range, included."),
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

        for option in reversed(_DATE_OPTIONS):
            command = option(command)
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
