"""Every processor, once. Order, names and dependencies are derived from the declarations."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import processors.analytics
import processors.precompute
from processors.declaration import Processor, Relation
from shared.errors import UnknownName
from shared.ledger import LEDGER_TABLES
from shared.tables.model import Table
from shared.tables.raw import RAW_TABLES, TEAM_LOCATIONS


@cache
def processors_in_order() -> tuple[Processor, ...]:
    """All processors, each after those whose rows of the same date it reads."""
    found = [
        import_module(f"{package.__name__}.{module.name}").PROCESSOR
        for package in (processors.analytics, processors.precompute)
        for module in pkgutil.iter_modules(package.__path__)
    ]
    return tuple(sorted(found, key=lambda one: (one.level, one.short)))


@cache
def tables() -> dict[str, Table]:
    """Every table of raw data, of the pipeline, and of its ledger, by bare name."""
    listed = (*RAW_TABLES, TEAM_LOCATIONS, *(one.output for one in processors_in_order()), *LEDGER_TABLES)
    return {table.name: table for table in listed}


def table(name: str) -> Table:
    """The table of a name, with or without its dataset.

    Raises:
        UnknownName: there is none.
    """
    known = tables()
    try:
        return known[name.rsplit(".", maxsplit=1)[-1]]
    except KeyError:
        raise UnknownName("table", name, known) from None


def select(names: Iterable[str], phases: Iterable[int]) -> tuple[Processor, ...]:
    """The processors of some phases, or those of them that are named, in order.

    Args:
        names: class names, short names or output tables, in any case; none selects all.
        phases: to choose from.

    Raises:
        UnknownName: a name is none of these.
    """
    offered = [one for one in processors_in_order() if one.phase in set(phases)]
    wanted = {_named(name, offered).name for name in names}
    return tuple(one for one in offered if not wanted or one.name in wanted)


def _named(name: str, offered: list[Processor]) -> Processor:
    for one in offered:
        if name.casefold() in (one.name.casefold(), one.short.casefold(), one.output.name):
            return one
    raise UnknownName("processor", name, [one.name for one in offered])


@dataclass(frozen=True, slots=True)
class Trigger:
    """What an event "rows of `table` dated X" makes a candidate.

    Attributes:
        processor: that reads the table.
        relation: how; a history reader's output date is the next slate after X, a same-date reader's is X.
    """

    table: str
    processor: Processor
    relation: Relation

    @property
    def date(self) -> str:
        """The output date that the event concerns."""
        return "X" if self.relation is Relation.SAME_DATE else "next slate after X"


def triggers() -> list[Trigger]:
    """Every reader of every table: the one rule from which trigger maps follow."""
    return [
        Trigger(one.table, processor, one.relation)
        for processor in processors_in_order()
        for one in processor.inputs
        if one.relation is not Relation.REFERENCE
    ]
