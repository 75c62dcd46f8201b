"""What staged rows amount to: how many are there, how many should be, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from processors import statements
from processors.declaration import Processor
from processors.request import AbsentGame, Outcome
from shared.ledger import Status
from shared.text import shorten
from shared.warehouse.base import Session

_NAMED = 50
"""How many missing ids a ledger row names; the rest is counted."""
_SHOWN = 3
"""How many rows a sentence names."""
_SHOWN_CHARACTERS = 120
"""How much of a name that somebody else has made up."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the staged rows of one date are: the counts of `statements.counts` and what is wrong with them."""

    row_count: int = 0
    high: int = 0
    medium: int = 0
    ready: int = 0
    expected: int = 0
    missing: tuple[str, ...] = ()
    games: int = 0
    absent: tuple[AbsentGame, ...] = ()
    issues: Mapping[str, int] = field(default_factory=dict)
    broken: tuple[str, str] | None = None
    stored: int = 0


def judge(
    session: Session,
    processor: Processor,
    dates: Sequence[date],
    parameters: Mapping[str, Any],
    stored: Mapping[date, int],
) -> Iterator[Outcome]:
    """What the staged rows of each date amount to.

    Args:
        session: whose `stage` holds the rows.
        processor: that made them.
        dates: the output dates wanted.
        parameters: of the statement that made them.
        stored: rows that the output table holds now.
    """
    for day, facts in _facts(session, processor, dates, parameters, stored).items():
        status, code, reason = _verdict(processor, facts)
        yield Outcome(
            processor,
            day,
            status,
            rows=facts.row_count if status.wrote else 0,
            expected=facts.expected,
            missing=facts.missing[:_NAMED],
            games=facts.games,
            absent_games=facts.absent,
            tiers=(facts.high, facts.medium, facts.row_count - facts.high - facts.medium),
            issues=facts.issues,
            ready=facts.ready,
            reason_code=code,
            reason=reason,
        )


def _facts(
    session: Session,
    processor: Processor,
    dates: Sequence[date],
    parameters: Mapping[str, Any],
    stored: Mapping[date, int],
) -> dict[date, _Facts]:
    counts = {row.pop("date"): row for row in session.query(statements.counts(processor), parameters).records()}
    # most tables have neither, and asking costs more than knowing
    issues = _issues(session, processor) if sum(row.pop("marked") for row in counts.values()) else {}
    broken = _broken(session, processor, parameters) if sum(row.pop("broken") for row in counts.values()) else {}
    lacking = processor.is_of_games and any(row["missing"] for row in counts.values())
    absent = _absent_games(session, processor, parameters) if lacking else {}
    facts = {}
    for day in dates:
        counted = counts.get(day, {})
        facts[day] = _Facts(
            **counted | {"missing": tuple(counted.get("missing") or ())},
            games=absent.get(day, (0, ()))[0],
            absent=absent.get(day, (0, ()))[1],
            issues=issues.get(day, {}),
            broken=broken.get(day),
            stored=stored.get(day, 0),
        )
    return facts


def _verdict(processor: Processor, facts: _Facts) -> tuple[Status, str | None, str | None]:
    """The status of a date, its reason as a code, and in words."""
    rows, expected, missing = facts.row_count, facts.expected, facts.missing
    if facts.broken:
        return Status.FAILED_PERMANENT, *facts.broken
    if not rows and facts.stored:
        reason = f"{facts.stored} rows are stored and none could be computed; the stored ones stay"
        return Status.FAILED_PERMANENT, "would_empty", reason
    if not rows and expected:
        required = ", ".join(one.table for one in processor.inputs if one.required)
        return Status.NOT_READY, "inputs_missing", f"none of {expected} expected rows; it needs {required}"
    if not rows:
        return Status.SUCCESS_EMPTY, "empty_ok", "no row is expected"
    if missing:
        reason = f"{len(missing)} of {expected} rows are missing: {_some(missing)}"
        return Status.DEGRADED, *(("games_missing", _absent_said(facts)) if facts.absent else ("rows_missing", reason))
    return Status.SUCCESS, None, None


def _absent_said(facts: _Facts) -> str:
    """Which games lack rows; how many rows a team should have that has none, nobody knows."""
    whole = [game for game in facts.absent if game.team is None]
    halves = [game for game in facts.absent if game.team is not None]
    said = [
        f"{len(games)} of {facts.games} games {'has' if len(games) == 1 else 'have'} {rows}: {_some(games)}"
        for games, rows in ((whole, "no rows"), (halves, "rows of one team only"))
        if games
    ]
    of_others = _missing_of_others(facts)
    more = f", {of_others} of the other games are missing" if of_others else ""
    return "; ".join([*said, f"{facts.row_count} rows are there{more}"])


def _missing_of_others(facts: _Facts) -> int:
    absent = {game.game_id for game in facts.absent}
    return sum(row.partition("/")[0] not in absent for row in facts.missing)


def _absent_games(
    session: Session, processor: Processor, parameters: Mapping[str, Any]
) -> dict[date, tuple[int, tuple[AbsentGame, ...]]]:
    """Per date with a game that has no rows: how many games were expected, and which have none."""
    found: dict[date, tuple[int, tuple[AbsentGame, ...]]] = {}
    for day, games, *game in session.query(statements.absent_games(processor), parameters).rows:
        found[day] = (games, (*found.get(day, (0, ()))[1], AbsentGame(*game)))
    return found


def _some(names: Sequence[object]) -> str:
    """The first few of many names: enough to look."""
    shown = ", ".join(shorten(str(name), _SHOWN_CHARACTERS) for name in names[:_SHOWN])
    return shown + (", ..." if len(names) > _SHOWN else "")


def _issues(session: Session, processor: Processor) -> dict[date, dict[str, int]]:
    """Per date, issue codes and the rows that carry them."""
    found: dict[date, dict[str, int]] = {}
    for day, code, rows in session.query(statements.issue_counts(processor)).rows:
        found.setdefault(day, {})[code] = rows
    return found


def _broken(session: Session, processor: Processor, parameters: Mapping[str, Any]) -> dict[date, tuple[str, str]]:
    """Per date, the first hard check that fails and a sentence that names rows."""
    found: dict[date, dict[str, list[str]]] = {}
    for day, row, codes in session.query(statements.broken_rows(processor), parameters).rows:
        for code in codes.split(","):
            found.setdefault(day, {}).setdefault(code, []).append(row)
    return {day: (min(codes), _broken_said(codes)) for day, codes in found.items()}


def _broken_said(codes: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{len(rows)} rows fail {code}: {_some(sorted(rows))}" for code, rows in sorted(codes.items()))
