"""How long a date, a season and a season with nothing owed take, beside the floor: wall and CPU seconds.

    python bench/backfill.py [RAW_FOLDER]   # of a file per table, parquet or csv

The floor is what nobody could do without: bare Python and DuckDB, two tables at a time, insert the declared columns of
each table's own SQL, translated beforehand, straight into the tables of the same file. It knows nothing of what was
expected, and has no checks, digests, stamps or ledger. Where loading is part of the work, it inserts the files as they
are, unchecked.

Without a folder of raw tables a sample season is made; three seasons of the sample are always made, to see how time
and memory grow. Whole processes are timed, ours and the floor's in turns; medians, of the ratios too.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from processors import runner, sample
from processors.declaration import Processor
from processors.graph import processors_in_order
from processors.statements import compose, source
from shared.clock import today
from shared.tables.raw import RAW_TABLES
from shared.warehouse.connect import connect
from shared.warehouse.translate import to_duckdb

NBACTL = [sys.executable, "-m", "nbactl", "-q"]
FLOOR = """
import datetime, json, re, sys
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
import duckdb
warehouse, job, start, end, load = sys.argv[1], json.load(open(sys.argv[2])), *sys.argv[3:6]
connection = duckdb.connect(warehouse)
connection.execute("SET GLOBAL TimeZone = 'UTC'; SET preserve_insertion_order = false; SET memory_limit = '1GB'")
for table, file in job["files"] if load else ():
    kinds = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {table}").fetchall()}
    read = f"read_csv('{file}', header = true, all_varchar = true)" if ".csv" in file else f"read_parquet('{file}')"
    there = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()]
    own = ", ".join(f"CAST({name} AS {kinds[name]}) AS {name}" for name in there if name in kinds)
    connection.execute(f"INSERT INTO {table} BY NAME SELECT {own} FROM {read}")
as_of = datetime.datetime.now(datetime.timezone.utc)
day = datetime.date.fromisoformat
values = {"start_date": day(start), "end_date": day(end), "as_of": as_of}

def compute(table, date_column, sql, inputs):
    wanted = set(re.findall(r"\\$(\\w+)", sql))
    cursor = connection.cursor()
    cursor.execute("SET TimeZone = 'UTC'; BEGIN")
    cursor.execute(f"DELETE FROM {table} WHERE {date_column} BETWEEN '{start}' AND '{end}'")
    cursor.execute(
        f"INSERT INTO {table} BY NAME SELECT *, [] AS quality_issues, '' AS run_id, '' AS code_version,"
        f" now() AS processed_at FROM ({sql})",
        {name: value for name, value in values.items() if name in wanted},
    )
    cursor.execute("COMMIT")

work = {statement[0]: statement for statement in job["statements"]}
order = TopologicalSorter({table: set(inputs) & work.keys() for table, _, _, inputs in job["statements"]})
order.prepare()
with ThreadPoolExecutor(2) as pool:
    begun = {}
    while order.is_active():
        begun |= {pool.submit(compute, *work[table]): table for table in order.get_ready()}
        for ended in wait(begun, return_when=FIRST_COMPLETED).done:
            ended.result()
            order.done(begun.pop(ended))
