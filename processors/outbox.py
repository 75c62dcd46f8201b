"""Announcements: what a run owes is in the ledger with its rows, is sent after them, and is noted when it was sent.

A publisher that is down therefore never fails a run. A request answers for its own announcements: those of the
table-dates that its message plans, whoever computed them. Between sending and noting a process may die: then the event
is sent again, with the same `execution_id`. What breaks a limit of Pub/Sub is set aside, with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import Any

from processors import calendar as calendars
from processors import graph
from processors.book import Key
from processors.calendar import Calendar
from processors.declaration import Dated
from shared import events
from shared.border import border
from shared.clock import DateRange, utc_now
from shared.errors import MessageRefused, NbactlError, TimedOut
from shared.events import Message
from shared.ledger import IS_UNANNOUNCED, LEDGER_TABLES, PROCESSOR_RUNS, RAW_VERSIONS, Status
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

    @property
    def key(self) -> Key:
        """The table-date that it announces."""
        return self.table, self.date


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

    @property
    def is_refused(self) -> bool:
        """Whether it can never be sent as it is."""
        return isinstance(self.error, MessageRefused)


_UNDER_WAY = timedelta(seconds=60)
"""How long another process may take from writing rows to noting that they are announced."""
_LEFT_BEHIND = 20
_SWEEP_SECONDS = 5.0


def send_all(warehouse: Warehouse, publish: Publish, keys: Collection[Key] | None = None) -> list[Sent]:
    """Send what is owed, set aside or not, in the order of the runs; the warehouse is not held meanwhile.

    Args:
        warehouse: whose ledger knows what is owed.
        publish: sends one event.
        keys: the table-dates whose events to send; None for all, of loads too.
    """
    with warehouse.reading() as session:
        waiting = read_all(session) if keys is None else read_of_dates(session, keys)
    sent = send(waiting, publish)
    if sent:
        with warehouse.writing(LEDGER_TABLES) as session:
            note(session, sent)
    return sent


def read_all(session: Session) -> list[Owed]:
    """Every event that was not sent: of loads and runs that announce, and whose rows are written."""
    loads = [_loaded(row) for row in session.query(_LOADS).records()]
    return [*loads, *_read_runs(session, "TRUE", {})]


def read_of_dates(session: Session, keys: Collection[Key]) -> list[Owed]:
    """The events that runs of some table-dates owe, whoever asked for them."""
    if not keys:
        return []
    dates = [day for _, day in keys]
    # a condition that a partition can be found by, and then the exact pairs
    condition = (
        "game_date BETWEEN @start_date AND @end_date AND output_table IN (SELECT name FROM UNNEST(@tables) AS name)"
    )
    params = {"start_date": min(dates), "end_date": max(dates), "tables": sorted({table for table, _ in keys})}
    wanted = set(keys)
    return [event for event in _read_runs(session, condition, params) if (event.table, event.date) in wanted]


def read_left_behind(session: Session, phase: int, now: datetime, own: Collection[Key] = ()) -> list[Owed]:
    """The oldest events of a phase that their own requests did not send, without those that are set aside.

    Args:
        session: on the warehouse.
        phase: whose runs.
        now: the moment, UTC.
        own: table-dates to leave out: whoever asks sends their events anyway.
    """
    condition = """phase = @phase AND publish_refused IS NOT TRUE
  AND (publish_error IS NOT NULL OR noted_at IS NULL OR noted_at < @noted_before)"""
    params = {"phase": phase, "noted_before": now - _UNDER_WAY}
    return [event for event in _read_runs(session, condition, params, limit=_LEFT_BEHIND) if event.key not in own]


def _read_runs(
    session: Session, condition: str, params: Mapping[str, object], *, limit: int | None = None
) -> list[Owed]:
    rows = session.query(_RUNS.format(condition=condition, limit=f"\nLIMIT {limit}" if limit else ""), params).records()
    dates = [row["game_date"] for row in rows]
    calendar = calendars.read(session, DateRange(min(dates), max(dates))) if dates else Calendar(())
    return [_ran(row, calendar) for row in rows]


_RUNS = f"""SELECT
  run_id, phase, output_table, game_date, correlation_id, processor_name, status, rows_written, rows_expected, missing,
  input_fingerprint, code_version, trigger_source, UNIX_MICROS(finished_at) AS finished
FROM {PROCESSOR_RUNS.id}
WHERE {IS_UNANNOUNCED} AND {{condition}}
ORDER BY noted_at, sequence, output_table, game_date{{limit}}"""

_LOADS = f"""SELECT table_name, game_date, row_count, content_hash, UNIX_MICROS(loaded_at) AS loaded
FROM {RAW_VERSIONS.id}
WHERE announce AND published_message_id IS NULL
ORDER BY game_date, table_name"""


def send(waiting: Sequence[Owed], publish: Publish) -> list[Sent]:
    """Send events; one that cannot be sent keeps the others back only where nobody answered in time."""
    sent: list[Sent] = []
    for event in waiting:
        error = sent[-1].error if sent else None
        # who did not answer for one event will not for the next, and each try takes ten seconds
        unanswered = isinstance(error, TimedOut)
        sent.append(Sent(event, utc_now(), None, error) if unanswered else _send(event, publish))
    return sent


def sweep(waiting: Sequence[Owed], publish: Publish) -> list[Sent]:
    """Send what others left behind as long as all goes well, and for a few seconds at most."""
    ends = monotonic() + _SWEEP_SECONDS
    sent: list[Sent] = []
    for event in waiting:
        if monotonic() > ends:
            break
        sent.append(_send(event, publish))
        if sent[-1].error and not sent[-1].is_refused:
            break
    return sent


def note(session: Session, sent: Sequence[Sent]) -> None:
    """Write down what was sent, and what was not and why."""
    for event in sent:
        session.execute(
            _NOTE_RUN if event.owed.run_id else _NOTE_LOAD,
            {
                "run_id": event.owed.run_id,
                "table": event.owed.table,
                "day": event.owed.date,
                "topic": event.owed.topic,
                "message_id": event.message_id,
                "at": event.at if event.message_id else None,
                "error": event.error.sentence if event.error else None,
                "refused": event.is_refused,
            },
        )
    border("outbox.noted")


_NOTE_RUN = f"""UPDATE {PROCESSOR_RUNS.id}
SET
  published_topic = @topic, published_message_id = @message_id, published_at = @at, publish_error = @error,
  publish_refused = @refused
WHERE run_id = @run_id"""
_NOTE_LOAD = f"""UPDATE {RAW_VERSIONS.id}
SET published_message_id = @message_id
WHERE table_name = @table AND game_date = @day"""


def _send(event: Owed, publish: Publish) -> Sent:
    border("outbox.next")
    try:
        message_id = publish(event.topic, event.message.data, event.message.attributes)
    except NbactlError as error:
        return Sent(event, utc_now(), None, error)
    border("outbox.sent")
    return Sent(event, utc_now(), message_id)


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
