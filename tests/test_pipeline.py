"""The whole pipeline for real: emulator, topology, both services under gunicorn, and the commands a user types."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import psutil
import pytest

from nbactl.ops import pipeline
from nbactl.ops.local_processes import find_process, is_alive, list_processes
from processors.graph import processors_in_order
from shared import events, local
from shared.clock import utc_now
from shared.ledger import PROCESSOR_RUNS
from shared.pubsub import PubSub
from shared.tables.raw import PLAYER_BOX
from shared.topology import Profile, completion_topic, declared
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.builders import FINAL_DATES, SLATE
from tests.conftest import alter, analytics, at, differing, one_day, rows
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

    def letters(self, count: int) -> list[dict[str, Any]]:
        """As many dead letters, once they are there."""
        ends = time.monotonic() + 60
        while len(found := json.loads(self.nbactl("dlq", "inspect", "-o", "json", "-q"))) != count:
            assert time.monotonic() < ends, found
            time.sleep(0.5)
        return list(found)

    def wait_for(self, question: str, answer: list[tuple[Any, ...]]) -> None:
        """Ask the warehouse until it answers so."""
        ends = time.monotonic() + 60
        while (found := rows(self.warehouse, question)) != answer:
            assert time.monotonic() < ends, found
            time.sleep(0.2)

    def runs(self, *days: date) -> dict[str, int]:
        """Runs by processor for some dates, that events have set off."""
        dates = ", ".join(f"DATE '{day}'" for day in days)
        where = f"trigger_source = 'pubsub' AND game_date IN ({dates})"
        text = f"SELECT processor_name, COUNT(*) FROM {PROCESSOR_RUNS.id} WHERE {where} GROUP BY 1"
        return dict(rows(self.warehouse, text))


@pytest.fixture
def place(last_night: DuckDBWarehouse, tmp_path: Path, emulator: str, project: str) -> Iterator[Place]:
    """Everything computed but the last night's results and the slate after them; the services run."""
    here = Place(tmp_path, last_night, PubSub(project, emulator))
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
    assert place.letters(0) == []
    # all of it again: every message once more, and nothing to do
    place.nbactl("publish-test", "--date", str(LAST), "--wait")
    assert "nothing is left over" in place.nbactl("reconcile")


def test_what_cannot_succeed_dies_after_five_attempts_holds_nothing_up_and_once_mended_is_replayed(
    place: Place, tiny_done_file: Path
) -> None:
    poison = "no json at all"
    place.pubsub.publish(completion_topic(2), poison.encode(), {})
    change = f"WHERE game_date = DATE '{LAST}' AND minutes IS NOT NULL"
    alter(place.warehouse, f"UPDATE {PLAYER_BOX.id} SET points = points + 1 {change}")
    (failing,) = json.loads(place.nbactl("publish-test", "--date", str(LAST), "-o", "json", "-q"))
    place.nbactl("publish-test", "--date", str(FINAL_DATES[1]), "--wait")
    letters = place.letters(2)
    assert {one["subscription"] for one in letters} == {"nba-phase3-analytics-sub"}
    assert [one["attempts"] for one in letters] == [5, 5]
    assert {(one["reason"], one["processor"], one["correlation_id"]) for one in letters} == {
        ("bad_json", None, None),
        ("points_add_up", "PlayerGameSummaryProcessor", failing["correlation_id"]),
    }
    answered = """SELECT decision, http_status, COUNT(*) FROM nba_orchestration.deliveries
WHERE http_status >= 400 GROUP BY 1, 2 ORDER BY 1"""
    assert rows(place.warehouse, answered) == [("failed", 500, 5), ("rejected", 400, 5)]
    computed = f"SELECT status, COUNT(*) FROM {PROCESSOR_RUNS.id} WHERE game_date = DATE '{LAST}' AND processor_name"
    assert rows(place.warehouse, f"{computed} LIKE 'PlayerGame%' GROUP BY 1") == [("FAILED_PERMANENT", 1)]

    alter(place.warehouse, f"UPDATE {PLAYER_BOX.id} SET points = points - 1 {change}")
    said = place.nbactl("dlq", "replay", "--rehearse", "--yes", "--reason", "the box is mended")
    assert "1 of 2 would now succeed; 1 would fail again" in said
    assert "pulled 2 = replayed 1 + kept 1 + drained 0" in said
    features = f"SELECT COUNT(*) FROM nba_predictions.ml_feature_store WHERE game_date = DATE '{SLATE}'"
    place.wait_for(features, rows(at(tiny_done_file), features))
    assert failing["correlation_id"] in place.nbactl("trace", "--date", str(LAST))
    assert [one["data"] for one in place.letters(1)] == [poison]
    place.nbactl("dlq", "drain", "--confirm", place.pubsub.project)
    assert place.letters(0) == []
    assert differing(at(tiny_done_file), place.warehouse, OUTPUTS) == {}


