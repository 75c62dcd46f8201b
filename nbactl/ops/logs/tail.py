"""The lines of a log that goes on in a new file now and then, from wherever the last look ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from nbactl.ops.supervisor import OLD_LOGS


@dataclass(frozen=True, slots=True)
class _Position:
    """How far a log has been read: the file, whatever it is called by now, and the bytes of it."""

    inode: int
    offset: int


class Tail:
    """The lines that a log has gained, also where its file was renamed and a new one begun since.

    Args:
        path: of the newest file; those before it are `path.1`, `path.2` and so on.
        from_end: pass over what is there already.
    """

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        self.path = path
        self._position: _Position | None = None
        if from_end:
            with suppress(OSError):
                stat = path.stat()
                self._position = _Position(stat.st_ino, stat.st_size)

    def lines(self, *, whole: bool = False) -> Iterator[bytes]:
        """Yield the lines since the last look, without their ends.

        Args:
            whole: take what follows the last end of a line as one; who looks again waits for its end.

        Raises:
            OSError: there is no such log, or it cannot be read.
        """
        with ExitStack() as until_read:
            for inode, file in self._unread(until_read):
                yield from self._read(inode, file, whole=whole)

    def _unread(self, until_read: ExitStack) -> list[tuple[int, BinaryIO]]:
        """The files that hold unread lines, the oldest first."""
        files: dict[int, BinaryIO] = {}
        for number in range(OLD_LOGS + 1):
            try:
                file = until_read.enter_context(self._named(number).open("rb"))
            except FileNotFoundError:
                continue  # also of the newest, for a moment, while it is renamed
            # the newest first: one that is renamed meanwhile comes twice, and is none the less one
            files.setdefault(_inode(file), file)
            if number == 0 and self._position and self._position.inode in files:
                break
        if not files:
            raise FileNotFoundError(2, "No such file or directory", str(self.path))
        names = list(files)
        if self._position and self._position.inode in files:
            names = names[: names.index(self._position.inode) + 1]
        return [(inode, files[inode]) for inode in reversed(names)]

    def _read(self, inode: int, file: BinaryIO, *, whole: bool) -> Iterator[bytes]:
        offset = self._position.offset if self._position and self._position.inode == inode else 0
        if file.seek(0, 2) < offset:
            offset = 0  # somebody has emptied it
        file.seek(offset)
        self._position = _Position(inode, offset)
        for line in file:
            if not (whole or line.endswith(b"\n")):
                return
            offset += len(line)
            self._position = _Position(inode, offset)
            yield line.removesuffix(b"\n")

    def _named(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path


def _inode(file: BinaryIO) -> int:
    import os

    return os.fstat(file.fileno()).st_ino
