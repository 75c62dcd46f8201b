"""The guide is true: its two files, and nothing else, make a processor that plans, runs, shows and graphs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import processors.precompute
from nbactl.cli import cli
from nbactl.session import Session
from processors import graph
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.conftest import PROJECT

PARTS = re.compile(r"^`processors/precompute/([\w.]+)`:\n\n```\w+\n(.+?)^```", re.MULTILINE | re.DOTALL)
GUIDE = PROJECT / "docs" / "adding-a-processor.md"


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The guide's processor, in a folder of its own that the package also looks into."""
    folder = tmp_path / "added"
    folder.mkdir()
    for name, text in PARTS.findall(GUIDE.read_text()):
        (folder / name).write_text(text)
    assert len(list(folder.iterdir())) == 2
    monkeypatch.setattr(processors.precompute, "__path__", [*processors.precompute.__path__, str(folder)])
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    graph.processors_in_order.cache_clear()
    graph.tables.cache_clear()


def nbactl(warehouse: DuckDBWarehouse, *arguments: str) -> str:
    result = CliRunner().invoke(
        cli, ["--warehouse", warehouse.url, *arguments], obj=Session(), catch_exceptions=False, standalone_mode=False
    )
    assert result.exception is None
    return result.stdout


@pytest.mark.usefixtures("toy")
def test_the_guides_processor_is_planned_run_shown_and_graphed(tiny_done: DuckDBWarehouse) -> None:
    planned = nbactl(tiny_done, "run-precompute", "--date", "2024-11-10", "--dry-run", "-o", "json")
    assert "TeamScoringFormProcessor" in [step["processor"] for step in json.loads(planned)]

    ran = json.loads(nbactl(tiny_done, "run-precompute", "--date", "2024-11-10", "--processor", "tsf", "-o", "json"))
    assert [(one["processor"], one["status"], one["rows"], one["expected"]) for one in ran] == [
        ("TeamScoringFormProcessor", "SUCCESS", 4, 4)
    ]
    assert ran[0]["issues"] == {}

    shown = json.loads(nbactl(tiny_done, "show", "team_scoring_form", "--date", "2024-11-10", "-o", "json"))
    assert {row["team_abbr"] for row in shown} == {row["team_abbr"] for row in shown if row["points_avg_last_5"] > 50}

    drawn = json.loads(nbactl(tiny_done, "graph", "-o", "json"))
    assert "TSF next slate after X" in next(row for row in drawn if row["short"] == "TOG")["sets_off"]


def test_the_registry_is_as_it_was_without_it() -> None:
    assert "team_scoring_form" not in graph.tables()
