# ruff: noqa: S603, S310 -- the commands are the Dockerfile's, and the addresses our own
"""The image of the services, as far as it can be made and run without Docker.

The Dockerfile is carried out in a folder: COPY takes what `.dockerignore` lets through, RUN is run in a virtual
environment that begins empty, ENV and the entry point are those of the services started here. What the base image
brings, and whom a service runs as, is this machine's.
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import pickle
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
import tomllib
import urllib.request
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
from dockerfile_parse import DockerfileParser
from packaging.requirements import Requirement

from nbactl.ops.deploy import source
from processors import gunicorn_conf
from processors.admission import PLACES
from processors.graph import processors_in_order
from shared import events
from shared.clock import utc_now
from shared.events import Delivery, Event
from shared.tables.raw import PLAYER_BOX
from shared.topology import SERVICES, service_of_phase
from shared.version import COMMIT, VERSION
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.builders import FINAL_DATES
from tests.conftest import PROJECT, made_once, rows
from tests.emulator import free_port

BUILT_OF = "0123456789abcdef0123456789abcdef01234567"
"""The commit that is given as a build argument."""
SERVICE, TOOL = (PROJECT / folder / "requirements.txt" for folder in ("processors", "nbactl"))
FIRST = FINAL_DATES[0]
ANSWERS_WITHIN = 60


@dataclass
class Image:
    """What an image is: files below a root, an environment, and how it is started."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    workdir: Path = Path("/")
    user: str = "0"
    entrypoint: tuple[str, ...] = ()

    @property
    def bin(self) -> Path:
        return self.root.with_name("environment") / "bin"

    @property
    def folder(self) -> Path:
        return self.at(str(self.workdir))

    def at(self, path: str) -> Path:
        """Where a path of the image is here."""
        return self.root / str(self.workdir / path).lstrip("/")

    def environment(self, **more: str) -> dict[str, str]:
        """What a process in a container sees; paths are where they are here."""
        path = os.pathsep.join((str(self.bin), os.defpath))
        own = {name: str(self.at(value)) if value.startswith("/") else value for name, value in self.env.items()}
        return {"PATH": path, **own, **more}

    def python(self, code: str, **more: str) -> str:
        """What a script prints."""
        command = [str(self.bin / "python"), "-c", code]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(**more), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


# ---------------------------------------------------------------- building


def instructions() -> list[tuple[str, str]]:
    parsed = DockerfileParser(str(PROJECT / "Dockerfile")).structure
    return [(one["instruction"], one["value"]) for one in parsed if one["instruction"] != "COMMENT"]


def values(instruction: str) -> list[str]:
    return [value for name, value in instructions() if name == instruction]


def is_sent(name: str) -> bool:
    """Whether `.dockerignore` lets a file through: the last line that matches it, or a folder it is in, counts."""
    sent = True
    for line in (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            sent = line.startswith("!") if _matches(line.removeprefix("!"), name) else sent
    return sent


def _matches(pattern: str, name: str) -> bool:
    parts = PurePosixPath(name).parts
    anywhere = pattern.removeprefix("**/")
    assert "/" not in anywhere, "these tests know names at the top, and names anywhere"
    return any(fnmatch(part, anywhere) for part in (parts if pattern.startswith("**/") else parts[:1]))


class Build:
    """Carries out the instructions of a Dockerfile, one method for each that we use."""

    def __init__(self, image: Image, arguments: Mapping[str, str]) -> None:
        self.image = image
        self.arguments = arguments

    def __call__(self) -> Image:
        for name, value in instructions():
            getattr(self, name.lower())(value)
        return self.image

    def from_(self, _value: str) -> None:
        """Begin with an empty environment; its pip is ours, because to install another takes longer than all else."""
        folder = self.image.bin.parent
        venv.create(folder, symlinks=True)
        pip = self.image.bin / "pip"
        pip.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-m", "pip", "--python", str(folder)])} "$@"\n')
        pip.chmod(0o755)

    def workdir(self, value: str) -> None:
        self.image.workdir = self.image.workdir / value
        self.image.folder.mkdir(parents=True)

    def env(self, value: str) -> None:
        name, _, text = value.partition("=")
        self.image.env[name] = re.sub(r"\$(\w+)", lambda found: self.arguments[found[1]], text)

    def arg(self, value: str) -> None:
        assert value in self.arguments

    def user(self, value: str) -> None:
        self.image.user = value

    def expose(self, value: str) -> None:
        assert gunicorn_conf.bind.endswith(f":{value}")

    def entrypoint(self, value: str) -> None:
        self.image.entrypoint = tuple(json.loads(value))

    def copy(self, value: str) -> None:
        *names, target = value.split()
        for name in names:
            for path in files(PROJECT / name):
                relative = path.relative_to(PROJECT)
                if is_sent(str(relative)):
                    below = path.relative_to(PROJECT / name) if (PROJECT / name).is_dir() else path.name
                    to = self.image.at(target) / below
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, to)

    def run(self, value: str) -> None:
        # who tests often does not download everything every time
        command = value.replace(" --no-cache-dir", "")
        outside = {name: text for name, text in os.environ.items() if not name.startswith(("NBACTL_", "PYTHON"))}
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.image.folder,
            env=outside | self.image.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if "NewConnectionError" in done.stderr and os.environ.get("CI") != "true":
            pytest.skip("there is no package index to install from")
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


