"""What the ledger says of some dates, read once and kept up to date while a request is carried out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import NamedTuple

from processors.declaration import Processor
from processors.graph import processors_in_order
from shared.clock import DateRange
from shared.ledger import (
    FAILED,
    FENCES,
    IS_UNANNOUNCED,
    NEWEST_FIRST,
    PROCESSOR_RUNS,
    RAW_VERSIONS,
    WROTE,
    Status,
    list_in_sql,
)
from shared.warehouse.base import Session

Key = tuple[str, date]
"""Bare table name and output date."""

ANNOUNCEMENT = f"""CASE
    WHEN {IS_UNANNOUNCED} THEN IF(publish_refused IS TRUE, 'refused', 'waiting')
    WHEN published_message_id IS NOT NULL THEN 'published'
    ELSE 'none'
  END"""
"""GoogleSQL: how the event of a run stands, as `Announcement` has it."""


class Announcement(StrEnum):
    """How the event stands that a run owes."""

    NONE = "none"
    """It owes none."""
    WAITING = "waiting"
    """It is not published yet."""
    REFUSED = "refused"
    """It breaks a limit of Pub/Sub, and is set aside."""
    PUBLISHED = "published"


class Run(NamedTuple):
    """One row of the ledger, as far as later runs depend on it; a tuple, for a season has thousands."""

    output_table: str
    game_date: date
    run_id: str
    status: Status
    announcement: Announcement
    reason_code: str | None
    reason: str | None
    trigger_source: str
    started_micros: int
    finished_micros: int | None
    rows_written: int | None
    rows_expected: int | None
    fingerprint: str | None
    definition: str
    output_hash: str | None
    attempt: int
    sequence: int | None
    noted_micros: int | None

    @property
    def finished_at(self) -> datetime | None:
        """When it ended, UTC; None while it has not."""
        return None if self.finished_micros is None else datetime.fromtimestamp(self.finished_micros / 1e6, UTC)

    @property
    def noted_at(self) -> datetime | None:
        """When the warehouse wrote the row, UTC; None where an earlier version wrote it."""
        return None if self.noted_micros is None else datetime.fromtimestamp(self.noted_micros / 1e6, UTC)

    @property
    def is_unannounced(self) -> bool:
        """Whether its rows are written and nobody was told."""
        return self.announcement is Announcement.WAITING or self.announcement is Announcement.REFUSED


@dataclass(frozen=True, slots=True)
class Version:
    """Content of a raw table for a date: all of it, and for the schedule what is known before the games."""

    rows: int
    content: str
    calendar: str | None
    loaded_micros: int


@dataclass
class Book:
    """The ledger of some dates.

    Attributes:
        dates: from the first of their season on.
        last: the newest run of every table and date, whatever became of it.
        ended: the newest run that has ended.
        made: the newest run whose rows the table holds.
        raw: the content of raw tables.
        failures: how many runs failed, by table, date, input fingerprint and definition.
        unannounced: the newest run of every table and date whose rows are written and announced to nobody.
        fences: how many times dates of each output table were exchanged.
        counted: the dates whose stored rows were counted.
        stored: rows that an output table holds, and the least and greatest run_id on them; absent where it holds none.
        changes: counts the changes of each table's content since the book was read.
    """

    dates: DateRange
    counted: DateRange
    last: dict[Key, Run] = field(default_factory=dict)
    ended: dict[Key, Run] = field(default_factory=dict)
    made: dict[Key, Run] = field(default_factory=dict)
    unannounced: dict[Key, Run] = field(default_factory=dict)
    fences: Counter[str] = field(default_factory=Counter)
    raw: dict[Key, Version] = field(default_factory=dict)
    stored: dict[Key, tuple[int, str, str]] = field(default_factory=dict)
    failures: Counter[tuple[str, date, str | None, str]] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)

    def note(self, runs: Iterable[Run]) -> None:
        """Enter runs that have ended."""
        for run in runs:
            key = (run.output_table, run.game_date)
            self.last[key] = self.ended[key] = run
            if run.status.failed:
                self.failures[*key, run.fingerprint, run.definition] += 1
            if run.status.wrote:
                self.made[key] = run
                if run.is_unannounced:
                    self.unannounced[key] = run
                self.stored.pop(key, None)
                if run.rows_written:
                    self.stored[key] = (run.rows_written, run.run_id, run.run_id)
                self.changes[run.output_table] += 1
                self.fences[run.output_table] = run.sequence or 0

    def rows(self, key: Key) -> int:
        """How many rows an output table holds for a date."""
        return self.stored.get(key, (0,))[0]

    def altered(self, key: Key) -> str | None:
        """How the stored rows differ from what was written; None where they do not, or were not counted."""
        if not self.counted.start <= key[1] <= self.counted.end:
            return None
        made, rows = self.made[key], self.rows(key)
        if rows != made.rows_written:
            return f"{rows} rows are stored, {made.rows_written} were written"
        if rows and self.stored[key][1:] != (made.run_id, made.run_id):
            return "some of its rows are of another run"
        return None


# a look-up costs a tenth of a call of the class, and a season has thousands of runs
_STATUSES = {str(status): status for status in Status}
_ANNOUNCEMENTS = {str(announcement): announcement for announcement in Announcement}


def read(session: Session, dates: DateRange, counted: DateRange | None = None) -> Book:
    """Everything that the ledger says of some dates.

    Args:
        session: on the warehouse.
        dates: from the first of their season on.
        counted: the dates whose stored rows to count; None for all. To count a season costs more than all the rest.
    """
    window = {"start_date": dates.start, "end_date": dates.end}
    book = Book(dates, counted or dates)
    for table, day, run_id, status, announcement, *rest in session.query(_RUNS, window).rows:
        run = Run(table, day, run_id, _STATUSES[status], _ANNOUNCEMENTS[announcement], *rest)
        book.last.setdefault((table, day), run)
        if run.status is not Status.RUNNING:
            book.ended.setdefault((table, day), run)
        if run.status.wrote:
            book.made.setdefault((table, day), run)
        if run.is_unannounced:
            book.unannounced.setdefault((table, day), run)
    book.fences.update(dict(session.query(f"SELECT output_table, sequence FROM {FENCES.id}").rows))
    for table, day, fingerprint, definition, count in session.query(_FAILURES, window).rows:
        book.failures[table, day, fingerprint, definition] = count
    book.raw = {(name, day): Version(*version) for name, day, *version in session.query(_VERSIONS, window).rows}
    counted_window = {"start_date": book.counted.start, "end_date": book.counted.end}
    counts = session.query(_stored(session.tables()), counted_window).rows
    book.stored = {(name, day): (rows, *runs) for name, day, rows, *runs in counts}
    return book


_RUNS = f"""SELECT
  output_table, game_date, run_id, status, {ANNOUNCEMENT} AS announcement, reason_code, reason, trigger_source,
  UNIX_MICROS(started_at) AS started,
  UNIX_MICROS(finished_at) AS finished, rows_written, rows_expected, input_fingerprint, definition_hash, output_hash,
  attempt, sequence, UNIX_MICROS(noted_at) AS noted
