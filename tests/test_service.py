"""The HTTP service of a phase: routes, status codes, identity and logs, as Pub/Sub and an operator meet them."""

import base64
import json
import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import google.pubsub_v1  # noqa: F401 -- what the service imports in a thread of its own warns here, once
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.graph import processors_in_order
from processors.handling import Answer, Decision, Handler
from processors.request import Outcome
from processors.service import _note, create_app, phases, routes
from shared import events, logs
from shared.events import Delivery, Fallback, Received
from shared.ledger import Status
from shared.settings import load
from shared.topology import service_of_phase
from shared.version import code_version
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.builders import FINAL_DATES, SLATE
from tests.conftest import rows
from tests.emulator import free_port
from tests.test_events import bodies

DELIVERED = "SELECT decision, reason FROM nba_orchestration.deliveries"


@pytest.fixture
def client(
    tiny: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[FlaskClient]:
    """The service of Phase 3 on the small league; nobody takes what it publishes."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    before = logging.root.handlers[:]
    app = create_app(3, load({"warehouse": tiny.url}))
    logging.root.handlers[:] = [*before, caplog.handler]
    with app.test_client() as opened:
        yield opened
    logging.root.handlers[:] = before


def pushed(data: bytes) -> dict[str, object]:
    return {"message": {"data": base64.b64encode(data).decode(), "messageId": "7"}, "subscription": "s"}


def test_health_and_ready_say_who_answers(client: FlaskClient) -> None:
    identity = {
        "service": service_of_phase(3).name,
        "phase": 3,
        "code_version": code_version(),
        "processors": [one.name for one in processors_in_order() if one.phase == 3],
    }
    health, ready = client.get("/health"), client.get("/ready")
    assert (health.status_code, ready.status_code) == (200, 200)
    assert health.get_json() | identity == health.get_json()
    assert ready.get_json() == {"status": "ready", **identity}


def test_without_a_warehouse_it_is_alive_and_not_ready(client: FlaskClient, tmp_path: Path) -> None:
    next(tmp_path.glob("*.duckdb")).unlink()
    assert client.get("/health").status_code == 200
    ready = client.get("/ready")
    assert (ready.status_code, ready.get_json()["status"]) == (503, "not ready")
    assert "there is no warehouse" in ready.get_json()["reason"]


@pytest.mark.parametrize("route", ["/", "/predict", "/process"])
def test_there_is_nothing_else_to_get(client: FlaskClient, route: str) -> None:
    assert client.get(route).status_code in {404, 405}


def test_a_body_of_more_than_a_message_can_be_is_refused_by_its_code_and_read_no_further(
    client: FlaskClient, tiny: DuckDBWarehouse
) -> None:
    said = client.post("/process", data=b"x" * (17 * 1024**2))
    assert (said.status_code, said.get_json()["status"], said.get_json()["code"]) == (400, "rejected", "no_json")
    assert [decision for decision, _ in rows(tiny, DELIVERED)] == ["rejected"]


def test_the_largest_message_that_pubsub_takes_is_read(client: FlaskClient, tiny: DuckDBWarehouse) -> None:
    event = {"source_table": "nobody_reads_it", "game_date": "2024-11-08", "metadata": {"much": "x" * 10_000_000}}
    said = client.post("/process", json=pushed(json.dumps(event).encode()))
    assert (said.status_code, said.get_json()["status"]) == (200, "no_processors")
    assert len(rows(tiny, DELIVERED)) == 1


MUCH = "\x1b[2J\0" + "x" * 1_000_000


@pytest.mark.parametrize(
    ("fields", "envelope", "status"),
    [
        ({"correlation_id": MUCH}, {}, 400),
        ({"execution_id": MUCH}, {}, 400),
        ({"source_table": MUCH}, {}, 400),
        ({"game_date": MUCH}, {}, 400),
        ({"processor_name": MUCH}, {}, 400),
        ({"trigger_type": MUCH}, {}, 400),
        ({"schema_version": MUCH}, {}, 400),
        ({"success": MUCH}, {}, 400),
        ({"success": False, "error_message": MUCH}, {}, 200),
        ({"success": False, "error_message": "\0"}, {}, 200),
        ({"metadata": MUCH}, {"subscription": MUCH, "deliveryAttempt": MUCH, MUCH: MUCH}, 200),
        ({}, {"attributes": {"correlation_id": MUCH}}, 400),
        ({}, {"messageId": MUCH, "publishTime": MUCH}, 200),
    ],
)
def test_whatever_arrives_answer_log_and_ledger_stay_small(  # noqa: PLR0913, PLR0917 -- fixtures among them
    client: FlaskClient,
    tiny: DuckDBWarehouse,
    caplog: pytest.LogCaptureFixture,
    fields: dict[str, object],
    envelope: dict[str, object],
    status: int,
) -> None:
    event = {"source_table": "nobody_reads_it", "game_date": "2024-11-08", **fields}
    message = {"data": base64.b64encode(json.dumps(event).encode()).decode(), "messageId": "7", **envelope}
    with caplog.at_level(logging.INFO):
        answer = client.post("/process", json={"message": message, **envelope})
    assert answer.status_code == status
    assert len(answer.data) < 5_000
    lines = [logs.JSONFormatter().format(record) for record in caplog.records]
    assert lines
    assert all(len(line) < 8_000 for line in lines)
    (row,) = rows(tiny, "SELECT * FROM nba_orchestration.deliveries")
    assert len(repr(row)) < 5_000


@settings(max_examples=200, deadline=None)
@given(body=bodies(), phase=st.sampled_from(phases()))
def test_no_bytes_are_answered_at_length_or_in_another_way_than_by_the_contract(body: bytes, phase: int) -> None:
    # nobody finds this warehouse, so that a good message is answered as quickly as a bad one
    handler = Handler(phase, DuckDBWarehouse("duckdb:////nowhere/at/all.duckdb", wait=0), lambda *_: "1", "")
    answer = routes(Flask(__name__), handler, "").test_client().post("/process", data=body)
    said = answer.get_json()
    assert (answer.status_code, said["status"]) in {
        (200, "skipped"),
        (200, "no_processors"),
        (400, "rejected"),
        (500, "failed"),
    }
    assert (said["code"] in events.REJECTS) == (answer.status_code == 400)
    assert len(answer.data) < 5_000


def test_an_error_in_a_log_keeps_both_its_ends(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    assert client
    error = ValueError(MUCH)
    extra = {"fields": {"reasons": [{"why": MUCH}]}}
    logging.getLogger("any").error("a %s", MUCH, exc_info=error, extra=extra)
    line = logs.JSONFormatter().format(caplog.records[-1])
    assert len(line) < 30_000
    assert json.loads(line)["exception"].startswith("ValueError: ")


def test_an_answer_is_logged_with_its_chain_and_an_error_as_one(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    event = {"source_table": "nobody_reads_it", "game_date": "2024-11-08", "correlation_id": "c-1"}
    with caplog.at_level(logging.INFO):
        client.post("/process", json=pushed(json.dumps(event).encode()))
        client.post("/process", json=pushed(b"no json"))
    good, bad = (one for one in caplog.records if one.name == "processors.service")
    assert (good.levelname, bad.levelname) == ("INFO", "ERROR")
    assert good.fields["correlation_id"] == "c-1"
    assert (bad.fields["code"], bad.fields["http_status"], bad.fields["message_id"]) == ("bad_json", 400, "7")


def test_every_run_has_a_line_of_its_own_that_metrics_can_count(
    last_night: DuckDBWarehouse, caplog: pytest.LogCaptureFixture
) -> None:
    day = FINAL_DATES[-1]
    numbers = map(str, count())
    handler = Handler(3, last_night, lambda _topic, _data, _attributes: next(numbers), "")
    opened = routes(Flask(__name__), handler, "").test_client()
    event = {"source_table": "nbac_gamebook_player_stats", "game_date": str(day), "correlation_id": "c-1"}
    fallback = {"trigger_type": "fallback", "phase": 3, "game_date": str(day)}
    with caplog.at_level(logging.INFO):
        opened.post("/process", json=pushed(json.dumps(event).encode()))
        opened.post("/process", json=pushed(json.dumps(event).encode()))
        opened.post("/process", json=pushed(json.dumps(fallback).encode()))
    lines = [json.loads(logs.JSONFormatter().format(one)) for one in caplog.records if one.name == "processors.service"]
    runs = [line for line in lines if line.get("event") == "run"]
    stored = rows(last_night, "SELECT run_id, processor_name, rows_written FROM nba_orchestration.processor_runs")
    written = {row[0]: row[1:] for row in stored}
    assert {line["run_id"]: (line["processor"], line["rows"]) for line in runs}.items() <= written.items()
    # the second message, and the clock, found nothing owed
    assert len(runs) == len({line["run_id"] for line in runs}) == len(lines[0]["results"]) == 5
    assert {(line["trigger_source"], line["status"], line["phase"], line["correlation_id"]) for line in runs} == {
        ("pubsub", "SUCCESS", 3, "c-1")
    }
    assert {line["game_date"] for line in runs} == {str(day), str(SLATE)}
    assert all(type(line["duration_ms"]) is int and line["severity"] == "INFO" for line in runs)
    assert all(line["logging.googleapis.com/labels"] == {"correlation_id": "c-1"} for line in runs)


def test_a_run_by_the_clock_says_so_and_one_that_failed_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    processor = processors_in_order()[0]
    failed = Outcome(processor, FINAL_DATES[0], Status.FAILED_PERMANENT, reason_code="check", reason="no", run_id="r")
    waiting = Outcome(processor, FINAL_DATES[0], Status.NOT_READY)
    received = Received(Fallback(phase=3), Delivery(), "c-2")
    answer = Answer(3, Decision.FAILED, received, Delivery(), outcomes=(failed, waiting))
    with caplog.at_level(logging.INFO):
        _note(answer)
    _, run = caplog.records
    assert run.levelname == "ERROR"
    assert run.fields["trigger_source"] == "fallback"
    assert (run.fields["status"], run.fields["reason_code"], run.fields["reason"]) == (
        "FAILED_PERMANENT",
        "check",
        "no",
    )
