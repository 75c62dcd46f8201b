"""The ledger's rows of a run: as it begins, and as it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from processors.book import Announcement, Run
from processors.declaration import Processor
from processors.gates import Missing
from processors.inputs import definition
from processors.request import Outcome, Request, new_id
from processors.survey import Survey
from shared.clock import today, utc_now
from shared.ledger import Status
from shared.version import code_version

Record = dict[str, Any]

_MESSAGE = 2000
"""How many characters of an exception's message the ledger keeps."""


@dataclass(frozen=True)
class Attempt:
    """One statement about to compute some dates: a run for each of them.

    Attributes:
        lacking: by date, what of its required inputs is not complete.
        fence: how many times dates of the table had been exchanged when its inputs were read.
        steps: milliseconds of each step, filled in as it goes.
        begun: by date, the ledger's row as the run begins.
    """

    processor: Processor
    request: Request
    dates: Sequence[date]
    lacking: Mapping[date, Sequence[Missing]]
    fence: int
    started: datetime = field(default_factory=utc_now)
    steps: dict[str, int] = field(default_factory=dict)
    begun: dict[date, Record] = field(default_factory=dict)

    def run_id(self, day: date) -> str:
        """The run of a date."""
        found: str = self.begun[day]["run_id"]
        return found


def begin(attempt: Attempt, survey: Survey) -> None:
    """Fill in the row of each date, with the inputs as they are now."""
    attempt.begun.update({day: _begun(attempt, day, survey) for day in attempt.dates})


def _begun(attempt: Attempt, day: date, survey: Survey) -> Record:
    processor, request = attempt.processor, attempt.request
    trigger, needs = request.trigger, attempt.lacking.get(day, ())
    fingerprint = survey.inputs.fingerprint(processor, day)
    before = (processor.output.name, day, fingerprint, definition(processor))
    versions = [{**one, "complete": not needs} for one in survey.inputs.versions(processor, day)]
    opened = bool(needs) and request.allow_incomplete
    return {
        "run_id": new_id(),
        "run_date": today(attempt.started),
        "processor_name": processor.name,
        "phase": processor.phase,
        "output_table": processor.output.name,
        "game_date": day,
        "source_game_date": trigger.game_date,
        "status": str(Status.RUNNING),
        "trigger_source": trigger.source,
        "trigger_table": trigger.table,
        "subscription": trigger.subscription,
        "message_id": trigger.message_id,
        "delivery_attempt": trigger.delivery_attempt,
        "correlation_id": trigger.correlation_id,
        "parent_run_id": trigger.parent_run_id,
        "request_id": request.request_id,
        "attempt": 1 + survey.book.failures[before],
        "code_version": code_version(),
        "definition_hash": definition(processor),
        "input_fingerprint": fingerprint,
        "announce": request.announce,
        "input_versions": json.dumps(versions),
        "started_at": attempt.started,
        "forced": bool(request.force) or opened,
        "force_reason": request.force or ("incomplete inputs allowed" if opened else None),
        "sequence": attempt.fence,
    }


def end(attempt: Attempt, outcome: Outcome, output_hash: str | None, error: BaseException | None = None) -> Record:
    """The row of a run that has ended."""
    finished = utc_now()
    return {
        **attempt.begun[outcome.date],
        "status": str(outcome.status),
        "reason_code": outcome.reason_code,
        "reason": outcome.reason,
        "output_hash": output_hash,
        "rows_expected": outcome.expected,
        "rows_written": outcome.rows,
        "rows_production_ready": outcome.ready if outcome.processor.phase > 3 else None,  # noqa: PLR2004 -- Phase 4 on
        "missing": list(outcome.missing),
        "issue_counts": json.dumps(dict(outcome.issues)),
        "finished_at": finished,
        "duration_ms": round((finished - attempt.started).total_seconds() * 1000),
        "steps": json.dumps(attempt.steps),
        "error_type": type(error).__name__ if error else None,
        "error_message": str(error)[:_MESSAGE] if error else None,
        "sequence": attempt.fence + outcome.status.wrote,
    }


def noted(record: Record) -> Run:
    """The row as later runs see it."""
    status = Status(record["status"])
    return Run(
        output_table=record["output_table"],
        game_date=record["game_date"],
        run_id=record["run_id"],
        status=status,
        reason_code=record["reason_code"],
        reason=record["reason"],
        trigger_source=record["trigger_source"],
        started_micros=_micros(record["started_at"]),
        finished_micros=_micros(record["finished_at"]),
        rows_written=record["rows_written"],
        rows_expected=record["rows_expected"],
        fingerprint=record["input_fingerprint"],
        definition=record["definition_hash"],
        output_hash=record["output_hash"],
        attempt=record["attempt"],
        sequence=record["sequence"],
        noted_micros=None,
        announcement=Announcement.WAITING if record["announce"] and status.is_announced else Announcement.NONE,
    )


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
