"""A rehearsal of the services: what a container does where it is built, so that it need not when it starts.

    python -m processors.rehearsal

One night of a sample league goes through the services of every phase. What they ask of a warehouse is thereby
translated and remembered, so that no service parses SQL or imports sqlglot; and an image that cannot work is not built.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask
from flask.testing import FlaskClient

from processors import calendar as calendars
from processors import graph, nights, outbox, runner, sample, service, statements
from processors.declaration import Dated
from processors.handling import Handler
from processors.nights import Night
from shared import events
from shared.clock import DateRange, utc_now
from shared.events import Delivery, Message
from shared.tables.raw import PLAYER_BOX, RAW_TABLES
from shared.topology import completion_topic
from shared.warehouse.base import Warehouse
from shared.warehouse.connect import connect
from shared.warehouse.translate import to_duckdb

_TODAY = date(2024, 11, 15)
"""Of the sample; any day will do."""
_STATEMENTS = (
    statements.candidate,
    statements.counts,
    statements.absent_games,
    statements.issue_counts,
    statements.broken_rows,
)


def main() -> None:
    """Translate what processors are made of, and rehearse.

    Raises:
        SystemExit: something was not answered, or not computed, as it should be.
    """
    # a night that goes well asks for most of these, but not for all
    for processor in graph.processors_in_order():
        for statement in _STATEMENTS:
            to_duckdb(statement(processor))
        if processor.dated is Dated.RESULTS:
            to_duckdb(statements.lost_games(processor))
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        warehouse = connect(f"duckdb:///{folder}/warehouse.duckdb")
        night = _first_night(warehouse, Path(folder) / "raw")
        _live(warehouse, night)
        with warehouse.reading() as session:
            if unwell := nights.unwell(session, night):
                sys.exit("\n".join(unwell))


def _first_night(warehouse: Warehouse, folder: Path) -> Night:
    """Load a sample; the first night of its season, because nothing need be computed before it."""
    made = sample.make(folder, weeks=2, today=_TODAY, watch=lambda _what, _done: None)
    with warehouse.writing(runner.all_tables()) as session:
        session.load(folder, RAW_TABLES)
        slate = calendars.read(session, DateRange(made.first, made.first)).next_slate(made.first)
    return Night(made.first, slate or made.tonight)


def _live(warehouse: Warehouse, night: Night) -> None:
    """Push the event of a night, and whatever is published for it, until nothing is left to push."""
    loaded = events.raw_data_loaded(
        PLAYER_BOX.name, night.day, execution_id="1", correlation_id="1", record_count=1, timestamp=utc_now()
    )
    waiting = deque([(completion_topic(2), events.encode(loaded))])

    def publish(topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        waiting.append((topic, Message(data, attributes)))
        return str(len(waiting))

    readers = {
        completion_topic(phase - 1): _client(Handler(phase, warehouse, publish, "")) for phase in service.phases()
    }
    while waiting:
        topic, message = waiting.popleft()
        if reader := readers.get(topic):
            _answered(reader, message)
    for phase, day in zip(service.phases(), (night.day, night.slate), strict=False):
        _answered(readers[completion_topic(phase - 1)], events.encode(events.Fallback(phase=phase, game_date=day)))
    with warehouse.reading() as session:  # as after a night in which something was left behind
        outbox.read_left_behind(session, service.phases()[0], utc_now())


def _client(handler: Handler) -> FlaskClient:
    client = service.routes(Flask(__name__), handler, "").test_client()
    ready = client.get("/ready")
    if ready.status_code != HTTPStatus.OK:
        sys.exit(ready.text)
    return client


def _answered(client: FlaskClient, message: Message) -> None:
    answer = client.post("/process", data=events.push_body(message, Delivery(message_id="1")))
    if answer.status_code != HTTPStatus.OK:
        sys.exit(answer.text)


if __name__ == "__main__":
    main()
