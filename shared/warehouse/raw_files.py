"""Raw tables from files: a folder with one file, or one folder of files, per table.

Every value is read as it stands and cast to its declared type here, so that a value that does not fit is named with
its file and row instead of becoming NULL or stopping the reader. Nothing is written until all of the folder is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from shared.errors import DataError, Finding
from shared.tables.model import Column, Table

_TYPES = {"TIMESTAMP": "TIMESTAMPTZ", "ARRAY<INT64>": "BIGINT[]", "INT64": "BIGINT", "FLOAT64": "DOUBLE"}
_READERS: dict[str, Callable[[str], str]] = {
    ".parquet": lambda files: f"read_parquet({files}, filename = true, union_by_name = true)",
    ".ndjson": lambda files: (
        f"read_json({files}, format = 'newline_delimited', filename = true, union_by_name = true,"
        " sample_size = -1, convert_strings_to_integers = false)"
    ),
    ".csv": lambda files: (
        f"read_csv({files}, header = true, all_varchar = true, filename = true, union_by_name = true)"
    ),
}
_READERS[".jsonl"] = _READERS[".ndjson"]
_EXAMPLES = 3


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
    """

    staged: tuple[Staged, ...]
    absent: tuple[Table, ...]
    ignored: tuple[str, ...]


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
    staged = [_stage_table(connection, table, files, findings) for table, files in found.items()]
    if findings:
        raise DataError(f"{folder}: nothing is loaded", findings, hint="mend the files and load them again")
    return Loaded(tuple(one for one in staged if one), tuple(table for table in tables if table not in found), ignored)


def replace(connection: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    """Swap the dates that a staged table holds into the warehouse."""
    table = staged.table
    date = table.date_column
    connection.execute(f"DELETE FROM {table.id} WHERE {date} IN (SELECT DISTINCT {date} FROM {staged.name})")
    order = ", ".join((date, *table.key))
    connection.execute(f"INSERT INTO {table.id} BY NAME SELECT * FROM {staged.name} ORDER BY {order}")
    connection.execute(f"DROP TABLE {staged.name}")


def _files(folder: Path, name: str) -> list[Path]:
    """The files of a table: `name.*` or everything in the folder `name`."""
    candidates = [*folder.glob(f"{name}.*"), *(folder / name).glob("**/*")]
    return sorted(path for path in candidates if path.is_file() and _suffix(path) in _READERS)


def _suffix(path: Path) -> str:
    return next((suffix for suffix in reversed(path.suffixes) if suffix != ".gz"), "")


def _stage_table(
    connection: duckdb.DuckDBPyConnection, table: Table, files: list[Path], findings: list[Finding]
) -> Staged | None:
    before = len(findings)
    present = _read(connection, table, files, findings)
    if len(findings) == before:
        _check_values(connection, table, present, findings)
    if len(findings) == before:
        _cast(connection, table, present)
        _check_rows(connection, table, findings)
    if len(findings) > before:
        return None
    name = f"staged_{table.name}"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * EXCLUDE (_file, _row) FROM cast_rows")
    rows, dates = _one(connection, f"SELECT count(*), count(DISTINCT {table.date_column}) FROM {name}")
    absent = tuple(column.name for column in table.columns if column.name not in present)
    return Staged(table, rows, dates, absent)


def _read(connection: duckdb.DuckDBPyConnection, table: Table, files: list[Path], findings: list[Finding]) -> set[str]:
    """Read the files as they stand into `raw_rows`; return the contract's columns that they have."""
    parts = []
    for suffix in {_suffix(path) for path in files}:
        listed = [str(path) for path in files if _suffix(path) == suffix]
        quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in listed)
        parts.append(
            f"SELECT *, row_number() OVER (PARTITION BY filename) AS _row FROM {_READERS[suffix](f'[{quoted}]')}"
        )
    try:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute("CREATE OR REPLACE TEMP TABLE raw_rows AS " + " UNION ALL BY NAME ".join(parts))
    except duckdb.Error as error:
        findings.append(Finding(table.name, f"cannot be read: {str(error).splitlines()[0]}"))
        return set()
    finally:
        connection.execute("SET preserve_insertion_order = false")
    present = {row[0] for row in connection.execute("DESCRIBE raw_rows").fetchall()}
    findings.extend(
        Finding(table.name, "the column is missing", column.name)
        for column in table.columns
        if column.mode == "REQUIRED" and column.name not in present
    )
    return present


