"""The embedded warehouse: one DuckDB file, opened for one unit of work at a time."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import duckdb

from shared import versions
from shared.border import border
from shared.errors import (
    AccessDenied,
    NbactlError,
    NotFound,
    PreconditionFailed,
    UsageError,
    WarehouseFailed,
    WarehouseFull,
    WarehouseLocked,
    explain_os_error,
)
from shared.settings import duckdb_path
from shared.tables.model import Table
from shared.warehouse import raw_files
from shared.warehouse.base import EMPTY, Digest, Exchange, Params, Records, Result, TableSize
from shared.warehouse.duckdb_types import duckdb_type
from shared.warehouse.lock import locked
from shared.warehouse.translate import to_duckdb

# naive time stamps are UTC, in sessions beside too; rows have an order only where a query asks for one
_SETTINGS = "SET GLOBAL TimeZone = 'UTC'; SET preserve_insertion_order = false; SET memory_limit = '1GB'"
_PARAMETER = re.compile(r"\$(\w+)")
_INTERRUPTED = "Query interrupted"
"""What DuckDB makes of Ctrl-C during a statement: a RuntimeError that says so."""
_NO_ROOM = ("No space left", "File too large", "quota exceeded")
_DAMAGE = ("Corrupt", "Could not read", "Failure while replaying", "database has been invalidated", "INTERNAL Error")
_POLL_SECONDS = 0.05
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) ?\(PID (?P<process>\d+)\)")
_HOLDER_READS = "able to open this database in read-only mode"
"""What DuckDB adds where it is a reader that keeps a writer out."""
_DAMAGED = "the file is damaged: put back a copy, or name a new one with --warehouse and load the raw tables again"
_FREE_SPACE = "free disk space (df -h), then run it again"
_UNOPENED = (
    (("Permission denied", "Read-only file system"), AccessDenied, "see who may write to it: ls -l {path}"),
    (_NO_ROOM, WarehouseFull, _FREE_SPACE),
    (
        ("storage version",),
        PreconditionFailed,
        f"install a later DuckDB than {duckdb.__version__}: pip install --upgrade duckdb",
    ),
    (_DAMAGE, WarehouseFailed, _DAMAGED),
)
"""Signs in what DuckDB says of a file that it does not open -> what it is for us, and what to do."""
_LOG = b"d\0b"
"""How DuckDB's write-ahead log begins; one that begins otherwise DuckDB passes over without a word."""


