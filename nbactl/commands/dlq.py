"""`nbactl dlq`: dead letters, looked at, sent again, kept in a file, taken away."""

from __future__ import annotations

import getpass
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

import click

from nbactl.commands import confirming
from nbactl.ops import letters as reading
from nbactl.ops import words
from nbactl.option import argument, option
from nbactl.params import dry_run_option, output_option
from nbactl.render import messages
from nbactl.render.progress import progress
from nbactl.render.tables import Column, flow, write
from nbactl.session import Session
from shared.clock import utc_now
from shared.errors import Interrupted, NbactlError, NotFound, PartlyFailed, Undetermined

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


@dataclass
class Desk:
    """Where letters are worked on: which boxes, and which of their letters.

    Attributes:
        stored: letters that were read from a file; None where the boxes are meant.
        total: letters that were seen so far,
        matching: and how many of them are meant.
    """

    session: Session
    pubsub: PubSub
    warehouse: Warehouse
    boxes: list[Box]
    where: dict[str, str]
    stored: list[Letter] | None = None
    total: int = 0
    matching: int = 0
    _others: list[Letter] = field(default_factory=list)

    @property
    def target(self) -> str:
        """Project and server, in words."""
        return f"project {self.pubsub.project} on {self.pubsub.server}"

    def meant(self, letters: Sequence[Letter]) -> list[Letter]:
        """Of letters as they were pulled, those that are meant, with their reasons."""
        return self._sorted_out(self.reasons.explain(letters))

    @contextmanager
    def look(self) -> Iterator[Iterator[list[Letter]]]:
        """The letters that are meant, in batches as they are read; at the end of the block, what could not be read.

        Raises:
            NbactlError: a box could not be read, or did not give what it holds.
        """
        from nbactl.ops.inspecting import Look

        if self.stored is not None:
            yield iter([self.meant(self.stored)])
            return
        with Look(self.pubsub, self.boxes, self.reasons) as look:
            yield (self._sorted_out(batch) for batch in look)
        if left := look.cleanup.failures:
            messages.warn(f"may be left behind, and is deleted by Pub/Sub within seven days: {', '.join(sorted(left))}")
        if look.borrowed:
            messages.warn(
                f"the oldest letter in {', '.join(look.borrowed)} is nearly seven days old, and Pub/Sub makes no"
                " snapshot of such a queue: its letters were borrowed for this look, and are back now."
                " Pub/Sub deletes a letter after seven days: nbactl dlq export FILE keeps it"
            )
        look.check()

    @cached_property
    def reasons(self) -> Reasons:
        """What the ledger says of letters."""
        from nbactl.ops.inspecting import reasons

        return reasons(self.warehouse, utc_now())

    def everything(self) -> list[Letter]:
        """All letters that are meant."""
        with self.look() as batches:
            return [one for batch in batches for one in batch]

    @property
    def nearest(self) -> str | None:
        """A hint, where no letter is meant though there are some."""
        return reading.nearest(self.where, self._others) if self.total and not self.matching else None

    @property
    def count(self) -> str:
        """How many letters there are; of Google Cloud we know only what we were given."""
        from_file = self.stored is not None
        least = "" if self.pubsub.emulator or from_file or not self.total else "at least "
        more = "; how many more there are is not known" if least else ""
        place = "of the file" if from_file else f"of {self.target}"
        if self.where and self.total:
            asked = " and ".join(f"{name}={value}" for name, value in self.where.items())
            return f"{self.matching} of {least}{_letters(self.total)} {place} match {asked}{more}"
        return f"{least}{_letters(self.total)} {place}{more}"

    def _sorted_out(self, letters: Sequence[Letter]) -> list[Letter]:
        meant = list(reading.chosen(letters, self.where))
        self.total += len(letters)
        self.matching += len(meant)
        if not self.matching:
            self._others += letters
        return meant


def _letters(count: int) -> str:
    return f"{count} dead letter{'' if count == 1 else 's'}"


