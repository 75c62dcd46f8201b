"""Records of a local pipeline, as `nbactl up` leaves them, without the pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from shared.local import EMULATOR, SUPERVISOR, Local, State
from shared.topology import SERVICES

INSTANCE = "0123456789abcdef" * 2


def local_pipeline(directory: Path, **changes: Any) -> Local:  # noqa: ANN401 -- any of its fields
    """The record of a pipeline that has ended: nobody has such a command line."""
    names = [service.name for service in SERVICES[:2]]
    programs = [SUPERVISOR, EMULATOR, *names]
    record = Local(
        directory=directory,
        instance=INSTANCE,
        state=State.RUNNING,
        project="nba-props-platform",
        warehouse="duckdb:///.nbactl/warehouse.duckdb",
        emulator="127.0.0.1:1",
        services={name: f"http://127.0.0.1:{number + 1}" for number, name in enumerate(names)},
        commands={name: ("nobody", INSTANCE, name) for name in programs},
        processes={name: number + 2**22 for number, name in enumerate(programs)},
        started=dict.fromkeys(programs, 1.0),
    )
    return replace(record, **changes)


def claiming(record: Local, process: psutil.Process) -> Local:
    """A record that takes a process for each of the pipeline's, with its real start time."""
    return replace(
        record,
        processes=dict.fromkeys(record.commands, process.pid),
        started=dict.fromkeys(record.commands, process.create_time()),
    )
