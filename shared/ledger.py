"""What ran, when and with what result: `nba_orchestration`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from enum import StrEnum

from shared.tables.model import (
    BOOL,
    DATE,
    INT64,
    JSON,
    STRING,
    STRINGS,
    TIMESTAMP,
    Table,
    nullable,
    required,
)
from shared.warehouse.base import Session


class Status(StrEnum):
    """How a run, or the wish for one, ended."""

    SUCCESS = "SUCCESS"
    SUCCESS_EMPTY = "SUCCESS_EMPTY"
    DEGRADED = "DEGRADED"
    NOT_READY = "NOT_READY"
    FAILED_PERMANENT = "FAILED_PERMANENT"

    @property
    def ran(self) -> bool:
        """Whether a computation began; NOT_READY is an answer, and leaves no row."""
        return self is not Status.NOT_READY

    @property
    def wrote(self) -> bool:
        """Whether the table now holds this run's rows."""
        return self in (Status.SUCCESS, Status.SUCCESS_EMPTY, Status.DEGRADED)


COMPLETE = (Status.SUCCESS, Status.SUCCESS_EMPTY)
"""Statuses of a table-date that may be built upon."""

PROCESSOR_RUNS = Table(
    dataset="nba_orchestration",
    name="processor_runs",
    row="run: one processor, one output date, one attempt",
    key=("run_id",),
    partition="run_date",
    cluster=("game_date", "processor_name", "status"),
    columns=(
        required("run_id", STRING, "uuid4, 32 hex digits"),
        required("run_date", DATE, "US Eastern date of started_at"),
        required("processor_name", STRING),
        required("phase", INT64),
        required("output_table", STRING, "bare table name"),
        required("game_date", DATE, "date of the output rows"),
        required("status", STRING, "SUCCESS, SUCCESS_EMPTY, DEGRADED or FAILED_PERMANENT"),
        nullable("reason_code", STRING, "short code; NULL for SUCCESS"),
        nullable("reason", STRING, "one sentence with the numbers"),
        required("trigger_source", STRING, "who asked: cli"),
        required("request_id", STRING, "one per command; groups runs"),
        required("code_version", STRING, "package version, with the commit where known"),
        required("rows_expected", INT64),
        required("rows_written", INT64),
        nullable("rows_production_ready", INT64, "Phase 4 only"),
        nullable("missing", STRINGS, "ids of expected rows that are absent, at most 50"),
        nullable("issue_counts", JSON, "issue code -> rows"),
        required("started_at", TIMESTAMP),
        required("finished_at", TIMESTAMP),
        required("duration_ms", INT64, "of the statement that computed the date, and others with it", "ms"),
        required("forced", BOOL, "whether the operator opened a gate"),
    ),
)


def latest(session: Session, dates: Collection[date]) -> dict[tuple[str, date], Status]:
    """The status of the newest run of every output table and date, for some dates."""
    if not dates:
        return {}
    result = session.query(
        f"""SELECT output_table, game_date, status
FROM {PROCESSOR_RUNS.id}
WHERE game_date BETWEEN @start_date AND @end_date
QUALIFY ROW_NUMBER() OVER (PARTITION BY output_table, game_date ORDER BY started_at DESC, run_id DESC) = 1""",
        {"start_date": min(dates), "end_date": max(dates)},
    )
    return {(table, day): Status(status) for table, day, status in result.rows}
