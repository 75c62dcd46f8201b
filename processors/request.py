"""What the runner is asked, and what it answers; the same values whoever asks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from processors.declaration import Processor
from shared.clock import utc_now
from shared.ledger import Status

Work = tuple[Processor, tuple[date, ...]]
"""A processor and its output dates, in order."""


SIDE_BY_SIDE = 2
"""Processors at work at a time: one computes while another checks and writes. Each holds its rows in memory."""


def new_id() -> str:
    """A uuid4 in 32 hex digits."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Trigger:
    """Who asked, as the ledger names it.

    Attributes:
        source: cli, backfill, reconcile, verify, pubsub or fallback.
        correlation_id: of the whole chain of events; a new one where the chain begins here.
        table: that the message announced.
        game_date: of the announced rows.
        subscription: that delivered the message.
        parent_run_id: run that announced it.
    """

    source: str = "cli"
    correlation_id: str = field(default_factory=new_id)
    table: str | None = None
    game_date: date | None = None
    subscription: str | None = None
    message_id: str | None = None
    delivery_attempt: int | None = None
    parent_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What to compute, if it is owed.

    Attributes:
        work: processors in dependency order, each with its dates.
        trigger: who asks.
        as_of: the moment after which no line or report is seen, UTC.
        allow_incomplete: run on incomplete inputs, and say so.
        force: why to compute even what has not changed; None to leave that.
        announce: whether runs owe an event when their rows are written.
        deadline: when no further statement is begun, UTC.
        retry_failed: whether to compute again what has failed for good on the same inputs.
        keep_games: whether the rows of a game stay whose raw rows are gone.
        request_id: groups the runs.
    """

    work: tuple[Work, ...]
    trigger: Trigger = field(default_factory=Trigger)
    as_of: datetime = field(default_factory=utc_now)
    allow_incomplete: bool = False
    force: str | None = None
    announce: bool = False
    deadline: datetime | None = None
    retry_failed: bool = True
    keep_games: bool = False
    request_id: str = field(default_factory=new_id)

    @property
    def size(self) -> int:
        """Table-dates to compute, or to say why not."""
        return sum(len(dates) for _, dates in self.work)

    @property
    def table_dates(self) -> set[tuple[str, date]]:
        """Bare output table and date of all that is asked for."""
        return {(processor.output.name, day) for processor, dates in self.work for day in dates}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compute."""
        return not self.size


@dataclass(frozen=True, slots=True)
class AbsentGame:
    """A game of which a table should hold rows, and holds none, or none of one team.

    Attributes:
        league_id: the league's ten digits.
        team: the one without rows; None where both are.
    """

    game_id: str
    league_id: str
    away: str
    home: str
    team: str | None = None

    def __str__(self) -> str:
        return f"{self.away}@{self.home} ({self.league_id})" + (f" without {self.team}" if self.team else "")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one processor fared for one date.

    Attributes:
        rows: stored rows; 0 where nothing was written.
        expected: rows that should be there.
        missing: ids of expected rows that are not, at most 50.
        games: whose rows are expected; 0 where no row is missing, or the rows are not of games.
        absent_games: those of them without any row, or without any of one team.
        tiers: rows by data quality tier: high, medium, low.
        issues: issue codes and the rows that carry them.
        ready: rows fit for production, Phase 4.
        error_type: class of the exception that ended it.
        run_id: its row in the ledger; None for an answer without a run.
        seconds: wall time of the statement, shared by the dates of its range.
    """

    processor: Processor
    date: date
    status: Status
    rows: int = 0
    expected: int = 0
    missing: tuple[str, ...] = ()
    games: int = 0
    absent_games: tuple[AbsentGame, ...] = ()
    tiers: tuple[int, int, int] = (0, 0, 0)
    issues: Mapping[str, int] = field(default_factory=dict)
    ready: int = 0
    reason_code: str | None = None
    reason: str | None = None
    error_type: str | None = None
    run_id: str | None = None
    seconds: float = 0.0
