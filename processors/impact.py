"""What a correction of one table-date makes stale."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from processors import calendar as calendars
from processors import graph, survey
from processors.calendar import Calendar
from processors.declaration import Processor
from processors.inputs import Kind, Reading, readings
from processors.survey import Survey
from shared.clock import DateRange
from shared.tables.model import Table
from shared.warehouse.base import Session

_AHEAD = timedelta(days=max(one.days for processor in graph.processors_in_order() for one in readings(processor.name)))


@dataclass(frozen=True, slots=True)
class Impact:
    """The computed dates of one table that a correction reaches.

    Attributes:
        reads: the changed inputs through which it is reached.
    """

    processor: Processor
    dates: tuple[date, ...]
    reads: tuple[str, ...]


def impact(session: Session, table: Table, day: date) -> list[Impact]:
    """Everything computed that a correction of a table on a date makes stale, in dependency order.

    Where a recomputation comes out equal, what follows it will not be computed again; so this is the most there can be.
    """
    season = calendars.read(session, DateRange(day, day)).season_around(day)
    # the slates just before the date look ahead to it
    seen = survey.take(session, DateRange(day - _AHEAD, max(day, season.end)))
    changed: dict[str, set[date]] = {table.name: {day}}
    found = []
    for processor in graph.processors_in_order():
        if processor.output.name != table.name and (one := _reached(seen, processor, changed)):
            changed[processor.output.name] = set(one.dates)
            found.append(one)
    return found


def _reached(seen: Survey, processor: Processor, changed: dict[str, set[date]]) -> Impact | None:
    made = sorted(day for name, day in seen.book.made if name == processor.output.name)
    hit = [one for one in readings(processor.name) if one.table in changed]
    dates = tuple(day for day in made if any(_reads(seen.calendar, one, day, changed[one.table]) for one in hit))
    return Impact(processor, dates, tuple(dict.fromkeys(one.table for one in hit))) if dates else None


def _reads(calendar: Calendar, reading: Reading, day: date, changed: set[date]) -> bool:
    if reading.kind is Kind.BEFORE:
        start = calendar.season(day).start
        return any(start <= one < day for one in changed)
    return any(day <= one < day + timedelta(days=reading.days) for one in changed)
