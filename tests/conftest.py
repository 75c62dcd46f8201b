"""What many tests need: warehouses that hold something, made once, and copied for whoever writes."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from processors import inputs, planner, runner, statements
from processors.graph import processors_in_order
from processors.request import Outcome
from shared import versions
from shared.clock import DateRange
from shared.ledger import Status
from shared.tables.model import STAMPS, Table
from shared.tables.raw import RAW_TABLES
from shared.warehouse.base import Digest, Params
from shared.warehouse.duckdb import DuckDBSession, DuckDBWarehouse
from shared.warehouse.lock import locked
from tests import builders
from tests.emulator import emulator, project  # noqa: F401 -- fixtures

PROJECT = Path(__file__).parents[1]
SEASON_DATES = DateRange(date(2024, 10, 22), date(2025, 4, 13))

ALWAYS = {"start_date": date(1946, 1, 1), "end_date": date(2100, 1, 1)}

Make = Callable[[Path], None]


def pytest_configure(config: pytest.Config) -> None:
    """Keep translated statements with the project's other caches, out of the user's own."""
    cache = getattr(config, "cache", None)
    if "NBACTL_CACHE" not in os.environ and cache:
        os.environ["NBACTL_CACHE"] = str(cache.mkdir("nbactl-sql"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the real season where there is none."""
    folder = real_season_folder()
    skip = pytest.mark.skip(reason=f"the real season is not at {folder}; NBACTL_REALDATA may name another folder")
    for item in items:
        if "realdata" in item.keywords and not (folder / "nba_raw").is_dir():
            item.add_marker(skip)


def real_season_folder() -> Path:
    return Path(os.environ.get("NBACTL_REALDATA") or PROJECT.parent / "shared" / "data" / "2024-25")


@pytest.fixture(scope="session")
def real_season() -> Path:
    """The folder of the real season: `nba_raw` and `answers` are in it."""
    return real_season_folder()


