"""What the pipeline asks of a warehouse, whichever engine it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from shared.tables.model import Table
from shared.warehouse.input_files import LIMITS, FileLimits

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
class Digest:
    """What rows say, whatever their order.

    Attributes:
        rows: how many.
        hash: equal for equal rows; comparable with digests that the same engine made.
    """

    rows: int
    hash: str


EMPTY = Digest(0, "empty")
"""The digest of no rows, on every engine."""

Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Dates of a table to replace by the staged rows, and the ledger rows that say so.

    Attributes:
        table: what is replaced.
        stamps: per date that is replaced, the values of the stamp columns; other dates stay, and staged rows without
            a stamped date are not stored.
        fence: exchanges of the table that whoever made the rows had seen; one more since, and nothing is replaced.
        ledger: table whose rows say what is stored.
        record: told the digest of each replaced date as stored, without its stamps, gives the ledger's rows; they are
            written in the same transaction, in place of rows with their key. Where it raises, nothing is replaced.
        kept: values of `game_id` whose stored rows stay, with the new stamps, whatever is staged of them.
    """

    table: Table
    stamps: Mapping[date, Mapping[str, Any]]
    fence: int
    ledger: Table
    record: Callable[[Mapping[date, Digest]], Records]
    kept: Sequence[str] = ()


class Session(Protocol):
    """One unit of work on a warehouse. Every `sql` is GoogleSQL."""

    @property
    def lease(self) -> timedelta:
        """How long a run that has not ended may still be at work; nothing, where writers exclude readers."""

    def beside(self) -> AbstractContextManager[Session]:
        """A session for another thread of the same unit of work: with a `stage` of its own, and the same tables."""

    def interrupt(self) -> None:
        """From another thread, end what is being carried out, or what follows, by a KeyboardInterrupt there."""

    def query(self, sql: str, params: Params | None = None) -> Result:
        """The rows of a SELECT."""

    def stage(self, sql: str, params: Params) -> None:
        """Compute a SELECT into the temporary table `stage`, replacing the one before."""

    def execute(self, sql: str, params: Params) -> None:
        """Carry out a DELETE, UPDATE or INSERT."""

    def exchange(self, work: Exchange) -> None:
        """Swap the staged dates in, move the table's fence on by one and write the ledger, in one transaction.

        Raises:
            Overtaken: somebody else has exchanged dates of the table since.
        """

    def digests(self, sql: str, params: Params) -> dict[date, Digest]:
        """Digest the rows of a SELECT with a column `date`, for each date that has any."""

    def insert(self, table: Table, records: Records) -> None:
        """Append rows; a column `noted_at` is filled by the warehouse, later with every step."""

    def put(self, table: Table, records: Records) -> None:
        """Write rows, each in place of the row with its key."""

    def load(
        self,
        folder: Path,
        tables: Iterable[Table],
        *,
        announce: bool = False,
        shrink: bool = False,
        limits: FileLimits = LIMITS,
    ) -> Loaded:
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

    def tables(self) -> Collection[str]:
        """The qualified names of the tables that exist."""

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

    def inspecting(self, tables: Iterable[Table]) -> AbstractContextManager[Session]:
        """A session that only reads, where tables could be read and written now; no writer is waited for.

        Raises:
            NotFound: there is no warehouse.
            WarehouseLocked: another process, or another thread of this one, writes.
            AccessDenied: it may not be written.
            WarehouseFailed: it is damaged.
            DataError: tables are not as declared, nor will be made so by whoever writes; carries the findings.
        """

    def copied(self) -> AbstractContextManager[Warehouse]:
        """A copy to do with as one likes; gone afterwards."""
