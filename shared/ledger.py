"""What ran, when, on which inputs and with what result: `nba_orchestration`."""

from __future__ import annotations

from collections.abc import Iterable
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


class Status(StrEnum):
    """How a run, or the wish for one, stands."""

    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    SUCCESS_EMPTY = "SUCCESS_EMPTY"
    DEGRADED = "DEGRADED"
    NOT_READY = "NOT_READY"
    SKIPPED_UNCHANGED = "SKIPPED_UNCHANGED"
    SKIPPED_EXPECTED = "SKIPPED_EXPECTED"
    FAILED_TRANSIENT = "FAILED_TRANSIENT"
    FAILED_PERMANENT = "FAILED_PERMANENT"

    @property
    def ran(self) -> bool:
        """Whether a computation began; the others are answers, and leave no row."""
        return self not in (Status.NOT_READY, Status.SKIPPED_UNCHANGED, Status.SKIPPED_EXPECTED)

    @property
    def wrote(self) -> bool:
        """Whether the table now holds this run's rows."""
        return self in WROTE

    @property
    def failed(self) -> bool:
        """Whether it ended badly; the table holds what it held before."""
        return self in FAILED

    @property
    def is_announced(self) -> bool:
        """Whether a run that announces owes an event when it has ended so."""
        return self in ANNOUNCED


COMPLETE = (Status.SUCCESS, Status.SUCCESS_EMPTY)
"""Statuses of a table-date that may be built upon."""
WROTE = (*COMPLETE, Status.DEGRADED)
FAILED = (Status.FAILED_TRANSIENT, Status.FAILED_PERMANENT)
ANNOUNCED = (Status.SUCCESS, Status.DEGRADED)


def list_in_sql(statuses: Iterable[Status]) -> str:
    """A group of statuses as what follows IN, in GoogleSQL."""
    return f"({', '.join(repr(str(status)) for status in statuses)})"


IS_UNANNOUNCED = f"(announce AND status IN {list_in_sql(ANNOUNCED)} AND published_message_id IS NULL)"
"""GoogleSQL: whether the rows of a run are written, and nobody was told."""

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
        nullable("source_game_date", DATE, "game_date of the message that set it off"),
        required(
            "status",
            STRING,
            "RUNNING, then for good SUCCESS, SUCCESS_EMPTY, DEGRADED, FAILED_TRANSIENT or FAILED_PERMANENT",
        ),
        nullable("reason_code", STRING, "short code; NULL for RUNNING and SUCCESS"),
        nullable("reason", STRING, "one sentence with the numbers"),
        required("trigger_source", STRING, "who asked: cli, backfill, reconcile, pubsub, fallback or verify"),
        nullable("trigger_table", STRING, "table in the message"),
        nullable("subscription", STRING, "that delivered the message"),
        nullable("message_id", STRING),
        nullable("delivery_attempt", INT64),
        required("correlation_id", STRING, "of the whole chain of events"),
        nullable("parent_run_id", STRING, "run that announced the message"),
        required("request_id", STRING, "one per command or HTTP request; groups runs"),
        required("attempt", INT64, "1 + earlier failed runs on the same inputs and definition"),
        required("code_version", STRING, "package version, with the commit where known"),
        required("definition_hash", STRING, "SHA-256 of the processor's SQL, shared definitions, checks and inputs"),
        nullable("input_fingerprint", STRING, "SHA-256 of the list of table, date and content hash of all it reads"),
        nullable("output_hash", STRING, "digest of the stored rows of the date, stamps excluded, in any order"),
        required("announce", BOOL, "whether the run owes a completion event"),
        nullable("input_versions", JSON, "per input: table, scope, dates, rows, hash, complete"),
        nullable("rows_expected", INT64),
        nullable("rows_written", INT64, "stored rows, counted after the write"),
        nullable("rows_production_ready", INT64, "Phase 4 only"),
        nullable("missing", STRINGS, "ids of expected rows that are absent, at most 50"),
        nullable("issue_counts", JSON, "issue code -> rows"),
        nullable("bytes_processed", INT64, "as billed; NULL where the engine does not say", "bytes"),
        required("started_at", TIMESTAMP),
        nullable("finished_at", TIMESTAMP),
        nullable("duration_ms", INT64, "from start to finish, shared by the dates of one statement", "ms"),
        nullable("steps", JSON, "step -> milliseconds, shared by the dates of one statement"),
        nullable("error_type", STRING, "class of the exception"),
        nullable("error_message", STRING, "its first 2,000 characters"),
        required("forced", BOOL, "whether the operator overrode a gate or computed what had not changed"),
        nullable("force_reason", STRING, "why, as the operator put it"),
        nullable("published_topic", STRING),
        nullable("published_message_id", STRING, "NULL on a verified write that announces: the event is owed"),
        nullable("published_at", TIMESTAMP),
        nullable("publish_error", STRING, "the last one"),
        nullable(
            "publish_refused",
            BOOL,
            "whether the event breaks a limit of Pub/Sub: it is set aside, and only nbactl reconcile tries it again",
        ),
        nullable("sequence", INT64, "exchanges of the output table that the run saw, its own included: orders runs"),
        nullable("noted_at", TIMESTAMP, "when the row was written, by the warehouse's order and not by a clock alone"),
    ),
)