"""


LOOK = """
import sys
import duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("SELECT * FROM nba_orchestration.processor_runs").fetchall()
"""
"""The least that a second run can do: start, open the file, and read the ledger."""


@dataclass(frozen=True)
class Took:
    """Seconds of one process, or of several one after the other."""

    wall: float
    cpu: float

    def __add__(self, other: "Took") -> "Took":
        return Took(self.wall + other.wall, self.cpu + other.cpu)


class Bench:
    """A folder with warehouses to copy from, and the environment that names the one at work."""

    def __init__(self, folder: Path, raw: Path) -> None:
        self.folder = folder
        self.raw = raw
        self.warehouse = folder / "warehouse.duckdb"
        self.job = folder / "job.json"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "NBACTL_WAREHOUSE": f"duckdb:///{self.warehouse}",
            "NBACTL_CACHE": str(folder),
        }
        work = {
            "files": [(table.id, str(file)) for table in RAW_TABLES for file in raw.glob(f"{table.name}.*")],
            "statements": [_statement(processor) for processor in processors_in_order()],
        }
        self.job.write_text(json.dumps(work))

    def keep(self, name: str) -> None:
        """Remember the warehouse as it is."""
        shutil.copyfile(self.warehouse, self.folder / name)

    def take(self, name: str) -> None:
        """Go back to a remembered one."""
        self.warehouse.unlink(missing_ok=True)
        shutil.copyfile(self.folder / name, self.warehouse)

    def empty(self) -> None:
        """Make a warehouse of empty tables."""
        self.warehouse.unlink(missing_ok=True)
        with connect(f"duckdb:///{self.warehouse}").writing(runner.all_tables()):
            pass

    def nbactl(self, *arguments: str) -> Took:
        """Time a command."""
        return self._timed([*NBACTL, *arguments])

    def floor(self, start: str, end: str, *, load: bool = False) -> Took:
        """Time the bare statements of all tables, with the raw files before them or without."""
        words = [str(self.warehouse), str(self.job), start, end, "load" if load else ""]
        return self._timed([sys.executable, "-c", FLOOR, *words])

    def look(self) -> Took:
        """Time opening the file and reading the ledger."""
        return self._timed([sys.executable, "-c", LOOK, str(self.warehouse)])

    def season(self) -> tuple[str, str, str]:
        """The first and last date of the team box, and the one in the middle."""
        shown = [*NBACTL, "show", "nbac_team_boxscore", "--columns", "game_date", "-o", "json"]
        text = subprocess.run(shown, env=self.environment, check=True, capture_output=True, text=True).stdout
        dates = sorted({row["game_date"] for row in json.loads(text)})
        return dates[0], dates[-1], dates[len(dates) // 2]

    def _timed(self, command: list[str]) -> Took:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _statement(processor: Processor) -> tuple[str, str, str, list[str]]:
    """A table, its date column, the declared columns of its SQL, and the tables that it reads."""
    columns = ", ".join(column.name for column in processor.result_columns)
    bare = to_duckdb(compose(f"SELECT {columns}\nFROM result", result=source(processor)))
    makers = {other.output.name: other.output.id for other in processors_in_order()}
    inputs = [makers[one.table] for one in processor.inputs if one.table in makers]
    return processor.output.id, processor.output.date_column, bare, inputs


def main() -> None:
    """Measure and print a row per piece of work."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if len(sys.argv) > 1:
            raw = Path(sys.argv[1]).resolve()
        else:
            raw = folder / "raw"
            sample.make(raw, weeks=None, seasons=1, today=today(), watch=lambda _what, _done: None)
        bench = Bench(folder, raw)
        print(f"{'':<44}{'nbactl':^20}{'floor':^20}{'ratio':^14}")
        print(f"{'work':<44}{'wall':>10}{'CPU':>10}{'wall':>10}{'CPU':>10}{'wall':>7}{'CPU':>7}")
        _one_season(bench)
        _three_seasons(bench)


def _one_season(bench: Bench) -> None:
    bench.empty()
    bench.keep("empty")
    load = ["data", "load", str(bench.raw)]
    bench.nbactl(*load)
    first, last, middle = bench.season()
    bench.keep("loaded")
    season = ["backfill", "--start", first, "--end", last]

    def on(name: str, work: Callable[[], Took]) -> Took:
        bench.take(name)
        return work()

    bench.nbactl(*season)  # translations are kept from here on
    bench.keep("done")
    _row(
        "a season from raw files: load, ten tables",
        [
            (
                on("empty", lambda: bench.nbactl(*load) + bench.nbactl(*season)),
                on("empty", lambda: bench.floor(first, last, load=True)),
            )
            for _ in range(3)
        ],
    )
    _row(
        "ten tables of a season that is loaded",
        [
            (on("loaded", lambda: bench.nbactl(*season)), on("loaded", lambda: bench.floor(first, last)))
            for _ in range(3)
        ],
    )
    bench.take("done")
    _row("the same again, nothing owed", [(bench.nbactl(*season), bench.look()) for _ in range(7)])
    one = ["backfill", "--date", middle, "--force", "to see how long it takes"]
    bench.nbactl(*one)
    _row("ten tables, one date", [(bench.nbactl(*one), bench.floor(middle, middle)) for _ in range(7)])


def _three_seasons(bench: Bench) -> None:
    took = {}
    for seasons in (1, 3):
        bench.warehouse.unlink(missing_ok=True)
        bench.nbactl("data", "sample", "--seasons", str(seasons))
        first, last, _ = bench.season()
        took[seasons] = bench.nbactl("backfill", "--start", first, "--end", last)
        _row(f"ten tables of the sample, {seasons} season{'s' if seasons > 1 else ''}", [(took[seasons], None)])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    ratio = took[3].wall / took[1].wall / 3
    print(f"three seasons take {ratio:.2f} times three of one; at most {peak:.2f} GiB of memory")


def _row(work: str, pairs: Sequence[tuple[Took, Took | None]]) -> None:
    cells = _seconds([mine for mine, _ in pairs])
    bare = [(mine, least) for mine, least in pairs if least is not None]
    if bare:
        cells += _seconds([least for _, least in bare])
        cells += f"{statistics.median(mine.wall / least.wall for mine, least in bare):>7.2f}"
        cells += f"{statistics.median(mine.cpu / least.cpu for mine, least in bare):>7.2f}"
    print(f"{work:<44}{cells}", flush=True)


def _seconds(times: Sequence[Took]) -> str:
    wall, cpu = (statistics.median(figures) for figures in zip(*((took.wall, took.cpu) for took in times), strict=True))
    return f"{wall:>8.2f} s{cpu:>8.2f} s"


if __name__ == "__main__":
    main()
