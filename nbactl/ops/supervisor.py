"""The process that keeps a local pipeline: starts its processes, restarts services that die, keeps logs, ends them all.

`nbactl up` starts it in the project folder, hands it the lock and the sockets of the services, and speaks to it in JSON
lines on its standard input; see `Request`. What it did stands in the record (`shared.local`), which it alone writes. It
ends everything when it is told to by a signal, when the emulator dies, and when its standard input ends before
`detach`, so that nothing outlives an `nbactl up` that was killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from logging import LogRecord, makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from shared import local
from shared.errors import NbactlError
from shared.local import EMULATOR, Local, State

LOG_BYTES = 16 * 1024**2
OLD_LOGS = 3
"""Each process has one log of at most that size, and as many older ones: `NAME.jsonl.1` is the newest of these."""

_LONGEST_LINE = 1024**2
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
_SETTLED_SECONDS = 2.0
"""Who lived that long is restarted as after its first death."""

SERVICES_END_WITHIN = 10.0
"""Seconds between SIGTERM and SIGKILL, as Cloud Run has them."""

_LAST_WORDS_SECONDS = 2.0
_LOOK_SECONDS = 2.0
"""How often to look whether the record is still there."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Verb(StrEnum):
    """What the supervisor can be asked for."""

    START = "start"
    READY = "ready"
    DETACH = "detach"


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be run.

    Attributes:
        environment: what it has beyond the supervisor's own.
        log: what it prints goes there.
        sockets: descriptors that it inherits.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: str
    sockets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One line on the supervisor's standard input.

    Attributes:
        verb: `start` runs a program, `ready` says that all of them answer and what dies is to be restarted,
            `detach` that the end of standard input means nothing any more.
        program: to start.
        emulator: HOST:PORT, for `ready`.
    """

    verb: Verb
    program: Program | None = None
    emulator: str = ""

    def as_line(self) -> bytes:
        """The line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Request:
        """Read a line that `as_line` made."""
        written = json.loads(line)
        program = written["program"]
        if program:
            program = Program(**{**program, "command": tuple(program["command"]), "sockets": tuple(program["sockets"])})
        return cls(Verb(written["verb"]), program, written["emulator"])


@dataclass(frozen=True, slots=True)
class _Death:
    child: _Child
    code: int


@dataclass(slots=True, eq=False)
class _Child:
    """A program, as often as it is run.

    Attributes:
        process: while it is there; nobody but its waiter reaps it, so under `lock` its number is nobody else's.
        deaths: in quick succession.
    """

    program: Program
    log: RotatingFileHandler
    lock: threading.Lock = field(default_factory=threading.Lock)
    process: subprocess.Popen[bytes] | None = None
    waiter: threading.Thread | None = None
    began: float = 0
    deaths: int = 0
    restart_at: float | None = None

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the process, SIGKILL to its whole group."""
        with self.lock, suppress(ProcessLookupError, PermissionError):
            if self.process:
                (os.killpg if number is signal.SIGKILL else os.kill)(self.process.pid, number)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the process has ended; whether it has."""
        if self.waiter:
            self.waiter.join(seconds)
        return self.process is None


@dataclass(frozen=True, slots=True)
class _Hangup:
    """Standard input has ended."""


_Event = Request | _Death | _Hangup | signal.Signals


