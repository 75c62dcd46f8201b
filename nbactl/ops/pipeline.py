"""The pipeline on one machine: emulator, topology and services, as `nbactl up` starts and `nbactl down` ends them."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, TypeVar

from nbactl.gcp import emulator
from nbactl.gcp.cloud import Target, connect
from nbactl.ops import infra, infra_apply
from nbactl.ops.local_processes import cause_of_death, find_process, is_alive, list_processes
from nbactl.ops.supervisor import SERVICES_END_WITHIN, Program, Request, Verb
from shared import local
from shared.errors import NbactlError, PreconditionFailed, TimedOut
from shared.local import EMULATOR, INSTANCE, SUPERVISOR, Local, State
from shared.settings import Settings
from shared.topology import SERVICES, Service
from shared.warehouse.connect import connect as warehouse_of

if TYPE_CHECKING:
    from psutil import Process

PHASES = (3, 4)
"""The services that exist; a push subscription of another waits for its service."""

_STARTS_WITHIN = 60.0
_ENDS_WITHIN = SERVICES_END_WITHIN * 2 + 5
_KILLED_WITHIN = 5.0
_POLL_SECONDS = 0.05
_ENDING_SECONDS = SERVICES_END_WITHIN + 5
_TAIL_BYTES = 10_000
_LOCK = local.FOLDER / "up.lock"
T = TypeVar("T")
Said = Callable[[str, str], None]
"""Told what has been started, and where."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A pipeline that this process has started, and how to speak to its supervisor."""

    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def record(self) -> Local:
        """What the supervisor says.

        Raises:
            PreconditionFailed: it has ended, or somebody has ended it.
        """
        known = local.read(self.directory)
        if known is None or not find_process(known, SUPERVISOR):
            raise self._death(known)
        return known

    def ask(self, request: Request) -> None:
        """Send a request.

        Raises:
            PreconditionFailed: the supervisor has ended.
        """
        try:
            self._requests.write(request.as_line())
            self._requests.flush()
        except OSError as error:
            raise self._death(local.read(self.directory)) from error

    def detach(self) -> None:
        """Let the pipeline outlive this process."""
        self.ask(Request(Verb.DETACH))

    def end(self) -> None:
        """End the pipeline, and remember that there was one; nothing where it has ended."""
        # without its input the supervisor ends everything, even where we do not come to see it
        with suppress(OSError):
            self._requests.close()
        known = local.read(self.directory)
        if known:
            end(known)
        self.process.wait()

    def close(self) -> None:
        """End the pipeline, and forget it."""
        self.end()
        local.forget(self.directory)

    @property
    def _requests(self) -> IO[bytes]:
        if self.process.stdin is None:
            raise AssertionError
        return self.process.stdin

    def _death(self, known: Local | None) -> PreconditionFailed:
        why = cause_of_death(known) if known else "nbactl down has ended it"
        return PreconditionFailed("the local pipeline has ended", why=why, hint="nbactl up")


def up(settings: Settings, said: Said, pushed: Mapping[str, str] = MappingProxyType({})) -> Stack:
    """Start everything that is not there, and say where it is.

    The pipeline lives as long as this process, and beyond it after `Stack.detach`. What an earlier one left running is
    ended first.

    Args:
        settings: project, warehouse and project folder; an emulator that they name is used, and not ended by `down`.
        said: told of each part as it is ready.
        pushed: by service, the URL to push to in place of its own.

    Raises:
        PreconditionFailed: it runs already, or nothing answers where the settings name an emulator.
        NotFound: there is no emulator.
        NbactlError: a part ended as it started.
        TimedOut: a part did not start.
    """
    with ExitStack() as until_started:
        lock = until_started.enter_context(_locked(settings.folder))
        _clear(settings.folder, said)
        if settings.emulator and not emulator.answers(settings.emulator):
            raise _no_answer(settings)
        programs = _Programs(settings, secrets.token_hex(16))
        sockets = {one: until_started.enter_context(_reserve(8080 + one.phase)) for one in _services()}
        descriptors = {service: one.fileno() for service, one in sockets.items()}
        stack = programs.start_supervisor(lock, sockets)
    try:
        _wait_for(lambda: _has(stack, SUPERVISOR) or stack.process.poll() is not None, settings)
        address = settings.emulator or programs.start_emulator(stack)
        said("emulator", address)
        programs.start_services(stack, address, descriptors)
        _create_topology(settings, address, {**stack.record.services, **pushed}, said)
        stack.ask(Request(Verb.READY, emulator=address))
        _wait_for(lambda: stack.record.state is State.RUNNING, settings)
    except BaseException:
        stack.close()
        raise
    return stack


