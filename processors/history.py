"""Runs of the past, as the ledger has them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from math import log
from statistics import median

from processors.calendar import spans
from processors.declaration import Processor
from processors.request import SIDE_BY_SIDE, Work
from shared.clock import DateRange
from shared.ledger import FAILED, IS_UNANNOUNCED, PROCESSOR_RUNS, WROTE, list_in_sql
from shared.warehouse.base import Result, Session


@dataclass(frozen=True, slots=True)
class Sought:
    """Which runs.

    Attributes:
        dates: output dates; None for all.
        processors: none means all.
        failed: only those that failed or died, or whose announcement failed.
        limit: the newest so many.
    """

    dates: DateRange | None = None
    processors: Sequence[Processor] = ()
    failed: bool = False
    limit: int = 50


def runs(session: Session, sought: Sought, now: datetime) -> Result:
    """Runs, newest first, with every column of the ledger; a run that died has the status LOST."""
    conditions = ["TRUE"]
    params: dict[str, object] = {"lost_before": now - session.lease, "count": sought.limit}
    lost = "status = 'RUNNING'"
    if session.lease:  # where no lock keeps readers out, a young run may be at work
        lost += " AND noted_at <= @lost_before"
    if sought.dates:
        conditions.append("game_date BETWEEN @start_date AND @end_date")
        params |= {"start_date": sought.dates.start, "end_date": sought.dates.end}
    if sought.processors:
        conditions.append("processor_name IN (SELECT one FROM UNNEST(@processors) AS one)")
        params["processors"] = [one.name for one in sought.processors]
    if sought.failed:
        unannounced = f"({IS_UNANNOUNCED} AND publish_error IS NOT NULL)"
        conditions.append(f"(status IN {list_in_sql(FAILED)} OR status = 'LOST' OR {unannounced})")
    columns = ", ".join(name for name in PROCESSOR_RUNS.column_names if name != "status")
    text = f"""WITH seen AS (
  SELECT {columns}, IF({lost}, 'LOST', status) AS status
  FROM {PROCESSOR_RUNS.id}
),
chosen AS (
  SELECT *, ROW_NUMBER() OVER (ORDER BY noted_at DESC, sequence DESC, phase DESC, game_date DESC, run_id DESC) AS nth
  FROM seen
  WHERE {" AND ".join(conditions)}
)
SELECT {", ".join(PROCESSOR_RUNS.column_names)}
FROM chosen
WHERE nth <= @count
ORDER BY nth"""
    return session.query(text, params)


_STATEMENT = 0.08
_DAY = 0.0045
"""Seconds of a statement, and of each day of its range, where the ledger knows nothing: a season on two cores."""
_RECENT = 20
"""How many statements of a processor are looked at."""

Statement = tuple[str, int, float]
"""Processor, days from the first date to the last, and seconds."""


class Pace:
    """How long statements take, by how long they took before.

    A statement costs something for itself, and something for each day of its range. The ledger tells how much more or
    less than usual that is here, for a processor; and this holds for a range of another length, too: a season is not
    as many times a date as it has dates.
    """

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._slowness: dict[str, list[tuple[int, float]]] = {}
        for name, days, seconds in statements:
            self._slowness.setdefault(name, []).append((days, seconds / _usual(days)))

    def seconds(self, work: Sequence[Work]) -> float:
        """About how long some work will take, a few processors at a time as the runner has them.

        Args:
            work: processors, each with the dates to compute, in order.
        """
        took = {
            processor.output.name: sum(self._of(processor.name, span.days) for span in spans(list(dates)))
            for processor, dates in work
            if dates
        }
        inputs = {
            processor.output.name: {one.table for one in processor.inputs} & took.keys()
            for processor, dates in work
            if dates
        }
        return _makespan(took, inputs)

    def _of(self, name: str, days: int) -> float:
        return _usual(days) * self._factor(name, days)

    def _factor(self, name: str, days: int) -> float:
        """How much slower than usual a processor is here; of one that never ran, how much the others are."""
        known = self._slowness.get(name)
        if not known:
            others = [self._factor(other, days) for other in self._slowness]
            return median(others) if others else 1.0
        distances = {one: abs(log(one / days)) for one, _ in known}
        nearest = min(distances, key=distances.__getitem__)
        return median(factor for one, factor in known if one == nearest)


def pace(session: Session) -> Pace:
    """How long the last statements of every processor took that wrote what they computed."""
    text = f"""SELECT processor_name, first_date, last_date, duration_ms
FROM (
  SELECT
    processor_name, MIN(game_date) AS first_date, MAX(game_date) AS last_date, MAX(duration_ms) AS duration_ms,
    ROW_NUMBER() OVER (PARTITION BY processor_name ORDER BY MAX(noted_at) DESC) AS nth
  FROM {PROCESSOR_RUNS.id}
  WHERE status IN {list_in_sql(WROTE)}
  GROUP BY processor_name, request_id, started_at
)
WHERE nth <= {_RECENT}"""
    rows = session.query(text).rows
    return Pace((name, (last - first).days + 1, milliseconds / 1000) for name, first, last, milliseconds in rows)


def _usual(days: int) -> float:
    return _STATEMENT + _DAY * days


def _makespan(took: Mapping[str, float], inputs: Mapping[str, set[str]]) -> float:
    """When the last of some tables is there, each begun when its inputs are, and a few at a time.

    Args:
        took: seconds of each table.
        inputs: of each table, those of the others that it reads.
    """
    order = TopologicalSorter(inputs)
    order.prepare()
    now, ready, at_work = 0.0, deque[str](), list[tuple[float, str]]()
    while order.is_active():
        ready.extend(order.get_ready())
        while ready and len(at_work) < SIDE_BY_SIDE:
            name = ready.popleft()
            heappush(at_work, (now + took[name], name))
        now, name = heappop(at_work)
        order.done(name)
    return now
