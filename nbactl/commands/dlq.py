"""`nbactl dlq`: dead letters, looked at, sent again, kept in a file, taken away."""

from __future__ import annotations

import getpass
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypedDict, TypeVar, Unpack

import click

from nbactl.commands import confirming
from nbactl.ops import letters as reading
from nbactl.ops import words
from nbactl.option import argument, option
from nbactl.params import dry_run_option, output_option
from nbactl.render import messages
from nbactl.render.progress import progress
from nbactl.render.tables import Column, flow, json_line, write
from nbactl.session import Session
from shared.clock import utc_now
from shared.errors import NbactlError, NotFound, PartlyFailed, UsageError

if TYPE_CHECKING:
    from nbactl.ops.letters import Box, Letter, Reasons
    from nbactl.ops.taking import Tally
    from shared.pubsub import PubSub
    from shared.warehouse.base import Warehouse

F = TypeVar("F", bound=Callable[..., None])

LETTERS = tuple(map(Column, ("phase", "table", "date", "reason", "attempts", "age", "correlation_id", "why")))
RECORDS = tuple(
    map(
        Column,
        (
            "subscription",
            "phase",
            "table",
            "date",
            "reason",
            "why",
            "processor",
            "attempts",
            "published_at",
            "died_at",
            "correlation_id",
            "data",
            "attributes",
        ),
    )
)
GROUPED = ("letters", "oldest", "reason", "table", "date", "processor", "next")
REHEARSED = tuple(map(Column, ("phase", "table", "date", "decision", "reason", "correlation_id")))
OUTCOME = tuple(map(Column, ("pulled", "replayed", "kept", "drained")))


class Options(TypedDict):
    """Which letters are meant."""

    phase: int | None
    where: tuple[str, ...]


def _letters_options(function: F) -> F:
    """The options that say which letters are meant."""
    for add_option in (
        option(
            "--where",
            metavar="FIELD=VALUE",
            multiple=True,
            help=f"Only letters with this value; may be given several times. Fields: {', '.join(reading.FIELDS)}.",
        ),
        option("--phase", type=int, metavar="N", help="Only letters to the service of this phase."),
    ):
        function = add_option(function)
    return function


_why_option = option("--reason", "why", metavar="TEXT", default="", help="Why; it is written down.")
_yes_option = option("--yes", is_flag=True, help="Do not ask.")


@dataclass(frozen=True)
class Desk:
    """Where letters are worked on: which boxes, and which of their letters."""

    session: Session
    pubsub: PubSub
    warehouse: Warehouse
    boxes: list[Box]
    where: dict[str, str]

    @property
    def target(self) -> str:
        """Project and server, in words."""
        return f"project {self.pubsub.project} on {self.pubsub.server}"

    def look(self) -> Iterator[list[Letter]]:
        """The letters that are meant, in batches as they are read."""
        from nbactl.ops.inspecting import inspect

        for batch in inspect(self.pubsub, self.boxes, self.reasons):
            yield list(reading.chosen(batch, self.where))

    def meant(self, letters: Sequence[Letter]) -> list[Letter]:
        """Of letters as they were pulled, those that are meant, with their reasons."""
        return list(reading.chosen(self.reasons.explain(letters), self.where))

    @cached_property
    def reasons(self) -> Reasons:
        """What the ledger says of letters."""
        from nbactl.ops.inspecting import reasons

        return reasons(self.warehouse, utc_now())

    def everything(self) -> list[Letter]:
        """All letters that are meant."""
        return [one for batch in self.look() for one in batch]


def _desk(session: Session, asked: Options) -> Desk:
    boxes, where = reading.boxes(asked["phase"]), reading.conditions(asked["where"])
    return Desk(session, session.pubsub(), session.connect(), boxes, where)


@click.group()
def command() -> None:
    """Look at dead letters, send them again, keep them in a file, take them away."""


