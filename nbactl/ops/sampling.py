"""What `data sample` and `quickstart` do: make a sample league and load it as any other folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from processors.sample import SampleSummary, make
from shared.tables.raw import RAW_TABLES
from shared.warehouse.base import Session
from shared.warehouse.raw_files import Loaded

WEEKS = 8
"""Of a sample, where nobody says how many: enough for every window to fill."""


def fill(  # noqa: PLR0913 -- what a sample depends on
    session: Session,
    *,
    weeks: int | None,
    seasons: int | None = None,
    seed: int = 1,
    today: date,
    watch: Callable[[str, int], None],
) -> tuple[SampleSummary, Loaded]:
    """Make a sample in a temporary folder and load it; see `processors.sample.make` for the arguments."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = make(Path(folder), weeks=weeks, seasons=seasons, seed=seed, today=today, watch=watch)
        return made, session.load(Path(folder), RAW_TABLES)
