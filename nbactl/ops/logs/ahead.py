"""Fetching while what was fetched is still being printed."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Give the items, one by one, while the next is already on its way; no more than two are held.

    The thread ends with the process, because nobody may wait for an answer that nobody wants any more.
    """
    handed: Queue[tuple[list[T], BaseException | None]] = Queue(maxsize=1)

    def fetch() -> None:
        try:
            for item in items:
                handed.put(([item], None))
            handed.put(([], None))
        except BaseException as error:  # noqa: BLE001 -- it is raised where the items are used
            handed.put(([], error))

    Thread(target=fetch, daemon=True).start()
    while True:
        item, error = handed.get()
        if error:
            raise error
        if not item:
            return
        yield item[0]
