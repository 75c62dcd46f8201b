# ruff: noqa: S603 -- the processes are ours, and so are their arguments
"""The DuckDB warehouse: one exchange is one step, one writer is one writer, and the file is what it should be."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shared.errors import (
    NbactlError,
    NotFound,
    Overtaken,
    PreconditionFailed,
    UsageError,
    WarehouseFailed,
    WarehouseLocked,
)
from shared.ledger import PROCESSOR_RUNS
from shared.tables.model import DATE, INT64, STRING, TIMESTAMP, Table, nullable, required
from shared.tables.raw import SCHEDULE, TEAM_LOCATIONS
from shared.warehouse.base import EMPTY, Digest, Exchange, Records, Session
from shared.warehouse.connect import connect
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.conftest import PROJECT, at

NOTES = Table(
    dataset="scratch",
    name="notes",
    row="note",
    key=("day", "name"),
    partition="day",
    columns=(
        required("day", DATE),
        required("name", STRING),
        nullable("number", INT64),
        required("run_id", STRING),
        required("processed_at", TIMESTAMP),
    ),
)
BOOK = replace(NOTES, name="book", columns=(required("run_id", STRING), required("day", DATE)), key=("run_id",))
FIRST, SECOND, THIRD = date(2025, 1, 1), date(2025, 1, 2), date(2025, 1, 3)
NOW = datetime(2025, 1, 4, 12, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    """Three dates of notes, one row each, and an empty book."""
    warehouse = at(tmp_path / "w.duckdb")
    with warehouse.writing([NOTES, BOOK]) as session:
        session.insert(NOTES, [note(day, "old", 1) for day in (FIRST, SECOND, THIRD)])
    return warehouse


def note(day: date, name: str, number: int | None) -> dict[str, object]:
    return {"day": day, "name": name, "number": number, "run_id": "first", "processed_at": NOW}


def stamped(*days: date) -> Mapping[date, Mapping[str, object]]:
    return {day: {"run_id": f"run {day.day}", "processed_at": NOW} for day in days}


def staged(session: Session, *days: date) -> None:
    """Two new rows for each day."""
    parts = [f"SELECT DATE '{day}' AS day, '{name}' AS name, 2 AS number" for day in days for name in ("a", "b")]
    session.stage(" UNION ALL ".join(parts), {})


def exchange(stamps: Mapping[date, Mapping[str, object]], ledger: Records, fence: int = 0) -> Exchange:
    """The staged notes of the stamped dates, and rows of the book, whatever is stored."""
    return Exchange(NOTES, stamps, fence, BOOK, lambda _stored: ledger)


def notes(warehouse: DuckDBWarehouse) -> list[tuple[Any, ...]]:
    with warehouse.reading() as session:
        return sorted(session.query(f"SELECT day, name, number, run_id FROM {NOTES.id}").rows)


def booked(warehouse: DuckDBWarehouse) -> list[tuple[Any, ...]]:
    with warehouse.reading() as session:
        return sorted(session.query(f"SELECT run_id, day FROM {BOOK.id}").rows)


OLD = [(day, "old", 1, "first") for day in (FIRST, SECOND, THIRD)]


# ---------------------------------------------------------------- exchange


def test_only_stamped_dates_change_and_each_row_has_the_stamps_of_its_date(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([NOTES, BOOK]) as session:
        staged(session, FIRST, SECOND, THIRD)
        ledger = [{"run_id": "run 1", "day": FIRST}, {"run_id": "failed", "day": SECOND}]
        session.exchange(exchange(stamped(FIRST, THIRD), ledger))
    new = [(day, name, 2, f"run {day.day}") for day in (FIRST, THIRD) for name in ("a", "b")]
    assert notes(warehouse) == sorted([*new, OLD[1]])
    assert booked(warehouse) == [("failed", SECOND), ("run 1", FIRST)]


def test_a_staged_row_without_a_date_is_not_stored(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([]) as session:
        session.stage(f"SELECT day, 'a' AS name, 2 AS number FROM UNNEST([DATE '{FIRST}', NULL]) AS day", {})
        session.exchange(exchange(stamped(FIRST), []))
    assert notes(warehouse) == [(FIRST, "a", 2, "run 1"), *OLD[1:]]


def test_a_stamped_date_without_rows_becomes_empty(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([NOTES, BOOK]) as session:
        staged(session, FIRST)
        session.exchange(exchange(stamped(SECOND), []))
    assert notes(warehouse) == [OLD[0], OLD[2]]


def test_without_stamps_only_the_ledger_is_written(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([NOTES, BOOK]) as session:
        staged(session, FIRST)
        session.exchange(exchange({}, [{"run_id": "x", "day": FIRST}]))
    assert notes(warehouse) == OLD
    assert booked(warehouse) == [("x", FIRST)]


def test_an_error_in_the_ledger_leaves_the_rows_as_they_were(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([NOTES, BOOK]) as session:
        staged(session, FIRST)
        with pytest.raises(WarehouseFailed):
            session.exchange(exchange(stamped(FIRST), [{"run_id": None, "day": FIRST}]))
        # the session goes on, and sees what was there
        assert len(session.query(f"SELECT day FROM {NOTES.id}").rows) == 3
    assert notes(warehouse) == OLD
    assert booked(warehouse) == []


def test_an_error_in_the_rows_leaves_the_ledger_unwritten(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([NOTES, BOOK]) as session:
        session.stage(f"SELECT DATE '{FIRST}' AS day, CAST(NULL AS STRING) AS name, 2 AS number", {})
        with pytest.raises(WarehouseFailed):
            session.exchange(exchange(stamped(FIRST), [{"run_id": "x", "day": FIRST}]))
    assert notes(warehouse) == OLD
    assert booked(warehouse) == []


def test_what_is_not_a_column_of_the_table_is_not_exchanged(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([NOTES, BOOK]) as session:
        session.stage(f"SELECT DATE '{FIRST}' AS day, 7 AS number, 'a' AS name, 'x' AS _id, '' AS _broken", {})
        session.exchange(exchange(stamped(FIRST), []))
    assert notes(warehouse)[0] == (FIRST, "a", 7, "run 1")


def test_the_ledger_is_told_what_is_stored_of_each_replaced_date(warehouse: DuckDBWarehouse) -> None:
    told: list[Mapping[date, Digest]] = []

    def record(stored: Mapping[date, Digest]) -> Records:
        told.append(stored)
        return [{"run_id": f"run {day.day}", "day": day} for day in stored]

    with warehouse.writing([NOTES, BOOK]) as session:
        staged(session, FIRST)
        session.exchange(Exchange(NOTES, stamped(FIRST, SECOND), 0, BOOK, record))
        ((one, other),) = session.query(f"SELECT MIN(name), MAX(name) FROM {NOTES.id} WHERE day = DATE '{FIRST}'").rows
    assert told[0].keys() == {FIRST, SECOND}
    assert (told[0][FIRST].rows, told[0][SECOND]) == (2, EMPTY)
    assert (one, other) == ("a", "b")
    assert booked(warehouse) == [("run 1", FIRST), ("run 2", SECOND)]


def test_where_the_ledger_refuses_nothing_is_replaced(warehouse: DuckDBWarehouse) -> None:
    def refuse(_stored: Mapping[date, Digest]) -> Records:
        raise NbactlError("not like this")

    with warehouse.writing([NOTES, BOOK]) as session:
        staged(session, FIRST)
        with pytest.raises(NbactlError, match="not like this"):
            session.exchange(Exchange(NOTES, stamped(FIRST), 0, BOOK, refuse))
    assert notes(warehouse) == OLD


# ---------------------------------------------------------------- digests and rows by key

CONTENT = f"SELECT day AS date, name, number FROM {NOTES.id} WHERE day BETWEEN @start_date AND @end_date"
ALL = {"start_date": FIRST, "end_date": THIRD}


def test_a_digest_knows_rows_and_not_their_order(warehouse: DuckDBWarehouse) -> None:
    several = [note(FIRST, "a", 1), note(FIRST, "b", None), note(FIRST, "c", 3)]
    with warehouse.writing([NOTES]) as session:
        alone = session.digests(CONTENT, ALL)
        assert {day: digest.rows for day, digest in alone.items()} == {FIRST: 1, SECOND: 1, THIRD: 1}
        session.insert(NOTES, several)
        first = session.digests(CONTENT, ALL)
        session.execute(f"DELETE FROM {NOTES.id} WHERE day = @day AND name != 'old'", {"day": FIRST})
        session.insert(NOTES, several[::-1])
        again = session.digests(CONTENT, ALL)
    assert again == first
    assert first[FIRST].rows == 4
    assert first[FIRST] != alone[FIRST]
    assert {day: first[day] for day in (SECOND, THIRD)} == {day: alone[day] for day in (SECOND, THIRD)}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE scratch.notes SET number = 2 WHERE name = 'b'",
        "UPDATE scratch.notes SET number = NULL WHERE name = 'a'",
        "UPDATE scratch.notes SET number = CASE name WHEN 'a' THEN 3 WHEN 'c' THEN 1 ELSE number END WHERE TRUE",
        "UPDATE scratch.notes SET name = 'x' WHERE name = 'twin'",
        "DELETE FROM scratch.notes WHERE name = 'twin'",
    ],
)
def test_a_digest_notices_every_change(warehouse: DuckDBWarehouse, change: str) -> None:
    with warehouse.writing([NOTES]) as session:
        names = (("a", 1), ("b", None), ("c", 3), ("twin", 4), ("twin", 4))
        session.insert(NOTES, [note(FIRST, name, number) for name, number in names])
        before = session.digests(CONTENT, ALL)
        session.execute(change, {})
        after = session.digests(CONTENT, ALL)
    assert after[FIRST] != before[FIRST]
    assert after[SECOND] == before[SECOND]


def test_a_session_beside_has_the_same_tables_and_a_stage_of_its_own(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([]) as session, session.beside() as other:
        staged(session, FIRST)
        staged(other, SECOND, THIRD)
        session.exchange(exchange(stamped(FIRST), [{"run_id": "run 1", "day": FIRST}]))
        assert other.query(f"SELECT COUNT(*) FROM {NOTES.id}").rows == [(4,)]
        other.exchange(exchange(stamped(SECOND, THIRD), [{"run_id": "run 2", "day": SECOND}], fence=1))
    assert [(day, run) for day, *_, run in notes(warehouse)] == [
        (day, f"run {day.day}") for day in (FIRST, SECOND, THIRD) for _ in range(2)
    ]
    assert booked(warehouse) == [("run 1", FIRST), ("run 2", SECOND)]


def test_what_sessions_write_at_once_to_tables_of_their_own_is_all_there(warehouse: DuckDBWarehouse) -> None:
    tables = [replace(NOTES, name=f"notes_{number}") for number in range(4)]
    days = [FIRST + timedelta(days=n) for n in range(10)]
    with warehouse.writing(tables) as session, ThreadPoolExecutor(len(tables)) as pool:

        def write(table: Table) -> None:
            with session.beside() as own:
                for fence, day in enumerate(days):
                    staged(own, day)
                    ledger = [{"run_id": f"{table.name} {day}", "day": day}]
                    own.exchange(Exchange(table, stamped(day), fence, BOOK, lambda _, ledger=ledger: ledger))
                    own.put(BOOK, ledger)

        list(pool.map(write, tables))
        stored = [session.query(f"SELECT COUNT(*) FROM {table.id}").rows for table in tables]
    assert stored == [[(2 * len(days),)]] * len(tables)
    assert booked(warehouse) == sorted((f"{table.name} {day}", day) for table in tables for day in days)


# ---------------------------------------------------------------- the fence of a table


def test_who_has_not_seen_the_last_exchange_replaces_nothing(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([NOTES, BOOK]) as session:
        staged(session, FIRST)
        session.exchange(exchange(stamped(FIRST), [{"run_id": "run 1", "day": FIRST}]))
        for fence in (0, 2):
            with pytest.raises(Overtaken) as caught:
                session.exchange(exchange(stamped(SECOND), [{"run_id": "late", "day": SECOND}], fence))
            assert caught.value.transient
    assert booked(warehouse) == [("run 1", FIRST)]
    assert (SECOND, "old", 1, "first") in notes(warehouse)


def test_of_many_who_saw_the_same_one_exchanges(warehouse: DuckDBWarehouse) -> None:
    days = [FIRST + timedelta(days=n) for n in range(8)]
    with warehouse.writing([]) as session, ThreadPoolExecutor(4) as pool:
        staged(session, FIRST)
        session.exchange(exchange(stamped(FIRST), []))

        def write(day: date) -> bool:
            with session.beside() as own:
                staged(own, day)
                try:
                    own.exchange(exchange(stamped(day), [{"run_id": f"run {day}", "day": day}], fence=1))
                except Overtaken:
                    return False
                return True

        outcomes = list(pool.map(write, days))
    assert sum(outcomes) == 1
    assert booked(warehouse) == [(f"run {days[outcomes.index(True)]}", days[outcomes.index(True)])]


def test_each_row_of_the_ledger_is_noted_later_than_those_before_it(warehouse: DuckDBWarehouse) -> None:
    logged = replace(BOOK, name="log", columns=(*BOOK.columns, nullable("noted_at", TIMESTAMP)))
    with warehouse.writing([logged]) as session:
        session.insert(logged, [{"run_id": "a", "day": FIRST}])
    with duckdb.connect(warehouse.path) as connection:
        # whoever wrote this had a clock that was a year ahead
        connection.execute(f"UPDATE {logged.id} SET noted_at = now() + INTERVAL 1 YEAR")
    with warehouse.writing([logged]) as session:
        session.put(logged, [{"run_id": "b", "day": FIRST, "noted_at": NOW}])
        session.insert(logged, [{"run_id": "c", "day": FIRST}, {"run_id": "d", "day": FIRST}])
        rows = session.query(f"SELECT run_id, noted_at FROM {logged.id} ORDER BY run_id").rows
    moments = [moment for _, moment in rows]
    assert moments[0] < moments[1] < moments[2] == moments[3]


def test_an_interrupt_between_two_statements_ends_the_next_one_and_no_other(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([]) as session, session.beside() as other:
        other.interrupt()
        with pytest.raises(KeyboardInterrupt):
            other.query("SELECT 1")
        assert other.query("SELECT 1").rows == session.query("SELECT 1").rows == [(1,)]


def test_an_interrupt_in_a_transaction_takes_it_back(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([]) as session:
        staged(session, FIRST)

        def record(_stored: object) -> Records:
            session.interrupt()
            return [{"run_id": "run 1", "day": FIRST}]

        with pytest.raises(KeyboardInterrupt):
            session.exchange(Exchange(NOTES, stamped(FIRST), 0, BOOK, record))
        session.put(BOOK, [{"run_id": "run 2", "day": FIRST}])
    assert notes(warehouse) == OLD
    assert booked(warehouse) == [("run 2", FIRST)]


def test_rows_are_put_in_place_of_those_with_their_key(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([NOTES]) as session:
        session.put(NOTES, [note(FIRST, "old", 7), note(SECOND, "new", 8)])
        session.put(NOTES, [])
    assert notes(warehouse) == sorted([(FIRST, "old", 7, "first"), (SECOND, "new", 8, "first"), *OLD[1:]])


# ---------------------------------------------------------------- tables


def test_tables_are_made_once_and_keep_their_rows(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([NOTES, BOOK, TEAM_LOCATIONS]):
        pass
    with warehouse.writing([NOTES, BOOK, TEAM_LOCATIONS]) as session:
        assert len(session.query(f"SELECT team_abbr FROM {TEAM_LOCATIONS.id}").rows) == 30
    assert notes(warehouse) == OLD


@pytest.mark.parametrize(
    "columns",
    [
        NOTES.columns[:-1],
        (*NOTES.columns, required("more", INT64)),
        (*NOTES.columns[:-1], replace(NOTES.columns[-1], type=STRING)),
    ],
)
def test_a_table_with_other_columns_is_refused(warehouse: DuckDBWarehouse, columns: tuple[Any, ...]) -> None:
    other = replace(NOTES, columns=columns)
    with pytest.raises(PreconditionFailed, match=r"scratch\.notes was made by another version") as caught:
        warehouse.writing([other]).__enter__()
    assert caught.value.hint
    assert "--warehouse" in caught.value.hint
    assert notes(warehouse) == OLD


def test_a_required_column_holds_no_null(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([NOTES]) as session, pytest.raises(WarehouseFailed) as caught:
        session.insert(NOTES, [note(FIRST, "a", 1) | {"name": None}])
    assert "NOT NULL" in str(caught.value.why)


def test_rows_are_inserted_by_column_name_and_what_they_lack_is_null(warehouse: DuckDBWarehouse) -> None:
    short = {name: value for name, value in note(FIRST, "short", 5).items() if name != "number"}
    with warehouse.writing([NOTES]) as session:
        session.insert(NOTES, [short, dict(reversed(note(FIRST, "whole", 5).items()))])
        session.insert(NOTES, [])
    assert notes(warehouse)[1:3] == [(FIRST, "short", None, "first"), (FIRST, "whole", 5, "first")]


def test_sizes_count_rows_and_dates_of_the_tables_that_exist(warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing([TEAM_LOCATIONS]):
        pass
    with warehouse.reading() as session:
        book, locations, sized = session.sizes([BOOK, SCHEDULE, TEAM_LOCATIONS, NOTES])
    assert (sized.table, sized.rows, sized.dates, sized.first, sized.last) == ("scratch.notes", 3, 3, FIRST, THIRD)
    assert (book.rows, book.dates, book.first) == (0, 0, None)
    assert (locations.rows, locations.dates, locations.first) == (30, None, None)
    assert sized.bytes
    assert 0 < sized.bytes <= warehouse.path.stat().st_size


def test_naive_times_are_utc_wherever_the_computer_stands(
    warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with warehouse.reading() as session, session.beside() as other:
        for one in (session, other):
            ((moment,),) = one.query("SELECT TIMESTAMP '2025-01-01 00:30:00'").rows
            ((day,),) = one.query("SELECT DATE(TIMESTAMP '2025-01-01 00:30:00', 'America/New_York')").rows
            assert moment == datetime(2025, 1, 1, 0, 30, tzinfo=UTC)
            assert day == date(2024, 12, 31)


# ---------------------------------------------------------------- one writer, many readers

HOLD = """
import sys
import threading
import time
from tests.conftest import at
from pathlib import Path
warehouse = at(Path(sys.argv[1]))
with (warehouse.writing([]) if sys.argv[2] == "write" else warehouse.reading()):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held(warehouse: DuckDBWarehouse, how: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the warehouse open to `write` or to `read`."""
    command = [sys.executable, "-c", HOLD, str(warehouse.path), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def impatient(warehouse: DuckDBWarehouse, wait: float = 0.2) -> DuckDBWarehouse:
    return at(warehouse.path, wait=wait)


@pytest.mark.parametrize("how", ["write", "read"])
def test_while_another_process_writes_nobody_gets_in_and_its_pid_is_named(warehouse: DuckDBWarehouse, how: str) -> None:
    with held(warehouse, "write") as other:
        opening = impatient(warehouse).writing([]) if how == "write" else impatient(warehouse).reading()
        with pytest.raises(WarehouseLocked) as caught, opening:
            pytest.fail("two at once")
    assert f"process {other.pid} is writing" in str(caught.value.why)
    assert str(other.pid) in str(caught.value.hint)
    assert str(warehouse.path) in caught.value.message
    assert caught.value.transient


def test_a_second_writer_waits_for_the_first(warehouse: DuckDBWarehouse) -> None:
    with held(warehouse, "write") as other:
        second = [sys.executable, "-c", HOLD, str(warehouse.path), "write"]
        with subprocess.Popen(second, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as waiting:
            assert waiting.stdout is not None
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(2)
            other.communicate("\n", timeout=20)
            assert waiting.stdout.readline() == "held\n"
            waiting.communicate("\n", timeout=20)
            assert waiting.returncode == 0


def test_readers_read_side_by_side(warehouse: DuckDBWarehouse) -> None:
    with held(warehouse, "read"), held(warehouse, "read"):
        assert notes(impatient(warehouse)) == OLD


def test_a_writer_does_not_blame_one_who_is_long_gone(warehouse: DuckDBWarehouse) -> None:
    """The last writer's PID stays nobody's: whoever only reads has not written it."""
    with (
        held(warehouse, "read"),
        pytest.raises(WarehouseLocked) as caught,
        impatient(warehouse).writing([]),
    ):
        pytest.fail("a writer beside a reader")
    assert caught.value.why == "another process is reading it"
    assert "ps -fp" not in str(caught.value.hint)


FOREIGN = """
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_by_another_tool(warehouse: DuckDBWarehouse, how: str) -> Iterator[subprocess.Popen[str]]:
    """As `held`, by a process that knows DuckDB and nothing of our lock: its shell, or a notebook."""
    command = [sys.executable, "-c", FOREIGN, str(warehouse.path), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("theirs", "ours", "said"),
    [("write", "write", "is writing to it"), ("write", "read", "is writing to it"), ("read", "write", "is reading it")],
)
def test_another_tool_is_named_with_what_it_does(warehouse: DuckDBWarehouse, theirs: str, ours: str, said: str) -> None:
    with held_by_another_tool(warehouse, theirs) as other:
        opening = impatient(warehouse).writing([]) if ours == "write" else impatient(warehouse).reading()
        with pytest.raises(WarehouseLocked) as caught, opening:
            pytest.fail("two at once")
    program = Path(sys.executable).resolve().name
    assert caught.value.why == f"process {other.pid} ({program}) {said}"
    assert caught.value.hint == f"wait for it to finish, longer with --wait SECONDS, or look at it: ps -fp {other.pid}"
    assert caught.value.transient


@pytest.mark.parametrize(("theirs", "ours"), [("write", "write"), ("write", "read"), ("read", "write")])
def test_another_tool_is_waited_for(warehouse: DuckDBWarehouse, theirs: str, ours: str) -> None:
    with held_by_another_tool(warehouse, theirs) as other:
        assert other.stdin is not None
        threading.Timer(0.4, other.stdin.close).start()
        began = time.monotonic()
        with impatient(warehouse, 20).writing([]) if ours == "write" else impatient(warehouse, 20).reading():
            assert time.monotonic() - began > 0.3
    assert notes(warehouse) == OLD


def test_readers_of_another_tool_keep_no_reader_out(warehouse: DuckDBWarehouse) -> None:
    with held_by_another_tool(warehouse, "read"):
        assert notes(impatient(warehouse)) == OLD


def test_the_lock_file_a_killed_writer_is_free_and_its_commits_are_there(warehouse: DuckDBWarehouse) -> None:
    kill_a_writer(warehouse)
    assert len(notes(warehouse)) == 4
    with impatient(warehouse).writing([NOTES]) as session:
        session.insert(NOTES, [note(FIRST, "next", 1)])
    assert len(notes(warehouse)) == 5


KILLED = """
import os, signal, sys
from pathlib import Path
from tests import test_warehouse
from tests.conftest import at
with at(Path(sys.argv[1])).writing([test_warehouse.NOTES]) as session:
    session.insert(test_warehouse.NOTES, [test_warehouse.note(test_warehouse.FIRST, "committed", 1)])
    session._connection.execute("BEGIN")
    session.insert(test_warehouse.NOTES, [test_warehouse.note(test_warehouse.FIRST, "not committed", 1)])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_a_writer(warehouse: DuckDBWarehouse) -> None:
    """One row committed, one not, and no time to tidy up."""
    command = [sys.executable, "-c", KILLED, str(warehouse.path)]
    killed = subprocess.run(command, check=False, cwd=PROJECT, env={**os.environ})
    assert killed.returncode == -signal.SIGKILL


# ---------------------------------------------------------------- copies


def test_a_copy_is_ones_own_and_gone_afterwards(warehouse: DuckDBWarehouse) -> None:
    with warehouse.copied() as copy:
        assert notes(copy) == OLD
        with copy.writing([NOTES]) as session:
            session.execute(f"DELETE FROM {NOTES.id} WHERE TRUE", {})
        assert notes(copy) == []
        path = copy.path
    assert not path.exists()
    assert notes(warehouse) == OLD


def test_a_copy_has_what_a_killed_writer_had_committed(warehouse: DuckDBWarehouse) -> None:
    kill_a_writer(warehouse)
    with warehouse.copied() as copy:
        assert (FIRST, "committed", 1, "first") in notes(copy)


def test_a_copy_keeps_nobody_waiting(warehouse: DuckDBWarehouse) -> None:
    with warehouse.copied(), impatient(warehouse).writing([]):
        pass


def test_there_is_no_copy_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFound), at(tmp_path / "none.duckdb").copied():
        pytest.fail("a copy of nothing")


# ---------------------------------------------------------------- files and addresses


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no warehouse") as caught, at(tmp_path / "a" / "w.duckdb").reading():
        pytest.fail("read nothing")
    assert "nbactl data load" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    path.write_text("hello" * 1000)
    for opening in (at(path).reading(), at(path).writing([])):
        with pytest.raises(NbactlError, match="cannot open the warehouse") as caught, opening:
            pytest.fail("opened a text")
        assert caught.value.hint
    assert path.read_text() == "hello" * 1000


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NbactlError, match="cannot write the warehouse"):
        at(tmp_path / "file" / "w.duckdb").writing([]).__enter__()


def test_an_error_of_the_work_stays_what_it_is(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(BrokenPipeError), warehouse.writing([]):
        raise BrokenPipeError


def test_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with connect("duckdb:///deep/w.duckdb").writing([PROCESSOR_RUNS]):
        pass
    assert (tmp_path / "deep" / "w.duckdb").exists()
    assert connect(f"duckdb:///{tmp_path}/w.duckdb").path == tmp_path / "w.duckdb"
    for wrong in ("duckdb://w", "duckdb:", "postgres:///x", "w.duckdb"):
        with pytest.raises(UsageError):
            connect(wrong)


def test_a_warehouse_of_an_earlier_version_says_what_it_lacks_and_what_adds_it(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "old.duckdb") as connection:
        connection.execute("CREATE SCHEMA nba_raw; CREATE TABLE nba_raw.nbac_schedule (game_id VARCHAR)")
    old = DuckDBWarehouse(f"duckdb:///{tmp_path / 'old.duckdb'}")
    with old.reading() as session, pytest.raises(PreconditionFailed) as caught:
        session.query("SELECT * FROM nba_orchestration.deliveries")
    assert caught.value.message == "the warehouse has no table nba_orchestration.deliveries"
    assert caught.value.hint == "nbactl reconcile adds the tables that are missing"
