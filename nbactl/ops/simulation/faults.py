"""What goes wrong in a simulation: messages that come twice, late or never, and services that are killed."""

from __future__ import annotations

import random
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from nbactl.ops import pipeline
from shared.topology import SERVICES

_LONGEST_DELAY = 1.0
_PUSH_SECONDS = 120.0
_ACKNOWLEDGED = 200
_NOBODY = 502


@dataclass(frozen=True, slots=True)
class Faults:
    """How often something goes wrong.

    Attributes:
        duplicates: share of deliveries that come twice.
        loss: share of deliveries that are acknowledged and reach nobody.
        kill_every: seconds between two kills of a service; None for never.
        seed: of the dice.
    """

    duplicates: float = 0.2
    loss: float = 0.05
    kill_every: float | None = 5.0
    seed: int = 1


@dataclass
class Counts:
    """What was done to messages and services; safe to add to from any thread."""

    _found: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str) -> None:
        """Count one in."""
        with self._lock:
            self._found[what] += 1

    def __getitem__(self, what: str) -> int:
        return self._found[what]


@dataclass
class UnreliablePush:
    """Stands between Pub/Sub and the services, and is not to be relied upon.

    A delivery is late by up to a second, so that any may overtake any other. What the clock or an operator starts
    comes late and twice like the rest, and is never lost: that is what it is for.

    Attributes:
        targets: root URL of each service.
    """

    faults: Faults
    counts: Counts
    targets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.faults.seed)  # noqa: S311 -- to be repeatable
        self._lock = threading.Lock()

    @contextmanager
    def served(self) -> Iterator[dict[str, str]]:
        """Answer pushes; the root URL that stands for each service."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status = outer.push(self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing: what happened is counted."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            root = f"http://127.0.0.1:{server.server_port}"
            yield {one.name: f"{root}/{one.name}" for one in SERVICES if one.phase in pipeline.PHASES}
        finally:
            server.shutdown()
            server.server_close()

    def push(self, path: str, body: bytes) -> int:
        """Deliver a push, or do not; the status that Pub/Sub is told."""
        _, service, route = path.split("/", 2)
        lost, twice, late = self._roll()
        self.counts.add("delivered")
        if lost and b"fallback" not in body:
            self.counts.add("lost")
            return _ACKNOWLEDGED
        time.sleep(late)
        url = f"{self.targets[service]}/{route}"
        if twice:
            self.counts.add("doubled")
            threading.Thread(target=self._forward, args=(url, body), daemon=True).start()
        return self._forward(url, body)

    def _roll(self) -> tuple[bool, bool, float]:
        with self._lock:
            dice = self._dice
            late = dice.uniform(0, _LONGEST_DELAY)
            return dice.random() < self.faults.loss, dice.random() < self.faults.duplicates, late

    def _forward(self, url: str, body: bytes) -> int:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 -- our own
        try:
            with urllib.request.urlopen(request, timeout=_PUSH_SECONDS) as answer:  # noqa: S310 -- our own
                status: int = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError:
            self.counts.add("unanswered")
            return _NOBODY
        if status != _ACKNOWLEDGED:
            self.counts.add("refused")
        return status


class Killer:
    """Kills a service now and then, and starts it again, for as long as the block lasts."""

    def __init__(self, directory: Path, faults: Faults, counts: Counts) -> None:
        self._directory = directory
        self._faults = faults
        self._counts = counts
        self._dice = random.Random(faults.seed)  # noqa: S311 -- to be repeatable
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._kill, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _kill(self) -> None:
        while self._faults.kill_every is not None and not self._over.wait(self._faults.kill_every):
            service = self._dice.choice([one.name for one in SERVICES if one.phase in pipeline.PHASES])
            pipeline.kill_service(self._directory, service)
            self._counts.add("killed")
