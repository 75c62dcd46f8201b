"""When a processor must wait: a required input that it reads for the date is not complete."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from processors.calendar import Calendar
from processors.declaration import Processor, Relation
from processors.graph import processors_in_order
from shared import ledger
from shared.ledger import COMPLETE
from shared.warehouse.base import Session


def closed(
    session: Session,
    calendar: Calendar,
    processor: Processor,
    dates: Sequence[date],
    waiting: Collection[tuple[str, date]],
) -> dict[date, list[str]]:
    """The dates that must wait, and what for.

    A same-date input must be complete for the date. A history input must be complete for the previous day with
    games; older holes do not block, they show as missing games. The first slate of a season waits for nothing. What
    waits in the same request is not complete, whatever an older run says of it.
    """
    same = _producers(processor, Relation.SAME_DATE)
    history = _producers(processor, Relation.HISTORY)
    looks_back = any(one.required and one.relation is Relation.HISTORY for one in processor.inputs)
    if not dates or not (same or looks_back):
        return {}
    before = {day: calendar.previous(day) for day in dates} if looks_back else {}
    looked_up = {*dates, *(day.date for day in before.values() if day)}
    status = ledger.latest(session, looked_up)
    complete = {one for one, last in status.items() if last in COMPLETE}.difference(waiting)
    waits: dict[date, list[str]] = {}
    for day in dates:
        needs = [f"{name} {day}" for name in same if (name, day) not in complete]
        if previous := before.get(day):
            if previous.final < previous.games:
                needs.append(f"{previous.games - previous.final} of {previous.games} games of {previous.date} to end")
            else:
                needs += [f"{name} {previous.date}" for name in history if (name, previous.date) not in complete]
        if needs:
            waits[day] = needs
    return waits


def _producers(processor: Processor, relation: Relation) -> list[str]:
    """The required inputs of a relation that other processors make."""
    made = {one.output.name for one in processors_in_order()}
    return [one.table for one in processor.inputs if one.required and one.relation is relation and one.table in made]
