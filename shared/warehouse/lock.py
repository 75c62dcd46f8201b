"""One writer or many readers: an advisory lock in a file beside the warehouse.

DuckDB lets one process write or many read, and refuses a second opener at once; the lock makes the second one wait.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TextIO

from shared.border import border
from shared.errors import WarehouseLocked

_POLL_SECONDS = 0.01
_VANISHED_SECONDS = 0.5
"""How long a file may be missing that others make and remove."""
_HELD_BACK_SECONDS = 0.025
"""More than a poll: between two turns of one process another one that waits gets its own."""


@contextmanager
def locked(warehouse: Path, *, exclusive: bool, wait: float) -> Iterator[None]:
    """Hold the lock of a warehouse file; to write, its folder is made where it is missing.

    Args:
        warehouse: the file; the lock is `<file>.lock`, which is left behind, empty of meaning.
        exclusive: to write; otherwise to read beside other readers.
        wait: seconds to wait for other holders.

    Raises:
        WarehouseLocked: the wait was in vain; names the process that writes, or says that others read.
    """
    deadline = time.monotonic() + wait
    with _turns[warehouse.absolute()].taken(deadline) if exclusive else nullcontext(), ExitStack() as opened:
        file = _held(opened, warehouse, deadline, exclusive=exclusive)
        if file is None:
            yield
            return
        # whoever is in has the right to say that no earlier writer is
        file.truncate(0)
        if exclusive:
            file.write(str(os.getpid()))
            file.flush()
        border("lock.taken")
        yield


def lock_file(warehouse: Path) -> Path:
    """The file that is locked; whoever holds it exclusively may remove it with the warehouse."""
    return warehouse.with_name(f"{warehouse.name}.lock")


def _held(opened: ExitStack, warehouse: Path, deadline: float, *, exclusive: bool) -> TextIO | None:
    """The lock's file, held until the stack is left; None where a reader need not hold it."""
    path = lock_file(warehouse)
    patience = min(deadline, time.monotonic() + _VANISHED_SECONDS)
    while True:
        try:
            if exclusive:
                path.parent.mkdir(parents=True, exist_ok=True)
            with ExitStack() as trying:
                file = _opened(path, must=exclusive)
                if file is None:
                    return None
                trying.enter_context(file)
                _acquire(file.fileno(), fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH, deadline, warehouse)
                # while it was waited for, its holder may have removed it, and another have come into its place
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    opened.push(trying.pop_all())
                    return file
        except FileNotFoundError:
            # it went, perhaps with its folder, just now; or it can never be made
            if time.monotonic() >= patience:
                raise
            time.sleep(_POLL_SECONDS)


class _Turn:
    """Lets the writing threads of this process wait for each other, so that it waits for other processes as one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._ended = 0.0

    @contextmanager
    def taken(self, deadline: float) -> Iterator[None]:
        # in vain, the thread still asks for the file's lock, once, and so says who holds it
        taken = self._lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
        try:
            time.sleep(max(0.0, self._ended + _HELD_BACK_SECONDS - time.monotonic()))
            yield
        finally:
            self._ended = time.monotonic()
            if taken:
                self._lock.release()


_turns: defaultdict[Path, _Turn] = defaultdict(_Turn)


def _opened(path: Path, *, must: bool) -> TextIO | None:
    try:
        return path.open("a+", encoding="ascii")
    except OSError:
        if must:
            raise
        # where a reader cannot make the file nobody writes, or the engine's own lock says so
        return None


def _acquire(descriptor: int, mode: int, deadline: float, warehouse: Path) -> None:
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = _holder(descriptor)
                reads = holder is None and _is_shared(descriptor)
                raise WarehouseLocked(str(warehouse), holder, reads=reads) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _holder(descriptor: int) -> int | None:
    written = os.pread(descriptor, 32, 0).decode("ascii", "replace")
    return int(written) if written.isdigit() else None


def _is_shared(descriptor: int) -> bool:
    """Whether those who hold the lock read: then there is room for one more."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True
