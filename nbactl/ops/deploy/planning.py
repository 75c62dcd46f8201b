"""What a deployment would change, and what is live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nbactl.gcp.building import REPOSITORY
from nbactl.gcp.cloud import Target
from nbactl.gcp.run import Revision, Wanted, traffic_of
from nbactl.ops.deploy import source
from nbactl.ops.deploy.google import Google
from nbactl.ops.words import age
from shared.errors import NotFound, PreconditionFailed, UnknownName
from shared.google_auth import PUSH_AUDIENCE
from shared.topology import Service
from shared.version import COMMIT, short_commit

if TYPE_CHECKING:
    from google.cloud.run_v2 import types

SENT = ("Dockerfile", ".dockerignore", "processors", "shared")
"""What the image is made of; nothing else makes a service drift."""
_NOTHING = "-"


def revision_name(service: Service, now: datetime) -> str:
    """A name for a new revision: Cloud Run allows 63 characters, and ours begin with the service."""
    return f"{service.name}-{now:%Y%m%d-%H%M%S}"


def image_name(service: Service, target: Target) -> str:
    """Where the image of a service is kept, without tag or digest."""
    return f"{target.region}-docker.pkg.dev/{target.project}/{REPOSITORY}/{service.name}"


def environment(service: Service, target: Target, identity: str, live: types.Service | None = None) -> dict[str, str]:
    """The variables that a deployment sets; others that are live stay.

    Args:
        service: that is deployed.
        target: project and region.
        identity: what the code is to call itself.
        live: the service as it is, None where there is none.
    """
    return {
        "GOOGLE_CLOUD_PROJECT": target.project,
        "NBACTL_REGION": target.region,
        "NBACTL_PHASE": str(service.phase),
        COMMIT: identity,
        **_push_audience(live),
    }


def _push_audience(live: types.Service | None) -> dict[str, str]:
    """What lets a service check who pushes: its own URLs, which it has once it is deployed; set by hand, it stays."""
    if live is None or any(one.name == PUSH_AUDIENCE for one in live.template.containers[0].env):
        return {}
    urls = sorted({*live.urls, live.uri} - {""})
    return {PUSH_AUDIENCE: " ".join(urls)} if urls else {}


def differences(google: Google, wanted: Wanted) -> Iterator[dict[str, object]]:
    """A row per setting: what is live, what is wanted, and whether they differ.

    Raises:
        AccessDenied: not allowed to look.
        Undetermined: it could not be read, which is not the same as no difference.
    """
    live = google.run.service(wanted.service.name)
    before, after = _facts(live), _facts(google.run.message(wanted, live))
    for name in sorted({*before, *after}, key=lambda one: (one.startswith("env "), one)):
        old, new = before.get(name, _NOTHING), after.get(name, _NOTHING)
        mark = "+" if old == _NOTHING else "~"
        yield {"change": "=" if old == new else mark, "setting": name, "live": old, "new": new}


def _facts(service: types.Service | None) -> dict[str, str]:
    if service is None:
        return {}
    template = service.template
    container = template.containers[0]
    return {
        "image": container.image,
        "memory": container.resources.limits.get("memory", ""),
        "cpu": container.resources.limits.get("cpu", ""),
        "timeout": f"{template.timeout.total_seconds():.0f} s" if template.timeout else "",
        "concurrency": str(template.max_instance_request_concurrency),
        "most instances": str(template.scaling.max_instance_count),
        "runs as": template.service_account,
        "unauthenticated access": "yes" if service.invoker_iam_disabled else "no",
        **{f"env {one.name}": one.value for one in container.env},
    }


@dataclass(frozen=True, slots=True)
class Standing:
    """One revision of a service, as it stands.

    Attributes:
        percent: of the traffic.
        drift: files of the working tree that are not as they were at its commit; None where nobody can tell.
    """

    service: Service
    revision: Revision
    percent: int
    drift: Sequence[str] | None


def standings(google: Google, services: Sequence[Service], root: Path) -> list[Standing]:
    """The revisions of some services, those with traffic first.

    Raises:
        AccessDenied: not allowed to look.
        Undetermined: it could not be read.
    """
    found = []
    for service in services:
        live = google.run.service(service.name)
        if live is None:
            continue
        percent = {one.revision: one.percent for one in traffic_of(live) if one.percent}
        revisions = google.run.all_revisions(service.name)
        for one in sorted(revisions, key=lambda each: -percent.get(each.name, 0)):
            drift = _drift(root, one.env.get(COMMIT, "")) if one.name in percent else None
            found.append(Standing(service, one, percent.get(one.name, 0), drift))
    return found


def _drift(root: Path, commit: str) -> list[str] | None:
    """The files that make the image and differ from a commit."""
    changed = source.differing(root, commit) if commit else None
    return None if changed is None else sorted(name for name in changed if name.split("/")[0] in SENT)


def row(one: Standing, now: datetime) -> dict[str, object]:
    """A revision for whoever looks."""
    created = one.revision.created
    return {
        "service": one.service.alias,
        "revision": one.revision.name,
        "traffic": one.percent,
        "ready": {True: "yes", False: "no", None: "not yet"}[one.revision.ready],
        "commit": short_commit(one.revision.env.get(COMMIT, "")) or None,
        "age": age(now - created) if isinstance(created, datetime) else None,
        "drift": None if one.drift is None else len(one.drift),
        "created_at": created,
        "image": one.revision.image,
        "files": list(one.drift or ()),
    }


def previous(google: Google, service: Service, named: str | None) -> Wanted:
    """The revision to go back to: the one that is named, or the newest ready one before the one that serves.

    Raises:
        NotFound: the service is not deployed.
        UnknownName: it has no such revision.
        PreconditionFailed: there is none to go back to, or it is not ready.
    """
    live = google.run.service(service.name)
    if live is None:
        raise NotFound(f"{service.name} is not deployed", hint=f"nbactl deploy {service.alias}")
    revisions = {one.name: one for one in google.run.all_revisions(service.name)}
    if named and named not in revisions:
        raise UnknownName("revision", named, revisions)
    serving = {one.revision for one in traffic_of(live) if one.percent}
    found = revisions[named] if named else _before(list(revisions.values()), serving)
    if found is None or not found.ready:
        said = f"{found.name} is not ready" if found else f"{service.name} has no ready revision before this one"
        raise PreconditionFailed(said, hint=f"nbactl deploy status {service.alias}")
    return Wanted(service, found.image, found.env, found.name)


def _before(revisions: Sequence[Revision], serving: set[str]) -> Revision | None:
    """The newest ready revision that is older than every one that serves."""
    names = [one.name for one in revisions]
    oldest = max((names.index(name) for name in serving if name in names), default=-1)
    return next((one for one in revisions[oldest + 1 :] if one.ready), None)
