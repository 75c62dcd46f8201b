"""What a processor reads for an output date, as content hashes: equal inputs need no second run.

A fingerprint is the SHA-256 of the canonical JSON list of `{date, hash, table}`, sorted by table and date, of every
table-date that the run reads. A computed table's hash is that of its stored rows, a raw table's was noted when it was
loaded; so nothing is read again, and a recomputation that gives equal rows stops there.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from hashlib import sha256
from itertools import accumulate

from processors import graph, statements
from processors.book import Book
from processors.calendar import Calendar
from processors.declaration import Dated, Processor, Relation
from shared.tables.raw import RAW_TABLES, SCHEDULE

_RAW = frozenset(table.name for table in RAW_TABLES)


class Kind(StrEnum):
    """Which dates of a table are read for an output date."""

    BEFORE = "season before"
    SAME = "date"
    CALENDAR = "calendar"
    """From the date on, and only what is known before the games."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One stretch of a table that a processor reads.

    Attributes:
        days: how many, from the date on; of no meaning for the season before it.
    """

    table: str
    kind: Kind
    days: int = 1


@cache
def readings(name: str) -> tuple[Reading, ...]:
    """What the processor of a name reads, sorted by table and date."""
    processor = _processor(name)
    ahead = 1 + max(one.days_ahead for one in processor.inputs)
    found = set()
    for one in processor.inputs:
        if one.table == SCHEDULE.name and processor.dated is Dated.SLATE:
            # how its own games end must not matter to a slate, nor how any later one does
            found |= {Reading(one.table, Kind.BEFORE), Reading(one.table, Kind.CALENDAR, ahead)}
        elif one.relation is Relation.HISTORY:
            found.add(Reading(one.table, Kind.BEFORE))
        elif one.relation is Relation.SAME_DATE or one.table == SCHEDULE.name:
            found.add(Reading(one.table, Kind.SAME))
    return tuple(sorted(found, key=lambda one: (one.table, one.kind is not Kind.BEFORE)))


def definition(processor: Processor) -> str:
    """SHA-256 (hex) of all that decides what a processor makes of its inputs.

    Its SQL with the shared definitions, its checks, expectations and inputs, and the static rows that it reads.
    """
    return _definition(processor.name)


@cache
def _definition(name: str) -> str:
    processor = _processor(name)
    static = [table.constant for one in processor.inputs if (table := graph.table(one.table)).constant]
    parts = (statements.candidate(processor), statements.broken_rows(processor), processor.inputs, static)
    return sha256(repr(parts).encode()).hexdigest()


def _processor(name: str) -> Processor:
    return next(one for one in graph.processors_in_order() if one.name == name)


class Inputs:
    """The inputs of every table-date, as the book has them at the moment."""

    def __init__(self, book: Book, calendar: Calendar) -> None:
        self._book = book
        self._calendar = calendar
        self._lines: dict[tuple[str, bool], tuple[int, _Line]] = {}

    def fingerprint(self, processor: Processor, day: date) -> str:
        """SHA-256 (hex) of what a run for the date would read now."""
        parts = [self._line(one).text(*self._dates(one, day)) for one in readings(processor.name)]
        return sha256(b"[" + b"".join(parts)[:-1] + b"]").hexdigest()

    def versions(self, processor: Processor, day: date) -> list[dict[str, object]]:
        """Per stretch that a run for the date would read now: dates that are there, rows, a hash over them."""
        found: list[dict[str, object]] = []
        for one in readings(processor.name):
            line, (start, end) = self._line(one), self._dates(one, day)
            days = line.between(start, end)
            found.append(
                {
                    "table": one.table,
                    "scope": str(one.kind),
                    "dates": len(days),
                    "rows": sum(self._rows(one.table, each) for each in days),
                    "hash": sha256(line.text(start, end)).hexdigest(),
                }
            )
        return found

    def newer(self, processor: Processor, day: date, table: str, micros: int) -> list[date]:
        """The dates of a table that a run for the date would read, and that were written after a moment."""
        return [
            other
            for one in readings(processor.name)
            if one.table == table
            for other in self._line(one).between(*self._dates(one, day))
            if self._written(table, other) > micros
        ]

    def _written(self, table: str, day: date) -> int:
        if table in _RAW:
            return self._book.raw[table, day].loaded_micros
        return self._book.made[table, day].finished_micros or 0

    def _dates(self, reading: Reading, day: date) -> tuple[date, date]:
        """The first date of a stretch, and the first after it."""
        if reading.kind is Kind.BEFORE:
            return self._calendar.season(day).start, day
        return day, day + timedelta(days=reading.days)

    def _line(self, reading: Reading) -> _Line:
        key, changes = (reading.table, reading.kind is Kind.CALENDAR), self._book.changes[reading.table]
        known = self._lines.get(key)
        if known is None or known[0] != changes:
            known = self._lines[key] = (changes, _Line(reading.table, self._hashes(*key)))
        return known[1]

    def _hashes(self, table: str, calendar_only: bool) -> dict[date, str]:  # noqa: FBT001 -- half of a key
        if table not in _RAW:
            return {day: run.output_hash or "" for (name, day), run in self._book.made.items() if name == table}
        versions = {day: one for (name, day), one in self._book.raw.items() if name == table}
        return {day: (one.calendar or "" if calendar_only else one.content) for day, one in versions.items()}

    def _rows(self, table: str, day: date) -> int:
        if table in _RAW:
            return self._book.raw[table, day].rows
        return self._book.made[table, day].rows_written or 0


class _Line:
    """The entries of one table in the order of their dates, so that any stretch of them is one slice."""

    def __init__(self, table: str, hashes: dict[date, str]) -> None:
        self._days = sorted(hashes)
        # what json.dumps with sorted keys and no spaces would give; names and hashes need no escapes
        entries = [f'{{"date":"{day}","hash":"{hashes[day]}","table":"{table}"}},'.encode() for day in self._days]
        self._text = b"".join(entries)
        self._offsets = [0, *accumulate(map(len, entries))]

    def text(self, start: date, end: date) -> bytes:
        first, last = self._ends(start, end)
        return self._text[self._offsets[first] : self._offsets[last]]

    def between(self, start: date, end: date) -> list[date]:
        first, last = self._ends(start, end)
        return self._days[first:last]

    def _ends(self, start: date, end: date) -> tuple[int, int]:
        return bisect_left(self._days, start), bisect_left(self._days, end)
