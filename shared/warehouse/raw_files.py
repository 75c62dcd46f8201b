"""Raw tables from files: a folder with one file, or one folder of files, per table.

Every value is read as it stands and cast to its declared type here, so that a value that does not fit is named with
its file and row instead of becoming NULL or stopping the reader. Nothing is written until all of the folder is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from shared.clock import DateRange
from shared.errors import DataError, Finding
from shared.tables.model import Column, Table
from shared.warehouse import raw_checks
from shared.warehouse.duckdb_types import duckdb_type

_READERS: dict[str, Callable[[str], str]] = {
    ".parquet": lambda files: (
        "SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS _row"
        f" FROM read_parquet({files}, filename = true, file_row_number = true, union_by_name = true)"
    ),
    # as JSON, then as text: a guessed type would change "12:30" and spoil a text among which one is a number
    ".ndjson": lambda files: _numbered(
        "SELECT filename, COLUMNS(* EXCLUDE (filename)) ->> '$'"
        f" FROM read_json({files}, format = 'newline_delimited', filename = true, union_by_name = true,"
        " sample_size = -1, maximum_depth = 1)"
    ),
    ".csv": lambda files: _numbered(
        f"SELECT * FROM read_csv({files}, header = true, all_varchar = true, filename = true, union_by_name = true,"
        """ delim = ',', quote = '"', escape = '"')"""
    ),
}
_READERS[".jsonl"] = _READERS[".ndjson"]


@dataclass(frozen=True, slots=True)
class Staged:
    """One table of the folder, read and right.

    Attributes:
        table: its contract.
        rows: rows to write.
        dates: distinct dates that they replace.
        absent: nullable columns that the files lack.
    """

    table: Table
    rows: int
    dates: int
    absent: tuple[str, ...]

    @property
    def name(self) -> str:
        """The temporary table that holds it."""
        return f"staged_{self.table.name}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a folder gave.

    Attributes:
        staged: the tables found.
        absent: the contract's tables that the folder lacks.
        ignored: files that are no table.
        odd: what is loaded and looks wrong.
        changed: by table, the dates whose content is another than before.
    """

    staged: tuple[Staged, ...]
    absent: tuple[Table, ...]
    ignored: tuple[str, ...]
    odd: tuple[Finding, ...]
    changed: Mapping[str, Sequence[date]] = field(default_factory=dict)


def stage(connection: duckdb.DuckDBPyConnection, folder: Path, tables: Iterable[Table]) -> Loaded:
    """Read every table of a folder into temporary tables.

    Raises:
        DataError: the folder is missing or holds no table, or its rows break their contract.
    """
    tables = tuple(tables)
    found = {table: files for table in tables if (files := _files(folder, table.name))}
    names = {table.name for table in tables}
    ignored = tuple(
        sorted(path.name for path in folder.iterdir() if path.name.split(".")[0] not in names)
        if folder.is_dir()
        else ()
    )
    if not found:
        raise DataError(
            f"{folder} holds no raw table",
            [],
            why="it is no folder" if not folder.is_dir() else f"none of {', '.join(sorted(names))} is in it",
            hint="name a folder that holds nbac_schedule.parquet, nbac_team_boxscore.parquet and so on",
        )
    findings: list[Finding] = []
    odd: list[Finding] = []
    staged = [_stage_table(connection, table, files, findings, odd) for table, files in found.items()]
    if findings:
        raise DataError(f"{folder}: nothing is loaded", findings, hint="mend the files and load them again")
    absent = tuple(table for table in tables if table not in found)
    return Loaded(tuple(one for one in staged if one), absent, ignored, tuple(odd))


