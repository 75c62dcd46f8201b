"""What a message asks for: nothing, or the table-dates that the rows it speaks of concern."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from processors import calendar as calendars
from processors import graph, planner
from processors.planner import Asked, Plan
from processors.request import Trigger
from shared.clock import DateRange, today
from shared.events import Completion, Event, Fallback, Received
from shared.warehouse.base import Session

_AHEAD = timedelta(days=7)
"""How far ahead a fallback without a date looks for a slate."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Why a message asks for nothing.

    Attributes:
        read: whether anybody reads the table that it names.
    """

    reason: str
    read: bool


def nothing(event: Event, phase: int) -> Nothing | None:
    """Why a message asks nothing of a phase; None where it asks for something."""
    if isinstance(event, Fallback):
        return None
    if not event.success:
        return Nothing(event.error_message or "its publisher says that it failed", read=True)
    if not any(one.table == event.table and one.processor.phase == phase for one in graph.triggers()):
        return Nothing(f"no processor of phase {phase} reads {event.table}", read=False)
    return None


def planned(  # noqa: PLR0913 -- by name
    session: Session,
    received: Received,
    phase: int,
    now: datetime,
    *,
    deadline: datetime | None = None,
    request_id: str | None = None,
) -> Plan:
    """What a phase owes because of a message.

    Args:
        session: on the warehouse.
        received: the message.
        phase: that has received it.
        now: from which a fallback without a date reckons, UTC.
        deadline: when no further statement is begun, UTC.
        request_id: groups the runs; None for a new one.
    """
    event = received.event
    by_clock = isinstance(event, Fallback)
    day = event.game_date or _by_the_clock(session, phase, now)
    slate = None if isinstance(event, Fallback) else event.analysis_date
    asked = Asked(
        DateRange(day, max(day, slate or day)),
        trigger=_trigger(received),
        now=now,
        allow_incomplete=by_clock,
        announce=True,
        deadline=deadline,
        retry_failed=by_clock,
        keep_games=True,
        request_id=request_id,
    )
    if isinstance(event, Fallback):
        return planner.fallback(session, asked, phase)
    return planner.after_event(session, asked, phase, event.table, slate)


def is_done(session: Session, received: Received, phase: int, now: datetime) -> bool:
    """Whether a phase would do nothing because of a message: it asks for nothing, or all is computed and announced."""
    if nothing(received.event, phase):
        return True
    plan = planned(session, received, phase, now)
    if plan.request.table_dates & plan.survey.book.unannounced.keys():
        return False
    wanted = ((one, day) for one, dates in plan.request.work for day in dates)
    return all(plan.survey.nothing_expected(*key) or not plan.survey.outdated(*key) for key in wanted)


def _by_the_clock(session: Session, phase: int, now: datetime) -> date:
    """The date that a fallback without one means: last night's games, or the next slate of the days to come."""
    if phase == 3:  # noqa: PLR2004 -- results
        return today(now) - timedelta(days=1)
    return calendars.read(session, DateRange(today(now), today(now) + _AHEAD)).next_slate(
        today(now) - timedelta(days=1)
    ) or today(now)


def trigger_source(event: Event) -> str:
    """Who starts the runs of a message, as the ledger says it: `fallback` for the clock, `pubsub` for news of rows."""
    return "fallback" if isinstance(event, Fallback) else "pubsub"


def _trigger(received: Received) -> Trigger:
    event, delivery = received.event, received.delivery
    return Trigger(
        trigger_source(event),
        received.correlation_id,
        table=event.table if isinstance(event, Completion) else None,
        game_date=event.game_date,
        subscription=delivery.subscription,
        message_id=delivery.message_id,
        delivery_attempt=delivery.attempt,
        parent_run_id=event.execution_id if isinstance(event, Completion) else None,
    )
