"""Commands in processes of their own that are killed, paused, starved or interrupted, and what they leave behind.

A process is forked from a server that has imported everything: it is as mortal as any other and starts at once. What
happens to it, happens at a border between steps: an audit hook hears of each.
"""

import ctypes
import io
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nbactl.__main__ import main
from nbactl.cli import COMMANDS
from nbactl.session import Session as Line
from processors.graph import processors_in_order
from processors.reconcile import leftovers
from shared import versions
from shared.errors import NbactlError
from shared.ledger import LEDGER_TABLES, RAW_VERSIONS, Status
from shared.tables.model import Table
from shared.tables.raw import RAW_TABLES
from shared.warehouse.base import EMPTY, Digest, Session
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.conftest import ALWAYS, without_stamps

OUTPUTS = tuple(one.output for one in processors_in_order())
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["__main__", "tests.survival"])
for _module, _ in COMMANDS.values():
    import_module(_module.partition(":")[0])
_PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to a process, at the n-th time that it comes to a border.

    Attributes:
        how: kill, interrupt, interrupt_soon (in the middle of what follows) or pause (until `go` is there).
        first: a border at which it fails before that.
        file_size: bytes beyond which no file can be written.
        mere: for root, to be refused like anybody.
        said: folder for what it says; beside the warehouse, if none is named.
    """

    border: str | None = None
    nth: int = 1
    how: str = "kill"
    first: str | None = None
    go: Path | None = None
    file_size: int | None = None
    mere: bool = False
    said: Path | None = None


ALIVE = Fate()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, what it said, and the borders that it came to."""

    code: int
    out: str
    err: str
    borders: Counter[str]

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


@dataclass(frozen=True)
class Running:
    """A command at work."""

    process: ForkServerProcess
    said: Path

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    def alive(self) -> bool:
        return self.process.is_alive()

    def reached(self, border: str) -> None:
        """Wait until it has come to a border."""
        deadline = time.monotonic() + _PATIENCE
        while border not in self._borders():
            assert self.alive(), self.ended()
            assert time.monotonic() < deadline, self._borders()
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()

    def ended(self) -> Ended:
        self.process.join(_PATIENCE)
        assert self.process.exitcode is not None, f"it has not ended: {self._borders()}"
        out, err = (self.said.with_suffix(end).read_text() for end in (".out", ".err"))
        return Ended(self.process.exitcode, out, err, self._borders())

    def _borders(self) -> Counter[str]:
        file = self.said.with_suffix(".borders")
        return Counter(file.read_text().split()) if file.exists() else Counter()


def start(warehouse: DuckDBWarehouse, *words: str, fate: Fate = ALIVE) -> Running:
    """Start `nbactl` with some words on its line."""
    said = (fate.said or warehouse.path.parent) / f"said-{time.monotonic_ns()}"
    line = ["nbactl", "--warehouse", warehouse.url, *words]
    process = _FORKS.Process(target=_live, args=(line, said, fate), daemon=True)
    process.start()
    return Running(process, said)


def run(warehouse: DuckDBWarehouse, *words: str, fate: Fate = ALIVE) -> Ended:
    return start(warehouse, *words, fate=fate).ended()


def typed(warehouse: DuckDBWarehouse, *words: str) -> Ended:
    """The same in this process, which nothing is to happen to."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["nbactl", "--warehouse", warehouse.url, *words]),
        patch.object(Line, "pubsub", lambda _: PostBox(post_box(warehouse))),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = main()
    return Ended(code, out.getvalue(), err.getvalue(), Counter())


def post_box(warehouse: DuckDBWarehouse) -> Path:
    """What its commands have announced: a line per message."""
    return warehouse.path.with_name("post")


def _live(line: list[str], said: Path, fate: Fate) -> None:
    for stream, end in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(said.with_suffix(end), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    heard = os.open(said.with_suffix(".borders"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if fate.file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (fate.file_size, fate.file_size))
    if fate.mere:
        _be_mere()
    left = fate.nth

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event != "nbactl.border":
            return
        os.write(heard, f"{arguments[0]}\n".encode())
        if fate.border == arguments[0]:
            left -= 1
            if left == 0:
                _strike(fate)
        if fate.first == arguments[0]:
            raise NbactlError("planted")

    sys.addaudithook(hear)
    Line.pubsub = lambda _: PostBox(said.with_name("post"))  # type: ignore[assignment,return-value,method-assign]
    sys.argv = line
    sys.exit(main())


def _be_mere() -> None:
    """Give up the rights to read and write whatever there is, CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    library, header, sets = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522), (ctypes.c_uint32 * 6)()
    assert library.capget(header, sets) == 0
    sets[0] &= ~6
    assert library.capset(header, sets) == 0


