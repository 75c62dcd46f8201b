"""Looking at dead letters: all of them, grouped, with what to type; and what would become of them now."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from nbactl.gcp.peeking import peeking
from nbactl.ops.infra import side_by_side
from nbactl.ops.letters import UNANSWERED, Box, Letter, Reasons, opened
from nbactl.ops.words import age
from shared import events
from shared.errors import NotFound

if TYPE_CHECKING:
    from processors.handling import Answer
    from shared.pubsub import PubSub
    from shared.warehouse.base import Warehouse

_SHOWN = ("reason", "table", "date", "processor")
_BEGINNING = 40
_KEPT = timedelta(days=31)
"""Longer than a message can live, and its letter after it."""
_MIXED = "several"
"""What stands for a field that the letters of a group do not agree on."""


def inspect(pubsub: PubSub, boxes: Sequence[Box], reasons: Reasons) -> Iterator[list[Letter]]:
    """Every letter with its reason, in batches as they are read; nobody else notices.

    Raises:
        AccessDenied: not allowed to look.
        NotFound: a subscription that keeps dead letters does not exist.
        TimedOut: no answer, which is not the same as no letters.
    """
    # made here, where no two threads can both make one
    _ = pubsub.publisher, pubsub.subscriber
    with ExitStack() as stack:
        looks = [peeking(pubsub, box.subscription, box.dead_letters) for box in boxes]
        for box, batches in zip(boxes, side_by_side(stack.enter_context, looks), strict=True):
            for pulled in batches:
                yield reasons.explain(opened(box, pulled))


def reasons(warehouse: Warehouse, now: datetime) -> Reasons:
    """What the ledger says of messages that nobody took, if there is a ledger."""
    try:
        with warehouse.reading() as session:
            return Reasons(session, now - _KEPT)
    except NotFound:
        return Reasons(None, now)


def needed(letters: Iterable[Letter], warehouse: Warehouse, now: datetime) -> list[Letter]:
    """The letters whose work has not been done since; what nobody can read is nobody's work, and stays out too."""
    from processors import asking

    with warehouse.reading() as session:
        return [
            one
            for one in letters
            if one.received
            and not asking.is_done(session, one.received, one.box.phase, one.delivery.publish_time or now)
        ]


def rehearse(letters: Iterable[Letter], warehouse: Warehouse) -> Iterator[tuple[Letter, Answer]]:
    """What the services would answer to each letter now, found out on a copy of the warehouse.

    Letters are handled one after the other, in the order in which they were published; what they announce goes
    nowhere.
    """
    from processors.handling import Handler

    in_order = sorted(letters, key=lambda one: one.delivery.publish_time or one.died_at)
    with warehouse.copied() as copy:
        for one in in_order:
            handler = Handler(one.box.phase, copy, lambda *_: "rehearsed", "rehearsal")
            yield one, handler.push(events.push_body(one.again(), one.delivery))


def record(one: Letter) -> dict[str, object]:
    """A letter for machines."""
    reason = one.reason
    return {
        "subscription": one.box.source,
        "phase": one.box.phase,
        "table": one.table,
        "date": one.date,
        "reason": reason.code if reason else None,
        "why": reason.text if reason else None,
        "processor": reason.processor if reason else None,
        "attempts": one.delivery.attempt,
        "published_at": one.delivery.publish_time,
        "died_at": one.died_at,
        "correlation_id": one.correlation_id,
        "data": one.message.data.decode(errors="backslashreplace"),
        "attributes": dict(one.message.attributes),
    }


def exported(one: Letter) -> dict[str, object]:
    """A letter for a file: as `record`, and its data to the byte."""
    return {**record(one), "topic": one.box.topic, "data": base64.b64encode(one.message.data).decode()}


def row(one: Letter, now: datetime) -> dict[str, object]:
    """A letter for eyes; of what nobody can read, the beginning."""
    said = record(one)
    unread = f" -- {one.message.data[:_BEGINNING].decode(errors='backslashreplace')}" if not one.received else ""
    return said | {"age": age(now - one.died_at), "why": f"{said['why']}{unread}"}


class Groups:
    """Letters by one of their fields: how many, the oldest, and what they have in common."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._found: dict[str, list[Letter]] = {}

    def add(self, letters: Iterable[Letter]) -> None:
        """Count letters in."""
        for one in letters:
            self._found.setdefault(one.field(self._field) or "-", []).append(one)

    @property
    def total(self) -> int:
        """How many letters there are."""
        return sum(map(len, self._found.values()))

    def rows(self, now: datetime, options: str, project: str) -> list[dict[str, object]]:
        """A row per group, the largest first.

        Args:
            now: from which ages are reckoned, UTC.
            options: to repeat in every command to type.
            project: that a drain must confirm.
        """
        largest = sorted(self._found.items(), key=lambda group: (-len(group[1]), group[0]))
        return [
            {
                self._field: value,
                "letters": len(same),
                "oldest": age(now - min(one.died_at for one in same)),
                **{
                    name: _common(same, name)
                    for name in ("reason", "table", "date", "processor")
                    if name != self._field
                },
                "next": self._next(value, same, options, project),
            }
            for value, same in largest
        ]

    def _next(self, value: str, same: Sequence[Letter], options: str, project: str) -> str:
        where = f" --where {shlex.quote(f'{self._field}={value}')}{options}"
        reason = _common(same, "reason")
        if reason == _MIXED:
            return f"nbactl dlq inspect --group-by reason{where}"
        if reason in events.REJECTS:
            return f"nbactl dlq drain{where} --confirm {project}"
        if reason == UNANSWERED:
            return f"nbactl infra verify, then nbactl dlq replay{where}"
        return f"nbactl dlq replay --rehearse{where}"


def _common(same: Sequence[Letter], name: str) -> str | None:
    values = {one.field(name) for one in same}
    return next(iter(values)) if len(values) == 1 else _MIXED


def fate(answer: Answer) -> str:
    """What an answer means for a letter: succeed, wait or fail."""
    from processors.handling import Decision

    if answer.decision is Decision.NOT_READY:
        return "wait"
    return "succeed" if answer.http_status == HTTPStatus.OK else "fail"


def rehearsed(answers: Mapping[str, int], waiting: Sequence[str]) -> str:
    """A rehearsal in one sentence.

    Args:
        answers: how many would succeed, still wait, or fail again.
        waiting: what those wait for that still wait.
    """
    total = sum(answers.values())
    parts = [f"{answers['succeed']} of {total} would now succeed"]
    if answers["wait"]:
        parts.append(f"{answers['wait']} still wait for {', '.join(sorted(set(waiting)))}")
    if answers["fail"]:
        parts.append(f"{answers['fail']} would fail again")
    return "; ".join(parts)
