"""Files that somebody else named and made: found, opened so that no name means anything but itself, and measured.

An engine reads words into names: stars and brackets, `key=value` folders, URLs, `~`. It is therefore given no name at
all, but the number of a file that is open already.
"""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

_CHUNK = 1 << 20
_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a FIFO",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
}


@dataclass(frozen=True, slots=True)
class FileLimits:
    """The most that one file may hold, so that a small file cannot fill a disk.

    Attributes:
        rows: of a parquet file; lines of a text file.
        bytes: after decompression.
    """

    rows: int = 10_000_000
    bytes: int = 1_000_000_000


LIMITS = FileLimits()
"""Where nobody says otherwise: sixteen seasons of events in one file, or one of NDJSON with room to spare."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of a table.

    Attributes:
        path: as the operator would name it.
        suffix: what it holds, such as `.csv`.
        is_gzip: whether its name says that it is compressed.
    """

    path: Path
    suffix: str
    is_gzip: bool

    @property
    def text(self) -> str:
        """The path as text of any engine or terminal; bytes that are no UTF-8 stand as their numbers."""
        return os.fsencode(self.path).decode(errors="backslashreplace")


class UnreadableFile(Exception):  # noqa: N818 -- the name says what happened
    """A file cannot be loaded: its text says why, and does not name it."""


def find_files(folder: Path, name: str, suffixes: Collection[str]) -> tuple[list[InputFile], list[Path]]:
    """The files of a table, and the paths that stand where they would and are none of a known kind.

    Args:
        folder: that holds `name.*`, or everything in the folder `name`.
        name: of the table.
        suffixes: of the kinds that can be read.

    Returns:
        Files in the order of their paths, whatever they turn out to be when they are opened; and the other paths.
    """
    paths = [path for path in folder.iterdir() if path.name.startswith(f"{name}.")]
    for parent, folders, names in os.walk(folder / name):
        links = [link for link in folders if Path(parent, link).is_symlink()]
        paths += [Path(parent, entry) for entry in (*names, *links)]
    files, others = [], []
    for path in sorted(paths):
        kinds = [suffix.lower() for suffix in path.suffixes]
        suffix = next((kind for kind in reversed(kinds) if kind != ".gz"), "")
        if suffix in suffixes or path.is_dir():
            files.append(InputFile(path, suffix, kinds[-1:] == [".gz"]))
        else:
            others.append(path)
    return files, others


@contextmanager
def open_files(files: Sequence[InputFile]) -> Iterator[Mapping[str, InputFile]]:
    """Open files for an engine.

    Returns:
        By the name that an engine is to be given, the file; a name holds until the context ends.

    Raises:
        UnreadableFile: one is no ordinary file, or cannot be opened, or was written to in the meantime; ask for one at
            a time to know which.
    """
    with ExitStack() as opened:
        names = {}
        for file in files:
            stream = opened.enter_context(open_file(file.path))
            names[name_open_file(stream)] = file
        yield names


def name_open_file(stream: BinaryIO) -> str:
    """The name by which an engine of this process opens a file that is open: it has no other words in it."""
    return f"/dev/fd/{stream.fileno()}"


@contextmanager
def open_file(path: Path) -> Iterator[BufferedReader]:
    """Open an ordinary file to read; what is none is refused without waiting for it.

    Raises:
        UnreadableFile: it is none, or cannot be opened; or, at the end, it was written to in the meantime.
    """
    if path.is_symlink() and path.is_dir():
        raise UnreadableFile("it is a link to a folder, which is not followed")
    try:
        # a FIFO would be waited for
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise UnreadableFile(error.strerror or str(error)) from error
    try:
        before = _stat_ordinary(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as stream:
        yield stream
        after = os.fstat(descriptor)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise UnreadableFile("it was written to while it was read")


def _stat_ordinary(descriptor: int) -> os.stat_result:
    status = os.fstat(descriptor)
    kind = next((kind for is_kind, kind in _KINDS.items() if is_kind(status.st_mode)), None)
    if kind:
        raise UnreadableFile(f"it is {kind}, not a file")
    if not status.st_size and os.pread(descriptor, 1, 0):
        raise UnreadableFile("it is made up by the system as it is read, not a file")
    return status


def check_text_size(file: InputFile, stream: BinaryIO, limits: FileLimits) -> None:
    """See that a text file, decompressed, is within limits.

    Raises:
        UnreadableFile: it is not, or it is compressed and damaged.
    """
    size = os.fstat(stream.fileno()).st_size
    if not file.is_gzip and size <= min(limits.bytes, limits.rows):
        return
    lines = total = 0
    with os.fdopen(os.dup(stream.fileno()), "rb") as copy:
        # gzip gives what it can of a file that ends too soon, and then says so
        content = cast("BinaryIO", gzip.GzipFile(fileobj=copy)) if file.is_gzip else copy
        try:
            while chunk := content.read(_CHUNK):
                lines += chunk.count(b"\n")
                total += len(chunk)
                check_size(lines, total, limits, unit="lines")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableFile(f"it is no whole gzip file: {error}") from error
        finally:
            copy.seek(0)


def check_size(rows: int, size: int, limits: FileLimits, *, unit: str = "rows") -> None:
    """See that so many rows and bytes are within limits.

    Raises:
        UnreadableFile: they are not; says which limit, and the option that raises it.
    """
    if size > limits.bytes:
        raise UnreadableFile(
            f"it holds more than {limits.bytes:,} bytes after decompression; --max-file-bytes allows more"
        )
    if rows > limits.rows:
        raise UnreadableFile(f"it holds more than {limits.rows:,} {unit}; --max-file-rows allows more")
