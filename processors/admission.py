"""Which messages are worked on, which wait, and which are sent back: whatever comes, a thread is left to say so."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

AT_WORK = 2
"""One message has the warehouse, another announces what it has written."""
PLACES = 500
"""Messages that a service holds at a time. One that is sent back has used up one of its five attempts, so that as many
wait as may come at once; each costs a thread that sleeps."""
HELD_BYTES = 256 * 1024**2
"""Bodies of all messages that are held; what one may have, it has even so."""
BODY_IS_READ = "nbactl.body_is_read"
"""In a request's environment, where a server limits the time in which it must arrive: to be called when it has."""
PATIENCE_SECONDS = 300.0
"""How long a message waits for its turn; what it waits, it computes less."""


@dataclass(frozen=True)
class Admission:
    """The places of a service, and the turns to work.

    Attributes:
        places: messages that are held at a time, at work or not.
        held_bytes: of their bodies.
        at_work: messages that are worked on at a time.
        patience: seconds that a message waits for its turn.
    """

    places: int = PLACES
    held_bytes: int = HELD_BYTES
    at_work: int = AT_WORK
    patience: float = PATIENCE_SECONDS
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _held: dict[int, int] = field(default_factory=dict, init=False, repr=False)
    _turns: threading.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_turns", threading.Semaphore(self.at_work))

    @property
    def held(self) -> int:
        """How many messages are held now."""
        return len(self._held)

    @contextmanager
    def place(self, size: int) -> Iterator[bool]:
        """Give a message a place while the block lasts, or say at once that there is none.

        Args:
            size: of its body, in bytes.
        """
        name = threading.get_ident()
        with self._lock:
            has_room = not self._held or sum(self._held.values()) + size <= self.held_bytes
            admitted = has_room and len(self._held) < self.places
            if admitted:
                self._held[name] = size
        try:
            yield admitted
        finally:
            if admitted:
                with self._lock:
                    del self._held[name]

    @contextmanager
    def turn(self) -> Iterator[timedelta | None]:
        """Wait until the message may be worked on; how long that took, or None where it has waited long enough."""
        began = time.monotonic()
        taken = self._turns.acquire(timeout=self.patience)
        try:
            yield timedelta(seconds=time.monotonic() - began) if taken else None
        finally:
            if taken:
                self._turns.release()