def test_ten_deliveries_at_once_compute_once(place: Place) -> None:
    event = events.raw_data_loaded(
        PLAYER_BOX.name, LAST, execution_id="load", correlation_id="c-ten", record_count=1, timestamp=utc_now()
    )
    message = events.encode(event)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: place.pubsub.publish(completion_topic(2), message.data, message.attributes), range(10)))
    answered = "SELECT http_status, COUNT(*) FROM nba_orchestration.deliveries WHERE phase = 3 GROUP BY 1"
    place.wait_for(answered, [(200, 10)])
    place.nbactl("publish-test", "--date", str(LAST), "--wait")
    assert place.runs(LAST, SLATE) == dict.fromkeys((one.name for one in processors_in_order()), 1)


def test_phase_4_waits_for_what_is_late_and_says_so_and_computes_once(place: Place) -> None:
    """Announcements of Phase 3 in a mixed order, one of them missing, late, and twice."""
    names = [one.short for one in processors_in_order() if one.phase == 3]
    analytics(place.warehouse, one_day(LAST), tuple(name for name in names if name != "UPC"))
    tables = [one.output.name for one in processors_in_order() if one.phase == 3 and one.short != "UPC"]
    random.Random(7).shuffle(tables)  # noqa: S311 -- to be repeatable
    for table in tables:
        day = SLATE if table.startswith("upcoming") else LAST
        place.nbactl("publish-test", "--phase", "3", "--table", table, "--date", str(day))
    answered = "SELECT DISTINCT decision, reason FROM nba_orchestration.deliveries WHERE phase = 4"
    place.wait_for(f"SELECT COUNT(*) FROM ({answered.replace('DISTINCT', '')})", [(len(tables),)])
    assert rows(place.warehouse, answered) == [("not_ready", f"waits for upcoming_player_game_context {SLATE}")]
    analytics(place.warehouse, one_day(LAST), ("UPC",))
    for _ in range(2):
        late = ("--phase", "3", "--table", "upcoming_player_game_context", "--date", str(SLATE))
        place.nbactl("publish-test", *late, "--wait")
    assert place.runs(SLATE) == dict.fromkeys((one.name for one in processors_in_order() if one.phase == 4), 1)


def test_down_leaves_nothing_behind(place: Place) -> None:
    running = local.read(place.folder)
    assert running
    assert is_alive(running)
    assert set(running.services) == {one.name for one in declared(Profile.LOCAL).services if one.phase < 5}
    assert "runs already" in place.nbactl("up", "--detach", code=5)
    place.nbactl("down")
    assert list_processes(running) == []
    assert local.read(place.folder) is None
    assert "nothing runs here" in place.nbactl("down")


