"""The topology's plan: what is declared beside what is live, as a value that another part carries out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from nbactl.gcp import shapes
from nbactl.gcp.cloud import Cloud, Target
from nbactl.gcp.iam import Grant, Policies
from nbactl.gcp.shapes import Facts
from shared.errors import DataError
from shared.topology import WATCH_PREFIX, Binding, Kind, Resource, Subscription, Topic, Topology, declared
from shared.topology_lint import lint

if TYPE_CHECKING:
    from google.pubsub_v1 import types

THREADS = 16
A = TypeVar("A")
B = TypeVar("B")


class Action(StrEnum):
    """What is to be done about one thing, with the mark that a plan shows."""

    CREATE = "create"
    CHANGE = "change"
    OK = "ok"
    WAITS = "waits"
    RECREATE = "recreate"

    @property
    def mark(self) -> str:
        """One character, so that a plan can be read down its edge."""
        return {"create": "+", "change": "~", "ok": "=", "waits": ".", "recreate": "!"}[self]


@dataclass(frozen=True, slots=True)
class Change:
    """A field that is live with another value than was declared."""

    field: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.field}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Step:
    """One declared thing and what is to be done about it.

    Attributes:
        wanted: what is declared.
        changes: the fields that differ.
        detail: what else there is to say.
        root: of a push subscription, the URL of its service.
        labels: of a topic, the labels that are somebody else's and stay.
        grant: of a binding, role and member as IAM writes them.
    """

    action: Action
    wanted: Topic | Subscription | Binding
    changes: tuple[Change, ...] = ()
    detail: str = ""
    root: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    grant: Grant | None = None

    @property
    def kind(self) -> str:
        """What sort of thing it is."""
        match self.wanted:
            case Topic():
                return "topic"
            case Subscription():
                return "subscription"
        return "role"

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.wanted) if isinstance(self.wanted, Binding) else self.wanted.name

    def __str__(self) -> str:
        said = {
            Action.CREATE: "+ create",
            Action.CHANGE: f"~ change {'; '.join(map(str, self.changes))}",
            Action.OK: "= ok",
            Action.WAITS: f". waits for {self.detail}",
            Action.RECREATE: f"! needs recreation (would lose an unknown number of messages) {self._fixed()}",
        }
        return said[self.action] + (f" ({self.detail})" if self.detail and self.action is Action.CHANGE else "")

    def _fixed(self) -> str:
        return "; ".join(map(str, self.changes))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a target lacks.

    Attributes:
        steps: everything that is declared, in the order of the declaration.
        undeclared: live subscriptions of declared topics that nobody declared; they are left alone.
        unread: declared roles that were not looked at, and why.
    """

    target: Target
    steps: tuple[Step, ...]
    undeclared: tuple[str, ...]
    unread: tuple[str, ...]

    def having(self, *actions: Action) -> tuple[Step, ...]:
        """The steps of these actions."""
        return tuple(step for step in self.steps if step.action in actions)

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that carrying the plan out would take."""
        return self.having(Action.CREATE, Action.CHANGE)

    @property
    def summary(self) -> str:
        """The plan in one line."""
        found = Counter(step.action for step in self.steps)
        parts = [f"{len(self.changes)} change{'' if len(self.changes) == 1 else 's'}"]
        if found[Action.RECREATE]:
            parts.append(f"{found[Action.RECREATE]} to recreate by hand")
        if found[Action.WAITS]:
            parts.append(f"{found[Action.WAITS]} waiting for a service")
        return f"{', '.join(parts)}; {found[Action.OK]} ok"


@dataclass(frozen=True, slots=True)
class Live:
    """What a target has; read once, and whole or not at all."""

    topics: Mapping[str, types.Topic]
    subscriptions: Mapping[str, types.Subscription]
    urls: Mapping[str, str]
    number: str


def build(cloud: Cloud) -> Plan:
    """Compare what is declared with what is live; reads only.

    Raises:
        AccessDenied: something may not be read.
        Undetermined: something could not be read; there is no plan then, because what is unknown is not ok.
        DataError: the declared topology contradicts itself.
    """
    topology = declared(cloud.target.profile)
    if findings := lint(topology):
        raise DataError("the declared topology contradicts itself", findings, hint="mend shared/topology.py")
    live = _read(cloud)
    steps = [_topic_step(topic, live, cloud.target) for topic in topology.topics]
    steps += [_subscription_step(one, live, cloud.target) for one in topology.subscriptions]
    roles, unread = _roles(cloud, topology, live, {step.name: step for step in steps})
    return Plan(cloud.target, (*steps, *roles), tuple(_undeclared(topology, live)), unread)


def side_by_side(work: Callable[[A], B], items: Iterator[A] | list[A] | tuple[A, ...]) -> list[B]:
    """Do the same to each at the same time; answers take their time, and there are dozens to wait for."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, items))


