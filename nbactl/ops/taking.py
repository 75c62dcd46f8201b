"""Taking dead letters off their subscription: each is published again, drained or given back, and counted.

First everything that was dead when the work began is pulled and kept from others; only then is the first letter sent.
So what comes back because of what we send is not part of the work, and it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Literal, Self

from nbactl.gcp.leaser import AckId, Leaser
from nbactl.gcp.peeking import Marks, mark, oldest_messages
from nbactl.gcp.queue_reader import Batch, QueueReader
from nbactl.ops.letters import Box, Letter, opened
from shared.border import border
from shared.errors import Interrupted, NbactlError, TimedOut
from shared.events import Message
from shared.pubsub import PubSub, Pulled

BATCH = 500
MOST = 100_000
"""Letters that are held at a time; of more, the others are taken when these are done."""
_BYTES = 8_000_000
"""Of messages in one call; Pub/Sub takes ten million."""
_OVERHEAD = 100
"""Bytes of a message beside its data and attributes, at most."""

Choose = Callable[[Sequence[Letter]], Sequence[Letter]]
"""Which letters of a batch are meant."""
Write = Callable[[Sequence[Letter]], None]
"""Keeps letters elsewhere, for good, before it returns."""
Watch = Callable[[int], None]
"""Told how many letters are done in addition."""


@dataclass
class Tally:
    """What became of the letters that were pulled, each counted where it happened.

    Attributes:
        pulled: letters, however often each was delivered.
        newer: of those kept, how many died after the work had begun.
        lost: of those kept, how many came free before their turn, because their lease ended.
        unsure: of those kept, how many may have been sent all the same: no answer came.
        late: of those replayed or drained, how many may come again: their acknowledgement failed, or came too late.
        failures: why a box could not be read, or not to its end, by its subscription.
        withheld: boxes that may hold letters which they did not give.
        error: that ended the work early.
    """

    pulled: int = 0
    replayed: int = 0
    drained: int = 0
    kept: int = 0
    newer: int = 0
    lost: int = 0
    unsure: int = 0
    late: int = 0
    failures: dict[str, NbactlError] = field(default_factory=dict)
    withheld: list[str] = field(default_factory=list)
    error: NbactlError | None = None

    @property
    def done(self) -> int:
        """How many letters left the queue."""
        return self.replayed + self.drained

    @property
    def is_whole(self) -> bool:
        """Whether every letter is accounted for."""
        return self.pulled == self.replayed + self.kept + self.drained

    def __str__(self) -> str:
        equals = "=" if self.is_whole else "IS NOT"
        return f"pulled {self.pulled} {equals} replayed {self.replayed} + kept {self.kept} + drained {self.drained}"


_Key = tuple[str, str]
"""Subscription and message id."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A letter that is ours: when it died, and by which ids it can be acknowledged, one for each delivery."""

    died_at: datetime
    ids: list[AckId]