@contextmanager
def running(settings: Settings, pushed: Mapping[str, str]) -> Iterator[Local]:
    """A pipeline for as long as the block lasts; see `up`."""
    with closing(up(settings, lambda _what, _where: None, pushed)) as stack:
        yield stack.record


def kill_service(directory: Path, service: str) -> None:
    """Kill a service as a machine does that is switched off, and wait until it has been started again.

    Raises:
        PreconditionFailed: it does not run here.
        TimedOut: it is not started again.
    """
    known = local.read(directory)
    process = find_process(known, service) if known else None
    if known is None or process is None:
        raise PreconditionFailed(f"{service} does not run here")
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)

    def is_back() -> bool:
        now = local.read(directory)
        return now is not None and now.processes.get(service, process.pid) != process.pid and _is_well(now, service)

    if not _wait_until(is_back, _STARTS_WITHIN):
        raise TimedOut(f"{service} is not started again", hint=f"see {known.logs[service]}")


def down(directory: Path) -> list[str]:
    """End what `up` started, and forget it; the names of what was ended, services first.

    Raises:
        PreconditionFailed: the record cannot be read or removed.
        TimedOut: a process does not end.
    """
    known = local.read(directory)
    ended = end(known) if known else []
    local.forget(directory)
    return ended


def end(known: Local) -> list[str]:
    """End what is left of a pipeline, and remember that there was one; the names of what was ended, services first.

    The supervisor ends its processes; those that outlived it are ended here.

    Raises:
        TimedOut: a process does not end.
    """
    names = [name for name, _ in list_processes(known)]
    supervisor = find_process(known, SUPERVISOR)
    if supervisor:
        _end_processes([supervisor], _ENDS_WITHIN)
    # it may have started something since
    left = list_processes(local.read(known.directory) or known)
    _end_processes([process for _, process in left], SERVICES_END_WITHIN)
    return [name for name in dict.fromkeys(reversed(names)) if name != SUPERVISOR]


def _end_processes(processes: list[Process], seconds: float) -> None:
    """Send SIGTERM, and SIGKILL to who is still there after some seconds."""
    import psutil

    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, _KILLED_WITHIN)):
        for process in processes:
            # psutil looks at the start time again, so that it hits nobody who came by the number since
            with suppress(psutil.Error):
                process.send_signal(number)
        _, processes = psutil.wait_procs(processes, timeout=patience)
    if processes:
        numbers = " ".join(str(process.pid) for process in processes)
        raise TimedOut("the local pipeline does not end", hint=f"kill -9 {numbers}")


