# ruff: noqa: S603 -- the processes are ours, and so are their arguments
"""The supervisor with small programs in place of emulator and services: what dies, what is restarted, what is left."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbactl.ops import supervisor
from nbactl.ops.local_processes import find_process, is_alive
from nbactl.ops.logs.tail import Tail
from nbactl.ops.pipeline import down
from nbactl.ops.supervisor import Program, Request, Verb, open_log
from shared import local
from shared.local import EMULATOR, SUPERVISOR, State, log_of
from tests.fakes.local_pipeline import local_pipeline

PATIENCE = 30
SLEEP = "import time; print('sleeping', flush=True); time.sleep(600)"
WITH_WORKER = f"import subprocess, sys; subprocess.Popen([sys.executable, *sys.argv[1:]]); {SLEEP}"


@dataclass(frozen=True)
class Kept:
    """A supervisor at work in a folder."""

    folder: Path
    instance: str
    process: subprocess.Popen[bytes]

    def start(self, name: str, code: str, *arguments: str) -> None:
        command = (sys.executable, "-c", code, *arguments, self.instance)
        self.ask(Request(Verb.START, Program(name, command, {"OWN": "one"}, str(log_of(self.folder, name)))))

    def ask(self, request: Request) -> None:
        assert self.process.stdin
        self.process.stdin.write(request.as_line())
        self.process.stdin.flush()

    def record(self) -> local.Local:
        known = local.read(self.folder)
        assert known
        return known

    def pid(self, name: str, other_than: int = 0) -> int:
        """The number of a process, once it is there."""
        wait_for(
            lambda: self.record().processes.get(name, other_than) != other_than and find_process(self.record(), name)
        )
        return self.record().processes[name]

    def log(self, name: str) -> str:
        path = log_of(self.folder, name)
        return path.read_text() if path.exists() else ""

    def hang_up(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def ours(self) -> list[psutil.Process]:
        """Every process whose command line holds the instance."""
        found = psutil.process_iter(["cmdline", "status"])
        there = [one for one in found if one.info["status"] != psutil.STATUS_ZOMBIE]
        return [one for one in there if self.instance in (one.info["cmdline"] or ())]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    instance = secrets.token_hex(16)
    command = (sys.executable, "-P", "-m", "nbactl.ops.supervisor", instance)
    (tmp_path / local.LOGS).mkdir(parents=True)
    empty = {"processes": {}, "started": {}, "emulator": ""}
    record = local_pipeline(tmp_path, instance=instance, state=State.STARTING, commands={SUPERVISOR: command}, **empty)
    record.write()
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE) as process:
        here = Kept(tmp_path, instance, process)
        try:
            yield here
        finally:
            here.hang_up()
            process.wait(PATIENCE)
            for one in here.ours():
                one.kill()


def wait_for(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, condition
        time.sleep(0.02)


def test_a_service_that_dies_is_started_again_its_workers_with_it_and_its_log_says_so(kept: Kept) -> None:
    kept.start("service", WITH_WORKER, "-c", SLEEP)
    first = kept.pid("service")
    kept.ask(Request(Verb.READY, emulator="127.0.0.1:1"))
    wait_for(lambda: kept.record().state is State.RUNNING)
    wait_for(lambda: len(kept.ours()) == 3)
    workers = [one for one in kept.ours() if one.ppid() == first]
    os.kill(first, signal.SIGKILL)
    assert kept.pid("service", other_than=first) != first
    assert not set(workers) & set(kept.ours())
    lines = [json.loads(line) for line in kept.log("service").splitlines() if line.startswith("{")]
    (said,) = (line for line in lines if line["severity"] == "ERROR")
    assert said["message"] == "service has ended: killed by SIGKILL; it is started again in 0.5 s"


def test_one_that_dies_again_and_again_is_started_less_and_less_often(kept: Kept) -> None:
    kept.start("service", "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\nraise SystemExit(3)")
    kept.ask(Request(Verb.READY))
    wait_for(lambda: kept.record().state is State.RUNNING)
    (kept.folder / "go").touch()
    wait_for(lambda: kept.log("service").count("started again") >= 3)
    first, *later = (float(found) for found in re.findall(r"again in ([0-9.]+) s", kept.log("service")))
    assert first == 0.5
    assert later[:2] == [2 * first, 4 * first]


def test_while_it_starts_a_death_is_written_down_with_its_code_and_what_was_printed(kept: Kept) -> None:
    kept.start("service", "import os, sys; sys.stderr.write(os.environ['OWN'] + ' is wrong'); sys.exit(4)")
    wait_for(lambda: kept.record().exits == {"service": 4})
    assert "one is wrong" in kept.log("service")
    assert "service" not in kept.record().processes


def test_a_program_that_cannot_be_started_is_a_death_as_well(kept: Kept) -> None:
    program = Program("service", ("/nowhere", kept.instance), {}, str(log_of(kept.folder, "service")))
    kept.ask(Request(Verb.START, program))
    wait_for(lambda: kept.record().exits == {"service": 2})
    assert "No such file" in kept.log("service")


def test_when_the_emulator_dies_all_end_and_the_record_says_why(kept: Kept) -> None:
    kept.start(EMULATOR, SLEEP)
    kept.start("service", SLEEP)
    kept.ask(Request(Verb.READY, emulator="127.0.0.1:1"))
    wait_for(lambda: kept.record().state is State.RUNNING and find_process(kept.record(), "service"))
    assert is_alive(kept.record())
    os.kill(kept.pid(EMULATOR), signal.SIGKILL)
    kept.process.wait(PATIENCE)
    assert kept.ours() == []
    assert kept.record().why == "its Pub/Sub emulator ended: killed by SIGKILL"
    assert not is_alive(kept.record())


@pytest.mark.parametrize("ready", [False, True])
@pytest.mark.parametrize("how", ["hang up", "SIGTERM", "SIGHUP", "record removed"])
def test_with_who_ran_it_or_at_a_signal_or_forgotten_it_ends_all_that_it_started(
    kept: Kept, how: str, *, ready: bool
) -> None:
    kept.start("service", WITH_WORKER, "-c", SLEEP)
    wait_for(lambda: len(kept.ours()) == 3)
    if ready:
        kept.ask(Request(Verb.READY))
        wait_for(lambda: kept.record().state is State.RUNNING)
    match how:
        case "hang up":
            kept.hang_up()
        case "record removed":
            (kept.folder / local.FILE).unlink()
        case _:
            kept.process.send_signal(signal.Signals[how])
    kept.process.wait(PATIENCE)
    assert kept.ours() == []
    known = local.read(kept.folder)
    whys = {"hang up": "the nbactl up that ran it has gone", "record removed": None}
    assert (known.why if known else None) == whys.get(how, f"it was ended by {how}")


def test_detached_it_outlives_who_ran_it_and_down_ends_it(kept: Kept) -> None:
    kept.start("service", SLEEP)
    kept.ask(Request(Verb.READY))
    kept.ask(Request(Verb.DETACH))
    kept.hang_up()
    wait_for(lambda: kept.record().state is State.RUNNING)
    time.sleep(0.2)
    assert is_alive(kept.record())
    assert down(kept.folder) == ["service"]
    assert kept.ours() == []
    assert local.read(kept.folder) is None


def test_killed_at_any_moment_it_leaves_nothing_that_down_does_not_find(kept: Kept) -> None:
    """Its own number may not stand there yet, nor that of a program it has just started."""
    for number in range(6):
        kept.start(f"service-{number}", SLEEP)
    wait_for(lambda: len(kept.ours()) > 3)
    kept.process.kill()
    kept.process.wait(PATIENCE)
    assert kept.record().state is State.STARTING
    assert not is_alive(kept.record())
    down(kept.folder)
    assert kept.ours() == []


def test_what_cannot_be_written_any_more_ends_it_and_leaves_nothing(kept: Kept) -> None:
    kept.start("service", SLEEP)
    kept.pid("service")
    state = kept.folder / ".nbactl"
    state.rename(kept.folder / "elsewhere")
    state.write_text("no folder")
    kept.process.wait(PATIENCE)
    assert kept.ours() == []
    state.unlink()
    (kept.folder / "elsewhere").rename(state)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), count=st.integers(1, 40), size=st.integers(200, 600))
def test_every_line_is_read_once_and_in_order_wherever_a_log_goes_on_in_a_new_file(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int, size: int
) -> None:
    path = tmp_path_factory.mktemp("logs") / "service.jsonl"
    log, tail = open_log(path), Tail(path)
    log.maxBytes, log.backupCount = size, supervisor.OLD_LOGS
    came, since = [], 0
    with closing(log):
        for number in range(count):
            text = f"{number} " + "x" * data.draw(st.integers(0, 60))
            log.handle(supervisor.makeLogRecord({"msg": text}))
            since += len(text) + 1
            # as long as nobody waits until lines are thrown away
            if data.draw(st.booleans()) or since > size:
                came += [int(line.split()[0]) for line in tail.lines()]
                since = 0
    came += [int(line.split()[0]) for line in tail.lines()]
    assert came == list(range(count))
    assert len(list(path.parent.iterdir())) <= supervisor.OLD_LOGS + 1


def test_a_log_holds_what_a_program_prints_byte_for_byte_and_is_bounded(kept: Kept) -> None:
    code = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 2 + b'\\n' + b'y' * 3_000_000); sys.stdout.flush()"
    kept.start("service", code)
    wait_for(lambda: kept.record().exits == {"service": 0})
    content = log_of(kept.folder, "service").read_bytes()
    assert content.replace(b"\n", b"") == (bytes(range(256)) * 2).replace(b"\n", b"") + b"y" * 3_000_000


def test_a_line_that_cannot_be_kept_costs_itself_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "service.jsonl"
    path.symlink_to("/dev/full")
    log = open_log(path)
    log.handle(supervisor.makeLogRecord({"msg": "lost"}))
    with suppress(OSError):
        log.close()


def test_one_for_another_pipeline_than_the_record_says_does_nothing(tmp_path: Path) -> None:
    local_pipeline(tmp_path).write()
    command = [sys.executable, "-P", "-m", "nbactl.ops.supervisor", "f" * 32]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (1, "there is no record of this pipeline\n")
