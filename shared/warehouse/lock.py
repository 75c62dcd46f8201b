"""One writer or many readers: an advisory lock in a file beside the warehouse.

DuckDB lets one process write or many read, and refuses a second opener at once; the lock makes the second one wait.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import WarehouseLocked

_POLL_SECONDS = 0.05


@contextmanager
def locked(warehouse: Path, *, exclusive: bool, wait: float) -> Iterator[None]:
    """Hold the lock of a warehouse file.

    Args:
        warehouse: the file; the lock is `<file>.lock`, which is left behind, empty of meaning.
        exclusive: to write; otherwise to read beside other readers.
        wait: seconds to wait for other holders.

    Raises:
        WarehouseLocked: the wait was in vain; names the writing process.
    """
    with warehouse.with_name(f"{warehouse.name}.lock").open("a+", encoding="ascii") as file:
        _acquire(file.fileno(), fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH, wait, warehouse)
        # whoever is in has the right to say that no earlier writer is
        file.truncate(0)
        if exclusive:
            file.write(str(os.getpid()))
            file.flush()
        yield


def _acquire(descriptor: int, mode: int, wait: float, warehouse: Path) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise WarehouseLocked(str(warehouse), _holder(descriptor)) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _holder(descriptor: int) -> int | None:
    written = os.pread(descriptor, 32, 0).decode("ascii", "replace")
    return int(written) if written.isdigit() else None
