"""Pub/Sub as Google documents it, before the emulator: a gRPC pass-through that is as unkind as it is allowed to be.

The emulator gives what it has, at once, in order and once; it keeps every lease for as long as it was asked to, and
takes any message. Pub/Sub promises none of that. What may happen is decided by a `Plan`, and comes from these
documents:

- `PullResponse`: "may return fewer than the maxMessages requested even if there are more messages available", and an
  empty list "if no messages could be returned before the request timeout": empty and short pulls.
- *Subscription overview*, at-least-once delivery, and *Order messages*: a message may be delivered again although it is
  leased or was acknowledged, late, and in any order.
- `AcknowledgeRequest`: "Acknowledging a message whose ack deadline has expired may succeed, but such a message may be
  redelivered later": late acknowledgements are ignored. A lease ends when its deadline is over, and the message is
  given to whoever pulls.
- `CreateSnapshot`: FAILED_PRECONDITION where the snapshot "would expire in less than 1 hour".
- *Replay and purge messages with seek*: "message delivery behaves as an eventually consistent system with respect to
  the seek operation", for about a minute.
- *Quotas and limits*: a message of 10 MB with its attributes, 100 attributes, keys of 256 bytes, values of 1,024 bytes;
  1,000 messages and 10 MB a request; an Acknowledge or ModifyAckDeadline of 512 KiB. `PubsubMessage`: data or an
  attribute; one ordering key a request.
- *Error codes*: UNAVAILABLE and DEADLINE_EXCEEDED may be answered to anything, also to a call that took effect.
- *Detach a subscription*: FAILED_PRECONDITION to its pulls.

What it does not check: pushes, which the emulator sends by itself; StreamingPull; exactly-once delivery, ordering and
filters; quotas of throughput; what IAM allows; how long messages, topics and subscriptions live. Its dead lettering is
the emulator's: on the dot, and once.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import grpc
from google.pubsub_v1 import PublisherClient, SubscriberClient, types

from shared.pubsub import EmptinessRule, PubSub

CALL_SECONDS = 10
_FOREVER = 600
_MESSAGE_BYTES = _REQUEST_BYTES = 10_000_000
_ACKNOWLEDGE_BYTES = 512 * 1024
_MESSAGES, _ATTRIBUTES, _KEY_BYTES, _VALUE_BYTES = 1000, 100, 256, 1024
TOO_OLD = (
    "The operation could not be completed because the requested source subscription's backlog is too old to create a"
    " snapshot."
)

QUICK = EmptinessRule(pulls=8, seconds=0.1, pause=0.01, insists=3, slack=0)
"""For tests: it sees through a plan with fewer empty pulls in a row, and a shorter seek, than it demands."""


@dataclass(frozen=True)
class Plan:
    """What happens; by default nothing, and shares are of one.

    Attributes:
        seed: of the dice.
        empty: share of the pulls that give nothing,
        most_empty: but never more in a row.
        short: whether a pull gives any number of what it could give.
        shuffled: whether messages come in any order.
        late: share of the messages that a pull could give, and does not.
        repeated: share of the messages that come a second time, with another id to acknowledge.
        returning: share of the acknowledged messages that come again all the same.
        failing: share of the calls that are answered UNAVAILABLE without effect,
        unanswered: and DEADLINE_EXCEEDED although they took effect.
        hurry: how many times faster than asked for leases run out.
        snapshots_refused: whether every backlog is too old for a snapshot.
        seek_seconds: for how long a seek has no effect on what is delivered.
        detached: short names of subscriptions that are.
    """

    seed: int = 0
    empty: float = 0
    most_empty: int = 5
    short: bool = False
    shuffled: bool = False
    late: float = 0
    repeated: float = 0
    returning: float = 0
    failing: float = 0
    unanswered: float = 0
    hurry: float = 1
    snapshots_refused: bool = False
    seek_seconds: float = 0
    detached: frozenset[str] = frozenset()


QUIET = Plan()


@dataclass
class _Lease:
    """A delivery: the id that the emulator knows it by, or None for one of ours, and when it ends."""

    subscription: str
    real: str | None
    message: bytes
    ends: float


@dataclass
class _Subscription:
    empty: int = 0
    sought: float = 0
    deadline: float | None = None
    leases: dict[str, _Lease] = field(default_factory=dict)
    gone: list[bytes] = field(default_factory=list)


class DocumentedPubSub(grpc.GenericRpcHandler):
    """The server.

    Attributes:
        plan: what happens; may be changed at any time.
        calls: how many there were, by the name of the method.
        address: HOST:PORT, once it runs.
    """

    def __init__(self, emulator: str, plan: Plan) -> None:
        self.plan = plan
        self.calls: dict[str, int] = {}
        self.address = ""
        self._dice = random.Random(plan.seed)  # noqa: S311 -- to be repeatable
        self._emulator = grpc.insecure_channel(emulator)
        self._lock = threading.RLock()
        self._subscriptions: dict[str, _Subscription] = {}
        self._deliveries = 0
        self._handlers: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
            {
                "Publish": self._publish,
                "Pull": self._pull,
                "Acknowledge": self._acknowledge,
                "ModifyAckDeadline": self._modify,
                "CreateSnapshot": self._create_snapshot,
                "Seek": self._seek,
            }
        )

    def close(self) -> None:
        self._emulator.close()

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        method = call.method
        name = method.rpartition("/")[2]

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            with self._lock:
                self.calls[name] = self.calls.get(name, 0) + 1
                try:
                    return self._answer(method, name, request)
                except _Refusal as refusal:
                    context.abort(refusal.code, refusal.text)

        return grpc.unary_unary_rpc_method_handler(answer)

    def _answer(self, method: str, name: str, request: bytes) -> bytes:
        if self._happens(self.plan.failing):
            raise _Refusal(grpc.StatusCode.UNAVAILABLE, "The service was unable to fulfill your request.")
        handle = self._handlers.get(name)
        answer = handle(request) if handle else self._pass_on(method, request)
        if self._happens(self.plan.unanswered):
            raise _Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        return answer

    def _happens(self, share: float) -> bool:
        return share > 0 and self._dice.random() < share

    def _pass_on(self, method: str, request: bytes) -> bytes:
        try:
            answer: bytes = self._emulator.unary_unary(method)(request, timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            raise _Refusal(error.code(), error.details() or "") from error
        return answer

    def _subscriber(self, method: str, request: Any) -> bytes:  # noqa: ANN401 -- any of Google's requests
        return self._pass_on(f"/google.pubsub.v1.Subscriber/{method}", type(request).serialize(request))

    # ------------------------------------------------------------ publishing

    def _publish(self, request: bytes) -> bytes:
        asked = types.PublishRequest.pb(types.PublishRequest.deserialize(request))
        if wrong := _broken_limit(asked, len(request)):
            raise _Refusal(grpc.StatusCode.INVALID_ARGUMENT, wrong)
        return self._pass_on("/google.pubsub.v1.Publisher/Publish", request)

    # ------------------------------------------------------------ pulling

    def _pull(self, request: bytes) -> bytes:
        asked = types.PullRequest.deserialize(request)
        here = self._at(asked.subscription)
        nothing = types.PullResponse.serialize(types.PullResponse())
        self._end_leases()
        if asked.subscription.rpartition("/")[2] in self.plan.detached:
            raise _Refusal(grpc.StatusCode.FAILED_PRECONDITION, "Subscription is detached.")
        if here.sought > time.monotonic():
            return nothing
        if here.empty < self.plan.most_empty and self._happens(self.plan.empty):
            here.empty += 1
            return nothing
        here.empty = 0
        if self.plan.short:
            asked.max_messages = self._dice.randint(1, asked.max_messages)
        answer = types.PullResponse.pb(types.PullResponse.deserialize(self._subscriber("Pull", asked)))
        self._real_modify(asked.subscription, [one.ack_id for one in answer.received_messages], _FOREVER)
        given = [self._lease(asked.subscription, one.ack_id, one) for one in answer.received_messages]
        kept, late = [], []
        for one in given:
            (late if self._happens(self.plan.late) else kept).append(one)
        self._release(asked.subscription, [one.ack_id for one in late])
        again = [lease for lease in here.leases.values() if self._happens(self.plan.repeated)]
        kept += [self._lease(asked.subscription, lease.real, _received(lease.message)) for lease in again]
        for message in [one for one in here.gone if self._happens(self.plan.returning)]:
            here.gone.remove(message)
            kept.append(self._lease(asked.subscription, None, _received(message)))
        if self.plan.shuffled:
            self._dice.shuffle(kept)
        return types.PullResponse.serialize(types.PullResponse({"received_messages": kept[: asked.max_messages]}))

    def _lease(self, subscription: str, real: str | None, received: Any) -> Any:  # noqa: ANN401 -- protobuf
        """Give a delivery an id and a lease of our own, which ends before the emulator's."""
        self._deliveries += 1
        name = f"delivery-{self._deliveries}"
        ends = time.monotonic() + self._deadline(subscription) / self.plan.hurry
        message = received.SerializeToString()
        self._at(subscription).leases[name] = _Lease(subscription, real, message, ends)
        given = _received(message)
        given.ack_id = name
        return given

    def _deadline(self, subscription: str) -> float:
        here = self._at(subscription)
        if here.deadline is None:
            answer = self._subscriber("GetSubscription", types.GetSubscriptionRequest(subscription=subscription))
            here.deadline = float(types.Subscription.deserialize(answer).ack_deadline_seconds)
        return here.deadline

    def _end_leases(self) -> None:
        """What nobody holds any more is free again."""
        now = time.monotonic()
        for subscription, here in self._subscriptions.items():
            self._release(subscription, [name for name, lease in here.leases.items() if lease.ends <= now])

    def _release(self, subscription: str, names: list[str]) -> None:
        here = self._at(subscription)
        ended = [here.leases.pop(name) for name in names if name in here.leases]
        held = {lease.real for lease in here.leases.values()}
        self._real_modify(subscription, [one.real for one in ended if one.real and one.real not in held], 0)
        here.gone += [one.message for one in ended if one.real is None]

    # ------------------------------------------------------------ answering to deliveries

    def _acknowledge(self, request: bytes) -> bytes:
        _check_length(request)
        asked = types.AcknowledgeRequest.deserialize(request)
        self._deadline(asked.subscription)  # which says where there is no such subscription
        self._end_leases()
        here = self._at(asked.subscription)
        timely = [here.leases.pop(name) for name in asked.ack_ids if name in here.leases]
        real = [lease.real for lease in timely if lease.real]
        if real:
            self._subscriber("Acknowledge", types.AcknowledgeRequest(subscription=asked.subscription, ack_ids=real))
        done = set(real)
        here.leases = {name: lease for name, lease in here.leases.items() if lease.real not in done}
        if self.plan.returning:
            here.gone += [lease.message for lease in timely if lease.real]
        return b""

    def _modify(self, request: bytes) -> bytes:
        _check_length(request)
        asked = types.ModifyAckDeadlineRequest.deserialize(request)
        self._deadline(asked.subscription)  # which says where there is no such subscription
        self._end_leases()
        here = self._at(asked.subscription)
        timely = [name for name in asked.ack_ids if name in here.leases]
        if asked.ack_deadline_seconds == 0:
            self._release(asked.subscription, timely)
        for name in timely:
            if lease := here.leases.get(name):
                lease.ends = time.monotonic() + asked.ack_deadline_seconds / self.plan.hurry
        return b""

    def _real_modify(self, subscription: str, ack_ids: list[str], seconds: int) -> None:
        if ack_ids:
            request = types.ModifyAckDeadlineRequest(
                subscription=subscription, ack_ids=ack_ids, ack_deadline_seconds=seconds
            )
            self._subscriber("ModifyAckDeadline", request)

    # ------------------------------------------------------------ looking back

    def _create_snapshot(self, request: bytes) -> bytes:
        if self.plan.snapshots_refused:
            raise _Refusal(grpc.StatusCode.FAILED_PRECONDITION, TOO_OLD)
        return self._pass_on("/google.pubsub.v1.Subscriber/CreateSnapshot", request)

    def _seek(self, request: bytes) -> bytes:
        asked = types.SeekRequest.deserialize(request)
        self._at(asked.subscription).sought = time.monotonic() + self.plan.seek_seconds
        return self._pass_on("/google.pubsub.v1.Subscriber/Seek", request)

    def _at(self, subscription: str) -> _Subscription:
        return self._subscriptions.setdefault(subscription, _Subscription())