class Taken:
    """The letters of some boxes, ours for as long as the block lasts; what is not settled by then goes back.

    Args:
        pubsub: where the boxes are.
        boxes: to take from.
        tally: that everything is counted in.
        marks: what the server says of the boxes as the work begins, if it does.
    """

    def __init__(self, pubsub: PubSub, boxes: Sequence[Box], tally: Tally, marks: Marks | None) -> None:
        self._pubsub = pubsub
        self._boxes = {box.subscription: box for box in boxes}
        self._tally = tally
        self._marks = marks
        self._leaser = Leaser(pubsub)
        self._held: dict[_Key, _Held] = {}
        self._settled: set[_Key] = set()
        self._expected = marks.oldest if marks else {}

    def __enter__(self) -> Self:
        self._leaser.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tally.kept += len(self._held)
        try:
            self._give_back()
        finally:
            self._held = {}
            self._leaser.__exit__(kind, error, trace)
        border("dlq.returned")

    @property
    def is_full(self) -> bool:
        """Whether as many letters are held as can be."""
        return len(self._held) >= MOST

    def batches(self) -> Iterator[list[Letter]]:
        """Pull all that was dead when the work began and is not held yet, until there is no more, or MOST are held."""
        names = [name for name in self._boxes if name not in self._tally.failures]
        began = self._marks.began if self._marks else None
        reader = QueueReader(self._pubsub, names, BATCH, self._expected, began)
        for batch in reader:
            letters = opened(self._boxes[batch.subscription], self._keep(batch))
            if older := self._without_newer(letters):
                yield older
            if self.is_full:
                self._tally.withheld = names
                return
        self._tally.failures |= reader.failures
        self._tally.withheld = reader.withheld

    def secured(self, letters: Sequence[Letter]) -> list[Letter]:
        """The letters that are ours for long enough to be sent; those whose lease is over are no longer ours.

        Raises:
            NbactlError: a lease could not be renewed.
        """
        safe = self._leaser.secured([ack_id for letter in letters for ack_id in self._held[_key(letter)].ids])
        for letter in letters:
            ids = self._held[_key(letter)].ids
            if safe.isdisjoint(ids):
                # it has come free, and may be with somebody else: to acknowledge it would be to take it from there
                self._leaser.drop(ids)
                del self._held[_key(letter)]
                self._tally.kept += 1
                self._tally.lost += 1
        return [letter for letter in letters if _key(letter) in self._held]

    def settle(self, letters: Sequence[Letter], fate: Literal["replayed", "drained"]) -> None:
        """Count letters, and take them off for good; they are settled even where that fails, and may come again.

        Raises:
            NbactlError: it failed.
        """
        ids: dict[str, list[AckId]] = {}
        for letter in letters:
            mine = self._held.pop(_key(letter)).ids
            self._settled.add(_key(letter))
            setattr(self._tally, fate, getattr(self._tally, fate) + 1)
            self._tally.late += not any(map(self._leaser.is_held, mine))
            ids.setdefault(letter.box.subscription, []).extend(mine)
        for subscription, some in ids.items():
            self._leaser.drop(some)
            try:
                self._pubsub.acknowledge(subscription, [ack_id.value for ack_id in some])
            except NbactlError:
                self._tally.late += len(letters)
                raise
        border("dlq.acknowledged")

    def look_again(self) -> list[str]:
        """Boxes with letters from before the work that were not given to us, as far as the server can say so."""
        if not self._marks or self._tally.lost or self._tally.late:
            return self._tally.withheld
        names = [name for name in self._boxes if name not in self._tally.failures]
        slack = timedelta(seconds=self._pubsub.emptiness.slack)
        ours: dict[str, datetime] = {}
        for (name, _), held in self._held.items():
            ours[name] = min(held.died_at, ours.get(name, held.died_at))
        self._expected = {
            name: oldest
            for name, oldest in oldest_messages(self._pubsub, names, self._marks.began).items()
            if name not in ours or oldest + slack < ours[name]
        }
        self._tally.withheld = list(self._expected)
        return self._tally.withheld

    def _keep(self, batch: Batch) -> tuple[Pulled, ...]:
        """Hold what a pull has brought, and return what is new; what is settled already is acknowledged once more."""
        name, fresh, ids = batch.subscription, [], []
        for message in (*batch.fresh, *batch.repeated):
            key, ack_id = (name, message.message_id), AckId(name, message.ack_id)
            if key in self._settled:
                continue
            if key not in self._held:
                self._held[key] = _Held(message.publish_time, [])
                fresh.append(message)
            self._held[key].ids.append(ack_id)
            ids.append(ack_id)
        self._tally.pulled += len(fresh)
        border("dlq.pulled")
        self._leaser.hold(ids)
        settled = [one.ack_id for one in (*batch.fresh, *batch.repeated) if (name, one.message_id) in self._settled]
        self._pubsub.acknowledge(name, settled)
        border("dlq.held")
        return tuple(fresh)

    def _without_newer(self, letters: list[Letter]) -> list[Letter]:
        if not self._marks:
            return letters
        older = [letter for letter in letters if letter.died_at <= self._marks.began]
        self._tally.newer += len(letters) - len(older)
        return older

    def _give_back(self) -> None:
        ids = [ack_id for held in self._held.values() for ack_id in held.ids]
        self._leaser.drop(ids)
        for name in self._boxes:
            # where that fails they come back by themselves, within a minute
            with suppress(NbactlError):
                self._pubsub.modify(name, [ack_id.value for ack_id in ids if ack_id.subscription == name], 0)


def _key(letter: Letter) -> _Key:
    return letter.box.subscription, letter.message_id


class Pace:
    """So many letters a second, and no more, from the first one on: time that was lost is not made up for."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._next = 0.0

    @property
    def batch(self) -> int:
        """How many at a time: a tenth of a second's, so that a second gets its due."""
        return BATCH if self._rate is None else max(1, min(BATCH, round(self._rate / 10)))

    def wait(self, count: int) -> None:
        """Wait until so many more may go."""
        if self._rate is None:
            return
        begins = max(self._next, time.monotonic())
        time.sleep(max(0.0, begins - time.monotonic()))
        self._next = begins + count / self._rate


