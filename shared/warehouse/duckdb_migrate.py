"""What an earlier version made, brought up to date: columns that were added since, and what they mean for rows there.

A layout may gain columns that may be NULL, and nothing else; whatever differs otherwise is refused.
"""

from __future__ import annotations

from types import MappingProxyType

import duckdb

from shared.border import border
from shared.errors import PreconditionFailed
from shared.ledger import FENCES, PROCESSOR_RUNS
from shared.tables.model import Table
from shared.warehouse.duckdb_types import duckdb_type

_FILLED = MappingProxyType(
    {
        # rows lie in the order in which they were committed: no clock decides which run is the newest
        (PROCESSOR_RUNS.id, "sequence"): (
            f"""UPDATE {PROCESSOR_RUNS.id} AS run SET sequence = numbered.number
FROM (
  SELECT run_id, row_number() OVER (PARTITION BY output_table ORDER BY rowid) AS number FROM {PROCESSOR_RUNS.id}
) AS numbered
WHERE numbered.run_id = run.run_id""",
            f"DELETE FROM {FENCES.id}",
            f"""INSERT INTO {FENCES.id} (output_table, sequence)
SELECT output_table, max(sequence) FROM {PROCESSOR_RUNS.id} GROUP BY output_table""",
        ),
    }
)
"""By table and added column, the statements that fill it for the rows that are there."""


def migrate(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Add the columns that a table of an earlier version lacks, within the caller's transaction.

    Raises:
        PreconditionFailed: it differs in more than that.
    """
    there = _columns(connection, table)
    declared = {column.name: (duckdb_type(column.type), column.mode == "NULLABLE") for column in table.columns}
    added = [column for column in table.columns if column.name not in there]
    kept = [name for name in declared if name in there]
    if (
        kept != list(there)
        or {name: declared[name] for name in kept} != there
        or any(column.mode == "REQUIRED" for column in added)
    ):
        raise PreconditionFailed(
            f"{table.id} was made by another version of nbactl",
            why="its columns are not those of this version",
            hint="name a new warehouse with --warehouse and load the raw tables again",
        )
    for column in added:
        connection.execute(f"ALTER TABLE {table.id} ADD COLUMN {column.name} {duckdb_type(column.type)}")
        border("migrate.column")
    for column in added:
        for statement in _FILLED.get((table.id, column.name), ()):
            connection.execute(statement)
            border("migrate.filled")


def _columns(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, tuple[str, bool]]:
    """Type, and whether it may be NULL, of each column that is there, in order."""
    text = """SELECT column_name, data_type, is_nullable
FROM duckdb_columns()
WHERE schema_name = $dataset AND table_name = $name AND database_name = current_database()
ORDER BY column_index"""
    found = connection.execute(text, {"dataset": table.dataset, "name": table.name}).fetchall()
    return {name: (type_, nullable) for name, type_, nullable in found}
