"""The words of the message contract, and how events are built and written."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import TypedDict, Unpack

from shared.text import byte_length, quote

SCHEMA_VERSION = 1
MISSING_SHOWN = 50
"""How many ids of what is missing an event carries at most."""

ID_BYTES = 128
"""How long an id may be: an eighth of what Pub/Sub takes as the value of an attribute, in which it goes on."""
TABLE_BYTES = 128
NAME_BYTES = 1_024
"""How long other words of a message may be: the name of a processor, a fingerprint, each of what is missing."""
MESSAGE_CHARACTERS = 2_000
"""How much of a publisher's error message is kept."""
FIRST_YEAR, LAST_YEAR = 1946, 2100
"""The years of which an event may speak; the league's first games were played in 1946."""

_TABLE = re.compile(r"[a-z][a-z0-9_]*")

REJECTS: Mapping[str, str] = MappingProxyType(
    {
        "no_json": "the body is not JSON in UTF-8",
        "no_message": "the body has no object called message",
        "no_data": "the message has no data",
        "bad_base64": "the data is not base64",
        "bad_json": "the data is not JSON in UTF-8",
        "not_object": "the data is not a JSON object",
        "missing_table": "the field that names the table is missing",
        "bad_table": f"the table is not a name of at most {TABLE_BYTES} lower-case letters, digits and underscores",
        "missing_game_date": "game_date is missing",
        "bad_date": f"a date is not a calendar date written YYYY-MM-DD, from {FIRST_YEAR} to {LAST_YEAR}",
        "bad_success": "success is neither true nor false",
        "bad_schema_version": f"schema_version is not {SCHEMA_VERSION}",
        "bad_correlation_id": f"correlation_id is not text of at most {ID_BYTES} bytes without control characters",
        "bad_execution_id": f"execution_id is not text of at most {ID_BYTES} bytes without control characters",
        "too_long": f"a field is longer than {NAME_BYTES:,} bytes",
        "bad_trigger_type": "trigger_type is not 'fallback'",
        "bad_phase": "phase is not the phase of this service",
        "date_conflict": "game_date and analysis_date differ",
    }
)
"""Why a message is refused: code -> sentence. No other code exists."""


@dataclass(frozen=True, slots=True)
class Hop:
    """What the events of one publishing phase are called, and the field that names their table."""

    event_type: str
    table_field: str


HOPS: Mapping[int, Hop] = MappingProxyType(
    {
        2: Hop("raw_data_loaded", "source_table"),
        3: Hop("analytics_complete", "analytics_table"),
        4: Hop("precompute_complete", "precompute_table"),
    }
)
"""Publishing phase -> its events. The phase after it receives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A table has rows for a date. Built by the three functions below; what a message left out is None.

    `phase` is the one that published, 2 to 4; `table` is bare; dates are US Eastern; `timestamp` is UTC.
    """

    phase: int
    table: str
    game_date: date
    analysis_date: date | None = None
    execution_id: str | None = None
    correlation_id: str | None = None
    processor_name: str | None = None
    record_count: int | None = None
    rows_expected: int | None = None
    complete: bool | None = None
    missing: tuple[str, ...] = ()
    input_fingerprint: str | None = None
    code_version: str | None = None
    trigger_source: str | None = None
    timestamp: datetime | None = None
    success: bool = True
    error_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """The clock, or an operator, starts a phase; without a date the phase finds its own."""

    phase: int
    game_date: date | None = None
    correlation_id: str | None = None


Event = Completion | Fallback


@dataclass(frozen=True, slots=True)
class Message:
    """What is handed to Pub/Sub: UTF-8 JSON, the attributes that repeat its main fields, and an ordering key or ""."""

    data: bytes
    attributes: Mapping[str, str]
    ordering_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What Pub/Sub says about one delivery; None where it says nothing. The digest is SHA-256 of the data, in hex.

    `correlation_id` is that of the attributes, for a body that names none: a message that is sent again keeps it so.
    """

    message_id: str | None = None
    publish_time: datetime | None = None
    subscription: str | None = None
    attempt: int | None = None
    payload_sha256: str | None = None
    correlation_id: str | None = None


NO_DELIVERY = Delivery()


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was understood.

    `correlation_id` is never empty: the event's own, else that of the attributes, its execution id, the message id, or
    a new one.
    `ignored` names optional fields that were of a wrong type and are taken as absent.
    """

    event: Event
    delivery: Delivery
    correlation_id: str
    ignored: tuple[str, ...] = ()


class Rejected(ValueError):  # noqa: N818 -- what happened to the message
    """A message that can never be understood: `code` is a key of REJECTS; `delivery` holds what was readable."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(REJECTS[code] + (f": {detail}" if detail else ""))
        self.code = code
        self.delivery = NO_DELIVERY


def mint_correlation_id(day: date) -> str:
    """Name a new chain: `c-YYYYMMDD-xxxxxxxx`, with the date that it starts on and eight random hex digits."""
    return f"c-{day:%Y%m%d}-{secrets.token_hex(4)}"


def payload_digest(data: bytes) -> str:
    """Return the SHA-256 of a message's data in hex, by which a dead letter is found again."""
    return hashlib.sha256(data).hexdigest()