def _desk(session: Session, asked: Options, file: Path | None = None) -> Desk:
    boxes, where = reading.boxes(asked["phase"]), reading.conditions(asked["where"])
    stored = None
    if file:
        from nbactl.ops.letter_file import read_letters

        stored = [letter for letter in read_letters(file) if letter.box in boxes]
    return Desk(session, session.pubsub(), session.connect(), boxes, where, stored)


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
    from nbactl.ops.inspecting import Groups

    desk, groups = _desk(session, asked), Groups(group_by or "reason")
    options = words.options(session.warehouse)
    try:
        with desk.look() as batches:
            counted = groups.counting(batches)
            if group_by:
                for _ in counted:
                    pass
                write(groups.rows(utc_now(), options, desk.pubsub.project), _columns(group_by), output)
            else:
                _show(counted, output)
    except NbactlError:
        if desk.total:
            messages.note(f"of what could be read: {desk.count}", quiet=session.quiet)
        raise
    _say_count(desk, desk.count)
    if output == "table" and not group_by:
        for line in groups.rows(utc_now(), options, desk.pubsub.project):
            messages.hint(f"{line['letters']} {line['reason']}: {line['next']}", quiet=session.quiet)


def _show(batches: Iterator[list[Letter]], output: str) -> None:
    """Write letters as they are read."""
    from nbactl.ops.inspecting import record, row

    if output == "table":
        flow(([row(one, utc_now()) for one in batch] for batch in batches), LETTERS)
    else:
        write((record(one) for batch in batches for one in batch), RECORDS, output)


def _say_count(desk: Desk, text: str) -> None:
    """Say how many letters there are, and what may have been meant where none is."""
    messages.note(text, quiet=desk.session.quiet)
    if desk.nearest:
        messages.hint(desk.nearest, quiet=desk.session.quiet)


def _columns(group_by: str) -> list[Column]:
    return [Column(name) for name in (group_by, *(name for name in GROUPED if name != group_by))]


@command.command()
@_letters_options
@option("--limit", type=click.IntRange(min=1), metavar="N", help="Send at most so many.")
@option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="R", help="Send at most R a second.")
@option("--only-needed", is_flag=True, help="Leave letters whose work has been done since.")
@option("--rehearse", is_flag=True, help="Try each on a copy of the warehouse first; send what would succeed.")
@option(
    "--from",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Send the letters of a file that export or drain has written, in place of those in the queues.",
)
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
    file: Path | None,
    why: str,
    yes: bool,
    dry_run: bool,
    output: str,
    **asked: Unpack[Options],
) -> None:
    """Publish dead letters again on the topics they came from; their chains keep their names.

    A letter leaves the queue once it is published, never before. What dies while this runs stays where it is.

    Example: nbactl dlq replay --where reason=retry --rate 50
    """
    from nbactl.ops import inspecting, taking

    desk = _desk(session, asked, file)
    rehearsed = _rehearsed(desk, output) if rehearse else None

    def choose(letters: Sequence[Letter]) -> list[Letter]:
        meant = inspecting.needed(letters, desk.warehouse, utc_now()) if only_needed else letters
        return [one for one in meant if rehearsed is None or one.key in rehearsed]

    if dry_run:
        with desk.look() as batches:
            would = [one for batch in batches for one in choose(batch)][:limit]
        _say_what_would(desk, "replay", would, output)
        return
    if not yes:
        confirming.ask(f"Replay dead letters {f'of {file} to' if file else 'of'} {desk.target}?", "replay")
    desk.total = desk.matching = 0
    with progress(limit, quiet=session.quiet) as step:

        def watch(count: int) -> None:
            step("replayed", count)

        if desk.stored is None:
            tally = taking.replay(
                desk.pubsub, desk.boxes, lambda batch: choose(desk.meant(batch)), limit=limit, rate=rate, watch=watch
            )
        else:
            meant = choose(desk.meant(desk.stored))[:limit]
            tally = taking.resend(desk.pubsub, meant, pulled=len(desk.stored), rate=rate, watch=watch)
    _close(desk, "replay", tally, why, output)


