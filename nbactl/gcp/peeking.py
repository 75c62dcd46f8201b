"""Looking at the messages of a subscription without taking any, and knowing how many there must be at least.

A snapshot remembers what the subscription has not acknowledged, and a subscription of our own is given exactly that.
Whoever reads the subscription itself notices nothing, whatever becomes of us; what we leave behind when we are killed
is a copy that Pub/Sub deletes by itself after a day.

A snapshot says more. It expires seven days after the oldest message that it remembers was published, or, where it
remembers none, after it was made. So the snapshot of a subscription that was emptied tells the server's time; and that
of a queue tells whether the queue holds anything, and since when, whatever a pull may answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nbactl.gcp.cleanup import Cleanup
from nbactl.gcp.pubsub_admin import PubSubAdmin
from nbactl.gcp.queue_reader import QueueReader
from shared.border import border
from shared.errors import AccessDenied, NbactlError, NotFound, PreconditionFailed, TimedOut
from shared.topology import WATCH_PREFIX

if TYPE_CHECKING:
    from shared.pubsub import PubSub, Pulled

BATCH = 1000
_SNAPSHOT_LIFE = timedelta(days=7)
_REFUSED_BEFORE = timedelta(hours=1)
"""A snapshot that would expire sooner is not made."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Where the messages of a queue can be read.

    Attributes:
        subscription: to pull from: a copy, or the queue itself.
        oldest: when its oldest message was published, UTC; None where it holds none.
        is_copy: whether nobody else notices.
    """

    subscription: str
    oldest: datetime | None
    is_copy: bool


@dataclass(frozen=True, slots=True)
class Marks:
    """What the server says of queues at one moment.

    Attributes:
        began: that moment, by the server's clock, UTC.
        oldest: when the oldest message of a queue was published, of those that hold one.
    """

    began: datetime
    oldest: Mapping[str, datetime]


@contextmanager
def peeking(pubsub: PubSub, subscription: str, topic: str) -> Iterator[Iterator[tuple[Pulled, ...]]]:
    """Everything that a subscription holds, in batches.

    Raises:
        AccessDenied: not allowed to make a snapshot or a subscription.
        NotFound: there is no such subscription.
        PreconditionFailed: its messages are too old for a snapshot.
        TimedOut: no answer, or not all of it.
    """
    began = read_server_time(pubsub, [topic])
    with Cleanup() as cleanup:
        yield _batches(pubsub, copy_queue(pubsub, subscription, topic, cleanup, began))


def _batches(pubsub: PubSub, sight: Sight) -> Iterator[tuple[Pulled, ...]]:
    reader = QueueReader(
        pubsub, [sight.subscription], BATCH, {sight.subscription: sight.oldest} if sight.oldest else {}
    )
    yield from (batch.fresh for batch in reader if batch.fresh)
    for error in reader.failures.values():
        raise error
    if reader.withheld:
        raise TimedOut(
            f"{pubsub.server} did not give everything that it holds", why="a snapshot says that there is more"
        )


def copy_queue(pubsub: PubSub, subscription: str, topic: str, cleanup: Cleanup, began: datetime | None) -> Sight:
    """Give a subscription of our own what a queue holds; `cleanup` takes it away again.

    Args:
        pubsub: where the queue is.
        subscription: the queue.
        topic: that it is of.
        cleanup: of the block that reads the copy.
        began: a moment before this, by the server's clock, UTC; without one nothing is known of the oldest message.

    Raises:
        AccessDenied: not allowed to make a snapshot or a subscription.
        NotFound: there is no such subscription.
        PreconditionFailed: its messages are too old for a snapshot.
        TimedOut: no answer.
    """
    admin, copy = PubSubAdmin(pubsub), _new_name()
    with cleanup.making(copy, admin.delete_snapshot):
        oldest = admin.create_snapshot(copy, subscription) - _SNAPSHOT_LIFE
    border("peek.remembered")
    with cleanup.making(copy, admin.delete_subscription):
        _subscribe(admin, copy, topic)
    border("peek.subscribed")
    admin.seek(copy, copy)
    return Sight(copy, oldest if began and _holds(pubsub, oldest, began) else None, is_copy=True)


def mark(pubsub: PubSub, topics: Mapping[str, str]) -> Marks | None:
    """What the server says of queues now; None where we may not ask it, or it does not say.

    Args:
        pubsub: where they are.
        topics: of each queue, by the short name of its subscription.
    """
    began = read_server_time(pubsub, topics.values())
    return Marks(began, oldest_messages(pubsub, list(topics), began)) if began else None


def read_server_time(pubsub: PubSub, topics: Iterable[str]) -> datetime | None:
    """The time by the clock that messages are stamped by, UTC; None where we may not ask, or there is no answer.

    It is that of a snapshot of a new subscription, from which everything was taken that a topic gives to new ones.

    Args:
        pubsub: the server.
        topics: short names, the first of which that exists is used.
    """
    admin, probe = PubSubAdmin(pubsub), _new_name()
    with Cleanup() as cleanup:
        for topic in dict.fromkeys(topics):
            try:
                with cleanup.making(probe, admin.delete_subscription):
                    _subscribe(admin, probe, topic)
                admin.purge(probe)
                with cleanup.making(probe, admin.delete_snapshot):
                    return admin.create_snapshot(probe, probe) - _SNAPSHOT_LIFE
            except NotFound:
                continue
            except NbactlError:
                return None
    return None


def oldest_messages(pubsub: PubSub, subscriptions: Sequence[str], began: datetime) -> dict[str, datetime]:
    """When the oldest message of each queue was published, of those that hold one from before a moment.

    A queue that cannot be asked is left out.

    Args:
        pubsub: where they are.
        subscriptions: short names.
        began: by the server's clock, UTC.
    """
    admin, found = PubSubAdmin(pubsub), {}
    with Cleanup() as cleanup:
        for subscription in subscriptions:
            name = _new_name()
            try:
                with cleanup.making(name, admin.delete_snapshot):
                    oldest = admin.create_snapshot(name, subscription) - _SNAPSHOT_LIFE
            except (AccessDenied, NotFound):
                continue
            except PreconditionFailed:
                # it is refused because of a message that is at least so old
                oldest = began - _SNAPSHOT_LIFE + _REFUSED_BEFORE
            except NbactlError:
                continue
            if _holds(pubsub, oldest, began):
                found[subscription] = oldest
    return found


def _holds(pubsub: PubSub, oldest: datetime, began: datetime) -> bool:
    # what is as old as the moment itself may be an empty queue's, if times are cut short
    return oldest < began - timedelta(seconds=pubsub.emptiness.slack)


def _new_name() -> str:
    return f"{WATCH_PREFIX}{secrets.token_hex(6)}"


def _subscribe(admin: PubSubAdmin, name: str, topic: str) -> None:
    from google.pubsub_v1 import types

    admin.create_subscription(
        types.Subscription(
            name=admin.pubsub.subscription_path(name),
            topic=admin.pubsub.topic_path(topic),
            ack_deadline_seconds=600,
            expiration_policy=types.ExpirationPolicy(ttl=timedelta(days=1)),
        )
    )
