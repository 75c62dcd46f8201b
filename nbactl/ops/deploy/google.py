"""Everything that a deployment asks, on Google's clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nbactl.gcp import logging
from nbactl.gcp.building import Builder
from nbactl.gcp.cloud import Target
from nbactl.gcp.iam import Policies
from nbactl.gcp.logging import LogReader
from nbactl.gcp.probing import Token, identity_token
from nbactl.gcp.run import CloudRun
from nbactl.ops.logs.cloud import entry_of
from nbactl.ops.logs.query import quoted
from shared.pubsub import answered
from shared.topology import Kind

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

    def lines(revision: str) -> list[str]:
        return last_lines(logging.connect(target.project), revision)

    return Google(run, policies, lambda: _builder(target), lines, identity_token)


def _builder(target: Target) -> Builder:
    from google.cloud.artifactregistry_v1 import ArtifactRegistryClient
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient
    from google.cloud.run_v2 import BuildsClient
    from google.cloud.storage import Client  # type: ignore[import-untyped]

    with answered("reach Google Cloud", "Google"):
        storage = Client(project=target.project)
        return Builder(target, storage, BuildsClient(), CloudBuildClient(), ArtifactRegistryClient())


def last_lines(reader: LogReader, revision: str) -> list[str]:
    """The last lines that a revision has logged, oldest first.

    Raises:
        NbactlError: they could not be read.
    """
    wanted = f'resource.type="cloud_run_revision" AND resource.labels.revision_name={quoted(revision)}'
    page, _ = reader.page(wanted, newest_first=True)
    return [entry_of(one).message for one in page[:_LINES]][::-1]
