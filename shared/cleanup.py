"""Tidying up that never hides why it came to that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def ensure_cleanup(cleanup: Callable[[], object]) -> Iterator[None]:
    """Run the block, then the cleanup, also on an error and on Ctrl-C.

    Where both fail, the block's error is raised, and what the cleanup could not do is a note on it
    (`BaseException.add_note`), which the command line prints below the error.

    Args:
        cleanup: may fail with any error; after a block that did not fail, that is the error.
    """
    try:
        yield
    except BaseException as error:
        try:
            cleanup()
        except Exception as failure:  # noqa: BLE001 -- whatever it is, it is not what happened first
            why = getattr(failure, "why", None)
            error.add_note(f"tidying up failed, too: {failure}{f': {why}' if why else ''}")
        raise
    cleanup()
