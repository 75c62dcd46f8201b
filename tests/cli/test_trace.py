"""What an event has set off, as an operator sees it: on the small league, with both services in this process."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from processors.graph import processors_in_order
from shared.events import Message
from shared.tables.raw import PLAYER_BOX
from tests.builders import FINAL_DATES, SLATE
from tests.cli.conftest import Said, Type
from tests.conftest import alter, at, copied
from tests.test_handling import Pipeline

LAST = FINAL_DATES[-1]


@pytest.fixture
def pipeline(last_night_file: Path, tmp_path: Path) -> Pipeline:
    """The default warehouse of this folder, in the night after its last games; both services on it."""
    (tmp_path / ".nbactl").mkdir()
    path = copied(last_night_file, tmp_path / ".nbactl").path
    return Pipeline(at(path.rename(tmp_path / ".nbactl" / "warehouse.duckdb")))


def lines(said: Said) -> list[tuple[str, str, str]]:
    return [(one["kind"], one["what"], one["outcome"]) for one in said.json]


def test_a_chain_is_told_from_its_first_message_to_its_last_announcement(typed: Type, pipeline: Pipeline) -> None:
    pipeline.raw(PLAYER_BOX.name, LAST)
    pipeline.drain()
    said = typed("trace", "c-1", "-o", "json")
    assert said.code == 0
    told = lines(said)
    assert told[0] == ("publish", f"{PLAYER_BOX.name} {LAST}", "")
    assert ("delivery", f"{PLAYER_BOX.name} {LAST}", "completed (200)") in told
    for one in processors_in_order():
        day = LAST if one.dated == "results" else SLATE
        (run,) = [row for row in said.json if row["kind"] == "run" and row["what"] == f"{one.name} {day}"]
        (sent,) = [row for row in said.json if row["kind"] == "announce" and row["what"] == f"{one.output.name} {day}"]
        assert run["outcome"].startswith("SUCCESS ")
        assert "compute" in run["detail"]
        assert (sent["outcome"], sent["start"] >= run["start"] + run["took"]) == ("sent", True)
    starts = [datetime.fromisoformat(one["at"]) for one in said.json]
    assert starts == sorted(starts)
    assert {one["correlation_id"] for one in said.json} == {"c-1"}


def test_for_eyes_there_is_a_heading_and_a_bar(typed: Type, pipeline: Pipeline) -> None:
    pipeline.raw(PLAYER_BOX.name, LAST)
    said = typed("trace", "c-1")
    assert "1 message, 1 delivery, 5 runs, 5 announcements" in said.err
    assert "went wrong" not in said.err
    bars = [line.split()[2] for line in said.out.splitlines()[1:]]
    assert {len(bar) for bar in bars} == {30}
    assert all(set(bar) <= {".", "="} and "=" in bar for bar in bars)


def test_what_went_wrong_is_marked_and_the_next_step_named(typed: Type, pipeline: Pipeline) -> None:
    alter(
        pipeline.warehouse,
        f"UPDATE {PLAYER_BOX.id} SET points = points + 1 WHERE game_date = DATE '{LAST}' AND minutes IS NOT NULL",
    )
    for _ in range(2):
        pipeline.raw(PLAYER_BOX.name, LAST)
    said = typed("trace", "c-1")
    assert "; 3 went wrong" in said.err
    assert "hint: nbactl dlq inspect --where correlation_id=c-1" in said.err
    wrong = [line for line in said.out.splitlines() if " ! " in line]
    assert ["delivery" in wrong[0], "FAILED_PERMANENT" in wrong[1], "delivery" in wrong[2]] == [True] * 3


def test_a_date_has_the_chains_that_brought_a_message_about_it(typed: Type, pipeline: Pipeline) -> None:
    pipeline.raw(PLAYER_BOX.name, LAST)
    other = json.dumps({"source_table": "nobody_reads_it", "game_date": str(LAST), "correlation_id": "c-2"}).encode()
    pipeline.push(3, Message(other, {}))
    said = typed("trace", "--date", LAST, "-o", "json")
    assert {one["correlation_id"] for one in said.json} == {"c-1", "c-2"}
    assert typed("trace", "--date", FINAL_DATES[0]).code == 5


def test_what_nobody_has_heard_of_is_not_found(typed: Type, pipeline: Pipeline) -> None:
    assert pipeline
    assert typed("trace", "c-unheard").code == 5
    assert typed("trace").code == typed("trace", "c-1", "--date", LAST).code == 2
