"""The whole pipeline for real: emulator, topology, both services under gunicorn, and the commands a user types."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared import local
from shared.clock import DateRange
from shared.pubsub import PubSub
from shared.topology import Profile, completion_topic, dead_letter_topic, declared, pull_subscription
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.builders import FINAL_DATES, SLATE
from tests.conftest import analytics, at, differing, precompute
from tests.test_runner import OUTPUTS

LAST = FINAL_DATES[-1]


@dataclass(frozen=True)
class Place:
    """A directory in which the pipeline runs."""

    folder: Path
    warehouse: DuckDBWarehouse
    pubsub: PubSub

    def nbactl(self, *arguments: str, code: int = 0) -> str:
        """What a command prints; it must end with the code."""
        environment = {
            **os.environ,
            "PUBSUB_EMULATOR_HOST": self.pubsub.emulator or "",
            "GOOGLE_CLOUD_PROJECT": self.pubsub.project,
            "NBACTL_WAREHOUSE": self.warehouse.url,
        }
        command = [sys.executable, "-m", "nbactl", *arguments]
        done = subprocess.run(  # noqa: S603 -- our own command
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def dead_letters(self) -> list[tuple[str, bytes]]:
        """What the dead letter subscriptions hold."""
        kept = [pull_subscription(dead_letter_topic(name)) for name in (completion_topic(2), completion_topic(3))]
        return [(name, one.data) for name in kept for one in self.pubsub.pull(name)]


@pytest.fixture
def place(tiny: DuckDBWarehouse, tmp_path: Path, emulator: str, project: str) -> Iterator[Place]:
    """Everything computed but the last night's results and the slate after them; the services run."""
    analytics(tiny, DateRange(FINAL_DATES[0], FINAL_DATES[-2]))
    precompute(tiny, DateRange(FINAL_DATES[0], LAST))
    here = Place(tmp_path, tiny, PubSub(project, emulator))
    here.nbactl("up", "--detach")
    try:
        yield here
    finally:
        here.nbactl("down")
        here.pubsub.close()


def test_a_raw_event_ends_in_the_feature_store_and_commands_show_it(place: Place, tiny_done_file: Path) -> None:
    assert "0 changes" in place.nbactl("infra", "plan", "--check")
    said = place.nbactl("publish-test", "--date", str(LAST), "--wait")
    assert "phase 3  nbac_gamebook_player_stats 2024-11-08  completed" in said
    assert "MLFeatureStoreProcessor 2024-11-10  SUCCESS" in said
    assert "ml_feature_store              2024-11-08  DONE" in place.nbactl("status", "--date", str(LAST))
    assert place.nbactl("runs", "--processor", "MLFS", "--date", str(SLATE), "-o", "csv").count("\n") >= 2
    assert differing(at(tiny_done_file), place.warehouse, OUTPUTS) == {}
    assert place.dead_letters() == []
    # all of it again: every message once more, and nothing to do
    place.nbactl("publish-test", "--date", str(LAST), "--wait")
    assert "nothing is left over" in place.nbactl("reconcile")


def test_a_poison_message_is_dead_lettered_and_holds_nothing_up(place: Place) -> None:
    poison = b"no json at all"
    place.pubsub.publish(completion_topic(2), poison, {})
    place.nbactl("publish-test", "--date", str(LAST), "--wait")
    ends = time.monotonic() + 60
    while not (letters := place.dead_letters()) and time.monotonic() < ends:
        time.sleep(0.5)
    assert letters == [(pull_subscription(dead_letter_topic(completion_topic(2))), poison)]
    refused = "SELECT COUNT(*) FROM nba_orchestration.deliveries WHERE decision = 'rejected' AND http_status = 400"
    with place.warehouse.reading() as session:
        assert list(session.query(refused).rows) == [(5,)]


def test_down_leaves_nothing_behind(place: Place) -> None:
    running = local.read(place.folder)
    assert running
    assert running.lives
    assert set(running.services) == {one.name for one in declared(Profile.LOCAL).services if one.phase < 5}
    assert "runs already" in place.nbactl("up", "--detach", code=5)
    place.nbactl("down")
    assert not running.lives
    assert local.read(place.folder) is None
    assert "nothing runs here" in place.nbactl("down")
