"""How far long work is, on stderr: a bar on a terminal, a line per completed step elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from nbactl.render.terminal import console, is_terminal, visible


class Step(Protocol):
    """What the work calls after each step, or before it with `advance=0`."""

    def __call__(self, message: str, advance: int = 1) -> None:
        """Say what is being done, and how many of the total are now complete in addition."""


@contextmanager
def progress(total: int | None, *, quiet: bool = False) -> Iterator[Step]:
    """Show progress towards `total` steps, if anybody knows how many, for as long as the block runs.

    Yields:
        A function to call with a message after each step, or with `advance=0` before it.
    """
    if quiet:
        yield _silent
    elif is_terminal(sys.stderr):
        with _bar(total) as step:
            yield step
    else:
        yield _lines(total)


def _silent(message: str, advance: int = 1) -> None:
    """Show nothing: `--quiet` was asked for."""


def _lines(total: int | None) -> Step:
    done = 0

    def step(message: str, advance: int = 1) -> None:
        nonlocal done
        done += advance
        if advance:
            sys.stderr.write(f"[{done if total is None else f'{done}/{total}'}] {visible(message)}\n")
            # A log that comes in blocks says nothing about where the work stands.
            sys.stderr.flush()

    return step


@contextmanager
def _bar(total: int | None) -> Iterator[Step]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    # Rich would take what is written to stdout for its own, and a result in a pipe would end on stderr.
    live = Progress(*columns, console=console(sys.stderr), transient=True, redirect_stdout=sys.stdout.isatty())
    with live as bars:
        task = bars.add_task("", total=total)

        def step(message: str, advance: int = 1) -> None:
            bars.update(task, advance=advance, description=visible(message))

        yield step