@command.command()
@_letters_options
@option("--group-by", type=click.Choice(reading.FIELDS), help="Count letters by this, with what to type.")
@output_option
@click.pass_obj
def inspect(session: Session, *, group_by: str | None, output: str, **asked: Unpack[Options]) -> None:
    """Show dead letters, decoded, with the reason that the services wrote down. Nothing is taken.

    Letters are shown as they are read. Groups, by reason where nothing else is asked for, end with the command to
    type.

    Example: nbactl dlq inspect --group-by reason
    """
    from nbactl.ops.inspecting import Groups, record, row

    desk, now = _desk(session, asked), utc_now()
    groups = Groups(group_by or "reason")

    def counted() -> Iterator[list[Letter]]:
        for batch in desk.look():
            groups.add(batch)
            yield batch

    options = words.options(session.warehouse)
    if output != "table" and not group_by:
        write((record(one) for batch in counted() for one in batch), RECORDS, output)
    elif group_by:
        for _ in counted():
            pass
        write(groups.rows(now, options, desk.pubsub.project), _columns(group_by), output)
    else:
        flow(([row(one, now) for one in batch] for batch in counted()), LETTERS)
    messages.note(_counted(groups.total, desk), quiet=session.quiet)
    if output == "table" and not group_by:
        for line in groups.rows(now, options, desk.pubsub.project):
            messages.hint(f"{line['letters']} {line['reason']}: {line['next']}", quiet=session.quiet)


def _columns(group_by: str) -> list[Column]:
    return [Column(name) for name in (group_by, *(name for name in GROUPED if name != group_by))]


def _counted(count: int, desk: Desk) -> str:
    """How many letters there are; of Google Cloud we know only what we were given."""
    least = "" if desk.pubsub.emulator else "at least "
    more = "" if desk.pubsub.emulator else "; how many more there are is not known"
    return f"{least}{count} dead letter{'' if count == 1 else 's'} of {desk.target}{more}"


@command.command()
@_letters_options
@option("--limit", type=click.IntRange(min=1), metavar="N", help="Send at most so many.")
@option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="R", help="Send at most R a second.")
@option("--only-needed", is_flag=True, help="Leave letters whose work has been done since.")
@option("--rehearse", is_flag=True, help="Try each on a copy of the warehouse first; send what would succeed.")
@_why_option
@_yes_option
@dry_run_option
@output_option
@click.pass_obj
def replay(  # noqa: PLR0913 -- one parameter per option
    session: Session,
    *,
    limit: int | None,
    rate: float | None,
    only_needed: bool,
    rehearse: bool,
    why: str,
    yes: bool,
    dry_run: bool,
    output: str,
    **asked: Unpack[Options],
) -> None:
    """Publish dead letters again on the topics they came from; their chains keep their names.

    A letter leaves the queue once it is published, never before.

    Example: nbactl dlq replay --where reason=retry --rate 50
    """
    from nbactl.ops import inspecting, taking

    desk = _desk(session, asked)
    rehearsed = _rehearsed(desk, output) if rehearse else None

    def choose(batch: Sequence[Letter]) -> Sequence[Letter]:
        found = desk.meant(batch)
        if only_needed:
            found = inspecting.needed(found, desk.warehouse, utc_now())
        return found if rehearsed is None else [one for one in found if one.key in rehearsed]

    if dry_run:
        would = [one for batch in desk.look() for one in choose(batch)][:limit]
        write(map(inspecting.record, would), RECORDS if output != "table" else LETTERS[:-4], output)
        messages.note(f"would replay {len(would)}: --dry-run", quiet=session.quiet)
        return
    if not yes:
        confirming.ask(f"Replay dead letters of {desk.target}?", "replay")
    with progress(limit, quiet=session.quiet) as step:
        tally = taking.replay(
            desk.pubsub, desk.boxes, choose, limit=limit, rate=rate, watch=lambda count: step("replayed", count)
        )
    _close(desk, "replay", tally, why, output)


def _rehearsed(desk: Desk, output: str) -> set[tuple[str, int | None]]:
    """Say what would become of the letters; the names of those that would succeed."""
    from nbactl.ops import inspecting

    found, rows = Counter[str](), []
    succeed, waiting = set(), []
    for one, answer in inspecting.rehearse(desk.everything(), desk.warehouse):
        fate = inspecting.fate(answer)
        found[fate] += 1
        if fate == "succeed":
            succeed.add(one.key)
        if fate == "wait":
            waiting.append((answer.reason or "").removeprefix("waits for "))
        rows.append(inspecting.record(one) | {"decision": str(answer.decision), "reason": answer.reason})
    if output == "table":
        write(rows, REHEARSED)
    messages.note(inspecting.rehearsed(found, waiting))
    return succeed


