"""How fast logs are read, through Google's client from a server that speaks its protocol.

    python bench/logs.py [ROUNDS] [ENTRIES]

The command is a process of its own, and so is the server, which makes its entries while it answers. The floor of
reading is the same client asking for the same pages and looking at nothing; of starting, a bare Python with Click.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).parents[1]
BEGAN = datetime(2025, 1, 15, tzinfo=UTC)

SERVER = """
import sys, threading, time
from datetime import datetime
from tests.fakes.cloud_logging import FakeCloudLogging, million, serving
fake = FakeCloudLogging()
fake.pages = million(int(sys.argv[1]), datetime.fromisoformat(sys.argv[2]))
fake.before_answer = lambda call: call == 1 and print("asked", time.time(), flush=True)
with serving(fake) as (address, _):
    print(address, flush=True)
    for _ in sys.stdin:
        fake.requests.clear()
"""

TOOL = """
import sys, grpc
from functools import partial
from nbactl.gcp import logging
address = sys.argv.pop()
channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
logging.connect = partial(logging.connect, channel=channel)
from nbactl.__main__ import main
sys.exit(main())
"""

FLOOR = """
import sys, grpc
from nbactl.gcp import logging
channel = grpc.insecure_channel(sys.argv[1], options=[("grpc.max_receive_message_length", -1)])
reader, token, count = logging.connect("p", channel), "", 0
while True:
    page, token = reader.page("", newest_first=False, token=token)
    count += len(page)
    if not token:
        break
print(count)
"""


class Server:
    """The server in a process of its own."""

    def __init__(self, entries: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(entries), BEGAN.isoformat()],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self._line()

    def first_asked(self) -> float:
        """When the first question came since the last call of `renew`."""
        return float(self._line().split()[1])

    def renew(self) -> None:
        """Begin to count anew."""
        if self._process.stdin:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        time.sleep(0.05)

    def close(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _line(self) -> str:
        return self._process.stdout.readline().strip() if self._process.stdout else ""


def main() -> None:
    """Measure and print a row per figure."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    entries = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000  # noqa: PLR2004 -- the second word
    print(f"{'figure':<52}{'median':>12}   (least)")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _starting(rounds)
        _reading(entries)


def _starting(rounds: int) -> None:
    server = Server(2000)
    try:
        _row("floor: bare Python with Click", [_timed(["-c", "import click"]) for _ in range(rounds)])
        _row("nbactl logs --help", [_timed(["-m", "nbactl", "logs", "--help"]) for _ in range(rounds)])
        started = [_started(server) for _ in range(rounds)]
        _row("from start to the first question", [asked for asked, _ in started], 700)
        _row("from the first question to the first line", [line for _, line in started], 300)
    finally:
        server.close()


def _started(server: Server) -> tuple[float, float]:
    server.renew()
    began = time.time()
    with subprocess.Popen(_tool(server), stdout=subprocess.PIPE, env=_environment()) as process:
        if process.stdout is None or not process.stdout.readline():
            sys.exit("nothing came")
        line = time.time()
        process.stdout.read()
    asked = server.first_asked()
    return asked - began, line - asked


def _reading(entries: int) -> None:
    server = Server(entries)
    try:
        seconds, _ = _used([sys.executable, "-c", FLOOR, server.address])
        print(f"{'floor: the client asks, and looks at nothing':<52}{entries / seconds:>8,.0f} /s")
        forms: dict[str, Callable[[], list[str]]] = {
            "lines for eyes": lambda: _tool(server),
            "-o jsonl": lambda: _tool(server, "-o", "jsonl"),
            "--grep that finds a tenth": lambda: _tool(server, "--grep", "7$"),
        }
        for form, command in forms.items():
            took, memory = _used(command())
            print(
                f"{f'{entries:,} entries, {form}':<52}{entries / took:>8,.0f} /s   {seconds / took:.2f} of the floor; "
                f"memory {memory:.0f} MiB (target 20,000 /s)",
                flush=True,
            )
        small = Server(2000)
        print(f"{'memory for 2,000 entries':<52}{_used(_tool(small))[1]:>8.0f} MiB")
        small.close()
    finally:
        server.close()


def _tool(server: Server, *words: str) -> list[str]:
    until = (BEGAN + timedelta(days=1)).isoformat()
    line = ["logs", "--since", BEGAN.isoformat(), "--until", until, *words]
    return [sys.executable, "-c", TOOL, *line, server.address]


def _environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("NBACTL_", "PUBSUB_"))}
    return {**ours, "PYTHONPATH": str(REPOSITORY)}


def _timed(words: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, env=_environment())
    return time.perf_counter() - began


def _used(command: list[str]) -> tuple[float, float]:
    """Seconds and MiB of a process."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_environment()) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[-3:]} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def _row(figure: str, seconds: list[float], target: float | None = None) -> None:
    most = f"   (target {target:.0f})" if target else ""
    print(f"{figure:<52}{median(seconds) * 1000:>8.0f} ms   ({min(seconds) * 1000:.0f}){most}", flush=True)


if __name__ == "__main__":
    main()