setattr(Build, "from", Build.from_)


def files(path: Path) -> Iterator[Path]:
    return (one for one in (path.rglob("*") if path.is_dir() else (path,)) if one.is_file())


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image, made once."""

    def make(path: Path) -> None:
        path.write_bytes(pickle.dumps(Build(Image(path.with_name("root")), {COMMIT: BUILT_OF})()))

    made: Image = pickle.loads(made_once(tmp_path_factory, "image", make).read_bytes())  # noqa: S301 -- our own
    return made


# ---------------------------------------------------------------- what is written


def test_the_base_is_a_slim_python_that_the_project_supports() -> None:
    (base,) = values("FROM")
    found = re.fullmatch(r"python:(3\.\d+)-slim", base)
    wanted = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert found
    assert found[1] in Requirement(f"python{wanted}").specifier


def test_the_service_runs_as_nobody_in_particular_and_is_what_a_signal_reaches() -> None:
    ((user, _, group),) = (value.partition(":") for value in values("USER"))
    # a number, so that a platform which wants no root need not trust a name
    assert min(int(user), int(group)) >= 1000
    (entry,) = values("ENTRYPOINT")
    assert json.loads(entry)[0] == "gunicorn"
    assert instructions()[-1][0] == "ENTRYPOINT"


def test_nothing_is_compiled_and_nothing_is_secret() -> None:
    installs = [value for value in values("RUN") if "install" in value]
    assert installs
    assert all(value.startswith("pip install ") and "--only-binary=:all:" in value for value in installs)
    named = " ".join((*values("ENV"), *values("ARG")))
    assert not re.search(r"secret|token|password|passwd|credential|key", named, re.IGNORECASE)


def test_what_is_sent_to_be_built_is_what_the_image_is_made_of() -> None:
    top = {path.name for path in PROJECT.iterdir() if is_sent(path.name)}
    assert top == {"processors", "shared"}
    assert not is_sent("processors/__pycache__/graph.cpython-313.pyc")
    sent = source.read(PROJECT).files
    assert {name.split("/")[0] for name in sent} == {"Dockerfile", ".dockerignore", *top}
    assert {name for name in sent if "/" in name} == {
        str(path.relative_to(PROJECT))
        for name in top
        for path in files(PROJECT / name)
        if is_sent(str(path.relative_to(PROJECT)))
    }


def test_gunicorn_and_cloud_run_agree() -> None:
    for one in SERVICES:
        assert one.concurrency <= PLACES < gunicorn_conf.threads < gunicorn_conf.worker_connections
        assert gunicorn_conf.workers == 1
        assert gunicorn_conf.timeout > one.timeout.total_seconds()
    assert gunicorn_conf.graceful_timeout < 10


# ---------------------------------------------------------------- what is needed


def requirements(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {Requirement(line).name for line in lines if not line.startswith("#")}


def test_each_dependency_is_stated_once() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    stated = project["tool"]["setuptools"]["dynamic"]["dependencies"]["file"]
    assert [PROJECT / name for name in stated] == [SERVICE, TOOL]
    assert requirements(SERVICE).isdisjoint(requirements(TOOL))


def test_the_services_need_what_they_import_and_three_more() -> None:
    brings = {"google": "google-cloud-pubsub", "grpc": "google-cloud-pubsub"}
    imported = {name for folder in ("processors", "shared") for name in imports(PROJECT / folder)}
    outside = imported - sys.stdlib_module_names - {"processors", "shared"}
    # what starts them, what DuckDB makes time stamps with, and what `zoneinfo` reads
    assert requirements(SERVICE) == {brings.get(name, name) for name in outside} | {"gunicorn", "pytz", "tzdata"}


def imports(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield (node.module or "").partition(".")[0]


# ---------------------------------------------------------------- what is there


def test_the_image_holds_the_code_of_the_services_and_their_translations(image: Image) -> None:
    assert [path.name for path in image.root.iterdir()] == ["app"]
    there = {str(path.relative_to(image.folder)) for path in files(image.folder) if path.suffix != ".pyc"}
    code = {
        str(path.relative_to(PROJECT))
        for folder in ("processors", "shared")
        for path in files(PROJECT / folder)
        if path.suffix != ".pyc"
    }
    translations = there - code
    assert there >= code
    assert {name.split("/")[0] for name in translations} == {"translations"}
    # five statements for each processor, and what is asked of ledger and schedule
    assert len(translations) > 5 * len(processors_in_order())


def test_who_does_not_own_the_files_can_read_them_and_they_are_compiled(image: Image) -> None:
    for path in image.root.rglob("*"):
        wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
        assert path.stat().st_mode & wanted == wanted, path
    modules = [path for path in files(image.folder) if path.suffix == ".py"]
    compiled = [path for path in files(image.folder) if path.suffix == ".pyc"]
    assert len(compiled) == len(modules)


def test_only_what_the_services_need_is_installed(image: Image) -> None:
    (site,) = image.bin.parent.glob("lib/python*/site-packages")
    installed = {normal(one.name): one.requires or [] for one in importlib.metadata.distributions(path=[str(site)])}
    wanted, found = {*requirements(SERVICE)}, set[str]()
    while wanted:
        name = wanted.pop()
        found.add(name)
        needs = map(Requirement, installed[name])
        wanted |= {normal(one.name) for one in needs if not one.marker or one.marker.evaluate({"extra": ""})} - found
    assert set(installed) == found
    # Flask has a command line of its own
    assert found & requirements(TOOL) == {"click"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_module_can_be_imported_there(image: Image) -> None:
    code = """
