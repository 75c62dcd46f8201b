"""Pulling everything that subscriptions hold, with a rule for when that is everything."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import NbactlError
from shared.pubsub import TRIES

if TYPE_CHECKING:
    from shared.pubsub import EmptinessRule, PubSub, Pulled

_GOES_ON = 10.0
"""Seconds, beside those that the rule insists."""


class Batch(NamedTuple):
    """What one pull has brought: messages that are new, and such as were delivered before in this reading."""

    subscription: str
    fresh: tuple[Pulled, ...]
    repeated: tuple[Pulled, ...]


class QueueReader:
    """Reads subscriptions to their end, a pull of each in turn, so that waiting for one is waiting for all.

    A subscription is at its end when as many pulls in a row, over as long a time, as `EmptinessRule` demands have
    brought nothing new; and where a snapshot says that it holds something, not before that was given, or has failed to
    come for as long as the rule insists. What is published after the horizon does not keep it from ending.

    Args:
        pubsub: where they are.
        subscriptions: short names.
        size: messages of one pull, at most.
        oldest: when the oldest message of a subscription was published, where that is known, UTC.
        horizon: from when on messages are none of those that are looked for, by the server's clock, UTC; without one a
            subscription that gets new messages all the time is left after a while.

    Attributes:
        failures: why a subscription could not be read to its end.
        withheld: subscriptions that may hold more: a snapshot says so, a call whose answer was lost may have taken
            messages along, or they did not come to an end.
    """

    def __init__(
        self,
        pubsub: PubSub,
        subscriptions: Sequence[str],
        size: int,
        oldest: Mapping[str, datetime] | None = None,
        horizon: datetime | None = None,
    ) -> None:
        self.failures: dict[str, NbactlError] = {}
        self.withheld: list[str] = []
        self._pubsub = pubsub
        self._size = size
        rule = pubsub.emptiness
        slack = timedelta(seconds=rule.slack)
        self._queues = {
            name: _Queue(rule, expects + slack if (expects := (oldest or {}).get(name)) else None, horizon)
            for name in subscriptions
        }

    def __iter__(self) -> Iterator[Batch]:
        left = deque(self._queues.items())
        while left:
            gave = False
            for name, queue in list(left):
                batch = self._pull(name, queue)
                gave = gave or bool(batch.fresh)
                if batch.fresh or batch.repeated:
                    yield batch
                if queue.has_ended or name in self.failures:
                    left.remove((name, queue))
                    self.withheld += [name] * (queue.withholds and name not in self.failures)
            # so that no queue is asked at the same moment as another each time
            left.rotate()
            if left and not gave:
                time.sleep(self._pubsub.emptiness.pause)

    def _pull(self, name: str, queue: _Queue) -> Batch:
        try:
            pulled = self._pubsub.pull_once(name, self._size)
        except NbactlError as error:
            queue.failed += 1
            if not error.transient or queue.failed == TRIES:
                self.failures[name] = error
            return Batch(name, (), ())
        queue.lost_answers = queue.lost_answers or queue.failed > 0
        queue.failed = 0
        return Batch(name, *queue.sort(pulled))


@dataclass(slots=True, eq=False)
class _Queue:
    """What a subscription has given so far; it `expects` a message that is no younger than that."""

    rule: EmptinessRule
    expects: datetime | None
    horizon: datetime | None
    failed: int = 0
    lost_answers: bool = False
    _seen: set[str] = field(default_factory=set)
    _empty: int = 0
    _since: float = field(default_factory=time.monotonic)
    _caught_up: float | None = None

    def sort(self, pulled: Sequence[Pulled]) -> tuple[tuple[Pulled, ...], tuple[Pulled, ...]]:
        """Take note of a pull, and tell what is new from what is not."""
        fresh: list[Pulled] = []
        repeated: list[Pulled] = []
        for message in pulled:
            (repeated if message.message_id in self._seen else fresh).append(message)
            self._seen.add(message.message_id)
            if self.expects and message.publish_time <= self.expects:
                self.expects = None
        if any(self.horizon is None or message.publish_time <= self.horizon for message in fresh):
            self._empty, self._since = 0, time.monotonic()
        else:
            self._empty += 1
            self._caught_up = self._caught_up or time.monotonic()
        return tuple(fresh), tuple(repeated)

    @property
    def withholds(self) -> bool:
        """Whether it may hold what it has not given."""
        return self.expects is not None or self.lost_answers or self._goes_on

    @property
    def has_ended(self) -> bool:
        """Whether it has nothing more to give, by the rule."""
        if self._goes_on:
            return True
        quiet = time.monotonic() - self._since
        if self._empty < self.rule.pulls or quiet < self.rule.seconds:
            return False
        return not self.expects or quiet >= self.rule.insists

    @property
    def _goes_on(self) -> bool:
        """Whether it was at its end for a moment, long ago, and has had new messages ever since."""
        if self.horizon or self._caught_up is None:
            return False
        return time.monotonic() - self._caught_up > self.rule.insists + _GOES_ON
