"""What must hold after nights full of faults."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from nbactl.ops.inspecting import inspect, reasons
from nbactl.ops.letters import boxes
from processors import nights, outbox, reconcile, tracing
from shared.clock import DateRange, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nbactl.ops.simulation.world import World
    from shared.pubsub import PubSub
    from shared.warehouse.base import Session, Warehouse

_SHOWN = 3
"""How many broken things a sentence names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant.

    Attributes:
        broken: what breaks it; None where it holds.
        correlation_id: of the chain in which the first break happened, where one is known.
    """

    invariant: str
    broken: str | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """A dead letter."""

    what: str
    correlation_id: str | None


def dead(pubsub: PubSub, warehouse: Warehouse) -> list[Dead]:
    """Every dead letter there is, with its reason."""
    return [
        Dead(f"{one.table or 'fallback'} {one.date}: {one.reason.text if one.reason else ''}", one.correlation_id)
        for batch in inspect(pubsub, boxes(), reasons(warehouse, utc_now()))
        for one in batch
    ]


def judge(here: World, letters: Sequence[Dead]) -> list[Finding]:
    """Hold every invariant against what there is."""
    with here.noisy.reading() as noisy, here.quiet.reading() as quiet:
        return list(_findings(here, noisy, quiet, letters))


def _findings(here: World, noisy: Session, quiet: Session, letters: Sequence[Dead]) -> Iterator[Finding]:
    dates = DateRange(here.nights[0].day, max(night.slate for night in here.nights))
    differing = nights.differing(noisy, quiet, dates)
    owed = [(one.table, one.date) for one in outbox.read_all(noisy)]
    left = reconcile.leftovers(noisy)
    unwell = [one for night in here.nights for one in nights.unwell(noisy, night)]
    yield _finding(
        "tables equal those of quiet nights, cell for cell", map(_named, differing), _chain(noisy, differing)
    )
    yield _finding("every table of every night is well", unwell)
    yield _finding(
        "nothing is dead", [one.what for one in letters], next((one.correlation_id for one in letters), None)
    )
    yield _finding("everything written was announced", map(_named, owed), _chain(noisy, owed))
    said = [f"{one.table} {one.date}: {one.found}" for one in left]
    yield _finding("the ledger tells the truth", said, _chain(noisy, [(one.table, one.date) for one in left]))


def _named(key: tuple[str, date]) -> str:
    return f"{key[0]} {key[1]}"


def _chain(session: Session, keys: Sequence[tuple[str, date]]) -> str | None:
    """The chain of the first of some table-dates."""
    return tracing.chain_of(session, *keys[0]) if keys else None


def _finding(invariant: str, broken: Iterable[str], correlation_id: str | None = None) -> Finding:
    broken = list(broken)
    if not broken:
        return Finding(invariant)
    more = f" and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
    return Finding(invariant, "; ".join(broken[:_SHOWN]) + more, correlation_id)
