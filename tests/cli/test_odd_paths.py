"""Paths that are no use, for every command that takes one: a sentence and an exit code, and never a surprise."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from nbactl.session import Session
from shared.errors import EXIT_CODES, explain_os_error
from tests import builders
from tests.cli.conftest import Said, Type
from tests.cli.test_option import leaves

NIGHT = str(builders.SLATE)


def _loop(folder: Path) -> Path:
    path = folder / "loop"
    path.symlink_to(path)
    return path


def _dangling(folder: Path) -> Path:
    path = folder / "dangling"
    path.symlink_to(folder / "nowhere" / "else")
    return path


def _file(folder: Path) -> Path:
    path = folder / "file"
    path.write_text("neither a table nor a warehouse\n")
    return path


def _folder(folder: Path) -> Path:
    path = folder / "folder"
    path.mkdir()
    (path / "file").touch()
    return path


def _pipe(folder: Path) -> Path:
    path = folder / "pipe"
    os.mkfifo(path)
    return path


ODD: dict[str, Callable[[Path], Path]] = {
    "a file": _file,
    "a folder": _folder,
    "below a file": lambda folder: _file(folder) / "below",
    "nothing": lambda folder: folder / "nothing" / "at all",
    "a name too long": lambda folder: folder / ("x" * 300),
    "a path too long": lambda folder: folder.joinpath(*["x" * 200] * 30),
    "a loop of links": _loop,
    "below a loop of links": lambda folder: _loop(folder) / "below",
    "a link to nothing": _dangling,
    "a full device": lambda _: Path("/dev/full"),
    "no device": lambda _: Path("/dev/null"),
    "below a device": lambda _: Path("/dev/null/below"),
    "what the system keeps": lambda _: Path("/proc/nowhere"),
    "a pipe": _pipe,
    "line breaks and colours": lambda folder: folder / "a\nb\x1b[31m",
    "another kind of name": lambda folder: folder / "%s {} $HOME * [a-z] 'quoted' \"twice\"",
}

LINES: dict[str, tuple[str, ...]] = {
    "data load": ("data", "load", "{}"),
    "data sample": ("data", "sample", "--weeks", "2", "--to", "{}"),
    "verify accuracy": ("verify", "accuracy", "--answers", "{}"),
    "deploy analytics": ("deploy", "analytics", "--dry-run", "--source", "{}"),
    "deploy precompute": ("deploy", "precompute", "--dry-run", "--source", "{}"),
    "deploy status": ("deploy", "status", "--source", "{}"),
    "dlq replay": ("dlq", "replay", "--yes", "--from", "{}"),
    "dlq export": ("dlq", "export", "{}"),
    "dlq drain": ("dlq", "drain", "--confirm", "p", "--project", "p", "--to", "{}"),
}
"""Every command with a path of its own; all have `--warehouse` beside."""

USABLE = ("nothing", "line breaks and colours", "another kind of name")
"""What a new folder may well be called."""

WAREHOUSE = (("status",), ("backfill", "--date", NIGHT), ("data", "load", "nowhere"))


@pytest.fixture(autouse=True)
def _nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """See that no line gets as far as a server."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/at/all.json")


def _is_plain(said: Said) -> None:
    """See that an outcome is one that `nbactl help exit-codes` explains, in a few words."""
    assert said.code in EXIT_CODES
    assert "did not expect" not in said.err
    assert "Traceback" not in said.err
    assert "\x1b" not in said.out + said.err
    if said.code:
        assert "error: " in said.err


def _path_options(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            yield parameter.opts[0]


def test_no_command_with_a_path_is_left_out() -> None:
    with_paths = {" ".join(words) for words, command in leaves().items() if list(_path_options(command))}
    assert set(LINES) == with_paths


@pytest.mark.parametrize(
    ("line", "odd"), [(line, odd) for line in LINES for odd in ODD if line != "data sample" or odd not in USABLE]
)
def test_odd_path_of_a_command(
    line: str, odd: str, tmp_path: Path, typed: Type, request: pytest.FixtureRequest
) -> None:
    if line.startswith("verify"):  # where there is no warehouse, it says no more than that
        request.getfixturevalue("here")
    path = ODD[odd](tmp_path)
    said = typed(*(word.format(path) for word in LINES[line]))
    _is_plain(said)
    if odd.endswith("too long") and not line.startswith("deploy status"):
        assert said.code == 2
        assert "too long" in said.err


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("words", WAREHOUSE, ids=" ".join)
def test_odd_warehouse(words: tuple[str, ...], odd: str, tmp_path: Path, typed: Type) -> None:
    said = typed(*words, "--warehouse", f"duckdb:///{ODD[odd](tmp_path)}")
    _is_plain(said)


@pytest.mark.parametrize("name", ["nbactl.toml", ".nbactl", ".nbactl/up.json", ".nbactl/warehouse.duckdb.lock"])
@pytest.mark.parametrize("odd", [name for name in ODD if name != "a path too long"])
@pytest.mark.parametrize("words", [("status",), ("data", "load", "nowhere")], ids=" ".join)
def test_odd_thing_where_a_file_of_ours_is_looked_for(
    words: tuple[str, ...], odd: str, name: str, tmp_path: Path, typed: Type
) -> None:
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(ODD[odd](tmp_path))
    _is_plain(typed(*words))


def test_disk_that_is_full_is_said_to_be(typed: Type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path))

    monkeypatch.setattr(Path, "mkdir", full)
    said = typed("data", "sample", "--weeks", "2", "--to", "made")
    assert (said.code, said.err.splitlines()[-1]) == (1, " next: free disk space (df -h), then run it again")
    assert f"could not read or write {tmp_path}: No space left on device" in said.err


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_error_of_the_system_has_its_words(number: int) -> None:
    problem = explain_os_error(OSError(number, os.strerror(number), "some/file"))
    assert problem.message == f"could not read or write some/file: {os.strerror(number)}"
    assert problem.exit_code in EXIT_CODES
    assert "some/file" in str(explain_os_error(OSError(number, os.strerror(number), "some/file"), "could not").why)


def test_error_without_a_file_has_its_words_too() -> None:
    assert explain_os_error(OSError("timed out")).message == "could not read or write a file: timed out"
    assert explain_os_error(ConnectionRefusedError(), "could not ask").exit_code == 1


def test_broken_connection_is_not_taken_for_a_reader_that_left(typed: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Session) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(Session, "connect", broken)
    said = typed("status")
    assert (said.code, said.err.splitlines()[0]) == (7, "error: a connection broke")
