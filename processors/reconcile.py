"""Leftovers and how they are repaired: runs that died, rows changed otherwise than by a load or a run, events owed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from processors import graph, outbox, runner, survey
from processors.declaration import Processor
from processors.request import Outcome, Request, Trigger, Work
from processors.survey import State, Survey
from shared import versions
from shared.border import border
from shared.clock import DateRange
from shared.ledger import PROCESSOR_RUNS, RAW_VERSIONS
from shared.warehouse.base import EMPTY, Session

FORCE = "rows changed outside of nbactl"


class Kind(StrEnum):
    """What can be left over."""

    LOST = "run died"
    ALTERED = "rows changed outside of nbactl"
    UNNOTED = "raw rows changed outside of a load"
    UNSAID = "announcement owed"


@dataclass(frozen=True, slots=True)
class Leftover:
    """One table-date to repair.

    Attributes:
        processor: that makes the table; None for a raw one.
        found: what is there, in words.
    """

    kind: Kind
    table: str
    date: date
    found: str
    processor: Processor | None = None


def leftovers(session: Session) -> list[Leftover]:
    """Everything to repair; changes nothing."""
    seen = _everything(session)
    unsaid = [
        Leftover(Kind.UNSAID, one.table, one.date, f"what was written is not announced on {one.topic}")
        for one in outbox.read_all(session)
    ]
    unnoted = [
        Leftover(Kind.UNNOTED, name, day, "its content is not the one that was noted")
        for name, days in versions.unnoted(session).items()
        for day in days
    ]
    if seen is None:
        return [*unnoted, *unsaid]
    lost = list(_lost(seen))
    died = {(one.table, one.date) for one in lost}
    altered = [one for one in _altered(session, seen) if (one.table, one.date) not in died]
    return [*unnoted, *lost, *altered, *unsaid]


def repair(session: Session, found: Sequence[Leftover], watch: runner.Watch) -> list[Outcome]:
    """Note raw content as it is, and compute what died or was changed again.

    Returns:
        The outcome of every run; other dates that became stale are left to a backfill, announcements to the outbox.
    """
    border("reconcile.found")
    versions.renew_all(session)
    border("reconcile.noted")
    outcomes = []
    for kind, force in ((Kind.LOST, None), (Kind.ALTERED, FORCE)):
        work = _work([one for one in found if one.kind is kind])
        seen = _everything(session)
        if work and seen:
            outcomes += runner.run(session, seen, Request(work, Trigger("reconcile"), force=force), watch)
        border("reconcile.repaired")
    return outcomes


def stale(session: Session) -> DateRange | None:
    """The dates on which anything computed is no longer right: the ends of their range; None where there are none."""
    seen = _everything(session)
    if seen is None:
        return None
    makers = {one.output.name: one for one in graph.processors_in_order()}
    dates = [day for name, day in seen.book.made if name in makers and seen.stale(makers[name], day)]
    return DateRange(min(dates), max(dates)) if dates else None


def _work(found: Sequence[Leftover]) -> tuple[Work, ...]:
    dates: dict[str, list[date]] = {}
    for one in found:
        dates.setdefault(one.table, []).append(one.date)
    made = graph.processors_in_order()
    return tuple((one, tuple(sorted(dates[one.output.name]))) for one in made if one.output.name in dates)


def _everything(session: Session) -> Survey | None:
    """A survey of all dates that the ledger knows; None where it knows none."""
    text = f"""SELECT MIN(game_date), MAX(game_date)
FROM (
  SELECT game_date FROM {PROCESSOR_RUNS.id} WHERE game_date >= DATE '1946-01-01'
  UNION ALL
  SELECT game_date FROM {RAW_VERSIONS.id} WHERE game_date >= DATE '1946-01-01'
)"""
    ((first, last),) = session.query(text).rows
    return survey.take(session, DateRange(first, last)) if first else None


def _lost(seen: Survey) -> Iterator[Leftover]:
    for processor in graph.processors_in_order():
        for name, day in list(seen.book.last):
            if name == processor.output.name and seen.standing(processor, day).state is State.LOST:
                run = seen.book.last[name, day]
                yield Leftover(Kind.LOST, name, day, f"run {run.run_id} began and never ended", processor)


def _altered(session: Session, seen: Survey) -> Iterator[Leftover]:
    """Dates whose stored rows are not those that the last run left there."""
    window = {"start_date": seen.book.dates.start, "end_date": seen.book.dates.end}
    for processor in graph.processors_in_order():
        name = processor.output.name
        stored = session.digests(processor.output.content, window)
        made = {day: run for (table, day), run in seen.book.made.items() if table == name}
        for day in sorted({*stored, *made}):
            there = stored.get(day, EMPTY)
            if day not in made:
                yield Leftover(Kind.ALTERED, name, day, f"{there.rows} rows that no run wrote", processor)
            elif there.hash != made[day].output_hash:
                written = made[day].rows_written
                yield Leftover(Kind.ALTERED, name, day, f"{there.rows} rows, not the {written} written", processor)
