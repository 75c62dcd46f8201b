"""Deleting what was made for a while, whatever happens, without hiding what happened."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from shared.errors import NbactlError

_AT_ONCE = 16


class Cleanup:
    """Deletes, at the end of the block, everything that was handed to it; each even where another cannot be.

    A deletion that fails never takes the place of the error that ended the block.

    Attributes:
        failures: what could not be deleted, by name, with the error.
    """

    def __init__(self) -> None:
        self.failures: dict[str, NbactlError] = {}
        self._deletions: list[tuple[str, Callable[[str], None]]] = []

    def add(self, name: str, delete: Callable[[str], None]) -> None:
        """Have `delete(name)` called at the end; best said before the thing is made, which may half succeed."""
        self._deletions.append((name, delete))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        deletions, self._deletions = self._deletions, []
        if deletions:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(self._delete, deletions))

    def _delete(self, deletion: tuple[str, Callable[[str], None]]) -> None:
        name, delete = deletion
        try:
            delete(name)
        except NbactlError as error:
            self.failures[name] = error
