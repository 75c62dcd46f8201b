"""Taking dead letters off their subscription: each is published again, drained or given back, and counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from nbactl.ops.letters import Box, Letter, opened
from shared.border import border
from shared.errors import NbactlError
from shared.pubsub import PubSub

BATCH = 500
_BYTES = 8_000_000
"""Of messages in one call; Pub/Sub takes ten million."""
_LEASE_SECONDS = 60
"""How long a letter stays away when we are killed; a subscription's own ten minutes would be long to wait."""
_RENEWED_SECONDS = 20.0
_GIVEN_BACK = 1000

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
        error: that ended the work early.
    """

    pulled: int = 0
    replayed: int = 0
    drained: int = 0
    kept: int = 0
    error: NbactlError | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every letter is accounted for."""
        return self.pulled == self.replayed + self.kept + self.drained

    def __str__(self) -> str:
        equals = "=" if self.is_whole else "IS NOT"
        return f"pulled {self.pulled} {equals} replayed {self.replayed} + kept {self.kept} + drained {self.drained}"


@dataclass
class Taken:
    """The letters of a box, ours for as long as the block lasts; what is not settled by then goes back."""

    pubsub: PubSub
    box: Box
    tally: Tally
    _held: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        names = list(self._held)
        for start in range(0, len(names), _GIVEN_BACK):
            back = names[start : start + _GIVEN_BACK]
            self.tally.kept += len(back)
            self.pubsub.modify(self.box.subscription, back, 0)
        border("dlq.returned")

    def batches(self, size: int) -> Iterator[list[Letter]]:
        """Pull until there is nothing more."""
        while pulled := self.pubsub.pull(self.box.subscription, size):
            self.tally.pulled += len(pulled)
            border("dlq.pulled")
            self._hold([one.ack_id for one in pulled])
            yield opened(self.box, pulled)
            self._renew()

    def settle(self, letters: Sequence[Letter]) -> None:
        """Take letters off for good; they count as settled even where that fails, and may come again."""
        names = [one.ack_id for one in letters]
        for name in names:
            del self._held[name]
        self.pubsub.acknowledge(self.box.subscription, names)
        border("dlq.acknowledged")

    def _hold(self, names: Sequence[str]) -> None:
        self._held |= dict.fromkeys(names, time.monotonic())
        self.pubsub.modify(self.box.subscription, names, _LEASE_SECONDS)
        border("dlq.held")

    def _renew(self) -> None:
        old = time.monotonic() - _RENEWED_SECONDS
        if names := [name for name, since in self._held.items() if since < old]:
            self._hold(names)


class Pace:
    """So many letters a second, and no more."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._began = time.monotonic()
        self._done = 0

    @property
    def batch(self) -> int:
        """How many at a time: a tenth of a second's, so that a second gets its due."""
        return BATCH if self._rate is None else max(1, min(BATCH, round(self._rate / 10)))

    def wait(self, count: int) -> None:
        """Wait until so many more may go."""
        self._done += count
        if self._rate is not None:
            time.sleep(max(0.0, self._began + self._done / self._rate - time.monotonic()))


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
        What became of them; an error that ended it early is in there.
    """
    pace = Pace(rate)

    def again(taken: Taken, letters: Sequence[Letter]) -> None:
        for part in _parts(letters, pace.batch):
            pace.wait(len(part))
            pubsub.publish_all(taken.box.topic, [one.again() for one in part])
            border("dlq.published")
            taken.tally.replayed += len(part)
            taken.settle(part)
            watch(len(part))

    return _each(pubsub, boxes, choose, again, limit)


def drain(pubsub: PubSub, boxes: Sequence[Box], choose: Choose, *, write: Write, watch: Watch) -> Tally:
    """Take letters off for good, each batch once it is written elsewhere.

    Returns:
        What became of them; an error that ended it early is in there.
    """

    def away(taken: Taken, letters: Sequence[Letter]) -> None:
        write(letters)
        border("dlq.exported")
        taken.tally.drained += len(letters)
        taken.settle(letters)
        watch(len(letters))

    return _each(pubsub, boxes, choose, away, None)


def _each(
    pubsub: PubSub,
    boxes: Sequence[Box],
    choose: Choose,
    work: Callable[[Taken, Sequence[Letter]], None],
    limit: int | None,
) -> Tally:
    """Do something to the chosen letters of every box, up to a limit."""
    tally = Tally()
    left = limit
    try:
        for box in boxes:
            with Taken(pubsub, box, tally) as taken:
                for letters in taken.batches(BATCH):
                    wanted = list(choose(letters))[:left]
                    if wanted:
                        work(taken, wanted)
                    left = None if left is None else left - len(wanted)
                    if left == 0:
                        return tally
    except NbactlError as error:
        tally.error = error
    return tally


def _parts(letters: Sequence[Letter], size: int) -> Iterator[list[Letter]]:
    """Cut letters into calls that are not too large."""
    part: list[Letter] = []
    weight = 0
    for one in letters:
        if part and (len(part) == size or weight + len(one.message.data) > _BYTES):
            yield part
            part, weight = [], 0
        part.append(one)
        weight += len(one.message.data)
    if part:
        yield part
