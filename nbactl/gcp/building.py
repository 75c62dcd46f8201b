"""From a source archive to an image: Cloud Storage, Artifact Registry and Cloud Run's build."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbactl.gcp.cloud import Target
from nbactl.gcp.pubsub_admin import undetermined
from shared import errors
from shared.pubsub import CALL_SECONDS, answered

if TYPE_CHECKING:
    from google.cloud.artifactregistry_v1 import ArtifactRegistryClient
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient
    from google.cloud.run_v2 import BuildsClient

REPOSITORY = "cloud-run-source-deploy"
_UPLOAD_SECONDS = 120.0
_BUILD_SECONDS = 1200.0
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A source archive in Cloud Storage."""

    bucket: str
    name: str
    generation: int

    def __str__(self) -> str:
        return f"gs://{self.bucket}/{self.name}"


@dataclass(frozen=True)
class Builder:
    """Whom to ask for an image."""

    target: Target
    storage: Any
    builds: BuildsClient
    cloud_build: CloudBuildClient
    registry: ArtifactRegistryClient

    def upload(self, archive: Path, name: str) -> Uploaded:
        """Put a source archive where builds find it, in a bucket that is made if need be.

        Raises:
            AccessDenied: not allowed to.
            NbactlError: it could not be uploaded.
        """
        bucket = f"run-sources-{self.target.project}-{self.target.region}"
        with answered(f"upload the source to gs://{bucket}", "Cloud Storage"):
            held = self.storage.lookup_bucket(bucket, timeout=CALL_SECONDS)
            if held is None:
                held = self.storage.create_bucket(bucket, location=self.target.region, timeout=CALL_SECONDS)
            blob = held.blob(name)
            blob.upload_from_filename(str(archive), timeout=_UPLOAD_SECONDS)
        return Uploaded(bucket, name, int(blob.generation or 0))

    def submit(self, source: Uploaded, image: str) -> str:
        """Begin to build an image from its Dockerfile; the id of the build.

        Raises:
            AccessDenied: not allowed to.
            NbactlError: the build is refused.
        """
        from google.cloud.run_v2 import types

        self._require_repository()
        asked = types.SubmitBuildRequest(
            parent=self.target.location,
            image_uri=image,
            storage_source=types.StorageSource(bucket=source.bucket, object_=source.name, generation=source.generation),
            docker_build=types.SubmitBuildRequest.DockerBuild(),
        )
        with answered("begin the build", "Cloud Run"):
            answer = self.builds.submit_build(request=asked, timeout=CALL_SECONDS, retry=None)
        operation: str = answer.build_operation.name
        return operation.rpartition("/")[2]

    def wait(self, build: str, watch: Callable[[str], None]) -> str:
        """Wait for a build; the digest of its image. Whoever does not wait for its end cancels it.

        Raises:
            NbactlError: it failed; with what Cloud Build says and where its log is.
            TimedOut: it did not end in time.
        """
        try:
            return self._waited(build, watch)
        except KeyboardInterrupt:
            self._cancel(build, watch)
            raise

    def _cancel(self, build: str, watch: Callable[[str], None]) -> None:
        try:
            with answered(f"cancel build {build}", "Cloud Build"):
                self.cloud_build.cancel_build(request=self._request(build), timeout=CALL_SECONDS, retry=None)
        except errors.NbactlError as error:
            watch(f"goes on; {error.message}")
        else:
            watch("cancelled")

    def _request(self, build: str) -> dict[str, str]:
        return {"name": f"{self.target.location}/builds/{build}"}

    def _waited(self, build: str, watch: Callable[[str], None]) -> str:
        from google.cloud.devtools.cloudbuild_v1 import Build

        status = Build.Status
        ends, before = time.monotonic() + _BUILD_SECONDS, None
        while time.monotonic() < ends:
            with undetermined(f"look at build {build}", "Cloud Build"):
                found = self.cloud_build.get_build(request=self._request(build), timeout=CALL_SECONDS, retry=None)
            if found.status != before:
                before = found.status
                watch(status(found.status).name.lower().replace("_", " "))
            if found.status == status.SUCCESS:
                return str(found.results.images[0].digest)
            if found.status not in (status.PENDING, status.QUEUED, status.WORKING):
                why = found.failure_info.detail or found.status_detail or status(found.status).name
                raise errors.NbactlError("the image could not be built", why=why, hint=f"see {found.log_url}")
            time.sleep(_POLL_SECONDS)
        raise errors.TimedOut(f"build {build} has not ended after {_BUILD_SECONDS:.0f} s", hint="try again")

    def _require_repository(self) -> None:
        """See that images have a place to go."""
        from google.api_core.exceptions import NotFound
        from google.cloud.artifactregistry_v1 import types

        parent = self.target.location
        with answered(f"look at the repository {REPOSITORY}", "Artifact Registry"):
            try:
                name = f"{parent}/repositories/{REPOSITORY}"
                self.registry.get_repository(name=name, timeout=CALL_SECONDS, retry=None)
            except NotFound:
                made = types.Repository(format_=types.Repository.Format.DOCKER)
                request = {"parent": parent, "repository_id": REPOSITORY, "repository": made}
                self.registry.create_repository(request=request, timeout=CALL_SECONDS, retry=None)