import importlib, json, pkgutil, sys
import processors, shared
found = (pkgutil.walk_packages(one.__path__, f"{one.__name__}.") for one in (processors, shared))
names = [each.name for modules in found for each in modules]
for name in names:
    importlib.import_module(name)
print(json.dumps([names, [name for name in ("nbactl", "tests", "rich") if name in sys.modules]]))
"""
    names, others = json.loads(image.python(code))
    assert {"processors.service", "processors.sample.game", "shared.warehouse.portable"} <= set(names)
    assert others == []


def test_eastern_time_needs_no_time_zones_of_the_system(image: Image) -> None:
    code = """
from datetime import datetime
from shared.clock import EASTERN
print(*(datetime(2025, month, 1, tzinfo=EASTERN).utcoffset() for month in (1, 7)), sep="|")
"""
    assert image.python(code, PYTHONTZPATH="") == "-1 day, 19:00:00|-1 day, 20:00:00\n"


def test_a_service_is_imported_quickly(image: Image) -> None:
    """0.6 s is what we want, and `bench/events.py` measures; here machines are busy."""
    quickest = {code: min(seconds(image, code) for _ in range(3)) for code in ("", "import processors.service")}
    assert quickest["import processors.service"] - quickest[""] < 1.5


def seconds(image: Image, code: str) -> float:
    began = time.perf_counter()
    image.python(code)
    return time.perf_counter() - began


# ---------------------------------------------------------------- what it does


@dataclass(frozen=True)
class Served:
    """A service that runs."""

    process: subprocess.Popen[str]
    url: str

    def get(self, route: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        """Status and body; a body that is not ours counts as empty."""
        try:
            answer = urllib.request.urlopen(f"{self.url}{route}", body, timeout=ANSWERS_WITHIN)
        except HTTPError as error:
            answer = error
        with answer:
            ours = answer.headers.get_content_type() == "application/json"
            return answer.status, json.load(answer) if ours else {}

    def push(self, event: Event) -> tuple[int, dict[str, Any]]:
        return self.get("/process", events.push_body(events.encode(event), Delivery(message_id="1")))

    def stop(self) -> tuple[int, float]:
        """Its exit code, and how long it took to end."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        return code, time.monotonic() - began


