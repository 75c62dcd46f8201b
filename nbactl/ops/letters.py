"""Dead letters as an operator reads them: decoded, with where they come from and why nobody took them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from shared import events
from shared.clock import parse_date
from shared.errors import UnknownName, UsageError, did_you_mean
from shared.events import Completion, Delivery, Message, Received, Rejected, limits
from shared.text import byte_length
from shared.topology import Profile, declared, pull_subscription

if TYPE_CHECKING:
    from shared.pubsub import Pulled
    from shared.warehouse.base import Session

_SOURCE = "CloudPubSubDeadLetterSource"
"""How the attributes begin that Pub/Sub adds to a dead letter."""
UNANSWERED = "unanswered"
"""The reason of a letter that no service has written an answer to."""
FIELDS = ("reason", "phase", "table", "date", "processor", "correlation_id", "subscription")
"""What letters can be chosen and grouped by."""


@dataclass(frozen=True, slots=True)
class Box:
    """A subscription that keeps dead letters.

    Attributes:
        subscription: that keeps them.
        dead_letters: its topic.
        topic: that the letters were published on.
        source: the subscription that could not deliver them.
        phase: of the service that it delivers to.
    """

    subscription: str
    dead_letters: str
    topic: str
    source: str
    phase: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why nobody took a letter.

    Attributes:
        code: a reject code, what the ledger calls the failure, or UNANSWERED.
        text: one sentence.
        processor: that failed, if one did.
        correlation_id: of the chain, as the service has understood it.
    """

    code: str
    text: str
    processor: str | None = None
    correlation_id: str | None = None


@dataclass(frozen=True)
class Letter:
    """A dead letter.

    Attributes:
        message_id: which Pub/Sub has given to the dead letter; empty where it was read from a file that has none.
        message: as it was published.
        delivery: by whom, when, and how often it was delivered in vain.
        died_at: when it became a dead letter, UTC.
        received: what it says; None where it breaks the contract.
        reason: why nobody took it; None until the ledger was asked.
    """

    box: Box
    message_id: str
    message: Message
    delivery: Delivery
    died_at: datetime
    received: Received | None
    reason: Reason | None = None

    @property
    def table(self) -> str | None:
        """The table that it names."""
        event = self.received.event if self.received else None
        return event.table if isinstance(event, Completion) else None

    @property
    def date(self) -> date | None:
        """The date that it names."""
        return self.received.event.game_date if self.received else None

    @cached_property
    def correlation_id(self) -> str | None:
        """Of the chain that it belongs to, where that is known."""
        named = self.received.event.correlation_id if self.received else None
        return named or self.delivery.correlation_id or (self.reason.correlation_id if self.reason else None)

    @property
    def key(self) -> tuple[str, int | None]:
        """What tells a message from others, however often it is delivered."""
        return self.delivery.payload_sha256 or "", _micros(self.delivery.publish_time)

    def field(self, name: str) -> str | None:
        """One of FIELDS, as text."""
        reason = self.reason
        found = {
            "reason": reason.code if reason else None,
            "phase": self.box.phase,
            "table": self.table,
            "date": self.date,
            "processor": reason.processor if reason else None,
            "correlation_id": self.correlation_id,
            "subscription": self.box.source,
        }[name]
        return None if found is None else str(found)

    def again(self) -> Message:
        """What to publish to have it delivered once more; its chain keeps its name.

        Attributes that Pub/Sub itself has added are left out: nobody else may send them.
        """
        attributes = {
            key: value
            for key, value in self.message.attributes.items()
            if not key.casefold().startswith(limits.RESERVED_PREFIX)
        }
        name = self.correlation_id
        # what would make it a message that Pub/Sub does not take is left out: the body says it, too
        if name and len(attributes) < limits.ATTRIBUTES and byte_length(name) <= limits.VALUE_BYTES:
            attributes.setdefault("correlation_id", name)
        return replace(self.message, attributes=attributes)


def boxes(phase: int | None = None) -> list[Box]:
    """Where dead letters are kept, of all services or of the one of a phase.

    Raises:
        UsageError: no service has the phase.
    """
    topology = declared(Profile.CLOUD)
    phases = {service.name: service.phase for service in topology.services}
    if phase not in (None, *phases.values()):
        raise UsageError(f"no service is of phase {phase}", hint=f"--phase {' or '.join(map(str, phases.values()))}")
    return [
        Box(pull_subscription(letters.topic), letters.topic, one.topic, one.name, phases[push.service])
        for one in topology.subscriptions
        if (push := one.push) and (letters := one.dead_letter) and phase in (None, phases[push.service])
    ]


def opened(box: Box, pulled: Iterable[Pulled]) -> list[Letter]:
    """Pulled messages as letters."""
    return [_opened(box, one) for one in pulled]


def _opened(box: Box, pulled: Pulled) -> Letter:
    added = {name: value for name, value in pulled.attributes.items() if name.startswith(_SOURCE)}
    own = {name: value for name, value in pulled.attributes.items() if name not in added}
    count = added.get(f"{_SOURCE}DeliveryCount", "")
    delivery = Delivery(
        publish_time=parse_moment(added.get(f"{_SOURCE}TopicPublishTime")),
        subscription=added.get(f"{_SOURCE}Subscription"),
        attempt=int(count) if count.isdecimal() else None,
        payload_sha256=events.payload_digest(pulled.data),
        correlation_id=own.get("correlation_id"),
    )
    message = Message(pulled.data, own, pulled.ordering_key)
    return compose(box, pulled.message_id, message, delivery, pulled.publish_time)