def _say_what_would(desk: Desk, verb: str, would: Sequence[Letter], output: str) -> None:
    from nbactl.ops import inspecting

    write(map(inspecting.record, would), RECORDS if output != "table" else LETTERS[:-4], output)
    _say_count(desk, f"would {verb} {len(would)}: --dry-run; {desk.count}")


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
    from nbactl.ops.letter_file import new_file

    desk, written = _desk(session, asked), 0
    try:
        with new_file(file) as to, desk.look() as batches:
            for batch in batches:
                to.write(batch)
                written += len(batch)
    except NbactlError as error:
        if not written:
            raise
        raise PartlyFailed(
            f"{file} does not hold every letter: {error.message}", why=error.why, hint=error.hint
        ) from error
    _say_count(desk, f"{_letters(written)} written to {file}; {desk.count}")


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
    from nbactl.ops import taking
    from nbactl.ops.letter_file import new_file

    desk = _desk(session, asked)
    if dry_run:
        _say_what_would(desk, "drain", desk.everything(), output)
        return
    confirming.ask_name(f"This takes dead letters of {desk.target} away.", desk.pubsub.project, confirm)
    file = file or Path(f"dead-letters-{utc_now():%Y%m%dT%H%M%SZ}.jsonl")

    with new_file(file) as to, progress(None, quiet=session.quiet) as step:
        tally = taking.drain(
            desk.pubsub, desk.boxes, desk.meant, write=to.write, watch=lambda count: step("drained", count)
        )
    if tally.drained:
        messages.note(f"exported to {file}", quiet=session.quiet)
    else:
        file.unlink(missing_ok=True)
    _close(desk, "drain", tally, why, output)


_DID = {"replay": "replayed", "drain": "drained"}


def _close(desk: Desk, verb: str, tally: Tally, why: str, output: str) -> None:
    """Say what became of the letters, write it down, and end as it went.

    Raises:
        Interrupted: Ctrl-C ended it early.
        PartlyFailed: something was done, and not everything.
        Undetermined: nothing was done, and there are letters that were not given.
        NbactlError: it ended early.
    """
    _note(desk, f"nbactl dlq {verb}", _DID[verb], f"{tally}{f': {why}' if why else ''}")
    if output == "table":
        messages.note(str(tally))
    else:
        write([{name: getattr(tally, name) for name in ("pulled", "replayed", "kept", "drained")}], OUTCOME, output)
    if desk.where and not desk.matching and desk.total:
        _say_count(desk, desk.count)
    for count, text in (
        (tally.newer, "of those kept died after this had begun"),
        (tally.lost, "of those kept came free before their turn: their lease had ended"),
        (tally.unsure, "of those kept may have been sent all the same: no answer came"),
        (tally.late, f"of those {_DID[verb]} may come again: their acknowledgement failed, or came too late"),
    ):
        if count:
            messages.warn(f"{count} {text}")
    _raise(desk, tally)


def _raise(desk: Desk, tally: Tally) -> None:
    """End as it went."""
    from nbactl.ops.inspecting import check_boxes

    error = tally.error
    if isinstance(error, Interrupted):
        raise error
    if error and tally.done:
        where = (
            "what was sent before costs nothing when it is sent again" if desk.stored else "the rest is where it was"
        )
        raise PartlyFailed(f"it ended early: {error.message}", why=error.why, hint=f"{where}; type it again")
    if error:
        raise error
    check_boxes(len(desk.boxes), tally.failures)
    if tally.withheld:
        kind = PartlyFailed if tally.done else Undetermined
        raise kind(
            f"there may be dead letters that were not given to us: {', '.join(tally.withheld)}",
            why=f"{desk.pubsub.server} has not given all that it holds: somebody else may have it at the moment",
            hint="type it again in a minute",
        )


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
    except OSError as error:
        messages.warn(f"not written down: {error.strerror}")
