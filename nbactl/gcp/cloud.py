"""Everything that a plan of the topology asks: Pub/Sub, IAM, Cloud Run and the project, or an emulator and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from nbactl.gcp.iam import Policies
from nbactl.gcp.pubsub_admin import PubSubAdmin, undetermined
from nbactl.gcp.shapes import short
from shared import errors
from shared.pubsub import CALL_SECONDS, PubSub, answered
from shared.topology import Kind, Profile

if TYPE_CHECKING:
    from google.cloud.resourcemanager_v3 import ProjectsClient
    from google.cloud.run_v2 import Service, ServicesClient


@dataclass(frozen=True, slots=True)
class Target:
    """What a command works on."""

    project: str
    region: str
    emulator: str | None

    @property
    def location(self) -> str:
        """What the full names of its services, builds and repositories begin with."""
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def profile(self) -> Profile:
        """Which of the two declared topologies belongs there."""
        return Profile.LOCAL if self.emulator else Profile.CLOUD

    def __str__(self) -> str:
        where = f"the Pub/Sub emulator at {self.emulator}" if self.emulator else f"Google Cloud, region {self.region}"
        return f"project {self.project} on {where}"


@dataclass(frozen=True)
class Cloud:
    """Whom to ask about a target.

    Attributes:
        admin: topics and subscriptions.
        policies: IAM, or None where there is none.
        urls: gives the root URL of each service that is deployed.
        number: gives the project's number, which the names of service agents hold.
    """

    target: Target
    admin: PubSubAdmin
    policies: Policies | None
    urls: Callable[[], Mapping[str, str]]
    number: Callable[[], str]

    @property
    def pubsub(self) -> PubSub:
        """Publishing and pulling."""
        return self.admin.pubsub


def connect(target: Target, given: Mapping[str, str]) -> Cloud:
    """Return whom to ask; nothing is asked yet.

    Args:
        target: where.
        given: the root URL of services that no API knows, which is how a laptop runs them.

    Raises:
        UsageError: URLs are given for Google Cloud, which knows its own.
        AccessDenied: there are no credentials.
    """
    admin = PubSubAdmin(PubSub(target.project, target.emulator))
    if target.emulator:
        return Cloud(target, admin, None, lambda: given, lambda: "")
    if given:
        raise errors.UsageError("--service is for an emulator", why="Cloud Run knows where its services are")

    from google.cloud.iam_admin_v1 import IAMClient
    from google.cloud.resourcemanager_v3 import ProjectsClient
    from google.cloud.run_v2 import ServicesClient

    with answered("reach Google Cloud", "Google"):
        return of_clients(target, admin, ServicesClient(), ProjectsClient(), IAMClient())


def of_clients(
    target: Target, admin: PubSubAdmin, services: ServicesClient, projects: ProjectsClient, accounts: object
) -> Cloud:
    """Put Google's clients together."""
    number = partial(project_number, projects, target)
    clients = {
        Kind.TOPIC: admin.pubsub.publisher,
        Kind.SUBSCRIPTION: admin.pubsub.publisher,
        Kind.SERVICE: services,
        Kind.PROJECT: projects,
        Kind.ACCOUNT: accounts,
    }
    policies = Policies(target.project, target.region, clients)  # type: ignore[arg-type]
    return Cloud(target, admin, policies, partial(service_urls, services, number, target), number)


def project_number(projects: ProjectsClient, target: Target) -> str:
    """The number of a project.

    Raises:
        AccessDenied: not allowed to see the project.
        Undetermined: no answer, or no such project.
    """
    with undetermined(f"look up project {target.project}", "Resource Manager"):
        found = projects.get_project(name=f"projects/{target.project}", timeout=CALL_SECONDS, retry=None)
    return short(found.name)


def service_urls(services: ServicesClient, number: Callable[[], str], target: Target) -> dict[str, str]:
    """The root URL of every deployed service: the one that follows from its name, where it answers to it.

    Raises:
        AccessDenied: not allowed to list them.
        Undetermined: the list did not come, which is not the same as no services.
    """
    with undetermined(f"list the services in {target.region}", "Cloud Run"):
        listed = list(services.list_services(parent=target.location, timeout=CALL_SECONDS, retry=None))
    ending = f"-{number()}.{target.region}.run.app" if listed else ""
    return {short(one.name): _root(one, ending) for one in listed}


def _root(service: Service, ending: str) -> str:
    foreseen = f"https://{short(service.name)}{ending}"
    return foreseen if foreseen in service.urls else service.uri
