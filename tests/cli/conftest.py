# ruff: noqa: S603 -- the processes are ours, and so are their arguments
"""The tool as an operator has it: a process of its own, or `main` with the words on its line."""

import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from nbactl import cli
from nbactl.__main__ import main

REPOSITORY = Path(__file__).parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Said:
    """What a line printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 -- JSON is anything
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error object: the last line of stderr."""
        found: dict[str, Any] = json.loads(self.err.splitlines()[-1])
        return found

    @property
    def hint(self) -> str:
        """The first command that is offered."""
        return next(line for line in self.err.splitlines() if line.startswith("hint: ")).removeprefix("hint: ")


Type = Callable[..., Said]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = ("NBACTL_REGION", "GOOGLE_CLOUD_PROJECT", "GCP_PROJECT_ID", "PUBSUB_EMULATOR_HOST")
    for name in ("NBACTL_WAREHOUSE", "FORCE_COLOR", "COLUMNS", *named):
        monkeypatch.delenv(name, raising=False)
    for name in ("CLOUDSDK_CORE_PROJECT", "CLOUDSDK_ACTIVE_CONFIG_NAME"):
        monkeypatch.delenv(name, raising=False)
    # whoever runs the tests has gcloud set to a project of their own
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("TERM", "xterm-256color")
    # Set, so that what --no-color does to it is undone; empty, which means not set.
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def nbactl() -> Run:
    """Run the tool in a process; `env` adds to the environment."""

    def run(*words: str, env: Mapping[str, str] = MappingProxyType({})) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nbactl", *words],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **env},
            timeout=180,
        )

    return run


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Type:
    """Run a line in this process, without the half second that one of its own takes to start.

    A printed command, given as one string, is split as a shell would.
    """

    def run(*words: object) -> Said:
        line = [str(word) for word in words]
        if len(line) == 1 and line[0].startswith("nbactl "):
            line = shlex.split(line[0])[1:]
        monkeypatch.setattr(sys, "argv", ["nbactl", *line])
        capsys.readouterr()
        code = main()
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


@pytest.fixture
def here(tiny_file: Path, tmp_path: Path) -> Path:
    """The default warehouse of the current folder, loaded and not computed."""
    return _warehouse(tiny_file, tmp_path)


@pytest.fixture
def done(tiny_done_file: Path, tmp_path: Path) -> Path:
    """The default warehouse of the current folder, with everything computed."""
    return _warehouse(tiny_done_file, tmp_path)


def _warehouse(file: Path, folder: Path) -> Path:
    path = folder / ".nbactl" / "warehouse.duckdb"
    path.parent.mkdir()
    shutil.copyfile(file, path)
    return path


@pytest.fixture
def type_line(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run `main` in this process, with the commands of `faulty` beside the real ones."""
    extra = {"fail": ("tests.cli.faulty", "Fail in the way that is named.")}
    monkeypatch.setattr(cli, "COMMANDS", {**cli.COMMANDS, **extra})

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["nbactl", *words])
        return main()

    return run


@pytest.fixture
def on_terminal() -> Callable[..., str]:
    """Run Python code with stdout and stderr on a terminal and return what the terminal was sent."""

    def run(code: str, **env: str) -> str:
        ours, theirs = pty.openpty()
        environ = {**os.environ, "COLUMNS": "100", **env}
        process = subprocess.Popen([sys.executable, "-c", code], stdout=theirs, stderr=theirs, env=environ)
        os.close(theirs)
        sent = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        assert process.wait(60) == 0, sent
        return sent.decode()

    return run


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how a terminal says that the other side has closed it
        return b""


def heed_ctrl_c() -> None:
    """Undo what a shell does to the jobs that it runs in the background: they are deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
