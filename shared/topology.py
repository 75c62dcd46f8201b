"""Topics, subscriptions, services and IAM as data: the only list there is.

`declared(profile)` is what ought to exist; `shared.topology_lint` says where such a list contradicts itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache

from shared.errors import UnknownName

ACCOUNT = "nba-pipeline"
"""The service account that the services run as, and that pushes are signed by."""


WATCH_PREFIX = "nbactl-watch-"
"""Names of the temporary subscriptions through which `nbactl up` sees what is published; no plan is about them."""


class Profile(StrEnum):
    """Where the topology stands; on a laptop nobody wants to wait ten minutes for a retry."""

    CLOUD = "cloud"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Service:
    """A Cloud Run service: the routes it answers pushes on, and what it is given.

    Attributes:
        timeout: how long a request may take.
        memory: of an instance, as Cloud Run writes it.
        instances: at most.
        concurrency: requests that an instance is given at a time; no more than a service has places for.
    """

    name: str
    phase: int
    routes: tuple[str, ...]
    timeout: timedelta = timedelta(seconds=540)
    memory: str = "2Gi"
    cpu: str = "2"
    instances: int = 10
    concurrency: int = 8

    @property
    def alias(self) -> str:
        """What an operator calls it: `analytics`, `precompute`."""
        return self.name.removeprefix(f"nba-phase{self.phase}-").partition("-")[0]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic; `read` is False where nobody subscribes yet."""

    name: str
    labels: tuple[tuple[str, str], ...]
    retention: timedelta = timedelta(days=7)
    read: bool = True


@dataclass(frozen=True, slots=True)
class Retry:
    """Exponential back-off between deliveries."""

    minimum: timedelta
    maximum: timedelta


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Where a message goes after so many deliveries that failed."""

    topic: str
    attempts: int = 5


@dataclass(frozen=True, slots=True)
class Push:
    """The service and the route that a subscription pushes to, signed by ACCOUNT."""

    service: str
    route: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription; pull where there is no `push`. `expires` of None is never."""

    name: str
    topic: str
    push: Push | None = None
    retry: Retry | None = None
    dead_letter: DeadLetter | None = None
    ack_deadline: timedelta = timedelta(seconds=600)
    retention: timedelta = timedelta(days=7)
    expires: timedelta | None = None
    filter: str = ""
    ordered: bool = False
    exactly_once: bool = False


class Kind(StrEnum):
    """What a role can be given on."""

    TOPIC = "topic"
    SUBSCRIPTION = "subscription"
    SERVICE = "service"
    ACCOUNT = "service account"
    PROJECT = "project"
    DATASET = "dataset"


@dataclass(frozen=True, slots=True)
class Resource:
    """A thing that has an IAM policy; the name is short, and empty for the project."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


class Member(StrEnum):
    """Who is given a role."""

    PIPELINE = "the pipeline's account"
    PUBSUB_AGENT = "Pub/Sub's service agent"
    SCHEDULER_AGENT = "Cloud Scheduler's service agent"
    DEPLOYER = "whoever deploys"

    def address(self, project: str, number: str) -> str | None:
        """The member as IAM writes it, or None where only the project's people know who it is."""
        agents = {Member.PUBSUB_AGENT: "gcp-sa-pubsub", Member.SCHEDULER_AGENT: "gcp-sa-cloudscheduler"}
        if self is Member.PIPELINE:
            return f"serviceAccount:{account(project)}"
        return f"serviceAccount:service-{number}@{agents[self]}.iam.gserviceaccount.com" if self in agents else None


@dataclass(frozen=True, slots=True)
class Binding:
    """A role that a member must have on a resource."""

    member: Member
    role: str
    resource: Resource

    def __str__(self) -> str:
        return f"{self.role} on {self.resource}"


@dataclass(frozen=True, slots=True)
class Topology:
    """All there ought to be."""

    services: tuple[Service, ...]
    topics: tuple[Topic, ...]
    subscriptions: tuple[Subscription, ...]
    bindings: tuple[Binding, ...]


SERVICES = (
    Service("nba-phase3-analytics-processors", 3, ("/process",)),
    Service("nba-phase4-precompute-processors", 4, ("/process",)),
    Service("nba-phase5-predictions", 5, ("/process", "/predict")),
)

_COMPLETE = {2: "raw", 3: "analytics", 4: "precompute", 5: "predictions"}
_REQUEST = "nba-phase5-prediction-request"
_PUSHED = (
    ("nba-phase3-analytics-sub", "nba-phase2-raw-complete", 3, "/process"),
    ("nba-phase3-fallback-sub", "nba-phase3-fallback-trigger", 3, "/process"),
    ("nba-phase4-precompute-sub", "nba-phase3-analytics-complete", 4, "/process"),
    ("nba-phase4-fallback-sub", "nba-phase4-fallback-trigger", 4, "/process"),
    ("nba-phase5-predictions-sub", "nba-phase4-precompute-complete", 5, "/process"),
    ("nba-phase5-fallback-sub", "nba-phase5-fallback-trigger", 5, "/process"),
    ("nba-phase5-prediction-request-sub", _REQUEST, 5, "/predict"),
)
_READ, _WRITTEN = (
    ("nba_raw", "nba_static"),
    ("nba_analytics", "nba_precompute", "nba_predictions", "nba_orchestration"),
)
_RETRIES = {
    Profile.CLOUD: Retry(timedelta(seconds=10), timedelta(seconds=600)),
    Profile.LOCAL: Retry(timedelta(seconds=1), timedelta(seconds=5)),
}