class Written(TypedDict):
    """What a computed table's event always says; `table` may carry its dataset, `timestamp` any zone."""

    table: str
    game_date: date
    execution_id: str
    correlation_id: str
    processor_name: str
    record_count: int
    rows_expected: int | None
    complete: bool
    missing: Sequence[str]
    input_fingerprint: str
    code_version: str
    trigger_source: str
    timestamp: datetime


def raw_data_loaded(  # noqa: PLR0913 -- the fields of the contract
    table: str, game_date: date, *, execution_id: str, correlation_id: str, record_count: int, timestamp: datetime
) -> Completion:
    """Build the event of Phase 2: a raw table was loaded for a date."""
    return Completion(
        phase=2,
        table=bare_table(table),
        game_date=game_date,
        execution_id=execution_id,
        correlation_id=correlation_id,
        record_count=record_count,
        timestamp=timestamp.astimezone(UTC),
    )


def analytics_complete(*, analysis_date: date | None = None, **written: Unpack[Written]) -> Completion:
    """Build the event of Phase 3: an analytics table was written for a date."""
    return _completed(3, analysis_date, written)


def precompute_complete(**written: Unpack[Written]) -> Completion:
    """Build the event of Phase 4: a precompute table, or the feature store, was written for a slate."""
    return _completed(4, written["game_date"], written)


def _completed(phase: int, analysis_date: date | None, written: Written) -> Completion:
    normal = {
        "table": bare_table(written["table"]),
        "missing": tuple(written["missing"][:MISSING_SHOWN]),
        "timestamp": written["timestamp"].astimezone(UTC),
    }
    return Completion(**{**written, **normal}, phase=phase, analysis_date=analysis_date)  # type: ignore[arg-type]


def bare_table(text: str) -> str:
    """Return a table's name without project and dataset.

    Raises:
        Rejected: it is no table name.
    """
    name = text.strip().rpartition(".")[2]
    if not _TABLE.fullmatch(name) or byte_length(name) > TABLE_BYTES:
        raise Rejected("bad_table", quote(text))
    return name


def encode(event: Event) -> Message:
    """Return an event as Pub/Sub takes it; body and attributes are made from the same fields."""
    body = _completion_body(event) if isinstance(event, Completion) else _fallback_body(event)
    repeated = {name: value for name, value in body.items() if name in _attribute_names(event) and value is not None}
    attributes = {name: value if isinstance(value, str) else json.dumps(value) for name, value in repeated.items()}
    return Message(json.dumps(body, ensure_ascii=False).encode(), MappingProxyType(attributes))


def push_body(message: Message, delivery: Delivery) -> bytes:
    """The body of the request by which Pub/Sub would push a message."""
    said = {
        "messageId": delivery.message_id,
        "publishTime": delivery.publish_time.isoformat() if delivery.publish_time else None,
    }
    pushed = {
        "message": {
            "data": base64.b64encode(message.data).decode(),
            "attributes": dict(message.attributes),
            **{name: value for name, value in said.items() if value},
        },
        "subscription": delivery.subscription,
    }
    return json.dumps(pushed | ({"deliveryAttempt": delivery.attempt} if delivery.attempt else {})).encode()


def _attribute_names(event: Event) -> set[str]:
    names = {"schema_version", "game_date", "correlation_id", "phase"}
    if isinstance(event, Completion):
        names |= {"event_type", HOPS[event.phase].table_field, "analysis_date", "execution_id", "success"}
    return names


def _completion_body(event: Completion) -> dict[str, object]:
    hop = HOPS[event.phase]
    body: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "event_type": hop.event_type,
        hop.table_field: event.table,
        "game_date": event.game_date.isoformat(),
        "analysis_date": event.analysis_date.isoformat() if event.analysis_date else None,
        "processor_name": event.processor_name,
        "execution_id": event.execution_id,
        "correlation_id": event.correlation_id,
        "record_count": event.record_count,
        "rows_expected": event.rows_expected,
        "complete": event.complete,
        "missing": list(event.missing) or None,
        "input_fingerprint": event.input_fingerprint,
        "code_version": event.code_version,
        "trigger_source": event.trigger_source,
        "timestamp": event.timestamp.isoformat() if event.timestamp else None,
        "phase": event.phase,
        "success": event.success,
        "error_message": event.error_message,
    }
    # the contract has these two as null, where others are left out
    kept = {"error_message"} | ({"rows_expected"} if event.phase > min(HOPS) else set())
    return {name: value for name, value in body.items() if value is not None or name in kept}


def _fallback_body(event: Fallback) -> dict[str, object]:
    body: dict[str, object] = {"schema_version": SCHEMA_VERSION, "trigger_type": "fallback", "phase": event.phase}
    if event.game_date:
        body["game_date"] = event.game_date.isoformat()
    if event.correlation_id:
        body["correlation_id"] = event.correlation_id
    return body