@dataclass(frozen=True)
class Project:
    """A project folder in which pipelines are started and ended, on an emulator that is there."""

    folder: Path
    environment: dict[str, str]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Type a line, and do not wait."""
        command = [sys.executable, "-m", "nbactl", *words]
        return subprocess.Popen(  # noqa: S603 -- our own command
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def nbactl(self, *words: str) -> tuple[int, str]:
        """Exit code and output of a line."""
        with self.start(*words) as process:
            out, _ = process.communicate(timeout=120)
            return process.returncode, out

    def left(self) -> list[str]:
        """The command lines of what runs in the folder."""
        found = (process.info for process in psutil.process_iter(["cwd", "cmdline", "status"]))
        ours = (info for info in found if info["cwd"] == str(self.folder) and info["status"] != psutil.STATUS_ZOMBIE)
        return [" ".join(info["cmdline"] or ()) for info in ours]


@pytest.fixture
def projects(tmp_path: Path, emulator: str, project: str, last_night_file: Path) -> Iterator[list[Project]]:
    """Two folders with a warehouse each, and a project each on one emulator."""
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / ".nbactl").mkdir(parents=True)
        (folder / ".git").mkdir()
        shutil.copyfile(last_night_file, folder / ".nbactl" / "warehouse.duckdb")
        own = {"PUBSUB_EMULATOR_HOST": emulator, "GOOGLE_CLOUD_PROJECT": f"{project}-{name}"}
        environment = {key: value for key, value in os.environ.items() if not key.startswith("NBACTL_WAREHOUSE")} | own
        made.append(Project(folder, {**environment, "PYTHONPATH": str(Path(__file__).parents[1])}))
    yield made
    for one in made:
        one.nbactl("down")
        assert one.left() == []


def test_two_started_at_once_in_two_folders_have_each_their_own_services_whatever_proxy_is_set(
    projects: list[Project],
) -> None:
    offices = [replace(one, environment={**one.environment, "http_proxy": "http://127.0.0.1:9"}) for one in projects]
    processes = [one.start("up", "--detach") for one in offices]
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
    urls = set()
    for one in offices:
        running = local.read(one.folder)
        assert running
        for name, url in running.services.items():
            urls.add(url)
            with build_opener(ProxyHandler({})).open(f"{url}/health", timeout=10) as answer:
                body = json.load(answer)
            assert (body["service"], body["instance"]) == (name, running.instance)
        code, out = one.nbactl("infra", "plan", "--check")
        assert code == 0, out
    assert len(urls) == 4
    here, _ = offices
    code, out = here.nbactl("up", "--detach")
    assert (code, "runs already" in out) == (5, True)
    _kill_a_service(here)


def _kill_a_service(here: Project) -> None:
    """It is started again where it was; its log says so, and still says it after the end."""
    before = local.read(here.folder)
    assert before
    name = next(iter(before.services))
    pipeline.kill_service(here.folder, name)
    after = local.read(here.folder)
    assert after
    assert (after.services, after.instance) == (before.services, before.instance)
    assert after.processes[name] != before.processes[name]
    for words in (("config", "show"), ("down",)):
        assert here.nbactl(*words)[0] == 0
        code, out = here.nbactl("logs", "-o", "csv")
        ended = words == ("down",)
        assert (code, "it is started again" in out, "pipeline here has ended" in out) == (0, True, ended), out


@pytest.mark.parametrize("seconds", [0.4, 1.5])
def test_killed_while_it_starts_it_leaves_nothing_behind(projects: list[Project], seconds: float) -> None:
    here, _ = projects
    with here.start("up", "--detach") as process:
        time.sleep(seconds)
        process.kill()
    code, out = here.nbactl("down")
    assert code == 0, out
    assert here.left() == []
    assert local.read(here.folder) is None


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_in_the_foreground_it_ends_with_its_terminal_and_takes_everything_with_it(
    projects: list[Project], number: signal.Signals
) -> None:
    here, _ = projects
    with here.start("up") as process:
        assert process.stdout
        said = iter(process.stdout.readline, "")
        assert any("watching" in line for line in said)
        process.send_signal(number)
        assert process.wait(60) == (0 if number is signal.SIGINT else 130)
    assert here.left() == []
    known = local.read(here.folder)
    # Ctrl-C is meant; whoever lost the terminal finds that the pipeline has ended, and is not led to the cloud
    assert (known is None) == (number is signal.SIGINT)


def test_an_emulator_that_dies_and_a_supervisor_that_is_killed_are_said_and_the_next_up_clears_up(
    projects: list[Project],
) -> None:
    here = projects[0]
    here = replace(here, environment={name: one for name, one in here.environment.items() if "EMULATOR" not in name})
    code, out = here.nbactl("up", "--detach")
    assert code == 0, out
    first = local.read(here.folder)
    assert first
    os.kill(first.processes["emulator"], signal.SIGKILL)
    code, out = here.nbactl("publish-test", "--date", str(LAST))
    assert (code, "emulator" in out, " next: nbactl up\n" in out) == (5, True, True), out
    code, out = here.nbactl("up", "--detach")
    assert code == 0, out
    second = local.read(here.folder)
    assert second
    os.kill(second.processes["supervisor"], signal.SIGKILL)
    code, out = here.nbactl("infra", "plan")
    assert (code, "its supervisor has gone" in out) == (5, True), out
    assert find_process(second, "emulator")
    code, out = here.nbactl("down")
    assert (code, "ended emulator" in out) == (0, True), out
