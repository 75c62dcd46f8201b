# ruff: noqa: S603 -- the processes are ours, and so are their arguments
"""The record of a local pipeline is a claim: whatever stands there, no command fails oddly and nobody else is ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbactl.ops import local_processes, pipeline
from nbactl.ops.local_processes import is_alive
from shared import local
from shared.errors import PreconditionFailed
from shared.local import EMULATOR, FILE, SUPERVISOR, Local, State
from tests.cli.conftest import Type
from tests.fakes.local_pipeline import INSTANCE, claiming, local_pipeline

NEEDING_PUBSUB = (
    ("infra", "plan"),
    ("dlq", "inspect"),
    ("publish-test", "--date", "2024-11-08"),
    ("data", "load", ".", "--announce"),
)
NEEDING_NOTHING = (("config", "show"), ("graph",), ("help", "exit-codes"))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
LIKELY = st.sampled_from([-1, 0, 1, 2, 2**31, 10**5000, True, "", "1", "\0", "\ud800", "../x", [], {}, None, 1e308])


@pytest.fixture(scope="module")
def innocent() -> Iterator[psutil.Process]:
    """A process of somebody else's; it must be there at the end of every test."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield psutil.Process(process.pid)
        process.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("folder")
    (made / ".nbactl").mkdir()
    return made


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """What may stand in the file: anything, JSON of any form, or a record of ours with one odd field or item."""
    kind = draw(st.sampled_from(["bytes", "json", "field", "item", "missing", "cut"]))
    if kind == "bytes":
        return draw(st.binary(max_size=40))
    if kind == "json":
        return json.dumps(draw(JSON)).encode()
    record: dict[str, Any] = json.loads(json.dumps(local_pipeline(Path("x")).as_record()))
    maps = [name for name, value in record.items() if isinstance(value, dict)]
    name = draw(st.sampled_from(maps if kind == "item" else list(record)))
    if kind == "missing":
        del record[name]
    elif kind == "field":
        record[name] = draw(JSON | LIKELY)
    elif kind == "item":
        key = draw(st.sampled_from([*record[name], "", "a b", "../x", "\0"]))
        record[name][key] = draw(JSON | LIKELY)
    written = _dumped(record)
    return written[: draw(st.integers(0, len(written)))] if kind == "cut" else written


def _dumped(record: dict[str, Any]) -> bytes:
    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(record).encode()
    finally:
        sys.set_int_max_str_digits(4300)


@settings(max_examples=400, deadline=None)
@given(content=contents())
def test_whatever_the_file_holds_it_is_a_record_or_said_to_be_none_and_a_record_names_only_what_can_be_ours(
    folder: Path, content: bytes
) -> None:
    (folder / FILE).write_bytes(content)
    known, refusal = _read(folder)
    if known is None:
        assert refusal
        assert str(folder / FILE) in refusal.message
        assert refusal.why
        assert refusal.hint
        return
    assert not is_alive(known)
    assert all(pid > 1 for pid in known.processes.values())
    assert all(log.parent == folder / local.LOGS for log in known.logs.values())
    known.write()
    assert local.read(folder) == known


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=contents())
def test_whatever_the_file_holds_no_command_fails_unexpectedly_and_down_mends_it(
    typed: Type, monkeypatch: pytest.MonkeyPatch, folder: Path, content: bytes
) -> None:
    monkeypatch.chdir(folder)
    (folder / FILE).write_bytes(content)
    for words in (*NEEDING_NOTHING, ("logs",), *NEEDING_PUBSUB):
        said = typed(*words)
        assert said.code == (0 if words in NEEDING_NOTHING else 5), (words, said)
        assert "did not expect" not in said.err
        if words in NEEDING_PUBSUB:
            assert "nbactl down" in said.err
    said = typed("down")
    assert said.code == 0
    assert not (folder / FILE).exists()


@settings(max_examples=30, deadline=None)
@given(
    instance=st.sampled_from([INSTANCE, "f" * 32]),
    aside=st.sampled_from([0.0, 1.0, -5.0, 1e9]),
    copied=st.booleans(),
    state=st.sampled_from(State),
)
def test_a_process_that_is_not_ours_is_never_signalled_whatever_the_record_claims_of_it(  # noqa: PLR0913 -- one per claim
    folder: Path, innocent: psutil.Process, instance: str, aside: float, *, copied: bool, state: State
) -> None:
    """Not with its number, nor with its start time, nor with its very command line, if that is not of the instance."""
    record = claiming(local_pipeline(folder, instance=instance, state=state), innocent)
    if copied:
        record = _with_commands(record, tuple(innocent.cmdline()))
    record = _with_start(record, innocent.create_time() + aside)
    (folder / FILE).write_text(json.dumps(record.as_record()))
    known, _ = _read(folder)
    assert known is None or not is_alive(known)
    assert known is None or pipeline.down(folder) == []
    local.forget(folder)
    time.sleep(0.01)
    assert innocent.is_running()
    assert innocent.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("number", [-1, 0, 1, True, 2**31, 1e3, "7", None, 10**30])
def test_a_number_that_can_be_no_process_of_ours_makes_the_whole_record_none(folder: Path, number: object) -> None:
    """Minus one is every process there is, 0 our own group, and 1 the machine's first process."""
    record: dict[str, Any] = local_pipeline(folder).as_record()
    record["processes"][EMULATOR] = number
    (folder / FILE).write_text(json.dumps(record))
    with pytest.raises(PreconditionFailed) as caught:
        local.read(folder)
    assert caught.value.why == "'processes' is missing or of another form"


