"""What must survive: a death at any border or moment, races, a full disk, damaged files and Ctrl-C."""

import json
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from processors import outbox, runner
from shared import versions
from shared.ledger import FENCES, PROCESSOR_RUNS
from shared.tables.raw import PLAYER_BOX, RAW_TABLES, SCHEDULE, TEAM_BOX
from shared.warehouse.base import EMPTY
from shared.warehouse.duckdb import DuckDBWarehouse
from tests import survival
from tests.builders import FINAL_DATES, SLATE, Row, Tables, league, write
from tests.cli.test_dlq import LOOKING, TAKING
from tests.conftest import PROJECT, at, copied, differing, made_once
from tests.survival import (
    ALIVE,
    OUTPUTS,
    Ended,
    Fate,
    Running,
    Seen,
    Stored,
    left_over,
    run,
    runs,
    seen,
    start,
    stored,
    torn,
    typed,
    untrue,
)

FIRST, SECOND, THIRD, FOURTH, FIFTH = FINAL_DATES
PACKAGES = ("nbactl", "processors", "shared")
AGAIN = ("TOG", "TDG")
EVERYTHING = ("backfill", "--start", str(FIRST), "--end", str(SLATE), "-q")


@cache
def boxes() -> Tables:
    """What the results of the small league need: a load costs by the table."""
    everything = league()
    return {table.name: everything[table.name] for table in (SCHEDULE, PLAYER_BOX, TEAM_BOX)}


def words(command: str, *processors: str) -> tuple[str, ...]:
    return *command.split(), *(word for name in processors for word in ("--processor", name))


# ---------------------------------------------------------------- death at every border


@dataclass(frozen=True)
class Scenario:
    """A command on a warehouse.

    Attributes:
        words: what is typed; RAW stands for the raw files.
        prepare: makes the file that it finds; None where there is none.
        borders: at which it is killed, each in the middle of the times that it comes there.
        first: a border at which something goes wrong before that.
        code: how it ends, undisturbed.
    """

    words: tuple[str, ...]
    prepare: Callable[[Path, DuckDBWarehouse], None] | None
    borders: tuple[str, ...]
    first: str | None = None
    code: int = 0


def as_loaded(_raw: Path, _warehouse: DuckDBWarehouse) -> None:
    """The small league as it is."""


def with_results(_raw: Path, warehouse: DuckDBWarehouse) -> None:
    assert typed(warehouse, *words(f"backfill --start {FIRST} --end {FOURTH}", "TOG", "TDG")).code == 0


def with_a_correction(raw: Path, warehouse: DuckDBWarehouse) -> None:
    """Results are computed, and the files say something else by now."""
    with_results(raw, warehouse)
    write(raw, boxes() | {name: list(map(mended, boxes()[name])) for name in (PLAYER_BOX.name, TEAM_BOX.name)})


def mended(box: Row) -> Row:
    return box | {"steals": box["steals"] + 1} if box["minutes"] else box


def with_leftovers(raw: Path, warehouse: DuckDBWarehouse) -> None:
    """A run has died, rows of another date are gone, and so is a raw row."""
    with_results(raw, warehouse)
    died = run(warehouse, *words(f"backfill --date {SECOND} --force so", *AGAIN[:1]), fate=Fate("exchange.written"))
    assert died.killed
    with warehouse.writing([]) as session:
        session.execute("DELETE FROM nba_analytics.team_offense_game_summary WHERE team_abbr = 'BOS'", {})
        session.execute(f"DELETE FROM {PLAYER_BOX.id} WHERE player_lookup = 'albos'", {})


def as_an_earlier_version_left_it(raw: Path, warehouse: DuckDBWarehouse) -> None:
    """Results are computed, and nothing orders the runs but their clocks."""
    with_results(raw, warehouse)
    with duckdb.connect(warehouse.path) as connection:
        for column in ("publish_refused", "sequence", "noted_at"):
            connection.execute(f"ALTER TABLE {PROCESSOR_RUNS.id} DROP COLUMN {column}")
        connection.execute(f"COMMENT ON TABLE {PROCESSOR_RUNS.id} IS 'layout of an earlier version'")
        connection.execute(f"DROP TABLE {FENCES.id}")


