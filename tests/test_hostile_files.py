"""Files that nobody meant well with: names are literal, what is no file is refused, and the file is what is named."""

import gzip
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nbactl.render.terminal import visible
from processors import answer_key
from shared.errors import DataError, NbactlError
from shared.tables.raw import GAME_LINES, PLAY_BY_PLAY, RAW_TABLES, SCHEDULE, TEAM_BOX
from shared.warehouse import raw_files
from shared.warehouse.duckdb import DuckDBWarehouse
from shared.warehouse.input_files import FileLimits
from shared.warehouse.raw_files import Loaded
from tests.builders import Row, Tables, scheduled, write, write_parquet
from tests.conftest import contents
from tests.survival import Fate, run, typed
from tests.test_raw_files import DAY, two_dates, two_days, warehouse

__all__ = ["two_dates", "warehouse"]

GAME = scheduled(DAY, "NYK", "BOS")


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET memory_limit = '1GB'")
        yield connection


def staged(engine: duckdb.DuckDBPyConnection, folder: Path, **limits: int) -> Loaded:
    return raw_files.stage(engine, folder, RAW_TABLES, FileLimits(**limits))


def refusal(engine: duckdb.DuckDBPyConnection, folder: Path, **limits: int) -> str:
    """What is said of a folder that cannot be loaded, as a terminal gets it."""
    with pytest.raises(DataError) as caught:
        staged(engine, folder, **limits)
    said = visible(f"{caught.value.message}\n{caught.value.why}\n{caught.value.hint}")
    assert said.replace("\n", "").isprintable()
    return said


# ---------------------------------------------------------------- names

WORDS = ("a", "1", "*", "**", "?", "[1]", "[!b]", "{a,1}", "=", "points=0", "game_status=4", ",", "'", '"', "]", "\\")
MORE_WORDS = ("~", "%", "%41", "$x", "-", "--", " ", ".", "s3:", "http:", "file:", "é", "\n", "\x1b[31m", ";--", "#")
NAMES = st.lists(st.sampled_from(WORDS + MORE_WORDS), min_size=1, max_size=4).map("".join)


def neighbour(name: str) -> str:
    """A name that an engine would take the first one for."""
    for pattern, match in (("**", "a"), ("*", "a"), ("?", "a"), ("[1]", "1"), ("[!b]", "a"), ("{a,1}", "a")):
        name = name.replace(pattern, match)
    return name.replace("\\", "")


def csv_of(rows: list[Row]) -> str:
    return (
        "\n".join([",".join(rows[0]), *(",".join("" if v is None else str(v) for v in row.values()) for row in rows)])
        + "\n"
    )


def plant(folder: Path, subfolder: str, name: str, number: int) -> Path:
    """A table of one game that tells which file it came from; every file has the same size and age."""
    file = folder / SCHEDULE.name / subfolder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    game = scheduled(DAY, *(("NYK", "BOS"), ("GSW", "LAL"))[number % 2], home_team_id=number)
    if name.endswith(".csv"):
        file.write_text(csv_of([game]))
    elif name.endswith(".csv.gz"):
        file.write_bytes(gzip.compress(csv_of([game]).encode(), mtime=0))
    else:
        write_parquet(file, [game])
    os.utime(file, (0, 0))
    return file


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, NAMES, NAMES, st.sampled_from((".csv", ".csv.gz", ".parquet")))
@example("data[1]", "a", "a", ".csv")
@example("a", "game_status=4", "a", ".parquet")
@example("a", "**", "*", ".parquet")
def test_a_name_means_nothing_but_itself(
    engine: duckdb.DuckDBPyConnection, folder: str, subfolder: str, name: str, suffix: str
) -> None:
    """The rows under any name are those under a plain one, and never a neighbour's."""
    with TemporaryDirectory() as there:
        planted = {}
        for number, change in enumerate((neighbour, str)):
            root = Path(there) / f"x{change(folder)}"
            planted[plant(root, f"x{change(subfolder)}", f"x{change(name)}{suffix}", number)] = root, number
        for wanted, _ in planted.values():
            (table,) = staged(engine, wanted).staged
            rows = engine.execute(f"SELECT home_team_id, game_status FROM {table.name} ORDER BY 1").fetchall()
            assert rows == sorted((number, 1) for root, number in planted.values() if root == wanted)
            assert [row[0] for row in engine.execute(f"DESCRIBE {table.name}").fetchall()] == [*SCHEDULE.column_names]


