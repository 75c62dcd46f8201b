"""Looking at dead letters: all of them, grouped, with what to type; and what would become of them now."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Self

from nbactl.gcp.cleanup import Cleanup
from nbactl.gcp.leaser import AckId, Leaser
from nbactl.gcp.peeking import BATCH, Sight, copy_queue, read_server_time
from nbactl.gcp.queue_reader import QueueReader
from nbactl.ops.infra import side_by_side
from nbactl.ops.letters import NO_VALUE, UNANSWERED, Box, Letter, Reasons, opened
from nbactl.ops.words import age
from shared import events
from shared.border import border
from shared.errors import NbactlError, NotFound, PartlyFailed, PreconditionFailed, Undetermined

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


class Look:
    """A look at dead letters that takes none, for as long as the block lasts; iterated, it gives batches with reasons.

    Letters are read from copies. Where Pub/Sub makes no snapshot, because the oldest letter of a box is nearly seven
    days old, they are borrowed: pulled, kept from others while the look lasts, and given back.

    Attributes:
        failures: why a box could not be read, or not to its end, by its subscription.
        withheld: boxes that may hold letters which they did not give.
        borrowed: boxes of which no copy could be made.
        cleanup: what could not be removed again.
    """

    def __init__(self, pubsub: PubSub, boxes: Sequence[Box], reasons: Reasons) -> None:
        self.failures: dict[str, NbactlError] = {}
        self.withheld: list[str] = []
        self.borrowed: list[str] = []
        self.cleanup = Cleanup()
        self._pubsub = pubsub
        self._boxes = {box.subscription: box for box in boxes}
        self._reasons = reasons
        self._stack = ExitStack()
        self._held: list[AckId] = []

    def __enter__(self) -> Self:
        self._stack.enter_context(self.cleanup)
        self._stack.callback(self._give_back)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[list[Letter]]:
        # made here, where no two threads can both make one
        _ = self._pubsub.publisher, self._pubsub.subscriber
        boxes = list(self._boxes.values())
        began = read_server_time(self._pubsub, [box.dead_letters for box in boxes])
        sights = [
            (sight, box)
            for sight, box in zip(side_by_side(partial(self._sight, began), boxes), boxes, strict=True)
            if sight is not None
        ]
        # in their order, not in that of the threads
        self.failures = {name: self.failures[name] for name in self._boxes if name in self.failures}
        self.borrowed = [name for name in self._boxes if name in self.borrowed]
        by_name = {sight.subscription: box for sight, box in sights}
        oldest = {sight.subscription: sight.oldest for sight, _ in sights if sight.oldest}
        leaser = self._stack.enter_context(Leaser(self._pubsub)) if self.borrowed else None
        reader = QueueReader(self._pubsub, list(by_name), BATCH, oldest, began)
        for batch in reader:
            border("peek.pulled")
            if leaser and batch.subscription in self.borrowed:
                ids = [AckId(batch.subscription, message.ack_id) for message in (*batch.fresh, *batch.repeated)]
                self._held += ids
                leaser.hold(ids)
            if batch.fresh:
                yield self._reasons.explain(opened(by_name[batch.subscription], batch.fresh))
        self.failures |= {by_name[name].subscription: error for name, error in reader.failures.items()}
        self.withheld = [by_name[name].subscription for name in reader.withheld]

    def check(self) -> None:
        """See that everything there is was shown.

        Raises:
            NbactlError: no box could be read: the first error.
            PartlyFailed: some could.
            Undetermined: there are letters that were not given.
        """
        check_boxes(len(self._boxes), self.failures)
        if self.withheld:
            raise Undetermined(
                f"there may be dead letters that could not be read: {', '.join(self.withheld)}",
                why=f"{self._pubsub.server} has not given all that its snapshots count, or an answer was lost",
                hint="type it again in a minute",
            )

    def _sight(self, began: datetime | None, box: Box) -> Sight | None:
        try:
            return copy_queue(self._pubsub, box.subscription, box.dead_letters, self.cleanup, began)
        except NotFound as error:
            self.failures[box.subscription] = error
        except PreconditionFailed:
            self.borrowed.append(box.subscription)
            return Sight(box.subscription, None, is_copy=False)
        except NbactlError as error:
            self.failures[box.subscription] = error
        return None

    def _give_back(self) -> None:
        held, self._held = self._held, []
        for name in self.borrowed:
            with suppress(NbactlError):  # they come back by themselves within a minute
                self._pubsub.modify(name, [one.value for one in held if one.subscription == name], 0)


def check_boxes(total: int, failures: Mapping[str, NbactlError]) -> None:
    """See that every box could be reached.

    Raises:
        NbactlError: none could: the first error.
        PartlyFailed: some could.
    """
    if not failures:
        return
    first = next(iter(failures.values()))
    if len(failures) == total:
        raise first
    raise PartlyFailed(
        f"{len(failures)} of {total} queues of dead letters could not be read: {', '.join(failures)}",
        why="\n".join(f"{error.message}: {error.why}" for error in failures.values()),
        hint=first.hint,
    )


def inspect(pubsub: PubSub, boxes: Sequence[Box], reasons: Reasons) -> Iterator[list[Letter]]:
    """Every letter with its reason, in batches as they are read; nobody else notices.

    Raises:
        AccessDenied: not allowed to look.
        NotFound: no subscription that keeps dead letters exists.
        PartlyFailed: one of several boxes could not be read; the letters of the others were given.
        Undetermined: no answer, or not all of them, which is not the same as no letters.
    """
    with Look(pubsub, boxes, reasons) as look:
        yield from look
    look.check()


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

    def counting(self, batches: Iterable[list[Letter]]) -> Iterator[list[Letter]]:
        """Pass batches on, and count their letters in."""
        for batch in batches:
            for letter in batch:
                self._found.setdefault(letter.field(self._field) or NO_VALUE, []).append(letter)
            yield batch

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
