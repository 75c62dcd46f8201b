"""Publishing and pulling on Google's client, against the cloud or the emulator.

The client underneath is `google.pubsub_v1`: `google.cloud.pubsub_v1` adds batching threads and telemetry that one
message at a time has no use for, and a third to the time of importing it. Every call has a deadline, because the
client's own default waits ten minutes for a port that is dead.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from shared import errors
from shared.events import Message, limits

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherClient, SubscriberClient
    from grpc import Channel

TRIES = 3
PUBLISH_SECONDS = 10.0
CALL_SECONDS = 10.0
_POLL_SECONDS = 0.1
_BACK_OFF_SECONDS = 0.2
_ACK_IDS = 1000
"""Of one call, which may be 512 KiB long; an id has some two hundred bytes."""

T = TypeVar("T")

_SIGN_IN = "gcloud auth application-default login"
_RETRY = "try again, and see that what PUBSUB_EMULATOR_HOST names is running, or is not set for Google Cloud"
_OTHERWISE = (errors.NbactlError, "", None)
_SAID: Mapping[str, tuple[type[errors.NbactlError], str, str | None]] = MappingProxyType(
    {
        "Unauthorized": (errors.AccessDenied, ": not signed in", _SIGN_IN),
        "Forbidden": (errors.AccessDenied, ": not allowed", f"ask for the role that is named, or {_SIGN_IN}"),
        "NotFound": (errors.NotFound, ": it does not exist", "nbactl infra plan"),
        "AlreadyExists": (errors.PreconditionFailed, ": it exists", "nbactl infra plan"),
        "FailedPrecondition": (errors.PreconditionFailed, "", "nbactl infra plan"),
        "Aborted": (errors.TimedOut, ": somebody else was changing it", "try again"),
        "TooManyRequests": (errors.TimedOut, ": too many requests", "try again later"),
        "GatewayTimeout": (errors.TimedOut, ": no answer in time", _RETRY),
        "RetryError": (errors.TimedOut, ": no answer in time", _RETRY),
        "MethodNotImplemented": (errors.NbactlError, ": it is not offered", None),
        "ServerError": (errors.TimedOut, ": no usable answer", _RETRY),
    }
)
"""The name of Google's exception, or of one it derives from -> what it is for us, and what comes after "could not"."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """One message as a pull brings it; times are UTC, `attempt` is None where there is no dead letter topic."""

    ack_id: str
    data: bytes
    attributes: Mapping[str, str]
    message_id: str
    publish_time: datetime
    attempt: int | None
    ordering_key: str = ""


@dataclass(frozen=True, slots=True)
class EmptinessRule:
    """The rule by which a subscription that gives nothing is taken for one that has nothing more to give.

    Pub/Sub may answer a pull with nothing, or with less than there is, so one empty answer says nothing.

    Attributes:
        pulls: so many in a row brought nothing new,
        seconds: for at least this long,
        pause: with so many seconds between them.
        insists: for how many seconds it is pulled from all the same, where a snapshot says that it holds something.
        slack: by how many seconds what a snapshot says of the age of messages may be wrong.
    """

    pulls: int
    seconds: float
    pause: float
    insists: float
    slack: float


CLOUD_EMPTINESS = EmptinessRule(pulls=8, seconds=5, pause=0.6, insists=75, slack=0)
"""A seek takes about a minute to have its full effect."""
EMULATOR_EMPTINESS = EmptinessRule(pulls=3, seconds=0, pause=0.01, insists=0, slack=0)
"""The emulator gives what it has."""


