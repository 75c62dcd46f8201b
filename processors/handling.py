"""What a service does with one push: understand it, find out what is owed, run that, announce it, answer.

The answer's HTTP status carries the truth: whatever is not finished is not acknowledged.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from threading import Lock

from processors import asking, outbox, runner
from processors import calendar as calendars
from processors.book import Key
from processors.outbox import Owed, Publish, Sent
from processors.planner import Plan
from processors.request import Outcome, new_id
from shared import events, versions
from shared.clock import DateRange, today, utc_now
from shared.errors import NbactlError, WarehouseLocked
from shared.events import Completion, Delivery, Received, Rejected
from shared.ledger import DELIVERIES, Status
from shared.tables.raw import RAW_TABLES
from shared.text import shorten
from shared.version import code_version
from shared.warehouse.base import Session, Warehouse

_log = logging.getLogger(__name__)


class Decision(StrEnum):
    """What became of a request."""

    COMPLETED = "completed"
    DEGRADED = "degraded"
    SKIPPED = "skipped"
    NO_PROCESSORS = "no_processors"
    NOT_READY = "not_ready"
    RETRY = "retry"
    FAILED = "failed"
    REJECTED = "rejected"


_OK = 200
_HTTP = {Decision.RETRY: 503, Decision.FAILED: 500, Decision.REJECTED: 400}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service says to one push.

    Attributes:
        received: the message as it was understood; None where it was not.
        code: reject code of a message that breaks the contract.
        reason: one sentence.
        outcomes: per processor and date, in the order of the runs.
    """

    phase: int
    decision: Decision
    received: Received | None
    delivery: Delivery
    code: str | None = None
    reason: str | None = None
    outcomes: Sequence[Outcome] = ()
    request_id: str = field(default_factory=new_id)

    @property
    def correlation_id(self) -> str | None:
        """Of the chain that the message belongs to."""
        return self.received.correlation_id if self.received else None

    @property
    def table(self) -> str | None:
        """That the message names."""
        event = self.received.event if self.received else None
        return event.table if isinstance(event, Completion) else None

    @property
    def game_date(self) -> date | None:
        """That the message names."""
        return self.received.event.game_date if self.received else None

    @property
    def http_status(self) -> int:
        """200 acknowledges; 4xx and 5xx bring the message again, and in the end to the dead letters."""
        return _HTTP.get(self.decision, _OK)

    def body(self) -> dict[str, object]:
        """The answer as JSON."""
        return {
            "status": str(self.decision),
            "code": self.code,
            "reason": self.reason,
            "phase": self.phase,
            "table": self.table,
            "game_date": self.game_date.isoformat() if self.game_date else None,
            "correlation_id": self.correlation_id,
            "request_id": self.request_id,
            "results": [_result(one) for one in self.outcomes],
        }


@dataclass(frozen=True)
class Handler:
    """One service: what it needs to answer pushes.

    Attributes:
        actor: on whose behalf it runs.
        budget: how long a request may compute; what is not begun by then is left to the next delivery.
        announcing: held by the request that is sending events.
    """

    phase: int
    warehouse: Warehouse
    publish: Publish
    actor: str
    budget: timedelta = timedelta(seconds=500)
    announcing: Lock = field(default_factory=Lock, repr=False, compare=False)

    def push(self, body: bytes) -> Answer:
        """Answer one push; whatever goes wrong is an answer."""
        received_at = utc_now()
        try:
            received = events.parse_push(body, self.phase)
        except Rejected as rejected:
            answer = Answer(self.phase, Decision.REJECTED, None, rejected.delivery, rejected.code, str(rejected))
            return self._noted(answer, received_at)
        answer = Answer(self.phase, Decision.COMPLETED, received, received.delivery)
        if said := asking.nothing(received.event, self.phase):
            decision = Decision.SKIPPED if said.read else Decision.NO_PROCESSORS
            return self._noted(replace(answer, decision=decision, reason=said.reason), received_at)
        try:
            return self._worked(answer, received, received_at)
        except WarehouseLocked as locked:
            # the lock that keeps us from working keeps us from noting it, too
            return replace(answer, decision=Decision.RETRY, reason=locked.sentence)
        except NbactlError as error:
            decision = Decision.RETRY if error.transient else Decision.FAILED
            return self._noted(replace(answer, decision=decision, reason=error.sentence), received_at)
        except Exception as error:  # noqa: BLE001 -- it must not be lost that the message was not taken
            _log.exception("a fault of ours")
            reason = shorten(f"{type(error).__name__}: {error}")
            return self._noted(replace(answer, decision=Decision.FAILED, reason=reason), received_at)

    def _worked(self, answer: Answer, received: Received, received_at: datetime) -> Answer:
        """Run what is owed, and announce what was written; the warehouse is not held while announcing."""
        with self._writing() as session:
            _note_content(session, received, self.phase, received_at)
            plan = asking.planned(
                session,
                received,
                self.phase,
                received_at,
                deadline=received_at + self.budget,
                request_id=answer.request_id,
            )
            outcomes = runner.run(session, plan.survey, plan.request, _silent)
            answer = _judged(answer, plan, outcomes)
            unannounced = plan.survey.book.unannounced.keys()
            own = plan.request.table_dates & unannounced
            left = outbox.read_left_behind(session, self.phase, received_at, own) if unannounced - own else []
            waiting = outbox.read_of_dates(session, own)
            if not waiting:
                session.insert(DELIVERIES, [_delivered(answer, received_at, self.actor)])
        if waiting:
            answer = self._announce(answer, own, waiting, received_at)
        if left:
            self._sweep(left)
        return answer

    def _announce(self, answer: Answer, own: Collection[Key], waiting: Sequence[Owed], received_at: datetime) -> Answer:
        """Send what the message's own table-dates owe, whoever computed them; this alone decides the answer."""
        with ExitStack() as turn:
            if self.announcing.acquire(blocking=False):
                turn.callback(self.announcing.release)
            else:
                # another request of this process is sending, perhaps the same events
                turn.enter_context(self.announcing)
                with self.warehouse.reading() as session:
                    waiting = outbox.read_of_dates(session, own)
            sent = outbox.send(waiting, self.publish)
            answer = _announced(answer, sent)
            with self._writing() as session:
                outbox.note(session, sent)
                session.insert(DELIVERIES, [_delivered(answer, received_at, self.actor)])
        return answer

    def _sweep(self, left: Sequence[Owed]) -> None:
        """Send what others left behind; whatever comes of it, the answer is decided."""
        try:
            with self.announcing:
                sent = outbox.sweep(left, self.publish)
                with self._writing() as session:
                    outbox.note(session, sent)
        except NbactlError as error:
            _log.warning("what others left behind is still owed: %s", error.sentence)
        except Exception:  # noqa: BLE001 -- the answer is decided
            _log.exception("a fault of ours, in sending what others left behind")

    def _writing(self) -> AbstractContextManager[Session]:
        return self.warehouse.writing(runner.all_tables(), must_exist=True)

    def _noted(self, answer: Answer, received_at: datetime) -> Answer:
        """Write down an answer that needed no work; that it cannot be written down changes nothing about it."""
        with suppress(NbactlError), self._writing() as session:
            session.insert(DELIVERIES, [_delivered(answer, received_at, self.actor)])
        return answer