class _Refusal(Exception):  # noqa: N818 -- the answer to a call
    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def _received(message: bytes) -> Any:  # noqa: ANN401 -- protobuf
    return types.ReceivedMessage.pb(types.ReceivedMessage.deserialize(message))


def _check_length(request: bytes) -> None:
    if len(request) > _ACKNOWLEDGE_BYTES:
        raise _Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"Request payload size exceeds {_ACKNOWLEDGE_BYTES} bytes.")


def _broken_limit(asked: Any, size: int) -> str | None:  # noqa: ANN401 -- protobuf
    """Why Pub/Sub would not publish this."""
    if size > _REQUEST_BYTES:
        return f"Request payload size exceeds the limit: {_REQUEST_BYTES} bytes."
    if not 0 < len(asked.messages) <= _MESSAGES:
        return f"The value for message_count is {len(asked.messages)}: a request has 1 to {_MESSAGES} messages."
    if len({message.ordering_key for message in asked.messages}) > 1:
        return "All messages of a request must have the same ordering key."
    return next(filter(None, map(_broken_limit_of_message, asked.messages)), None)


def _broken_limit_of_message(message: Any) -> str | None:  # noqa: ANN401 -- protobuf
    keys = [key for key in message.attributes if not 0 < len(key.encode()) <= _KEY_BYTES or key.startswith("goog")]
    values = [key for key, value in message.attributes.items() if len(value.encode()) > _VALUE_BYTES]
    broken = {
        "Some messages have no data and no attributes.": not message.data and not message.attributes,
        f"The message is larger than {_MESSAGE_BYTES} bytes.": message.ByteSize() > _MESSAGE_BYTES,
        f"The message has more than {_ATTRIBUTES} attributes.": len(message.attributes) > _ATTRIBUTES,
        f"Attribute keys are invalid: {keys}": bool(keys),
        f"Attribute values exceed {_VALUE_BYTES} bytes: {values}": bool(values),
    }
    return next((text for text, holds in broken.items() if holds), None)


@contextmanager
def documented(emulator: str, project: str, plan: Plan = QUIET) -> Iterator[tuple[DocumentedPubSub, PubSub]]:
    """Run it for as long as the block lasts, with a project that is connected to it as to Google Cloud."""
    fake = DocumentedPubSub(emulator, plan)
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(16), handlers=[fake], options=options)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    channel = grpc.insecure_channel(address, options=options)
    pubsub = PubSub(project, None, QUICK)
    for name, client in (("publisher", PublisherClient), ("subscriber", SubscriberClient)):
        vars(pubsub)[name] = client(transport=client.get_transport_class("grpc")(channel=channel))
    fake.address = address
    try:
        yield fake, pubsub
    finally:
        channel.close()
        server.stop(None).wait()
        fake.close()