def compose(box: Box, message_id: str, message: Message, delivery: Delivery, died_at: datetime) -> Letter:
    """A letter of its parts, with what its data says."""
    return Letter(box, message_id, message, delivery, died_at, _read(message.data, box.phase, delivery))


def _read(data: bytes, phase: int, delivery: Delivery) -> Received | None:
    try:
        return events.parse_data(data, phase, delivery)
    except Rejected:
        return None


Name = tuple[str, str, int | None]
"""Digest of the data, subscription and publish time in milliseconds: what Pub/Sub keeps of a message that dies."""


class Reasons:
    """Why messages were not taken, as the services wrote it down; asked for once.

    Args:
        session: on the warehouse; without one nobody can tell.
        since: from when on, UTC.
    """

    def __init__(self, session: Session | None, since: datetime) -> None:
        self._unknown = Reason(UNANSWERED, _NOBODY if session else "there is no ledger to ask")
        self._said = _said(session, since) if session else {}

    def explain(self, letters: Iterable[Letter]) -> list[Letter]:
        """Letters with their reason."""
        return [replace(one, reason=self._said.get(_name(one), self._unknown)) for one in letters]


def _said(session: Session, since: datetime) -> dict[Name, Reason]:
    from processors import tracing

    return {
        (row["payload_sha256"], _short(row["subscription"]), _millis(row["published"])): _reason(row)
        for row in tracing.refusals(session, since).records()
    }


_NOBODY = "no service has written an answer: none was reached, or none could write"


def _name(letter: Letter) -> Name:
    one = letter.delivery
    return one.payload_sha256 or "", one.subscription or "", _millis(_micros(one.publish_time))


def _reason(row: Mapping[str, str | None]) -> Reason:
    text = row["reason"] or ""
    decision = row["decision"] or ""
    code, colon, rest = text.partition(": ")
    if decision == "rejected" and colon and code in events.REJECTS:
        return Reason(code, rest, correlation_id=row["correlation_id"])
    return Reason(row["reason_code"] or decision, text, row["processor_name"], row["correlation_id"])


def chosen(letters: Iterable[Letter], where: Mapping[str, str]) -> Iterator[Letter]:
    """The letters whose fields have these values; without a value `-` is meant."""
    return (one for one in letters if all((one.field(name) or NO_VALUE) == value for name, value in where.items()))


NO_VALUE = "-"
"""What is typed for a field without a value."""


def conditions(words: Iterable[str]) -> dict[str, str]:
    """Read `field=value` words; a value is read as the same thing is anywhere else, and is returned as letters have it.

    Raises:
        UsageError: a word is none, or its value cannot be one of the field.
        UnknownName: no field is called so, or there is no such processor, phase or subscription.
    """
    values: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not value.strip():
            raise UsageError(f"{word!r} is not FIELD=VALUE", hint="--where reason=bad_date")
        if name not in FIELDS:
            raise UnknownName("field of a dead letter", name, FIELDS)
        read = _READERS.get(name, str)
        values[name] = value if value == NO_VALUE else read(value.strip())
    return values


def _phase(value: str) -> str:
    phases = sorted({str(box.phase) for box in boxes()})
    if value not in phases:
        raise UsageError(f"no service is of phase {value}", hint=f"--where phase={' or '.join(phases)}")
    return value


def _table(value: str) -> str:
    # one that nobody knows may be what is wrong with the letter
    try:
        return events.bare_table(value.casefold())
    except Rejected:
        raise UsageError(f"{value!r} is not the name of a table", hint="--where table=player_game_summary") from None


def _date(value: str) -> str:
    return parse_date(value).isoformat()


def _processor(value: str) -> str:
    from processors import graph

    (processor,) = graph.select([value], {one.phase for one in graph.processors_in_order()})
    return processor.name


def _subscription(value: str) -> str:
    sources = {box.subscription: box.source for box in boxes()} | {box.source: box.source for box in boxes()}
    try:
        return sources[_short(value)]
    except KeyError:
        raise UnknownName("subscription with dead letters", value, sources) from None


_READERS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"phase": _phase, "table": _table, "date": _date, "processor": _processor, "subscription": _subscription}
)


def nearest(where: Mapping[str, str], letters: Iterable[Letter]) -> str | None:
    """A hint for conditions that no letter meets: what a field comes near to, or could be."""
    letters = list(letters)
    for name, value in where.items():
        values = {letter.field(name) or NO_VALUE for letter in letters}
        if value not in values:
            hint = did_you_mean(value, values)
            return f"of {name}: {hint}" if hint else None
    return None


def parse_moment(text: str | None) -> datetime | None:
    """Read a time as RFC 3339 has it, UTC; None where the text is none."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment and moment.tzinfo else None


def _short(name: str | None) -> str:
    return (name or "").rpartition("/")[2]


def _micros(moment: datetime | None) -> int | None:
    return round(moment.timestamp() * 1e6) if moment else None


def _millis(micros: int | str | None) -> int | None:
    """What a push and a dead letter both say of a publish time."""
    return None if micros is None else int(micros) // 1000
