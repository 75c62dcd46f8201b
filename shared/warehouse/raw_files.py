"""Raw tables from files: a folder with one file, or one folder of files, per table.

Every value is read as it stands and cast to its declared type here, so that a value that does not fit is named with
its file and row instead of becoming NULL or stopping the reader. Nothing is written until all of the folder is right.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from shared.clock import DateRange
from shared.errors import DataError, Finding, GamesLost, WarehouseFull
from shared.lost_games import GAME_TABLES, LostGames, by_date, games_lost
from shared.tables.model import Column, Table
from shared.tables.raw import SCHEDULE
from shared.warehouse import raw_checks
from shared.warehouse.duckdb_types import duckdb_type
from shared.warehouse.input_files import (
    LIMITS,
    FileLimits,
    InputFile,
    UnreadableFile,
    check_size,
    check_text_size,
    find_files,
    name_open_file,
    open_file,
    open_files,
)

# as JSON, then as text: a guessed type would change "12:30" and spoil a text among which one is a number
_NDJSON = """SELECT _nbactl_file, COLUMNS(* EXCLUDE (_nbactl_file)) ->> '$'
FROM read_json({files}, format = 'newline_delimited', filename = '_nbactl_file', union_by_name = true,
  sample_size = -1, maximum_depth = 1, compression = '{compression}')"""
_READERS = {
    ".parquet": "SELECT * FROM read_parquet({files}, filename = '_nbactl_file', union_by_name = true)",
    ".ndjson": _NDJSON,
    ".jsonl": _NDJSON,
    ".csv": """SELECT *
FROM read_csv({files}, header = true, all_varchar = true, filename = '_nbactl_file', union_by_name = true,
  delim = ',', quote = '"', escape = '"', compression = '{compression}')""",
}
_BATCH = 64
"""Files that are read by one statement; each is open while it is read."""
_SHOWN = 1000
"""Characters of an engine's error: some quote the row."""
NO_ROOM = ("No space left", "File too large", "quota exceeded", "max_temp_directory_size")
"""How the engine's errors say that a disk is full."""


@dataclass(frozen=True, slots=True)
class Staged:
    """One table of the folder, read and right.

    Attributes:
        table: its contract.
        rows: rows to write.
        dates: distinct dates that they replace.
        absent: nullable columns that the files lack.
    """

    table: Table
    rows: int
    dates: int
    absent: tuple[str, ...]

    @property
    def name(self) -> str:
        """The temporary table that holds it."""
        return f"staged_{self.table.name}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a folder gave.

    Attributes:
        staged: the tables found.
        absent: the contract's tables that the folder lacks.
        ignored: files that are no table.
        odd: what is loaded and looks wrong.
        changed: by table, the dates whose content is another than before.
        lost: games that have lost all their rows, because they might.
    """

    staged: tuple[Staged, ...]
    absent: tuple[Table, ...]
    ignored: tuple[str, ...]
    odd: tuple[Finding, ...]
    changed: Mapping[str, Sequence[date]] = field(default_factory=dict)
    lost: tuple[LostGames, ...] = ()


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a load did to the tables.

    Attributes:
        dates: by table, the game dates between which rows came or went.
        odd: what does not fit together between tables.
        lost: games that have lost all their rows.
    """

    dates: Mapping[Table, DateRange]
    odd: tuple[Finding, ...]
    lost: tuple[LostGames, ...]


def stage(
    connection: duckdb.DuckDBPyConnection, folder: Path, tables: Iterable[Table], limits: FileLimits = LIMITS
) -> Loaded:
    """Read every table of a folder into temporary tables.

    Raises:
        DataError: the folder is missing or holds no table, or its files cannot be read, or their rows break their
            contract.
        WarehouseFull: a file takes more room than there is.
    """
    tables = tuple(tables)
    try:
        files, ignored = _find_tables(folder, tables)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # no folder at all
            raise
        raise DataError(f"{folder} cannot be read", [], why=str(error), hint=_WHAT_BELONGS) from error
    if not files:
        names = ", ".join(sorted(table.name for table in tables))
        raise DataError(f"{folder} holds no raw table", [], why=f"none of {names} is in it", hint=_WHAT_BELONGS)
    # an open file has the number of one before it, of which the engine must not remember anything
    connection.execute("SET enable_external_file_cache = false")
    findings: list[Finding] = []
    odd: list[Finding] = []
    staged = [
        _stage_table(connection, table, found, limits=limits, findings=findings, odd=odd)
        for table, found in files.items()
    ]
    if findings:
        raise DataError(f"{folder}: nothing is loaded", findings, hint="mend the files and load them again")
    absent = tuple(table for table in tables if table not in files)
    return Loaded(tuple(one for one in staged if one), absent, ignored, tuple(odd))


