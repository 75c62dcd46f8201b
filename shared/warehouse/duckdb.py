"""The embedded warehouse: one DuckDB file, opened for one unit of work at a time."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import duckdb

from shared import versions
from shared.border import border
from shared.errors import (
    AccessDenied,
    DataError,
    NbactlError,
    NotFound,
    Overtaken,
    PreconditionFailed,
    UsageError,
    WarehouseFailed,
    WarehouseFull,
    WarehouseLocked,
    explain_os_error,
)
from shared.ledger import FENCES, LEDGER_TABLES
from shared.settings import duckdb_path
from shared.tables.model import Table
from shared.warehouse import raw_files
from shared.warehouse.base import EMPTY, Digest, Exchange, Params, Records, Result, TableSize
from shared.warehouse.duckdb_layout import find_differences, require_whole
from shared.warehouse.duckdb_migrate import migrate
from shared.warehouse.duckdb_types import duckdb_type
from shared.warehouse.input_files import LIMITS, FileLimits
from shared.warehouse.lock import lock_file, locked
from shared.warehouse.translate import to_duckdb

# naive time stamps are UTC, in sessions beside too; rows have an order only where a query asks for one
_SETTINGS = "SET GLOBAL TimeZone = 'UTC'; SET preserve_insertion_order = false; SET memory_limit = '1GB'"
_ALIAS = "warehouse"
"""What the engine calls the file: by its own name it could be taken for a dataset."""
_USE = f"USE {_ALIAS}"
_PARAMETER = re.compile(r"\$(\w+)")
_INTERRUPTED = "Query interrupted"
"""What DuckDB makes of Ctrl-C during a statement: a RuntimeError that says so."""
_DAMAGE = ("Corrupt", "Could not read", "Failure while replaying", "database has been invalidated", "INTERNAL Error")
_POLL_SECONDS = 0.05
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) ?\(PID (?P<process>\d+)\)")
_HOLDER_READS = "able to open this database in read-only mode"
"""What DuckDB adds where it is a reader that keeps a writer out."""
_DAMAGED = "the file is damaged: put back a copy, or name a new one with --warehouse and load the raw tables again"
_NOTED_AT = "noted_at"
"""A column that the engine fills: later with every step, whatever the clock does."""
_FREE_SPACE = "free disk space (df -h), then run it again"
_UNOPENED = (
    (("Permission denied", "Read-only file system"), AccessDenied, "see who may write to it: ls -l {path}"),
    (raw_files.NO_ROOM, WarehouseFull, _FREE_SPACE),
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
        self._existing: Collection[str] = ()

    @contextmanager
    def beside(self) -> Iterator[DuckDBSession]:
        """A session for another thread, on the same file."""
        with self._connection.cursor() as connection:
            connection.execute(_USE)
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
                self._move_fence(work)
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
        columns = [
            column
            for column in table.columns
            if column.name != _NOTED_AT and any(record.get(column.name) is not None for record in records)
        ]
        if columns:
            values = ", ".join(f"unnest(${column.name}::{duckdb_type(column.type)}[])" for column in columns)
            names = ", ".join(column.name for column in columns)
            if _NOTED_AT in table.column_names:
                names += f", {_NOTED_AT}"
                values += f", (SELECT greatest(now(), max({_NOTED_AT}) + INTERVAL 1 MICROSECOND) FROM {table.id})"
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

    def load(
        self,
        folder: Path,
        tables: Iterable[Table],
        *,
        announce: bool = False,
        shrink: bool = False,
        limits: FileLimits = LIMITS,
    ) -> raw_files.Loaded:
        """Replace the dates that a folder of raw files holds; all of it or, where anything is wrong, nothing.

        Args:
            folder: of raw files.
            tables: that it may hold.
            announce: whether table-dates that change owe an event.
            shrink: whether games that have been played may lose all their rows.
            limits: the most that one file may hold.

        Raises:
            DataError: what is wrong, each with table, column and example.
            GamesLost: games would lose all their rows, and may not.
        """
        with _problems():
            loaded = raw_files.stage(self._connection, folder, tables, limits)
        border("load.staged")
        with self._transaction("load"), _problems():
            replaced = raw_files.replace(self._connection, loaded, shrink=shrink)
            border("load.replaced")
            changed = {
                table.name: versions.renew(self, table, dates, announce=announce)
                for table, dates in replaced.dates.items()
            }
        return replace(loaded, odd=loaded.odd + replaced.odd, changed=changed, lost=replaced.lost)

    def create(self, tables: Iterable[Table]) -> None:
        """Create the tables that are missing, and bring those of an earlier version up to date.

        Raises:
            PreconditionFailed: a table is there with other columns than the contract's.
        """
        declared = {table.id: table for table in (FENCES, *tables)}.values()
        there = self._tables()
        missing = [table for table in declared if table.id not in there]
        outdated = _find_outdated(declared, there)
        self._existing = there.keys() | {table.id for table in missing}
        if missing or outdated:
            with self._transaction("create"):
                for table in missing:
                    self._create(table)
                for table in outdated:
                    migrate(self._connection, table)
                    self._note_layout(table)

    def outdated(self, tables: Iterable[Table]) -> list[Table]:
        """Those of some tables that an earlier version made."""
        return _find_outdated(tables, self._tables())

    def check(self, tables: Iterable[Table]) -> None:
        """See that the file is whole, and that tables are as declared, or will be made so by whoever writes.

        Raises:
            WarehouseFailed: the file is damaged.
            DataError: they are not; carries the findings.
        """
        declared = list(tables)
        outdated = {table.id for table in self.outdated(declared)}
        with _problems():
            require_whole(self._connection)
            if differences := list(find_differences(self._connection, declared, outdated)):
                raise DataError(
                    "the warehouse has not the tables that this version needs",
                    differences,
                    hint="name a new warehouse with --warehouse and load the raw tables again",
                )

    def tables(self) -> Collection[str]:
        """The qualified names of the tables that exist."""
        # who writes has just seen to them, and nobody else makes any meanwhile
        return self._existing or self._tables().keys()

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
        self._note_layout(table)
        self.insert(table, [dict(zip(table.column_names, row, strict=True)) for row in table.constant])

    def _note_layout(self, table: Table) -> None:
        self._execute(f"COMMENT ON TABLE {table.id} IS '{_layout(table)}'")

    def _size(self, table: Table) -> TableSize:
        dates = f"count(DISTINCT {table.partition}), min({table.partition}), max({table.partition})"
        row = self._execute(
            f"SELECT count(*), {dates if table.partition else 'NULL, NULL, NULL'} FROM {table.id}"
        ).fetchone()
        size = self._execute(
            "SELECT count(DISTINCT block_id)"
            " * (SELECT block_size FROM pragma_database_size() WHERE database_name = current_database())"
            f" FROM pragma_storage_info('{table.id}') WHERE block_id >= 0"
        ).fetchone()
        rows, days, first, last = row or (0, None, None, None)
        return TableSize(table.id, rows, days, first, last, size[0] if size else None)

    def _move_fence(self, work: Exchange) -> None:
        """Move the fence of a table on by one, from where whoever made the rows had seen it."""
        values = {"name": work.table.name, "seen": work.fence}
        text = f"UPDATE {FENCES.id} SET sequence = sequence + 1 WHERE output_table = $name AND sequence = $seen"
        try:
            if self._execute(text, values).fetchone() == (1,):
                return
        except WarehouseFailed as error:
            if isinstance(error.__cause__, duckdb.TransactionException):
                raise Overtaken(f"somebody else is writing {work.table.id}", why=error.why) from error
            raise
        known = self._execute(f"SELECT sequence FROM {FENCES.id} WHERE output_table = $name", {"name": work.table.name})
        if known.fetchone() or work.fence:
            raise Overtaken(f"somebody else has written {work.table.id}", why="its inputs may have changed since")
        self.insert(FENCES, [{"output_table": work.table.name, "sequence": 1}])

    def _replace(self, work: Exchange) -> None:
        table, date_column = work.table, work.table.date_column
        stamps = next(iter(work.stamps.values()))
        own = [name for name in table.column_names if name not in stamps]
        given = ", ".join(f"unnest(${name}) AS {name}" for name in stamps)
        dates = {"dates": list(work.stamps)}
        values = dates | {name: [stamp[name] for stamp in work.stamps.values()] for name in stamps}
        others, kept = "", {"kept": list(work.kept)} if work.kept else {}
        if work.kept:
            others = " AND game_id NOT IN (SELECT unnest($kept))"
            assigned = ", ".join(f"{name} = stamp.{name}" for name in stamps)
            self._execute(
                f"UPDATE {table.id} SET {assigned} FROM (SELECT unnest($dates) AS stamped_date, {given}) AS stamp"
                f" WHERE stamped_date = {date_column} AND game_id IN (SELECT unnest($kept))",
                values | kept,
            )
        self._execute(f"DELETE FROM {table.id} WHERE {date_column} IN (SELECT unnest($dates)){others}", dates | kept)
        border("exchange.deleted")
        # a scan for some dates passes over blocks of others; sorting one date costs as much as writing it
        order = f" ORDER BY {', '.join((date_column, *table.key))}" if len(work.stamps) > 1 else ""
        self._execute(
            f"INSERT INTO {table.id} BY NAME SELECT {', '.join((*own, *stamps))} FROM stage"
            f" JOIN (SELECT unnest($dates) AS stamped_date, {given}) ON stamped_date = {date_column}{others}{order}",
            values | kept,
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
        if isinstance(error, duckdb.OutOfMemoryException) or any(sign in str(error) for sign in raw_files.NO_ROOM):
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
        with ExitStack() as opened:
            session = self._open_to_read(opened, self._wait)
            if outdated := session.outdated(LEDGER_TABLES):
                opened.close()
                with self.writing(outdated):
                    pass
                session = self._open_to_read(opened, self._wait)
            yield session

    def _open_to_read(self, opened: ExitStack, wait: float) -> DuckDBSession:
        deadline = time.monotonic() + wait
        opened.enter_context(locked(self.path, exclusive=False, wait=wait))
        return DuckDBSession(opened.enter_context(self._open(self.path, read_only=True, deadline=deadline)))

    @contextmanager
    def writing(self, tables: Iterable[Table], *, must_exist: bool = False) -> Iterator[DuckDBSession]:
        """Open the file to write, making it, unless it must exist, and its tables where they are missing."""
        if must_exist:
            self._require()
        deadline = time.monotonic() + self._wait
        with ExitStack() as opened:
            try:
                opened.enter_context(_tidied(self.path.parent))
                opened.enter_context(locked(self.path, exclusive=True, wait=self._wait))
                path = self.path if self.path.exists() else opened.enter_context(self._draft())
                session = DuckDBSession(opened.enter_context(self._open(path, read_only=False, deadline=deadline)))
                # nobody else has the file: whoever left this is dead
                shutil.rmtree(_temporary(path), ignore_errors=True)
                session.create(tables)
                border("warehouse.ready")
            except OSError as error:
                raise explain_os_error(error, f"cannot write the warehouse {self.path}") from error
            yield session
            border("warehouse.finished")
        border("warehouse.closed")

    @contextmanager
    def inspecting(self, tables: Iterable[Table]) -> Iterator[DuckDBSession]:
        """Open the file to read, if its tables could be read and written now; no writer is waited for.

        Raises:
            NotFound: there is no such file.
            WarehouseLocked: somebody writes.
            AccessDenied: we may not write.
            PreconditionFailed: it cannot be locked.
            WarehouseFailed: it is damaged.
            DataError: tables are not as declared, nor will be made so by whoever writes; carries the findings.
        """
        self._require()
        self._require_writable()
        with ExitStack() as opened:
            session = self._open_to_read(opened, 0)
            session.check(tables)
            yield session

    def _require_writable(self) -> None:
        for path in (self.path, self.path.parent, lock_file(self.path)):
            if path.exists() and not os.access(path, os.W_OK):
                raise AccessDenied(
                    f"cannot write the warehouse {self.path}",
                    why=f"{path} is not ours to write",
                    hint=f"see who may write to it: ls -ld {path}",
                )
        if lock_file(self.path).is_dir():
            raise PreconditionFailed(
                f"cannot lock the warehouse {self.path}",
                why=f"{lock_file(self.path)} is a folder, and must be a file",
                hint=f"rmdir {lock_file(self.path)}",
            )

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

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        """Where a new warehouse is made: it gets its name when it is done, or nothing is left of it."""
        draft = self.path.with_name(f"{self.path.name}.new")
        _remove(draft, _log(self.path))
        try:
            yield draft
            border("warehouse.made")
            if _log(draft).exists():  # what could not be put in its place
                _log(draft).rename(_log(self.path))
            draft.rename(self.path)
        except BaseException:
            _remove(draft, lock_file(self.path))
            raise

    @contextmanager
    def _open(self, path: Path, *, read_only: bool, deadline: float) -> Iterator[duckdb.DuckDBPyConnection]:
        _require_file(path)
        _require_log(path)
        connection = self._connect(path.absolute(), read_only=read_only, deadline=deadline)
        with closing(connection):
            border("warehouse.opened")
            with _problems():
                connection.execute(f"{_USE}; {_SETTINGS}")
                yield connection

    def _connect(self, path: Path, *, read_only: bool, deadline: float) -> duckdb.DuckDBPyConnection:
        """Open the file, and until a deadline wait for other tools, which know nothing of our lock.

        The path is absolute: so none begins with what an engine takes for a home, or for another engine's name.
        """
        mode = "READ_ONLY" if read_only else "READ_WRITE"
        quoted = str(path).replace("'", "''")
        # threads share one engine by its name: with one each, the first to close the file would end all their locks
        name = f":memory:{sha256(os.fsencode(path)).hexdigest()}{mode}"
        # a file of another kind, such as SQLite's, is no reason to download what could read it
        config: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": str(_temporary(path)),
            "autoinstall_known_extensions": False,
        }
        with ExitStack() as opened:
            connection = opened.enter_context(closing(duckdb.connect(name, config=config)))
            while True:
                try:
                    connection.execute(f"ATTACH IF NOT EXISTS '{quoted}' AS {_ALIAS} ({mode})")
                except duckdb.Error as error:
                    problem = self._explain_unopened(str(error))
                    if not isinstance(problem, WarehouseLocked) or time.monotonic() >= deadline:
                        raise problem from error
                else:
                    opened.pop_all()
                    return connection
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


def _temporary(path: Path) -> Path:
    """Where DuckDB puts what does not fit into memory."""
    return path.with_name(f"{path.name}.tmp")


def _remove(path: Path, *others: Path) -> None:
    """Remove a warehouse that nobody will use, and some other files."""
    for file in (path, _log(path), *others):
        file.unlink(missing_ok=True)
    shutil.rmtree(_temporary(path), ignore_errors=True)


@contextmanager
def _tidied(folder: Path) -> Iterator[None]:
    """Remove the folders that were missing at first, where what is done there comes to nothing."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        yield
    except BaseException:
        with suppress(OSError):  # it holds something after all
            for parent in missing:
                parent.rmdir()
        raise


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


def _find_outdated(tables: Iterable[Table], there: Mapping[str, str | None]) -> list[Table]:
    """Those of some tables whose layout, by the note on it, is not the declared one."""
    return [table for table in tables if table.id in there and there[table.id] != _layout(table)]


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
