"""The official Pub/Sub emulator: where it is, and how to start it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from shared.errors import NotFound, TimedOut

JAR = "NBACTL_EMULATOR_JAR"
"""Environment variable that names the emulator's jar where gcloud does not know it."""

_STARTS_WITHIN = 60.0
_USUAL_PORT = 8085
_HINT = f"gcloud components install pubsub-emulator, or set PUBSUB_EMULATOR_HOST to one that runs, or {JAR} to its jar"


def command() -> list[str]:
    """The command that starts the emulator, but for its port.

    Raises:
        NotFound: there is no emulator, or no Java.
    """
    java = shutil.which("java")
    if java is None:
        raise NotFound("the Pub/Sub emulator needs Java", why="there is no java on the PATH", hint="install Java 17")
    named = os.environ.get(JAR)
    jar = Path(named) if named else _jar_of_sdk()
    if jar is None or not jar.is_file():
        raise NotFound("there is no Pub/Sub emulator", why=f"no file {jar}" if jar else None, hint=_HINT)
    return [java, "-jar", str(jar), "--host=127.0.0.1"]


def _jar_of_sdk() -> Path | None:
    """The jar below the SDK that gcloud belongs to; asking gcloud itself costs a second, so only if need be."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return None
    root = Path(gcloud).resolve().parents[1]
    if not (root / "platform").is_dir():
        asked = [gcloud, "info", "--format=value(installation.sdk_root)"]
        answer = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603 -- no shell
        root = Path(answer.stdout.strip() or "/nowhere")
    return next(root.glob("platform/pubsub-emulator/lib/*.jar"), None)


def free_port(preferred: int = 0) -> int:
    """A port that nobody listens on: the preferred one if it is free."""
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", preferred))
        except OSError:
            return free_port()
        port: int = one.getsockname()[1]
        return port


def usual_port() -> int:
    """The port that the emulator has by default, if it is free."""
    return free_port(_USUAL_PORT)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path, *, within: float = _STARTS_WITHIN) -> None:
    """Wait until a process answers.

    Raises:
        TimedOut: it ended, or did not answer in time; with the last line that it logged.
    """
    ends = time.monotonic() + within
    while time.monotonic() < ends and process.poll() is None:
        with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url, timeout=1):  # noqa: S310 -- our own
            return
        time.sleep(0.05)
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
    raise TimedOut(f"{url} does not answer", why=lines[-1] if lines else None, hint=f"see {log}")
