"""What the pipeline asks of a warehouse, whichever engine it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from shared.tables.model import Table

if TYPE_CHECKING:
    from pathlib import Path

    from shared.warehouse.raw_files import Loaded

Row = tuple[Any, ...]
Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """Columns and rows of a query, in the order that the query gave them."""

    columns: tuple[str, ...]
    rows: Sequence[Row]

    def records(self) -> list[dict[str, Any]]:
        """The rows by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class TableSize:
    """What a table holds.

    Attributes:
        table: qualified name.
        rows: how many.
        dates: distinct dates; None for a table that is not kept by date.
        first: earliest date, None when there is none.
        last: latest date, None when there is none.
        bytes: estimated size in the warehouse, None where the engine does not say.
    """

    table: str
    rows: int
    dates: int | None
    first: date | None
    last: date | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """Dates of a table to replace by the staged rows, and the ledger rows that say so.

    Attributes:
        table: what is replaced.
        stamps: per date that is replaced, the values of the stamp columns; other dates stay.
        ledger: table and records to insert in the same transaction.
    """

    table: Table
    stamps: Mapping[date, Mapping[str, Any]]
    ledger: tuple[Table, Sequence[Mapping[str, Any]]]


class Session(Protocol):
    """One unit of work on a warehouse. Every `sql` is GoogleSQL."""

    def query(self, sql: str, params: Params | None = None) -> Result:
        """The rows of a SELECT."""

    def stage(self, sql: str, params: Params) -> None:
        """Compute a SELECT into the temporary table `stage`, replacing the one before."""

    def execute(self, sql: str, params: Params) -> None:
        """Carry out a DELETE, UPDATE or INSERT."""

    def exchange(self, work: Exchange) -> None:
        """Swap the staged dates in and write the ledger, in one transaction."""

    def insert(self, table: Table, records: Sequence[Mapping[str, Any]]) -> None:
        """Append rows."""

    def load(self, folder: Path, tables: Iterable[Table]) -> Loaded:
        """Replace the dates that a folder of raw files holds; all of it or, where anything is wrong, nothing.

        Raises:
            DataError: what is wrong, each with table, column and example.
        """

    def sizes(self, tables: Iterable[Table]) -> list[TableSize]:
        """What each table holds; tables that do not exist are left out."""


class Warehouse(Protocol):
    """Where tables live."""

    @property
    def url(self) -> str:
        """What `--warehouse` would say."""

    def reading(self) -> AbstractContextManager[Session]:
        """A session that only reads; many may be open."""

    def writing(self, tables: Iterable[Table], *, must_exist: bool = False) -> AbstractContextManager[Session]:
        """The one session that writes.

        Args:
            tables: made where they are missing.
            must_exist: do not make a warehouse where there is none.

        Raises:
            NotFound: there is no warehouse, and there must be one.
            WarehouseLocked: another process writes, and went on writing.
        """

    def copied(self) -> AbstractContextManager[Warehouse]:
        """A copy to do with as one likes; gone afterwards."""
