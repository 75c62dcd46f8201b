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
from shared.warehouse.duckdb_layout import find_differences
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
    differences = list(find_differences(connection, [table], [table.id]))
    if differences:
        raise PreconditionFailed(
            f"{table.id} was made by another version of nbactl",
            why="\n".join(map(str, differences)),
            hint="name a new warehouse with --warehouse and load the raw tables again",
        )
    there = {name for name, *_ in connection.execute(f"DESCRIBE {table.id}").fetchall()}
    added = [column for column in table.columns if column.name not in there]
    for column in added:
        connection.execute(f"ALTER TABLE {table.id} ADD COLUMN {column.name} {duckdb_type(column.type)}")
        border("migrate.column")
    for column in added:
        for statement in _FILLED.get((table.id, column.name), ()):
            connection.execute(statement)
            border("migrate.filled")
