"""A load that ends badly leaves nothing behind, and a warehouse may be called anything."""

import os
import shutil
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from processors import runner
from shared.errors import DataError, NbactlError, WarehouseLocked
from shared.ledger import LEDGER_TABLES
from shared.tables.raw import RAW_TABLES, SCHEDULE
from shared.warehouse.duckdb import DuckDBWarehouse
from shared.warehouse.lock import lock_file, locked
from tests.builders import scheduled, write
from tests.conftest import at
from tests.survival import Fate, run, typed
from tests.test_raw_files import DAY, two_days

GAME = scheduled(DAY, "NYK", "BOS")


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.name.startswith("said-"))


@pytest.fixture
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("raw"), two_days(SCHEDULE.name))


@pytest.fixture
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bad"), {SCHEDULE.name: [GAME | {"game_status": 9}]})


def test_a_refused_first_load_makes_neither_warehouse_nor_folder(tmp_path: Path, bad: Path) -> None:
    warehouse = at(tmp_path / "a" / "b" / "w.duckdb")
    assert typed(warehouse, "data", "load", str(bad)).code == 1
    assert everything(tmp_path) == []


def test_a_refused_first_load_takes_nothing_of_others_away(tmp_path: Path, bad: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "w.duckdb.bak").touch()
    assert typed(at(tmp_path / "a" / "w.duckdb"), "data", "load", str(bad)).code == 1
    assert everything(tmp_path) == ["a", "a/w.duckdb.bak"]


@pytest.mark.parametrize("border", ["warehouse.opened", "load.staged", "load.committed", "warehouse.made"])
def test_of_a_killed_first_load_nothing_stays_once_another_has_run(tmp_path: Path, raw: Path, border: str) -> None:
    warehouse = at(tmp_path / "w.duckdb")
    assert run(warehouse, "data", "load", str(raw), fate=Fate(border)).killed
    assert not warehouse.path.exists()
    done = typed(warehouse, "data", "load", str(raw))
    assert done.code == 0, done
    assert everything(tmp_path) == ["w.duckdb", "w.duckdb.lock"]


@pytest.mark.parametrize("how", ["interrupt", "kill"])
def test_an_interrupted_first_load_can_be_repeated(tmp_path: Path, raw: Path, how: str) -> None:
    warehouse = at(tmp_path / "w.duckdb")
    ended = run(warehouse, "data", "load", str(raw), fate=Fate("load.replaced", how=how))
    if how == "interrupt":
        assert ended.code == 130, ended
        assert everything(tmp_path) == []
    assert typed(warehouse, "data", "load", str(raw)).code == 0


