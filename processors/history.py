"""Runs of the past, as the ledger has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from processors.book import IS_UNANNOUNCED
from processors.declaration import Processor
from shared.clock import DateRange
from shared.ledger import PROCESSOR_RUNS
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
        conditions.append(f"(status IN ('FAILED_TRANSIENT', 'FAILED_PERMANENT', 'LOST') OR {unannounced})")
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
_DATE = 0.006
"""Seconds of a statement, and of each date in it, where the ledger knows nothing: a season on two cores."""


class Pace:
    """How long statements took before."""

    def __init__(self, session: Session) -> None:
        text = f"""SELECT processor_name, dates, duration_ms
FROM (
  SELECT
    processor_name, COUNT(*) AS dates, MAX(duration_ms) AS duration_ms, MAX(started_at) AS started,
    ROW_NUMBER() OVER (PARTITION BY processor_name ORDER BY MAX(started_at) DESC) AS nth
  FROM {PROCESSOR_RUNS.id}
  WHERE status IN ('SUCCESS', 'SUCCESS_EMPTY', 'DEGRADED')
  GROUP BY processor_name, request_id, started_at
)
WHERE nth <= 20"""
        self._known: dict[str, list[tuple[int, int]]] = {}
        for name, dates, milliseconds in session.query(text).rows:
            self._known.setdefault(name, []).append((dates, milliseconds))

    def seconds(self, owed: Mapping[str, int]) -> float:
        """About how long a request will take, by the dates that each processor is to compute."""
        return sum(self._of(name, dates) for name, dates in owed.items() if dates)

    def _of(self, name: str, dates: int) -> float:
        known = self._known.get(name)
        if not known:
            return _STATEMENT + _DATE * dates
        # of statements of about as many dates, what is not planning grows with the dates
        nearest = min({one for one, _ in known}, key=lambda one: abs(one - dates))
        alike = sorted(milliseconds for one, milliseconds in known if one == nearest)
        took = alike[len(alike) // 2] / 1000
        return _STATEMENT + max(0.0, took - _STATEMENT) * dates / nearest