@command.command()
@argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_letters_options
@click.pass_obj
def export(session: Session, *, file: Path, **asked: Unpack[Options]) -> None:
    """Write dead letters to FILE, a JSON object a line with the data in base64. Nothing is taken.

    Example: nbactl dlq export letters.jsonl
    """
    desk, count = _desk(session, asked), 0
    with _open(file) as to:
        for batch in desk.look():
            _write(to, batch)
            count += len(batch)
    messages.note(f"{_counted(count, desk)} are in {file}", quiet=session.quiet)


@command.command()
@_letters_options
@option("--confirm", metavar="PROJECT", help="The name of the project, to say that it is meant.")
@option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="Where to export to first.")
@_why_option
@dry_run_option
@output_option
@click.pass_obj
def drain(  # noqa: PLR0913 -- one parameter per option
    session: Session,
    *,
    confirm: str | None,
    file: Path | None,
    why: str,
    dry_run: bool,
    output: str,
    **asked: Unpack[Options],
) -> None:
    """Take dead letters away for good, each once it is written to a file.

    Example: nbactl dlq drain --where reason=bad_json --confirm my-project
    """
    from nbactl.ops import inspecting, taking

    desk = _desk(session, asked)
    if dry_run:
        would = desk.everything()
        write(map(inspecting.record, would), RECORDS if output != "table" else LETTERS[:-4], output)
        messages.note(f"would drain {len(would)}: --dry-run", quiet=session.quiet)
        return
    confirming.ask_name(f"This takes dead letters of {desk.target} away.", desk.pubsub.project, confirm)
    file = file or Path(f"dead-letters-{utc_now():%Y%m%dT%H%M%SZ}.jsonl")

    with _open(file) as to, progress(None, quiet=session.quiet) as step:
        tally = taking.drain(
            desk.pubsub,
            desk.boxes,
            desk.meant,
            write=lambda batch: _write(to, batch),
            watch=lambda count: step("drained", count),
        )
    messages.note(f"exported to {file}", quiet=session.quiet)
    _close(desk, "drain", tally, why, output)


_DID = {"replay": "replayed", "drain": "drained"}


def _close(desk: Desk, verb: str, tally: Tally, why: str, output: str) -> None:
    """Say what became of the letters, write it down, and end as it went.

    Raises:
        PartlyFailed: it ended early, and something was done.
        NbactlError: it ended early.
    """
    said = f"{tally}{f': {why}' if why else ''}"
    _note(desk, f"nbactl dlq {verb}", _DID[verb], said)
    if output == "table":
        messages.note(str(tally))
    else:
        write([{name: getattr(tally, name) for name in ("pulled", "replayed", "kept", "drained")}], OUTCOME, output)
    if tally.error is None:
        return
    if tally.replayed or tally.drained:
        raise PartlyFailed(
            f"it ended early: {tally.error.message}",
            why=tally.error.why,
            hint="the rest is where it was; type it again",
        )
    raise tally.error


def _note(desk: Desk, command: str, decision: str, said: str) -> None:
    """Write down who did what, and why, beside the answers of the services."""
    from processors import tracing
    from shared.ledger import LEDGER_TABLES

    try:
        with desk.warehouse.writing(LEDGER_TABLES, must_exist=True) as session:
            tracing.note(session, command, f"{getpass.getuser()}@{os.uname().nodename}", decision, said)
    except NotFound:
        messages.warn("not written down: there is no warehouse")
    except NbactlError as error:
        messages.warn(f"not written down: {error.message}: {error.why}")


@contextmanager
def _open(file: Path) -> Iterator[IO[str]]:
    """A new file; one that is there may be the only copy of what it holds.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        with file.open("x", encoding="utf-8") as to:
            yield to
    except FileExistsError:
        raise UsageError(f"{file} exists already", hint="name another file") from None
    except OSError as error:
        raise UsageError(f"cannot write {file}", why=error.strerror) from error


def _write(to: IO[str], batch: Sequence[Letter]) -> None:
    """Write letters, and wait until they are on the disk."""
    from nbactl.ops.inspecting import exported

    to.writelines(f"{json_line(exported(one))}\n" for one in batch)
    to.flush()
    os.fsync(to.fileno())
