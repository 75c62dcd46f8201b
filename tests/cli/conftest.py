# ruff: noqa: S603 -- the processes are ours, and so are their arguments
"""The tool as an operator has it: a process of its own, or `main` with the words on its line."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from nbactl import cli
from nbactl.__main__ import main

REPOSITORY = Path(__file__).parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = ("NBACTL_REGION", "GOOGLE_CLOUD_PROJECT", "GCP_PROJECT_ID", "PUBSUB_EMULATOR_HOST")
    for name in ("NBACTL_WAREHOUSE", "FORCE_COLOR", "COLUMNS", *named):
        monkeypatch.delenv(name, raising=False)
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
            timeout=60,
        )

    return run


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