def without_boxes(_raw: Path, warehouse: DuckDBWarehouse) -> None:
    with warehouse.writing(runner.all_tables()) as session:
        session.execute(f"DELETE FROM {TEAM_BOX.id} WHERE game_date = DATE '{SECOND}'", {})
        versions.renew_all(session)


_RESULTS = words(f"backfill --start {FIRST} --end {THIRD} -q", *AGAIN)
SCENARIOS = {
    "first load": Scenario(
        words("data load RAW -q"),
        None,
        (
            "lock.taken",
            "warehouse.opened",
            "create.begun",
            "create.table",
            "create.written",
            "create.committed",
            "warehouse.made",
            "warehouse.ready",
        ),
    ),
    "load": Scenario(
        words("data load RAW -q"),
        with_a_correction,
        ("load.staged", "load.begun", "load.replaced", "put.deleted", "load.written", "load.committed"),
    ),
    "backfill": Scenario(
        _RESULTS,
        as_loaded,
        (
            "survey.taken",
            "processor.next",
            "run.begun",
            "run.announced",
            "run.computed",
            "run.checked",
            "exchange.begun",
            "exchange.deleted",
            "exchange.replaced",
            "exchange.verified",
            "exchange.written",
            "exchange.committed",
            "run.exchanged",
            "run.noted",
            "warehouse.finished",
            "warehouse.closed",
        ),
    ),
    "a slate": Scenario(
        words(f"run-precompute --date {FIFTH} -q", "TGC", "TDZA"),
        with_results,
        ("run.announced", "exchange.deleted", "exchange.verified"),
    ),
    "a failure": Scenario(
        _RESULTS,
        as_loaded,
        ("put.begun", "put.deleted", "put.written", "put.committed", "run.failed"),
        first="run.computed",
    ),
    "not ready": Scenario(
        words(f"run-analytics --date {SECOND} --allow-incomplete -q", "TOG"),
        without_boxes,
        ("run.withdrawn",),
        code=5,
    ),
    "reconcile": Scenario(
        words("reconcile -q"),
        with_leftovers,
        ("reconcile.found", "reconcile.noted", "run.announced", "exchange.replaced", "reconcile.repaired"),
    ),
    "announce": Scenario(
        words(f"backfill --date {FIRST} --announce -q --project survival", "TOG", "TDG"),
        as_loaded,
        ("outbox.next", "outbox.sent", "outbox.noted"),
    ),
    "earlier version": Scenario(
        words("reconcile -q"),
        as_an_earlier_version_left_it,
        ("migrate.column", "migrate.filled"),
    ),
    "everything": Scenario(EVERYTHING, as_loaded, ()),
}
KILLS = [(name, border) for name, one in SCENARIOS.items() for border in one.borders]


@dataclass(frozen=True)
class Stage:
    """A scenario with what it starts from, and what comes of it undisturbed."""

    scenario: Scenario
    raw: Path
    file: Path | None
    before: Stored
    lies: list[str]
    undisturbed: DuckDBWarehouse
    after: Seen
    borders: Counter[str]

    def copy(self, folder: Path) -> DuckDBWarehouse:
        return copied(self.file, folder) if self.file else at(folder / "warehouse.duckdb")

    def run(self, warehouse: DuckDBWarehouse, fate: Fate | None = None) -> Ended:
        """Carry it out, in a process of its own if there is something to happen to it."""
        line = [str(self.raw) if word == "RAW" else word for word in self.scenario.words]
        return run(warehouse, *line, fate=fate) if fate else typed(warehouse, *line)


Staged = Callable[[str], Stage]


