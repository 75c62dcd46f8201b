"""The one way to a table: gate, compute, check, exchange and record.

Whoever asks, for one date or a season, a request passes through here. A processor computes all its dates in one
statement; each date is checked, exchanged and recorded for itself, in one transaction with its ledger row.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from time import perf_counter
from typing import Any

from processors import gates, graph, statements
from processors.calendar import Calendar, spans
from processors.declaration import Dated, Processor
from shared.clock import today, utc_now
from shared.ledger import COMPLETE, PROCESSOR_RUNS, Status
from shared.tables.model import Table
from shared.version import code_version
from shared.warehouse.base import Exchange, Session

_NAMED = 50
"""How many missing ids a ledger row names; the rest is counted."""
_SHOWN = 3
"""How many rows a sentence names."""


@dataclass(frozen=True)
class Request:
    """What to compute.

    Attributes:
        processors: in dependency order.
        results: dates of results tables, in order.
        slates: dates of slate tables, in order.
        as_of: the moment after which no line or report is seen, UTC.
        trigger: who asks, as the ledger names it.
        allow_incomplete: run on incomplete inputs, and say so.
        request_id: groups the runs.
    """

    processors: tuple[Processor, ...]
    results: tuple[date, ...]
    slates: tuple[date, ...]
    as_of: datetime = field(default_factory=utc_now)
    trigger: str = "cli"
    allow_incomplete: bool = False
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def dates(self, processor: Processor) -> tuple[date, ...]:
        """The output dates of one processor."""
        return self.results if processor.dated is Dated.RESULTS else self.slates


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one processor fared for one date.

    Attributes:
        rows: stored rows; 0 where nothing was written.
        expected: rows that should be there.
        missing: ids of expected rows that are not, at most 50.
        tiers: rows by data quality tier: high, medium, low.
        issues: issue codes and the rows that carry them.
        seconds: wall time of the statement, shared by the dates of its range.
    """

    processor: Processor
    date: date
    status: Status
    rows: int = 0
    expected: int = 0
    missing: tuple[str, ...] = ()
    tiers: tuple[int, int, int] = (0, 0, 0)
    issues: Mapping[str, int] = field(default_factory=dict)
    ready: int = 0
    reason_code: str | None = None
    reason: str | None = None
    seconds: float = 0.0


Watch = Callable[[str, int], None]


def run(session: Session, calendar: Calendar, request: Request, watch: Watch) -> list[Outcome]:
    """Carry out a request.

    Args:
        session: a writing session.
        calendar: the days with games around the request's dates.
        request: what to compute.
        watch: told what is being computed, and that one more processor is done.

    Returns:
        An outcome per processor and date. A failed check is an outcome; an error of the engine is raised.
    """
    outcomes: list[Outcome] = []
    for processor in request.processors:
        dates = request.dates(processor)
        waiting = {(one.processor.output.name, one.date) for one in outcomes if one.status is Status.NOT_READY}
        lacking = gates.closed(session, calendar, processor, dates, waiting)
        closed = {} if request.allow_incomplete else lacking
        outcomes += [_not_ready(processor, day, needs) for day, needs in closed.items()]
        for span in spans([day for day in dates if day not in closed]):
            watch(f"{processor.output.name} {span}", 0)
            wanted = [day for day in dates if span.start <= day <= span.end and day not in closed]
            outcomes += _compute(session, request, processor, wanted, lacking)
        if dates:
            watch(processor.output.name, 1)
    return outcomes


