# ruff: noqa: S603 -- the processes are ours, and so are their arguments
"""The official Pub/Sub emulator: found where the Google Cloud SDK has it, started once, stopped at the end."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

STARTS_WITHIN = 60
_OVERRIDE = "NBACTL_TEST_EMULATOR_JAR"


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of an emulator of our own; without one, tests fail in CI and are skipped elsewhere."""
    command = find()
    if isinstance(command, str):
        if os.environ.get("CI") == "true":
            pytest.fail(command)
        pytest.skip(command)
    with running(command, tmp_path_factory.mktemp("emulator") / "log") as address:
        yield address


@pytest.fixture
def project() -> str:
    """A project that no other test uses; the emulator has every project that is asked for."""
    return f"test-{uuid.uuid4().hex[:12]}"


def find() -> list[str] | str:
    """The command that starts the emulator, but for its port; or why there is none."""
    java = shutil.which("java")
    if java is None:
        return "the Pub/Sub emulator needs Java, and there is no java on the PATH"
    jar = Path(named) if (named := os.environ.get(_OVERRIDE)) else _jar_of_sdk()
    if jar is None or not jar.is_file():
        return f"no Pub/Sub emulator: gcloud components install pubsub-emulator, or name its jar in {_OVERRIDE}"
    return [java, "-jar", str(jar), "--host=127.0.0.1"]


def _jar_of_sdk() -> Path | None:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return None
    asked = [gcloud, "info", "--format=value(installation.sdk_root)"]
    root = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=60).stdout.strip()
    return next(Path(root).glob("platform/pubsub-emulator/lib/*.jar"), None) if root else None


@contextmanager
def running(command: list[str], log: Path) -> Iterator[str]:
    """Run the emulator on a free port for as long as the block lasts."""
    address = f"127.0.0.1:{free_port()}"
    with log.open("wb") as file:
        process = subprocess.Popen([*command, f"--port={address.partition(':')[2]}"], stdout=file, stderr=file)
    try:
        _wait_for(address, process, log)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < ends:
        with suppress(OSError), urllib.request.urlopen(f"http://{address}", timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    pytest.fail(f"the Pub/Sub emulator did not start: {log.read_text(errors='replace')[-500:]}")