@pytest.fixture(scope="module")
def staged(tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Staged:
    """A scenario by name, made once."""

    def make(path: Path) -> None:
        stage = _stage(SCENARIOS[path.stem], tiny_file, path.parent)
        path.write_bytes(pickle.dumps(stage))

    @cache
    def made(name: str) -> Stage:
        stage: Stage = pickle.loads(made_once(tmp_path_factory, name, make).read_bytes())  # noqa: S301 -- our own
        return stage

    return made


def _stage(scenario: Scenario, tiny_file: Path, folder: Path) -> Stage:
    raw, file, before, lies = write(folder / "raw", boxes()), None, {}, []
    undisturbed = at(folder / "warehouse.duckdb")
    if scenario.prepare:
        scenario.prepare(raw, copied(tiny_file, folder))
        file = folder / "before"
        shutil.copyfile(undisturbed.path, file)
        # to look may change a file of an earlier version
        found = seen(copied(file, make_folder(folder / "seen")))
        before, lies = found.stored, found.untrue
    stage = Stage(scenario, raw, file, before, lies, undisturbed, Seen({}, [], [], {}), Counter())
    ended = stage.run(undisturbed, ALIVE)
    borders = ended.borders
    if scenario.first:
        borders = stage.run(stage.copy(make_folder(folder / "rehearsal")), Fate(first=scenario.first)).borders
    assert (ended.code, scenario.borders) == (scenario.code, tuple(one for one in scenario.borders if borders[one]))
    return replace(stage, after=seen(undisturbed), borders=borders)


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_every_border_of_the_sources_is_a_place_to_die() -> None:
    source = "".join(file.read_text() for name in PACKAGES for file in (PROJECT / name).rglob("*.py"))
    transactions = re.findall(r'_transaction\("(\w+)"\)', source)
    named = set(re.findall(r'border\("([^"]+)"\)', source))
    within = re.findall(r'border\(f"\{name\}([^"]+)"\)', source)
    assert len(named) + len(within) == len(re.findall(r"(?<!def )\bborder\(", source))
    died = {border for _, border in (*KILLS, *TAKING)} | {*LOOKING}
    assert died == named | {one + step for one in transactions for step in within}
    assert len({border for _, border in KILLS}) >= 25


@pytest.mark.parametrize(("name", "border"), KILLS)
def test_a_death_at_a_border_loses_nothing_and_one_more_run_finishes(
    staged: Staged, name: str, border: str, tmp_path: Path
) -> None:
    stage = staged(name)
    warehouse = stage.copy(tmp_path)
    fate = Fate(border, stage.borders[border] // 2 + 1, first=stage.scenario.first)
    assert stage.run(warehouse, fate).killed
    tells_the_truth(warehouse, stage)
    found = completed(warehouse, stage)
    if name == "announce":
        everything_is_announced(warehouse)
    if name != "not ready":  # which no run can help while its input is missing
        assert "RUNNING" not in found.newest.values()
    if border == stage.scenario.borders[-1] and name != "not ready":
        for _ in range(2):
            assert typed(warehouse, "reconcile", "-o", "json").out == "[]\n"


def completed(warehouse: DuckDBWarehouse, stage: Stage) -> Seen:
    """One more run, and all is as if nothing had happened."""
    assert stage.run(warehouse).code == stage.scenario.code
    return undisturbed(warehouse, stage)


def undisturbed(warehouse: DuckDBWarehouse, stage: Stage) -> Seen:
    found = seen(warehouse)
    if found.stored != stage.after.stored:
        pytest.fail(f"these differ: {differing(warehouse, stage.undisturbed, (*RAW_TABLES, *OUTPUTS))}")
    assert found.noted == stage.after.noted
    assert found.untrue == []
    return found


def tells_the_truth(warehouse: DuckDBWarehouse, stage: Stage) -> None:
    """A half-done date is never done, and readers see whole dates only."""
    said = typed(warehouse, "status", "--start", str(FIRST), "--end", str(SLATE), "-o", "json")
    if not warehouse.path.exists():
        assert (said.code, "there is no warehouse" in said.err) == (5, True), said
        return
    found = seen(warehouse)
    assert set(found.untrue) <= set(stage.lies)
    now, last, after = found.stored, found.newest, stage.after.stored
    assert torn(now, stage.before, after) == []
    if not any(name == SCHEDULE.name for name, _ in now):
        assert (said.code, "the schedule is empty" in said.err) == (5, True), said
        return
    states = set()
    for line in json.loads(said.out):
        key = line["table"].split(".")[1], date.fromisoformat(line["date"])
        states.add(line["state"])
        complete = now.get(key) == after.get(key)
        assert complete or line["state"] != "DONE", line
        assert line["state"] != "DONE" or line["rows"] == line["expected"] == now.get(key, EMPTY).rows, line
        assert complete or last.get(key) != "RUNNING" or line["state"] == "LOST", line
        assert last.get(key) == "RUNNING" or line["state"] != "LOST", line
    assert said.code == (0 if states <= {"DONE", "NO_GAMES", "NOT_DUE"} else 1)


def everything_is_announced(warehouse: DuckDBWarehouse) -> None:
    """What was left is sent by a sweep; a message may come twice, and then says so."""
    told = survival.post_box(warehouse)
    outbox.send_all(warehouse, survival.PostBox(told).publish)
    with warehouse.reading() as session:
        owed = session.query(
            f"SELECT run_id, published_message_id FROM {PROCESSOR_RUNS.id}"
            " WHERE announce AND status IN ('SUCCESS', 'DEGRADED')"
        ).rows
    assert owed
    assert all(message for _, message in owed)
    sent = re.findall(r'"execution_id": ?"(\w+)"', told.read_text())
    assert set(sent) == {run_id for run_id, _ in owed}


# ---------------------------------------------------------------- death at any moment


@pytest.mark.parametrize("moments", [tuple(range(first, 10, 5)) for first in range(5)])
def test_a_death_at_a_random_moment_loses_nothing_and_one_more_run_finishes(
    staged: Staged, moments: tuple[int, ...], tmp_path: Path
) -> None:
    """Two deaths in a row, each at its moment of one and a half seconds, before the run that finishes."""
    stage = staged("everything")
    warehouse = stage.copy(tmp_path)
    for moment in moments:
        dying = start(warehouse, *EVERYTHING)
        time.sleep(random.Random(moment).uniform(0.02, 1.5))  # noqa: S311
        dying.kill()
        assert dying.ended().code in {-signal.SIGKILL, 0}
        tells_the_truth(warehouse, stage)
    completed(warehouse, stage)
    for _ in range(2):
        assert typed(warehouse, "reconcile", "-o", "json").out == "[]\n"
    undisturbed(warehouse, stage)


# ---------------------------------------------------------------- several at once

_RACE = words(f"run-precompute --date {FIFTH} -o json", "TGC", "TDZA")


def test_of_eight_that_race_for_a_date_one_computes_and_the_others_say_so(staged: Staged, tmp_path: Path) -> None:
    warehouse = staged("a slate").copy(tmp_path)
    before = len(runs(warehouse))
    with warehouse.writing([]):
        racing = [start(warehouse, *_RACE) for _ in range(8)]
        time.sleep(0.5)  # until all of them stand before the lock
    ended = [one.ended() for one in racing]
    assert [one.code for one in ended] == [0] * 8, ended
    answers = sorted(tuple(line["status"] for line in json.loads(one.out)) for one in ended)
    assert answers == [("SKIPPED_UNCHANGED",) * 2] * 7 + [("SUCCESS",) * 2]
    assert sorted(runs(warehouse)[before:]) == [
        ("team_defense_zone_analysis", FIFTH, "SUCCESS"),
        ("upcoming_team_game_context", FIFTH, "SUCCESS"),
    ]
    assert untrue(warehouse) == []


@contextmanager
def paused(stage: Stage, warehouse: DuckDBWarehouse, border: str) -> Iterator[tuple[Running, Path]]:
    """A run that waits at a border until a file is there."""
    go = warehouse.path.with_name("go")
    writer = start(warehouse, *stage.scenario.words, fate=Fate(border, how="pause", go=go))
    writer.reached(border)
    try:
        yield writer, go
    finally:
        go.touch()
        assert writer.ended().code == 0


def test_who_does_not_wait_is_told_who_writes(staged: Staged, tmp_path: Path) -> None:
    stage = staged("backfill")
    warehouse = stage.copy(tmp_path)
    with paused(stage, warehouse, "exchange.deleted") as (writer, _):
        for line, code in (
            (_RACE, 5),
            (("show", "team_offense_game_summary", "-o", "json"), 5),
            (("reconcile", "-o", "json"), 5),
            (("status", "--date", str(FIRST), "-o", "json"), 7),
        ):
            refused = run(warehouse, *line, "--wait", "0.2")
            assert (refused.code, refused.out) == (code, "")
            error = json.loads(refused.err.splitlines()[-1])
            assert f"process {writer.pid} is writing to it" in error["why"]
            assert str(writer.pid) in error["hint"]
    undisturbed(warehouse, stage)


def test_readers_wait_for_a_writer_and_never_see_half_a_date(staged: Staged, tmp_path: Path) -> None:
    stage = staged("backfill")
    warehouse = stage.copy(tmp_path)
    with paused(stage, warehouse, "exchange.deleted") as (_, go):
        shown = [start(warehouse, "show", "team_offense_game_summary", "-o", "json") for _ in range(2)]
        status = start(warehouse, "status", "--date", str(FIRST), "-o", "json")
        time.sleep(0.5)
        assert all(one.alive() for one in (*shown, status))
        go.touch()
        for one in shown:
            rows = json.loads(one.ended().out)
            assert Counter(row["game_date"] for row in rows) == dict.fromkeys(map(str, FINAL_DATES[:3]), 4)
        lines = {line["table"].split(".")[1]: line for line in json.loads(status.ended().out)}
    assert (lines["team_offense_game_summary"]["state"], lines["team_offense_game_summary"]["rows"]) == ("DONE", 4)


def test_another_program_that_has_the_file_open_is_named(staged: Staged, tmp_path: Path) -> None:
    """Whoever does not know our lock is met by the engine's."""
    warehouse = staged("backfill").copy(tmp_path)
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.readline()"
    command = [sys.executable, "-c", hold, str(warehouse.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:  # noqa: S603
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        for line, code in ((("show", "nbac_schedule"), 5), (_RACE, 5), (("status", "--date", str(FIRST)), 7)):
            refused = run(warehouse, "--wait", "0.2", *line)
            assert refused.code == code, refused
            assert str(other.pid) in refused.err
        other.communicate("\n", timeout=20)


# ---------------------------------------------------------------- what a disk does


def failed_clearly(ended: Ended, code: int, *said: str) -> None:
    """A message, why, and what to do; no traceback."""
    assert ended.code == code, ended
    assert ended.err.startswith("error: "), ended.err
    assert "\n  why: " in ended.err
    assert "\n next: " in ended.err
    assert "Traceback" not in ended.err
    assert "did not expect" not in ended.err
    for one in said:
        assert one in ended.err, ended.err


def lost_nothing(warehouse: DuckDBWarehouse, stage: Stage) -> None:
    """The cause has gone: old tables are there, and the same command completes."""
    found = seen(warehouse)
    assert torn(found.stored, stage.before, stage.after.stored) == []
    assert found.untrue == []
    completes_with_nothing_left(warehouse, stage)


def completes_with_nothing_left(warehouse: DuckDBWarehouse, stage: Stage) -> None:
    completed(warehouse, stage)
    assert left_over(warehouse) == []


@pytest.mark.parametrize("name", ["backfill", "load", "first load"])
def test_where_files_cannot_grow_nothing_is_lost(staged: Staged, name: str, tmp_path: Path) -> None:
    stage = staged(name)
    warehouse = stage.copy(tmp_path)
    failed_clearly(stage.run(warehouse, Fate(file_size=20_000)), 1, "the warehouse has run out of room", "df -h")
    if stage.file:
        lost_nothing(warehouse, stage)
    else:
        assert not warehouse.path.exists()
        completed(warehouse, stage)


def test_where_the_log_cannot_be_put_in_its_place_it_keeps_what_was_written(staged: Staged, tmp_path: Path) -> None:
    stage = staged("backfill")
    warehouse = stage.copy(tmp_path)
    assert stage.run(warehouse, Fate(file_size=1_000_000)).code == 0
    assert warehouse.path.with_name("warehouse.duckdb.wal").stat().st_size > 0
    undisturbed(warehouse, stage)
    completes_with_nothing_left(warehouse, stage)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_on_a_full_disk_nothing_is_lost(staged: Staged, tmp_path: Path) -> None:
    stage = staged("backfill")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={stage.copy(tmp_path).path.stat().st_size + 200_000}", "none"]
    disk = make_folder(tmp_path / "disk")
    if subprocess.run([*mount, disk], check=False).returncode:  # noqa: S603 -- our own words
        pytest.skip("nothing can be mounted here")
    try:
        warehouse = stage.copy(disk)
        with (disk / "other").open("wb") as other, suppress(OSError):
            other.write(bytes(190_000))
        failed_clearly(stage.run(warehouse, Fate(said=tmp_path)), 1, "the warehouse has run out of room", "df -h")
        assert torn(stored(warehouse), stage.before, stage.after.stored) == []
        for name in disk.glob("warehouse.*"):
            shutil.copyfile(name, tmp_path / name.name)
    finally:
        subprocess.run(["umount", disk], check=True)  # noqa: S603, S607 -- our own words
    lost_nothing(at(tmp_path / "warehouse.duckdb"), stage)


@contextmanager
def guarded(stage: Stage) -> Iterator[DuckDBWarehouse]:
    """A copy that may not be written, in a folder that may not be either."""
    with tempfile.TemporaryDirectory() as folder:
        warehouse = stage.copy(Path(folder))
        warehouse.path.chmod(0o444)
        Path(folder).chmod(0o555)
        try:
            yield warehouse
        finally:
            Path(folder).chmod(0o755)
            warehouse.path.chmod(0o644)


@pytest.mark.parametrize("folder_too", [True, False])
def test_a_file_that_may_not_be_written_is_named_and_can_be_read(
    staged: Staged, tmp_path: Path, *, folder_too: bool
) -> None:
    stage = staged("backfill")
    with guarded(stage) as warehouse:
        bytes_before = fingerprint(warehouse.path.parent)
        if not folder_too:
            warehouse.path.parent.chmod(0o777)
        fate = Fate(mere=os.geteuid() == 0, said=tmp_path)
        failed_clearly(stage.run(warehouse, fate), 4, "ermission denied", str(warehouse.path.parent))
        shown = run(warehouse, "show", "nbac_schedule", "-o", "json", fate=fate)
        assert (shown.code, len(json.loads(shown.out))) == (0, 12), shown
        assert fingerprint(warehouse.path.parent) == bytes_before
        warehouse.path.parent.chmod(0o755)
        warehouse.path.chmod(0o644)
        lost_nothing(warehouse, stage)


def fingerprint(folder: Path) -> dict[str, str]:
    """The bytes of every file but the lock."""
    files = [file for file in folder.iterdir() if file.is_file() and not re.search(r"\.lock$|^said", file.name)]
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in files}


def scribbled(content: bytes, start: int) -> bytes:
    return content[:start] + random.Random(1).randbytes(len(content) - start)  # noqa: S311


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "random bytes": lambda content: scribbled(content, 0),
    "random bytes after the header": lambda content: scribbled(content, 12288),
    "nothing": lambda _: b"",
    "half a header": lambda content: content[:5000],
    "a twentieth": lambda content: content[: len(content) // 20],
    "half": lambda content: content[: len(content) // 2],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_said_to_be_and_a_copy_can_be_put_back(staged: Staged, damage: str, tmp_path: Path) -> None:
    stage = staged("backfill")
    warehouse = stage.copy(tmp_path)
    sound = fingerprint(tmp_path)
    damaged_and_put_back(warehouse, stage, damage)
    assert fingerprint(tmp_path) == sound


def test_a_copy_put_back_is_as_good_as_before(staged: Staged, tmp_path: Path) -> None:
    stage = staged("backfill")
    warehouse = stage.copy(tmp_path)
    damaged_and_put_back(warehouse, stage, "half")
    lost_nothing(warehouse, stage)


def damaged_and_put_back(warehouse: DuckDBWarehouse, stage: Stage, damage: str) -> None:
    warehouse.path.write_bytes(DAMAGES[damage](warehouse.path.read_bytes()))
    failed_clearly(stage.run(warehouse), 1, "put back a copy")
    shutil.copyfile(str(stage.file), warehouse.path)
    warehouse.path.with_name("warehouse.duckdb.wal").unlink(missing_ok=True)


def test_a_damaged_log_is_not_passed_over(staged: Staged, tmp_path: Path) -> None:
    """What a killed writer had committed is in the log alone; without it the tables would look well."""
    stage = staged("backfill")
    warehouse = stage.copy(tmp_path)
    assert stage.run(warehouse, Fate("warehouse.finished")).killed
    log = warehouse.path.with_name("warehouse.duckdb.wal")
    whole = log.read_bytes()
    for part in (slice(0, None), slice(20_000, 20_008)):
        spoilt = bytearray(whole)
        spoilt[part] = random.Random(1).randbytes(len(spoilt[part]))  # noqa: S311
        log.write_bytes(spoilt)
        for line in (("show", "nbac_schedule"), ("status", "--date", str(FIRST)), ("reconcile",), stage.scenario.words):
            failed_clearly(typed(warehouse, *line), 1, "damaged", "put back a copy")
        assert log.read_bytes() == spoilt
    log.write_bytes(whole)
    lost_nothing(warehouse, stage)
    assert [status for *_, status in runs(warehouse)] == ["SUCCESS"] * 6


def test_a_log_that_was_cut_short_leaves_what_is_whole_and_the_rest_is_owed(staged: Staged, tmp_path: Path) -> None:
    """The engine takes the cut for the end; rows and ledger are in it together, so they agree."""
    stage = staged("backfill")
    warehouse = stage.copy(tmp_path)
    assert stage.run(warehouse, Fate("warehouse.finished")).killed
    log = warehouse.path.with_name("warehouse.duckdb.wal")
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    tells_the_truth(warehouse, stage)
    assert 0 < len(runs(warehouse)) < 6
    completes_with_nothing_left(warehouse, stage)


# ---------------------------------------------------------------- Ctrl-C


@pytest.mark.parametrize(
    ("how", "border"),
    [
        ("interrupt_soon", "run.announced"),
        ("interrupt", "survey.taken"),
        ("interrupt", "run.announced"),
        ("interrupt", "exchange.deleted"),
        ("interrupt", "exchange.committed"),
        ("interrupt", "run.noted"),
    ],
)
def test_after_ctrl_c_old_rows_are_kept_and_the_ledger_says_so(
    staged: Staged, how: str, border: str, tmp_path: Path
) -> None:
    stage = staged("backfill")
    warehouse = stage.copy(tmp_path)
    ended = stage.run(warehouse, Fate(border, how=how))
    assert (ended.code, ended.err) == (130, "error: interrupted\n"), ended
    assert ended.borders["processor.next"] <= 1
    tells_the_truth(warehouse, stage)
    told = {status for *_, status in runs(warehouse)}
    assert told == _TOLD[how, border]
    completes_with_nothing_left(warehouse, stage)


_TOLD = {
    ("interrupt_soon", "run.announced"): {"FAILED_TRANSIENT"},
    ("interrupt", "survey.taken"): set(),
    ("interrupt", "run.announced"): {"FAILED_TRANSIENT"},
    ("interrupt", "exchange.deleted"): {"FAILED_TRANSIENT"},
    ("interrupt", "exchange.committed"): {"SUCCESS"},
    ("interrupt", "run.noted"): {"SUCCESS"},
}


LONG = """
import os, signal, sys, threading
from pathlib import Path
from tests.conftest import at
signal.signal(signal.SIGINT, signal.default_int_handler)
numbers = "UNNEST(GENERATE_ARRAY(1, 60000))"
with at(Path(sys.argv[1])).writing([]) as session:
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        session.stage(f"SELECT COUNT(*) AS n FROM {numbers} AS a CROSS JOIN {numbers} AS b WHERE MOD(a * b, 7) = 3", {})
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_ctrl_c_ends_a_long_statement_and_is_no_failure_of_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LONG, str(tmp_path / "warehouse.duckdb")]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PROJECT, timeout=60)  # noqa: S603
    assert (ended.returncode, ended.stdout) == (0, "interrupted\n"), ended.stderr


# ---------------------------------------------------------------- looking changes nothing


@pytest.mark.parametrize(
    "line",
    [
        ("backfill", "--start", str(FIRST), "--end", str(SLATE)),
        ("run-analytics", "--date", str(SECOND)),
        ("run-precompute", "--date", str(SLATE)),
        ("reconcile",),
    ],
)
def test_a_dry_run_writes_nothing(staged: Staged, line: tuple[str, ...], tmp_path: Path) -> None:
    """Not even where a killed writer has left a log that a writer would put in its place."""
    stage = staged("reconcile")
    warehouse = stage.copy(tmp_path)
    assert run(warehouse, *words(f"backfill --date {FIRST} --force so", "TDG"), fate=Fate("exchange.written")).killed
    before = fingerprint(tmp_path)
    assert set(before) == {"warehouse.duckdb", "warehouse.duckdb.wal"}
    looked = run(warehouse, *line, "--dry-run", "-o", "json")
    assert looked.code == 0
    assert json.loads(looked.out)
    assert fingerprint(tmp_path) == before
