"""Cloud Run: a service's revisions and the traffic that they get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbactl.gcp.cloud import Target
from nbactl.gcp.pubsub_admin import undetermined
from nbactl.gcp.shapes import short
from shared.pubsub import CALL_SECONDS, answered
from shared.topology import Service, account

if TYPE_CHECKING:
    from google.cloud.run_v2 import RevisionsClient, ServicesClient, types

CANDIDATE = "candidate"
"""The tag under which a revision without traffic has a URL of its own."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a service is to be.

    Attributes:
        image: with its digest.
        env: variables to set; others that are live stay.
        revision: the name of the revision that this makes.
    """

    service: Service
    image: str
    env: Mapping[str, str]
    revision: str


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision as far as somebody who deploys cares.

    Attributes:
        ready: True or False once that is decided, None until then.
        why: what Cloud Run says where it is not ready.
    """

    name: str
    image: str
    env: Mapping[str, str]
    created: object
    ready: bool | None
    why: str


@dataclass(frozen=True)
class CloudRun:
    """The services of one project and region."""

    target: Target
    services: ServicesClient
    revisions: RevisionsClient

    def service(self, name: str) -> types.Service | None:
        """A service as it is, or None where it is not deployed.

        Raises:
            AccessDenied: not allowed to see it.
            Undetermined: no answer, which is not the same as no service.
        """
        from google.api_core.exceptions import NotFound

        with undetermined(f"look at {name}", "Cloud Run"):
            try:
                return self.services.get_service(name=self.path(name), timeout=CALL_SECONDS, retry=None)
            except NotFound:
                return None

    def put(self, service: types.Service, *, only: str | None = None) -> None:
        """Create or change a service; what comes of it is for the revision and the traffic to say.

        Args:
            service: as it is to be, with the etag of what it was.
            only: the one field that changes; a template that is not sent makes no revision.

        Raises:
            AccessDenied: not allowed to.
            TimedOut: somebody else has changed it meanwhile (its etag is another), a quota is used up, or no answer.
            NbactlError: Cloud Run refuses it.
        """
        mask = {"update_mask": {"paths": [only]}} if only else {"allow_missing": True}
        request: dict[str, object] = {"service": service, **mask}
        with answered(f"change {short(service.name)}", "Cloud Run"):
            self.services.update_service(request=request, timeout=CALL_SECONDS, retry=None)

    def revision(self, service: str, name: str) -> Revision | None:
        """A revision by its short name, or None while there is none.

        Raises:
            AccessDenied: not allowed to see it.
            Undetermined: no answer.
        """
        from google.api_core.exceptions import NotFound

        with undetermined(f"look at revision {name}", "Cloud Run"):
            try:
                path = f"{self.path(service)}/revisions/{name}"
                return _revision(self.revisions.get_revision(name=path, timeout=CALL_SECONDS, retry=None))
            except NotFound:
                return None

    def all_revisions(self, service: str) -> list[Revision]:
        """Every revision of a service, the newest first.

        Raises:
            AccessDenied: not allowed to list them.
            Undetermined: the list did not come.
        """
        with undetermined(f"list the revisions of {service}", "Cloud Run"):
            listed = self.revisions.list_revisions(parent=self.path(service), timeout=CALL_SECONDS, retry=None)
            return sorted(map(_revision, listed), key=lambda one: str(one.created), reverse=True)

    def message(self, wanted: Wanted, live: types.Service | None) -> types.Service:
        """A service as wanted; what is live and not declared stays as it is, environment variables among it."""
        from google.cloud.run_v2 import types

        declared = wanted.service
        made = types.Service(live) if live else types.Service(name=self.path(declared.name))
        template = made.template
        container = template.containers[0] if template.containers else types.Container()
        kept = [one for one in container.env if one.name not in wanted.env]
        container.env = [*kept, *(types.EnvVar(name=name, value=value) for name, value in wanted.env.items())]
        container.image = wanted.image
        container.resources.limits = {**container.resources.limits, "memory": declared.memory, "cpu": declared.cpu}
        template.containers = [container]
        template.revision = wanted.revision
        template.timeout = declared.timeout
        template.max_instance_request_concurrency = declared.concurrency
        template.scaling.max_instance_count = declared.instances
        template.service_account = account(self.target.project)
        made.ingress = types.IngressTraffic(types.IngressTraffic.INGRESS_TRAFFIC_ALL)
        made.invoker_iam_disabled = False
        made.client, made.labels = "nbactl", {**made.labels, "managed-by": "nbactl"}
        return made

    def path(self, name: str) -> str:
        """The full name of a service."""
        return f"{self.target.location}/services/{name}"


def _revision(one: types.Revision) -> Revision:
    from google.cloud.run_v2 import types

    state = types.Condition.State
    ready = next((each for each in one.conditions if each.type_ == "Ready"), types.Condition())
    container = one.containers[0] if one.containers else types.Container()
    return Revision(
        short(one.name),
        container.image,
        {each.name: each.value for each in container.env},
        one.create_time,
        {state.CONDITION_SUCCEEDED: True, state.CONDITION_FAILED: False}.get(ready.state),
        ready.message,
    )


def traffic_of(service: types.Service) -> list[types.TrafficTarget]:
    """Where the traffic goes now, by the names of revisions: a new revision must not get any by itself."""
    from google.cloud.run_v2 import types

    kind = types.TrafficTargetAllocationType
    return [
        types.TrafficTarget(
            type_=kind.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION,
            revision=one.revision or short(service.latest_ready_revision),
            percent=one.percent,
            tag=one.tag,
        )
        for one in service.traffic_statuses
        if one.tag != CANDIDATE
    ]


def all_to(revision: str) -> list[types.TrafficTarget]:
    """All traffic to one revision."""
    from google.cloud.run_v2 import types

    kind = types.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
    return [types.TrafficTarget(type_=kind, revision=revision, percent=100)]


def candidate(revision: str) -> types.TrafficTarget:
    """No traffic to a revision, and a URL of its own."""
    from google.cloud.run_v2 import types

    kind = types.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
    return types.TrafficTarget(type_=kind, revision=revision, tag=CANDIDATE)
