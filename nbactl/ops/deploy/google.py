"""Everything that a deployment asks, on Google's clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbactl.gcp.building import Builder
from nbactl.gcp.cloud import Target
from nbactl.gcp.iam import Policies
from nbactl.gcp.probing import Token, identity_token
from nbactl.gcp.run import CloudRun
from shared.pubsub import CALL_SECONDS, answered
from shared.topology import Kind

if TYPE_CHECKING:
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client

_LINES = 10


@dataclass(frozen=True)
class Google:
    """Whom to ask about services.

    Attributes:
        builder: gives what makes images, when it is wanted: its clients take time to import.
        lines: gives the last lines that a revision has logged.
        token: gives identity tokens for private services.
    """

    run: CloudRun
    policies: Policies
    builder: Callable[[], Builder]
    lines: Callable[[str], Sequence[str]]
    token: Token

    @property
    def target(self) -> Target:
        """Project and region."""
        return self.run.target


def connect(target: Target) -> Google:
    """Return whom to ask; nothing is asked yet.

    Raises:
        AccessDenied: there are no credentials.
    """
    from google.cloud.run_v2 import RevisionsClient, ServicesClient

    with answered("reach Google Cloud", "Google"):
        services = ServicesClient()
        run = CloudRun(target, services, RevisionsClient())
    policies = Policies(target.project, target.region, {Kind.SERVICE: services})
    return Google(
        run, policies, lambda: _builder(target), lambda name: last_lines(_logging(), target, name), identity_token
    )


def _builder(target: Target) -> Builder:
    from google.cloud.artifactregistry_v1 import ArtifactRegistryClient
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient
    from google.cloud.run_v2 import BuildsClient
    from google.cloud.storage import Client  # type: ignore[import-untyped]

    with answered("reach Google Cloud", "Google"):
        storage = Client(project=target.project)
        return Builder(target, storage, BuildsClient(), CloudBuildClient(), ArtifactRegistryClient())


def _logging() -> LoggingServiceV2Client:
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client

    with answered("reach Google Cloud", "Google"):
        return LoggingServiceV2Client()


def last_lines(logging: LoggingServiceV2Client, target: Target, revision: str) -> list[str]:
    """The last lines that a revision has logged, oldest first.

    Raises:
        NbactlError: they could not be read.
    """
    request = {
        "resource_names": [f"projects/{target.project}"],
        "filter": f'resource.type="cloud_run_revision" AND resource.labels.revision_name="{revision}"',
        "order_by": "timestamp desc",
        "page_size": _LINES,
    }
    with answered(f"read the log of {revision}", "Cloud Logging"):
        found = logging.list_log_entries(request=request, timeout=CALL_SECONDS, retry=None)
        lines = [
            one.text_payload or str(dict(one.json_payload or {}).get("message", ""))
            for one, _ in zip(found, range(_LINES), strict=False)
        ]
    return lines[::-1]