FROM {PROCESSOR_RUNS.id}
WHERE game_date BETWEEN @start_date AND @end_date
QUALIFY
  ROW_NUMBER() OVER (
    PARTITION BY
      output_table, game_date, status = 'RUNNING', status IN {list_in_sql(WROTE)},
      {IS_UNANNOUNCED}
    ORDER BY {NEWEST_FIRST}
  ) = 1
ORDER BY {NEWEST_FIRST}"""
"""The newest run of each table-date that has not ended, that failed, that wrote, and that wrote and told nobody."""

_FAILURES = f"""SELECT output_table, game_date, input_fingerprint, definition_hash, COUNT(*) AS failures
FROM {PROCESSOR_RUNS.id}
WHERE game_date BETWEEN @start_date AND @end_date AND status IN {list_in_sql(FAILED)}
GROUP BY output_table, game_date, input_fingerprint, definition_hash"""

_VERSIONS = f"""SELECT
  table_name, game_date, row_count, content_hash, calendar_hash, UNIX_MICROS(loaded_at) AS loaded
FROM {RAW_VERSIONS.id}
WHERE game_date BETWEEN @start_date AND @end_date"""


def _stored(there: Collection[str]) -> str:
    """Rows and runs of every output table that there is; of a warehouse without any, nothing."""
    nothing = "SELECT '' AS table_name, @start_date AS date, 0 AS row_count, '' AS first_run, '' AS last_run LIMIT 0"
    made = [one for one in processors_in_order() if one.output.id in there]
    return "\nUNION ALL\n".join(map(_stored_in, made)) or nothing


def _stored_in(processor: Processor) -> str:
    table = processor.output
    return f"""SELECT '{table.name}' AS table_name, {table.date_column} AS date, COUNT(*) AS row_count,
  MIN(run_id) AS first_run, MAX(run_id) AS last_run
FROM {table.id}
WHERE {table.date_column} BETWEEN @start_date AND @end_date
GROUP BY {table.date_column}"""
