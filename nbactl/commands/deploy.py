"""`nbactl deploy`: services go live, safely."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nbactl.commands import confirming
from nbactl.gcp.run import Wanted
from nbactl.option import argument, option
from nbactl.params import dry_run_option, output_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from shared.clock import utc_now
from shared.errors import NotFound, UsageError
from shared.topology import SERVICES, Service, service_called

if TYPE_CHECKING:
    from nbactl.ops.deploy.google import Google
    from nbactl.ops.deploy.source import Source

CHANGES = tuple(map(Column, ("change", "setting", "live", "new")))
STATUS = tuple(map(Column, ("service", "revision", "traffic", "ready", "commit", "age", "drift")))
STATUS_RECORDS = (*STATUS, *map(Column, ("created_at", "image", "files")))
DEPLOYABLE = tuple(service for service in SERVICES if service.phase < 5)  # noqa: PLR2004 -- what there is code for


@click.group()
def command() -> None:
    """Put a service live without surprises, look at what is live, and go back."""


def _deploy_command(service: Service) -> click.Command:
    @click.command(service.alias, help=_HELP.format(service=service))
    @option(
        "--source",
        "root",
        type=click.Path(path_type=Path),
        default=".",
        show_default=True,
        help="The folder with the Dockerfile; what its ignore files leave out is not sent.",
    )
    @option("--image", metavar="IMAGE", help="Deploy this image, with its digest, and build none.")
    @option("--yes", is_flag=True, help="Do not ask.")
    @dry_run_option
    @output_option
    @click.pass_obj
    def deploy(  # noqa: PLR0913 -- one parameter per option
        session: Session, *, root: Path, image: str | None, yes: bool, dry_run: bool, output: str
    ) -> None:
        _deploy(session, service, root, image, yes=yes, dry_run=dry_run, output=output)

    return deploy


_HELP = """Deploy {service.name}.

The source is built into an image; a revision is made without traffic, waited for, and probed at a URL of its own. Then
it is given the traffic, and the service is asked who it is. Where anything goes wrong, the traffic ends as it was.

Example: nbactl deploy {service.alias} --dry-run
"""

for _service in DEPLOYABLE:
    command.add_command(_deploy_command(_service))


def _deploy(  # noqa: PLR0913 -- by name
    session: Session, service: Service, root: Path, image: str | None, *, yes: bool, dry_run: bool, output: str
) -> None:
    from nbactl.ops.deploy import planning, source
    from nbactl.ops.deploy.rollout import Rollout

    _, _, digest = (image or "").partition("@sha256:")
    if image and not digest:
        why = "a tag may mean another image tomorrow"
        raise UsageError(f"{image!r} has no digest", why=why, hint="--image NAME@sha256:...")
    found = None if image else source.read(root)
    google, say = _connect(session), partial(_say, session)
    if found:
        say("package", found.said)
    # an image that was built elsewhere is known by its digest
    identity = found.identity if found else digest
    to_build = f"{planning.image_name(service, google.target)} (to be built)"
    wanted = Wanted(
        service,
        image or to_build,
        planning.environment(service, google.target, identity, google.run.service(service.name)),
        planning.revision_name(service, utc_now()),
    )
    if dry_run:
        write(planning.differences(google, wanted), CHANGES, output)
        messages.note(f"would deploy {service.name} to {google.target}: --dry-run", quiet=session.quiet)
        return
    if not yes:
        confirming.ask(f"Deploy {service.name} to {google.target}?", "deploy")
    if found:
        wanted = replace(wanted, image=_built(google, service, found, say))
    Rollout(google, wanted, say).run()
    messages.note(f"deployed {service.name}: {wanted.revision}")
    messages.hint("nbactl infra plan", quiet=session.quiet)


def _built(google: Google, service: Service, found: Source, say: partial[None]) -> str:
    """Build an image from the source; its name with its digest."""
    from nbactl.ops.deploy import planning

    builder = google.builder()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        archive = Path(folder) / "source.zip"
        found.archive(archive)
        name = f"services/{service.name}/{utc_now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:12]}.zip"
        uploaded = builder.upload(archive, name)
    say("upload", str(uploaded))
    image = planning.image_name(service, google.target)
    build = builder.submit(uploaded, image)
    digest = builder.wait(build, lambda status: say("build", f"{build}: {status}"))
    say("image", f"{image}@{digest}")
    return f"{image}@{digest}"


@command.command()
@argument("names", metavar="[SERVICE]...", nargs=-1)
@option("--source", "root", type=click.Path(path_type=Path), default=".", help="The checkout to compare with.")
@output_option
@click.pass_obj
def status(session: Session, *, names: tuple[str, ...], root: Path, output: str) -> None:
    """Show revisions, their traffic, commit and age, and how many files of the working tree differ from what serves."""
    from nbactl.ops.deploy import planning

    services = list(map(service_called, names)) or list(DEPLOYABLE)
    google = _connect(session)
    found = planning.standings(google, services, root)
    now = utc_now()
    write((planning.row(one, now) for one in found), STATUS if output == "table" else STATUS_RECORDS, output)
    missing = [one for one in services if one.name not in {each.service.name for each in found}]
    for one in missing:
        messages.note(f"{one.name} is not deployed: nbactl deploy {one.alias}", quiet=session.quiet)
    if len(missing) == len(services):
        raise NotFound(f"nothing is deployed in {google.target}", hint=f"nbactl deploy {services[0].alias} --dry-run")


@command.command()
@argument("name", metavar="SERVICE")
@argument("revision", required=False)
@option("--yes", is_flag=True, help="Do not ask.")
@dry_run_option
@click.pass_obj
def rollback(session: Session, *, name: str, revision: str | None, yes: bool, dry_run: bool) -> None:
    """Give all traffic to REVISION, or to the newest ready one before the one that serves.

    Example: nbactl deploy rollback precompute
    """
    from nbactl.ops.deploy import planning
    from nbactl.ops.deploy.rollout import Rollout

    google = _connect(session)
    wanted = planning.previous(google, service_called(name), revision)
    if dry_run:
        messages.note(f"would give all traffic of {wanted.service.name} to {wanted.revision}: --dry-run")
        return
    if not yes:
        confirming.ask(f"Give all traffic of {wanted.service.name} to {wanted.revision}?", "rollback")
    Rollout(google, wanted, partial(_say, session)).back()
    messages.note(f"{wanted.service.name} is {wanted.revision}")


def _connect(session: Session) -> Google:
    from nbactl.ops.deploy import google

    return google.connect(session.cloud_target())


def _say(session: Session, stage: str, what: str) -> None:
    messages.note(f"{stage:<10}{what}", quiet=session.quiet)
