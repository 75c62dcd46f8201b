"""When a processor must wait: a required input that it reads for the date is not complete, or not right any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum

from processors.book import Book, Key
from processors.calendar import Calendar
from processors.declaration import Input, Processor, Relation
from shared.ledger import COMPLETE, Status
from shared.tables.raw import RAW_TABLES, SCHEDULE

_RAW = frozenset(table.name for table in RAW_TABLES)


class Lack(Enum):
    """What an input lacks."""

    ROWS = "raw rows"
    GAMES = "games that have ended"
    RUN = "a complete run"
    CURRENCY = "a run on its inputs as they are now"


@dataclass(frozen=True, slots=True)
class Missing:
    """An input that a table-date waits for.

    Attributes:
        lack: what it lacks.
        table: bare name.
        date: of the input.
        games: how many games are to end, and how many there are; None where it lacks something else.
    """

    lack: Lack
    table: str
    date: date
    games: tuple[int, int] | None = None

    def __str__(self) -> str:
        if self.games:
            return f"{self.games[0]} of {self.games[1]} games of {self.date} to end"
        after = {Lack.ROWS: " to be loaded", Lack.CURRENCY: " to be computed again: its inputs changed"}
        return f"{self.table} {self.date}{after.get(self.lack, '')}"


@dataclass(frozen=True, slots=True)
class Gates:
    """What is known of inputs.

    Attributes:
        book: what the ledger says.
        calendar: the days with games.
        has_changed_inputs: whether what is stored of a table-date was made from other inputs than there are now.
    """

    book: Book
    calendar: Calendar
    has_changed_inputs: Callable[[Key], bool]

    def missing(self, processor: Processor, day: date, settled: Mapping[Key, Status] | None = None) -> list[Missing]:
        """The inputs that a date must wait for; none where it may be computed.

        A same-date input must be complete for the date and made from its inputs as they are now; a raw one must be
        there. A history input must be so for the previous day with games; older holes do not block, they show as
        missing games, and older dates that are stale make the date stale too once they are computed. The first slate
        of a season waits for no history.

        Args:
            processor: that would run.
            day: its output date.
            settled: what became of table-dates in the same request, whatever older runs say of them.
        """
        settled = settled or {}
        needed = [one for one in processor.inputs if one.required]
        same = (one for one in needed if one.relation is Relation.SAME_DATE)
        lacks = [lack for one in same for lack in self._missing(one, day, settled)]
        history = [one for one in needed if one.relation is Relation.HISTORY]
        if not history or not (previous := self.calendar.previous(day)):
            return lacks
        if previous.final < previous.games:
            games = (previous.games - previous.final, previous.games)
            return [*lacks, Missing(Lack.GAMES, SCHEDULE.name, previous.date, games)]
        made = (one for one in history if one.table not in _RAW)
        return lacks + [lack for one in made for lack in self._missing(one, previous.date, settled)]

    def _missing(self, needed: Input, day: date, settled: Mapping[Key, Status]) -> Iterator[Missing]:
        key = (needed.table, day)
        if needed.table in _RAW:
            if not any((name, day) in self.book.raw for name in (needed.table, needed.instead) if name):
                yield Missing(Lack.ROWS, *key)
        elif settled.get(key) is Status.NOT_READY or not self._is_complete(key):
            yield Missing(Lack.RUN, *key)
        elif key not in settled and self.has_changed_inputs(key):
            yield Missing(Lack.CURRENCY, *key)

    def _is_complete(self, key: Key) -> bool:
        """Whether the newest run that ended did so well; a run that died has changed nothing."""
        ended = self.book.ended.get(key)
        return ended is not None and ended.status in COMPLETE
