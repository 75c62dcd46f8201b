"""What a measurement compares is the same work."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from processors.graph import processors_in_order
from shared.tables.model import STAMPS
from tests.builders import FINAL_DATES, SLATE
from tests.conftest import PROJECT, at, contents


@pytest.fixture
def backfill(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module `bench/backfill.py`; the folder is no package."""
    spec = importlib.util.spec_from_file_location("bench_backfill", PROJECT / "bench" / "backfill.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_the_floor_of_a_season_makes_the_rows_that_we_make(
    backfill: ModuleType, tiny_file: Path, tiny_done_file: Path, tmp_path: Path
) -> None:
    bench = backfill.Bench(tmp_path, tmp_path / "raw")
    bench.warehouse.write_bytes(tiny_file.read_bytes())
    bench.floor(str(FINAL_DATES[0]), str(SLATE))
    outputs = [one.output for one in processors_in_order()]
    apart = ("quality_issues", *(column.name for column in STAMPS))
    ours, bare = (contents(at(path), *outputs, without=apart) for path in (tiny_done_file, bench.warehouse))
    assert all(ours.values())
    assert bare == ours
