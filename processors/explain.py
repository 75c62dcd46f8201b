"""Which inputs of a table-date have changed since it was computed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from processors.declaration import Processor
from processors.survey import Standing, Survey
from shared.ledger import PROCESSOR_RUNS
from shared.warehouse.base import Session

_SHOWN = 3


def changed_inputs(session: Session, survey: Survey, standings: Collection[Standing]) -> dict[tuple[str, date], str]:
    """By processor and date, the inputs that are not what the stored rows were made from, and on which dates."""
    made = {one.made.run_id: one for one in standings if one.made}
    if not made:
        return {}
    dates = [one.date for one in made.values()]
    text = f"""SELECT run_id, input_versions
FROM {PROCESSOR_RUNS.id}
WHERE game_date BETWEEN @start_date AND @end_date AND run_id IN (SELECT one FROM UNNEST(@run_ids) AS one)"""
    window = {"start_date": min(dates), "end_date": max(dates), "run_ids": list(made)}
    found = {}
    for run_id, versions in session.query(text, window).rows:
        one = made[run_id]
        if versions and (changed := _changed(survey, one, json.loads(versions))):
            found[one.processor.name, one.date] = ", ".join(changed)
    return found


def _changed(survey: Survey, standing: Standing, before: Sequence[Mapping[str, Any]]) -> list[str]:
    read = {(one["table"], one["scope"]): one["hash"] for one in before}
    now = survey.inputs.versions(standing.processor, standing.date)
    tables = [str(one["table"]) for one in now if read.get((one["table"], one["scope"])) != one["hash"]]
    return [_said(table, survey, standing.processor, standing) for table in dict.fromkeys(tables)]


def _said(table: str, survey: Survey, processor: Processor, standing: Standing) -> str:
    started = standing.made.started_micros if standing.made else 0
    days = survey.inputs.newer(processor, standing.date, table, started)
    more = f" and {len(days) - _SHOWN} more" if len(days) > _SHOWN else ""
    return f"{table} changed" + (f" ({', '.join(map(str, days[:_SHOWN]))}{more})" if days else "")
