"""The nights of a simulation as files, and the two warehouses that live through them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from processors import nights, runner
from processors.nights import Night
from shared.settings import duckdb_path
from shared.tables.raw import RAW_TABLES
from shared.warehouse.connect import connect

if TYPE_CHECKING:
    from shared.warehouse.base import Warehouse


@dataclass(frozen=True, slots=True)
class World:
    """What a simulation works on.

    Attributes:
        folder: of its own.
        nights: in order.
        quiet: lives through them undisturbed.
        noisy: lives through them with faults.
    """

    folder: Path
    nights: Sequence[Night]
    quiet: Warehouse
    noisy: Warehouse

    def files(self, night: Night) -> Path:
        """A folder with one folder for each raw table that the night brings."""
        return self.folder / str(night.day)


def prepared(copy: Warehouse, folder: Path, count: int) -> World:
    """Take the last nights out of a warehouse that is ours to change.

    Raises:
        PreconditionFailed: there are not so many.
    """
    with copy.writing(runner.all_tables()) as session:
        taken = nights.latest(session, count)
        for night in taken:
            for table, found in nights.rows(session, night):
                _write(folder / str(night.day) / table.name / f"{table.name}.ndjson", found)
        nights.take_back(session, taken)
    paths = [folder / f"{name}.duckdb" for name in ("quiet", "noisy")]
    for path in paths:
        shutil.copyfile(duckdb_path(copy.url), path)
    # services may be killed while they hold it, and others wait for their turn
    quiet, noisy = (connect(f"duckdb:///{path}", wait=60) for path in paths)
    return World(folder, taken, quiet, noisy)


def live_quietly(here: World) -> None:
    """Live through the nights undisturbed."""
    with here.quiet.writing(runner.all_tables()) as session:
        for night in here.nights:
            for file in sorted(here.files(night).iterdir()):
                session.load(file, RAW_TABLES)
            nights.live_quietly(session, night)


def _write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{json.dumps(row, default=_text)}\n" for row in rows), encoding="utf-8")


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
