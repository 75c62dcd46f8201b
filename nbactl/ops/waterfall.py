"""A chain of events from its first message to its last announcement, in the order in which things happened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from processors import tracing
from shared.errors import NotFound

if TYPE_CHECKING:
    from datetime import date

    from shared.warehouse.base import Session

_KINDS = ("publish", "delivery", "run", "announce")
"""What happens, in the order in which it follows from one another at one moment."""
_OK = 200
_WIDTH = 30

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing in a chain.

    Attributes:
        kind: publish, delivery, run or announce.
        ended: when it was over; None for what takes no time, or has not ended.
        what: table or processor, and date.
        outcome: in a word or two.
        detail: what else there is to say.
        bad: whether somebody should look.
    """

    at: datetime
    kind: str
    phase: int | None
    what: str
    ended: datetime | None = None
    outcome: str = ""
    detail: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """All that happened under one correlation id."""

    correlation_id: str
    happenings: Sequence[Happening]

    @property
    def began(self) -> datetime:
        """When the first thing happened, UTC."""
        return self.happenings[0].at

    @property
    def seconds(self) -> float:
        """From the first thing to the end of the last."""
        return (max(one.ended or one.at for one in self.happenings) - self.began).total_seconds()

    @property
    def said(self) -> str:
        """The chain in one line."""
        found = Counter(one.kind for one in self.happenings)
        bad = sum(one.bad for one in self.happenings)
        counts = ", ".join(f"{found[kind]} {_plural(kind, found[kind])}" for kind in _KINDS if found[kind])
        return f"{self.correlation_id}  {self.began:%Y-%m-%d %H:%M:%S} UTC, {self.seconds:.2f} s: {counts}" + (
            f"; {bad} went wrong" if bad else ""
        )

    @property
    def undelivered(self) -> bool:
        """Whether the last answer to any message was no acknowledgement."""
        last = {one.what: one for one in self.happenings if one.kind == "delivery"}
        return any(one.bad for one in last.values())

    def rows(self) -> Iterator[dict[str, object]]:
        """A row per thing that happened."""
        for one in self.happenings:
            start = (one.at - self.began).total_seconds()
            took = (one.ended - one.at).total_seconds() if one.ended else None
            yield {
                "correlation_id": self.correlation_id,
                "at": one.at,
                "start": start,
                "took": took,
                "timeline": self._bar(start, took or 0.0),
                "kind": f"{'!' if one.bad else ' '} {one.kind}",
                "phase": one.phase,
                "what": one.what,
                "outcome": one.outcome,
                "detail": one.detail,
                "bad": one.bad,
            }

    def _bar(self, start: float, took: float) -> str:
        whole = self.seconds or 1.0
        first = min(_WIDTH - 1, int(start / whole * _WIDTH))
        width = max(1, min(_WIDTH - first, round(took / whole * _WIDTH)))
        return f"{'.' * first}{'=' * width}".ljust(_WIDTH, ".")


def chain(session: Session, correlation_id: str) -> Chain:
    """All that the ledger knows of a chain.

    Raises:
        NotFound: it knows nothing of it.
    """
    deliveries = tracing.deliveries(session, correlation_id).records()
    runs = tracing.runs(session, correlation_id).records()
    found = [*_published(deliveries, runs), *_delivered(deliveries, runs), *_ran(runs)]
    if not found:
        raise NotFound(
            f"no event and no run belongs to {correlation_id!r}", hint="nbactl trace --date D, or nbactl runs -o json"
        )
    return Chain(correlation_id, sorted(found, key=lambda one: (one.at, _KINDS.index(one.kind), one.what)))


def chains(session: Session, day: date) -> list[Chain]:
    """Every chain about a date, in the order in which they began.

    Raises:
        NotFound: there is none.
    """
    names = tracing.chains(session, day)
    if not names:
        raise NotFound(f"no message has come about {day}", hint=f"nbactl runs --date {day}")
    return [chain(session, name) for name in names]


def _published(deliveries: Sequence[Row], runs: Sequence[Row]) -> Iterator[Happening]:
    """Each message once, when Pub/Sub took it; what a run has announced is told with the run."""
    seen = {row["published_message_id"] for row in runs}
    for row in deliveries:
        if row["publish_time"] and row["message_id"] not in seen:
            seen.add(row["message_id"])
            yield Happening(_utc(row["publish_time"]), "publish", row["phase"], _message(row), detail=_id(row))


def _delivered(deliveries: Sequence[Row], runs: Sequence[Row]) -> Iterator[Happening]:
    """Each delivery, until the last of its runs was announced."""
    attempts = Counter[str | None]()
    for row in deliveries:
        attempts[row["message_id"]] += 1
        own = [run for run in runs if run["request_id"] == row["request_id"]]
        ends = [_utc(run[name]) for run in own for name in ("finished_at", "published_at") if run[name]]
        attempt = row["delivery_attempt"] or attempts[row["message_id"]]
        yield Happening(
            _utc(row["received_at"]),
            "delivery",
            row["phase"],
            _message(row),
            max(ends, default=None),
            f"{row['decision']} ({row['http_status']})",
            f"attempt {attempt}" + (f": {row['reason']}" if row["reason"] else ""),
            row["http_status"] != _OK,
        )


def _ran(runs: Sequence[Row]) -> Iterator[Happening]:
    """Each run with its steps, and its announcement."""
    for row in runs:
        yield Happening(
            _utc(row["started_at"]),
            "run",
            row["phase"],
            f"{row['processor_name']} {row['game_date']}",
            _utc(row["finished_at"]) if row["finished_at"] else None,
            f"{row['status']} {_count(row['rows_written'])}/{_count(row['rows_expected'])}",
            row["reason"] or _steps(row["steps"]),
            row["status"].startswith("FAILED"),
        )
        if row["published_at"] or row["publish_error"]:
            yield Happening(
                _utc(row["published_at"] or row["finished_at"]),
                "announce",
                row["phase"],
                f"{row['output_table']} {row['game_date']}",
                outcome="sent" if row["published_message_id"] else "owed",
                detail=row["publish_error"] or f"message {row['published_message_id']}",
                bad=not row["published_message_id"],
            )


def _count(rows: int | None) -> str:
    return "?" if rows is None else str(rows)


def _message(row: Row) -> str:
    return f"{row['table_name'] or 'fallback'} {row['game_date'] or ''}".strip()


def _id(row: Row) -> str:
    return f"message {row['message_id']}" if row["message_id"] else ""


def _steps(text: str | None) -> str:
    steps: dict[str, int] = json.loads(text) if text else {}
    return ", ".join(f"{name} {milliseconds} ms" for name, milliseconds in steps.items())


def _plural(kind: str, count: int) -> str:
    words = {"publish": "messages", "delivery": "deliveries", "run": "runs", "announce": "announcements"}
    single = {"publish": "message", "delivery": "delivery", "run": "run", "announce": "announcement"}
    return (single if count == 1 else words)[kind]


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