@pytest.fixture(scope="session")
def season_file(real_season: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real season, both phases computed; read it only."""

    def make(path: Path) -> None:
        warehouse = at(path)
        with warehouse.writing(runner.all_tables()) as session:
            session.load(real_season / "nba_raw", RAW_TABLES)
        done = (*analytics(warehouse), *precompute(warehouse))
        failed = [one for one in done if not (one.status.wrote or one.status is Status.SKIPPED_UNCHANGED)]
        assert not failed, failed[0]

    return made_once(tmp_path_factory, "season", make)


@pytest.fixture(scope="session")
def season_warehouse(season_file: Path) -> DuckDBWarehouse:
    """The real season, both phases computed; read it only."""
    return at(season_file)


@pytest.fixture
def season_copy(season_file: Path, tmp_path: Path) -> DuckDBWarehouse:
    """The real season to write to."""
    return copied(season_file, tmp_path)


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small league, loaded and not computed; read it only."""

    def make(path: Path) -> None:
        folder = builders.write(path.with_suffix(".raw"), builders.with_market(builders.league()))
        with at(path).writing(runner.all_tables()) as session:
            session.load(folder, RAW_TABLES)

    return made_once(tmp_path_factory, "tiny", make)


@pytest.fixture(scope="session")
def tiny_done_file(tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small league with every result and slate computed; read it only."""

    def make(path: Path) -> None:
        shutil.copyfile(tiny_file, path)
        dates = DateRange(builders.FINAL_DATES[0], builders.SLATE)
        failed = [one for one in precompute(at(path), dates) if not one.status.wrote]
        assert not failed, failed[0]

    return made_once(tmp_path_factory, "tiny_done", make)


@pytest.fixture(scope="session")
def last_night_file(tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small league with everything computed but last night's results and the slate after them; read it only."""

    def make(path: Path) -> None:
        shutil.copyfile(tiny_file, path)
        first, *_, before, last = builders.FINAL_DATES
        analytics(at(path), DateRange(first, before))
        precompute(at(path), DateRange(first, last))

    return made_once(tmp_path_factory, "last_night", make)


@pytest.fixture
def last_night(last_night_file: Path, tmp_path: Path) -> DuckDBWarehouse:
    """The small league in the night after its last games, to do with as one likes."""
    return copied(last_night_file, tmp_path)


@pytest.fixture
def tiny(tiny_file: Path, tmp_path: Path) -> DuckDBWarehouse:
    """The small league, loaded and not computed, to do with as one likes."""
    return copied(tiny_file, tmp_path)


@pytest.fixture
def tiny_done(tiny_done_file: Path, tmp_path: Path) -> DuckDBWarehouse:
    """The small league with everything computed, to do with as one likes."""
    return copied(tiny_done_file, tmp_path)


@pytest.fixture
def fresh_definitions() -> Iterator[None]:
    """For who changes what a processor is: what was known of definitions is forgotten, before and afterwards."""
    inputs._definition.cache_clear()  # noqa: SLF001 -- it is kept for as long as a process lives
    yield
    inputs._definition.cache_clear()  # noqa: SLF001


def at(path: Path, *, wait: float = 10) -> DuckDBWarehouse:
    return DuckDBWarehouse(f"duckdb:///{path}", wait=wait)


def copied(file: Path, folder: Path) -> DuckDBWarehouse:
    copy = folder / "warehouse.duckdb"
    shutil.copyfile(file, copy)
    return at(copy)


def analytics(
    warehouse: DuckDBWarehouse,
    dates: DateRange = SEASON_DATES,
    names: tuple[str, ...] = (),
    *,
    allow_incomplete: bool = False,
    force: str | None = None,
) -> list[Outcome]:
    """What `nbactl run-analytics` does."""
    with warehouse.writing(runner.all_tables()) as session:
        plan = planner.analytics(session, planner.Asked(dates, names, allow_incomplete=allow_incomplete, force=force))
        return runner.run(session, plan.survey, plan.request, silent)


def precompute(
    warehouse: DuckDBWarehouse,
    dates: DateRange = SEASON_DATES,
    names: tuple[str, ...] = (),
    *,
    allow_incomplete: bool = False,
    force: str | None = None,
) -> list[Outcome]:
    """What `nbactl run-precompute` does."""
    with warehouse.writing(runner.all_tables()) as session:
        plan = planner.precompute(session, planner.Asked(dates, names, allow_incomplete=allow_incomplete, force=force))
        return runner.run(session, plan.survey, plan.request, silent)


def alter(warehouse: DuckDBWarehouse, *statements: str) -> None:
    """Plant facts, and note the raw tables' new content as a load would."""
    with locked(warehouse.path, exclusive=True, wait=10), duckdb.connect(warehouse.path) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for statement in statements:
            assert connection.execute(statement).fetchone() != (0,), statement
    with warehouse.writing(runner.all_tables()) as session:
        versions.renew_all(session)


def rows(warehouse: DuckDBWarehouse, select: str) -> list[tuple[Any, ...]]:
    with warehouse.reading() as session:
        return list(session.query(select).rows)


def statuses(outcomes: Iterable[Outcome]) -> dict[tuple[str, date], Status]:
    return {(one.processor.short, one.date): one.status for one in outcomes}


def one_day(day: date) -> DateRange:
    return DateRange(day, day)


def silent(_what: str, _done: int) -> None:
    """Watch nothing."""


Beginning = Callable[[DuckDBSession, str], str | None]


def at_statements(monkeypatch: pytest.MonkeyPatch, beginning: Beginning) -> None:
    """Have a function called with session and processor, by its short name, as each computes.

    What it gives, if anything, is computed in place of the processor's statement.
    """
    names = {statements.candidate(one): one.short for one in processors_in_order()}
    honest = DuckDBSession.stage

    def stage(session: DuckDBSession, sql: str, params: Params) -> None:
        honest(session, (sql in names and beginning(session, names[sql])) or sql, params)

    monkeypatch.setattr(DuckDBSession, "stage", stage)


def contents(warehouse: DuckDBWarehouse, *tables: Table, without: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Every row of some tables as sorted text, to compare cell for cell."""
    found = {}
    with warehouse.reading() as session:
        for table in tables:
            columns = ", ".join(name for name in table.column_names if name not in without)
            found[table.id] = sorted(map(repr, session.query(f"SELECT {columns} FROM {table.id}").rows))
    return found


def differing(one: DuckDBWarehouse, other: DuckDBWarehouse, tables: Iterable[Table]) -> dict[str, int]:
    """How many rows of each table stand in one warehouse and not in the other, stamps apart; we have neither open."""
    stamps = {column.name for column in STAMPS}
    counts = {}
    with (
        locked(one.path, exclusive=False, wait=10),
        locked(other.path, exclusive=False, wait=10),
        duckdb.connect() as connection,
    ):
        connection.execute(f"ATTACH '{one.path}' AS one (READ_ONLY); ATTACH '{other.path}' AS other (READ_ONLY)")
        for table in tables:
            apart = stamps if table.dataset != "nba_raw" else set()
            columns = ", ".join(name for name in table.column_names if name not in apart)
            sides = [f"SELECT {columns} FROM {side}.{table.id}" for side in ("one", "other")]
            both = f"({sides[0]} EXCEPT ALL {sides[1]}) UNION ALL ({sides[1]} EXCEPT ALL {sides[0]})"
            (count,) = connection.execute(f"SELECT count(*) FROM ({both})").fetchone() or (0,)
            counts[table.id] = count
    return {name: count for name, count in counts.items() if count}


def unequal(one: DuckDBWarehouse, other: DuckDBWarehouse, tables: Iterable[Table]) -> dict[str, int]:
    """As `differing`, but cells are compared only of computed tables whose digests differ: that is a tenth the work."""
    outputs = tuple(tables)
    sides = zip(outputs, _digests(one, outputs), _digests(other, outputs), strict=True)
    odd = [table for table, ours, theirs in sides if ours != theirs]
    return differing(one, other, odd) if odd else {}


def _digests(warehouse: DuckDBWarehouse, tables: Iterable[Table]) -> list[dict[date, Digest]]:
    with warehouse.reading() as session:
        return [session.digests(without_stamps(table), ALWAYS) for table in tables]


def without_stamps(table: Table) -> str:
    """What the ledger's digests are of, in our own words: every row, without who wrote it and when."""
    stamps = {column.name for column in STAMPS}
    own = ", ".join(name for name in table.column_names if name not in stamps)
    return f"""SELECT {table.date_column} AS date, {own}
FROM {table.id}
WHERE {table.date_column} BETWEEN @start_date AND @end_date"""


def made_once(factory: pytest.TempPathFactory, name: str, make: Make) -> Path:
    """A file that the first worker makes and the others wait for."""
    shared = factory.getbasetemp().parent if os.environ.get("PYTEST_XDIST_WORKER") else factory.getbasetemp()
    folder = shared / f"made-{name}"
    folder.mkdir(exist_ok=True)
    path, done = folder / f"{name}.duckdb", folder / "done"
    with _alone(folder / "lock"):
        if not done.exists():
            make(path)
            done.touch()
    return path


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
