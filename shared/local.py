"""The local pipeline, while `nbactl up` runs it: what runs where, in a file beside the default warehouse."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(".nbactl") / "up.json"


@dataclass(frozen=True, slots=True)
class Local:
    """What runs.

    Attributes:
        emulator: HOST:PORT.
        services: root URL by service.
        processes: process id by what it is; an emulator that was there before is not among them.
        logs: the file that each service logs to.
    """

    project: str
    warehouse: str
    emulator: str
    services: Mapping[str, str]
    processes: Mapping[str, int]
    logs: Mapping[str, str]

    @property
    def lives(self) -> bool:
        """Whether any of its processes does."""
        return any(map(is_alive, self.processes.values()))

    def write(self, directory: Path) -> None:
        """Say what runs."""
        path = directory / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")


def read(directory: Path) -> Local | None:
    """What was started from a directory and not ended; None where nothing was, or the file is none of ours."""
    path = directory / FILE
    try:
        if not path.is_file():  # a device may have no end
            return None
        written = json.loads(path.read_text(encoding="utf-8"))
        return Local(**written)
    except (OSError, ValueError, TypeError):
        return None


def forget(directory: Path) -> None:
    """Say that nothing runs."""
    (directory / FILE).unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(process)


def _is_zombie(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"
