"""The local pipeline of a project folder: the record that `nbactl up` keeps in `.nbactl/up.json`.

The record is only ever a claim: the file may be years old, copied, cloned or broken. How much of it is so, only the
processes can say (`nbactl.ops.local_processes`).
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlsplit

from shared.errors import PreconditionFailed

FOLDER = Path(".nbactl")
"""Where a project folder keeps its state."""

FILE = FOLDER / "up.json"
LOGS = FOLDER / "logs"
VERSION = 2
"""Of the file; 1 named processes by their numbers alone."""

INSTANCE = "NBACTL_INSTANCE"
"""The variable by which a service is told the name of its pipeline, which it answers with."""

SUPERVISOR, EMULATOR = "supervisor", "emulator"
_MOST_BYTES = 1_000_000
_LARGEST_PID = 2**31 - 1
_LARGEST_PORT = 2**16 - 1
T = TypeVar("T")


class State(StrEnum):
    """How far a local pipeline is."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """One local pipeline.

    Attributes:
        directory: the project folder; not in the file, for a copied file speaks of where it is now.
        instance: its random name, 32 hexadecimal digits, which stands in the command line of each of its processes.
        state: how far it is, as it says itself.
        why: it has ended; None before that.
        project: that its topics are in.
        warehouse: URL.
        emulator: HOST:PORT; empty as long as the emulator has none.
        services: root URL by service.
        commands: command line by process; an emulator that was there before is not among them.
        processes: process id by process, of those that have been started.
        started: start time by process, seconds since 1970.
        exits: exit code by process, of those that have ended and were not started again; -N is signal N.
    """

    directory: Path
    instance: str
    state: State
    project: str
    warehouse: str
    why: str | None = None
    emulator: str = ""
    services: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    processes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    started: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    exits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def logs(self) -> dict[str, Path]:
        """The file that each service logs to."""
        return {name: log_of(self.directory, name) for name in self.services}

    def as_record(self) -> dict[str, object]:
        """What the file holds."""
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "directory"}
        return {"version": VERSION} | {name: dict(own[name]) if _is_map(own[name]) else own[name] for name in own}

    def write(self) -> None:
        """Write the record, whole or not at all.

        Raises:
            PreconditionFailed: the folder cannot be written to.
        """
        path = self.directory / FILE
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with new.open("w", encoding="utf-8") as file:
                json.dump(self.as_record(), file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as error:
            with suppress(OSError):
                new.unlink()
            raise PreconditionFailed(
                f"cannot write {path}",
                why=error.strerror,
                hint=f"see who owns it, and what room there is: {path.parent}",
            ) from error


def log_of(directory: Path, name: str) -> Path:
    """The file that a service of a project folder's pipeline logs to."""
    return directory / LOGS / f"{name}.jsonl"


def logs_of(directory: Path) -> dict[str, Path]:
    """The log of each service that has ever run in a project folder; they outlive the record."""
    return {path.stem: path for path in sorted((directory / LOGS).glob("*.jsonl"))}


def read(directory: Path) -> Local | None:
    """The pipeline that was started in a project folder and not forgotten; None where there is none.

    Raises:
        PreconditionFailed: there is a file, and it is no record of this version.
    """
    path = directory / FILE
    try:
        return _parse(_content(path), directory) if path.is_symlink() or path.exists() else None
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise PreconditionFailed(
            f"cannot tell what runs here: {path} is no record of this version of nbactl",
            why=why or type(error).__name__,
            hint="nbactl down forgets it; it ends no process, for none can be known by it",
        ) from error


def forget(directory: Path) -> None:
    """Remove the record.

    Raises:
        PreconditionFailed: it cannot be removed.
    """
    path = directory / FILE
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:
        return
    except OSError as error:
        raise PreconditionFailed(f"cannot remove {path}", why=error.strerror, hint=f"rm -r {path}") from error


def _content(path: Path) -> bytes:
    if not path.is_file():  # to open a pipe would be to wait for ever
        raise ValueError("it is no file")
    with path.open("rb") as file:
        return file.read(_MOST_BYTES + 1)


def _parse(content: bytes, directory: Path) -> Local:
    """A record, field by field.

    Raises:
        ValueError: a field is missing or of another form; it names the field.
    """
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it is larger than {_MOST_BYTES:,} bytes")
    written = json.loads(content.decode("utf-8"))
    if not isinstance(written, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 -- read as any other damage
    if written.get("version") != VERSION:
        raise ValueError(f"it is of version {written.get('version', 1)!r:.40}, and this is version {VERSION}")
    found = Local(
        directory=directory,
        instance=_field(written, "instance", _instance),
        state=_field(written, "state", lambda value: State(_text(value))),
        project=_field(written, "project", _text),
        warehouse=_field(written, "warehouse", _text),
        why=None if written.get("why") is None else _field(written, "why", _text),
        emulator=_field(written, "emulator", _address),
        services=_field(written, "services", lambda value: _map(value, _url)),
        commands=_field(written, "commands", lambda value: _map(value, _command)),
        processes=_field(written, "processes", lambda value: _map(value, _pid)),
        started=_field(written, "started", lambda value: _map(value, _seconds)),
        exits=_field(written, "exits", lambda value: _map(value, _code)),
    )
    if not found.processes.keys() | found.started.keys() <= found.commands.keys():
        raise ValueError("'processes' names one that 'commands' does not")
    if any(found.instance not in " ".join(command) for command in found.commands.values()):
        raise ValueError("'commands' holds one that is not of this instance")
    return found


def _field(written: Mapping[str, object], name: str, parse: Callable[[object], T]) -> T:
    try:
        return parse(written[name])
    except (KeyError, ValueError) as error:
        raise ValueError(f"{name!r} is missing or of another form") from error


def _map(value: object, parse: Callable[[object], T]) -> dict[str, T]:
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 -- read as any other damage
    return {_name(name): parse(item) for name, item in value.items()}


def _name(value: str) -> str:
    # it becomes part of a file's name
    return _matching(r"[a-z0-9][a-z0-9-]{0,62}", value)


def _instance(value: object) -> str:
    return _matching(r"[0-9a-f]{32}", value)


def _text(value: object) -> str:
    text = _matching(r"[^\0]*", value)
    text.encode("utf-8")  # half a pair of surrogates could be written nowhere
    return text


def _address(value: object) -> str:
    host, colon, port = _text(value).rpartition(":")
    if value and not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) <= _LARGEST_PORT):
        raise ValueError
    return str(value)


def _url(value: object) -> str:
    parts = urlsplit(_text(value))
    if parts.scheme != "http" or parts.hostname != "127.0.0.1" or not parts.port:
        raise ValueError
    return str(value)


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError
    return tuple(map(_text, value))


def _pid(value: object) -> int:
    # 1 is the machine's own first process, 0 and less are groups of processes
    if type(value) is not int or not 1 < value <= _LARGEST_PID:
        raise ValueError
    return value


def _code(value: object) -> int:
    if type(value) is not int:
        raise ValueError
    return value


def _seconds(value: object) -> float:
    if type(value) not in (int, float) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError
    return float(value)


def _matching(pattern: str, value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.DOTALL):
        raise ValueError
    return value


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)