def _check_values(
    connection: duckdb.DuckDBPyConnection, table: Table, present: set[str], findings: list[Finding]
) -> None:
    """Report values that are not of their declared type, or missing where they must not be."""
    columns = [column for column in table.columns if column.name in present]
    faults = ", ".join(f"count_if({_misfit(column)}), count_if({_missing(column)})" for column in columns)
    numbers = _one(connection, f"SELECT {faults} FROM raw_rows")
    for column, misfits, missing in zip(columns, numbers[::2], numbers[1::2], strict=True):
        if misfits:
            problem = f"{misfits} of its values are no {column.type}"
            findings.append(Finding(table.name, problem, column.name, _example(connection, column, _misfit(column))))
        if missing:
            problem = f"{missing} rows have no value, and every row must"
            findings.append(Finding(table.name, problem, column.name, _example(connection, column, _missing(column))))


def _check_rows(connection: duckdb.DuckDBPyConnection, table: Table, findings: list[Finding]) -> None:
    """Report rows that break a rule of the table, and keys that stand twice in one load."""
    for problem, condition in table.accepts:
        rows = connection.execute(
            f"SELECT _file, _row, count(*) OVER () FROM cast_rows WHERE NOT coalesce({condition}, true) LIMIT 1"
        ).fetchall()
        for file, row, count in rows:
            findings.append(Finding(table.name, f"{count} rows: {problem}", example=f"{file}, row {row}"))
    key = ", ".join(table.key)
    doubled = connection.execute(
        f"SELECT concat_ws(', ', {', '.join(f'{name}::VARCHAR' for name in table.key)}), count(*) OVER ()"
        f" FROM cast_rows WHERE {' AND '.join(f'{name} IS NOT NULL' for name in table.key)}"
        f" GROUP BY {key}, processed_at HAVING count(*) > 1 LIMIT 1"
    ).fetchall()
    findings.extend(
        Finding(table.name, f"{count} keys stand twice in one load", key, example) for example, count in doubled
    )


def _cast(connection: duckdb.DuckDBPyConnection, table: Table, present: set[str]) -> None:
    values = ", ".join(
        f"{_value(column) if column.name in present else f'NULL::{_type(column)}'} AS {column.name}"
        for column in table.columns
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE cast_rows AS SELECT {values}, filename AS _file, _row FROM raw_rows"
    )


def _type(column: Column) -> str:
    return _TYPES.get(column.type, column.type if column.type != "STRING" else "VARCHAR")


def _value(column: Column) -> str:
    """The value as declared; an empty text is no value, as CSV cannot tell them apart."""
    name = f'"{column.name}"'
    text = f"nullif({name}::VARCHAR, '')"
    if column.type == "STRING":
        return text
    if column.type.startswith("ARRAY"):
        return f"TRY_CAST({name} AS {_type(column)})"
    if column.type == "INT64":
        # a file that holds 3.7 where a count belongs is wrong, and rounding would hide it
        return f"CASE WHEN regexp_matches({text}, '^[-+]?[0-9]+(\\.0*)?$') THEN TRY_CAST({name} AS BIGINT) END"
    return f"TRY_CAST({text} AS {_type(column)})"


def _misfit(column: Column) -> str:
    present = f"nullif(\"{column.name}\"::VARCHAR, '') IS NOT NULL"
    infinite = f" OR NOT isfinite({_value(column)})" if column.type == "FLOAT64" else ""
    return f"{present} AND ({_value(column)} IS NULL{infinite})"


def _missing(column: Column) -> str:
    return f"nullif(\"{column.name}\"::VARCHAR, '') IS NULL" if column.mode == "REQUIRED" else "false"


def _example(connection: duckdb.DuckDBPyConnection, column: Column, condition: str) -> str:
    value, file, row = _one(
        connection, f'SELECT "{column.name}"::VARCHAR, filename, _row FROM raw_rows WHERE {condition} LIMIT 1'
    )
    return f"{value!r} in {file}, row {row}" if value is not None else f"{file}, row {row}"


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = connection.execute(sql).fetchone()
    return row or ()
