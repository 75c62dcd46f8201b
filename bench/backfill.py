"""How long a date, a season and a season with nothing owed take, beside the floor.

    python bench/backfill.py [RAW_FOLDER]

The floor is the same SQL, translated beforehand, executed by bare Python and DuckDB on the same file: no checks, no
ledger. Without a folder of raw tables a sample season is made; three seasons of the sample are always made, to see
how time and memory grow. Whole processes are timed; medians.
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
from collections.abc import Callable
from pathlib import Path

from processors.graph import processors_in_order
from processors.statements import candidate
from shared.warehouse.translate import to_duckdb

NBACTL = [sys.executable, "-m", "nbactl", "-q"]
FLOOR = """
import datetime, json, re, sys
import duckdb
warehouse, statements, start, end = sys.argv[1], json.load(open(sys.argv[2])), sys.argv[3], sys.argv[4]
connection = duckdb.connect(warehouse)
connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET memory_limit = '1GB'")
as_of = datetime.datetime.now(datetime.timezone.utc)
day = datetime.date.fromisoformat
values = {"start_date": day(start), "end_date": day(end), "as_of": as_of}
for table, date_column, sql in statements:
    wanted = set(re.findall(r"\\$(\\w+)", sql))
    connection.execute("CREATE OR REPLACE TEMP TABLE stage AS " + sql, {k: v for k, v in values.items() if k in wanted})
    columns = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
    there = [row[0] for row in connection.execute("DESCRIBE stage").fetchall()]
    own = ", ".join(name for name in columns if name in there)
    connection.execute(f"DELETE FROM {table} WHERE {date_column} BETWEEN '{start}' AND '{end}'")
    connection.execute(
        f"INSERT INTO {table} BY NAME SELECT {own}, '' AS run_id, '' AS code_version, now() AS processed_at FROM stage"
    )
"""


LOOK = """
import sys
import duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("SELECT * FROM nba_orchestration.processor_runs").fetchall()
"""
"""The least that a second run can do: start, open the file, and read the ledger."""


class Bench:
    """A folder with warehouses to copy from, and the environment that names the one at work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = folder / "warehouse.duckdb"
        self.statements = folder / "statements.json"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "NBACTL_WAREHOUSE": f"duckdb:///{self.warehouse}",
            "NBACTL_CACHE": str(folder),
        }
        self.statements.write_text(
            json.dumps(
                [(one.output.id, one.output.date_column, to_duckdb(candidate(one))) for one in processors_in_order()]
            )
        )

    def keep(self, name: str) -> None:
        """Remember the warehouse as it is."""
        shutil.copyfile(self.warehouse, self.folder / name)

    def take(self, name: str) -> None:
        """Go back to a remembered one."""
        self.warehouse.unlink(missing_ok=True)
        shutil.copyfile(self.folder / name, self.warehouse)

    def nbactl(self, *arguments: str) -> float:
        """Seconds of a command."""
        return self._timed([*NBACTL, *arguments])

    def floor(self, start: str, end: str) -> float:
        """Seconds of the bare statements of all tables."""
        return self._timed([sys.executable, "-c", FLOOR, str(self.warehouse), str(self.statements), start, end])

    def look(self) -> float:
        """Seconds of opening the file and reading the ledger."""
        return self._timed([sys.executable, "-c", LOOK, str(self.warehouse)])

    def season(self) -> tuple[str, str, str]:
        """The first and last date of the team box, and the one in the middle."""
        shown = [*NBACTL, "show", "nbac_team_boxscore", "--columns", "game_date", "-o", "json"]
        text = subprocess.run(shown, env=self.environment, check=True, capture_output=True, text=True).stdout
        dates = sorted({row["game_date"] for row in json.loads(text)})
        return dates[0], dates[-1], dates[len(dates) // 2]

    def _timed(self, command: list[str]) -> float:
        start = time.perf_counter()
        subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start


def main() -> None:
    """Measure and print a row per piece of work."""
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name))
        print(f"{'work':<36}{'nbactl':>10}{'floor':>10}{'ratio':>8}")
        _one_season(bench, sys.argv[1] if len(sys.argv) > 1 else None)
        _three_seasons(bench)


def _one_season(bench: Bench, raw: str | None) -> None:
    bench.nbactl(*(["data", "load", raw] if raw else ["data", "sample", "--seasons", "1"]))
    first, last, middle = bench.season()
    bench.keep("raw")
    season = ["backfill", "--start", first, "--end", last]

    def whole(work: Callable[[], float]) -> float:
        bench.take("raw")
        return work()

    bench.nbactl(*season)  # translations are kept from here on
    pairs = [(whole(lambda: bench.nbactl(*season)), whole(lambda: bench.floor(first, last))) for _ in range(3)]
    _row("ten tables, a season from raw", pairs)
    bench.take("raw")
    bench.nbactl(*season)
    bench.keep("done")
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
        _row(f"sample, {seasons} season{'s' if seasons > 1 else ''}", [(took[seasons], None)])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    print(f"three seasons take {took[3] / took[1] / 3:.2f} times three of one; at most {peak:.2f} GiB of memory")


def _row(work: str, pairs: list[tuple[float, float | None]]) -> None:
    ours = statistics.median(mine for mine, _ in pairs)
    bare = [least for _, least in pairs if least is not None]
    floor = f"{statistics.median(bare):>8.2f} s{ours / statistics.median(bare):>8.2f}" if bare else ""
    print(f"{work:<36}{ours:>8.2f} s{floor}", flush=True)


if __name__ == "__main__":
    main()
