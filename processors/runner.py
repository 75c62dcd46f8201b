"""The one way to a table: gate, compute, check, exchange and record.

Whoever asks, for one date or a season, a request passes through here. A processor computes all its dates in one
statement; each date is checked, exchanged and recorded for itself, in one transaction with its ledger row.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from time import perf_counter
from typing import Any

from processors import gates, statements
from processors.calendar import Calendar, spans
from processors.declaration import Dated, Processor
from shared.clock import today, utc_now
from shared.ledger import PROCESSOR_RUNS, Status
from shared.version import code_version
from shared.warehouse.base import Exchange, Session

_NAMED = 50
"""How many missing ids a ledger row names; the rest is counted."""


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
        closed = {} if request.allow_incomplete else gates.closed(session, calendar, processor, dates)
        outcomes += [_not_ready(processor, day, needs) for day, needs in closed.items()]
        for span in spans([day for day in dates if day not in closed]):
            watch(f"{processor.output.name} {span}", 0)
            wanted = [day for day in dates if span.start <= day <= span.end and day not in closed]
            outcomes += _compute(session, request, processor, wanted)
        if dates:
            watch(processor.output.name, 1)
    return outcomes


def _compute(session: Session, request: Request, processor: Processor, dates: list[date]) -> list[Outcome]:
    started, clock = utc_now(), perf_counter()
    parameters = {"start_date": dates[0], "end_date": dates[-1], "as_of": request.as_of}
    session.stage(statements.candidate(processor), parameters)
    judged = list(_judge(session, processor, dates, parameters))
    work = Exchange(
        table=processor.output,
        stamps={one.date: _stamps(uuid.uuid4().hex, utc_now()) for one in judged if one.status.wrote},
        ledger=(PROCESSOR_RUNS, []),
    )
    seconds = perf_counter() - clock
    outcomes = [replace(one, seconds=seconds) for one in judged]
    records = [_record(one, work, request, started) for one in outcomes if one.status.ran]
    session.exchange(Exchange(work.table, work.stamps, (PROCESSOR_RUNS, records)))
    return outcomes


def _judge(
    session: Session, processor: Processor, dates: list[date], parameters: Mapping[str, Any]
) -> Iterator[Outcome]:
    """What the staged rows of each date amount to."""
    counts = {row["date"]: row for row in session.query(statements.counts(processor)).records()}
    wanted = {row["date"]: row for row in session.query(statements.expected(processor), parameters).records()}
    issues: dict[date, dict[str, int]] = {}
    for day, code, rows in session.query(statements.issue_counts(processor)).rows:
        issues.setdefault(day, {})[code] = rows
    broken = _broken(session, processor) if any(row["broken"] for row in counts.values()) else {}
    stored = _stored(session, processor, dates) if any(day not in counts for day in dates) else {}
    for day in dates:
        count = counts.get(day, {"row_count": 0, "high": 0, "medium": 0, "ready": 0})
        missing = tuple(wanted[day]["missing"] or ()) if day in wanted else ()
        expected = wanted[day]["rows_expected"] if day in wanted else 0
        rows = count["row_count"]
        status, code, reason = _verdict(
            processor, rows, expected, missing, broken.get(day), stored.get(day, 0)
        )
        yield Outcome(
            processor,
            day,
            status,
            rows=rows if status.wrote else 0,
            expected=expected,
            missing=missing[:_NAMED],
            tiers=(count["high"], count["medium"], rows - count["high"] - count["medium"]),
            issues=issues.get(day, {}),
            ready=count["ready"],
            reason_code=code,
            reason=reason,
        )


def _verdict(  # noqa: PLR0913 -- the six facts that decide, in the order in which they do
    processor: Processor,
    rows: int,
    expected: int,
    missing: tuple[str, ...],
    broken: tuple[str, str] | None,
    stored: int,
) -> tuple[Status, str | None, str | None]:
    if broken:
        return Status.FAILED_PERMANENT, *broken
    if not rows and stored:
        reason = f"{stored} rows are stored and none could be computed; the stored ones stay"
        return Status.FAILED_PERMANENT, "would_empty", reason
    if not rows and expected:
        required = ", ".join(one.table for one in processor.inputs if one.required)
        return Status.NOT_READY, "inputs_missing", f"none of {expected} expected rows; it needs {required}"
    if not rows:
        return Status.SUCCESS_EMPTY, "empty_ok", "no row is expected"
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")  # noqa: PLR2004 -- enough to look
        return Status.DEGRADED, "rows_missing", f"{len(missing)} of {expected} rows are missing: {some}"
    return Status.SUCCESS, None, None


def _broken(session: Session, processor: Processor) -> dict[date, tuple[str, str]]:
    """Per date, the first hard check that fails and a sentence that names rows."""
    found: dict[date, dict[str, list[str]]] = {}
    for day, row, codes in session.query(statements.broken_rows(processor)).rows:
        for code in codes.split(","):
            found.setdefault(day, {}).setdefault(code, []).append(row)
    return {
        day: (
            min(codes),
            "; ".join(
                f"{len(rows)} rows fail {code}: {', '.join(sorted(map(str, rows))[:3])}{', ...' if len(rows) > 3 else ''}"  # noqa: PLR2004 -- enough to look
                for code, rows in sorted(codes.items())
            ),
        )
        for day, codes in found.items()
    }


def _stored(session: Session, processor: Processor, dates: list[date]) -> dict[date, int]:
    column = processor.output.date_column
    text = f"""SELECT {column}, COUNT(*)
FROM {processor.output.id}
WHERE {column} BETWEEN @start_date AND @end_date
GROUP BY {column}"""
    return dict(session.query(text, {"start_date": dates[0], "end_date": dates[-1]}).rows)


def _not_ready(processor: Processor, day: date, needs: list[str]) -> Outcome:
    reason = f"waits for {', '.join(needs)}"
    return Outcome(processor, day, Status.NOT_READY, reason_code="inputs_incomplete", reason=reason)


def _stamps(run_id: str, now: datetime) -> dict[str, object]:
    return {"run_id": run_id, "code_version": code_version(), "processed_at": now}


def _record(outcome: Outcome, work: Exchange, request: Request, started: datetime) -> dict[str, object]:
    stamp = work.stamps.get(outcome.date)
    return {
        "run_id": stamp["run_id"] if stamp else uuid.uuid4().hex,
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


def all_tables() -> list[Any]:
    """Every table that a run reads or writes."""
    from processors.graph import tables

    return [*tables().values(), PROCESSOR_RUNS]
