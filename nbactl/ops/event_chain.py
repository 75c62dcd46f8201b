"""What an event sets off, followed by the ledger's evidence until all of it exists, or nothing more is under way.

The chain of an event is the answers that services gave to its messages, the runs that those set off, and the
announcements of the runs, which are the next messages. It has ended where every message is answered for good and every
run is announced.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from nbactl.ops.testing import Published
from processors import asking, graph, planner, tracing
from processors.planner import Asked, Plan
from processors.survey import Standing, State, Survey
from shared.clock import DateRange, utc_now
from shared.errors import (
    NbactlError,
    PartlyFailed,
    PreconditionFailed,
    TimedOut,
    Undetermined,
    UsageError,
    WarehouseLocked,
)
from shared.events import Delivery, Fallback, Received
from shared.ledger import Status
from shared.topology import DeadLetter
from shared.warehouse.base import Session, Warehouse

_POLL_SECONDS = 0.2
_QUIET_SECONDS = 2.0
"""How long nothing happens until a chain that has ended is believed to have: another chain may do the same work."""
_GOOD = 200
_ATTEMPTS = DeadLetter("").attempts
_REFUSED = {"failed", "rejected"}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of the chain: a delivery that was answered, or a run.

    Attributes:
        seconds: since the event was published.
    """

    seconds: float
    what: str


@dataclass(frozen=True, slots=True)
class Chain:
    """An event's chain at one moment.

    Attributes:
        answers: rows of `tracing.deliveries`, in order.
        runs: rows of `tracing.runs`, in order.
        concerned: how many table-dates the event concerns.
        absent: those of them that are not what a run now would make, or are DEGRADED.
        unannounced: tables and dates that exist, and whose announcements are owed.
        unknown: why the schedule does not tell if anything should exist for the date; None where it does.
    """

    sent: Published
    answers: Sequence[Row] = ()
    runs: Sequence[Row] = ()
    concerned: int = 0
    absent: Sequence[Standing] = ()
    unannounced: Sequence[tuple[str, date]] = ()
    unknown: str | None = None

    @property
    def answer(self) -> Row | None:
        """The newest answer to the event itself; None where no service has answered."""
        own = [row for row in self.answers if row["message_id"] == self.sent.message_id]
        return own[-1] if own else None

    @property
    def is_complete(self) -> bool:
        """Whether the event is taken, and everything that it should cause exists and is announced."""
        taken = self.answer is not None and self.answer["http_status"] == _GOOD
        return taken and not (self.absent or self.unannounced or self.unknown)

    @property
    def has_ended(self) -> bool:
        """Whether of this chain nothing is under way any more."""
        taken = {row["message_id"] for row in self.answers if row["http_status"] == _GOOD}
        return self._messages() <= taken and not any(map(_is_under_way, self.runs))

    def _messages(self) -> set[str]:
        """Ids of the messages that a service must answer: the event, and what the runs announced to a next phase."""
        served = {one.phase for one in graph.processors_in_order()}
        announced = {row["published_message_id"] for row in self.runs if row["phase"] + 1 in served}
        return {self.sent.message_id} | (announced - {None})


def _is_under_way(run: Row) -> bool:
    status = Status(run["status"])
    return status is Status.RUNNING or (status.is_announced and run["published_message_id"] is None)


def check(warehouse: Warehouse, phase: int) -> None:
    """Find out before an event is published that what a phase makes of it can be followed.

    Raises:
        UsageError: no processor is of the phase.
        NotFound: there is no warehouse.
    """
    if not any(one.phase == phase for one in graph.processors_in_order()):
        raise UsageError(
            f"nothing is there to wait for: Phase {phase} has no processors", hint="leave out --wait, or --phase 3"
        )
    with warehouse.reading():
        pass


