"""What became of messages: the answers that services gave, the runs of a chain, and what operators did about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from processors.request import new_id
from shared.clock import utc_now
from shared.ledger import DELIVERIES, FAILED, IS_UNANNOUNCED, NEWEST_FIRST, PROCESSOR_RUNS, list_in_sql
from shared.version import code_version
from shared.warehouse.base import Result, Session


def deliveries(session: Session, correlation_id: str, message_id: str = "") -> Result:
    """Every request that was answered for a chain, in order.

    Args:
        session: on the warehouse.
        correlation_id: of the chain.
        message_id: of its first message, which is looked for as well: what a service could not read has no chain.
    """
    text = f"""SELECT
  request_id, received_at, phase, subscription, message_id, publish_time, delivery_attempt, table_name, game_date,
  http_status, decision, reason
FROM {DELIVERIES.id}
WHERE correlation_id = @correlation_id OR message_id = @message_id
ORDER BY received_at, request_id"""
    return session.query(text, {"correlation_id": correlation_id, "message_id": message_id})


def runs(session: Session, correlation_id: str) -> Result:
    """Every run of a chain, in order."""
    text = f"""SELECT
  run_id, request_id, started_at, finished_at, phase, processor_name, output_table, game_date, status, rows_written,
  rows_expected, reason, steps, published_topic, published_message_id, published_at, publish_error
FROM {PROCESSOR_RUNS.id}
WHERE correlation_id = @correlation_id
ORDER BY noted_at, sequence, processor_name, game_date"""
    return session.query(text, {"correlation_id": correlation_id})


def unannounced(session: Session, run_ids: Sequence[str]) -> list[tuple[str, date]]:
    """Tables and dates of some runs that owe an announcement: they wrote rows, announce, and it was not sent."""
    if not run_ids:
        return []
    text = f"""SELECT output_table, game_date
FROM {PROCESSOR_RUNS.id}
WHERE
  {IS_UNANNOUNCED}
  AND run_id IN (SELECT one FROM UNNEST(@run_ids) AS one)
ORDER BY game_date, output_table"""
    return [(table, day) for table, day in session.query(text, {"run_ids": list(run_ids)}).rows]


def chains(session: Session, day: date) -> list[str]:
    """The chains of events that brought a message about a date, in the order in which they began."""
    text = f"""SELECT correlation_id
FROM {DELIVERIES.id}
WHERE game_date = @day AND correlation_id IS NOT NULL
GROUP BY correlation_id
ORDER BY MIN(received_at), correlation_id"""
    return [name for (name,) in session.query(text, {"day": day}).rows]


def chain_of(session: Session, table: str, day: date) -> str | None:
    """The chain to which the newest run of a table-date belongs; None where it was never computed."""
    text = f"""SELECT correlation_id
FROM {PROCESSOR_RUNS.id}
WHERE output_table = @table AND game_date = @day
QUALIFY ROW_NUMBER() OVER (ORDER BY {NEWEST_FIRST}) = 1"""
    return next((name for (name,) in session.query(text, {"table": table, "day": day}).rows), None)


def refusals(session: Session, since: datetime) -> Result:
    """The newest answer that was no acknowledgement, for each message that had one.

    Pub/Sub gives a dead letter a new id, so a message is known by its subscription, its publish time and the SHA-256
    of its data. `processor_name` and `reason_code` are of the first processor that failed, NULL where none did.

    Args:
        session: on the warehouse.
        since: only answers given from then on, UTC.
    """
    text = f"""WITH newest AS (
  SELECT
    request_id, subscription, UNIX_MICROS(publish_time) AS published, payload_sha256, correlation_id, decision, reason
  FROM {DELIVERIES.id}
  WHERE http_status >= 400 AND received_at >= @since AND received_date >= DATE_SUB(DATE(@since), INTERVAL 1 DAY)
  QUALIFY
    ROW_NUMBER() OVER (
      PARTITION BY subscription, publish_time, payload_sha256 ORDER BY received_at DESC, request_id DESC
    ) = 1
),
failed AS (
  SELECT d.request_id, r.processor_name, r.reason_code
  FROM {DELIVERIES.id} AS d
  CROSS JOIN UNNEST(d.run_ids) AS id
  INNER JOIN {PROCESSOR_RUNS.id} AS r ON r.run_id = id
  WHERE d.request_id IN (SELECT request_id FROM newest) AND r.status IN {list_in_sql(FAILED)}
  QUALIFY ROW_NUMBER() OVER (PARTITION BY d.request_id ORDER BY r.noted_at, r.run_id) = 1
)
SELECT n.*, f.processor_name, f.reason_code
FROM newest AS n
LEFT JOIN failed AS f ON f.request_id = n.request_id"""
    return session.query(text, {"since": since})


def note(session: Session, command: str, actor: str, decision: str, reason: str) -> None:
    """Write down what an operator did to messages, beside the answers of the services."""
    now: datetime = utc_now()
    session.insert(
        DELIVERIES,
        [
            {
                "request_id": new_id(),
                "received_date": now.date(),
                "received_at": now,
                "route": command,
                "http_status": 200,
                "decision": decision,
                "reason": reason,
                "run_ids": [],
                "actor": actor,
                "code_version": code_version(),
            }
        ],
    )
