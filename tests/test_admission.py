# ruff: noqa: S603 -- the commands are our own
"""Whatever comes at once, and however slowly: a service says that it is alive, and every message has an answer.

Against the real gunicorn, as it is configured; what takes seconds in earnest is made shorter by the tests.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from processors import admission, runner, service
from processors.admission import Admission
from processors.handling import Answer, Decision, Handler
from processors.outbox import Publish
from shared.events import Delivery
from shared.warehouse.base import Warehouse
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.conftest import PROJECT, at
from tests.emulator import free_port

APPLICATION = """
import time
from flask import Flask
from processors import gunicorn_worker, service
from processors.handling import Answer, Decision, Handler
from shared.events import Delivery

gunicorn_worker.READ_SECONDS = 1.5

class Slow(Handler):
    def push(self, body):
        time.sleep(3 if body == b"slow" else 0.02)
        return Answer(3, Decision.COMPLETED, None, Delivery())

application = service.routes(Flask("slow"), Slow(3, None, None, ""), "")
"""


@dataclass(frozen=True)
class Running:
    port: int
    log: Path

    def get(self, path: str = "/health") -> tuple[int, float]:
        """Status, and the seconds that it took."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        return status, time.monotonic() - began

    def push(self, body: bytes = b"{}") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/process", body)
        status = connection.getresponse().status
        connection.close()
        return status

    def opened(self, begin: bytes) -> socket.socket:
        """A connection on which a request has begun."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall(begin)
        return connection


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service whose messages take a while, under gunicorn."""
    folder = tmp_path_factory.mktemp("gunicorn")
    (folder / "slow.py").write_text(APPLICATION)
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{folder}{os.pathsep}{PROJECT}",
        "NBACTL_BIND": "127.0.0.1",
        "PORT": str(port),
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:processors.gunicorn_conf", "slow:application"]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
    started = Running(port, log)
    for _ in range(300):
        try:
            started.get()
            break
        except OSError:
            time.sleep(0.1)
    try:
        yield started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_500_pushes_at_once_leave_health_alone_and_are_all_answered(running: Running) -> None:
    with ThreadPoolExecutor(500) as clients:
        pushes = [clients.submit(running.push) for _ in range(500)]
        taken = []
        while not all(push.done() for push in pushes):
            taken.append(running.get())
            time.sleep(0.05)
        statuses = Counter(push.result() for push in pushes)
    assert {status for status, _ in taken} == {200}
    assert max(seconds for _, seconds in taken) < 3
    assert len(taken) > 3
    # nothing waited longer than the places allow, so that nothing was sent back
    assert statuses == {200: 500}