def follow(
    warehouse: Warehouse, sent: Published, seconds: float, watch: Callable[[Hop], None], options: str = ""
) -> None:
    """Wait until all that should exist after an event does: rows and announcements, phase by phase.

    Args:
        warehouse: whose ledger the services write.
        sent: the event.
        seconds: how long to wait.
        watch: told of every answer and run of the chain, once.
        options: to repeat in every command to type.

    Raises:
        NbactlError: a service refused a message of the chain, a run failed for good, or the chain has ended and not
            everything exists.
        PartlyFailed: the chain has ended, and some of what it made is DEGRADED.
        PreconditionFailed: the chain has ended, and what is missing waits for something that it did not bring.
        Undetermined: the schedule does not tell if anything should exist.
        TimedOut: the chain has not ended in time.
    """
    began, seen = time.monotonic(), set[str]()
    chain, changed = Chain(sent), began
    locked: WarehouseLocked | None = None
    while True:
        known = chain
        try:
            with warehouse.reading() as session:
                chain, locked = read(session, sent), None
        except WarehouseLocked as refusal:
            locked = refusal
        now = time.monotonic()
        _tell(chain, now - began, seen, watch)
        if error := _failure(chain, options):
            raise error
        if chain.is_complete:
            return
        changed = now if chain != known or locked else changed
        if chain.has_ended and now - changed >= _QUIET_SECONDS:
            raise _shortfall(chain, options)
        if now - began > seconds:
            raise _overdue(chain, seconds, locked, options)
        time.sleep(_POLL_SECONDS)


def read(session: Session, sent: Published) -> Chain:
    """The chain of an event, as far as the ledger knows it."""
    answers = tracing.deliveries(session, sent.correlation_id, sent.message_id).records()
    runs = tracing.runs(session, sent.correlation_id).records()
    plans = list(_plans(session, sent))
    concerned = [
        (plan.survey, plan.survey.standing(one, day))
        for plan in plans
        for one, dates in plan.request.work
        for day in dates
    ]
    absent = [standing for survey, standing in concerned if not _exists(survey, standing)]
    made = [standing.made.run_id for _, standing in concerned if standing.made]
    unknown = plans[0].survey.calendar.unknown(DateRange(sent.date, sent.date))
    return Chain(sent, answers, runs, len(concerned), absent, tracing.unannounced(session, made), unknown)


def _plans(session: Session, sent: Published) -> Iterator[Plan]:
    """What the event's phase makes of it, and what Phase 4 then makes of the slates."""
    received = Received(sent.event, Delivery(message_id=sent.message_id), sent.correlation_id)
    first = asking.planned(session, received, sent.phase, utc_now())
    yield first
    for slate in first.slates if sent.phase < 4 else ():  # noqa: PLR2004 -- Phase 4 takes up the slates of Phase 3
        yield planner.backfill(session, Asked(DateRange(slate, slate)), [4])


def _exists(survey: Survey, standing: Standing) -> bool:
    """Whether a table-date is what a run now would make of it; a table that is not due yet is not there for that."""
    processor, day, made = standing.processor, standing.date, standing.made
    if survey.nothing_expected(processor, day):
        return True
    degraded = made is not None and made.status is Status.DEGRADED
    return not degraded and survey.outdated(processor, day) is None


def _tell(chain: Chain, seconds: float, seen: set[str], watch: Callable[[Hop], None]) -> None:
    """Tell of what was not seen before."""
    for name, what in _lines(chain):
        if name not in seen:
            seen.add(name)
            watch(Hop(seconds, what))


def _lines(chain: Chain) -> Iterator[tuple[str, str]]:
    """An id and a line for everything that has happened: runs before the answers that they belong to."""
    for run in chain.runs:
        rows = f"{run['rows_written']}/{run['rows_expected']}"
        status = run["status"]
        what = f"run       phase {run['phase']}  {run['processor_name']} {run['game_date']}  {status}  {rows}"
        if status != Status.RUNNING:
            yield run["run_id"], what
    for answer in chain.answers:
        why = f"  {answer['reason']}" if answer["reason"] else ""
        what = f"delivery  phase {answer['phase']}  {_subject(answer)}  {answer['decision']}{why}"
        yield answer["request_id"], what


def _subject(answer: Row) -> str:
    return " ".join(str(part) for part in (answer["table_name"] or "fallback", answer["game_date"]) if part)


