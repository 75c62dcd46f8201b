"""`nbactl up` and `nbactl down`: the whole pipeline on one machine."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from nbactl.ops.local_processes import cause_of_death, is_alive
from nbactl.option import option
from nbactl.render import messages
from nbactl.session import Session
from shared import local
from shared.errors import NbactlError, PreconditionFailed

if TYPE_CHECKING:
    from nbactl.ops.pipeline import Stack

_LOOK_SECONDS = 0.3


@click.command()
@option("--detach", is_flag=True, help="Start it, and come back; nbactl down ends it.")
@click.pass_obj
def up(session: Session, *, detach: bool) -> None:
    """Run the whole pipeline on this machine: Pub/Sub emulator, topology, and the services of Phase 3 and 4.

    The services run as they do in the cloud, on the warehouse of the settings; one that dies is started again. What
    happens is shown as it happens. Ctrl-C ends all of it, and so does the end of the terminal. Other commands in this
    project folder find the emulator by themselves.

    Example: nbactl up --detach && nbactl publish-test --date yesterday --wait
    """
    from nbactl.ops import pipeline

    with _signals_raised():
        stack = pipeline.up(session.settings, lambda what, where: messages.note(f"{what:<12}{where}"))
        if detach:
            _say_where(stack)
            stack.detach()
            messages.hint("nbactl publish-test --date yesterday --wait; nbactl down ends it", quiet=session.quiet)
            return
        try:
            _say_where(stack)
            messages.note("watching; Ctrl-C ends all of it", quiet=session.quiet)
            _watch(stack)
        except Terminated:
            # whoever comes back finds that it has ended, and is not led to the cloud
            raise
        except KeyboardInterrupt:
            messages.note("ending", quiet=session.quiet)
            stack.close()
        finally:
            stack.end()


@click.command()
@click.pass_obj
def down(session: Session) -> None:
    """End what nbactl up started in this project folder, services first, then the emulator; its logs stay."""
    from shared.settings import find_folder

    folder = find_folder(Path.cwd())
    try:
        known = local.read(folder)
    except PreconditionFailed as error:
        local.forget(folder)
        messages.warn(f"forgot {folder / local.FILE}: {error.why}; no process was ended")
        return
    if known is None:
        messages.note("nothing runs here", quiet=session.quiet)
        return
    if not is_alive(known):
        messages.note(f"it had ended before: {cause_of_death(known)}", quiet=session.quiet)

    from nbactl.ops import pipeline

    for name in pipeline.down(folder):
        messages.note(f"ended {name}", quiet=session.quiet)


class Terminated(KeyboardInterrupt):
    """A signal that ends a process as Ctrl-C does: SIGTERM, or SIGHUP at the end of a terminal."""


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Raise `Terminated` at SIGTERM and SIGHUP, for as long as the block lasts; an ignored signal stays ignored."""

    def terminate(_number: int, _frame: FrameType | None) -> NoReturn:
        raise Terminated

    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, terminate) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_where(stack: Stack) -> None:
    record = stack.record
    for name, url in record.services.items():
        messages.note(f"{'service':<12}{name}  {url}")
    messages.note(f"{'warehouse':<12}{record.warehouse}")


def _watch(stack: Stack) -> None:
    """Print what happens until Ctrl-C, or until somebody has ended the pipeline.

    Raises:
        NbactlError: the pipeline has died.
    """
    from nbactl.ops.watching import Watcher, watched
    from nbactl.render import happenings

    with closing(Watcher(stack.record)) as watcher:
        while (known := local.read(stack.directory)) and is_alive(known):
            for one in watched(watcher):
                happenings.write(one.at, one.kind, one.where, one.what, bad=one.bad)
            time.sleep(_LOOK_SECONDS)
    if known is None:
        messages.note("nbactl down has ended it")
        return
    raise NbactlError(
        "the local pipeline has died", why=cause_of_death(known), hint=f"see {stack.directory / local.LOGS}"
    )
