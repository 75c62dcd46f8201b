"""What `nbactl publish-test` does: one event made by the production code, and what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from shared import events
from shared.clock import utc_now
from shared.errors import NbactlError, TimedOut
from shared.events import Event, Fallback
from shared.pubsub import PubSub
from shared.topology import completion_topic, fallback_topic

if TYPE_CHECKING:
    from processors.survey import Standing
    from shared.warehouse.base import Session, Warehouse

TABLES = {2: "nbac_gamebook_player_stats", 3: "player_game_summary", 4: "ml_feature_store"}
"""What a test event says was written, by publishing phase, where nobody says otherwise."""

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Published:
    """A test event on its way.

    Attributes:
        phase: that it is for.
    """

    topic: str
    phase: int
    table: str | None
    date: date
    message_id: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of the chain: a delivery that was answered, or a run."""

    seconds: float
    what: str


def publish(pubsub: PubSub, phase: int, table: str, day: date) -> Published:
    """Publish what a phase, 2 to 4, says when it has written a table."""
    correlation_id = events.mint_correlation_id(day)
    event = _completion(phase, table, day, correlation_id)
    return _publish(pubsub, completion_topic(phase), event, phase + 1, correlation_id)


def publish_fallback(pubsub: PubSub, phase: int, day: date) -> Published:
    """Publish what the clock says to start a phase."""
    correlation_id = events.mint_correlation_id(day)
    event = Fallback(phase=phase, game_date=day, correlation_id=correlation_id)
    return _publish(pubsub, fallback_topic(phase), event, phase, correlation_id)


def _completion(phase: int, table: str, day: date, correlation_id: str) -> Event:
    identity = {"execution_id": f"test-{correlation_id}", "correlation_id": correlation_id}
    if phase == min(TABLES):
        return events.raw_data_loaded(table, day, record_count=0, timestamp=utc_now(), **identity)
    build = events.analytics_complete if phase == 3 else events.precompute_complete  # noqa: PLR2004 -- Phase 3
    return build(
        table=table,
        game_date=day,
        processor_name="publish-test",
        record_count=0,
        rows_expected=None,
        complete=True,
        missing=(),
        input_fingerprint="",
        code_version="",
        trigger_source="cli",
        timestamp=utc_now(),
        **identity,
    )


def _publish(pubsub: PubSub, topic: str, event: Event, phase: int, correlation_id: str) -> Published:
    message = events.encode(event)
    message_id = pubsub.publish(topic, message.data, message.attributes)
    table = None if isinstance(event, Fallback) else event.table
    day = event.game_date
    if day is None:
        raise AssertionError
    return Published(topic, phase, table, day, message_id, correlation_id)


def follow(warehouse: Warehouse, sent: Published, seconds: float, said: Callable[[Hop], None]) -> None:
    """Wait until all that should exist after an event does.

    Args:
        warehouse: whose ledger the services write.
        sent: the event.
        seconds: how long to wait.
        said: told of every delivery and run of the chain, once.

    Raises:
        NbactlError: a run of the chain failed.
        TimedOut: not everything exists in time; with what is missing and why.
    """
    began, seen = time.monotonic(), set[str]()
    while True:
        with warehouse.reading() as session:
            answered = _tell(session, sent, seen, began, said)
            missing = [one for one in _concerned(session, sent) if not one.state.well]
        if answered and not missing:
            return
        if time.monotonic() - began > seconds:
            raise _late(missing, seconds, answered=answered)
        time.sleep(_POLL_SECONDS)


def _tell(session: Session, sent: Published, seen: set[str], began: float, said: Callable[[Hop], None]) -> bool:
    """Say what is new of the chain; whether the event itself was answered well."""
    from processors import tracing

    answers = tracing.deliveries(session, sent.correlation_id).records()
    runs = tracing.runs(session, sent.correlation_id).records()
    for one in runs:
        rows = f"{one['rows_written']}/{one['rows_expected']}"
        what = f"run       phase {one['phase']}  {one['processor_name']} {one['game_date']}  {one['status']}  {rows}"
        _once(seen, one["run_id"], what, began, said)
    for one in answers:
        subject = f"{one['table_name'] or 'fallback'} {one['game_date']}"
        what = f"delivery  phase {one['phase']}  {subject}  {one['decision']}"
        _once(seen, one["request_id"], what, began, said)
    failed = next((one for one in runs if one["status"].startswith("FAILED")), None)
    if failed:
        raise NbactlError(
            f"{failed['processor_name']} {failed['game_date']} failed",
            why=failed["reason"],
            hint=f"nbactl runs --failed --date {failed['game_date']}",
        )
    good = ("completed", "degraded", "skipped", "no_processors")
    return any(one["phase"] == sent.phase and one["decision"] in good for one in answers)


def _once(seen: set[str], name: str, what: str, began: float, said: Callable[[Hop], None]) -> None:
    if name not in seen:
        seen.add(name)
        said(Hop(time.monotonic() - began, what))


def _concerned(session: Session, sent: Published) -> Sequence[Standing]:
    """How the tables stand that the event's chain is to make, through Phase 4."""
    from processors import planner
    from processors.planner import Asked
    from shared.clock import DateRange

    asked = Asked(DateRange(sent.date, sent.date))
    if sent.table is None:
        first = planner.fallback(session, asked, sent.phase)
    else:
        first = planner.after_event(session, asked, sent.phase, sent.table)
    work = list(first.request.work)
    for slate in first.slates if sent.phase < 4 else ():  # noqa: PLR2004 -- Phase 4 takes up the slates of Phase 3
        work += planner.fallback(session, Asked(DateRange(slate, slate)), 4).request.work
    return [first.survey.standing(one, day) for one, dates in work for day in dates]


def _late(missing: Sequence[Standing], seconds: float, *, answered: bool) -> TimedOut:
    if not missing:
        return TimedOut(
            f"no service answered in {seconds:g} s", hint="nbactl infra plan says whether the subscription is there"
        )
    first = missing[0]
    why = f"{first.processor.output.name} {first.date}: {first.state}" + (f", {first.why}" if first.why else "")
    answer = "" if answered else "; no service has finished with the event"
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return TimedOut(
        f"{len(missing)} table-dates are missing after {seconds:g} s{answer}",
        why=why + more,
        hint=f"nbactl status --date {first.date}",
    )
