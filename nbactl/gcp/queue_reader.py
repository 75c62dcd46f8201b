"""Pulling everything that subscriptions hold, with a rule for when that is everything."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import NbactlError

if TYPE_CHECKING:
    from shared.pubsub import EmptinessRule, PubSub, Pulled


class Batch(NamedTuple):
    """What one pull has brought: messages that are new, and such as were delivered before in this reading."""

    subscription: str
    fresh: tuple[Pulled, ...]
    repeated: tuple[Pulled, ...]


class QueueReader:
    """Reads subscriptions to their end, a pull of each in turn, so that waiting for one is waiting for all.

    A subscription is at its end when as many pulls in a row, over as long a time, as `EmptinessRule` demands have
    brought nothing new; and where a snapshot says that it holds something, not before that was given, or has failed to
    come for as long as the rule insists.

    Args:
        pubsub: where they are.
        subscriptions: short names.
        size: messages of one pull, at most.
        oldest: when the oldest message of a subscription was published, where that is known, UTC.

    Attributes:
        failures: why a subscription could not be read to its end.
        withheld: subscriptions that hold something, as a snapshot says, which they did not give.
    """

    def __init__(
        self, pubsub: PubSub, subscriptions: Sequence[str], size: int, oldest: Mapping[str, datetime] | None = None
    ) -> None:
        self.failures: dict[str, NbactlError] = {}
        self.withheld: list[str] = []
        self._pubsub = pubsub
        self._size = size
        slack = timedelta(seconds=pubsub.emptiness.slack)
        self._queues = {
            name: _Queue(pubsub.emptiness, expects + slack if (expects := (oldest or {}).get(name)) else None)
            for name in subscriptions
        }

    def __iter__(self) -> Iterator[Batch]:
        left = dict(self._queues)
        while left:
            gave = False
            for name, queue in list(left.items()):
                try:
                    pulled = self._pubsub.pull(name, self._size)
                except NbactlError as error:
                    self.failures[name] = error
                    del left[name]
                    continue
                fresh, repeated = queue.sort(pulled)
                gave = gave or bool(fresh)
                if pulled:
                    yield Batch(name, fresh, repeated)
                if queue.ended:
                    del left[name]
                    self.withheld += [name] * queue.withholds
            if left and not gave:
                time.sleep(self._pubsub.emptiness.pause)


@dataclass(slots=True)
class _Queue:
    """What a subscription has given so far; it `expects` a message that is no younger than that."""

    rule: EmptinessRule
    expects: datetime | None
    _seen: set[str] = field(default_factory=set)
    _empty: int = 0
    _since: float = field(default_factory=time.monotonic)

    def sort(self, pulled: Sequence[Pulled]) -> tuple[tuple[Pulled, ...], tuple[Pulled, ...]]:
        """Take note of a pull, and tell what is new from what is not."""
        fresh: list[Pulled] = []
        repeated: list[Pulled] = []
        for message in pulled:
            (repeated if message.message_id in self._seen else fresh).append(message)
            self._seen.add(message.message_id)
            if self.expects and message.publish_time <= self.expects:
                self.expects = None
        if fresh:
            self._empty, self._since = 0, time.monotonic()
        else:
            self._empty += 1
        return tuple(fresh), tuple(repeated)

    @property
    def withholds(self) -> bool:
        """Whether what it is known to hold was not given."""
        return self.expects is not None

    @property
    def ended(self) -> bool:
        """Whether it has nothing more to give, by the rule."""
        quiet = time.monotonic() - self._since
        if self._empty < self.rule.pulls or quiet < self.rule.seconds:
            return False
        return not self.withholds or quiet >= self.rule.insists