def _read(folder: Path) -> tuple[Local | None, PreconditionFailed | None]:
    try:
        return local.read(folder), None
    except PreconditionFailed as error:
        return None, error


def _with_commands(record: Local, command: tuple[str, ...]) -> Local:
    return local_pipeline(record.directory, **{**_fields(record), "commands": dict.fromkeys(record.commands, command)})


def _with_start(record: Local, moment: float) -> Local:
    return local_pipeline(record.directory, **{**_fields(record), "started": dict.fromkeys(record.started, moment)})


def _fields(record: Local) -> dict[str, Any]:
    return {
        name: getattr(record, name) for name in ("instance", "state", "commands", "processes", "started", "emulator")
    }


def test_ours_is_ended_by_its_number_and_by_its_command_line_where_it_was_not_written_down(folder: Path) -> None:
    """A process that was started at the moment of a kill is known by the command that was to be started."""
    command = (sys.executable, "-c", "import time; time.sleep(600)", INSTANCE)
    for written_down in (True, False):
        with subprocess.Popen(command) as process:
            record = local_pipeline(folder, commands={SUPERVISOR: ("nobody", INSTANCE), "service": command})
            if written_down:
                started = {"service": psutil.Process(process.pid).create_time()}
                record = local_pipeline(
                    folder, commands={"service": command}, processes={"service": process.pid}, started=started
                )
            else:
                record = local_pipeline(folder, commands={"service": command}, processes={}, started={})
            record.write()
            assert pipeline.down(folder) == ["service"]
            process.wait(10)


def test_a_process_that_does_not_end_when_asked_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "SERVICES_END_WITHIN", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    command = (sys.executable, "-c", deaf, INSTANCE)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        local_pipeline(folder, commands={"service": command}, processes={}, started={}).write()
        assert pipeline.down(folder) == ["service"]
        process.wait(10)


@pytest.mark.parametrize("what", ["folder", "pipe", "large", "loop"])
def test_what_is_no_file_of_ours_is_said_to_be_none_at_once(typed: Type, what: str) -> None:
    Path(".nbactl").mkdir()
    match what:
        case "folder":
            FILE.mkdir()
        case "pipe":
            os.mkfifo(FILE)
        case "large":
            FILE.write_text("[" * 2_000_000)
        case "loop":
            FILE.symlink_to(FILE.name)
    said = typed("infra", "plan")
    assert said.code == 5
    assert str(FILE) in said.err
    assert typed("config", "show").code == 0
    said = typed("down")
    assert said.code == (5 if what == "folder" else 0)
    assert "did not expect" not in said.err


def test_a_folder_that_cannot_hold_state_is_said(typed: Type) -> None:
    Path(".nbactl").write_text("a file")
    for words in (("up", "--detach"), ("down",), ("config", "show")):
        said = typed(*words)
        assert said.code in (0, 5)
        assert "did not expect" not in said.err
    assert typed("up", "--detach").code == 5


@pytest.mark.parametrize("words", NEEDING_PUBSUB)
def test_where_the_pipeline_has_died_what_needs_pubsub_stops_and_does_not_go_to_the_cloud(
    typed: Type, words: tuple[str, ...]
) -> None:
    """Also in a folder below, and also where a project of the cloud is named for other purposes."""
    local_pipeline(Path.cwd()).write()
    Path("below").mkdir()
    os.chdir("below")
    said = typed(*words, "--project", "the-real-one")
    assert said.code == 5
    assert "the local pipeline of" in said.err
    assert "its supervisor has gone" in said.err
    assert " next: nbactl up\n       nbactl down forgets it" in said.err


def test_why_it_died_is_said_where_it_is_known(typed: Type) -> None:
    record = local_pipeline(Path.cwd(), state=State.ENDED, why="its Pub/Sub emulator ended: killed by SIGKILL")
    record.write()
    assert "why: its Pub/Sub emulator ended: killed by SIGKILL" in typed("infra", "plan").err
    shown = typed("config", "show", "-o", "json")
    assert shown.code == 0
    assert "its Pub/Sub emulator ended" in shown.err
    assert "it had ended before: its Pub/Sub emulator ended" in typed("down").err
    assert "no Google Cloud project is named" in typed("infra", "plan").err


def test_what_needs_no_pubsub_works_beside_a_dead_pipeline_and_without_a_project(typed: Type, done: Path) -> None:
    del done
    lines = (("status", "--date", "2024-11-08"), ("runs",), ("reconcile",), ("run-precompute", "--date", "2024-11-08"))
    for words in lines:
        before = typed(*words)
        local_pipeline(Path.cwd()).write()
        beside = typed(*words)
        assert (before.code, beside.code) == (0, 0), (before, beside)
        local.forget(Path.cwd())


def test_an_emulator_that_is_named_counts_more_than_a_pipeline_that_died(
    typed: Type, monkeypatch: pytest.MonkeyPatch, emulator: str, project: str
) -> None:
    local_pipeline(Path.cwd()).write()
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator)
    assert typed("infra", "plan", "--project", project).code == 0


def test_a_pipeline_that_is_starting_is_said_to_be(typed: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_processes, "find_missing", lambda _known: None)
    local_pipeline(Path.cwd(), state=State.STARTING, emulator="").write()
    said = typed("infra", "plan")
    assert (said.code, "still starting" in said.err) == (5, True)


def test_the_record_is_written_whole_or_not_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = local_pipeline(folder)
    before.write()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(PreconditionFailed, match="cannot write") as caught:
        local_pipeline(folder, project="other").write()
    assert caught.value.why == "No space left on device"
    assert local.read(folder) == before
    assert [path.name for path in (folder / ".nbactl").iterdir()] == ["up.json"]
    assert EMULATOR in before.commands