def test_an_open_file_is_never_taken_for_the_one_before(engine: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Open files have numbers, which come again: what an engine keeps of a file it may not keep by its number."""
    for number in range(1, 9):
        plant(tmp_path / str(number), ".", "a.parquet", number)
        (table,) = staged(engine, tmp_path / str(number)).staged
        assert engine.execute(f"SELECT home_team_id FROM {table.name}").fetchall() == [(number,)]


def test_many_files_are_read_as_one(engine: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """More than one statement reads, some with columns and types of their own; a wrong row is still named."""
    for number in range(70):
        plant(tmp_path / "raw", f"{number:02}", "a.csv", number)
    file = tmp_path / "raw" / SCHEDULE.name / "99" / "a.parquet"
    file.parent.mkdir()
    (tmp_path / "raw" / SCHEDULE.name / "98.ndjson").write_text('{"game_id": 5}\n')
    write_parquet(file, [GAME, GAME | {"game_status": 9}])
    said = refusal(engine, tmp_path / "raw")
    assert f"{tmp_path}/raw/{SCHEDULE.name}/98.ndjson, row 1" in said
    (tmp_path / "raw" / SCHEDULE.name / "98.ndjson").unlink()
    assert f"{file}, row 2" in refusal(engine, tmp_path / "raw")


def test_the_command_takes_names_as_they_are(
    warehouse: DuckDBWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("-data1", "-data[1]")):
        plant(tmp_path / name, "home_team_abbr=BOS", "a.csv", number)
    done = typed(warehouse, "data", "load", "--", "-data[1]")
    assert done.code == 0, done
    with warehouse.reading() as session:
        text = f"SELECT home_team_id, home_team_abbr FROM {SCHEDULE.id} WHERE game_date = DATE '{DAY}'"
        assert list(session.query(text).rows) == [(1, "LAL")]


ANSWERS: Tables = {
    "team_advanced": [{"game_id": "1", "team_id": 1, "team_abbr": "BOS", "pace": 0}],
    "team_misc_scoring": [{"game_id": "1", "team_id": 1, "pts_paint": 1, "pct_ast_fgm": 0.5}],
    "player_advanced": [{"game_id": "1", "player_id": 1, "pace": 0}],
    "player_misc_scoring": [{"game_id": "1", "player_id": 1, "pts_paint": 1, "pct_ast_fgm": 0.5}],
    "shot_zones": [{"game_id": "1", "player_id": 1, "zone_basic_official": "Mid-Range"}],
}


def test_the_leagues_own_figures_are_those_in_the_folder_that_is_named(tmp_path: Path) -> None:
    for number, name in enumerate(("pace=7", "pace=[7]")):
        for table, rows in ANSWERS.items():
            path = tmp_path / name / f"{table}.parquet"
            path.parent.mkdir(exist_ok=True)
            pq.write_table(
                pa.Table.from_pylist([row | {"pace": number} if "pace" in row else row for row in rows]), path
            )
        read = answer_key.read(tmp_path / name)
        assert read["team"]["1", "BOS"]["pace"] == read["player"]["1", 1]["pace"] == number
    (tmp_path / name / "shot_zones.parquet").write_text("no parquet")
    with pytest.raises(NbactlError) as caught:
        answer_key.read(tmp_path / name)
    assert str(tmp_path / name / "shot_zones.parquet") in caught.value.message


# ---------------------------------------------------------------- what is no file

Plant = Callable[[Path], object]


def _socket(path: Path) -> None:
    place = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{place}/{path.name}")
    os.close(place)


def _link_to_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("fifo"))
    path.symlink_to(path.with_name("fifo"))


NO_FILES: dict[str, tuple[Plant, str]] = {
    "a FIFO": (os.mkfifo, "a FIFO"),
    "a link to a FIFO": (_link_to_fifo, "a FIFO"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "a device"),
    "a socket": (_socket, "o"),
    "what the system makes up": (lambda path: path.symlink_to("/proc/self/environ"), "made up by the system"),
    "a link to nowhere": (lambda path: path.symlink_to("/nowhere"), "No such file"),
    "a link to itself": (lambda path: path.symlink_to(path), "symbolic links"),
    "a folder": (lambda path: path.mkdir(), "a folder"),
    "a link to a folder": (lambda path: path.symlink_to(".."), "a folder"),
}


@pytest.mark.parametrize("case", NO_FILES)
@pytest.mark.parametrize("inside", [False, True])
def test_what_is_no_file_is_refused_by_name(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path, case: str, *, inside: bool
) -> None:
    make, words = NO_FILES[case]
    folder = write(tmp_path / "raw", two_days(SCHEDULE.name))
    path = folder / (f"{TEAM_BOX.name}/part.csv" if inside else f"{TEAM_BOX.name}.csv")
    path.parent.mkdir(exist_ok=True)
    make(path)
    if inside and case == "a folder":
        assert [one.table for one in staged(engine, folder).staged] == [SCHEDULE]
        return
    said = refusal(engine, folder)
    assert f"cannot be read: {path}: " in said
    assert words in said


def test_what_has_no_known_form_is_passed_over_by_name(engine: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = write(tmp_path / "raw", two_days(SCHEDULE.name), name="part")
    for name in (f"{TEAM_BOX.name}.csv.zst", f"{SCHEDULE.name}/notes.txt", f"{SCHEDULE.name}/.hidden", "other"):
        (folder / name).write_text("x")
    assert staged(engine, folder).ignored == (f"{SCHEDULE.name}/notes.txt", f"{TEAM_BOX.name}.csv.zst", "other")


@pytest.mark.parametrize("mode", [0o000, 0o300])
def test_a_folder_or_file_that_may_not_be_read_is_named(warehouse: DuckDBWarehouse, tmp_path: Path, mode: int) -> None:
    folder = write(tmp_path / "raw", two_days(SCHEDULE.name))
    blocked = folder if mode else folder / f"{SCHEDULE.name}.parquet"
    blocked.chmod(mode)
    try:
        ended = run(warehouse, "data", "load", str(folder), fate=Fate(mere=os.geteuid() == 0))
    finally:
        blocked.chmod(0o700)
    assert ended.code == 1, ended
    assert str(blocked) in ended.err
    assert "ermission denied" in ended.err
    assert "did not expect" not in ended.err


# ---------------------------------------------------------------- what files hold


def _nested(depth: int) -> pa.DataType:
    kind: pa.DataType = pa.int64()
    for _ in range(depth):
        kind = pa.list_(kind)
    return kind


def _parquet(path: Path, **columns: pa.Array) -> None:
    pq.write_table(pa.table(columns), path)


CSV = csv_of([{key: value for key, value in GAME.items() if value is not None}])
HEAD, ROW = CSV.splitlines()

HOSTILE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "two hundred levels": ("parquet", lambda path: _parquet(path, game_id=pa.array([None], _nested(200)))),
    "nested values": ("parquet", lambda path: _parquet(path, game_id=pa.array([{"a": [1]}]))),
    "a text named parquet": ("parquet", lambda path: path.write_text(CSV)),
    "a gzip named parquet": ("parquet", lambda path: path.write_bytes(gzip.compress(CSV.encode()))),
    "a million columns": ("csv", lambda path: path.write_text(",".join(f"x{n}" for n in range(10**6)) + "\n1\n")),
    "quotes in the head": ("csv", lambda path: path.write_text('"a""; DROP TABLE x; --",game_id\n1,2\n')),
    "no column of ours": ("csv", lambda path: path.write_text("a,b\n1,2\n")),
    "an open quote": ("csv", lambda path: path.write_text(f'{CSV}"never closed,\n' + "x,y\n" * 1000)),
    "NUL bytes": ("csv", lambda path: path.write_text(CSV.replace("NYK", "N\0K"))),
    "the year 10000": ("csv", lambda path: path.write_text(CSV.replace("2024-11-01,", "294246-11-01,"))),
    "deep JSON": ("ndjson", lambda path: path.write_text('{"game_id":' + "[" * 10**5 + "]" * 10**5 + "}\n")),
    "a key twice": ("ndjson", lambda path: path.write_text('{"game_id":"a","game_id":"b"}\n')),
    "JSON without objects": ("ndjson", lambda path: path.write_text('[1,2,3]\n"x"\n5\n')),
    "a huge number": ("ndjson", lambda path: path.write_text('{"game_id":' + "9" * 10**5 + "}\n")),
    "no bytes, as gzip": ("csv.gz", lambda path: path.write_bytes(b"")),
    "half a gzip": ("csv.gz", lambda path: path.write_bytes(gzip.compress(os.urandom(2000))[:1000])),
    "gzip and more": ("csv.gz", lambda path: path.write_bytes(gzip.compress(CSV.encode()) + b"more")),
    "zeros": ("csv.gz", lambda path: path.write_bytes(gzip.compress(bytes(10**7)))),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_by_name(tmp_path: Path, case: str) -> None:
    suffix, make = HOSTILE[case]
    folder = write(tmp_path / "raw", two_days(TEAM_BOX.name))
    make(folder / f"{SCHEDULE.name}.{suffix}")
    with duckdb.connect() as engine:  # its own: some break what reads them
        said = refusal(engine, folder)
    assert f"{folder}/{SCHEDULE.name}.{suffix}" in said
    assert "warehouse" not in said
    assert "/dev/fd" not in said


@pytest.mark.parametrize("name", ["a'], x='; DROP TABLE y--", "[bold red]x[blink]", "a\x1b[31mred\n\x07", b"\xff\xfe"])
def test_a_hostile_name_is_shown_as_it_is(engine: duckdb.DuckDBPyConnection, tmp_path: Path, name: str | bytes) -> None:
    folder = tmp_path / SCHEDULE.name
    folder.mkdir()
    (folder / os.fsdecode(name if isinstance(name, bytes) else name.encode())).with_suffix(".csv").write_text("a\n1\n")
    said = refusal(engine, tmp_path)
    assert (r"\xff\xfe.csv" if isinstance(name, bytes) else visible(name)) in said


def test_a_file_that_breaks_the_engine_is_named_and_the_warehouse_is_well(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    before = contents(warehouse, *RAW_TABLES)
    folder = write(tmp_path / "raw", two_days(SCHEDULE.name, GAME_LINES.name))
    HOSTILE["two hundred levels"][1](folder / f"{TEAM_BOX.name}.parquet")
    done = typed(warehouse, "data", "load", str(folder))
    assert done.code == 1
    assert f"{folder}/{TEAM_BOX.name}.parquet" in done.err
    assert "damaged" not in done.err
    assert GAME_LINES.name not in done.err
    assert contents(warehouse, *RAW_TABLES) == before


@pytest.mark.parametrize("suffix", ["csv", "parquet", "ndjson"])
def test_columns_that_have_our_names_for_things_are_passed_over(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path, suffix: str
) -> None:
    names = ("filename", "_row", "_number", "_file", "file_row_number", "file_index", "path", "first")
    game = {key: value for key, value in GAME.items() if value is not None} | dict.fromkeys(names, "evil")
    folder = write(tmp_path / "raw", {SCHEDULE.name: [game]}, suffix)
    assert [one.rows for one in staged(engine, folder).staged] == [1]
    write(tmp_path / "bad", {SCHEDULE.name: [game, game | {"game_status": 9}]}, suffix)
    assert f"{tmp_path}/bad/{SCHEDULE.name}.{suffix}, row 2" in refusal(engine, tmp_path / "bad")


# ---------------------------------------------------------------- how much they hold


def _full(path: Path, suffix: str, rows: int) -> None:
    if suffix == "parquet":
        _parquet(path, game_id=pa.array([f"{row:050}" for row in range(rows)]))
    elif suffix == "csv":
        path.write_text(f"game_id\n{'x' * 50}\n" * (rows // 2))
    else:
        path.write_bytes(gzip.compress(f"game_id\n{'x' * 50}\n".encode() * (rows // 2)))


@pytest.mark.parametrize("suffix", ["parquet", "csv", "csv.gz"])
def test_a_file_that_holds_more_than_the_limit_is_refused_with_the_limits_name(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"{SCHEDULE.name}.{suffix}"
    _full(path, suffix, 20_000)
    said = refusal(engine, tmp_path, rows=10_000)
    assert f"{path}: it holds more than 10,000 " in said
    assert "--max-file-rows" in said
    said = refusal(engine, tmp_path, bytes=1_000)
    assert f"{path}: it holds more than 1,000 bytes" in said
    assert "--max-file-bytes" in said
    assert "it holds more" not in refusal(engine, tmp_path, rows=20_000, bytes=2_000_000)


def test_what_stands_once_and_is_meant_a_million_times_counts_each_time(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Fifty kilobytes that would become a terabyte, and a list that would become as long."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 10**6, pa.int32()), pa.array(["x" * 10**6]))
    elements = pa.ListArray.from_arrays(pa.array(range(0, 1000 * 10**4 + 1, 10**4), pa.int32()), pa.repeat(7, 10**7))
    for name, column in (("game_id", text), ("players_on_court", elements)):
        path = tmp_path / name / f"{PLAY_BY_PLAY.name}.parquet"
        path.parent.mkdir()
        _parquet(path, **{name: column})
        assert path.stat().st_size < 10**5
        said = refusal(engine, path.parent, bytes=5_000_000)
        assert f"{path}: it holds more than 5,000,000 bytes" in said


def test_the_limits_are_options(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    folder = write(tmp_path / "raw", two_days(SCHEDULE.name))
    for option in ("--max-file-rows", "--max-file-bytes"):
        assert typed(warehouse, "data", "load", str(folder), option, "0").code == 2
        refused = typed(warehouse, "data", "load", str(folder), option, "1")
        assert (refused.code, option in refused.err) == (1, True), refused
    assert typed(warehouse, "data", "load", str(folder), "--max-file-rows", "4").code == 0