def test_where_files_cannot_grow_a_first_load_leaves_nothing(tmp_path: Path, raw: Path) -> None:
    warehouse = at(tmp_path / "w.duckdb")
    ended = run(warehouse, "data", "load", str(raw), fate=Fate(file_size=20_000))
    assert ended.code == 1, ended
    assert "run out of room" in ended.err
    assert everything(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("size", ["40k", "100k", "200k", "400k", "2m"])
def test_on_a_small_disk_a_first_load_leaves_all_or_nothing(tmp_path: Path, raw: Path, size: str) -> None:
    """Where the log fits and what is made of it does not, the log is what is left."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", disk]
    if subprocess.run(mount, check=False).returncode:  # noqa: S603 -- our own words
        pytest.skip("nothing can be mounted here")
    try:
        warehouse = at(disk / "x" / "w.duckdb")
        ended = run(warehouse, "data", "load", str(raw), fate=Fate(said=tmp_path))
        if ended.code:
            assert ended.code == 1, ended
            assert "room" in ended.err or "space" in ended.err, ended
            assert everything(disk) == []
        else:
            shutil.copytree(disk / "x", tmp_path / "copy")
            with at(tmp_path / "copy" / "w.duckdb").reading() as session:
                assert session.query(f"SELECT COUNT(*) FROM {SCHEDULE.id}").rows == [(4,)]
    finally:
        subprocess.run(["umount", disk], check=True)  # noqa: S603, S607 -- our own words
    assert size != "40k" or ended.code


def test_what_an_engine_that_was_killed_had_put_aside_goes_with_the_next_writing(tmp_path: Path, raw: Path) -> None:
    warehouse = at(tmp_path / "w.duckdb")
    assert typed(warehouse, "data", "load", str(raw)).code == 0
    aside = tmp_path / "w.duckdb.tmp"
    aside.mkdir()
    (aside / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(bytes(1000))
    assert typed(warehouse, "data", "tables").code == 0
    assert aside.exists(), "another reader may be using it"
    assert typed(warehouse, "data", "load", str(raw)).code == 0
    assert everything(tmp_path) == ["w.duckdb", "w.duckdb.lock"]


def test_a_load_puts_aside_beside_the_warehouse_and_clears_up(tmp_path: Path) -> None:
    warehouse = at(tmp_path / "w.duckdb")
    with warehouse.writing(LEDGER_TABLES) as session:
        connection = session._connection  # noqa: SLF001 -- no table of ours is this large
        connection.execute("SET memory_limit = '40MB'")
        connection.execute("CREATE TEMP TABLE large AS SELECT md5(range::VARCHAR) AS a FROM range(3_000_000)")
        assert any(name.startswith("w.duckdb.new.tmp/") for name in everything(tmp_path))
    assert everything(tmp_path) == ["w.duckdb", "w.duckdb.lock"]


def test_whoever_waited_for_a_load_that_failed_has_the_lock_to_himself(tmp_path: Path) -> None:
    """The lock's file goes with the warehouse that was not made; what was waited for is then another file."""
    path = tmp_path / "w.duckdb"
    waiting, done = threading.Event(), threading.Event()

    def wait() -> None:
        with locked(path, exclusive=False, wait=20):
            waiting.set()
            done.wait(20)

    with locked(path, exclusive=True, wait=1):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not waiting.wait(0.2)
        lock_file(path).unlink()
    assert waiting.wait(20)
    with pytest.raises(WarehouseLocked), locked(path, exclusive=True, wait=0):
        pytest.fail("two have it")
    done.set()
    thread.join()


def test_a_failed_load_gives_way_to_one_that_waited(tmp_path: Path, raw: Path, bad: Path) -> None:
    warehouse = at(tmp_path / "a" / "w.duckdb", wait=30)
    begun = threading.Event()

    def load(folder: Path) -> None:
        with warehouse.writing(runner.all_tables()) as session:
            begun.set()
            session.load(folder, RAW_TABLES)

    def fail() -> None:
        with suppress(DataError):
            load(bad)

    thread = threading.Thread(target=fail)
    thread.start()
    assert begun.wait(30)
    load(raw)
    thread.join()
    with warehouse.reading() as session:
        assert session.query(f"SELECT COUNT(*) FROM {SCHEDULE.id}").rows == [(4,)]


@pytest.mark.parametrize(
    "name", ["nba_raw.duckdb", "NBA_RAW", ":memory:", "md:x", "sqlite:x", "~", "http:x", "a[1]*?.db", "it's \n%41.db"]
)
def test_a_warehouse_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A dataset's, and what an engine would take for a home, for memory or for another engine."""
    monkeypatch.chdir(tmp_path)
    with DuckDBWarehouse(f"duckdb:///{name}").writing((SCHEDULE, *LEDGER_TABLES)) as session:
        session.insert(SCHEDULE, [GAME])
        with session.beside() as other:
            assert other.query(f"SELECT COUNT(*) FROM {SCHEDULE.id}").rows == [(1,)]
    with DuckDBWarehouse(f"duckdb:///{tmp_path}/{name}").reading() as session:
        (size,) = session.sizes([SCHEDULE])
        assert (size.rows, (size.bytes or 0) > 0) == (1, True)
    assert everything(tmp_path) == sorted([name, f"{name}.lock"])


def test_a_warehouse_that_cannot_be_opened_is_named_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "w.duckdb").write_text("hello")
    with pytest.raises(NbactlError) as caught, at(tmp_path / "w.duckdb").reading():
        pytest.fail("it is no warehouse")
    assert str(tmp_path / "w.duckdb") in caught.value.message
