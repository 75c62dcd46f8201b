"""The embedded warehouse: one DuckDB file, opened for one unit of work at a time."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from shared.errors import NbactlError, NotFound, PreconditionFailed
from shared.settings import duckdb_path
from shared.tables.model import Table
from shared.warehouse import raw_files
from shared.warehouse.base import Exchange, Params, Result, TableSize
from shared.warehouse.duckdb_types import duckdb_type
from shared.warehouse.lock import locked
from shared.warehouse.translate import to_duckdb

_PARAMETER = re.compile(r"\$(\w+)")


class DuckDBSession:
    """One open connection. See `shared.warehouse.base.Session`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def query(self, sql: str, params: Params | None = None) -> Result:
        """The rows of a SELECT in GoogleSQL."""
        cursor = self._run(sql, params or {})
        return Result(tuple(column[0] for column in cursor.description or ()), cursor.fetchall())

    def stage(self, sql: str, params: Params) -> None:
        """Compute a SELECT in GoogleSQL into the temporary table `stage`."""
        self._run(sql, params, prefix="CREATE OR REPLACE TEMP TABLE stage AS ")

    def execute(self, sql: str, params: Params) -> None:
        """Carry out a DELETE, UPDATE or INSERT in GoogleSQL."""
        self._run(sql, params)

    def exchange(self, work: Exchange) -> None:
        """Replace the stamped dates of a table by their staged rows, and write the ledger, or do neither."""
        table, date_column = work.table, work.table.date_column
        stamps = next(iter(work.stamps.values()), {})
        own = [name for name in table.column_names if name not in stamps]
        with self._transaction():
            if work.stamps:
                self._stamp(work.stamps)
                self._connection.execute(
                    f"DELETE FROM {table.id} WHERE {date_column} IN (SELECT stamped_date FROM stamps)"
                )
                self._connection.execute(
                    f"INSERT INTO {table.id} BY NAME SELECT {', '.join((*own, *stamps))} FROM stage"
                    f" JOIN stamps ON stamped_date = {date_column} ORDER BY {', '.join((date_column, *table.key))}"
                )
            self.insert(*work.ledger)

    def insert(self, table: Table, records: Sequence[Mapping[str, Any]]) -> None:
        """Append rows, given by column name; columns that a record lacks are NULL."""
        columns = [column for column in table.columns if any(column.name in record for record in records)]
        if columns:
            values = ", ".join(f"unnest(${column.name}::{duckdb_type(column.type)}[])" for column in columns)
            names = ", ".join(column.name for column in columns)
            self._connection.execute(
                f"INSERT INTO {table.id} ({names}) SELECT {values}",
                {column.name: [record.get(column.name) for record in records] for column in columns},
            )

    def load(self, folder: Path, tables: Iterable[Table]) -> raw_files.Loaded:
        """Replace the dates that a folder of raw files holds; all of it or, where anything is wrong, nothing.

        Raises:
            DataError: what is wrong, each with table, column and example.
        """
        loaded = raw_files.stage(self._connection, folder, tables)
        with self._transaction():
            odd = raw_files.replace(self._connection, loaded)
        return replace(loaded, odd=loaded.odd + odd)

    def create(self, tables: Iterable[Table]) -> None:
        """Create the tables that are missing.

        Raises:
            PreconditionFailed: a table is there with other columns than the contract's.
        """
        there = self._columns()
        for table in tables:
            if table.id not in there:
                self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table.dataset}")
                self._connection.execute(_create_statement(table))
                self.insert(table, [dict(zip(table.column_names, row, strict=True)) for row in table.content])
            elif there[table.id] != list(table.column_names):
                raise PreconditionFailed(
                    f"{table.id} was made by another version of nbactl",
                    why="its columns are not those of this version",
                    hint="name a new warehouse with --warehouse and load the raw tables again",
                )

    def sizes(self, tables: Iterable[Table]) -> list[TableSize]:
        """What each existing table holds; bytes are whole blocks on disk."""
        there = self._columns()
        return [self._size(table) for table in tables if table.id in there]

    def _columns(self) -> dict[str, list[str]]:
        """The tables that exist, and their columns."""
        found: dict[str, list[str]] = {}
        for table, column in self._connection.execute(_COLUMNS).fetchall():
            found.setdefault(table, []).append(column)
        return found

    def _size(self, table: Table) -> TableSize:
        dates = f"count(DISTINCT {table.partition}), min({table.partition}), max({table.partition})"
        row = self._connection.execute(
            f"SELECT count(*), {dates if table.partition else 'NULL, NULL, NULL'} FROM {table.id}"
        ).fetchone()
        size = self._connection.execute(
            f"SELECT count(DISTINCT block_id) * (SELECT block_size FROM pragma_database_size())"
            f" FROM pragma_storage_info('{table.id}') WHERE block_id >= 0"
        ).fetchone()
        rows, days, first, last = row or (0, None, None, None)
        return TableSize(table.id, rows, days, first, last, size[0] if size else None)

    def _stamp(self, stamps: Mapping[Any, Mapping[str, Any]]) -> None:
        names = list(next(iter(stamps.values())))
        columns = "".join(f", unnest(${name}) AS {name}" for name in names)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE stamps AS SELECT unnest($dates) AS stamped_date{columns}",
            {"dates": list(stamps), **{name: [stamp[name] for stamp in stamps.values()] for name in names}},
        )

    def _run(self, sql: str, params: Params, prefix: str = "") -> duckdb.DuckDBPyConnection:
        text = to_duckdb(sql)
        wanted = set(_PARAMETER.findall(text))
        return self._connection.execute(
            prefix + text, {name: value for name, value in params.items() if name in wanted}
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


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

    @contextmanager
    def reading(self) -> Iterator[DuckDBSession]:
        """Open the file to read.

        Raises:
            NotFound: there is no such file.
            WarehouseLocked: another process writes, and went on writing.
        """
        self._require()
        with locked(self.path, exclusive=False, wait=self._wait), self._open(read_only=True) as connection:
            yield DuckDBSession(connection)

    @contextmanager
    def writing(self, tables: Iterable[Table], *, must_exist: bool = False) -> Iterator[DuckDBSession]:
        """Open the file to write, making it, unless it must exist, and its tables where they are missing."""
        if must_exist:
            self._require()
        with ExitStack() as opened:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                opened.enter_context(locked(self.path, exclusive=True, wait=self._wait))
                session = DuckDBSession(opened.enter_context(self._open(read_only=False)))
                session.create(tables)
            except OSError as error:
                raise NbactlError(
                    f"cannot write the warehouse {self.path}",
                    why=str(error),
                    hint="check the folder, or --warehouse",
                ) from error
            yield session

    @contextmanager
    def copied(self) -> Iterator[DuckDBWarehouse]:
        """A copy of the file in a temporary folder.

        Raises:
            NotFound: there is no such file.
        """
        with tempfile.TemporaryDirectory(prefix="nbactl-") as folder:
            copy = Path(folder) / self.path.name
            with self.reading():
                # what a killed writer had committed may be in the log alone
                for name in (self.path.name, f"{self.path.name}.wal"):
                    if (path := self.path.with_name(name)).exists():
                        shutil.copyfile(path, copy.with_name(name))
            yield DuckDBWarehouse(f"duckdb:///{copy}", wait=self._wait)

    def _require(self) -> None:
        if not self.path.exists():
            raise NotFound(
                f"there is no warehouse at {self.path}",
                hint="nbactl data load DIR makes one from a folder of raw tables, nbactl data sample from nothing",
            )

    @contextmanager
    def _open(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            connection = duckdb.connect(self.path, read_only=read_only)
        except duckdb.Error as error:
            raise NbactlError(
                f"cannot open the warehouse {self.path}", why=str(error), hint="is it a DuckDB file?"
            ) from error
        with connection:
            # naive time stamps are UTC; rows have an order only where a query asks for one
            connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET memory_limit = '1GB'")
            yield connection


_COLUMNS = """
SELECT schema_name || '.' || table_name, column_name
FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database()
ORDER BY column_index
"""


def _create_statement(table: Table) -> str:
    columns = ", ".join(
        f"{column.name} {duckdb_type(column.type)}{' NOT NULL' if column.mode == 'REQUIRED' else ''}"
        for column in table.columns
    )
    return f"CREATE TABLE {table.id} ({columns})"
