"""The pipeline on one machine: emulator, topology and services, as `nbactl up` starts and `nbactl down` ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from nbactl.gcp import emulator
from nbactl.gcp.cloud import Target, connect
from nbactl.ops import infra, infra_apply
from shared import local
from shared.errors import PreconditionFailed, TimedOut
from shared.local import Local
from shared.settings import Settings
from shared.topology import SERVICES, Service
from shared.warehouse.connect import connect as warehouse_of

PHASES = (3, 4)
"""The services that exist; a push subscription of another waits for its service."""

_ENDS_WITHIN = 15.0
Said = Callable[[str, str], None]
"""Told what has been started, and where."""


def up(settings: Settings, directory: Path, said: Said, pushed: Mapping[str, str] = MappingProxyType({})) -> Local:
    """Start everything that is not there, and say where it is.

    Args:
        settings: project and warehouse; an emulator that they name is used, and is not ended by `down`.
        directory: that the pipeline belongs to; its logs are in `.nbactl/logs`.
        said: told of each part as it is ready.
        pushed: by service, the URL to push to in place of its own.

    Raises:
        PreconditionFailed: it runs already.
        NotFound: there is no emulator.
        TimedOut: a part did not start.
    """
    known = local.read(directory)
    if known and known.lives:
        raise PreconditionFailed("the local pipeline runs already", hint="nbactl down ends it")
    folder = directory / local.FILE.parent / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        address = settings.emulator or _start_emulator(folder, started)
        said("emulator", address)
        urls, logs = _start_services(settings, address, folder, started)
        _create_topology(settings, address, {**urls, **pushed}, said)
        processes = {name: process.pid for name, process in started.items()}
        running = Local(settings.project, settings.warehouse, address, urls, processes, logs)
        running.write(directory)
    except BaseException:
        _end({name: process.pid for name, process in started.items()})
        raise
    return running


@contextmanager
def running(settings: Settings, directory: Path, pushed: Mapping[str, str]) -> Iterator[Local]:
    """A pipeline for as long as the block lasts; see `up`."""
    started = up(settings, directory, lambda _what, _where: None, pushed)
    try:
        yield started
    finally:
        down(directory)


def kill_and_restart(settings: Settings, directory: Path, service: str) -> None:
    """Kill a service as a machine does that is switched off, and start it again where it was.

    Raises:
        PreconditionFailed: nothing runs here.
        TimedOut: it does not start.
    """
    known = local.read(directory)
    if known is None:
        raise PreconditionFailed("nothing runs here")
    with suppress(ProcessLookupError):
        os.killpg(known.processes[service], signal.SIGKILL)
    _reap(known.processes[service])
    url, log = known.services[service], Path(known.logs[service])
    one = next(each for each in SERVICES if each.name == service)
    environment = _environment(settings, known.emulator, int(url.rpartition(":")[2]))
    process = _start(_gunicorn(one), log, environment)
    replace(known, processes={**known.processes, service: process.pid}).write(directory)
    emulator.wait_for(f"{url}/health", process, log, within=30)


def down(directory: Path) -> list[str]:
    """End what `up` started, services first; what was ended, in that order.

    Raises:
        TimedOut: a process does not end.
    """
    running = local.read(directory)
    if running is None:
        return []
    ended = _end(running.processes)
    local.forget(directory)
    return ended


def _start_emulator(folder: Path, started: dict[str, subprocess.Popen[bytes]]) -> str:
    address, log = f"127.0.0.1:{emulator.usual_port()}", folder / "emulator.log"
    command = [*emulator.command(), f"--port={address.rpartition(':')[2]}"]
    started["emulator"] = _start(command, log, {})
    emulator.wait_for(f"http://{address}", started["emulator"], log)
    return address


def _start_services(
    settings: Settings, address: str, folder: Path, started: dict[str, subprocess.Popen[bytes]]
) -> tuple[dict[str, str], dict[str, str]]:
    urls, logs = {}, {}
    services = [service for service in SERVICES if service.phase in PHASES]
    for service in services:
        port, log = emulator.free_port(8080 + service.phase), folder / f"{service.name}.jsonl"
        started[service.name] = _start(_gunicorn(service), log, _environment(settings, address, port))
        urls[service.name], logs[service.name] = f"http://127.0.0.1:{port}", str(log)
    for service in services:
        log = Path(logs[service.name])
        emulator.wait_for(f"{urls[service.name]}/health", started[service.name], log, within=30)
    return urls, logs


def _gunicorn(service: Service) -> list[str]:
    app = f"processors.service:create_app({service.phase})"
    return [sys.executable, "-m", "gunicorn", "-c", "python:processors.gunicorn_conf", app]


def _environment(settings: Settings, address: str, port: int) -> dict[str, str]:
    return {
        # the service may be started elsewhere, so a relative path must not stay one
        "NBACTL_WAREHOUSE": warehouse_of(settings.warehouse).absolute_url,
        "NBACTL_WAIT": "60",
        "GOOGLE_CLOUD_PROJECT": settings.project,
        "PUBSUB_EMULATOR_HOST": address,
        "NBACTL_BIND": "127.0.0.1",
        "PORT": str(port),
    }


def _start(command: list[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        # a session of its own: Ctrl-C is for us, and we end the others in order
        return subprocess.Popen(  # noqa: S603 -- no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **environment},
            start_new_session=True,
        )


def _create_topology(settings: Settings, address: str, urls: Mapping[str, str], said: Said) -> None:
    cloud = connect(Target(settings.project, settings.region, address), urls)
    plan = infra.build(cloud)
    done = infra_apply.apply(plan, cloud, lambda _what: None)
    if error := infra_apply.verdict(plan, done):
        raise error
    said("topology", plan.summary)


def _end(processes: Mapping[str, int]) -> list[str]:
    """End processes, the last started first, and wait for each."""
    ended = []
    for name, process in reversed(list(processes.items())):
        if local.is_alive(process):
            os.kill(process, signal.SIGTERM)
            ended.append(name)
    ends = time.monotonic() + _ENDS_WITHIN
    while any(map(local.is_alive, processes.values())):
        for process in processes.values():
            _reap(process)
        if time.monotonic() > ends:
            raise TimedOut("the local pipeline does not end", hint=f"kill {' '.join(map(str, processes.values()))}")
        time.sleep(0.02)
    return ended


def _reap(process: int) -> None:
    """Take note of a child's end, if it is a child of ours."""
    try:
        os.waitpid(process, os.WNOHANG)
    except ChildProcessError:
        return
