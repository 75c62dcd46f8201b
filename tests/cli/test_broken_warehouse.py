"""A warehouse that is spoilt, in every way that was thought of and in some that chance did: each is said in words."""

import random
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pytest

from shared.errors import EXIT_CODES
from tests import builders
from tests.cli.conftest import Type

NIGHT = str(builders.SLATE)
RESULTS = str(builders.FINAL_DATES[-1])

Spoil = Callable[[Path], object]


def _sql(*statements: str) -> Spoil:
    def spoil(path: Path) -> None:
        with duckdb.connect(path) as connection:
            for statement in statements:
                connection.execute(statement)

    return spoil


def _overwrite(change: Callable[[bytes], bytes]) -> Spoil:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def _replace(make: Callable[[Path], object]) -> Spoil:
    def spoil(path: Path) -> None:
        path.unlink()
        make(path)

    return spoil


def _sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a)")
    connection.close()


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _log_of_another(path: Path) -> None:
    other = path.with_name("other.duckdb")
    with duckdb.connect(other) as connection:
        connection.execute("SET checkpoint_threshold = '1TB'; CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)")
        shutil.copyfile(_log(other), _log(path))


def _scribble(seed: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        chance, spoilt = random.Random(seed), bytearray(content)  # noqa: S311
        for _ in range(20):
            at = chance.randrange(len(spoilt) - 64)
            spoilt[at : at + 64] = chance.randbytes(64)
        return bytes(spoilt)

    return change


UNREADABLE: Mapping[str, Spoil] = {
    "removed": Path.unlink,
    "emptied": _overwrite(lambda _: b""),
    "cut in half": _overwrite(lambda content: content[: len(content) // 2]),
    "without its header": _overwrite(lambda content: bytes(4096) + content[4096:]),
    "a folder": _replace(Path.mkdir),
    "a text": _replace(lambda path: path.write_text("hello")),
    "a SQLite file": _replace(_sqlite),
    "a log of rubbish": lambda path: _log(path).write_bytes(b"rubbish" * 100),
    "a log of another database": _log_of_another,
    "a folder for a log": lambda path: _log(path).mkdir(),
}
"""What makes a warehouse of no use to anybody."""

ODD: Mapping[str, Spoil] = {
    "another database": _replace(_sql("CREATE TABLE t (a INTEGER)")),
    "without its tail": _overwrite(lambda content: content[:-300_000]),
    "a table dropped": _sql("DROP TABLE nba_orchestration.processor_runs"),
    "a column dropped": _sql("ALTER TABLE nba_orchestration.deliveries DROP COLUMN reason"),
    "no schedule": _sql("DELETE FROM nba_raw.nbac_schedule"),
    "no runs": _sql("DELETE FROM nba_orchestration.processor_runs"),
    "rows gone": _sql("DELETE FROM nba_predictions.ml_feature_store"),
    "cells changed": _sql("UPDATE nba_analytics.player_game_summary SET points = points + 1"),
    "a folder for a lock": lambda path: path.with_name(f"{path.name}.lock").mkdir(),
    "an old lock": lambda path: path.with_name(f"{path.name}.lock").write_text("1"),
    **{f"scribbled upon, {seed}": _overwrite(_scribble(seed)) for seed in range(6)},
}
"""What some commands notice, and others need not."""

LINES: tuple[tuple[str, ...], ...] = (
    ("status", "--date", NIGHT),
    ("runs",),
    ("data", "tables"),
    ("show", "ml_feature_store", "--date", NIGHT),
    ("trace", "--date", NIGHT),
    ("impact", "--table", "nbac_team_boxscore", "--date", RESULTS),
    ("reconcile", "--dry-run"),
    ("backfill", "--date", NIGHT, "--dry-run"),
)


@pytest.mark.parametrize("way", [*UNREADABLE, *ODD])
def test_spoilt_warehouse_is_no_surprise(way: str, done: Path, typed: Type) -> None:
    (UNREADABLE | ODD)[way](done)
    for words in LINES:
        said = typed(*words, "--wait", "0")
        assert said.code in EXIT_CODES, words
        assert "did not expect" not in said.err, (words, said.err)
        if way in UNREADABLE:
            assert said.code in {1, 2, 5, 7}, words
            assert said.err.startswith("error: "), (words, said.err)
            assert "\n next: " in said.err, (words, said.err)


@pytest.mark.parametrize("way", [*UNREADABLE, "a folder for a lock"])
def test_what_writes_says_so_too_and_leaves_it_as_it_was(way: str, done: Path, typed: Type) -> None:
    (UNREADABLE | ODD)[way](done)
    before = done.read_bytes() if done.is_file() else None
    for words in (("backfill", "--date", NIGHT), ("reconcile",)):
        said = typed(*words, "--wait", "0")
        assert said.code in {1, 2, 5}, said
        assert "did not expect" not in said.err
    assert (done.read_bytes() if done.is_file() else None) == before


def test_broken_log_is_named_with_the_way_on(done: Path, typed: Type) -> None:
    _log_of_another(done)
    said = typed("status")
    assert said.code == 1
    log = _log(done.relative_to(Path.cwd()))
    assert said.err.splitlines()[0] == f"error: the log of the warehouse, {log}, is damaged"
    assert "what was committed since the last checkpoint" in said.err
    command = said.err.splitlines()[-1].strip()
    assert f"mv {log} {log}.broken" in command
    for step in command.split(" && ")[:2]:
        tool, source, target = step.split()
        (shutil.copyfile if tool == "cp" else shutil.move)(source, target)
    assert "damaged" not in typed("status").err


def test_file_of_another_kind_is_no_reason_to_download_anything(done: Path, typed: Type) -> None:
    UNREADABLE["a SQLite file"](done)
    said = typed("runs")
    assert "download" not in said.err
    assert said.err.endswith(" next: is it a DuckDB file? if it was one, put back a copy\n")


def test_warehouse_of_a_later_engine_is_not_called_damaged(done: Path, typed: Type) -> None:
    done.write_bytes(_of_a_later_engine(done.read_bytes()))
    said = typed("runs")
    assert said.code == 5
    assert "install a later DuckDB than" in said.err
    assert "put back a copy" not in said.err


def _of_a_later_engine(content: bytes) -> bytes:
    """The file with a storage version that does not exist yet in its header, and the header's checksum."""
    header = bytearray(content[:4096])
    at = header.index(b"DUCK") + 4
    header[at : at + 8] = (9999).to_bytes(8, "little")
    mixed = 5381
    for word in memoryview(bytes(header[8:])).cast("Q"):
        mixed ^= word * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    header[:8] = mixed.to_bytes(8, "little")
    return bytes(header) + content[4096:]
