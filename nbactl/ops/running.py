"""What `run-analytics` and `run-precompute` do: resolve dates, plan, run, sum up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter

from processors import calendar, graph
from processors.calendar import Calendar
from processors.declaration import Dated, Processor
from processors.runner import Outcome, Request
from shared import ledger
from shared.clock import DateRange
from shared.errors import NbactlError, PartlyFailed, PreconditionFailed
from shared.ledger import Status
from shared.tables.raw import SCHEDULE
from shared.warehouse.base import Session


@dataclass(frozen=True, slots=True)
class Plan:
    """What a command is going to compute.

    Attributes:
        asked: the dates as typed.
        calendar: the days with games around them.
        request: what the runner gets.
        resolved: the dates in words.
        next_slate: where to look when the dates have no games.
    """

    asked: DateRange
    calendar: Calendar
    request: Request
    resolved: str
    next_slate: date | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compute."""
        return not (self.request.results or self.request.slates)

    def steps(self) -> Iterator[dict[str, object]]:
        """Each processor and the dates it would compute."""
        for processor in self.request.processors:
            dates = self.request.dates(processor)
            if dates:
                yield {"processor": processor.name, "table": processor.output.id, **_ends(dates)}


def plan_analytics(session: Session, dates: DateRange, names: Sequence[str], *, allow_incomplete: bool) -> Plan:
    """Results of the dates' games, and the contexts of the slates that follow each of them."""
    days = _calendar(session, dates)
    results = days.results(dates)
    following = sorted({slate for day in results if (slate := days.next_slate(day))})
    request = Request(graph.select(names, [3]), tuple(results), tuple(following), allow_incomplete=allow_incomplete)
    said = f"results of {_said(results)} -> {_slates_said(following)}"
    return Plan(dates, days, request, said, days.next_slate(dates.end))


def plan_precompute(session: Session, dates: DateRange, names: Sequence[str], *, allow_incomplete: bool) -> Plan:
    """Everything for the games on the dates: results that were never computed, contexts, Phase 4."""
    days = _calendar(session, dates)
    slates = days.slates(dates)
    chosen = graph.select(names, [3, 4])
    results = [] if names else _never_computed(session, days.season_results_before(slates), chosen)
    if names and any(one.dated is Dated.RESULTS for one in chosen):
        results = days.results(dates)
    request = Request(chosen, tuple(results), tuple(slates), allow_incomplete=allow_incomplete)
    said = (f"results of {_said(results)} -> " if results else "") + _slates_said(slates)
    return Plan(dates, days, request, said, days.next_slate(dates.end))


def summary(outcomes: Sequence[Outcome]) -> Iterator[dict[str, object]]:
    """A row per processor and status: its dates together."""
    sorted_by_status = sorted(outcomes, key=attrgetter("processor.level", "processor.short", "status"))
    for (processor, status), group in groupby(sorted_by_status, attrgetter("processor", "status")):
        ones = list(group)
        high, medium, low = (sum(tier) for tier in zip(*(one.tiers for one in ones), strict=True))
        yield {
            "processor": processor.name,
            "status": str(status),
            "dates": _span([one.date for one in ones]),
            "rows": sum(one.rows for one in ones),
            "expected": sum(one.expected for one in ones),
            "quality": f"{high}/{medium}/{low}",
            # the dates of one statement share its seconds
            "seconds": sum({one.seconds for one in ones}),
        }


def records(outcomes: Sequence[Outcome]) -> Iterator[dict[str, object]]:
    """A row per processor and date, for machines."""
    for one in outcomes:
        high, medium, low = one.tiers
        yield {
            "processor": one.processor.name,
            "table": one.processor.output.id,
            "date": one.date,
            "status": str(one.status),
            "rows": one.rows,
            "expected": one.expected,
            "missing": list(one.missing),
            "quality": {"high": high, "medium": medium, "low": low},
            "production_ready": one.ready,
            "issues": dict(one.issues),
            "reason_code": one.reason_code,
            "reason": one.reason,
            "seconds": one.seconds,
        }


def verdict(outcomes: Sequence[Outcome], command: str) -> NbactlError | None:
    """The error that a command ends with, or None where all went well.

    A run that wrote some dates and not others is partly failed.
    """
    failed = [one for one in outcomes if one.status is Status.FAILED_PERMANENT]
    waiting = [one for one in outcomes if one.status is Status.NOT_READY]
    if not (failed or waiting):
        return None
    first = (failed or waiting)[0]
    wrote = any(one.status.wrote for one in outcomes)
    kind = PartlyFailed if wrote else (NbactlError if failed else PreconditionFailed)
    what = f"{first.processor.name} {first.date}: {str(first.status).lower().replace('_', ' ')}"
    more = len(failed) + len(waiting) - 1
    return kind(
        what + (f", and {more} more" if more else ""),
        why=first.reason,
        hint=_hint(first, command),
    )


def _hint(outcome: Outcome, command: str) -> str:
    if outcome.status is Status.FAILED_PERMANENT:
        return f"mend the raw rows, nbactl data load them again, then {command}"
    return f"load what is missing, or {command} --allow-incomplete to run on what is there"


def _calendar(session: Session, dates: DateRange) -> Calendar:
    days = calendar.read(session, dates)
    if not days.days and not any(size.rows for size in session.sizes([SCHEDULE])):
        raise PreconditionFailed("the schedule is empty", hint="nbactl data load DIR, or nbactl data sample")
    return days


def _never_computed(session: Session, dates: list[date], chosen: tuple[Processor, ...]) -> list[date]:
    made = [one.output.name for one in chosen if one.dated is Dated.RESULTS]
    known = ledger.latest(session, dates)
    return [day for day in dates if any((name, day) not in known for name in made)]


def _span(dates: Sequence[date]) -> str:
    return str(dates[0]) if len(dates) == 1 else f"{min(dates)}..{max(dates)} ({len(dates)})"


def _ends(dates: Sequence[date]) -> dict[str, object]:
    return {"dates": len(dates), "first": min(dates), "last": max(dates)}


def _said(dates: Sequence[date]) -> str:
    if len(dates) <= 1:
        return str(dates[0]) if dates else "no date"
    return f"{dates[0]} to {dates[-1]} ({len(dates)} dates)"


def _slates_said(dates: Sequence[date]) -> str:
    return f"slate{'s' if len(dates) > 1 else ''} {_said(dates)}" if dates else "no slate known yet"