_WHAT_BELONGS = "name a folder that holds nbac_schedule.parquet, nbac_team_boxscore.parquet and so on"


def replace(connection: duckdb.DuckDBPyConnection, loaded: Loaded, *, shrink: bool = False) -> Replaced:
    """Swap the dates that the staged tables hold into the warehouse; the caller's transaction makes it one step.

    Args:
        connection: in a transaction.
        loaded: what was staged.
        shrink: whether games may lose all their rows.

    Raises:
        DataError: a game stands the other way round in the schedule.
        GamesLost: games would lose all their rows, and may not.
    """
    tables = [one.table for one in loaded.staged]
    _remember_games(connection, loaded)
    touched = {}
    for one in loaded.staged:
        table, column = one.table, one.table.date_column
        going = f"FROM {table.id} WHERE {column} IN (SELECT DISTINCT {column} FROM {one.name})"
        first, last = raw_checks.one_row(
            connection,
            "SELECT min(game_date), max(game_date)"
            f" FROM (SELECT game_date FROM {one.name} UNION ALL SELECT game_date {going})",
        )
        if first:
            touched[table] = DateRange(first, last)
        connection.execute(f"DELETE {going}")
        order = ", ".join((column, *table.key))
        connection.execute(f"INSERT INTO {table.id} BY NAME SELECT * FROM {one.name} ORDER BY {order}")
    if findings := list(raw_checks.reversed_games(connection, tables)):
        raise DataError("nothing is loaded", findings, hint="mend the files and load them again")
    lost = tuple(_lost_games(connection, loaded))
    if lost and not shrink:
        raise GamesLost("nothing is loaded: games would lose all their rows", lost)
    return Replaced(touched, tuple(raw_checks.oddities(connection, tables)), lost)


def _remember_games(connection: duckdb.DuckDBPyConnection, loaded: Loaded) -> None:
    """Note which games have rows on the dates that are about to be replaced, before the schedule is."""
    numbers = f"SELECT game_id, max(nba_game_id) AS nba_game_id FROM {SCHEDULE.id} GROUP BY game_id"
    for one in _of_games(loaded):
        own = "nba_game_id" if "nba_game_id" in one.table.column_names else "NULL"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {one.name}_before AS"
            " SELECT game_date, game_id, coalesce(s.nba_game_id, b.number) AS nba_game_id"
            f" FROM (SELECT game_date, game_id, max({own})::VARCHAR AS number FROM {one.table.id}"
            f" WHERE game_date IN (SELECT DISTINCT game_date FROM {one.name}) GROUP BY ALL) AS b"
            f" LEFT JOIN ({numbers}) AS s USING (game_id)"
        )


def _lost_games(connection: duckdb.DuckDBPyConnection, loaded: Loaded) -> Iterator[LostGames]:
    for one in _of_games(loaded):
        after = f"SELECT game_date, game_id FROM {one.name}"
        lost = connection.execute(games_lost(f"SELECT * FROM {one.name}_before", after)).fetchall()
        yield from by_date(one.table, lost)


def _of_games(loaded: Loaded) -> Iterator[Staged]:
    return (one for one in loaded.staged if one.table in GAME_TABLES)


def _find_tables(folder: Path, tables: Collection[Table]) -> tuple[dict[Table, list[InputFile]], tuple[str, ...]]:
    """The files of each table that has any, and the names of what is no file of any table."""
    if not folder.is_dir():
        raise NotADirectoryError("it is no folder")
    names = {table.name for table in tables}
    ignored = [path for path in folder.iterdir() if path.name.split(".")[0] not in names]
    files = {}
    for table in tables:
        found, others = find_files(folder, table.name, _READERS)
        ignored += [path for path in others if not path.name.startswith(".")]
        if found:
            files[table] = found
    return files, tuple(sorted(str(path.relative_to(folder)) for path in ignored))


