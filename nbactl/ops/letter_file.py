"""Dead letters in a file: a JSON object a line, the data in base64, each with the version of its layout."""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nbactl.ops.inspecting import record
from nbactl.ops.letters import Box, Letter, boxes, compose, parse_moment
from nbactl.render.tables import json_line
from shared import events
from shared.errors import DataError, NbactlError, NotFound, UsageError
from shared.events import Delivery, Message

VERSION = 1
"""Of the layout. What has none was written before there was one, and lacks `message_id` and `ordering_key`."""


class LetterFile:
    """A new file of letters, which holds whole letters only.

    Args:
        file: open for writing bytes, unbuffered.
        path: of the file.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path

    def write(self, letters: Sequence[Letter]) -> None:
        """Write letters, and wait until they are on the disk; where there is no room, none of them is in the file.

        Raises:
            NbactlError: they cannot be written.
        """
        before = self._file.tell()
        left = memoryview("".join(f"{json_line(_as_line(letter))}\n" for letter in letters).encode())
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except BaseException as error:
            os.ftruncate(self._file.fileno(), before)
            self._file.seek(before)
            if isinstance(error, OSError):
                hint = "make room, or name a file elsewhere"
                raise NbactlError(f"cannot write to {self._path}", why=error.strerror, hint=hint) from error
            raise


@contextmanager
def new_file(path: Path) -> Iterator[LetterFile]:
    """Make a file of letters, which goes again where an error comes before the first letter.

    One that is there may be the only copy of what it holds.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        file = path.open("xb", buffering=0)
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="name another file") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}", why=error.strerror) from error
    with file:
        try:
            yield LetterFile(file, path)
        except BaseException:
            if not file.tell():
                path.unlink(missing_ok=True)
            raise


def _as_line(letter: Letter) -> dict[str, object]:
    return {
        "version": VERSION,
        **record(letter),
        "topic": letter.box.topic,
        "message_id": letter.message_id,
        "ordering_key": letter.message.ordering_key,
        "data": base64.b64encode(letter.message.data).decode(),
    }


def read_letters(path: Path) -> list[Letter]:
    """The letters of a file that `export` or `drain` has written; one that stands there twice is read once.

    Raises:
        NotFound: there is no such file.
        UsageError: it cannot be read.
        DataError: a line is no letter, or was written by a later version.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a device may have no end, and a pipe no beginning
            raise UsageError(f"cannot read {path}", why="it is no regular file")
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", hint="nbactl dlq export FILE writes one") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}", why=error.strerror) from error
    by_source = {box.source: box for box in boxes()}
    letters: dict[tuple[str, str], Letter] = {}
    for number, line in enumerate(lines, 1):
        try:
            letter = _read_line(line, by_source)
        except ValueError as error:
            raise DataError(
                f"line {number} of {path} is not a dead letter that can be sent again; nothing was sent",
                (),
                why=str(error),
                hint="send a copy of the file without that line",
            ) from error
        letters.setdefault((letter.box.source, letter.message_id or f"line {number}"), letter)
    return list(letters.values())


def _read_line(line: bytes, by_source: Mapping[str, Box]) -> Letter:
    """Read a line.

    Raises:
        ValueError: why it is no letter.
    """
    try:
        fields = json.loads(line)
    except ValueError:
        raise ValueError("it is not JSON: the file may have been cut") from None
    if not isinstance(fields, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 -- one kind of error for all that a line may be
    version = fields.get("version", 0)
    if version not in range(VERSION + 1) or isinstance(version, bool):
        raise ValueError(f"it is of version {version!r}, and this nbactl reads up to version {VERSION}")
    box = by_source.get(_text(fields, "subscription"))
    if box is None or _text(fields, "topic") != box.topic:
        raise ValueError(
            f"subscription {fields['subscription']!r} on topic {fields['topic']!r} is none that is declared"
        )
    died_at = parse_moment(_text(fields, "died_at"))
    if died_at is None:
        raise ValueError(f"died_at is {fields['died_at']!r}, which is no time")
    data, attributes = _data(_text(fields, "data")), _attributes(fields.get("attributes", {}))
    attempts = fields.get("attempts")
    delivery = Delivery(
        publish_time=parse_moment(fields.get("published_at") and _text(fields, "published_at")),
        subscription=box.source,
        attempt=attempts if isinstance(attempts, int) else None,
        payload_sha256=events.payload_digest(data),
        correlation_id=attributes.get("correlation_id") or _optional(fields, "correlation_id"),
    )
    message = Message(data, attributes, _optional(fields, "ordering_key") or "")
    return compose(box, _optional(fields, "message_id") or "", message, delivery, died_at)


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}, not text")  # noqa: TRY004
    return value


def _optional(fields: Mapping[str, object], name: str) -> str | None:
    return None if fields.get(name) is None else _text(fields, name)


def _data(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("its data is not base64") from None


def _attributes(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise ValueError("its attributes are not texts by name")
    return value
