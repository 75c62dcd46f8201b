"""Whether the tables of a DuckDB file are as they are declared, by the engine's own word and not by ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import duckdb

from shared.errors import Finding, WarehouseFailed
from shared.tables.model import Column, Table
from shared.warehouse.duckdb_types import duckdb_type

_HEADER_BYTES = 3 * 4096
"""What comes before the first block of a file."""

_COLUMNS = """SELECT schema_name || '.' || table_name, column_name, data_type, is_nullable
FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database()
ORDER BY column_index"""
_VIEWS = """SELECT schema_name || '.' || view_name
FROM duckdb_views()
WHERE NOT internal AND database_name = current_database()"""
# blocks that are free may be at the end, and not in the file at all
_BLOCKS = """SELECT path, used_blocks * block_size
FROM pragma_database_size() AS size JOIN duckdb_databases() AS file USING (database_name)
WHERE database_name = current_database()"""

_Layout = Mapping[str, tuple[str, bool]]
"""Column name -> DuckDB type, and whether it may be NULL."""


def find_differences(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], outdated: Collection[str]
) -> Iterator[Finding]:
    """Yield what of some tables is not as declared; a table that is missing is none, for whoever writes makes it.

    Args:
        connection: to the file.
        tables: as declared.
        outdated: qualified names of tables that an earlier version made: columns that may be NULL are added to them.
    """
    layouts: defaultdict[str, dict[str, tuple[str, bool]]] = defaultdict(dict)
    for name, column, type_, may_be_null in connection.execute(_COLUMNS).fetchall():
        layouts[name][column] = (type_, may_be_null)
    views = {name for (name,) in connection.execute(_VIEWS).fetchall()}
    for table in tables:
        if table.id in views:
            yield Finding(table.id, "is a view, and must be a table")
        elif table.id in layouts:
            yield from _differences(table, layouts[table.id], outdated=table.id in outdated)


def require_whole(connection: duckdb.DuckDBPyConnection) -> None:
    """See that a file is as long as it says.

    Raises:
        WarehouseFailed: it was cut off.
    """
    for path, size in connection.execute(_BLOCKS).fetchall():
        length = Path(path).stat().st_size
        # what is in a log still has its blocks in memory alone
        if length < size + _HEADER_BYTES and not Path(f"{path}.wal").exists():
            raise WarehouseFailed(
                f"the warehouse {path} is damaged",
                why=f"it has {length:,} bytes, and by its own word at least {size + _HEADER_BYTES:,}: it was cut off",
                hint="put back a copy, or name a new one with --warehouse and load the raw tables again",
            )


def _differences(table: Table, layout: _Layout, *, outdated: bool) -> Iterator[Finding]:
    for column in table.columns:
        there = layout.get(column.name)
        if there is None:
            if not outdated or column.mode == "REQUIRED":
                yield Finding(table.id, "the column is missing", column.name)
        elif there != (declared := _declared(column)):
            yield Finding(table.id, f"the column is {_spelled(there)}, and must be {_spelled(declared)}", column.name)
    if outdated and (more := sorted(set(layout) - set(table.column_names))):
        yield Finding(table.id, "the column is not known to this version", more[0])


def _declared(column: Column) -> tuple[str, bool]:
    return duckdb_type(column.type), column.mode == "NULLABLE"


def _spelled(layout: tuple[str, bool]) -> str:
    type_, may_be_null = layout
    return type_ if may_be_null else f"{type_} NOT NULL"
