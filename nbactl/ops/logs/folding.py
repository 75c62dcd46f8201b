"""Entries that say the same, one after the other, as one line with a count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nbactl.ops.logs.entry import Entry

_NOTHING_DONE = ("SKIPPED_UNCHANGED", "SKIPPED_EXPECTED", "NOT_READY")


@dataclass(frozen=True, slots=True)
class Line:
    """What is printed for an entry, or for several that say the same.

    Attributes:
        first: the entry that came first.
        count: how many there are.
        until: when the last of them was written.
        shown: of the fields for eyes, those in which all of them agree.
        runs: what each processor did, in words, where all of them agree.
    """

    first: Entry
    count: int
    until: datetime
    shown: Mapping[str, object]
    runs: Sequence[str]

    @classmethod
    def of(cls, entry: Entry) -> Line:
        """The line of one entry."""
        return cls(entry, 1, entry.time, _for_eyes(entry), _runs(entry))

    def takes(self, entry: Entry) -> bool:
        """Whether an entry says the same."""
        first = self.first
        return (
            entry.message == first.message
            and entry.service == first.service
            and entry.severity == first.severity
            and entry.exception == first.exception
        )

    def more(self, entry: Entry) -> Line:
        """The line, with one entry more."""
        fields = _for_eyes(entry)
        agreed = {name: value for name, value in self.shown.items() if fields.get(name) == value}
        runs = self.runs if self.runs == _runs(entry) else ()
        return Line(self.first, self.count + 1, entry.time, agreed, runs)


def folded(batches: Iterable[Sequence[Entry]], *, live: bool) -> Iterator[list[Line]]:
    """Fold entries, a batch for each that comes.

    Args:
        batches: entries as they come.
        live: print each batch to its end: what goes on in the next one is counted anew, and nobody waits for a
            message to stop.
    """
    held: Line | None = None
    for batch in batches:
        done = []
        for entry in batch:
            if held and held.takes(entry):
                held = held.more(entry)
                continue
            if held:
                done.append(held)
            held = Line.of(entry)
        if live and held:
            done.append(held)
            held = None
        yield done
    if held:
        yield [held]


def _for_eyes(entry: Entry) -> dict[str, object]:
    """The fields that matter to who reads; the message says the rest."""
    code = entry.fields.get("code")
    shown = {"correlation_id": entry.correlation_id, "http_status": entry.http_status, "code": code}
    return {name: value for name, value in shown.items() if value is not None}


def _runs(entry: Entry) -> Sequence[str]:
    """What each processor did; that it had nothing to do is not worth a line."""
    return [_run(one) for one in entry.results if one.get("status") not in _NOTHING_DONE]


def _run(result: Mapping[str, object]) -> str:
    reason = result.get("reason")
    said = [result.get("processor"), result.get("date"), result.get("status")]
    rows = f"{result.get('rows_written')}/{result.get('rows_expected')} rows"
    return "  ".join(map(str, (*said, rows, *([reason] if reason else []))))