_CALLED_FOR = {
    Decision.RETRY: {Status.FAILED_TRANSIENT},
    Decision.FAILED: {Status.FAILED_PERMANENT},
    Decision.DEGRADED: {Status.DEGRADED},
    Decision.NOT_READY: {Status.NOT_READY},
    Decision.COMPLETED: {Status.SUCCESS, Status.SUCCESS_EMPTY, Status.SKIPPED_UNCHANGED},
    Decision.SKIPPED: {Status.SKIPPED_EXPECTED},
}
"""The first decision that any outcome calls for is the request's."""


def _note_content(session: Session, received: Received, phase: int, now: datetime) -> None:
    """Note the raw content that a message speaks of, or that a fallback builds upon: others may have written it."""
    event = received.event
    if isinstance(event, Completion):
        if event.table in _RAW:
            versions.renew(session, _RAW[event.table], DateRange(event.game_date, event.game_date))
    elif phase == 3:  # noqa: PLR2004 -- that reads raw rows
        day = event.game_date or today(now) - timedelta(days=1)
        calendar = calendars.read(session, DateRange(day, day))
        versions.renew_since(session, calendar.season_around(day).start)


_RAW = {table.name: table for table in RAW_TABLES}


def _announced(answer: Answer, sent: Sequence[Sent]) -> Answer:
    """The answer after its own events were sent, or could not be."""
    failed = [event for event in sent if event.error]
    if not failed or answer.http_status != _OK:
        return answer
    later = [event for event in failed if not event.is_refused]
    error = (later or failed)[0].error
    reason = f"{len(failed)} of {len(sent)} announcements could not be sent: {error.sentence if error else None}"
    return replace(answer, decision=Decision.RETRY if later else Decision.FAILED, reason=reason)


def _judged(answer: Answer, plan: Plan, outcomes: Sequence[Outcome]) -> Answer:
    for decision, statuses in _CALLED_FOR.items():
        found = next((one for one in outcomes if one.status in statuses), None)
        if found:
            reason = _done(outcomes) if decision is Decision.COMPLETED else found.reason
            return replace(answer, decision=decision, reason=reason, outcomes=tuple(outcomes))
    if answer.game_date and (unknown := plan.survey.calendar.unknown(plan.asked)):
        return replace(answer, decision=Decision.NOT_READY, reason=unknown)
    reason = f"there is no slate to compute for {plan.asked}"
    return replace(answer, decision=Decision.SKIPPED, reason=reason)


def _done(outcomes: Sequence[Outcome]) -> str | None:
    """What there is to say of a request that went well."""
    return None if any(one.status.wrote for one in outcomes) else "nothing is owed"


def _delivered(answer: Answer, received_at: datetime, actor: str) -> dict[str, object]:
    delivery = answer.delivery
    return {
        "request_id": answer.request_id,
        "received_date": received_at.date(),
        "received_at": received_at,
        "phase": answer.phase,
        "route": "/process",
        "subscription": delivery.subscription,
        "message_id": delivery.message_id,
        "publish_time": delivery.publish_time,
        "payload_sha256": delivery.payload_sha256,
        "delivery_attempt": delivery.attempt,
        "correlation_id": answer.correlation_id,
        "table_name": answer.table,
        "game_date": answer.game_date,
        "http_status": answer.http_status,
        "decision": str(answer.decision),
        "reason": f"{answer.code}: {answer.reason}" if answer.code else answer.reason,
        "run_ids": [one.run_id for one in answer.outcomes if one.run_id and one.status.ran],
        "actor": actor,
        "code_version": code_version(),
    }


def _result(one: Outcome) -> dict[str, object]:
    return {
        "processor": one.processor.name,
        "output_table": one.processor.output.name,
        "date": one.date.isoformat(),
        "status": str(one.status),
        "rows_written": one.rows,
        "rows_expected": one.expected,
        "reason": one.reason,
        "run_id": one.run_id,
    }


def _silent(_what: str, _done: int) -> None:
    """Nobody watches a service."""