def replay(  # noqa: PLR0913 -- by name
    pubsub: PubSub,
    boxes: Sequence[Box],
    choose: Choose,
    *,
    limit: int | None,
    rate: float | None,
    watch: Watch,
) -> Tally:
    """Publish letters again on the topics they came from; those that are not chosen stay.

    A letter is acknowledged once it is published: who is killed in between publishes one batch twice, and loses none.

    Returns:
        What became of them; an error that ended it early, or Ctrl-C, is in there.
    """
    pace = Pace(rate)

    def again(taken: Taken, tally: Tally, letters: Sequence[Letter]) -> None:
        for part in _parts(letters, pace.batch):
            pace.wait(len(part))
            if mine := taken.secured(part):
                _publish(pubsub, mine, tally)
                try:
                    border("dlq.published")
                finally:
                    # what is published is not given back, even where somebody presses Ctrl-C now
                    taken.settle(mine, "replayed")
                watch(len(mine))

    return _each(pubsub, boxes, choose, again, limit)


def drain(pubsub: PubSub, boxes: Sequence[Box], choose: Choose, *, write: Write, watch: Watch) -> Tally:
    """Take letters off for good, each batch once it is written elsewhere.

    Returns:
        What became of them; an error that ended it early, or Ctrl-C, is in there.
    """

    def away(taken: Taken, _tally: Tally, letters: Sequence[Letter]) -> None:
        for part in _parts(letters, BATCH):
            if mine := taken.secured(part):
                write(mine)
                try:
                    border("dlq.exported")
                finally:
                    taken.settle(mine, "drained")
                watch(len(mine))

    return _each(pubsub, boxes, choose, away, None)


def resend(pubsub: PubSub, letters: Sequence[Letter], *, pulled: int, rate: float | None, watch: Watch) -> Tally:
    """Publish letters that were read from a file, in their order; the file stays as it is.

    Args:
        pubsub: where to publish.
        letters: to publish.
        pulled: letters of the file, of which the others are kept.
        rate: letters a second.
        watch: told how many letters are done in addition.

    Returns:
        What became of them; an error that ended it early, or Ctrl-C, is in there.
    """
    tally, pace = Tally(pulled=pulled), Pace(rate)
    with _early_ends(tally):
        for part in _parts(letters, pace.batch):
            pace.wait(len(part))
            _publish(pubsub, part, tally)
            tally.replayed += len(part)
            watch(len(part))
    tally.kept = tally.pulled - tally.done
    return tally


def _publish(pubsub: PubSub, letters: Sequence[Letter], tally: Tally) -> None:
    """Publish letters of one topic; where no answer comes, they are counted as such."""
    try:
        pubsub.publish_all(letters[0].box.topic, [letter.again() for letter in letters])
    except (TimedOut, KeyboardInterrupt):
        # the answer may have been on its way
        tally.unsure += len(letters)
        raise


def _each(
    pubsub: PubSub,
    boxes: Sequence[Box],
    choose: Choose,
    work: Callable[[Taken, Tally, Sequence[Letter]], None],
    limit: int | None,
) -> Tally:
    """Do something to the chosen letters of every box, up to a limit."""
    tally = Tally()
    with _early_ends(tally):
        marks = mark(pubsub, {box.subscription: box.dead_letters for box in boxes})
        with Taken(pubsub, boxes, tally, marks) as taken:
            left, again = limit, True
            while again:
                wanted = _gathered(taken, choose, left)
                work(taken, tally, wanted)
                left = None if left is None else left - len(wanted)
                if left == 0:
                    tally.withheld = []
                    break
                # where there is a horizon, what comes later can be told from what was there; at most once more, unless
                # there were too many letters to hold
                again = bool(marks and taken.look_again() and wanted)
    return tally


def _gathered(taken: Taken, choose: Choose, limit: int | None) -> list[Letter]:
    """Pull letters and return those that are chosen, box by box, the oldest first."""
    wanted: list[Letter] = []
    for letters in taken.batches():
        wanted += choose(letters)
        if limit is not None and len(wanted) >= limit:
            break
    return sorted(wanted[:limit], key=lambda letter: (letter.box.phase, letter.box.subscription, letter.died_at))


@contextmanager
def _early_ends(tally: Tally) -> Iterator[None]:
    """Put what ends the block early into a tally."""
    try:
        yield
    except NbactlError as error:
        tally.error = error
    except KeyboardInterrupt:
        tally.error = Interrupted("interrupted")


def _parts(letters: Sequence[Letter], size: int) -> Iterator[list[Letter]]:
    """Cut letters into calls that are not too large, each of one box and, as Pub/Sub demands, one ordering key."""
    part: list[Letter] = []
    weight = 0
    for letter in letters:
        heavier = weight + _weight(letter.message)
        if part and (len(part) == size or heavier > _BYTES or _destination(letter) != _destination(part[0])):
            yield part
            part, weight = [], 0
        part.append(letter)
        weight += _weight(letter.message)
    if part:
        yield part


def _destination(letter: Letter) -> tuple[str, str]:
    return letter.box.topic, letter.message.ordering_key


def _weight(message: Message) -> int:
    attributes = sum(len(name.encode()) + len(value.encode()) for name, value in message.attributes.items())
    return len(message.data) + attributes + _OVERHEAD
