"""How fast the event path is, on the real emulator and the services as they run in the cloud.

    python bench/events.py [ROUNDS]

On eight weeks of sample data, in a folder of its own. The floor of an answered duplicate is `GET /health` of the same
service: what HTTP alone costs.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median

NBACTL = [sys.executable, "-m", "nbactl"]
IMPORT = "import processors.service as service; service.create_app(3)"


class Place:
    """A folder in which the pipeline runs, and the project that its messages are in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("NBACTL_", "PUBSUB_"))},
            "GOOGLE_CLOUD_PROJECT": f"bench-{uuid.uuid4().hex[:8]}",
        }

    def nbactl(self, *words: str, **environment: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            [*NBACTL, *words],
            cwd=self.folder,
            env=self.environment | environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def seconds(self, *words: str, **environment: str) -> float:
        """How long a command takes, as a process."""
        began = time.perf_counter()
        self.nbactl(*words, **environment)
        return time.perf_counter() - began

    def alone(self, code: str) -> float:
        """How long a bare Python process takes for some code."""
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=self.folder, env=self.environment, check=True)
        return time.perf_counter() - began


@contextmanager
def running() -> Iterator[Place]:
    """A folder with a sample league, in which the pipeline runs for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name))
        place.nbactl("data", "sample", "-q")
        place.nbactl("up", "--detach")
        try:
            yield place
        finally:
            place.nbactl("down")


def main() -> None:
    """Start the pipeline, measure and print a row per figure."""
    with running() as place:
        _measure(place, int(sys.argv[1]) if len(sys.argv) > 1 else 5)


def _measure(place: Place, rounds: int) -> None:
    running = json.loads((place.folder / ".nbactl" / "up.json").read_text())
    print(f"{'figure':<52}{'median':>12}")
    _row("infra create, from nothing", [_created(place)[0] for _ in range(rounds)], 2.0)
    _row("infra create, again", [_created(place)[1] for _ in range(rounds)], 1.0)
    dates = [row["game_date"] for row in json.loads(place.nbactl("show", "nbac_team_boxscore", "-o", "json"))]
    last = max(dates)
    place.nbactl("backfill", "--start", min(dates), "--end", last, "-q")
    said = json.loads(place.nbactl("publish-test", "--date", last, "--wait", "-q", "-o", "json"))
    _row("Phase 4 announced after the last event it needs", [_between(place, said[0]["correlation_id"])], 1.5)
    _row("publish-test", [place.seconds("publish-test", "--date", last) for _ in range(rounds)], 0.7)
    time.sleep(5)
    url = next(url for name, url in running["services"].items() if "phase3" in name)
    duplicate = _push(f"{url}/process", last)
    _row("a duplicate event, answered", [_timed(duplicate, after=0.1) for _ in range(4 * rounds)], 0.1)
    _row("  floor: GET /health", [_timed(lambda: _get(f"{url}/health")) for _ in range(4 * rounds)], None)
    bare, ours = (median(place.alone(code) for _ in range(rounds)) for code in ("", IMPORT))
    _row("service: import, beyond a bare Python", [ours - bare], 0.6)
    for name, process in running["processes"].items():
        if name in running["services"]:
            print(f"{f'{name}: memory':<52}{_memory(process):>8.0f} MiB   (target 150)")


def _created(place: Place) -> tuple[float, float]:
    project = f"bench-{uuid.uuid4().hex[:8]}"
    first, again = (place.seconds("infra", "create", "--yes", GOOGLE_CLOUD_PROJECT=project) for _ in range(2))
    return first, again


def _between(place: Place, correlation_id: str) -> float:
    """Seconds from the last announcement of Phase 3 to the last of Phase 4; `publish-test --wait` has seen them all."""
    runs = json.loads(place.nbactl("runs", "-n", "1000", "-o", "json"))
    ends = [
        max(
            datetime.fromisoformat(one["published_at"])
            for one in runs
            if one["correlation_id"] == correlation_id and one["phase"] == phase and one["published_at"]
        )
        for phase in (3, 4)
    ]
    return (ends[1] - ends[0]).total_seconds()


def _push(url: str, day: str) -> Callable[[], None]:
    event = json.dumps({"source_table": "nbac_gamebook_player_stats", "game_date": day}).encode()
    body = json.dumps({"message": {"data": base64.b64encode(event).decode(), "messageId": "1"}}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 -- our own

    def push() -> None:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 -- our own
            if json.load(answer)["status"] != "completed":
                sys.exit("the duplicate was not answered as one")

    return push


def _get(url: str) -> None:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 -- our own
        answer.read()


def _timed(work: Callable[[], None], after: float = 0) -> float:
    time.sleep(after)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _memory(process: int) -> float:
    """MiB of a process and its children."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    rss = [line for one in (process, *children) for line in Path(f"/proc/{one}/status").read_text().splitlines()]
    return max(int(line.split()[1]) for line in rss if line.startswith("VmRSS")) / 1024


def _row(figure: str, seconds: list[float], target: float | None) -> None:
    most = f"   (target {target * 1000:.0f})" if target else ""
    print(f"{figure:<52}{median(seconds) * 1000:>8.0f} ms{most}", flush=True)


if __name__ == "__main__":
    main()
