"""Which processes of a local pipeline are there, and which of those that its record names are its own.

A process is taken for one of the pipeline's only where number, start time and command line agree, and the command line
holds the pipeline's random name.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from shared import local
from shared.errors import PreconditionFailed
from shared.local import EMULATOR, SUPERVISOR, Local, State

if TYPE_CHECKING:
    from psutil import Process

_SAME_START_SECONDS = 2.0
"""How far two readings of one start time may be apart: the second hangs on the clock, which may be set meanwhile."""


def is_alive(known: Local) -> bool:
    """Whether what messages need is there: the supervisor, and the emulator where it is one of ours."""
    return known.state is not State.ENDED and find_missing(known) is None


def find_missing(known: Local) -> str | None:
    """The one of supervisor and emulator that should be there and is not; the supervisor first."""
    due = (SUPERVISOR, *(name for name in (EMULATOR,) if name in known.processes))
    return next((name for name in due if not find_process(known, name)), None)


def find_process(known: Local, name: str) -> Process | None:
    """The process of this name, if it is there and proves to be the pipeline's."""
    import psutil

    if name not in known.processes or name not in known.started:
        return None
    with suppress(psutil.Error):
        process = psutil.Process(known.processes[name])
        near = abs(process.create_time() - known.started[name]) < _SAME_START_SECONDS
        # not the whole line, because a program may write its title there
        if near and known.instance in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def list_processes(known: Local) -> list[tuple[str, Process]]:
    """Every process of the pipeline that is there, in the order of their start, with its name.

    One that was started and not written down, or that outlived its parent, is known by its whole command line.
    """
    import psutil

    names = {command: name for name, command in known.commands.items()}
    ours = {process.pid: (name, process) for name in known.processes if (process := find_process(known, name))}
    for process in psutil.process_iter(["cmdline", "status"]):
        command = tuple(process.info["cmdline"] or ())
        if command in names and process.info["status"] != psutil.STATUS_ZOMBIE:
            ours.setdefault(process.pid, (names[command], process))
    order = list(known.commands)
    return sorted(ours.values(), key=lambda named: order.index(named[0]))


def find_running(directory: Path) -> Local | None:
    """The pipeline that runs in a project folder; a record that cannot be read is said by whoever needs it."""
    try:
        known = local.read(directory)
    except PreconditionFailed:
        return None
    return known if known and known.state is State.RUNNING and is_alive(known) else None


def refuse_dead(directory: Path) -> None:
    """Do nothing where no pipeline was started, or one was and lives; for whoever would otherwise go to the cloud.

    Raises:
        PreconditionFailed: one was started and has died, or is still starting, or its record cannot be read.
    """
    known = local.read(directory)
    alive = known is not None and is_alive(known)
    if known is None or (alive and known.state is State.RUNNING):
        return
    if alive:
        raise PreconditionFailed("the local pipeline is still starting", hint="try again in a few seconds")
    raise PreconditionFailed(
        f"the local pipeline of {directory} has died, and messages here would go to its Pub/Sub emulator",
        why=cause_of_death(known),
        hint="nbactl up\nnbactl down forgets it; commands then mean Google Cloud",
    )


def cause_of_death(known: Local) -> str:
    """Why a pipeline does not live, as far as is known."""
    return known.why or f"its {find_missing(known)} has gone"