def account(project: str) -> str:
    """The e-mail address of the pipeline's service account."""
    return f"{ACCOUNT}@{project}.iam.gserviceaccount.com"


def completion_topic(phase: int) -> str:
    """The topic on which a phase, 2 to 5, says that a table is written."""
    return f"nba-phase{phase}-{_COMPLETE[phase]}-complete"


def fallback_topic(phase: int) -> str:
    """The topic by which the clock or an operator starts a phase, 3 to 5."""
    return f"nba-phase{phase}-fallback-trigger"


def dead_letter_topic(topic: str) -> str:
    """The topic that takes what could not be delivered of another."""
    return f"{topic}-dlq"


def pull_subscription(dead_letters: str) -> str:
    """The subscription that keeps dead letters until somebody looks."""
    return f"{dead_letters}-sub"


def service_of_phase(phase: int) -> Service:
    """The service that computes a phase, 3 to 5."""
    return next(service for service in SERVICES if service.phase == phase)


def service_called(name: str) -> Service:
    """The service of a full name, an alias or a phase.

    Raises:
        UnknownName: there is none.
    """
    for service in SERVICES:
        if name in (service.name, service.alias, str(service.phase)):
            return service
    raise UnknownName("service", name, [service.alias for service in SERVICES])


@cache
def declared(profile: Profile) -> Topology:
    """Return the pipeline's topology; the profiles differ in the retry policy and in nothing else."""
    subscriptions = (*_pushed(_RETRIES[profile]), *_kept())
    topics = tuple(_topics())
    return Topology(SERVICES, topics, subscriptions, tuple(_bindings(topics, subscriptions)))


def _pushed(retry: Retry) -> Iterator[Subscription]:
    for name, topic, phase, route in _PUSHED:
        push = Push(service_of_phase(phase).name, route)
        yield Subscription(name, topic, push, retry, DeadLetter(dead_letter_topic(topic)))


def _kept() -> Iterator[Subscription]:
    for _, topic, _, _ in _PUSHED:
        dead_letters = dead_letter_topic(topic)
        yield Subscription(pull_subscription(dead_letters), dead_letters)


def _topics() -> Iterator[Topic]:
    contents = [(completion_topic(phase), phase, "complete") for phase in _COMPLETE]
    contents += [(fallback_topic(service.phase), service.phase, "fallback") for service in SERVICES]
    contents += [(_REQUEST, 5, "request")]
    read = {topic for _, topic, _, _ in _PUSHED}
    for name, phase, content in contents:
        yield Topic(name, _labels(phase, content), read=name in read)
        if name in read:
            yield Topic(dead_letter_topic(name), _labels(phase, "dlq"))


def _labels(phase: int, content: str) -> tuple[tuple[str, str], ...]:
    return (("content", content), ("phase", str(phase)))


def _bindings(topics: tuple[Topic, ...], subscriptions: tuple[Subscription, ...]) -> Iterator[Binding]:
    """Every role, in the order in which they are wanted: delivery, dead letters, publishing, tables, deploying."""
    agent, pipeline, scheduler = Member.PUBSUB_AGENT, Member.PIPELINE, Member.SCHEDULER_AGENT
    itself = Resource(Kind.ACCOUNT, ACCOUNT)
    for service in SERVICES:
        yield Binding(pipeline, "roles/run.invoker", Resource(Kind.SERVICE, service.name))
    yield Binding(agent, "roles/iam.serviceAccountTokenCreator", itself)
    for one in subscriptions:
        if one.dead_letter:
            yield Binding(agent, "roles/pubsub.publisher", Resource(Kind.TOPIC, one.dead_letter.topic))
            yield Binding(agent, "roles/pubsub.subscriber", Resource(Kind.SUBSCRIPTION, one.name))
    for name in (*(completion_topic(service.phase) for service in SERVICES), _REQUEST):
        yield Binding(pipeline, "roles/pubsub.publisher", Resource(Kind.TOPIC, name))
    for topic in topics:
        if dict(topic.labels)["content"] == "fallback":
            yield Binding(scheduler, "roles/pubsub.publisher", Resource(Kind.TOPIC, topic.name))
    yield Binding(pipeline, "roles/bigquery.jobUser", Resource(Kind.PROJECT))
    yield from (Binding(pipeline, "roles/bigquery.dataViewer", Resource(Kind.DATASET, name)) for name in _READ)
    yield from (Binding(pipeline, "roles/bigquery.dataEditor", Resource(Kind.DATASET, name)) for name in _WRITTEN)
    yield Binding(Member.DEPLOYER, "roles/iam.serviceAccountUser", itself)