def _compute(
    session: Session, request: Request, processor: Processor, dates: list[date], lacking: Mapping[date, list[str]]
) -> list[Outcome]:
    started, clock = utc_now(), perf_counter()
    parameters = {"start_date": dates[0], "end_date": dates[-1], "as_of": request.as_of}
    session.stage(statements.candidate(processor), parameters)
    judged = [_degraded(one, lacking.get(one.date, [])) for one in _judge(session, processor, dates, parameters)]
    run_ids = {one.date: uuid.uuid4().hex for one in judged if one.status.ran}
    stamps = {one.date: _stamps(run_ids[one.date]) for one in judged if one.status.wrote}
    seconds = perf_counter() - clock
    outcomes = [replace(one, seconds=seconds) for one in judged]
    records = [_record(one, run_ids[one.date], request, started) for one in outcomes if one.status.ran]
    session.exchange(Exchange(processor.output, stamps, (PROCESSOR_RUNS, records)))
    return outcomes


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the staged rows of one date are: the counts of `statements.counts` and what is wrong with them."""

    row_count: int = 0
    high: int = 0
    medium: int = 0
    ready: int = 0
    expected: int = 0
    missing: tuple[str, ...] = ()
    broken: tuple[str, str] | None = None
    stored: int = 0


def _judge(
    session: Session, processor: Processor, dates: list[date], parameters: Mapping[str, Any]
) -> Iterator[Outcome]:
    """What the staged rows of each date amount to."""
    issues: dict[date, dict[str, int]] = {}
    for day, code, rows in session.query(statements.issue_counts(processor)).rows:
        issues.setdefault(day, {})[code] = rows
    for day, facts in _facts(session, processor, dates, parameters).items():
        status, code, reason = _verdict(processor, facts)
        yield Outcome(
            processor,
            day,
            status,
            rows=facts.row_count if status.wrote else 0,
            expected=facts.expected,
            missing=facts.missing[:_NAMED],
            tiers=(facts.high, facts.medium, facts.row_count - facts.high - facts.medium),
            issues=issues.get(day, {}),
            ready=facts.ready,
            reason_code=code,
            reason=reason,
        )


def _facts(
    session: Session, processor: Processor, dates: list[date], parameters: Mapping[str, Any]
) -> dict[date, _Facts]:
    counts = {row.pop("date"): row for row in session.query(statements.counts(processor)).records()}
    wanted = {day: rest for day, *rest in session.query(statements.expected(processor), parameters).rows}
    broken = _broken(session, processor) if any(row["broken"] for row in counts.values()) else {}
    stored = _stored(session, processor, dates) if any(day not in counts for day in dates) else {}
    facts = {}
    for day in dates:
        count = {name: value for name, value in counts.get(day, {}).items() if name != "broken"}
        expected, missing = wanted.get(day, (0, None))
        facts[day] = _Facts(
            **count,
            expected=expected,
            missing=tuple(missing or ()),
            broken=broken.get(day),
            stored=stored.get(day, 0),
        )
    return facts


def _verdict(processor: Processor, facts: _Facts) -> tuple[Status, str | None, str | None]:
    """The status of a date, its reason as a code, and in words."""
    rows, expected, missing = facts.row_count, facts.expected, facts.missing
    if facts.broken:
        return Status.FAILED_PERMANENT, *facts.broken
    if not rows and facts.stored:
        reason = f"{facts.stored} rows are stored and none could be computed; the stored ones stay"
        return Status.FAILED_PERMANENT, "would_empty", reason
    if not rows and expected:
        required = ", ".join(one.table for one in processor.inputs if one.required)
        return Status.NOT_READY, "inputs_missing", f"none of {expected} expected rows; it needs {required}"
    if not rows:
        return Status.SUCCESS_EMPTY, "empty_ok", "no row is expected"
    if missing:
        return Status.DEGRADED, "rows_missing", f"{len(missing)} of {expected} rows are missing: {_some(missing)}"
    return Status.SUCCESS, None, None


def _some(names: Sequence[str]) -> str:
    """The first few of many names: enough to look."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _broken(session: Session, processor: Processor) -> dict[date, tuple[str, str]]:
    """Per date, the first hard check that fails and a sentence that names rows."""
    found: dict[date, dict[str, list[str]]] = {}
    for day, row, codes in session.query(statements.broken_rows(processor)).rows:
        for code in codes.split(","):
            found.setdefault(day, {}).setdefault(code, []).append(row)
    return {day: (min(codes), _broken_said(codes)) for day, codes in found.items()}


def _broken_said(codes: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{len(rows)} rows fail {code}: {_some(sorted(rows))}" for code, rows in sorted(codes.items()))


def _stored(session: Session, processor: Processor, dates: list[date]) -> dict[date, int]:
    column = processor.output.date_column
    text = f"""SELECT {column}, COUNT(*)
FROM {processor.output.id}
WHERE {column} BETWEEN @start_date AND @end_date
GROUP BY {column}"""
    return dict(session.query(text, {"start_date": dates[0], "end_date": dates[-1]}).rows)


def _degraded(outcome: Outcome, needs: list[str]) -> Outcome:
    """What was made on incomplete inputs is nothing to build upon, even if every expected row is there."""
    if not (needs and outcome.status in COMPLETE):
        return outcome
    reason = f"ran on incomplete inputs: {', '.join(needs)}"
    return replace(outcome, status=Status.DEGRADED, reason_code="inputs_incomplete", reason=reason)


def _not_ready(processor: Processor, day: date, needs: list[str]) -> Outcome:
    reason = f"waits for {', '.join(needs)}"
    return Outcome(processor, day, Status.NOT_READY, reason_code="inputs_incomplete", reason=reason)


def _stamps(run_id: str) -> dict[str, object]:
    return {"run_id": run_id, "code_version": code_version(), "processed_at": utc_now()}


def _record(outcome: Outcome, run_id: str, request: Request, started: datetime) -> dict[str, object]:
    return {
        "run_id": run_id,
        "run_date": today(started),
        "processor_name": outcome.processor.name,
        "phase": outcome.processor.phase,
        "output_table": outcome.processor.output.name,
        "game_date": outcome.date,
        "status": str(outcome.status),
        "reason_code": outcome.reason_code,
        "reason": outcome.reason,
        "trigger_source": request.trigger,
        "request_id": request.request_id,
        "code_version": code_version(),
        "rows_expected": outcome.expected,
        "rows_written": outcome.rows,
        "rows_production_ready": outcome.ready if outcome.processor.phase > 3 else None,  # noqa: PLR2004 -- Phase 4 on
        "missing": list(outcome.missing),
        "issue_counts": json.dumps(dict(outcome.issues)),
        "started_at": started,
        "finished_at": utc_now(),
        "duration_ms": round(outcome.seconds * 1000),
        "forced": request.allow_incomplete,
    }


def all_tables() -> list[Table]:
    """Every table that a run reads or writes."""
    return list(graph.tables().values())
