"""Reading messages: whatever the bytes are, the answer is a `Received` or a `Rejected`."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import NoReturn, TypeVar

from shared import clock
from shared.events.contract import (
    FIRST_YEAR,
    HOPS,
    ID_BYTES,
    LAST_YEAR,
    MESSAGE_CHARACTERS,
    MISSING_SHOWN,
    NAME_BYTES,
    NO_DELIVERY,
    SCHEMA_VERSION,
    Completion,
    Delivery,
    Event,
    Fallback,
    Received,
    Rejected,
    bare_table,
    mint_correlation_id,
    payload_digest,
)
from shared.text import byte_length, has_control_characters, quote, shorten

T = TypeVar("T")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATED_BY_SLATE = (3, 4)
_ENVELOPE_BYTES = 1_024
"""More than anything has that Pub/Sub itself says of a delivery."""
_INT64 = 2**63


def parse_push(body: bytes, phase: int) -> Received:
    """Read the body of a push request.

    Args:
        body: the bytes of the request, whatever they are.
        phase: of the service that received it: 3 reads what Phase 2 publishes, and so on.

    Raises:
        Rejected: the message breaks the contract.
    """
    envelope = _loaded(body, "no_json")
    if not isinstance(envelope, dict) or not isinstance(message := envelope.get("message"), dict):
        raise Rejected("no_message")
    delivery = _delivery(envelope, message)
    try:
        data = _data(message)
        delivery = replace(delivery, payload_sha256=payload_digest(data))
        return parse_data(data, phase, delivery)
    except Rejected as rejected:
        rejected.delivery = delivery
        raise


def parse_data(data: bytes, phase: int, delivery: Delivery = NO_DELIVERY) -> Received:
    """Read the data of a message, as `parse_push` does once the envelope is off.

    Raises:
        Rejected: the data breaks the contract.
    """
    values = _loaded(data, "bad_json")
    if not isinstance(values, dict):
        raise Rejected("not_object")
    fields = _Fields(values)
    event: Event = _fallback(fields, phase) if "trigger_type" in values else _completion(fields, phase)
    named = event.correlation_id or _id(delivery.correlation_id, "bad_correlation_id")
    named = named or (event.execution_id if isinstance(event, Completion) else None)
    correlation_id = named or delivery.message_id or mint_correlation_id(event.game_date or clock.today())
    return Received(event, delivery, correlation_id, tuple(fields.ignored))


def _completion(fields: _Fields, phase: int) -> Completion:
    published_by = phase - 1
    _check_schema(fields.values.get("schema_version"))
    table, game_date = _table(fields, published_by), _required_date(fields)
    # Phase 2 knows no slates; a field of that name is somebody else's
    analysis_date = _date(fields.values.get("analysis_date")) if published_by in _DATED_BY_SLATE else None
    if published_by == max(HOPS) and analysis_date not in {None, game_date}:
        raise Rejected("date_conflict", f"{game_date} and {analysis_date}")
    return Completion(
        phase=published_by,
        table=table,
        game_date=game_date,
        analysis_date=analysis_date,
        execution_id=fields.get("execution_id", _execution_id),
        correlation_id=fields.get("correlation_id", _correlation_id),
        processor_name=fields.get("processor_name", _name),
        record_count=fields.get("record_count", _count),
        rows_expected=fields.get("rows_expected", _count),
        complete=fields.get("complete", _flag),
        missing=fields.get("missing", _names) or (),
        input_fingerprint=fields.get("input_fingerprint", _name),
        code_version=fields.get("code_version", _name),
        trigger_source=fields.get("trigger_source", _name),
        timestamp=fields.get("timestamp", _moment),
        success=_success(fields.values.get("success", True)),
        error_message=fields.get("error_message", _long_text),
    )


def _fallback(fields: _Fields, phase: int) -> Fallback:
    kind, asked = fields.values["trigger_type"], fields.values.get("phase")
    if kind != "fallback":
        raise Rejected("bad_trigger_type", quote(kind))
    if type(asked) is not int or asked != phase:
        raise Rejected("bad_phase", f"{quote(asked)}, and this is phase {phase}")
    # a date that cannot be read is refused: the default in its place would compute another day than was asked for
    game_date = _date(fields.values.get("game_date"))
    return Fallback(phase=phase, game_date=game_date, correlation_id=fields.get("correlation_id", _correlation_id))


def _table(fields: _Fields, published_by: int) -> str:
    name = HOPS[published_by].table_field
    value = fields.values.get(name)
    if value is None:
        raise Rejected("missing_table", name)
    if not isinstance(value, str):
        raise Rejected("bad_table", quote(value))
    return bare_table(value)


def _required_date(fields: _Fields) -> date:
    found = _date(fields.values.get("game_date"))
    if found is None:
        raise Rejected("missing_game_date")
    return found


def _date(value: object) -> date | None:
    if value is None:
        return None
    if isinstance(value, str) and _DATE.fullmatch(value):
        with suppress(ValueError):
            day = date.fromisoformat(value)
            if FIRST_YEAR <= day.year <= LAST_YEAR:
                return day
    raise Rejected("bad_date", quote(value))


def _check_schema(value: object) -> None:
    if value is not None and (type(value) is not int or value != SCHEMA_VERSION):
        raise Rejected("bad_schema_version", quote(value))


def _success(value: object) -> bool:
    if not isinstance(value, bool):
        raise Rejected("bad_success", quote(value))
    return value


class _Fields:
    """The fields of a message; `ignored` collects the optional ones that are of a wrong type."""

    def __init__(self, values: dict[str, object]) -> None:
        self.values = values
        self.ignored: list[str] = []

    def get(self, name: str, read: Callable[[object], T | None]) -> T | None:
        value = self.values.get(name)
        found = None if value is None else read(value)
        if value is not None and found is None:
            self.ignored.append(name)
        return found


def _text(value: object) -> str | None:
    # half of a surrogate pair is a str that no file and no database can hold
    return value if isinstance(value, str) and value and _is_writable(value) else None


def _correlation_id(value: object) -> str | None:
    return _id(value, "bad_correlation_id")


def _execution_id(value: object) -> str | None:
    return _id(value, "bad_execution_id")


def _id(value: object, code: str) -> str | None:
    """An id; what is no text counts as absent.

    Raises:
        Rejected: it is text that no id may be; with this code.
    """
    if not isinstance(value, str) or not value:
        return None
    if byte_length(value) > ID_BYTES or has_control_characters(value):
        raise Rejected(code, quote(value))
    return value


def _name(value: object) -> str | None:
    text = _text(value)
    if text and byte_length(text) > NAME_BYTES:
        raise Rejected("too_long", quote(text))
    return text


def _long_text(value: object) -> str | None:
    # for people to read, and of a failure at that: its beginning does more good than a refusal
    text = _text(value)
    return shorten(text, MESSAGE_CHARACTERS) if text else None


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < _INT64 else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _names(value: object) -> tuple[str, ...] | None:
    names = [_name(name) for name in value] if isinstance(value, list) else [None]
    return None if None in names else tuple(name for name in names[:MISSING_SHOWN] if name)


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):  # the second: no UTC before year 1
        return None


def _delivery(envelope: dict[str, object], message: dict[str, object]) -> Delivery:
    # a push carries both spellings, other clients one of them
    attributes = message.get("attributes")
    chain = attributes.get("correlation_id") if isinstance(attributes, dict) else None
    return Delivery(
        message_id=_message_id(message.get("messageId")) or _message_id(message.get("message_id")),
        publish_time=_moment(message.get("publishTime")) or _moment(message.get("publish_time")),
        subscription=_own_word(envelope.get("subscription"), _ENVELOPE_BYTES),
        attempt=_count(envelope.get("deliveryAttempt")),
        # judged where it is needed, for the body's own goes before it
        correlation_id=chain if isinstance(chain, str) else None,
    )


def _message_id(value: object) -> str | None:
    # it may become the name of a chain
    return _own_word(value, ID_BYTES)


def _own_word(value: object, limit: int) -> str | None:
    """What Pub/Sub itself says; what it never would counts as not said, for the message is not to blame."""
    text = _text(value)
    return text if text and byte_length(text) <= limit and not has_control_characters(text) else None


def _data(message: dict[str, object]) -> bytes:
    data = message.get("data")
    if data is None or data == "":
        raise Rejected("no_data")
    if not isinstance(data, str):
        raise Rejected("bad_base64", f"it is a {type(data).__name__}")
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise Rejected("bad_base64") from error


def _loaded(text: bytes, code: str) -> object:
    """Parse JSON.

    Raises:
        Rejected: it is none; with this code.
    """
    try:
        loaded: object = json.loads(text.decode(), parse_constant=_refuse)
    # a number of too many digits is a plain ValueError, brackets without end a RecursionError
    except (ValueError, RecursionError) as error:
        raise Rejected(code) from error
    return loaded


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
