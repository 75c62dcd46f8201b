"""Whether a service could work on a message now: what its phase is made of, and what it reads and writes."""

from __future__ import annotations

from processors import calendar as calendars
from processors import graph, inputs, runner
from shared.clock import today
from shared.warehouse.base import Warehouse


def require_ready(warehouse: Warehouse, phase: int) -> None:
    """See that a phase could work: its processors can be read, the tables are as declared, the schedule has games.

    Nothing is changed and nobody is waited for, so that a platform may ask as often as it likes.

    Raises:
        NbactlError: it could not; says why.
    """
    for processor in graph.select((), [phase]):
        inputs.definition(processor)
    with warehouse.inspecting(runner.all_tables()) as session:
        # without a schedule nobody can tell what is owed
        calendars.nearest_slate(session, today())