NEWEST_FIRST = f"sequence DESC, status IN {list_in_sql(WROTE)}, noted_at DESC, run_id DESC"
"""GoogleSQL order of the runs of one table-date: by commit, never by a clock that somebody may have set.

A failure saw what the success before it had made: at one `sequence` it is the newer of the two.
"""

FENCES = Table(
    dataset="nba_orchestration",
    name="fences",
    row="output table",
    key=("output_table",),
    partition=None,
    columns=(
        required("output_table", STRING, "bare table name"),
        required("sequence", INT64, "how many times dates of the table were exchanged"),
    ),
)

RAW_VERSIONS = Table(
    dataset="nba_orchestration",
    name="raw_versions",
    row="content of one raw table for one date",
    key=("table_name", "game_date"),
    cluster=("table_name",),
    columns=(
        required("table_name", STRING, "bare table name"),
        required("game_date", DATE, "of the games that the rows concern"),
        required("row_count", INT64, "rows that count: the newest load of each key"),
        required("content_hash", STRING, "digest of these rows, load stamps excluded, in any order"),
        nullable("calendar_hash", STRING, "schedule only: digest of what is known before the games"),
        required("loaded_at", TIMESTAMP, "when this content was first seen"),
        required("announce", BOOL, "whether the load owes an event"),
        nullable("published_message_id", STRING, "NULL on content that announces: the event is owed"),
    ),
)

DELIVERIES = Table(
    dataset="nba_orchestration",
    name="deliveries",
    row="request that a service answered, or action of an operator",
    key=("request_id",),
    partition="received_date",
    cluster=("subscription", "correlation_id"),
    columns=(
        required("request_id", STRING, "uuid4, 32 hex digits; groups runs"),
        required("received_date", DATE, "UTC date of received_at"),
        required("received_at", TIMESTAMP),
        nullable("phase", INT64),
        required("route", STRING, "of the service, or the command"),
        nullable("subscription", STRING, "full name, as the push says it"),
        nullable("message_id", STRING),
        nullable("publish_time", TIMESTAMP, "of the message; with subscription and payload it finds a dead letter"),
        nullable("payload_sha256", STRING, "SHA-256 of the data, hex"),
        nullable("delivery_attempt", INT64),
        nullable("correlation_id", STRING),
        nullable("table_name", STRING, "in the message"),
        nullable("game_date", DATE, "in the message"),
        required("http_status", INT64),
        required(
            "decision",
            STRING,
            "of a service: completed, degraded, skipped, no_processors, not_ready, retry, failed or rejected; of an"
            " operator: replayed or drained",
        ),
        nullable("reason", STRING, "one sentence"),
        nullable("run_ids", STRINGS),
        required("actor", STRING, "who asked: a service account, or the operator"),
        required("code_version", STRING, "package version, with the commit where known"),
    ),
)

LEDGER_TABLES = (PROCESSOR_RUNS, FENCES, RAW_VERSIONS, DELIVERIES)
"""The pipeline's memory."""
