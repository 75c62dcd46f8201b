"""`nbactl infra`: topics, subscriptions and roles, declared and live."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from nbactl.commands import confirming
from nbactl.option import argument, option
from nbactl.params import dry_run_option, output_option
from nbactl.render import messages
from nbactl.render.tables import Column, write
from nbactl.session import Session
from shared import local
from shared.errors import ChangesPending, UnknownName, UsageError

if TYPE_CHECKING:
    from nbactl.gcp.cloud import Cloud
    from nbactl.ops.infra import Plan, Step
    from nbactl.ops.infra_apply import Done

PLANNED = (Column("plan"), Column("kind"), Column("name"))
PLANNED_RECORDS = tuple(map(Column, ("action", "kind", "name", "changes", "waits_for", "member")))
DONE = (Column("done"), Column("kind"), Column("name"))
DONE_RECORDS = (*PLANNED_RECORDS, Column("outcome"), Column("error"))
REMOVED = (Column("kind"), Column("name"))
PROOF = (
    Column("healthy_deliveries"),
    Column("poison_deliveries"),
    Column("dead_letter_seconds", digits=1),
)

F = TypeVar("F", bound=Callable[..., None])


def _services_option(function: F) -> F:
    return option(
        "--service",
        "given",
        metavar="NAME=URL",
        multiple=True,
        help="Where a service is, for an emulator; Cloud Run knows its own. May be given several times.",
    )(function)


@click.group()
def command() -> None:
    """Compare topics, subscriptions and roles with their declaration, and make them so."""


@command.command()
@option("--check", is_flag=True, help="End with exit code 6 where anything is not as declared.")
@_services_option
@output_option
@click.pass_obj
def plan(session: Session, *, check: bool, given: tuple[str, ...], output: str) -> None:
    """Print what is declared beside what is live; change nothing.

    + create, ~ change, = ok, . waits for a service that is not deployed, ! can only be changed by deleting it, which
    loses its messages.
    """
    made = _planned(session, _connect(session, given))
    _write_plan(made, output)
    if check:
        _refuse_drift(made)


@command.command()
@option("--yes", is_flag=True, help="Do not ask.")
@dry_run_option
@_services_option
@output_option
@click.pass_obj
def create(session: Session, *, yes: bool, dry_run: bool, given: tuple[str, ...], output: str) -> None:
    """Make and change what the plan says, and delete nothing; a second time changes nothing.

    Example: nbactl infra create --yes
    """
    from nbactl.ops.infra_apply import apply, verdict

    cloud = _connect(session, given)
    made = _planned(session, cloud)
    if dry_run:
        _write_plan(made, output)
        return
    if made.changes and not yes:
        for step in made.changes if confirming.someone_is_there() else ():
            messages.note(f"{step}  {step.kind} {step.name}")
        confirming.ask(f"Change {made.target}?", "create")
    results = apply(made, cloud, lambda what: messages.note(what, quiet=not session.verbose))
    _write_done(made, results, output)
    if error := verdict(made, results):
        raise error


@command.command()
@option("--canary", is_flag=True, help="Send a healthy and a poison message through temporary resources.")
@_services_option
@output_option
@click.pass_obj
def verify(session: Session, *, canary: bool, given: tuple[str, ...], output: str) -> None:
    """Check everything again; with --canary, prove by behaviour that delivery and dead letters work.

    The canary takes as long as the declared retries: some 10 s on an emulator, a minute and a half on Google Cloud.
    """
    from dataclasses import asdict

    cloud = _connect(session, given)
    made = _planned(session, cloud)
    if not canary:
        _write_plan(made, output)
        _refuse_drift(made)
        return
    from nbactl.ops.infra_canary import prove

    _refuse_drift(made)
    proof = prove(cloud, lambda what: messages.note(what, quiet=session.quiet))
    write([asdict(proof)], PROOF, output)
    messages.note("the canary lives: delivery, retries and dead letters work", quiet=session.quiet)


@command.command()
@argument("names", metavar="[NAME]...", nargs=-1)
@option("--confirm", metavar="PROJECT", help="The name of the project, to say that it is meant.")
@dry_run_option
@output_option
@click.pass_obj
def destroy(session: Session, *, names: tuple[str, ...], confirm: str | None, dry_run: bool, output: str) -> None:
    """Delete declared subscriptions and topics, all or the named ones, and every message in them.

    What is not declared is left alone, and so are roles on services, the service account and the project.
    """
    from nbactl.ops.infra_apply import plan_removal, remove

    cloud = _connect(session, ())
    removal = plan_removal(cloud, names)
    messages.note(f"{removal.target}: {len(removal.topics)} topics, {len(removal.subscriptions)} subscriptions")
    write(removal.rows(), REMOVED, output)
    if dry_run:
        messages.note("nothing was deleted: --dry-run", quiet=session.quiet)
        return
    confirming.ask_name("This loses every message in them.", removal.target.project, confirm)
    remove(removal, cloud)
    messages.note("deleted, with the messages that they held", quiet=session.quiet)


def _connect(session: Session, given: tuple[str, ...]) -> Cloud:
    from nbactl.gcp.cloud import connect

    target = session.target()
    # of the pipeline that runs here, we know where its services are
    running = local.read(session.settings.folder) if target.emulator else None
    known = dict(running.services) if running and running.emulator == target.emulator else {}
    return connect(target, known | dict(map(_service_url, given)))


def _service_url(text: str) -> tuple[str, str]:
    from shared.topology import SERVICES

    name, equals, url = text.partition("=")
    if not equals or not url.startswith(("http://", "https://")):
        raise UsageError(f"{text!r} is not NAME=URL", hint=f"--service {SERVICES[0].name}=http://localhost:8083")
    known = [service.name for service in SERVICES]
    if name not in known:
        raise UnknownName("service", name, known)
    return name, url.rstrip("/")


def _planned(session: Session, cloud: Cloud) -> Plan:
    from nbactl.ops.infra import build

    made = build(cloud)
    messages.note(f"{made.target}: {made.summary}", quiet=session.quiet)
    for name in made.undeclared:
        messages.warn(f"not declared, and left alone: subscription {name}")
    if made.unread:
        messages.note(f"not looked at: {'; '.join(made.unread)}", quiet=session.quiet)
    return made


def _write_plan(made: Plan, output: str) -> None:
    if output == "table":
        write(({"plan": str(step), "kind": step.kind, "name": step.name} for step in made.steps), PLANNED)
    else:
        write(map(_record, made.steps), PLANNED_RECORDS, output)


def _write_done(made: Plan, results: list[Done], output: str) -> None:
    outcomes = {id(one.step): one for one in results}
    rows = ((step, outcomes.get(id(step))) for step in made.steps)
    if output == "table":
        write(({"done": _said(step, one), "kind": step.kind, "name": step.name} for step, one in rows), DONE)
    else:
        write((_record(step) | _outcome(one) for step, one in rows), DONE_RECORDS, output)


def _said(step: Step, one: Done | None) -> str:
    if one is None:
        return str(step)
    if one.done:
        return f"{step.action.mark} {step.action}d" + (
            "" if not step.changes else f" {'; '.join(map(str, step.changes))}"
        )
    return f"x {one.error.message}" if one.error else "x not reached"


def _outcome(one: Done | None) -> dict[str, object]:
    if one is None:
        return {"outcome": "untouched", "error": None}
    failed = "failed" if one.error else "not reached"
    return {"outcome": "done" if one.done else failed, "error": one.error.message if one.error else None}


def _record(step: Step) -> dict[str, object]:
    return {
        "action": str(step.action),
        "kind": step.kind,
        "name": step.name,
        "changes": [{"field": one.field, "before": one.before, "after": one.after} for one in step.changes],
        "waits_for": step.detail or None,
        "member": step.grant[1] if step.grant else None,
    }


def _refuse_drift(made: Plan) -> None:
    from nbactl.ops.infra import Action

    drift = made.having(Action.CREATE, Action.CHANGE, Action.RECREATE)
    if drift:
        named = "\n".join(f"{step.kind} {step.name}: {step}" for step in drift)
        raise ChangesPending(f"{made.target} is not as declared: {made.summary}", why=named, hint="nbactl infra create")
