"""Keeping pulled messages ours while work on them takes its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from shared.errors import NbactlError

if TYPE_CHECKING:
    from shared.pubsub import PubSub

LEASE_SECONDS = 60
"""How long a message stays away when we are killed; a subscription's own ten minutes would be long to wait."""
_LEAST_DEADLINE = 10
"""The shortest that a subscription can have."""
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while a laptop sleeps, as leases do."""


class AckId(NamedTuple):
    """What a message is acknowledged by, and where."""

    subscription: str
    value: str


class Leaser:
    """Renews the leases of messages by time, in a thread of its own, for as long as the block lasts.

    Pub/Sub does not say that a lease is over: a late renewal or acknowledgement is answered as a timely one and may be
    ignored. So a lease counts as ours for as long, from before the call that was answered, as that call asked for; and
    a renewal counts only where its answer came before the lease was over.

    Args:
        pubsub: where the messages are from.
        seconds: a lease at a time; it is renewed when a third of it is over.
    """

    def __init__(self, pubsub: PubSub, seconds: int = LEASE_SECONDS) -> None:
        self._pubsub = pubsub
        self._seconds = seconds
        self._ends: dict[AckId, float] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew_by_time, name="leaser", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def hold(self, ids: Sequence[AckId]) -> None:
        """Lease messages that were just pulled.

        Raises:
            NbactlError: the lease could not be had; the subscription's own deadline goes on.
        """
        with self._lock:
            self._ends |= dict.fromkeys(ids, _now() + _LEAST_DEADLINE)
        self._renew(ids)

    def drop(self, ids: Iterable[AckId]) -> None:
        """Renew these no more."""
        with self._lock:
            for ack_id in ids:
                self._ends.pop(ack_id, None)

    def secured(self, ids: Collection[AckId]) -> set[AckId]:
        """Those whose lease lasts for a third of its time yet, renewed where need be; the others' may be over.

        Raises:
            NbactlError: a lease that is running out could not be renewed.
        """
        with self._lock:
            now = _now()
            short = [ack_id for ack_id in ids if self._left(ack_id, now) < self._seconds * 2 / 3]
            alive = [ack_id for ack_id in short if self._left(ack_id, now) > 0]
        self._renew(alive)
        with self._lock:
            now = _now()
            return {ack_id for ack_id in ids if self._left(ack_id, now) > self._seconds / 3}

    def is_held(self, ack_id: AckId) -> bool:
        """Whether the lease goes on, as far as we know."""
        with self._lock:
            return self._left(ack_id, _now()) > 0

    def _left(self, ack_id: AckId, now: float) -> float:
        return self._ends.get(ack_id, 0.0) - now

    def _renew_by_time(self) -> None:
        while not self._stopped.wait(self._seconds / 10):
            with self._lock:
                now = _now()
                due = [ack_id for ack_id in self._ends if 0 < self._left(ack_id, now) < self._seconds * 2 / 3]
            try:
                self._renew(due)
            except NbactlError:
                # there is time to try again; where it does not come about, `secured` tells
                continue

    def _renew(self, ids: Sequence[AckId]) -> None:
        for subscription, same in groupby(sorted(ids), key=lambda ack_id: ack_id.subscription):
            leased = list(same)
            began = _now()
            self._pubsub.modify(subscription, [ack_id.value for ack_id in leased], self._seconds)
            with self._lock:
                now = _now()
                # what was dropped meanwhile stays dropped, and what was over stays over
                self._ends |= {ack_id: began + self._seconds for ack_id in leased if self._left(ack_id, now) > 0}


def _now() -> float:
    return time.clock_gettime(_CLOCK)