@dataclass(slots=True)
class Supervisor:
    """Keeps the processes of one pipeline, from its first to its last; see `run`."""

    record: Local
    _events: SimpleQueue[_Event] = field(default_factory=SimpleQueue)
    _children: dict[str, _Child] = field(default_factory=dict)
    _detached: bool = False

    def run(self, requests: IO[bytes]) -> None:
        """Work until everything has ended; the record then says why."""
        for number in _SIGNALS:
            signal.signal(number, lambda received, _frame: self._events.put(signal.Signals(received)))
        threading.Thread(target=self._read, args=(requests,), daemon=True).start()
        self._write(processes={local.SUPERVISOR: os.getpid()})
        why = "it failed"
        try:
            why = self._serve()
        finally:
            self._end()
            with suppress(NbactlError):
                self._write(state=State.ENDED, why=why, processes={}, started={})

    def _serve(self) -> str:
        """Do what is asked until there is a reason to end, and return it."""
        while True:
            event = self._next_event()
            match event:
                case Request():
                    self._do(event)
                case _Death(child, code):
                    if reason := self._note_death(child, code):
                        return reason
                case signal.Signals():
                    return f"it was ended by {event.name}"
                case _Hangup() if not self._detached:
                    return "the nbactl up that ran it has gone"
            if not (self.record.directory / local.FILE).exists():
                return f"{local.FILE} was removed"
            self._restart_due()

    def _next_event(self) -> _Event | None:
        """The next event; None where there is none for a while, or a restart is due."""
        due = [child.restart_at for child in self._children.values() if child.restart_at is not None]
        wait = min([_LOOK_SECONDS, *(moment - time.monotonic() for moment in due)])
        try:
            return self._events.get(timeout=max(0.0, wait))
        except Empty:
            return None

    def _do(self, request: Request) -> None:
        match request.verb:
            case Verb.START if request.program:
                log = Path(request.program.log)
                child = _Child(request.program, open_log(log))
                self._children[request.program.name] = child
                self._start(child)
            case Verb.READY:
                self._write(state=State.RUNNING, emulator=request.emulator)
            case Verb.DETACH:
                self._detached = True

    def _start(self, child: _Child) -> None:
        name, program = child.program.name, child.program
        # before, so that whoever comes after a kill in this very moment can know it by its command line
        self._write(
            commands={**self.record.commands, name: program.command},
            processes=_without(self.record.processes, name),
            exits=_without(self.record.exits, name),
        )
        child.restart_at, child.began = None, time.monotonic()
        try:
            child.process = subprocess.Popen(  # noqa: S603 -- no shell
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **program.environment},
                pass_fds=program.sockets,
                # a group of its own, so that its workers can be ended with it
                start_new_session=True,
            )
        except OSError as error:
            _log(child.log, f"{name} cannot be started: {error.strerror}", "ERROR")
            self._events.put(_Death(child, error.errno or 1))
            return
        self._write(processes={**self.record.processes, name: child.process.pid})
        child.waiter = threading.Thread(target=self._wait_for, args=(child, child.process), daemon=True)
        child.waiter.start()

    def _wait_for(self, child: _Child, process: subprocess.Popen[bytes]) -> None:
        """Copy what a child prints, wait for its end, and end with it what it leaves in its group."""
        copiers = [
            threading.Thread(target=_copy, args=(stream, child.log), daemon=True)
            for stream in (process.stdout, process.stderr)
        ]
        for copier in copiers:
            copier.start()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        child.kill(signal.SIGKILL)
        for copier in copiers:
            # so that its last words are there when its end is known; whoever else may hold its pipe is not waited for
            copier.join(_LAST_WORDS_SECONDS)
        with child.lock:
            code, child.process = process.wait(), None
        self._events.put(_Death(child, code))

    def _note_death(self, child: _Child, code: int) -> str | None:
        """Decide what follows from a child's end: why everything must end, or None."""
        name = child.program.name
        if name == EMULATOR and self.record.state is State.RUNNING:
            return f"its Pub/Sub emulator ended: {_cause(code)}"
        self._write(processes=_without(self.record.processes, name), exits={**self.record.exits, name: code})
        if self.record.state is State.RUNNING:
            if time.monotonic() - child.began > _SETTLED_SECONDS:
                child.deaths = 0
            delay = min(_FIRST_DELAY * 2**child.deaths, _LONGEST_DELAY)
            child.deaths += 1
            child.restart_at = time.monotonic() + delay
            _log(child.log, f"{name} has ended: {_cause(code)}; it is started again in {delay:g} s", "ERROR")
        return None

    def _restart_due(self) -> None:
        for child in self._children.values():
            if child.restart_at is not None and child.restart_at <= time.monotonic():
                self._start(child)

    def _end(self) -> None:
        """End the services, and then the emulator, each with SIGTERM, and with SIGKILL after a while."""
        services = [child for child in self._children.values() if child.program.name != EMULATOR]
        emulator = [child for child in self._children.values() if child.program.name == EMULATOR]
        for children in (services, emulator):
            _end(children)

    def _read(self, requests: IO[bytes]) -> None:
        for line in requests:
            self._events.put(Request.from_line(line))
        self._events.put(_Hangup())

    def _write(self, **changes: Any) -> None:  # noqa: ANN401 -- the fields of the record
        """Change the record, and its file where there still is one: whoever removed it wants it forgotten."""
        processes = changes.get("processes", self.record.processes)
        started = {
            name: self.record.started[name]
            if self.record.processes.get(name) == pid and name in self.record.started
            else _start_time(pid)
            for name, pid in processes.items()
        }
        self.record = replace(self.record, **{"started": started, **changes})
        if (self.record.directory / local.FILE).exists():
            self.record.write()


def open_log(path: Path) -> RotatingFileHandler:
    """A log that begins a new file at `LOG_BYTES` and keeps `OLD_LOGS` old ones."""
    return _Log(path, maxBytes=LOG_BYTES, backupCount=OLD_LOGS, encoding="utf-8", errors="surrogateescape")


class _Log(RotatingFileHandler):
    """A log that never keeps anybody from working."""

    def handleError(self, record: LogRecord) -> None:  # noqa: N802 -- the library's name
        """Lose the line: a full disk must cost lines, and nothing else."""


def _copy(stream: IO[bytes], log: RotatingFileHandler) -> None:
    """Copy what a process prints into its log, line by line, until nobody can print any more."""
    with stream:
        for line in _lines(stream):
            log.handle(makeLogRecord({"msg": line.decode("utf-8", "surrogateescape").removesuffix("\n")}))


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(_LONGEST_LINE):
        yield line


def _log(log: RotatingFileHandler, message: str, severity: str) -> None:
    """Write a line of our own among those of a service."""
    line = {"severity": severity, "message": message, "time": datetime.now(UTC).isoformat(), "logger": __name__}
    log.handle(makeLogRecord({"msg": json.dumps(line)}))


def _end(children: list[_Child]) -> None:
    for child in children:
        child.kill(signal.SIGTERM)
    ends = time.monotonic() + SERVICES_END_WITHIN
    for child in children:
        if not child.wait(max(0.0, ends - time.monotonic())):
            child.kill(signal.SIGKILL)
            child.wait()


def _cause(code: int) -> str:
    """How a process ended, in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _start_time(pid: int) -> float:
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:  # it has ended already
        return 0.0


def _without(mapping: Mapping[str, int], name: str) -> dict[str, int]:
    return {key: value for key, value in mapping.items() if key != name}


def main() -> None:
    """Keep the pipeline whose record is in the current directory."""
    record = local.read(Path.cwd())
    if record is None or record.instance != sys.argv[1]:
        sys.exit("there is no record of this pipeline")
    Supervisor(record).run(sys.stdin.buffer)


if __name__ == "__main__":
    main()