def _stage_table(  # noqa: PLR0913 -- what is read, and where what is wrong with it goes
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    files: Sequence[InputFile],
    *,
    limits: FileLimits,
    findings: list[Finding],
    odd: list[Finding],
) -> Staged | None:
    """Read the files of a table, check and cast them; what is wrong or odd is added to the findings."""
    wrong = _read(connection, table, files, limits)
    if wrong:
        findings += wrong
        return None
    present = {row[0] for row in connection.execute("DESCRIBE raw_rows").fetchall()}
    wrong = [
        Finding(table.name, f"the column is missing in {files[0].text}", column.name)
        for column in table.columns
        if column.mode == "REQUIRED" and column.name not in present
    ]
    wrong = wrong or list(raw_checks.check_values(connection, table, present))
    if not wrong:
        _cast(connection, table, present)
        wrong = list(raw_checks.check_rows(connection, table))
    if wrong:
        findings += wrong
        return None
    name = f"staged_{table.name}"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * EXCLUDE (_file, _row) FROM cast_rows")
    rows, dates = raw_checks.one_row(connection, f"SELECT count(*), count(DISTINCT {table.date_column}) FROM {name}")
    absent = tuple(column.name for column in table.columns if column.name not in present)
    if not rows:
        odd.append(Finding(table.name, "there are no rows", example=files[0].text))
    odd += raw_checks.broken_rules(connection, table, table.expects)
    return Staged(table, rows, dates, absent)


def _read(
    connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[InputFile], limits: FileLimits
) -> list[Finding]:
    """Read the files as they stand into `raw_rows`, with `_file` and `_row`; return what is wrong with them."""
    wrong = [finding for file in files if (finding := _check_file(connection, table, file, limits))]
    if wrong:
        return wrong
    # a row's number means something only while rows keep the order of their file
    connection.execute("SET preserve_insertion_order = true")
    try:
        batches: list[str] = []
        for batch in _batches(files):
            wrong += _read_batch(connection, table, batch, batches)
    finally:
        with suppress(duckdb.Error):
            connection.execute("SET preserve_insertion_order = false")
    if not wrong:
        # only as texts do the columns of any two files fit together
        shape = "*" if len(batches) == 1 else "COLUMNS(* EXCLUDE (_row))::VARCHAR, _row"
        rows = " UNION ALL BY NAME ".join(f"SELECT {shape} FROM {name}" for name in batches)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW raw_rows AS {rows}")
    return wrong


def _batches(files: Sequence[InputFile]) -> Iterator[Sequence[InputFile]]:
    """Files that one statement can read."""
    kinds: dict[tuple[str, bool], list[InputFile]] = {}
    for file in files:
        kinds.setdefault((file.suffix, file.is_gzip), []).append(file)
    for kind in kinds.values():
        for first in range(0, len(kind), _BATCH):
            yield kind[first : first + _BATCH]


def _read_batch(
    connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[InputFile], batches: list[str]
) -> list[Finding]:
    """Read some files into a view of their own, and add its name; return what is wrong with them."""
    name = f"raw_rows_{len(batches)}"
    try:
        with open_files(files) as names:
            _read_open_files(connection, table, names, name)
    except (UnreadableFile, duckdb.Error) as error:
        _raise_if_no_fault_of_files(error, table, files)
        if len(files) > 1:
            # together they do not fit, or one of them cannot be read
            return [finding for file in files for finding in _read_batch(connection, table, [file], batches)]
        return [_unreadable(table, files[0], error)]
    batches.append(name)
    return []


