"""Carrying out a plan of the topology, and taking the topology down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from nbactl.gcp import shapes
from nbactl.gcp.cloud import Cloud, Target
from nbactl.ops.infra import Action, Plan, Step, side_by_side
from shared.errors import NbactlError, PartlyFailed, PreconditionFailed, UnknownName
from shared.topology import Binding, Kind, Resource, Subscription, Topic, declared

Watch = Callable[[str], None]
"""Called with a sentence after each thing that is done."""


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was taken, the error that stopped it, or neither: not reached, because an earlier one failed."""

    step: Step
    done: bool
    error: NbactlError | None = None


def apply(plan: Plan, cloud: Cloud, watch: Watch) -> list[Done]:
    """Make and change what the plan says, and delete nothing; a failure stops what would come after it.

    The order is that of dependence: topics, pull subscriptions, roles, push subscriptions, and the roles on those.
    """
    results: list[Done] = []
    for wave in _waves(plan):
        taken = [] if any(one.error for one in results) else side_by_side(partial(_take, cloud, watch), wave)
        results += [one for group in taken for one in group] or [Done(step, done=False) for step in _flat(wave)]
    return results


def verdict(plan: Plan, results: Collection[Done]) -> NbactlError | None:
    """The error that a creation ends with, or None where all is as declared."""
    failed = [one for one in results if one.error]
    if failed and failed[0].error:
        return _failure(failed[0].error, len(failed), any(one.done for one in results))
    stuck = plan.having(Action.RECREATE)
    if not stuck:
        return None
    names = " ".join(step.name for step in stuck)
    return PreconditionFailed(
        f"{len(stuck)} of the declared need recreation: {', '.join(step.name for step in stuck)}",
        why="Pub/Sub cannot change these fields, and deleting loses the messages that are held",
        hint=f"nbactl infra destroy {names} --confirm {plan.target.project}, then nbactl infra create",
    )


def _failure(first: NbactlError, failures: int, some_done: bool) -> NbactlError:  # noqa: FBT001 -- a private helper
    if failures == 1 and not some_done:
        return first
    message = f"{failures} step{'' if failures == 1 else 's'} failed; the first: {first.message}"
    kind = PartlyFailed if some_done else type(first)
    return kind(message, why=first.why, hint="what is done stays; nbactl infra plan shows what is left")


def _waves(plan: Plan) -> Iterator[list[list[Step]]]:
    """Groups of steps that may go side by side; the steps of a group change one thing."""
    steps = plan.changes
    yield [[step] for step in steps if isinstance(step.wanted, Topic)]
    subscriptions = [step for step in steps if isinstance(step.wanted, Subscription)]
    yield [[step] for step in subscriptions if not _pushes(step)]
    roles = _by_resource(steps)
    yield [group for resource, group in roles if resource.kind is not Kind.SUBSCRIPTION]
    yield [[step] for step in subscriptions if _pushes(step)]
    yield [group for resource, group in roles if resource.kind is Kind.SUBSCRIPTION]


def _pushes(step: Step) -> bool:
    return isinstance(step.wanted, Subscription) and step.wanted.push is not None


def _by_resource(steps: Collection[Step]) -> list[tuple[Resource, list[Step]]]:
    """Two writers of one policy would only hinder each other."""
    found: dict[Resource, list[Step]] = {}
    for step in steps:
        if isinstance(step.wanted, Binding):
            found.setdefault(step.wanted.resource, []).append(step)
    return list(found.items())


def _flat(wave: list[list[Step]]) -> Iterator[Step]:
    return (step for group in wave for step in group)


def _take(cloud: Cloud, watch: Watch, group: list[Step]) -> list[Done]:
    try:
        _change(cloud, group)
    except NbactlError as error:
        return [Done(step, done=False, error=error) for step in group]
    for step in group:
        watch(f"{step.kind} {step.name}: {step.action}d")
    return [Done(step, done=True) for step in group]


def _change(cloud: Cloud, group: list[Step]) -> None:
    step = group[0]
    match step.wanted:
        case Topic() as topic:
            _change_topic(cloud, step, topic)
        case Subscription() as one:
            _change_subscription(cloud, step, one)
        case Binding() as binding if cloud.policies:
            cloud.policies.grant(binding.resource, {step.grant for step in group if step.grant})


def _change_topic(cloud: Cloud, step: Step, topic: Topic) -> None:
    message = shapes.topic_message(topic, cloud.target.project, dict(step.labels))
    if step.action is Action.CREATE:
        cloud.admin.create_topic(message)
    else:
        cloud.admin.update_topic(message, _paths(step))


def _change_subscription(cloud: Cloud, step: Step, one: Subscription) -> None:
    message = shapes.subscription_message(one, cloud.target.project, step.root)
    if step.action is Action.CREATE:
        cloud.admin.create_subscription(message)
    else:
        cloud.admin.update_subscription(message, _paths(step))


def _paths(step: Step) -> set[str]:
    return {path for change in step.changes if (path := shapes.PATHS[change.field])}


@dataclass(frozen=True, slots=True)
class Removal:
    """What is there of the declared topology, and will be gone; the messages in it too."""

    target: Target
    topics: tuple[str, ...]
    subscriptions: tuple[str, ...]

    def rows(self) -> Iterator[Mapping[str, object]]:
        """Kind and name of each, in the order in which they go."""
        yield from ({"kind": "subscription", "name": name} for name in self.subscriptions)
        yield from ({"kind": "topic", "name": name} for name in self.topics)


def plan_removal(cloud: Cloud, names: Collection[str]) -> Removal:
    """Find what is there of the declared topology, or of the named part of it; what is not declared is left alone.

    Raises:
        UnknownName: a name is not declared.
        AccessDenied: the lists may not be read.
        Undetermined: the lists could not be read.
    """
    topology = declared(cloud.target.profile)
    known = [*(one.name for one in topology.topics), *(one.name for one in topology.subscriptions)]
    for name in names:
        if name not in known:
            raise UnknownName("declared topic or subscription", name, known)
    wanted = set(names or known)
    topics, subscriptions = cloud.admin.topics(), cloud.admin.subscriptions()
    return Removal(
        cloud.target,
        tuple(one.name for one in topology.topics if one.name in wanted & set(topics)),
        tuple(one.name for one in topology.subscriptions if one.name in wanted & set(subscriptions)),
    )


def remove(removal: Removal, cloud: Cloud) -> None:
    """Delete subscriptions, then topics.

    Raises:
        PartlyFailed: some could not be deleted.
        NbactlError: none could.
    """
    jobs = [partial(cloud.admin.delete_subscription, name) for name in removal.subscriptions]
    errors = [error for error in side_by_side(_tried, jobs) if error]
    later = [partial(cloud.admin.delete_topic, name) for name in removal.topics]
    errors += [error for error in side_by_side(_tried, later) if error]
    if errors:
        raise _failure(errors[0], len(errors), len(errors) < len(jobs) + len(later))


def _tried(job: Callable[[], None]) -> NbactlError | None:
    try:
        job()
    except NbactlError as error:
        return error
    return None