HEADER = b"POST /process HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize("begin", [b"", b"POST /pro", HEADER, HEADER + b"{"], ids=["nothing", "line", "header", "body"])
def test_clients_that_stop_in_the_middle_leave_health_and_messages_alone(running: Running, begin: bytes) -> None:
    with ExitStack() as held:
        for _ in range(40):
            held.enter_context(running.opened(begin))
        for _ in range(5):
            status, seconds = running.get()
            assert (status, seconds < 3) == (200, True)
        assert running.push() == 200


@pytest.mark.parametrize("begin", [b"POST /pro", HEADER + b"{"], ids=["line", "body"])
def test_a_client_that_sends_a_byte_now_and_then_is_sent_away(running: Running, begin: bytes) -> None:
    began = time.monotonic()
    with running.opened(begin) as connection:
        connection.settimeout(0.3)
        while time.monotonic() - began < 20:
            try:
                connection.sendall(b"x")
                if not connection.recv(10_000):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    assert 1 < time.monotonic() - began < 10
    assert "to send a request" in running.log.read_text()


def test_a_message_that_takes_longer_than_a_client_has_to_send_it_is_not_cut_off(running: Running) -> None:
    head = b"POST /process HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"
    with running.opened(head + b"sl") as connection:
        time.sleep(0.3)
        connection.sendall(b"ow")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_a_body_that_does_not_say_how_long_it_is_is_read_as_far_as_a_message_can_be(running: Running) -> None:
    def pieces(count: int) -> Iterator[bytes]:
        yield from (b"x" * 1024**2 for _ in range(count))

    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    for size in (3, 17):
        connection.request("POST", "/process", pieces(size), encode_chunked=True)
        assert connection.getresponse().read()
    connection.close()
    assert running.get()[0] == 200


# ---------------------------------------------------------------- places and turns


def _nowhere(_topic: str, _data: bytes, _attributes: Mapping[str, str]) -> str:
    raise AssertionError


@dataclass(frozen=True)
class Gate(Handler):
    """A handler whose messages stay at work until they are let go."""

    phase: int = 3
    warehouse: Warehouse = field(default_factory=lambda: at(Path("/nowhere")))
    publish: Publish = _nowhere
    actor: str = ""
    opened: threading.Event = field(default_factory=threading.Event)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    budgets: list[timedelta] = field(default_factory=list)

    def push(self, _body: bytes) -> Answer:
        self.budgets.append(self.budget)
        self.begun.release()
        assert self.opened.wait(20)
        return Answer(3, Decision.COMPLETED, None, Delivery())


def clients(gate: Gate, limits: Admission) -> FlaskClient:
    return service.routes(Flask(__name__), gate, "", limits).test_client()


def answered(client: FlaskClient, body: bytes = b"{}") -> tuple[int, str | None]:
    said = client.post("/process", data=body)
    return said.status_code, said.headers.get("Retry-After")


def test_who_finds_no_place_is_sent_back_at_once_and_told_to_come_again() -> None:
    gate, limits = Gate(), Admission(places=3, at_work=1)
    client = clients(gate, limits)
    with ThreadPoolExecutor(3) as pool:
        held = [pool.submit(answered, client) for _ in range(3)]
        while limits.held < 3:
            time.sleep(0.01)
        began = time.monotonic()
        assert answered(client) == (503, "10")
        assert time.monotonic() - began < 1
        assert client.get("/health").status_code == 200
        gate.opened.set()
        assert [one.result() for one in held] == [(200, None)] * 3
    assert limits.held == 0
    assert answered(client) == (200, None)


def test_no_more_are_at_work_than_there_are_turns_and_who_waits_too_long_is_sent_back() -> None:
    gate, limits = Gate(), Admission(at_work=2, patience=0.2)
    client = clients(gate, limits)
    with ThreadPoolExecutor(4) as pool:
        held = [pool.submit(answered, client) for _ in range(2)]
        assert all(gate.begun.acquire(timeout=10) for _ in range(2))
        assert answered(client) == (503, "10")
        assert not gate.begun.acquire(blocking=False)
        gate.opened.set()
        assert [one.result() for one in held] == [(200, None)] * 2


def test_bodies_are_held_up_to_a_size_and_one_always_is() -> None:
    limits = Admission(held_bytes=10)
    outcomes: list[bool] = []

    def ask(size: int) -> None:
        with limits.place(size) as admitted:
            outcomes.append(admitted)

    with limits.place(8) as first:
        other = threading.Thread(target=ask, args=(3,))
        other.start()
        other.join()
    with limits.place(1_000) as alone:
        assert (first, outcomes, alone) == (True, [False], True)


def test_a_message_that_fails_in_an_unheard_of_way_gives_its_place_back() -> None:
    limits = Admission(places=1, at_work=1)
    for _ in range(3):
        with suppress(ZeroDivisionError), limits.place(1) as admitted, limits.turn() as has_turn:
            assert admitted
            assert has_turn is not None
            _ = 1 // 0
    assert limits.held == 0


def test_what_a_message_waits_it_computes_less() -> None:
    gate, limits = Gate(), Admission(at_work=1)
    client = clients(gate, limits)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(answered, client)
        assert gate.begun.acquire(timeout=10)
        second = pool.submit(answered, client)
        while limits.held < 2:
            time.sleep(0.01)
        time.sleep(0.2)
        gate.opened.set()
        assert (first.result(), second.result()) == ((200, None), (200, None))
    given = Handler(3, gate.warehouse, _nowhere, "").budget
    before, after = gate.budgets
    assert given - before < timedelta(seconds=0.15) < given - after
    # and however long it waits, there is time to compute
    assert given.total_seconds() - admission.PATIENCE_SECONDS >= 200


def test_what_is_not_there_is_said_in_json() -> None:
    said = clients(Gate(), Admission()).get("/nowhere")
    assert (said.status_code, said.get_json()) == (404, {"status": "rejected", "reason": "Not Found"})


def test_a_service_whose_own_message_has_the_warehouse_is_ready(tiny: DuckDBWarehouse) -> None:
    limits = Admission()
    handler = Handler(3, tiny, lambda *_: "", "")
    client = service.routes(Flask(__name__), handler, "", limits).test_client()
    with tiny.writing(runner.all_tables()):
        assert client.get("/ready").status_code == 503
        with limits.place(1):
            assert client.get("/ready").status_code == 200
    assert client.get("/ready").status_code == 200