def _read(cloud: Cloud) -> Live:
    asked: list[Callable[[], object]] = [cloud.admin.topics, cloud.admin.subscriptions, cloud.urls, cloud.number]
    # the clients are made here, where no two threads can both make one
    _ = cloud.pubsub.publisher, cloud.pubsub.subscriber
    topics, subscriptions, urls, number = side_by_side(lambda ask: ask(), asked)
    return Live(topics, subscriptions, urls, number)  # type: ignore[arg-type]


def _topic_step(topic: Topic, live: Live, target: Target) -> Step:
    found = live.topics.get(topic.name)
    if found is None:
        return Step(Action.CREATE, topic)
    wanted = shapes.topic_facts(shapes.topic_message(topic, target.project))
    changes = _differences(wanted, shapes.topic_facts(found))
    return replace(_compared(topic, changes, target), labels=tuple(sorted(found.labels.items())))


def _subscription_step(one: Subscription, live: Live, target: Target) -> Step:
    root = live.urls.get(one.push.service) if one.push else None
    found = live.subscriptions.get(one.name)
    waits = one.push is not None and not root
    if found is None:
        return (
            Step(Action.WAITS, one, detail=one.push.service)
            if one.push and waits
            else Step(Action.CREATE, one, root=root)
        )
    wanted = shapes.subscription_facts(shapes.subscription_message(one, target.project, root))
    changes = _differences(wanted, shapes.subscription_facts(found))
    if waits and one.push:
        # where it should push to is not known; everything else is
        changes = tuple(change for change in changes if not change.field.startswith("push."))
        if not changes:
            return Step(Action.WAITS, one, detail=f"{one.push.service}; pushes to {found.push_config.push_endpoint}")
    return replace(_compared(one, changes, target), root=root)


def _differences(wanted: Facts, found: Facts) -> tuple[Change, ...]:
    return tuple(Change(name, found[name], value) for name, value in wanted.items() if found[name] != value)


def _compared(wanted: Topic | Subscription, changes: tuple[Change, ...], target: Target) -> Step:
    if not changes:
        return Step(Action.OK, wanted)
    fixed = shapes.EMULATOR_FIXED if target.emulator else frozenset()
    stuck = any(shapes.PATHS[change.field] is None or change.field in fixed for change in changes)
    return Step(Action.RECREATE if stuck else Action.CHANGE, wanted, changes)


def _undeclared(topology: Topology, live: Live) -> Iterator[str]:
    topics = {topic.name for topic in topology.topics}
    names = {one.name for one in topology.subscriptions}
    for name, one in sorted(live.subscriptions.items()):
        if name not in names and shapes.short(one.topic) in topics and not name.startswith(WATCH_PREFIX):
            target = one.push_config.push_endpoint
            yield f"{name} on {shapes.short(one.topic)}" + (f", pushing to {target}" if target else "")


def _roles(
    cloud: Cloud, topology: Topology, live: Live, steps: Mapping[str, Step]
) -> tuple[list[Step], tuple[str, ...]]:
    policies = cloud.policies
    if policies is None:
        return [], (f"{len(topology.bindings)} roles: the emulator has no IAM",)
    unread, readable = [], []
    for binding in topology.bindings:
        address = binding.member.address(cloud.target.project, live.number)
        if address is None or not policies.knows(binding.resource):
            unread.append(f"{binding} for {binding.member}")
        else:
            readable.append(Step(Action.OK, binding, grant=(binding.role, address)))
    return _judged(readable, policies, live, steps), tuple(unread)


def _judged(readable: list[Step], policies: Policies, live: Live, steps: Mapping[str, Step]) -> list[Step]:
    """Look at the policies of what exists; what does not exist yet has no roles."""
    exists = {
        Kind.TOPIC: live.topics,
        Kind.SUBSCRIPTION: live.subscriptions,
        Kind.SERVICE: {name: url for name, url in live.urls.items() if url},
    }
    resources = list({step.wanted.resource for step in readable if isinstance(step.wanted, Binding)})
    there = [one for one in resources if one.kind not in exists or one.name in exists[one.kind]]
    grants = dict(zip(there, side_by_side(policies.grants, there), strict=True))
    return [_role_step(step, grants, steps) for step in readable]


def _role_step(step: Step, grants: Mapping[Resource, frozenset[Grant]], steps: Mapping[str, Step]) -> Step:
    resource = step.wanted.resource if isinstance(step.wanted, Binding) else Resource(Kind.PROJECT)
    if resource in grants:
        return step if step.grant in grants[resource] else replace(step, action=Action.CREATE)
    if resource.kind is Kind.SERVICE:
        return replace(step, action=Action.WAITS, detail=resource.name)
    waited = steps[resource.name]
    return replace(step, action=waited.action, detail=waited.detail)
