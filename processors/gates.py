"""When a processor must wait: a required input that it reads for the date is not complete."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from processors.book import Book, Key
from processors.calendar import Calendar
from processors.declaration import Input, Processor, Relation
from shared.ledger import COMPLETE
from shared.tables.raw import RAW_TABLES

_RAW = frozenset(table.name for table in RAW_TABLES)


def lacking(
    book: Book, calendar: Calendar, processor: Processor, day: date, waiting: Collection[Key] = ()
) -> list[str]:
    """What a date must wait for; nothing where it may be computed.

    A same-date input must be complete for the date; a raw one must be there. A history input must be complete for the
    previous day with games; older holes do not block, they show as missing games. The first slate of a season waits
    for no history.

    Args:
        book: what the ledger says.
        calendar: the days with games.
        processor: that would run.
        day: its output date.
        waiting: what waits in the same request, and so is not complete, whatever an older run says of it.
    """
    needed = [one for one in processor.inputs if one.required]
    needs = [said for one in needed if one.relation is Relation.SAME_DATE for said in _missing(book, one, day, waiting)]
    history = [one for one in needed if one.relation is Relation.HISTORY]
    if not history or not (previous := calendar.previous(day)):
        return needs
    if previous.final < previous.games:
        return [*needs, f"{previous.games - previous.final} of {previous.games} games of {previous.date} to end"]
    made = [one for one in history if one.table not in _RAW]
    return needs + [said for one in made for said in _missing(book, one, previous.date, waiting)]


def _missing(book: Book, needed: Input, day: date, waiting: Collection[Key]) -> list[str]:
    if needed.table in _RAW:
        loaded = any((name, day) in book.raw for name in (needed.table, needed.instead) if name)
        return [] if loaded else [f"{needed.table} {day} to be loaded"]
    complete = (needed.table, day) not in waiting and _complete(book, (needed.table, day))
    return [] if complete else [f"{needed.table} {day}"]


def _complete(book: Book, key: Key) -> bool:
    """Whether the newest run that ended did so well; a run that died has changed nothing."""
    ended = book.ended.get(key)
    return ended is not None and ended.status in COMPLETE
