"""How long a slate and a season take, beside the floor: the same SQL executed by bare Python and DuckDB.

    python bench/slate_and_season.py [RAW_FOLDER]

Without a folder of raw tables a sample season is made. Whole processes are timed, warm translations, medians.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from processors.declaration import Dated
from processors.graph import processors_in_order
from processors.statements import candidate
from shared.warehouse.translate import to_duckdb

NBACTL = [sys.executable, "-m", "nbactl", "-q"]
FLOOR = """
import datetime, json, re, sys
import duckdb
warehouse, statements = sys.argv[1], json.load(open(sys.argv[2]))
connection = duckdb.connect(warehouse)
connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET memory_limit = '1GB'")
as_of = datetime.datetime.now(datetime.timezone.utc)
for table, date_column, start, end, sql in statements:
    wanted = set(re.findall(r"\\$(\\w+)", sql))
    day = datetime.date.fromisoformat
    values = {"start_date": day(start), "end_date": day(end), "as_of": as_of}
    connection.execute("CREATE OR REPLACE TEMP TABLE stage AS " + sql, {k: v for k, v in values.items() if k in wanted})
    columns = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
    there = [row[0] for row in connection.execute("DESCRIBE stage").fetchall()]
    own = ", ".join(name for name in columns if name in there)
    connection.execute(f"DELETE FROM {table} WHERE {date_column} BETWEEN '{start}' AND '{end}'")
    connection.execute(
        f"INSERT INTO {table} BY NAME SELECT {own}, '' AS run_id, '' AS code_version, now() AS processed_at FROM stage"
    )
"""


def main() -> None:
    """Measure and print a row per piece of work."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        warehouse = folder / "warehouse.duckdb"
        environment = {**os.environ, "NBACTL_WAREHOUSE": f"duckdb:///{warehouse}", "NBACTL_CACHE": name}
        _prepare(environment, sys.argv[1] if len(sys.argv) > 1 else None)
        first, last, slate = _dates(environment)
        season = ["--start", first, "--end", last]
        runs = {
            "a season, ten tables": ([["run-analytics", *season], ["run-precompute", *season]], first, last, 3),
            "a slate, seven tables": ([["run-precompute", "--date", slate]], slate, slate, 7),
        }
        print(f"{'work':<24}{'nbactl':>10}{'floor':>10}{'ratio':>8}")
        for work, (commands, start, end, times) in runs.items():
            statements = _statements(folder, start, end, all_tables=start != end)
            floor = [sys.executable, "-c", FLOOR, str(warehouse), str(statements)]
            ours, bare = [], []
            for _ in range(times):
                ours.append(sum(_timed([*NBACTL, *command], environment) for command in commands))
                bare.append(_timed(floor, environment))
            mine, least = statistics.median(ours), statistics.median(bare)
            print(f"{work:<24}{mine:>8.2f} s{least:>8.2f} s{mine / least:>8.2f}")


def _prepare(environment: dict[str, str], raw: str | None) -> None:
    load = ["data", "load", raw] if raw else ["data", "sample", "--seasons", "1"]
    _timed([*NBACTL, *load], environment)
    first, last, _ = _dates(environment)
    for command in ("run-analytics", "run-precompute"):
        _timed([*NBACTL, command, "--start", first, "--end", last], environment)


def _dates(environment: dict[str, str]) -> tuple[str, str, str]:
    """The first and last date of the team box, and the date in the middle of those with slates."""
    shown = [*NBACTL, "show", "nbac_team_boxscore", "--columns", "game_date", "-o", "json"]
    text = subprocess.run(shown, env=environment, check=True, capture_output=True, text=True).stdout
    dates = sorted({row["game_date"] for row in json.loads(text)})
    return dates[0], dates[-1], dates[len(dates) // 2]


def _statements(folder: Path, start: str, end: str, *, all_tables: bool) -> Path:
    """The translated statements of the processors, for the floor to execute."""
    path = folder / f"statements-{start}.json"
    chosen = [one for one in processors_in_order() if all_tables or one.dated is Dated.SLATE]
    path.write_text(
        json.dumps([(one.output.id, one.output.date_column, start, end, to_duckdb(candidate(one))) for one in chosen])
    )
    return path


def _timed(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