def replace(
    connection: duckdb.DuckDBPyConnection, loaded: Loaded
) -> tuple[dict[Table, DateRange], tuple[Finding, ...]]:
    """Swap the dates that the staged tables hold into the warehouse; the caller's transaction makes it one step.

    Returns:
        By table, the game dates between which rows came or went; and what does not fit together between tables.

    Raises:
        DataError: a game stands the other way round in the schedule.
    """
    tables = [one.table for one in loaded.staged]
    touched = {}
    for one in loaded.staged:
        table, column = one.table, one.table.date_column
        going = f"FROM {table.id} WHERE {column} IN (SELECT DISTINCT {column} FROM {one.name})"
        first, last = raw_checks.one_row(
            connection,
            "SELECT min(game_date), max(game_date)"
            f" FROM (SELECT game_date FROM {one.name} UNION ALL SELECT game_date {going})",
        )
        if first:
            touched[table] = DateRange(first, last)
        connection.execute(f"DELETE {going}")
        order = ", ".join((column, *table.key))
        connection.execute(f"INSERT INTO {table.id} BY NAME SELECT * FROM {one.name} ORDER BY {order}")
    if findings := list(raw_checks.reversed_games(connection, tables)):
        raise DataError("nothing is loaded", findings, hint="mend the files and load them again")
    return touched, tuple(raw_checks.oddities(connection, tables))


def _files(folder: Path, name: str) -> list[Path]:
    """The files of a table: `name.*` or everything in the folder `name`."""
    candidates = [*folder.glob(f"{name}.*"), *(folder / name).glob("**/*")]
    return sorted(path for path in candidates if path.is_file() and _suffix(path) in _READERS)


def _suffix(path: Path) -> str:
    return next((suffix for suffix in reversed([one.lower() for one in path.suffixes]) if suffix != ".gz"), "")


def _stage_table(
    connection: duckdb.DuckDBPyConnection, table: Table, files: list[Path], findings: list[Finding], odd: list[Finding]
) -> Staged | None:
    wrong, present = _read(connection, table, files)
    wrong = wrong or list(raw_checks.check_values(connection, table, present))
    if not wrong:
        _cast(connection, table, present)
        wrong = list(raw_checks.check_rows(connection, table))
    if wrong:
        findings += wrong
        return None
    name = f"staged_{table.name}"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * EXCLUDE (_file, _row) FROM cast_rows")
    rows, dates = raw_checks.one_row(connection, f"SELECT count(*), count(DISTINCT {table.date_column}) FROM {name}")
    absent = tuple(column.name for column in table.columns if column.name not in present)
    if not rows:
        odd.append(Finding(table.name, "there are no rows", example=str(files[0])))
    odd += raw_checks.broken_rules(connection, table, table.expects)
    return Staged(table, rows, dates, absent)


def _read(connection: duckdb.DuckDBPyConnection, table: Table, files: list[Path]) -> tuple[list[Finding], set[str]]:
    """Read the files as they stand into `raw_rows`; return what is wrong, and the columns that they have."""
    parts = []
    for suffix in sorted({_suffix(path) for path in files}):
        listed = [str(path) for path in files if _suffix(path) == suffix]
        quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in listed)
        parts.append(_READERS[suffix](f"[{quoted}]"))
    try:
        # a row's number means something only while rows keep the order of their file
        connection.execute("SET preserve_insertion_order = true")
        connection.execute("CREATE OR REPLACE TEMP TABLE raw_rows AS " + " UNION ALL BY NAME ".join(parts))
    except duckdb.Error as error:
        reason = next(line for line in str(error).splitlines() if line)
        named = reason if any(path.name in reason for path in files) else f"{files[0]}: {reason}"
        return [Finding(table.name, f"cannot be read: {named}")], set()
    finally:
        connection.execute("SET preserve_insertion_order = false")
    present = {row[0] for row in connection.execute("DESCRIBE raw_rows").fetchall()}
    lacking = [
        Finding(table.name, f"the column is missing in {files[0]}", column.name)
        for column in table.columns
        if column.mode == "REQUIRED" and column.name not in present
    ]
    return lacking, present


def _numbered(rows: str) -> str:
    """Rows with their number in their file; only a window without partition keeps the order of reading."""
    return (
        "SELECT * EXCLUDE (_number), _number - min(_number) OVER (PARTITION BY filename) + 1 AS _row"
        f" FROM (SELECT *, row_number() OVER () AS _number FROM ({rows}))"
    )


def _cast(connection: duckdb.DuckDBPyConnection, table: Table, present: set[str]) -> None:
    def declared(column: Column) -> str:
        value = raw_checks.value(column) if column.name in present else "NULL"
        return f"{value}::{duckdb_type(column.type)} AS {column.name}"

    values = ", ".join(map(declared, table.columns))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE cast_rows AS SELECT {values}, filename AS _file, _row FROM raw_rows"
    )
