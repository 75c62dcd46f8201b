"""Looking at the messages of a subscription without taking any.

A snapshot remembers what the subscription has not acknowledged, and a subscription of our own is given exactly that.
Whoever reads the subscription itself notices nothing, whatever becomes of us; what we leave behind when we are killed
is a copy that Pub/Sub deletes by itself after a day.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from nbactl.gcp.pubsub_admin import PubSubAdmin
from shared.border import border
from shared.pubsub import PubSub
from shared.topology import WATCH_PREFIX

if TYPE_CHECKING:
    from shared.pubsub import Pulled

BATCH = 1000
_QUIET_SECONDS = 3.0
"""How long Google Cloud must give nothing before we take it for all; an emulator's first word counts."""


@contextmanager
def peeking(pubsub: PubSub, subscription: str, topic: str) -> Iterator[Iterator[tuple[Pulled, ...]]]:
    """Everything that a subscription holds, in batches.

    Raises:
        AccessDenied: not allowed to make a snapshot or a subscription.
        NotFound: there is no such subscription.
        TimedOut: no answer.
    """
    admin, copy = PubSubAdmin(pubsub), f"{WATCH_PREFIX}{secrets.token_hex(6)}"
    try:
        admin.create_snapshot(copy, subscription)
        border("peek.remembered")
        _subscribe(admin, copy, topic)
        border("peek.subscribed")
        admin.seek(copy, copy)
        yield _batches(pubsub, copy)
    finally:
        admin.delete_subscription(copy)
        admin.delete_snapshot(copy)


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


def _batches(pubsub: PubSub, copy: str) -> Iterator[tuple[Pulled, ...]]:
    quiet = 0.0 if pubsub.emulator else _QUIET_SECONDS
    while pulled := pubsub.pull(copy, BATCH, wait=quiet):
        border("peek.pulled")
        yield pulled