def _failure(chain: Chain, options: str) -> NbactlError | None:
    """What has failed for good: nothing that may still happen would mend it."""
    run = next((row for row in chain.runs if row["status"] == Status.FAILED_PERMANENT), None)
    if run:
        return NbactlError(
            f"{run['processor_name']} {run['game_date']} failed",
            why=run["reason"],
            hint=f"nbactl runs --failed --date {run['game_date']}{options}",
        )
    refused = next((row for row in chain.answers if row["decision"] in _REFUSED or _has_died(row)), None)
    if refused is None:
        return None
    fate = "was given up" if _has_died(refused) else f"was {refused['decision']}"
    return NbactlError(
        f"{_subject(refused)} {fate} by the service of Phase {refused['phase']}",
        why=refused["reason"],
        hint=f"nbactl dlq inspect --where correlation_id={chain.sent.correlation_id}{options}",
    )


def _has_died(answer: Row) -> bool:
    """Whether a message was delivered for the last time, and not taken."""
    return answer["http_status"] != _GOOD and (answer["delivery_attempt"] or 0) >= _ATTEMPTS


def _shortfall(chain: Chain, options: str) -> NbactlError:
    """The error for a chain that has ended, and has not caused everything that it should."""
    if chain.unknown:
        return Undetermined(
            f"cannot tell if anything should exist for {chain.sent.date}",
            why=chain.unknown,
            hint=f"nbactl data load DIR{options}, with an nbac_schedule of these dates",
        )
    if not chain.absent:
        table, day = chain.unannounced[0]
        return NbactlError(
            f"{len(chain.unannounced)} announcements are owed",
            why=f"{table} {day} is written, and its event was not sent",
            hint=f"nbactl reconcile{options}",
        )
    first = chain.absent[0]
    hint = f"nbactl status --date {first.date}{options}"
    counted = f"{len(chain.absent)} of {chain.concerned} table-dates"
    # the event's own answer is told before those to what followed it
    answers = [row for row in (chain.answer, *reversed(chain.answers)) if row]
    waits = next((row for row in answers if row["decision"] == "not_ready"), None)
    degraded = [one for one in chain.absent if one.state is State.DEGRADED]
    if degraded:
        # what waits, waits for these
        return PartlyFailed(f"{counted} are DEGRADED, or wait for what is", why=_reason(degraded), hint=hint)
    if waits:
        return PreconditionFailed(
            f"{counted} cannot be made yet: Phase {waits['phase']} answered not_ready", why=waits["reason"], hint=hint
        )
    return NbactlError(f"{counted} were not made, and nothing is under way", why=_reason(chain.absent), hint=hint)


def _overdue(chain: Chain, seconds: float, locked: WarehouseLocked | None, options: str) -> TimedOut:
    """The error for a chain that has not ended in time, with what is known of it."""
    after = f"after {seconds:g} s"
    if locked:
        return TimedOut(f"the ledger could not be read {after}", why=locked.why, hint=locked.hint)
    if chain.answer is None:
        topic = "" if isinstance(chain.sent.event, Fallback) else f"{chain.sent.topic}: "
        return TimedOut(
            f"no service answered in {seconds:g} s",
            why=f"{topic}message {chain.sent.message_id} has no row in nba_orchestration.deliveries",
            hint=f"nbactl infra plan{options} says whether the subscription is there",
        )
    if chain.answer["http_status"] != _GOOD:
        return TimedOut(
            f"Phase {chain.sent.phase} still answers {chain.answer['decision']} {after}",
            why=chain.answer["reason"],
            hint=f"nbactl trace {chain.sent.correlation_id}{options}",
        )
    if chain.unknown or not (chain.absent or chain.unannounced):
        return TimedOut(
            f"what the event has set off is still under way {after}",
            why=chain.unknown,
            hint=f"nbactl trace {chain.sent.correlation_id}{options}",
        )
    if chain.absent:
        return TimedOut(
            f"{len(chain.absent)} of {chain.concerned} table-dates are missing {after}",
            why=_reason(chain.absent),
            hint=f"nbactl trace {chain.sent.correlation_id}{options}",
        )
    table, day = chain.unannounced[0]
    return TimedOut(
        f"everything is written {after}, and {len(chain.unannounced)} announcements are owed",
        why=f"the event of {table} {day} was not sent",
        hint=f"nbactl reconcile{options}",
    )


def _reason(absent: Sequence[Standing]) -> str:
    first = absent[0]
    why = f"{first.processor.output.name} {first.date}: {first.state}" + (f", {first.why}" if first.why else "")
    return why + (f"; and {len(absent) - 1} more" if len(absent) > 1 else "")
