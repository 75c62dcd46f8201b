"""What became of a chain of events: its deliveries and its runs, by correlation id."""

from __future__ import annotations

from shared.ledger import DELIVERIES, PROCESSOR_RUNS
from shared.warehouse.base import Result, Session


def deliveries(session: Session, correlation_id: str) -> Result:
    """Every request that was answered for a chain, in order."""
    text = f"""SELECT request_id, received_at, phase, table_name, game_date, http_status, decision, reason
FROM {DELIVERIES.id}
WHERE correlation_id = @correlation_id
ORDER BY received_at, request_id"""
    return session.query(text, {"correlation_id": correlation_id})


def runs(session: Session, correlation_id: str) -> Result:
    """Every run of a chain, in order."""
    text = f"""SELECT
  run_id, request_id, started_at, phase, processor_name, output_table, game_date, status, rows_written, rows_expected,
  reason, published_message_id
FROM {PROCESSOR_RUNS.id}
WHERE correlation_id = @correlation_id
ORDER BY started_at, processor_name, game_date"""
    return session.query(text, {"correlation_id": correlation_id})
