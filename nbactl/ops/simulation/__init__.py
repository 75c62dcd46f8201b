"""Game nights lived through once more, with faults: what `nbactl simulate` does.

The nights are taken out of a copy of the warehouse and come in again, table by table and event by event, through the
real emulator and the services as they run in the cloud. Meanwhile messages are doubled, delayed and lost, and services
are killed. In the end everything must be as after quiet nights.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nbactl.ops import pipeline
from nbactl.ops.simulation import verdict, world
from nbactl.ops.simulation.faults import Counts, Faults, Killer, UnreliablePush
from nbactl.ops.simulation.verdict import Finding
from nbactl.ops.simulation.world import World
from nbactl.ops.testing import publish_fallback
from processors import nights, outbox, reconcile, runner
from processors.nights import Night
from shared.pubsub import PubSub
from shared.tables.raw import RAW_TABLES

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.warehouse.base import Warehouse

Said = Callable[[str], None]
"""Told what is being done."""

_PATIENCE = 8.0
"""Seconds after which the clock starts what events have not; twice as long again, and a night is given up."""
_POLL = 0.25


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a simulation.

    Attributes:
        nights: that were lived through.
        counts: what was done to messages and services.
        findings: every invariant, held or broken.
        seconds: how long the nights took.
    """

    nights: Sequence[Night]
    counts: Counts
    findings: Sequence[Finding]
    seconds: float


@contextmanager
def simulated(
    warehouse: Warehouse, settings: Settings, count: int, faults: Faults, said: Said
) -> Iterator[tuple[Outcome, Warehouse]]:
    """Live through the last nights of a warehouse again; what came of it, and the warehouse that has seen it.

    Args:
        warehouse: is only read.
        settings: whose project the messages are in, on an emulator of their own.
        count: how many nights.
        faults: what goes wrong, and how often.
        said: told how far it is.

    Raises:
        NotFound: there is no warehouse, or no emulator.
        PreconditionFailed: there are not so many nights.
    """
    with TemporaryDirectory(prefix="nbactl-simulate-", ignore_cleanup_errors=True) as name, warehouse.copied() as copy:
        said(f"taking back {count} night{'' if count == 1 else 's'}")
        here = world.prepared(copy, Path(name), count)
        said(f"{here.nights[0].day} to {here.nights[-1].day}, quietly")
        world.live_quietly(here)
        began = time.monotonic()
        counts, letters = _noisy(here, settings, faults, said)
        seconds = time.monotonic() - began
        yield Outcome(here.nights, counts, verdict.judge(here, letters), seconds), here.noisy


def _noisy(here: World, settings: Settings, faults: Faults, said: Said) -> tuple[Counts, list[verdict.Dead]]:
    """Live through the nights with faults; what was done, and what was dead in the end."""
    own = replace(settings, warehouse=here.noisy.url, emulator="", folder=here.folder)
    counts = Counts()
    push = UnreliablePush(faults, counts)
    with push.served() as urls, pipeline.running(own, urls) as running:
        push.targets |= running.services
        pubsub = PubSub(running.project, running.emulator)
        with Killer(here.folder, faults, counts):
            for night in here.nights:
                said(f"night of {night.day}")
                _live(here, night, pubsub, faults, said)
        said("repairing what is left")
        _repair(here, pubsub)
        letters = verdict.dead(pubsub, here.noisy)
        pubsub.close()
    return counts, letters


def _live(here: World, night: Night, pubsub: PubSub, faults: Faults, said: Said) -> None:
    """Let a night's files come in, and wait for all that should follow."""
    dice = random.Random(f"{faults.seed} {night.day}")  # noqa: S311 -- to be repeatable
    files = sorted(here.files(night).iterdir())
    dice.shuffle(files)
    for file in files:
        with here.noisy.writing(runner.all_tables()) as session:
            session.load(file, RAW_TABLES, announce=True)
        outbox.send_all(here.noisy, pubsub.publish)
        time.sleep(dice.uniform(0, 0.3))
    for waited in (_PATIENCE, 2 * _PATIENCE):
        if _is_well(here, night, waited):
            return
        said(f"night of {night.day}: by the clock")
        for phase, day in ((3, night.day), (4, night.slate)):
            publish_fallback(pubsub, phase, day)
            _is_well(here, night, _PATIENCE)


def _is_well(here: World, night: Night, seconds: float) -> bool:
    """Wait until all of a night is well, or the time is over."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with here.noisy.reading() as session:
            if not nights.unwell(session, night):
                return True
        time.sleep(_POLL)
    return False


def _repair(here: World, pubsub: PubSub) -> None:
    """What `nbactl reconcile` does, as cron would have it done."""
    with here.noisy.writing(runner.all_tables()) as session:
        if found := reconcile.leftovers(session):
            reconcile.repair(session, found, lambda _what, _done: None)
    outbox.send_all(here.noisy, pubsub.publish)


__all__ = ["Counts", "Faults", "Finding", "Outcome", "simulated"]
