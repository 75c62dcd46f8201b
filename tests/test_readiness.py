"""`/ready` says what `/process` would find: a service that is ready has tables to work on."""

import base64
import json
import os
import shutil
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import duckdb
import pytest
from flask import Flask
from flask.testing import FlaskClient

from processors import readiness, runner, service
from processors.graph import processors_in_order
from processors.handling import Handler
from shared import errors
from shared.ledger import DELIVERIES, PROCESSOR_RUNS
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.builders import FINAL_DATES

Spoil = Callable[[Path], None]


def statements(*texts: str) -> Spoil:
    """What somebody else does to the file."""

    def spoil(path: Path) -> None:
        with duckdb.connect(path) as connection:
            for text in texts:
                connection.execute(text)

    return spoil


def holding(content: bytes) -> Spoil:
    return lambda path: path.write_bytes(content) and None


def cut(part: float) -> Spoil:
    return lambda path: os.truncate(path, int(path.stat().st_size * part))


def another_database(path: Path) -> None:
    path.unlink()
    statements("CREATE TABLE t (a INT)")(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def beside(suffix: str, content: bytes) -> Spoil:
    return lambda path: path.with_name(path.name + suffix).write_bytes(content) and None


def foreign_log(path: Path) -> None:
    other = path.with_name("other.duckdb")
    with duckdb.connect(other) as connection:
        connection.execute("SET checkpoint_threshold = '1TB'; CREATE TABLE a (x INT); INSERT INTO a VALUES (1)")
        shutil.copy(f"{other}.wal", f"{path}.wal")


def log_of_a_killed_writer(path: Path) -> None:
    """What was committed last is in the log alone, and takes more blocks than the file has."""
    kept = path.with_name("kept.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("SET checkpoint_threshold = '1TB'")
        connection.execute("CREATE TABLE mine AS SELECT range AS a, random() AS b FROM range(200000)")
        for suffix in ("", ".wal"):
            shutil.copy(f"{path}{suffix}", f"{kept}{suffix}")
    for suffix in ("", ".wal"):
        shutil.move(f"{kept}{suffix}", f"{path}{suffix}")


def lock_that_is_a_folder(path: Path) -> None:
    lock = path.with_name(f"{path.name}.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()


UNREADY: dict[str, Spoil] = {
    "removed": Path.unlink,
    "emptied": holding(b""),
    "rubbish": holding(b"rubbish" * 10_000),
    "half of it": cut(0.5),
    "without its end": cut(0.97),
    "a folder": folder,
    "another database": another_database,
    "a column dropped": statements("ALTER TABLE nba_orchestration.deliveries DROP COLUMN reason"),
    "a column renamed": statements("ALTER TABLE nba_raw.nbac_schedule RENAME game_status TO status"),
    "a view in its place": statements(
        "DROP TABLE nba_raw.nbac_injury_report", "CREATE VIEW nba_raw.nbac_injury_report AS SELECT 1 AS x"
    ),
    "no schedule": statements("DROP TABLE nba_raw.nbac_schedule"),
    "no raw tables": statements("DROP SCHEMA nba_raw CASCADE"),
    "an empty schedule": statements("DELETE FROM nba_raw.nbac_schedule"),
    "a log of rubbish": beside(".wal", b"rubbish" * 100),
    "a log of another file": foreign_log,
    "a lock that is a folder": lock_that_is_a_folder,
}
READY: dict[str, Spoil] = {
    "as it is": lambda _path: None,
    "no ledger": statements("DROP TABLE nba_orchestration.processor_runs"),
    "a table still to be made": statements("DROP TABLE nba_analytics.player_game_summary"),
    "a column of somebody else's": statements("ALTER TABLE nba_orchestration.processor_runs ADD COLUMN mine INT"),
    "a log of a killed writer": log_of_a_killed_writer,
    "a lock left behind": beside(".lock", b"1"),
}


def client(warehouse: DuckDBWarehouse) -> FlaskClient:
    numbers = map(str, count())
    handler = Handler(3, warehouse, lambda _topic, _data, _attributes: next(numbers), "")
    return service.routes(Flask(__name__), handler, "").test_client()


def pushed(opened: FlaskClient) -> int:
    """The answer to a good message."""
    event = {"source_table": "nbac_gamebook_player_stats", "game_date": str(FINAL_DATES[-1])}
    data = base64.b64encode(json.dumps(event).encode()).decode()
    return opened.post("/process", json={"message": {"data": data, "messageId": "1"}}).status_code


@pytest.mark.parametrize("spoil", UNREADY.values(), ids=UNREADY)
def test_where_no_message_could_be_worked_on_it_is_not_ready_and_says_why(
    tiny_done: DuckDBWarehouse, spoil: Spoil
) -> None:
    spoil(tiny_done.path)
    opened = client(tiny_done)
    ready = opened.get("/ready")
    assert (ready.status_code, ready.get_json()["status"]) == (503, "not ready")
    assert 10 < len(ready.get_json()["reason"]) <= 2_000
    assert pushed(opened) == 500


@pytest.mark.parametrize("spoil", READY.values(), ids=READY)
def test_where_it_is_ready_a_message_is_worked_on(tiny_done: DuckDBWarehouse, spoil: Spoil) -> None:
    spoil(tiny_done.path)
    opened = client(tiny_done)
    assert opened.get("/ready").status_code == 200
    assert pushed(opened) == 200


def test_it_stays_ready_however_often_it_has_written(tiny_done: DuckDBWarehouse) -> None:
    opened = client(tiny_done)
    for _ in range(5):
        # the engine leaves free blocks at the end of a file, and sometimes no longer has them there
        assert (pushed(opened), opened.get("/ready").status_code) == (200, 200)


@pytest.mark.parametrize(
    ("statement", "column", "problem"),
    [
        ("ALTER TABLE nba_raw.nbac_schedule ALTER game_id TYPE INT USING 1", "game_id", "is INTEGER NOT NULL"),
        ("ALTER TABLE nba_raw.nbac_schedule ALTER game_id DROP NOT NULL", "game_id", "must be VARCHAR NOT NULL"),
        ("ALTER TABLE nba_analytics.player_game_summary DROP points", "points", "missing"),
    ],
)
def test_what_is_not_as_declared_is_named(
    tiny_done: DuckDBWarehouse, statement: str, column: str, problem: str
) -> None:
    statements(statement)(tiny_done.path)
    with pytest.raises(errors.DataError) as caught, tiny_done.inspecting(runner.all_tables()):
        pass
    (finding,) = caught.value.findings
    assert finding.column == column
    assert problem in finding.problem


def test_what_an_earlier_version_lacks_and_a_later_one_adds_is_no_difference(tiny_done: DuckDBWarehouse) -> None:
    tables = [PROCESSOR_RUNS, DELIVERIES]
    earlier = f"COMMENT ON TABLE {PROCESSOR_RUNS.id} IS 'layout of an earlier version'"
    statements(earlier, f"ALTER TABLE {PROCESSOR_RUNS.id} DROP publish_error")(tiny_done.path)
    with tiny_done.inspecting(tables):
        pass
    statements(f"ALTER TABLE {PROCESSOR_RUNS.id} DROP announce")(tiny_done.path)
    with pytest.raises(errors.DataError, match="tables"), tiny_done.inspecting(tables):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_written_is_said(tiny_done: DuckDBWarehouse) -> None:
    tiny_done.path.parent.chmod(0o555)
    try:
        with pytest.raises(errors.AccessDenied, match="cannot write"):
            readiness.require_ready(tiny_done, 3)
    finally:
        tiny_done.path.parent.chmod(0o755)


def test_whoever_asks_waits_for_no_writer(tiny_done: DuckDBWarehouse) -> None:
    with tiny_done.writing(runner.all_tables()):
        began = time.monotonic()
        with pytest.raises(errors.WarehouseLocked):
            readiness.require_ready(tiny_done, 3)
        assert time.monotonic() - began < 1


def test_asking_changes_nothing(tiny_done: DuckDBWarehouse) -> None:
    before = tiny_done.path.read_bytes()
    for phase in {processor.phase for processor in processors_in_order()}:
        readiness.require_ready(tiny_done, phase)
    assert tiny_done.path.read_bytes() == before
