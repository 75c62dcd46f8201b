"""Deleting what was made for a while, whatever happens, without hiding what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from shared.errors import AccessDenied, NbactlError, PreconditionFailed
from shared.pubsub import TRIES

_AT_ONCE = 16
_PAUSE = 0.3


class Cleanup:
    """Deletes, at the end of the block, everything that was made in it; each even where another cannot be.

    A deletion that fails never takes the place of the error that ended the block; it is a note on it.

    Attributes:
        failures: what could not be deleted, by name, with the error.
    """

    def __init__(self) -> None:
        self.failures: dict[str, NbactlError] = {}
        self._deletions: list[tuple[str, Callable[[str], None]]] = []

    @contextmanager
    def making(self, name: str, delete: Callable[[str], None]) -> Iterator[None]:
        """Have `delete(name)` called at the end, where the block makes the thing, or ends so that it may have."""
        try:
            yield
        except (AccessDenied, PreconditionFailed):
            raise  # it was refused
        except BaseException:
            self._deletions.append((name, delete))
            raise
        self._deletions.append((name, delete))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        deletions, self._deletions = self._deletions, []
        if deletions:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(self._delete, deletions))
        if error:
            for name, failure in self.failures.items():
                error.add_note(f"{name} was left behind: {failure.message}")

    def _delete(self, deletion: tuple[str, Callable[[str], None]]) -> None:
        name, delete = deletion
        for left in range(TRIES, 0, -1):
            try:
                delete(name)
            except NbactlError as error:
                if not error.transient or left == 1:
                    self.failures[name] = error
                    return
                time.sleep(_PAUSE)
            else:
                return
