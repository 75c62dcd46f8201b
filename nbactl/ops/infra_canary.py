"""A proof by behaviour: a healthy message is delivered once, a poison one becomes a dead letter with its source.

On a topic and subscriptions of its own, made with the declared settings and removed whatever happens.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from nbactl.gcp import shapes
from nbactl.gcp.cloud import Cloud
from shared.cleanup import ensure_cleanup
from shared.errors import NbactlError, TimedOut
from shared.pubsub import PubSub, Pulled
from shared.topology import (
    DeadLetter,
    Kind,
    Member,
    Resource,
    Subscription,
    Topic,
    dead_letter_topic,
    declared,
    pull_subscription,
)

_HEALTHY, _POISON = b"healthy", b"poison"
_SOURCE = "CloudPubSubDeadLetterSource"
_SLACK = timedelta(seconds=30)

Watch = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Proof:
    """What the canary saw: deliveries of each message, and how long the poison one took to become a dead letter."""

    healthy_deliveries: int
    poison_deliveries: int
    dead_letter_seconds: float


@dataclass(frozen=True, slots=True)
class _Place:
    """Short names of the temporary topic, its subscription, and where the subscription's dead letters are kept."""

    topic: str
    subscription: str
    attempts: int

    @property
    def dead_letters(self) -> str:
        return dead_letter_topic(self.topic)

    @property
    def kept(self) -> str:
        return pull_subscription(self.dead_letters)


def prove(cloud: Cloud, watch: Watch) -> Proof:
    """Send two messages through temporary resources, acknowledge one and refuse the other until it is a dead letter.

    Raises:
        NbactlError: the dead letter is not what was sent, or does not say where it comes from.
        TimedOut: it did not come in the time that the declared retries take.
    """
    template = next(one for one in declared(cloud.target.profile).subscriptions if one.push)
    name = f"nba-canary-{secrets.token_hex(4)}"
    attempts = template.dead_letter.attempts if template.dead_letter else 0
    place = _Place(name, f"{name}-sub", attempts)
    with _made(cloud, template, place):
        watch(f"made {name} with the declared settings")
        cloud.pubsub.publish(name, _HEALTHY, {"canary": "healthy"})
        cloud.pubsub.publish(name, _POISON, {"canary": "poison"})
        return _follow(cloud.pubsub, place, _patience(template), watch)


@contextmanager
def _made(cloud: Cloud, template: Subscription, place: _Place) -> Iterator[None]:
    """Make the temporary resources, and remove them at the end, on an error and on Ctrl-C too."""
    project = cloud.target.project
    ours = replace(
        template, name=place.subscription, topic=place.topic, push=None, dead_letter=DeadLetter(place.dead_letters)
    )
    kept = Subscription(place.kept, place.dead_letters)
    with ensure_cleanup(partial(_remove, cloud, place)):
        for name in (place.topic, place.dead_letters):
            cloud.admin.create_topic(shapes.topic_message(Topic(name, (("content", "canary"),)), project))
        for one in (kept, ours):
            cloud.admin.create_subscription(shapes.subscription_message(one, project, None))
        _let_dead_letters_through(cloud, place)
        yield


def _let_dead_letters_through(cloud: Cloud, place: _Place) -> None:
    if cloud.policies is None:
        return
    agent = Member.PUBSUB_AGENT.address(cloud.target.project, cloud.number()) or ""
    cloud.policies.grant(Resource(Kind.TOPIC, place.dead_letters), [("roles/pubsub.publisher", agent)])
    cloud.policies.grant(Resource(Kind.SUBSCRIPTION, place.subscription), [("roles/pubsub.subscriber", agent)])


def _remove(cloud: Cloud, place: _Place) -> None:
    """Remove each, even where another cannot be.

    Raises:
        NbactlError: something was left, by its name.
    """
    left = []
    for delete, name in (
        (cloud.admin.delete_subscription, place.subscription),
        (cloud.admin.delete_subscription, place.kept),
        (cloud.admin.delete_topic, place.topic),
        (cloud.admin.delete_topic, place.dead_letters),
    ):
        try:
            delete(name)
        except NbactlError as error:
            left.append(f"{name}: {error.message}")
    if left:
        raise NbactlError("the canary could not be removed whole", why="\n".join(left), hint="delete it by hand")


def _patience(template: Subscription) -> timedelta:
    """As long as all retries at their longest, and some."""
    longest = template.retry.maximum if template.retry else timedelta()
    attempts = template.dead_letter.attempts if template.dead_letter else 0
    return longest * attempts + _SLACK


def _follow(pubsub: PubSub, place: _Place, patience: timedelta, watch: Watch) -> Proof:
    began = time.monotonic()
    counts = {_HEALTHY: 0, _POISON: 0}
    while not (letters := pubsub.pull(place.kept)):
        for message in pubsub.pull(place.subscription, wait=0.5):
            counts[message.data] += 1
            _answer(pubsub, place, message)
            watch(f"{message.data.decode()}: delivery {counts[message.data]}")
        if time.monotonic() - began > patience.total_seconds():
            raise TimedOut(
                f"the canary's poison message is no dead letter after {patience.total_seconds():.0f} s",
                why=f"deliveries: {counts[_HEALTHY]} of the healthy message, {counts[_POISON]} of the poison one",
                hint="nbactl infra verify, for the roles of Pub/Sub's service agent",
            )
    pubsub.acknowledge(place.kept, [letter.ack_id for letter in letters])
    _check(letters, place, counts[_HEALTHY])
    return Proof(counts[_HEALTHY], counts[_POISON], time.monotonic() - began)


def _answer(pubsub: PubSub, place: _Place, message: Pulled) -> None:
    if message.data == _HEALTHY:
        pubsub.acknowledge(place.subscription, [message.ack_id])
    # what was acknowledged cannot be given back: were it not, it would go the way of the poison
    pubsub.modify(place.subscription, [message.ack_id], 0)


def _check(letters: tuple[Pulled, ...], place: _Place, healthy: int) -> None:
    """Hold the dead letters against what was sent.

    Raises:
        NbactlError: they differ.
    """
    letter = letters[0]
    source = letter.attributes.get(f"{_SOURCE}Subscription", "")
    said = {
        "one dead letter": len(letters) == 1,
        "it is the poison message, as it was sent": (letter.data, letter.attributes.get("canary"))
        == (_POISON, "poison"),
        "it names its subscription": source.endswith(place.subscription),
        "it says how often it was delivered": letter.attributes.get(f"{_SOURCE}DeliveryCount") == str(place.attempts),
        "it says when it was published": f"{_SOURCE}TopicPublishTime" in letter.attributes,
        "the healthy message was delivered": healthy > 0,
        "the healthy message stayed away once acknowledged": healthy < place.attempts,
    }
    wrong = [what for what, holds in said.items() if not holds]
    if wrong:
        raise NbactlError("the canary died", why="not so: " + "; ".join(wrong), hint="nbactl infra verify")