def _read_open_files(
    connection: duckdb.DuckDBPyConnection, table: Table, names: Mapping[str, InputFile], view: str
) -> None:
    file = next(iter(names.values()))
    reader = _READERS[file.suffix].format(files=list(names), compression="gzip" if file.is_gzip else "none")
    wanted = [*table.column_names, "_nbactl_file"]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {view}_read AS"
        f" SELECT COLUMNS(lambda name: name IN {wanted}), row_number() OVER () AS _nbactl_number FROM ({reader})"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {view}_files AS SELECT _nbactl_file, path, min(_nbactl_number) AS first"
        f" FROM {view}_read JOIN (SELECT unnest($names) AS _nbactl_file, unnest($paths) AS path) USING (_nbactl_file)"
        " GROUP BY ALL",
        {"names": list(names), "paths": [file.text for file in names.values()]},
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT * EXCLUDE (_nbactl_file, _nbactl_number, path, first),"
        f" path AS _file, _nbactl_number - first + 1 AS _row FROM {view}_read JOIN {view}_files USING (_nbactl_file)"
    )


def _check_file(
    connection: duckdb.DuckDBPyConnection, table: Table, file: InputFile, limits: FileLimits
) -> Finding | None:
    """What is wrong with a file before it is read: it is none, or it holds too much."""
    try:
        with open_file(file.path) as stream:
            if file.suffix == ".parquet":
                _check_parquet_size(connection, table, name_open_file(stream), limits)
            else:
                check_text_size(file, stream, limits)
    except (UnreadableFile, duckdb.Error) as error:
        _raise_if_no_fault_of_files(error, table, [file])
        return _unreadable(table, file, error)
    return None


def _check_parquet_size(
    connection: duckdb.DuckDBPyConnection, table: Table, engine_name: str, limits: FileLimits
) -> None:
    """See that a parquet file is within limits; what stands in it once may be meant a million times.

    Raises:
        UnreadableFile: it is not.
    """
    (rows,) = raw_checks.one_row(
        connection, "SELECT coalesce(sum(num_rows), 0) FROM parquet_file_metadata(?)", [engine_name]
    )
    # a value is a byte at least, an element of a list too
    (size,) = raw_checks.one_row(
        connection,
        "SELECT greatest(coalesce(sum(total_uncompressed_size), 0), coalesce(sum(num_values), 0))"
        " FROM parquet_metadata(?)",
        [engine_name],
    )
    check_size(rows, size, limits)
    described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [engine_name]).fetchall()
    types = {row[0]: row[1] for row in described}
    texts = [f"coalesce(sum(strlen({name})), 0)" for name in table.column_names if types.get(name) == "VARCHAR"]
    if texts:
        (size,) = raw_checks.one_row(connection, f"SELECT {' + '.join(texts)} FROM read_parquet(?)", [engine_name])
        check_size(rows, size, limits)


def _unreadable(table: Table, file: InputFile, error: Exception) -> Finding:
    lines = re.sub(r"/dev/fd/\d+", lambda _: file.text, str(error)).splitlines()
    reason = next((line for line in lines if line.strip()), type(error).__name__)
    named = reason[:_SHOWN] if file.text in reason[:_SHOWN] else f"{file.text}: {reason[:_SHOWN]}"
    return Finding(table.name, f"cannot be read: {named}")


def _raise_if_no_fault_of_files(error: Exception, table: Table, files: Sequence[InputFile]) -> None:
    """Pass on what does not mean that a file is bad, or that ends all reading.

    Raises:
        DataError: the engine has given up over these files, and would refuse whatever follows.
        WarehouseFull: there is no room for them.
        duckdb.InterruptException: the operator has interrupted.
    """
    which = files[0].text if len(files) == 1 else f"{len(files)} files of {table.name}, {files[0].text} and others,"
    if isinstance(error, duckdb.InterruptException):
        raise error
    if any(sign in str(error) for sign in NO_ROOM):
        raise WarehouseFull(
            f"{which} take more room than there is",
            why=str(error).splitlines()[0],
            hint="see that the files are what they should be; free disk space (df -h), then run it again",
        ) from error
    if isinstance(error, duckdb.FatalException | duckdb.InternalException):
        findings = [_unreadable(table, file, error) for file in files[:1]]
        raise DataError("nothing is loaded", findings, hint="mend the files and load them again") from error


def _cast(connection: duckdb.DuckDBPyConnection, table: Table, present: set[str]) -> None:
    def declared(column: Column) -> str:
        value = raw_checks.value(column) if column.name in present else "NULL"
        return f"{value}::{duckdb_type(column.type)} AS {column.name}"

    values = ", ".join(map(declared, table.columns))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE cast_rows AS SELECT {values}, _file, _row FROM raw_rows")
