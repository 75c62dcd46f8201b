"""The official Pub/Sub emulator: where it is, how to start it, and whether one answers."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

from shared.errors import NotFound

JAR = "NBACTL_EMULATOR_JAR"
"""Environment variable that names the emulator's jar where gcloud does not know it."""

USUAL_PORT = 8085
_ANSWER_SECONDS = 2.0
_HINT = f"gcloud components install pubsub-emulator, or set PUBSUB_EMULATOR_HOST to one that runs, or {JAR} to its jar"


def command(instance: str) -> tuple[str, ...]:
    """The command that starts the emulator, but for its port.

    Args:
        instance: what shall stand in its command line, for it to be known by.

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
    return (java, f"-Dnbactl.instance={instance}", "-jar", str(jar), "--host=127.0.0.1")


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


def answers(address: str) -> bool:
    """Whether something that speaks HTTP answers at HOST:PORT; it is asked directly, whatever proxy is set."""
    return fetch(address, "/") is not None


def fetch(address: str, path: str) -> bytes | None:
    """What HOST:PORT answers to a GET, at most a megabyte; None where nobody does in two seconds."""
    host, _, port = address.rpartition(":")
    try:
        with closing(http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_ANSWER_SECONDS)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read(1024**2)
    except (OSError, ValueError, http.client.HTTPException):
        return None
