"""Game nights lived through once more, with faults: on the small league, the emulator and real services."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nbactl.ops.simulation import verdict, world
from nbactl.ops.simulation.faults import Counts, Faults, UnreliablePush
from nbactl.ops.simulation.world import World
from nbactl.params import Seconds, Share
from shared.ledger import PROCESSOR_RUNS
from tests.builders import FINAL_DATES, SLATE
from tests.cli.conftest import Run, Type
from tests.conftest import at, differing
from tests.survival import OUTPUTS

LAST = FINAL_DATES[-1]
INVARIANTS = 5
ALTERED = "UPDATE nba_predictions.ml_feature_store SET points_avg_last_5 = points_avg_last_5 + 1"


@pytest.mark.usefixtures("emulator")
def test_after_a_night_full_of_faults_everything_is_as_after_a_quiet_one(nbactl: Run, done: Path) -> None:
    before = done.read_bytes()
    faults = ("--duplicates", "30%", "--loss", "10%", "--kill-every", "3s", "--seed", "4")
    said = nbactl("simulate", "--nights", "1", *faults, "-o", "json")
    assert said.returncode == 0, said.stderr
    assert [one["held"] for one in json.loads(said.stdout)] == [True] * INVARIANTS
    assert f"night of {LAST}" in said.stderr
    assert done.read_bytes() == before


@pytest.fixture
def here(tiny_done_file: Path, tmp_path: Path) -> World:
    """Both worlds after a quiet night."""
    shutil.copyfile(tiny_done_file, tmp_path / "copy.duckdb")
    prepared = world.prepared(at(tmp_path / "copy.duckdb"), tmp_path, 1)
    world.live_quietly(prepared)
    shutil.copyfile(tmp_path / "quiet.duckdb", tmp_path / "noisy.duckdb")
    return prepared


def test_a_night_taken_back_and_lived_through_again_is_the_same_night(here: World, tiny_done_file: Path) -> None:
    assert [(one.day, one.slate) for one in here.nights] == [(LAST, SLATE)]
    assert differing(at(tiny_done_file), at(here.folder / "quiet.duckdb"), OUTPUTS) == {}
    assert [one for one in verdict.judge(here, []) if one.broken] == []


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        (f"{ALTERED} WHERE game_date = DATE '{SLATE}'", {0, 4}),
        (f"DELETE FROM {PROCESSOR_RUNS.id} WHERE game_date = DATE '{SLATE}'", {1, 4}),
        (f"UPDATE {PROCESSOR_RUNS.id} SET announce = TRUE WHERE game_date = DATE '{LAST}'", {1, 3, 4}),
    ],
)
def test_what_breaks_an_invariant_is_found_with_its_chain(here: World, statement: str, broken: set[int]) -> None:
    with here.noisy.writing([]) as session:
        session.execute(statement, {})
    found = verdict.judge(here, [])
    assert {number for number, one in enumerate(found) if one.broken} == broken
    chains = {one.correlation_id for one in found if one.broken} - {None}
    assert bool(chains) == ("DELETE" not in statement)


def test_a_dead_letter_breaks_an_invariant(here: World) -> None:
    (one,) = (each for each in verdict.judge(here, [verdict.Dead("a table", "c-1")]) if each.broken)
    assert (one.invariant, one.broken, one.correlation_id) == ("nothing is dead", "a table", "c-1")


@pytest.fixture
def nobody() -> UnreliablePush:
    push = UnreliablePush(Faults(duplicates=0.5, loss=0.5), Counts())
    push.targets["service"] = "http://127.0.0.1:9"
    return push


def test_what_is_lost_is_acknowledged_and_the_clock_is_never_lost(nobody: UnreliablePush) -> None:
    answers = [nobody.push("/service/process", b"{}") for _ in range(12)]
    assert set(answers) == {200, 502}
    assert nobody.counts["lost"] == answers.count(200)
    assert {nobody.push("/service/process", b"fallback") for _ in range(6)} == {502}


def test_without_enough_nights_there_is_nothing_to_live_through(typed: Type, done: Path) -> None:
    assert done
    said = typed("simulate", "--nights", "9")
    assert said.code == 5
    assert "5 nights, and 9" in said.err


@pytest.mark.parametrize("words", [("--duplicates", "120%"), ("--loss", "some"), ("--kill-every", "often")])
def test_slips_are_usage_errors(typed: Type, words: tuple[str, str]) -> None:
    assert typed("simulate", *words).code == 2
    assert typed("simulate", "--weeks", "1", "--nights", "2").code == 2


@pytest.mark.parametrize(("text", "share"), [("20%", 0.2), ("0.2", 0.2), ("0", 0.0), ("100%", 1.0)])
def test_a_share_is_a_percentage_or_a_number(text: str, share: float) -> None:
    assert Share().convert(text, None, None) == pytest.approx(share)


@pytest.mark.parametrize(("text", "seconds"), [("5s", 5), ("2m", 120), ("1.5h", 5400), ("0", 0)])
def test_a_span_has_a_unit_or_is_in_seconds(text: str, seconds: float) -> None:
    assert Seconds().convert(text, None, None) == seconds
