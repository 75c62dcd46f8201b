"""A processor as data: what it reads, what it writes, and what must hold of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from shared.tables.model import STAMPS, STRING, STRINGS, Column, Table, required

QUALITY = (
    required("data_quality_tier", STRING, "high, medium or low"),
    Column("quality_issues", STRINGS, "codes, sorted; empty when there is none"),
)


class Relation(StrEnum):
    """Which rows of an input a processor reads for an output date."""

    SAME_DATE = "same date"
    """The same game of a results date, or the same slate."""
    HISTORY = "history"
    """The season's rows before the date."""
    REFERENCE = "reference"
    """Calendar and static rows, for expectations; never a gate."""


@dataclass(frozen=True, slots=True)
class Input:
    """A table that a processor reads.

    Attributes:
        table: bare table name.
        relation: which rows.
        required: whether the processor must wait for it; an optional input leaves NULL columns and a lower tier.
        instead: a table that will do where this one has nothing.
        days_ahead: schedule only: how many days after the date it looks at.
    """

    table: str
    relation: Relation
    required: bool = True
    instead: str | None = None
    days_ahead: int = 0


@dataclass(frozen=True, slots=True)
class Issue:
    """A soft check: the row is kept and carries the code.

    Attributes:
        code: goes to `quality_issues`.
        when: GoogleSQL condition over the result's columns; window functions are welcome.
        count: GoogleSQL integer appended to the code after a colon.
    """

    code: str
    when: str
    count: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A hard check: where it fails, the date keeps the rows it had.

    Attributes:
        code: names the check in the ledger.
        holds: GoogleSQL condition over the result's columns; NULL counts as holding.
    """

    code: str
    holds: str


class Dated(StrEnum):
    """What the date of an output row means."""

    RESULTS = "results"
    """The day of the games that the row describes."""
    SLATE = "slate"
    """The day of games to come; the row knows only what was known before it."""


@dataclass(frozen=True)
class Processor:
    """One table of the pipeline and how it comes about.

    Attributes:
        name: class name in the contracts and the ledger.
        short: for people in a hurry.
        level: phase and order within it, as `3.2`.
        dated: what an output date means.
        output: the table.
        sql: file with its GoogleSQL.
        inputs: every table that the SQL reads.
        expected: GoogleSQL of one row per expected row, columns `date` and `id`, no two alike.
        identity: GoogleSQL that gives the `id` of an output row.
        issues: soft checks.
        checks: hard checks.
    """

    name: str
    short: str
    level: str
    dated: Dated
    output: Table
    sql: Path
    inputs: tuple[Input, ...]
    expected: str
    identity: str
    issues: tuple[Issue, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def phase(self) -> int:
        """3 for analytics, 4 for precompute."""
        return int(self.level.split(".")[0])

    @property
    def is_of_games(self) -> bool:
        """Whether each of its rows is of one game, whose id then begins the row's id."""
        return self.identity.startswith("CONCAT(game_id, '/'")

    @cached_property
    def result_columns(self) -> tuple[Column, ...]:
        """The columns that its SQL gives: all but the stamps and the issues."""
        outside = {column.name for column in STAMPS} | {"quality_issues"}
        return tuple(column for column in self.output.columns if column.name not in outside)


def output(  # noqa: PLR0913 -- a table has these parts, all by name
    *,
    dataset: str,
    name: str,
    row: str,
    key: tuple[str, ...],
    columns: tuple[Column, ...],
    partition: str,
    cluster: tuple[str, ...],
) -> Table:
    """An output table: its own columns, then quality, then stamps."""
    return Table(
        dataset=dataset,
        name=name,
        row=row,
        key=key,
        columns=(*columns, *QUALITY, *STAMPS),
        partition=partition,
        cluster=cluster,
    )
