"""How a two-week backfill of the sample league bears being killed, two hundred times.

    PYTHONPATH=. python bench/soak.py [KILLS]

Half of the deaths are at borders between steps, every border as often as any other and each time at another of its
occurrences; half are at random moments. After each, the ledger and the rows are compared with one another and with
an undisturbed backfill, then the command is repeated until nothing differs. Prints, by kind of death: kills, runs
needed at most to finish, rows that differed then, duplicate keys, table-dates lost, dates seen half done, and things
that the ledger said and were not so. Exits with 1 unless every figure is what it must be.
"""

import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from shared.tables.raw import RAW_TABLES, TEAM_BOX
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.conftest import differing
from tests.survival import ALIVE, OUTPUTS, Fate, Stored, run, start, stored, torn, untrue

KILLS = 200
WORKERS = 2
MOST_RUNS = 5
TABLES = (*RAW_TABLES, *OUTPUTS)
FIGURES = ("kills", "finished before", "runs", "differing", "duplicates", "lost", "half done", "untrue")


@dataclass(frozen=True)
class Rehearsal:
    """The undisturbed backfill."""

    words: tuple[str, ...]
    file: Path
    before: Stored
    done: DuckDBWarehouse
    after: Stored
    borders: Counter[str]
    seconds: float


def main() -> int:
    """Kill, repeat, compare and print."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    with tempfile.TemporaryDirectory() as name:
        rehearsal = rehearse(Path(name))
        print(f"{' '.join(rehearsal.words)}: {rehearsal.seconds:.1f} s, {len(rehearsal.after)} table-dates")
        deaths = [*at_borders(rehearsal, kills // 2), *[(None, one) for one in range(kills - kills // 2)]]
        began = time.monotonic()
        with ThreadPoolExecutor(WORKERS) as pool:
            found = list(pool.map(lambda one: (one[0] is not None, die(rehearsal, *one)), deaths))
        print(
            f"{len(deaths)} deaths in {time.monotonic() - began:.0f} s at {len({one for one, _ in deaths}) - 1} borders"
        )
    print(f"{'':16}" + "".join(f"{figure:>16}" for figure in FIGURES))
    well = True
    for at_border, said in ((True, "at borders"), (False, "at any moment")):
        ones = [figures for kind, figures in found if kind is at_border]
        total = sum(ones, Counter())
        total["runs"] = max((one["runs"] for one in ones), default=0)
        print(f"{said:16}" + "".join(f"{total[figure]:16}" for figure in FIGURES))
        well &= total["runs"] <= 1 and not any(total[figure] for figure in FIGURES[3:])
    return 0 if well else 1


def rehearse(folder: Path) -> Rehearsal:
    """Make the sample league, and compute its first two weeks once, undisturbed."""
    done = DuckDBWarehouse(f"duckdb:///{folder / 'done' / 'warehouse.duckdb'}")
    done.path.parent.mkdir()
    must(run(done, "data", "sample", "--weeks", "3", "-q").code == 0, "the sample could not be made")
    with done.reading() as session:
        (size,) = session.sizes([TEAM_BOX])
    must(size.first is not None, "the sample has no games")
    last = size.first + timedelta(days=13) if size.first else None
    words = ("backfill", "--start", str(size.first), "--end", str(last), "-q")
    before = stored(done)
    shutil.copyfile(done.path, folder / "before")
    began = time.monotonic()
    ended = run(done, *words)
    must(ended.code == 0, ended.err)
    return Rehearsal(words, folder / "before", before, done, stored(done), ended.borders, time.monotonic() - began)


def at_borders(rehearsal: Rehearsal, kills: int) -> list[tuple[str | None, int]]:
    """Each border in turn, at occurrences spread over the run."""
    names = sorted(rehearsal.borders)
    rounds = -(-kills // len(names))
    return [
        (names[one % len(names)], 1 + one // len(names) * rehearsal.borders[names[one % len(names)]] // rounds)
        for one in range(kills)
    ]


def die(rehearsal: Rehearsal, border: str | None, number: int) -> Counter[str]:
    """Die once, at an occurrence of a border or at a moment, and be repeated until all is as it should be."""
    figures: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=rehearsal.file.parent) as name:
        warehouse = DuckDBWarehouse(f"duckdb:///{name}/warehouse.duckdb")
        shutil.copyfile(rehearsal.file, warehouse.path)
        dying = start(warehouse, *rehearsal.words, fate=Fate(border, number) if border else ALIVE)
        if not border:
            time.sleep(random.Random(number).uniform(0, rehearsal.seconds))  # noqa: S311 -- to be repeatable
            dying.kill()
        killed = dying.ended().killed
        figures["kills" if killed else "finished before"] = 1
        now = stored(warehouse)
        figures["half done"] = len(torn(now, rehearsal.before, rehearsal.after))
        judge(warehouse, figures)
        while now != rehearsal.after and figures["runs"] < MOST_RUNS:
            run(warehouse, *rehearsal.words)
            now = stored(warehouse)
            figures["runs"] += 1
        figures["differing"] = (
            sum(differing(warehouse, rehearsal.done, TABLES).values()) if now != rehearsal.after else 0
        )
        figures["lost"] = len(rehearsal.after.keys() - now.keys())
        if figures["runs"]:
            judge(warehouse, figures)
    return figures


def judge(warehouse: DuckDBWarehouse, figures: Counter[str]) -> None:
    """Count what the ledger says and is not so."""
    said = untrue(warehouse)
    twice = [one for one in said if one.endswith(" twice")]
    figures["duplicates"] += len(twice)
    figures["untrue"] += len(said) - len(twice)
    for one in said:
        print(one, file=sys.stderr)


def must(holds: bool, said: str) -> None:  # noqa: FBT001 -- reads as it should
    """End where there is nothing to measure."""
    if not holds:
        sys.exit(said)


if __name__ == "__main__":
    sys.exit(main())
