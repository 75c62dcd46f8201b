"""`nbactl up` and `nbactl down`: the whole pipeline on one machine."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import click

from nbactl.ops import pipeline
from nbactl.option import option
from nbactl.render import messages
from nbactl.session import Session
from shared import local
from shared.errors import NbactlError

_LOOK_SECONDS = 0.3


@click.command()
@option("--detach", is_flag=True, help="Start it, and come back; nbactl down ends it.")
@click.pass_obj
def up(session: Session, *, detach: bool) -> None:
    """Run the whole pipeline on this machine: Pub/Sub emulator, topology, and the services of Phase 3 and 4.

    The services run as they do in the cloud, on the warehouse of the settings. What happens is shown as it happens;
    Ctrl-C ends all of it. Other commands in this directory find the emulator by themselves.

    Example: nbactl up --detach && nbactl publish-test --date yesterday --wait
    """
    here = Path.cwd()
    running = pipeline.up(session.settings, here, lambda what, where: messages.note(f"{what:<12}{where}"))
    for name, url in running.services.items():
        messages.note(f"{'service':<12}{name}  {url}")
    messages.note(f"{'warehouse':<12}{running.warehouse}")
    if detach:
        messages.hint("nbactl publish-test --date yesterday --wait; nbactl down ends it", quiet=session.quiet)
        return
    messages.note("watching; Ctrl-C ends all of it", quiet=session.quiet)
    try:
        _watch(running)
    except KeyboardInterrupt:
        messages.note("ending", quiet=session.quiet)
    finally:
        pipeline.down(here)


@click.command()
@click.pass_obj
def down(session: Session) -> None:
    """End what nbactl up --detach started from this directory: services first, then the emulator."""
    here = Path.cwd()
    if local.read(here) is None:
        messages.note("nothing runs here", quiet=session.quiet)
        return
    for name in pipeline.down(here):
        messages.note(f"ended {name}", quiet=session.quiet)


def _watch(running: local.Local) -> None:
    """Print what happens until Ctrl-C, or until a part of the pipeline has gone."""
    from nbactl.ops.watching import Watcher, watched
    from nbactl.render import happenings

    with closing(Watcher(running)) as watcher:
        while not (gone := [name for name, process in running.processes.items() if not local.is_alive(process)]):
            for one in watched(watcher):
                happenings.write(one.at, one.kind, one.where, one.what, bad=one.bad)
            time.sleep(_LOOK_SECONDS)
    raise NbactlError(f"{', '.join(gone)} has ended", hint=f"see {local.FILE.parent / 'logs'}")