@dataclass(frozen=True)
class PubSub:
    """Topics and subscriptions of one project; short names everywhere.

    Attributes:
        project: the project's id.
        emulator: HOST:PORT of an emulator; None is Google Cloud, with the credentials of the environment.
        rule: when a subscription counts as empty; None: what fits the server.
    """

    project: str
    emulator: str | None = None
    rule: EmptinessRule | None = None

    @property
    def emptiness(self) -> EmptinessRule:
        """When a subscription counts as empty."""
        return self.rule or (EMULATOR_EMPTINESS if self.emulator else CLOUD_EMPTINESS)

    @property
    def server(self) -> str:
        """Who answers, in words."""
        return f"the Pub/Sub emulator at {self.emulator}" if self.emulator else "Pub/Sub"

    @cached_property
    def publisher(self) -> PublisherClient:
        """Google's client for topics.

        Raises:
            AccessDenied: there are no credentials.
        """
        from google.pubsub_v1 import PublisherClient

        with answered("reach Pub/Sub", self.server):
            if not self.emulator:
                return PublisherClient()
            return PublisherClient(transport=PublisherClient.get_transport_class("grpc")(channel=self._channel))

    @cached_property
    def subscriber(self) -> SubscriberClient:
        """Google's client for subscriptions.

        Raises:
            AccessDenied: there are no credentials.
        """
        from google.pubsub_v1 import SubscriberClient

        with answered("reach Pub/Sub", self.server):
            if not self.emulator:
                return SubscriberClient()
            return SubscriberClient(transport=SubscriberClient.get_transport_class("grpc")(channel=self._channel))

    @cached_property
    def _channel(self) -> Channel:
        import grpc

        # a proxy that is set for the world outside knows no port of this machine
        return grpc.insecure_channel(self.emulator or "", options=[("grpc.enable_http_proxy", 0)])

    def close(self) -> None:
        """Close the connection to an emulator; Google's own clients close theirs at exit."""
        channel = vars(self).pop("_channel", None)
        if channel:
            channel.close()

    def topic_path(self, name: str) -> str:
        """The full name of a topic."""
        return f"projects/{self.project}/topics/{name}"

    def subscription_path(self, name: str) -> str:
        """The full name of a subscription."""
        return f"projects/{self.project}/subscriptions/{name}"

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Publish one message and return its id; as `publish_all` otherwise."""
        return self.publish_all(topic, [Message(data, attributes)])[0]

    def publish_all(self, topic: str, messages: Sequence[Message]) -> list[str]:
        """Publish messages and return their ids: at most three tries a request, and ten seconds in all.

        They go out in one request, or in as many as Pub/Sub's limits ask for.

        Raises:
            MessageRefused: one of them is over a limit of Pub/Sub; what it would have refused itself is not sent.
            AccessDenied: not signed in, or not allowed to publish.
            NotFound: there is no such topic.
            TimedOut: no answer in time; the messages may have been published all the same.
        """
        for message in messages:
            limits.check_message(message)
        ends = time.monotonic() + PUBLISH_SECONDS
        requests = limits.split_requests(messages)
        return [message_id for request in requests for message_id in self._publish_until(ends, topic, request)]

    def _publish_until(self, ends: float, topic: str, messages: Sequence[Message]) -> list[str]:
        for left in range(TRIES, 0, -1):
            try:
                return self._publish_once(topic, messages, seconds=(ends - time.monotonic()) / left)
            except errors.NbactlError as error:
                wait = _BACK_OFF_SECONDS * 2 ** (TRIES - left)
                if not error.transient or left == 1 or time.monotonic() + wait > ends:
                    raise
                time.sleep(wait)
        raise AssertionError

    def _publish_once(self, topic: str, messages: Sequence[Message], *, seconds: float) -> list[str]:
        from google.api_core.exceptions import InvalidArgument

        request = {
            "topic": self.topic_path(topic),
            "messages": [
                {"data": message.data, "attributes": dict(message.attributes), "ordering_key": message.ordering_key}
                for message in messages
            ],
        }
        with answered(f"publish to {topic}", self.server):
            try:
                answer = self.publisher.publish(request=request, timeout=max(0.0, seconds), retry=None)
            except InvalidArgument as error:
                why = f"{self.server} says: {error.message}"
                raise errors.MessageRefused(f"could not publish to {topic}: the message is refused", why=why) from error
        return list(answer.message_ids)

    def pull(self, subscription: str, limit: int = 100, *, wait: float = 0) -> tuple[Pulled, ...]:
        """Pull at most `limit` messages, as soon as there are any, for at most `wait` seconds.

        None, or fewer, does not mean that there are no more: see `EmptinessRule`.

        Raises:
            AccessDenied: not signed in, or not allowed to pull.
            NotFound: there is no such subscription.
            TimedOut: no answer, which is not the same as no messages.
        """
        ends = time.monotonic() + wait
        while not (pulled := self._pull(subscription, limit)) and time.monotonic() < ends:
            time.sleep(_POLL_SECONDS)
        return pulled

    def _pull(self, subscription: str, limit: int) -> tuple[Pulled, ...]:
        return _tried(lambda timeout: self.pull_once(subscription, limit, timeout))

    def pull_once(self, subscription: str, limit: int, timeout: float = CALL_SECONDS) -> tuple[Pulled, ...]:
        """As `pull`, in one call that is not repeated: one that is not answered may have taken messages along."""
        # a pull that waits ends in the same time-out whether there is nothing or nobody, and may take a message along
        # for as long as its ack deadline; Google advises against the flag for throughput, which is not the point here
        request = {
            "subscription": self.subscription_path(subscription),
            "max_messages": limit,
            "return_immediately": True,
        }
        with answered(f"pull from {subscription}", self.server), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The return_immediately flag", DeprecationWarning)
            answer = self.subscriber.pull(request=request, timeout=timeout, retry=None)
        # the messages underneath: proto-plus takes longer for each than everything else that is done to it
        return tuple(map(_pulled, type(answer).pb(answer).received_messages))

    def acknowledge(self, subscription: str, ack_ids: Sequence[str]) -> None:
        """Take messages off a subscription for good; of one whose deadline is over, Pub/Sub may take no notice.

        Raises:
            AccessDenied: not signed in, or not allowed to.
            NotFound: there is no such subscription.
            TimedOut: no answer; the messages may come again.
        """
        for part in _parts(ack_ids):
            request = {"subscription": self.subscription_path(subscription), "ack_ids": part}

            def call(timeout: float, request: Mapping[str, Any] = request) -> None:
                with answered(f"acknowledge on {subscription}", self.server):
                    self.subscriber.acknowledge(request=dict(request), timeout=timeout, retry=None)

            _tried(call)

    def modify(self, subscription: str, ack_ids: Sequence[str], seconds: int) -> None:
        """Keep messages for this many seconds more; 0 gives them back, which counts as a failed delivery.

        Raises:
            AccessDenied: not signed in, or not allowed to.
            NotFound: there is no such subscription.
            TimedOut: no answer.
        """
        for part in _parts(ack_ids):
            request = {
                "subscription": self.subscription_path(subscription),
                "ack_ids": part,
                "ack_deadline_seconds": seconds,
            }

            def call(timeout: float, request: Mapping[str, Any] = request) -> None:
                with answered(f"modify a deadline on {subscription}", self.server):
                    self.subscriber.modify_ack_deadline(request=dict(request), timeout=timeout, retry=None)

            _tried(call)


def _parts(ack_ids: Sequence[str]) -> Iterator[list[str]]:
    """Cut ids into calls that are not too long."""
    for start in range(0, len(ack_ids), _ACK_IDS):
        yield list(ack_ids[start : start + _ACK_IDS])


def _tried(call: Callable[[float], T]) -> T:
    """Make a call that may be repeated, at most three times and for CALL_SECONDS in all.

    Args:
        call: makes it, within so many seconds.

    Raises:
        NbactlError: it failed for good, or three times.
    """
    ends = time.monotonic() + CALL_SECONDS
    for left in range(TRIES, 0, -1):
        try:
            return call(max(0.1, ends - time.monotonic()))
        except errors.NbactlError as error:
            wait = _BACK_OFF_SECONDS * 2 ** (TRIES - left)
            if not error.transient or left == 1 or time.monotonic() + wait > ends:
                raise
            time.sleep(wait)
    raise AssertionError


@contextmanager
def answered(what: str, server: str) -> Iterator[None]:
    """Turn what Google's clients raise inside the block into errors of ours.

    Args:
        what: is being done, after "could not".
        server: who is asked, in words.
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except GoogleAuthError as error:
        kind, outcome, hint = _SAID["Unauthorized"]
        raise kind(f"could not {what}{outcome}", why=str(error), hint=hint) from error
    except GoogleAPIError as error:
        raise _translated(what, server, error) from error


def _translated(what: str, server: str, error: Exception) -> errors.NbactlError:
    from google.api_core import exceptions as google

    if isinstance(error, google.ServiceUnavailable) and "metadata from plugin" in str(error):
        # how gRPC says that the credentials could not be turned into a token
        kind, outcome, hint = _SAID["Unauthorized"]
    else:
        names = (cls.__name__ for cls in type(error).__mro__)
        kind, outcome, hint = next((_SAID[name] for name in names if name in _SAID), _OTHERWISE)
    why = f"{server} says: {getattr(error, 'message', '') or error or type(error).__name__}"
    return kind(f"could not {what}{outcome}", why=why, hint=hint)


def _pulled(received: Any) -> Pulled:  # noqa: ANN401 -- a message of protobuf has no type of its own
    message = received.message
    return Pulled(
        ack_id=received.ack_id,
        data=message.data,
        attributes=dict(message.attributes),
        message_id=message.message_id,
        publish_time=message.publish_time.ToDatetime(UTC),
        attempt=received.delivery_attempt or None,
        ordering_key=message.ordering_key,
    )