class DuckDBSession:
    """One open connection. See `shared.warehouse.base.Session`."""

    lease = timedelta(0)

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._in_transaction = False
        self._interrupted = False

    @contextmanager
    def beside(self) -> Iterator[DuckDBSession]:
        """A session for another thread, on the same file."""
        with self._connection.cursor() as connection:
            yield DuckDBSession(connection)

    def interrupt(self) -> None:
        """From another thread, end what is being carried out, or what follows."""
        self._interrupted = True  # the engine forgets what it is told between two statements
        self._connection.interrupt()

    def query(self, sql: str, params: Params | None = None) -> Result:
        """The rows of a SELECT in GoogleSQL."""
        cursor = self._run(sql, params or {})
        return Result(tuple(column[0] for column in cursor.description or ()), cursor.fetchall())

    def stage(self, sql: str, params: Params) -> None:
        """Compute a SELECT in GoogleSQL into the temporary table `stage`."""
        self._run(sql, params, "CREATE OR REPLACE TEMP TABLE stage AS {}")

    def execute(self, sql: str, params: Params) -> None:
        """Carry out a DELETE, UPDATE or INSERT in GoogleSQL."""
        self._run(sql, params)

    def exchange(self, work: Exchange) -> None:
        """Replace the stamped dates of a table by their staged rows, and write the ledger, or do neither."""
        with self._transaction("exchange"):
            if work.stamps:
                self._replace(work)
            border("exchange.replaced")
            records = work.record(self._stored(work))
            border("exchange.verified")
            self.put(work.ledger, records)

    def digests(self, sql: str, params: Params) -> dict[date, Digest]:
        """Digest the rows of a SELECT with a column `date`; the hash is DuckDB's own, and says so."""
        cursor = self._run(sql, params, _DIGESTS)
        return {
            day: Digest(rows, f"duckdb-{scheme:04x}-{mixed:016x}{total % 2**64:016x}")
            for day, rows, mixed, total, scheme in cursor.fetchall()
        }

    def insert(self, table: Table, records: Records) -> None:
        """Append rows, given by column name; columns that a record lacks are NULL, and cost nothing."""
        columns = [column for column in table.columns if any(record.get(column.name) is not None for record in records)]
        if columns:
            values = ", ".join(f"unnest(${column.name}::{duckdb_type(column.type)}[])" for column in columns)
            names = ", ".join(column.name for column in columns)
            self._execute(
                f"INSERT INTO {table.id} ({names}) SELECT {values}",
                {column.name: [record.get(column.name) for record in records] for column in columns},
            )

    def put(self, table: Table, records: Records) -> None:
        """Write rows, each in place of the row with its key."""
        key = ", ".join(table.key)
        given = ", ".join(f"unnest(${name}) AS {name}" for name in table.key)
        if records:
            with self._transaction("put"):
                self._execute(
                    f"DELETE FROM {table.id} WHERE ({key}) IN (SELECT ({key}) FROM (SELECT {given}))",
                    {name: [record[name] for record in records] for name in table.key},
                )
                border("put.deleted")
                self.insert(table, records)

    def load(self, folder: Path, tables: Iterable[Table], *, announce: bool = False) -> raw_files.Loaded:
        """Replace the dates that a folder of raw files holds; all of it or, where anything is wrong, nothing.

        Args:
            folder: of raw files.
            tables: that it may hold.
            announce: whether table-dates that change owe an event.

        Raises:
            DataError: what is wrong, each with table, column and example.
        """
        with _problems():
            loaded = raw_files.stage(self._connection, folder, tables)
        border("load.staged")
        with self._transaction("load"), _problems():
            touched, odd = raw_files.replace(self._connection, loaded)
            border("load.replaced")
            changed = {
                table.name: versions.renew(self, table, dates, announce=announce) for table, dates in touched.items()
            }
        return replace(loaded, odd=loaded.odd + odd, changed=changed)

    def create(self, tables: Iterable[Table]) -> None:
        """Create the tables that are missing.

        Raises:
            PreconditionFailed: a table is there with other columns than the contract's.
        """
        there = self._tables()
        missing = []
        for table in tables:
            if table.id not in there:
                missing.append(table)
            elif there[table.id] != _layout(table):
                raise PreconditionFailed(
                    f"{table.id} was made by another version of nbactl",
                    why="its columns are not those of this version",
                    hint="name a new warehouse with --warehouse and load the raw tables again",
                )
        if missing:
            with self._transaction("create"):
                for table in missing:
                    self._create(table)

    def tables(self) -> Collection[str]:
        """The qualified names of the tables that exist."""
        return self._tables().keys()

    def sizes(self, tables: Iterable[Table]) -> list[TableSize]:
        """What each existing table holds; bytes are whole blocks on disk."""
        there = self._tables()
        return [self._size(table) for table in tables if table.id in there]

    def _tables(self) -> dict[str, str | None]:
        """The tables that exist, and the layout that each was made with."""
        return dict(self._execute(_TABLES).fetchall())

    def _create(self, table: Table) -> None:
        self._execute(f"CREATE SCHEMA IF NOT EXISTS {table.dataset}")
        self._execute(_create_statement(table))
        border("create.table")
        self._execute(f"COMMENT ON TABLE {table.id} IS '{_layout(table)}'")
        self.insert(table, [dict(zip(table.column_names, row, strict=True)) for row in table.constant])

    def _size(self, table: Table) -> TableSize:
        dates = f"count(DISTINCT {table.partition}), min({table.partition}), max({table.partition})"
        row = self._execute(
            f"SELECT count(*), {dates if table.partition else 'NULL, NULL, NULL'} FROM {table.id}"
        ).fetchone()
        size = self._execute(
            f"SELECT count(DISTINCT block_id) * (SELECT block_size FROM pragma_database_size())"
            f" FROM pragma_storage_info('{table.id}') WHERE block_id >= 0"
        ).fetchone()
        rows, days, first, last = row or (0, None, None, None)
        return TableSize(table.id, rows, days, first, last, size[0] if size else None)

    def _replace(self, work: Exchange) -> None:
        table, date_column = work.table, work.table.date_column
        stamps = next(iter(work.stamps.values()))
        own = [name for name in table.column_names if name not in stamps]
        given = ", ".join(f"unnest(${name}) AS {name}" for name in stamps)
        dates = {"dates": list(work.stamps)}
        self._execute(f"DELETE FROM {table.id} WHERE {date_column} IN (SELECT unnest($dates))", dates)
        border("exchange.deleted")
        # a scan for some dates passes over blocks of others; sorting one date costs as much as writing it
        order = f" ORDER BY {', '.join((date_column, *table.key))}" if len(work.stamps) > 1 else ""
        self._execute(
            f"INSERT INTO {table.id} BY NAME SELECT {', '.join((*own, *stamps))} FROM stage"
            f" JOIN (SELECT unnest($dates) AS stamped_date, {given}) ON stamped_date = {date_column}{order}",
            dates | {name: [stamp[name] for stamp in work.stamps.values()] for name in stamps},
        )

    def _stored(self, work: Exchange) -> dict[date, Digest]:
        if not work.stamps:
            return {}
        stored = self.digests(work.table.content, {"start_date": min(work.stamps), "end_date": max(work.stamps)})
        return {day: stored.get(day, EMPTY) for day in work.stamps}

    def _run(self, sql: str, params: Params, shape: str = "{}") -> duckdb.DuckDBPyConnection:
        """Execute a statement in GoogleSQL, put into a DuckDB statement of some shape."""
        text = to_duckdb(sql)
        wanted = set(_PARAMETER.findall(text))
        return self._execute(
            shape.replace("{}", text), {name: value for name, value in params.items() if name in wanted}
        )

    def _execute(self, sql: str, params: Params | None = None) -> duckdb.DuckDBPyConnection:
        try:
            with _problems():
                if self._interrupted:
                    raise duckdb.InterruptException
                return self._connection.execute(sql, dict(params or {}))
        except KeyboardInterrupt:
            self._interrupted = False
            raise

    @contextmanager
    def _transaction(self, name: str) -> Iterator[None]:
        """All of it or nothing; part of the one around it, if there is one."""
        if self._in_transaction:
            yield
            return
        self._execute("BEGIN")
        self._in_transaction = True
        try:
            border(f"{name}.begun")
            yield
            border(f"{name}.written")
            self._execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):  # an engine that has failed has rolled back
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._in_transaction = False
        border(f"{name}.committed")


