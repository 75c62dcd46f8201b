"""Rows as a table, JSON, JSON lines or CSV on stdout.

JSON is the exact form: unprintable characters are escaped the JSON way and come back when it is read.
In the other forms they are spelled out for good, because those are read by eyes.
"""

import csv
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType

from nbactl.render.terminal import console, is_terminal, visible

Row = Mapping[str, object]

_GAP = 2  # between two columns
NOTHING = "-"  # a cell without a value still counts as one for `awk`


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the key in each row and in JSON, what a table calls it, and how far it rounds."""

    name: str
    heading: str = ""
    digits: int | None = None

    @property
    def title(self) -> str:
        """What stands above the column in a table."""
        return self.heading or self.name


def write(rows: Iterable[Row], columns: Sequence[Column], output: str = "table") -> None:
    """Write the rows to stdout; all forms but the table begin before the last row is known.

    Args:
        rows: each holds a value for every column; whatever else it holds is not written.
        columns: what is written, in this order, in every form.
        output: table, json, jsonl or csv.
    """
    WRITERS[output](rows, columns)


def flow(batches: Iterable[Sequence[Row]], columns: Sequence[Column]) -> None:
    """Write rows to stdout as they come, in columns as wide as the first batch needs; nothing is cut."""
    widths: list[int] = []
    for rows in batches:
        cells = [[_text(row[column.name], column.digits) or NOTHING for column in columns] for row in rows]
        if cells and not widths:
            cells.insert(0, [column.title for column in columns])
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for line in cells:
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            sys.stdout.write("  ".join(padded).rstrip() + "\n")
        sys.stdout.flush()


def plain(value: object) -> object:
    """Return the value as JSON has it: times in RFC 3339 and UTC, NaN and infinity as null."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() | Decimal():
            return float(value) if math.isfinite(value) else None
        case date():
            return _rfc3339(value) if isinstance(value, datetime) else value.isoformat()
        case Mapping():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            return str(value)


def json_line(value: object) -> str:
    """Return the value as JSON on one line, as readable and as harmless as printable text."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
    return text if text.isprintable() else "".join(map(_json_escaped, text))


def _rfc3339(moment: datetime) -> str:
    # A TIMESTAMP comes out of DuckDB without a zone; the warehouse keeps UTC.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _json(row: Row, columns: Sequence[Column]) -> str:
    return json_line({column.name: row[column.name] for column in columns})


def _json_escaped(char: str) -> str:
    if char.isprintable():
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _text(value: object, digits: int | None = None) -> str:
    simple = plain(value)
    match simple:
        case None:
            return ""
        case str():
            return visible(simple)
        case float() if digits is not None:
            return f"{simple:.{digits}f}"
        case _:
            return json_line(simple)


def _write_json(rows: Iterable[Row], columns: Sequence[Column]) -> None:
    before = "["
    for row in rows:
        sys.stdout.write(f"{before}\n  {_json(row, columns)}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def _write_jsonl(rows: Iterable[Row], columns: Sequence[Column]) -> None:
    for row in rows:
        sys.stdout.write(f"{_json(row, columns)}\n")


def _write_csv(rows: Iterable[Row], columns: Sequence[Column]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(column.name for column in columns)
    for row in rows:
        writer.writerow(_text(row[column.name]) for column in columns)


def _write_table(rows: Iterable[Row], columns: Sequence[Column]) -> None:
    kept = list(rows)
    cells = [[_text(row[column.name], column.digits) or NOTHING for column in columns] for row in kept]
    right = [_is_numeric(row[column.name] for row in kept) for column in columns]
    titles = [column.title for column in columns]
    fits = is_terminal(sys.stdout) and _width([titles, *cells]) <= console(sys.stdout).width
    # folded in the middle of a name or a command, a wide row is of no use: let the terminal wrap it
    (_write_rich if fits else _write_aligned)(titles, cells, right)


def _width(lines: list[list[str]]) -> int:
    """How wide the lines stand as a table."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return sum(widths) + _GAP * (len(widths) - 1)


def _is_numeric(values: Iterable[object]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(
        isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in present
    )


def _write_aligned(titles: list[str], cells: list[list[str]], right: list[bool]) -> None:
    lines = [titles, *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        )
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def _write_rich(titles: list[str], cells: list[list[str]], right: list[bool]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, to_right in zip(titles, right, strict=True):
        table.add_column(Text(title), justify="right" if to_right else "left", overflow="fold")
    for line in cells:
        # Text, never str: Rich would read markup in a str.
        table.add_row(*map(Text, line))
    console(sys.stdout).print(table)


WRITERS: Mapping[str, Callable[[Iterable[Row], Sequence[Column]], None]] = MappingProxyType(
    {"table": _write_table, "json": _write_json, "jsonl": _write_jsonl, "csv": _write_csv}
)
"""The forms `-o` accepts."""