def _is_locked(lock: int) -> bool:
    """Take the lock of a descriptor, if nobody holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _runs(directory: Path) -> bool:
    """Whether the record of a folder is one of a pipeline that lives, or none that can be read."""
    try:
        known = local.read(directory)
    except PreconditionFailed:
        return True
    return known is None or is_alive(known)


@contextmanager
def _locked(directory: Path) -> Iterator[int]:
    """Hold the lock of a folder's pipeline, which its supervisor inherits; its descriptor.

    Raises:
        PreconditionFailed: another holds it, or there cannot be one.
    """
    path = directory / _LOCK
    try:
        (directory / local.LOGS).mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise PreconditionFailed(
            f"cannot write {path}", why=error.strerror, hint=f"see what is at {path.parent}, and who owns it"
        ) from error
    try:
        ends = time.monotonic() + _ENDING_SECONDS
        while not _is_locked(lock):
            # one that is ending holds it for some seconds more
            if time.monotonic() >= ends or _runs(directory):
                raise PreconditionFailed("the local pipeline runs already", hint="nbactl down ends it")
            time.sleep(_POLL_SECONDS)
        yield lock
    finally:
        os.close(lock)


def _clear(directory: Path, said: Said) -> None:
    """End what an earlier pipeline has left, whose supervisor lives no more."""
    try:
        known = local.read(directory)
    except PreconditionFailed as error:
        said("forgotten", f"{directory / local.FILE}: {error.why}; what it may have started is not ended")
        local.forget(directory)
        return
    for name in end(known) if known else ():
        said("ended", f"{name}, left over from before")


def _no_answer(settings: Settings) -> PreconditionFailed:
    origin = settings.origins["emulator"]
    variable = origin.removeprefix("environment ")
    return PreconditionFailed(
        f"no Pub/Sub emulator answers at {settings.emulator}",
        why=f"the address comes from {origin}",
        hint=f"unset {variable}\nnbactl up then starts one" if variable != origin else "nbactl config show",
    )


def _services() -> list[Service]:
    return [service for service in SERVICES if service.phase in PHASES]


def _reserve(preferred: int) -> socket.socket:
    """A socket that listens on this machine, on a preferred port if that is free; the service inherits it.

    Raises:
        PreconditionFailed: there is no free port.
    """
    for port in (preferred, 0):
        with suppress(OSError):
            return socket.create_server(("127.0.0.1", port), backlog=128)
    raise PreconditionFailed("this machine has no free port")


@dataclass(frozen=True, slots=True)
class _Programs:
    """What a pipeline of these settings consists of, and how to start it."""

    settings: Settings
    instance: str

    def start_supervisor(self, lock: int, sockets: Mapping[Service, socket.socket]) -> Stack:
        folder = self.settings.folder
        command = (sys.executable, "-P", "-m", "nbactl.ops.supervisor", self.instance)
        Local(
            directory=folder,
            instance=self.instance,
            state=State.STARTING,
            project=self.settings.emulator_project,
            warehouse=self.settings.warehouse,
            services={service.name: f"http://127.0.0.1:{one.getsockname()[1]}" for service, one in sockets.items()},
            commands={SUPERVISOR: command},
        ).write()
        with (folder / local.LOGS / "supervisor.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 -- no shell
                command,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[lock, *(one.fileno() for one in sockets.values())],
                # a session of its own: Ctrl-C and the end of the terminal are for us, and we end the others in order
                start_new_session=True,
            )
        return Stack(folder, process)

    def start_emulator(self, stack: Stack) -> str:
        """Start the emulator; the address on which it, and nobody else, listens."""
        log = self.settings.folder / local.LOGS / "emulator.log"
        command = emulator.command(self.instance)
        ports = (emulator.USUAL_PORT, 0) if _is_free(emulator.USUAL_PORT) else (0,)
        for port in ports:
            program = Program(EMULATOR, (*command, f"--port={port}"), {}, str(log))
            stack.ask(Request(Verb.START, program))
            address = self._wait_for_start(stack, program, _emulator_address, last=port == ports[-1])
            if address:
                return address
        raise AssertionError

    def start_services(self, stack: Stack, address: str, descriptors: Mapping[Service, int]) -> None:
        """Start the services, and wait until each answers."""
        programs = [self._service(service, address, descriptor) for service, descriptor in descriptors.items()]
        for program in programs:
            stack.ask(Request(Verb.START, program))
        for program in programs:
            self._wait_for_start(stack, program, partial(_well, program.name))

    def _service(self, service: Service, address: str, descriptor: int) -> Program:
        app = f"processors.service:create_app({service.phase})"
        name = f"nbactl-{self.instance}"
        options = ("-c", "python:processors.gunicorn_conf", "--name", name, "--bind", f"fd://{descriptor}")
        environment = {
            # the service may be started elsewhere, so a relative path must not stay one
            "NBACTL_WAREHOUSE": warehouse_of(self.settings.warehouse).absolute_url,
            "NBACTL_WAIT": "60",
            INSTANCE: self.instance,
            "GOOGLE_CLOUD_PROJECT": self.settings.emulator_project,
            "PUBSUB_EMULATOR_HOST": address,
            # what stands there is meant for somebody else's server
            "GUNICORN_CMD_ARGS": "",
        }
        command = (sys.executable, "-m", "gunicorn", *options, app)
        return Program(
            service.name, command, environment, str(local.log_of(self.settings.folder, service.name)), (descriptor,)
        )

    def _wait_for_start(
        self, stack: Stack, program: Program, look: Callable[[Local], T | None], *, last: bool = True
    ) -> T | None:
        """Wait until a look at the record gives something; None where the program has ended and may be tried again.

        Raises:
            NbactlError: it has ended; with the last line that it logged.
            TimedOut: nothing came in time.
        """
        found: list[T] = []

        def is_over() -> bool:
            known = stack.record
            if (answer := look(known)) is not None:
                found.append(answer)
            is_this = known.commands.get(program.name) == program.command
            return bool(found) or (is_this and program.name in known.exits)

        over = _wait_until(is_over, _STARTS_WITHIN)
        if found or (over and not last):
            return found[0] if found else None
        problem = "ended as it started" if over else "does not answer"
        log = Path(program.log)
        kind = NbactlError if over else TimedOut
        raise kind(f"{program.name} {problem}", why=_last_line(log), hint=f"see {log}")


def _has(stack: Stack, name: str) -> bool:
    known = local.read(stack.directory)
    return known is not None and find_process(known, name) is not None


def _emulator_address(known: Local) -> str | None:
    """Where the pipeline's own emulator listens and answers: asked of the process, for a port may be anybody's."""
    import psutil

    process = find_process(known, EMULATOR)
    with suppress(psutil.Error):
        sockets = process.net_connections("tcp") if process else []
        addresses = (f"127.0.0.1:{one.laddr.port}" for one in sockets if one.status == psutil.CONN_LISTEN)
        return next(filter(emulator.answers, addresses), None)
    return None


def _is_well(known: Local, service: str) -> bool:
    """Whether a service answers, and is the one of this pipeline."""
    answer = emulator.fetch(known.services[service].removeprefix("http://"), "/health")
    try:
        body = json.loads(answer or b"")
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("instance") == known.instance


def _well(service: str, known: Local) -> bool | None:
    return _is_well(known, service) or None


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look again and again; whether the condition came true in time."""
    ends = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < ends:
        time.sleep(_POLL_SECONDS)
    return met


def _wait_for(condition: Callable[[], bool], settings: Settings) -> None:
    """Wait for a step of the supervisor.

    Raises:
        TimedOut: it does not take it.
    """
    if not _wait_until(condition, _STARTS_WITHIN):
        raise TimedOut("the local pipeline does not start", hint=f"see {settings.folder / local.LOGS}")


def _last_line(log: Path) -> str | None:
    try:
        lines = log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    return next((line for line in reversed(lines) if line.strip()), None)


def _create_topology(settings: Settings, address: str, urls: Mapping[str, str], said: Said) -> None:
    cloud = connect(Target(settings.emulator_project, settings.region, address), urls)
    try:
        plan = infra.build(cloud)
        done = infra_apply.apply(plan, cloud, lambda _what: None)
    finally:
        cloud.pubsub.close()
    if error := infra_apply.verdict(plan, done):
        raise error
    said("topology", plan.summary)