@contextmanager
def _problems() -> Iterator[None]:
    """Say what an engine's error means to the operator."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.Error as error:
        said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        if isinstance(error, duckdb.OutOfMemoryException) or any(sign in str(error) for sign in _NO_ROOM):
            raise WarehouseFull("the warehouse has run out of room", why=said, hint=_FREE_SPACE) from error
        if missing := re.search(r'Table with name "?([\w.]+)"? does not exist', str(error)):
            raise PreconditionFailed(
                f"the warehouse has no table {missing[1]}",
                why="it was made by an earlier version of nbactl, or not by nbactl",
                hint="nbactl reconcile adds the tables that are missing",
            ) from error
        hint = _DAMAGED if any(sign in str(error) for sign in _DAMAGE) else None
        raise WarehouseFailed("the warehouse could not do what was asked of it", why=said, hint=hint) from error
    except RuntimeError as error:
        if str(error) != _INTERRUPTED:
            raise
        raise KeyboardInterrupt from error


class DuckDBWarehouse:
    """A warehouse in one file. See `shared.warehouse.base.Warehouse`.

    Args:
        url: `duckdb:///` and the file's path.
        wait: seconds to wait for another process that holds the file.
    """

    def __init__(self, url: str, *, wait: float = 10.0) -> None:
        self.url = url
        self.path = duckdb_path(url)
        self._wait = wait

    @property
    def absolute_url(self) -> str:
        """The URL that means this file from any directory."""
        return f"duckdb:///{self.path.absolute()}"

    @contextmanager
    def reading(self) -> Iterator[DuckDBSession]:
        """Open the file to read.

        Raises:
            NotFound: there is no such file.
            WarehouseLocked: another process writes, and went on writing; one of another tool's, too.
        """
        self._require()
        deadline = time.monotonic() + self._wait
        with (
            locked(self.path, exclusive=False, wait=self._wait),
            self._open(self.path, read_only=True, deadline=deadline) as connection,
        ):
            yield DuckDBSession(connection)

    @contextmanager
    def writing(self, tables: Iterable[Table], *, must_exist: bool = False) -> Iterator[DuckDBSession]:
        """Open the file to write, making it, unless it must exist, and its tables where they are missing."""
        if must_exist:
            self._require()
        deadline = time.monotonic() + self._wait
        with ExitStack() as opened:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                opened.enter_context(locked(self.path, exclusive=True, wait=self._wait))
                if not self.path.exists():
                    self._make(tables)
                session = DuckDBSession(opened.enter_context(self._open(self.path, read_only=False, deadline=deadline)))
                session.create(tables)
                border("warehouse.ready")
            except OSError as error:
                raise explain_os_error(error, f"cannot write the warehouse {self.path}") from error
            yield session
            border("warehouse.finished")
        border("warehouse.closed")

    @contextmanager
    def copied(self) -> Iterator[DuckDBWarehouse]:
        """A copy of the file in a temporary folder.

        Raises:
            NotFound: there is no such file.
        """
        with tempfile.TemporaryDirectory(prefix="nbactl-", ignore_cleanup_errors=True) as folder:
            copy = Path(folder) / self.path.name
            with self.reading():
                try:
                    # what a killed writer had committed may be in the log alone
                    shutil.copyfile(self.path, copy)
                    if (log := _log(self.path)).exists():
                        shutil.copyfile(log, _log(copy))
                except OSError as error:
                    raise explain_os_error(error, f"could not copy the warehouse to {folder}") from error
            yield DuckDBWarehouse(f"duckdb:///{copy}", wait=self._wait)

    def _require(self) -> None:
        try:
            exists = self.path.exists()
        except OSError as error:
            raise explain_os_error(error, f"cannot open the warehouse {self.path}") from error
        if not exists:
            raise NotFound(
                f"there is no warehouse at {self.path}",
                hint="nbactl data load DIR makes one from a folder of raw tables, nbactl data sample from nothing",
            )

    def _make(self, tables: Iterable[Table]) -> None:
        """Make the file with its tables under another name first: nobody ever finds half of one."""
        draft = self.path.with_name(f"{self.path.name}.new")
        for left in (draft, _log(draft), _log(self.path)):
            left.unlink(missing_ok=True)
        with self._open(draft, read_only=False, deadline=time.monotonic()) as connection:
            DuckDBSession(connection).create(tables)
        border("warehouse.made")
        draft.rename(self.path)

    @contextmanager
    def _open(self, path: Path, *, read_only: bool, deadline: float) -> Iterator[duckdb.DuckDBPyConnection]:
        _require_file(path)
        _require_log(path)
        connection = self._connect(path, read_only=read_only, deadline=deadline)
        border("warehouse.opened")
        with _problems(), connection:
            connection.execute(_SETTINGS)
            yield connection

    def _connect(self, path: Path, *, read_only: bool, deadline: float) -> duckdb.DuckDBPyConnection:
        """Open the file, and until a deadline wait for other tools, which know nothing of our lock."""
        while True:
            try:
                # a file of another kind, such as SQLite's, is no reason to download what could read it
                return duckdb.connect(path, read_only=read_only, config={"autoinstall_known_extensions": "false"})
            except duckdb.Error as error:
                problem = self._explain_unopened(str(error))
                if not isinstance(problem, WarehouseLocked) or time.monotonic() >= deadline:
                    raise problem from error
            time.sleep(_POLL_SECONDS)

    def _explain_unopened(self, text: str) -> NbactlError:
        """Return what to say of a file that DuckDB does not open."""
        message, why = f"cannot open the warehouse {self.path}", text.splitlines()[0]
        if "Could not set lock on file" in text:
            holder = _HOLDER.search(text)
            program, process = (Path(holder["program"]).name, int(holder["process"])) if holder else (None, None)
            return WarehouseLocked(str(self.path), process, program=program, reads=_HOLDER_READS in text)
        if "replaying WAL" in text:
            return _damaged_log(self.path, why)
        for signs, kind, hint in _UNOPENED:
            if any(sign in text for sign in signs):
                return kind(message, why=why, hint=hint.format(path=self.path))
        return NbactlError(message, why=why, hint="is it a DuckDB file? if it was one, put back a copy")


def _require_file(path: Path) -> None:
    """See that what is opened is a file: DuckDB would wait for a pipe for ever.

    Raises:
        UsageError: it is something else.
        NbactlError: it cannot be looked at.
    """
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise explain_os_error(error, f"cannot open the warehouse {path}") from error
    if not stat.S_ISREG(kind):
        what = "a folder" if stat.S_ISDIR(kind) else "no file"
        raise UsageError(f"cannot open the warehouse {path}", why=f"it is {what}", hint="name a file: --warehouse")


def _log(path: Path) -> Path:
    """Where DuckDB keeps what it has committed and not yet put in its place."""
    return path.with_name(f"{path.name}.wal")


def _require_log(path: Path) -> None:
    """See that DuckDB will read what is in the log.

    Raises:
        WarehouseFailed: it would go on without.
        NbactlError: it cannot be looked at.
    """
    log = _log(path)
    try:
        with log.open("rb") as file:
            begins = file.read(len(_LOG))
    except FileNotFoundError:
        return
    except OSError as error:
        raise explain_os_error(error, f"cannot open the warehouse {path}") from error
    if not _LOG.startswith(begins):
        raise _damaged_log(path, "it does not begin as a log does")


def _damaged_log(path: Path, why: str) -> WarehouseFailed:
    """Return what to say where the file is sound, for all that is known, and what was committed last is not."""
    log = _log(path)
    return WarehouseFailed(
        f"the log of the warehouse, {log}, is damaged",
        why=f"{why}\nit holds what was committed since the last checkpoint; without it, that is lost",
        hint=f"put back a copy of both files, or go on without the log:\n"
        f"cp {path} {path}.copy && mv {log} {log}.broken && nbactl reconcile",
    )


# hash() may change with DuckDB: what it makes of a known value tells digests of different kinds apart
_DIGESTS = """
SELECT date, count(*), bit_xor(hashed), sum(hashed), hash({'a': 1, 'b': 'text', 'c': 0.5::DOUBLE}) & 65535
FROM (SELECT r.date, hash(r) AS hashed FROM ({}) AS r)
GROUP BY date
"""

_TABLES = """
SELECT schema_name || '.' || table_name, comment
FROM duckdb_tables()
WHERE NOT internal AND database_name = current_database()
"""


def _layout(table: Table) -> str:
    """A short name for the columns of a table and their types."""
    columns = repr([(column.name, column.type, column.mode) for column in table.columns])
    return f"layout {sha256(columns.encode()).hexdigest()[:16]}"


def _create_statement(table: Table) -> str:
    columns = ", ".join(
        f"{column.name} {duckdb_type(column.type)}{' NOT NULL' if column.mode == 'REQUIRED' else ''}"
        for column in table.columns
    )
    return f"CREATE TABLE {table.id} ({columns})"