class PostBox:
    """A publisher that writes down what it is given."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def publish(self, topic: str, data: bytes, _attributes: Mapping[str, str]) -> str:
        with self._file.open("a") as file:
            file.write(f"{topic} {data.decode()}\n")
        return "delivered"


def _strike(fate: Fate) -> None:
    match fate.how:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)  # as the main thread hears of it, so do the others
        case "interrupt_soon":
            threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()
        case "pause":
            assert fate.go
            while not fate.go.exists():
                time.sleep(0.01)


# ---------------------------------------------------------------- what is stored, and what is said of it

Stored = Mapping[tuple[str, date], Digest]


@dataclass(frozen=True)
class Seen:
    """A warehouse, looked at once.

    Attributes:
        stored: a digest of every table and date, load and run stamps apart.
        noted: the content of raw tables, as the ledger has it.
        untrue: everything that the ledger says, and the rows do not; keys that occur twice; stamps of no run.
        newest: the status of the newest run of every table and date.
    """

    stored: Stored
    noted: list[tuple[Any, ...]]
    untrue: list[str]
    newest: Mapping[tuple[str, date], str]


def seen(warehouse: DuckDBWarehouse) -> Seen:
    """Look at a warehouse that nobody has open."""
    with warehouse.reading() as session:
        filled = _filled(session)
        stored = _stored(session, filled)
        newest = {(name, day): status for name, day, status in session.query(_NEWEST).rows}
        return Seen(stored, list(session.query(_NOTED).rows), _untrue(session, filled, stored), newest)


def stored(warehouse: DuckDBWarehouse) -> Stored:
    with warehouse.reading() as session:
        return _stored(session, _filled(session))


def untrue(warehouse: DuckDBWarehouse) -> list[str]:
    return seen(warehouse).untrue


_NOTED = f"SELECT * EXCEPT (loaded_at) FROM {RAW_VERSIONS.id} ORDER BY table_name, game_date"


def _filled(session: Session) -> list[Table]:
    """The output tables that hold rows: most commands make few of them, and a digest costs its planning."""
    held = " UNION ALL ".join(f"SELECT '{table.name}' AS name, COUNT(*) AS held FROM {table.id}" for table in OUTPUTS)
    names = {name for name, count in session.query(held).rows if count}
    return [table for table in OUTPUTS if table.name in names]


def _stored(session: Session, filled: list[Table]) -> Stored:
    return {
        (table.name, day): digest
        for table in (*RAW_TABLES, *filled)
        for day, digest in session.digests(without_stamps(table), ALWAYS).items()
    }


@dataclass
class Findings:
    """What the ledger says and is not so."""

    said: list[str] = field(default_factory=list)

    def unless(self, holds: bool, what: str) -> None:  # noqa: FBT001 -- reads as it should
        if not holds:
            self.said.append(what)


def _untrue(session: Session, filled: list[Table], stored: Stored) -> list[str]:
    found = Findings()
    for table in (*filled, *LEDGER_TABLES):
        key = ", ".join(table.key)
        twice = session.query(f"SELECT {key} FROM {table.id} GROUP BY {key} HAVING COUNT(*) > 1").rows
        found.unless(not twice, f"{table.id} has {twice[:1]} twice")
    effective = {(one["output_table"], one["game_date"]): one for one in session.query(_EFFECTIVE).records()}
    for table in OUTPUTS:
        stamps = f"SELECT {table.date_column}, MIN(run_id), MAX(run_id) FROM {table.id} GROUP BY 1"
        made = {day: {first, last} for day, first, last in session.query(stamps).rows} if table in filled else {}
        for day in {day for name, day in (*stored, *effective) if name == table.name}:
            run, there = effective.get((table.name, day)), stored.get((table.name, day), EMPTY)
            if run is None:
                found.said.append(f"{table.name} {day}: no run wrote its rows")
                continue
            said = (run["rows_written"], run["output_hash"])
            found.unless(said == (there.rows, there.hash), f"{table.name} {day}: {said}, and there is {there}")
            found.unless(made.get(day, set()) <= {run["run_id"]}, f"{table.name} {day}: rows of another run")
    for name, status, finished, code in session.query(_ENDS).rows:
        found.unless((status == "RUNNING") == (finished is None), f"a run of {name} is {status} and {finished}")
        found.unless(not Status(status).failed or bool(code), f"a run of {name} failed, and says not why")
    return found.said + [f"{name} {days} is not as noted" for name, days in versions.unnoted(session).items()]


_EFFECTIVE = """SELECT output_table, game_date, run_id, rows_written, output_hash
FROM nba_orchestration.processor_runs
WHERE status IN ('SUCCESS', 'SUCCESS_EMPTY', 'DEGRADED')
QUALIFY ROW_NUMBER() OVER (PARTITION BY output_table, game_date ORDER BY started_at DESC, run_id DESC) = 1"""
_ENDS = "SELECT output_table, status, finished_at, reason_code FROM nba_orchestration.processor_runs"
_NEWEST = """SELECT output_table, game_date, status
FROM nba_orchestration.processor_runs
QUALIFY ROW_NUMBER() OVER (PARTITION BY output_table, game_date ORDER BY started_at DESC, run_id DESC) = 1"""


def runs(warehouse: DuckDBWarehouse) -> list[tuple[str, date, str]]:
    """Table, date and status of every run."""
    text = "SELECT output_table, game_date, status FROM nba_orchestration.processor_runs ORDER BY started_at"
    with warehouse.reading() as session:
        return [(name, day, status) for name, day, status in session.query(text).rows]


def left_over(warehouse: DuckDBWarehouse) -> list[str]:
    """What `nbactl reconcile` would repair."""
    with warehouse.reading() as session:
        return [f"{one.kind} {one.table} {one.date}: {one.found}" for one in leftovers(session)]


def torn(now: Stored, before: Stored, after: Stored) -> list[tuple[str, date]]:
    """Tables and dates that are neither as they were nor as they will be; raw tables must all be one or the other."""
    raw = {table.name for table in RAW_TABLES}
    sides = [{key: one for key, one in side.items() if key[0] in raw} for side in (now, before, after)]
    odd = [] if sides[0] in sides[1:] else [key for key, one in sides[0].items() if one != sides[1].get(key)]
    outputs = {key for key in {*now, *before, *after} if key[0] not in raw}
    return odd + sorted(key for key in outputs if now.get(key) not in {before.get(key), after.get(key)})
