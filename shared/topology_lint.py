"""What would fail in operation though each part of a topology is well formed."""

from __future__ import annotations

from collections.abc import Iterator

from shared.errors import Finding
from shared.topology import Kind, Member, Push, Resource, Subscription, Topology

_ATTEMPTS = range(5, 101)  # what Pub/Sub accepts
_ACK_SECONDS = range(10, 601)


def lint(topology: Topology) -> list[Finding]:
    """Return everything that is wrong; the table of a finding is the name of a topic, subscription or service."""
    return [
        *_doubled(topology),
        *_unread(topology),
        *(finding for one in topology.subscriptions for finding in _lint_subscription(one, topology)),
        *_powerless(topology),
    ]


def _doubled(topology: Topology) -> Iterator[Finding]:
    for listed in (topology.services, topology.topics, topology.subscriptions):
        names = [one.name for one in listed]
        yield from (Finding(name, "declared twice") for name in sorted(set(names)) if names.count(name) > 1)


def _unread(topology: Topology) -> Iterator[Finding]:
    heard = {one.topic for one in topology.subscriptions}
    for topic in topology.topics:
        if topic.read and topic.name not in heard:
            yield Finding(topic.name, "no subscription: what is published to it is lost")


def _lint_subscription(one: Subscription, topology: Topology) -> Iterator[Finding]:
    topics = {topic.name for topic in topology.topics}
    wanted = {one.topic} | ({one.dead_letter.topic} if one.dead_letter else set())
    yield from (Finding(one.name, f"topic {name} is not declared") for name in sorted(wanted - topics))
    if one.expires is not None:
        yield Finding(one.name, f"expires after {one.expires.days} idle days, as the off-season has")
    if one.ack_deadline.total_seconds() not in _ACK_SECONDS:
        yield Finding(one.name, "ack deadline outside 10 to 600 s")
    if one.dead_letter and one.dead_letter.attempts not in _ATTEMPTS:
        yield Finding(one.name, "delivery attempts outside 5 to 100")
    if one.push:
        yield from _lint_push(one, one.push, topology)


def _lint_push(one: Subscription, push: Push, topology: Topology) -> Iterator[Finding]:
    service = next((service for service in topology.services if service.name == push.service), None)
    if service is None:
        yield Finding(one.name, f"pushes to {push.service}, which is no declared service")
        return
    if push.route not in service.routes:
        yield Finding(one.name, f"pushes to {push.route}, which {service.name} does not answer")
    if one.ack_deadline <= service.timeout:
        yield Finding(one.name, f"ack deadline not above the time-out of {service.name}: deliveries would overlap")
    if one.retry is None:
        yield Finding(one.name, "no retry policy: a failed message comes back at once")
    if one.dead_letter is None:
        yield Finding(one.name, "no dead letter topic: a poison message comes back for ever")


def _powerless(topology: Topology) -> Iterator[Finding]:
    """Pushes and dead letters that IAM would stop."""
    given = {(binding.member, binding.role, binding.resource) for binding in topology.bindings}
    for one in topology.subscriptions:
        needed = []
        if one.push:
            needed += [(Member.PIPELINE, "roles/run.invoker", Resource(Kind.SERVICE, one.push.service))]
        if one.dead_letter:
            publisher = (Member.PUBSUB_AGENT, "roles/pubsub.publisher", Resource(Kind.TOPIC, one.dead_letter.topic))
            subscriber = (Member.PUBSUB_AGENT, "roles/pubsub.subscriber", Resource(Kind.SUBSCRIPTION, one.name))
            needed += [publisher, subscriber]
        for member, role, resource in needed:
            if (member, role, resource) not in given:
                yield Finding(one.name, f"{member} lacks {role} on {resource}")
