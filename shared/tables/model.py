"""A table as data: columns, keys, partition and meaning, in GoogleSQL's own terms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Mode = Literal["REQUIRED", "NULLABLE"]

INT64 = "INT64"
FLOAT64 = "FLOAT64"
STRING = "STRING"
BOOL = "BOOL"
DATE = "DATE"
TIMESTAMP = "TIMESTAMP"
JSON = "JSON"
STRINGS = "ARRAY<STRING>"
INTS = "ARRAY<INT64>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: as in every engine.
        type: GoogleSQL type; TIMESTAMP is UTC.
        meaning: formula or definition, for people.
        mode: REQUIRED (never NULL) or NULLABLE.
        unit: of the stored value; empty for names, flags and plain counts.
    """

    name: str
    type: str
    meaning: str = ""
    mode: Mode = "NULLABLE"
    unit: str = ""


def required(name: str, type_: str, meaning: str = "", unit: str = "") -> Column:
    """A column that is never NULL."""
    return Column(name, type_, meaning, "REQUIRED", unit)


def nullable(name: str, type_: str, meaning: str = "", unit: str = "") -> Column:
    """A column whose NULL means unknown."""
    return Column(name, type_, meaning, "NULLABLE", unit)


STAMPS = (
    required("run_id", STRING, "ledger key of the run that wrote the row"),
    required("code_version", STRING, "package version, with the commit where known"),
    required("processed_at", TIMESTAMP, "write time"),
)
"""Columns of a computed row that say who wrote it, and nothing of what it says."""


@dataclass(frozen=True)
class Table:
    """One table of the warehouse.

    Attributes:
        dataset: BigQuery dataset, DuckDB schema.
        name: bare table name, unique over all datasets.
        row: what one row is.
        key: columns that identify a row.
        columns: in stored order.
        partition: the DATE column that tables are replaced and pruned by; None for small static tables.
        cluster: BigQuery clustering.
        constant: the rows of a static table, which ships with the code.
        accepts: what to say of rows that break a rule, and the rule; such rows are not loaded. Files are read by
            DuckDB whatever the warehouse is, so rules are DuckDB conditions.
        expects: the same for rows that are merely odd: they are loaded, and reported.
    """

    dataset: str
    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition: str | None = "game_date"
    cluster: tuple[str, ...] = ()
    constant: tuple[tuple[object, ...], ...] = ()
    accepts: tuple[tuple[str, str], ...] = ()
    expects: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """Qualified name, `dataset.table`."""
        return f"{self.dataset}.{self.name}"

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Names in stored order."""
        return tuple(column.name for column in self.columns)

    @property
    def date_column(self) -> str:
        """The partition column of a table that has one."""
        if self.partition is None:
            raise ValueError(f"{self.id} is not kept by date")
        return self.partition

    @cached_property
    def content(self) -> str:
        """GoogleSQL of what the rows of @start_date to @end_date say: `date`, and every column but the stamps."""
        stamps = {column.name for column in STAMPS}
        columns = ", ".join(name for name in self.column_names if name not in stamps)
        return f"""SELECT {self.date_column} AS date, {columns}
FROM {self.id}
WHERE {self.date_column} BETWEEN @start_date AND @end_date"""
