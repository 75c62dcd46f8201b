"""Announcements: what a run owes is in the ledger with its rows, is sent after them, and is noted when it was sent.

A publisher that is down therefore never fails a run, and what is owed is sent by whoever looks next. Between sending
and noting a process may die: then the event is sent again, with the same `execution_id`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from processors import calendar as calendars
from processors import graph
from processors.calendar import Calendar
from processors.declaration import Dated
from shared import events
from shared.border import border
from shared.clock import DateRange, utc_now
from shared.errors import NbactlError
from shared.events import Message
from shared.ledger import LEDGER_TABLES, PROCESSOR_RUNS, RAW_VERSIONS, Status
from shared.topology import completion_topic
from shared.warehouse.base import Session, Warehouse

Publish = Callable[[str, bytes, Mapping[str, str]], str]
"""Topic, data and attributes -> message id. Raises NbactlError where the message may not have been published."""


@dataclass(frozen=True, slots=True)
class Owed:
    """An event that a run, or a load of raw rows, owes.

    Attributes:
        run_id: None for a load.
    """

    run_id: str | None
    table: str
    date: date
    topic: str
    message: Message


@dataclass(frozen=True, slots=True)
class Sent:
    """An event that was sent, or could not be.

    Attributes:
        message_id: Pub/Sub's; None where there was an error.
    """

    owed: Owed
    at: datetime
    message_id: str | None
    error: NbactlError | None = None


_UNDER_WAY = timedelta(seconds=30)
"""How long a request may take from writing rows to noting that they are announced."""


def send_all(warehouse: Warehouse, publish: Publish, request_id: str | None = None) -> list[Sent]:
    """Send what is owed, in the order of the runs; the warehouse is not held meanwhile.

    Args:
        warehouse: whose ledger knows what is owed.
        publish: sends one event.
        request_id: send what this request owes and what others left behind, not what they are about to send.
    """
    with warehouse.reading() as session:
        waiting = owed(session, request_id)
    sent = send(waiting, publish)
    if sent:
        with warehouse.writing(LEDGER_TABLES) as session:
            note(session, sent)
    return sent


def owed(session: Session, request_id: str | None = None) -> list[Owed]:
    """Every event that was not sent: of loads and runs that announce, and whose rows are written.

    Args:
        session: on the warehouse whose ledger knows.
        request_id: leave out loads, and what other requests wrote just now and are about to send.
    """
    runs = session.query(_RUNS, {"request_id": request_id, "left_behind": utc_now() - _UNDER_WAY}).records()
    loads = [] if request_id else session.query(_LOADS).records()
    dates = [row["game_date"] for row in runs]
    calendar = calendars.read(session, DateRange(min(dates), max(dates))) if dates else Calendar(())
    return [*map(_loaded, loads), *(_ran(row, calendar) for row in runs)]


_RUNS = f"""SELECT
  run_id, phase, output_table, game_date, correlation_id, processor_name, status, rows_written, rows_expected, missing,
  input_fingerprint, code_version, trigger_source, UNIX_MICROS(finished_at) AS finished
FROM {PROCESSOR_RUNS.id}
WHERE
  announce AND status IN ('SUCCESS', 'DEGRADED') AND published_message_id IS NULL
  AND (@request_id IS NULL OR request_id = @request_id OR publish_error IS NOT NULL OR finished_at < @left_behind)
ORDER BY started_at, output_table, game_date"""

_LOADS = f"""SELECT table_name, game_date, row_count, content_hash, UNIX_MICROS(loaded_at) AS loaded
FROM {RAW_VERSIONS.id}
WHERE announce AND published_message_id IS NULL
ORDER BY game_date, table_name"""


def send(waiting: Sequence[Owed], publish: Publish) -> list[Sent]:
    """Send events; one that cannot be sent does not keep the others back."""
    return [_send(one, publish) for one in waiting]


def note(session: Session, sent: Sequence[Sent]) -> None:
    """Write down what was sent, and what was not and why."""
    for one in sent:
        session.execute(
            _NOTE_RUN if one.owed.run_id else _NOTE_LOAD,
            {
                "run_id": one.owed.run_id,
                "table": one.owed.table,
                "day": one.owed.date,
                "topic": one.owed.topic,
                "message_id": one.message_id,
                "at": one.at if one.message_id else None,
                "error": _said(one.error) if one.error else None,
            },
        )
    border("outbox.noted")


_NOTE_RUN = f"""UPDATE {PROCESSOR_RUNS.id}
SET published_topic = @topic, published_message_id = @message_id, published_at = @at, publish_error = @error
WHERE run_id = @run_id"""
_NOTE_LOAD = f"""UPDATE {RAW_VERSIONS.id}
SET published_message_id = @message_id
WHERE table_name = @table AND game_date = @day"""


def _send(one: Owed, publish: Publish) -> Sent:
    border("outbox.next")
    try:
        message_id = publish(one.topic, one.message.data, one.message.attributes)
    except NbactlError as error:
        return Sent(one, utc_now(), None, error)
    border("outbox.sent")
    return Sent(one, utc_now(), message_id)


def _ran(row: Mapping[str, Any], calendar: Calendar) -> Owed:
    phase, table, day = row["phase"], row["output_table"], row["game_date"]
    build = events.analytics_complete if phase == 3 else events.precompute_complete  # noqa: PLR2004 -- Phase 3
    event = build(
        table=table,
        game_date=day,
        execution_id=row["run_id"],
        correlation_id=row["correlation_id"],
        processor_name=row["processor_name"],
        record_count=row["rows_written"],
        rows_expected=row["rows_expected"],
        complete=row["status"] == Status.SUCCESS and _ended(table, day, calendar),
        missing=tuple(row["missing"] or ()),
        input_fingerprint=row["input_fingerprint"],
        code_version=row["code_version"],
        trigger_source=row["trigger_source"],
        timestamp=datetime.fromtimestamp(row["finished"] / 1e6, UTC),
    )
    return Owed(row["run_id"], table, day, completion_topic(phase), events.encode(event))


def _loaded(row: Mapping[str, Any]) -> Owed:
    table, day = row["table_name"], row["game_date"]
    event = events.raw_data_loaded(
        table,
        day,
        # the same content has the same name, whenever it is sent
        execution_id=f"load-{row['content_hash']}",
        correlation_id=events.mint_correlation_id(day),
        record_count=row["row_count"],
        timestamp=datetime.fromtimestamp(row["loaded"] / 1e6, UTC),
    )
    return Owed(None, table, day, completion_topic(2), events.encode(event))


def _ended(table: str, day: date, calendar: Calendar) -> bool:
    """Whether no game is still to come whose rows the table would hold."""
    maker = next(one for one in graph.processors_in_order() if one.output.name == table)
    games = calendar.day(day)
    return maker.dated is Dated.SLATE or (games is not None and games.final == games.games)


def _said(error: NbactlError) -> str:
    return f"{error.message}: {error.why}" if error.why else error.message