@contextmanager
def running(image: Image, phase: int, warehouse: DuckDBWarehouse, **more: str) -> Iterator[Served]:
    """The entry point, as it is written; nobody takes what is published."""
    port, publish = free_port(), free_port()
    environment = image.environment(
        PORT=str(port),
        NBACTL_BIND="127.0.0.1",
        NBACTL_PHASE=str(phase),
        NBACTL_WAREHOUSE=warehouse.absolute_url,
        PUBSUB_EMULATOR_HOST=f"127.0.0.1:{publish}",
        **more,
    )
    process = started(image, environment)
    served = Served(process, f"http://127.0.0.1:{port}")
    try:
        _wait_for(served)
        yield served
    finally:
        if process.poll() is None:
            served.stop()
        process.communicate()


def started(image: Image, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    program = shutil.which(image.entrypoint[0], path=environment["PATH"])
    return subprocess.Popen(
        [str(program), *image.entrypoint[1:]],
        cwd=image.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _wait_for(served: Served) -> None:
    ends = time.monotonic() + ANSWERS_WITHIN
    while time.monotonic() < ends:
        with suppress(URLError):
            served.get("/health")
            return
        if served.process.poll() is not None:
            break
        time.sleep(0.02)
    served.process.kill()
    pytest.fail(f"the service did not start: {served.process.communicate()[0]}")


@pytest.fixture
def without_sqlglot(image: Image, tmp_path: Path) -> str:
    """A folder with a sqlglot that can be found, as the keys of translations want it, and not be imported."""
    (real,) = image.bin.parent.glob("lib/python*/site-packages/sqlglot")
    broken = tmp_path / "broken" / "sqlglot"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('something is not translated')\n")
    shutil.copy(real / "_version.py", broken)
    return str(broken.parent)


def test_a_service_says_who_it_is_and_that_it_can_work(image: Image, tiny: DuckDBWarehouse) -> None:
    with running(image, 4, tiny) as served:
        identity = {
            "service": service_of_phase(4).name,
            "phase": 4,
            "code_version": f"{VERSION}+{BUILT_OF[:12]}",
            "processors": [one.name for one in processors_in_order() if one.phase == 4],
        }
        status, health = served.get("/health")
        assert (status, health) == (200, {"status": "healthy", "timestamp": health["timestamp"], **identity})
        assert served.get("/ready") == (200, {"status": "ready", **identity})
        code, took = served.stop()
        assert code == 0
        assert took < gunicorn_conf.graceful_timeout


def test_an_event_of_each_phase_is_worked_on_without_sqlglot(
    image: Image, tiny: DuckDBWarehouse, without_sqlglot: str
) -> None:
    """Nobody takes the announcements, so the messages are to come again; what was computed stays."""
    results, slate = FINAL_DATES[:2]
    loaded = events.raw_data_loaded(
        PLAYER_BOX.name, results, execution_id="1", correlation_id="c-1", record_count=1, timestamp=utc_now()
    )
    for phase, event in ((3, loaded), (4, events.Fallback(phase=4, game_date=slate))):
        with running(image, phase, tiny, PYTHONPATH=without_sqlglot) as served:
            assert served.get("/ready")[0] == 200
            status, answer = served.push(event)
            assert (status, answer["status"]) == (503, "retry")
            assert "announcements could not be sent" in answer["reason"]
            assert {one["status"] for one in answer["results"]} == {"SUCCESS"}
    for one in processors_in_order():
        day = one.output.date_column
        written = rows(tiny, f"SELECT DISTINCT {day} FROM {one.output.id}")
        assert written == [(slate if one.dated == "slate" else results,)], one.name


def test_what_is_not_translated_is_noticed_by_the_test_above(
    image: Image, tiny: DuckDBWarehouse, without_sqlglot: str, tmp_path: Path
) -> None:
    with running(image, 3, tiny, PYTHONPATH=without_sqlglot, NBACTL_CACHE=str(tmp_path / "empty")) as served:
        assert served.get("/ready")[0] == 503
        assert served.push(events.Fallback(phase=3, game_date=FIRST))[0] == 500


def test_without_a_phase_no_service_starts(image: Image) -> None:
    process = started(image, image.environment(PORT=str(free_port()), NBACTL_BIND="127.0.0.1"))
    said, _ = process.communicate(timeout=ANSWERS_WITHIN)
    assert process.returncode != 0
    assert "NBACTL_PHASE is ''; it must be one of 3, 4" in said
