"""The standard streams, made fit for use whatever the shell has done to them.

What cannot be written to standard output is an error, raised where it is written or at the end. What cannot be written
to standard error is dropped: no work stops because nobody can be told how it goes.
"""

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_REASONS = {errno.EBADF: "it is closed"}


class OutputError(Exception):
    """Standard output takes no more.

    Deliberately neither an `NbactlError` nor an `OSError`: who handles those has a warehouse or a file in mind.

    Attributes:
        reader_left: whether it is a pipe that nobody reads any more.
        reason: why, in words.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(f"could not write to standard output: {error}")
        self.reader_left = error.errno == errno.EPIPE
        self.reason = _REASONS.get(error.errno or 0, error.strerror or str(error))


class _Descriptor(io.FileIO):
    """One of the shell's open files; a write waits where another process has made it non-blocking."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)

    def write(self, data: "ReadableBuffer", /) -> int:
        while (count := super().write(data)) is None:
            select.select([], [self], [])
        return count


class _Output(_Descriptor):
    """Standard output; `discards` is set once its failure has been told, so that nothing complains a second time."""

    discards = False

    def write(self, data: "ReadableBuffer", /) -> int:
        if self.discards:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            raise OutputError(error) from error


class _Notes(_Descriptor):
    """Standard error."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


@contextmanager
def guard_streams() -> Iterator[None]:
    """Replace `sys.stdout` and `sys.stderr` by streams that behave as the module says, and put them back at the end.

    Streams that are no files, such as those that a test has put there, stay as they are.
    """
    _fill_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    output, notes = _Output(1), _Notes(2)
    # a stream whose descriptor was closed when the interpreter began is None
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 -- it lives as long as we do
    sys.stdout, sys.stderr = _text(sys.stdout, output), _text(sys.stderr, notes)
    try:
        yield
    finally:
        with suppress(OutputError):
            sys.stdout.flush()
        output.discards = True
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdin, sys.stdout, sys.stderr = before


def _fill_descriptors() -> None:
    """See that no file which is opened later becomes standard output, or standard error, by taking its number.

    Standard output is opened so that writing to it fails, because nobody will see what is written.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # it gets the lowest number that is free


def _text(stream: TextIO | None, raw: _Descriptor) -> TextIO:
    """Return a text stream on a descriptor, with the ways of the one that stood there; a test's own is kept."""
    if stream is not None and not _stands_on(stream, raw.fileno()):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding if stream else "utf-8",
        # a terminal that knows no "ć" is no reason to lose the line
        errors="backslashreplace",
        line_buffering=not isinstance(stream, io.TextIOWrapper) or stream.line_buffering or stream.write_through,
    )


def _stands_on(stream: TextIO, number: int) -> bool:
    try:
        return stream.fileno() == number
    except io.UnsupportedOperation:
        return False
