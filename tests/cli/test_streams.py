# ruff: noqa: S603 -- the processes are ours, and so are their arguments
"""Standard output and standard error that are full, closed or read by nobody: each has its exit code and its line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbactl.streams import guard_streams
from tests import builders
from tests.cli.conftest import REPOSITORY
from tests.cli.test_cli import FAULTY

BARE = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ} | {
    "LANG": "C.UTF-8",
    "PYTHONPATH": str(REPOSITORY),
}
"""What a stranger's environment holds: Python buffers its output there."""

NIGHT = builders.SLATE


def _shell(redirections: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the tool as a shell does that was given redirections; stdout and stderr are seen where they are not moved."""
    line = ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-c", FAULTY, *words]
    return subprocess.run(line, check=False, capture_output=True, text=True, env=BARE | env, timeout=120)


UNBUFFERED = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
PRINTING = (
    ("help",),
    ("help", "exit-codes"),
    ("--help",),
    ("--version",),
    ("config", "show"),
    ("graph",),
    ("graph", "-o", "csv"),
    ("fail", "never"),
)


@UNBUFFERED
@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_full_output_is_exit_code_1_and_one_line(words: tuple[str, ...], unbuffered: str) -> None:
    ended = _shell(">/dev/full", *words, PYTHONUNBUFFERED=unbuffered)
    expected = "error: could not write to standard output: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (1, expected)


@UNBUFFERED
@pytest.mark.parametrize("words", [("help",), ("config", "show"), ("fail", "never")], ids=" ".join)
def test_closed_output_is_exit_code_1_and_one_line(words: tuple[str, ...], unbuffered: str) -> None:
    ended = _shell(">&-", *words, PYTHONUNBUFFERED=unbuffered)
    assert (ended.returncode, ended.stderr) == (1, "error: could not write to standard output: it is closed\n")


@UNBUFFERED
@pytest.mark.parametrize("words", [("help", "exit-codes"), ("config", "show"), ("fail", "never")], ids=" ".join)
def test_reader_that_goes_away_is_exit_code_1_and_no_word(words: tuple[str, ...], unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    line = [sys.executable, "-c", FAULTY, *words]
    env = BARE | {"PYTHONUNBUFFERED": unbuffered}
    ended = subprocess.run(
        line, check=False, stdout=writer, stderr=subprocess.PIPE, text=True, env=env, timeout=60, pass_fds=(writer,)
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.parametrize("words", [("data", "tables"), ("status", "-o", "json"), ("runs", "-o", "jsonl")], ids=" ".join)
@pytest.mark.parametrize("redirections", [">/dev/full", ">&-"])
def test_what_is_read_from_a_warehouse_counts_only_if_it_is_written(
    words: tuple[str, ...], redirections: str, done: Path
) -> None:
    assert done.exists()
    ended = _shell(redirections, *words, "--quiet")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "could not write to standard output" in ended.stderr


def test_full_output_is_an_object_for_machines() -> None:
    ended = _shell(">/dev/full", "config", "show", "-o", "json")
    assert json.loads(ended.stderr)["exit_code"] == ended.returncode == 1


@pytest.mark.parametrize(
    ("words", "code"), [(("config", "shw"), 2), (("fail", "access"), 4), (("fail", "partly", "-o", "json"), 3)]
)
def test_error_that_came_first_keeps_its_code_and_its_words(words: tuple[str, ...], code: int) -> None:
    ended = _shell(">/dev/full", *words)
    assert ended.returncode == code
    assert "standard output" not in ended.stderr


@UNBUFFERED
@pytest.mark.parametrize("redirections", ["2>/dev/full", "2>&-", "2>&- <&-"])
@pytest.mark.parametrize(
    ("words", "code"), [(("help",), 0), (("config", "show", "--verbose"), 0), (("fail", "access"), 4), ((), 2)]
)
def test_notes_that_cannot_be_written_change_no_exit_code(
    redirections: str, words: tuple[str, ...], code: int, unbuffered: str
) -> None:
    assert _shell(redirections, *words, PYTHONUNBUFFERED=unbuffered).returncode == code


@pytest.mark.parametrize("redirections", ["2>/dev/full", "2>&- <&-"])
def test_work_goes_on_where_nobody_can_be_told_how_far_it_is(redirections: str, here: Path) -> None:
    ended = _shell(redirections, "run-precompute", "--date", str(NIGHT), "-o", "json")
    assert ended.returncode == 0
    assert {row["status"] for row in json.loads(ended.stdout)} <= {"SUCCESS", "DEGRADED"}
    # nothing that was meant for standard error has become part of a file that took its number
    assert _shell("", "data", "tables", "--warehouse", f"duckdb:///{here}").returncode == 0


def test_nothing_at_all_is_open_and_work_is_done(here: Path) -> None:
    assert _shell("<&- >&- 2>&-", "run-precompute", "--date", str(NIGHT)).returncode == 1
    again = _shell("", "run-precompute", "--date", str(NIGHT), "-o", "json", "--warehouse", f"duckdb:///{here}")
    assert {row["status"] for row in json.loads(again.stdout)} == {"SKIPPED_UNCHANGED"}


def test_completion_and_the_help_of_an_empty_line_fail_alike() -> None:
    assert _shell(">/dev/full", _NBACTL_COMPLETE="bash_source").returncode == 1
    assert _shell("2>/dev/full").returncode == 2


def test_output_that_another_process_made_non_blocking_is_complete() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    code = "from nbactl.streams import guard_streams\nwith guard_streams():\n  print('x' * 1_000_000)\n  print('y')"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, env=BARE)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    _, complaints = process.communicate(timeout=60)
    assert (len(said), complaints, process.returncode) == (1_000_003, b"", 0)


def test_streams_of_a_test_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with guard_streams():
        assert sys.stdout is before
        print("heard")  # noqa: T201 -- that is what is tested
    assert capsys.readouterr().out == "heard\n"
