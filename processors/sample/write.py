"""Raw tables as files: CSV in the form that `nbactl data load` takes."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shared.tables.model import Table
from shared.tables.raw import RAW_TABLES


class Files:
    """One open file per raw table; rows have the order of the table's columns.

    Attributes:
        rows: written so far, by table.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._writers: dict[str, Any] = {}
        self.rows = dict.fromkeys((table.name for table in RAW_TABLES), 0)

    def __enter__(self) -> Self:
        """Open the files and write their headings."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for table in RAW_TABLES:
            path = self._folder / f"{table.name}.csv"
            file = self._stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            self._writers[table.name] = csv.writer(file, lineterminator="\n")
            self._writers[table.name].writerow(table.column_names)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, table: Table, rows: Iterable[tuple[object, ...]]) -> None:
        """Append rows; None is an empty field."""
        listed = list(rows)
        self._writers[table.name].writerows(listed)
        self.rows[table.name] += len(listed)


def flag(*, value: bool) -> str:
    """A BOOL."""
    return "true" if value else "false"
