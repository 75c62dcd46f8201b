"""A service goes live, or everything stays as it was: on Google's own clients, against fakes of their servers."""

from __future__ import annotations

import io
import os
import random
import stat
import subprocess
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from gcp_storage_emulator.server import create_server
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.devtools.cloudbuild_v1 import Build
from google.cloud.storage import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from nbactl.gcp import building
from nbactl.gcp.run import Wanted
from nbactl.ops.deploy import google as connecting
from nbactl.ops.deploy import source
from nbactl.ops.deploy.google import Google
from nbactl.ops.deploy.rollout import Patience, Rollout
from shared.errors import NbactlError, PartlyFailed, TimedOut
from shared.topology import SERVICES, account
from tests.cli.conftest import Said, Type
from tests.emulator import free_port
from tests.fakes.cloud_run import DIGEST, Container, FakeCloudRun, serving

ANALYTICS = SERVICES[0]
NAME = ANALYTICS.name
OLD, NEW = "0ld" * 4, "new" * 4
IMAGE = f"us-west2-docker.pkg.dev/p/r/{NAME}@sha256:{NEW}"
PIPELINE = f"serviceAccount:{account('p')}"
QUICK = Patience(ready=0.6, probe=1.0, traffic=0.6, poll=0.02)
STAGES = ("revision", "ready", "probe", "traffic", "serving")
LINES = ["Traceback", "ModuleNotFoundError: No module named 'duckdb'"]


@pytest.fixture
def cloud() -> Iterator[tuple[FakeCloudRun, Google]]:
    """A project in which the service is live, its traffic pinned to its one revision, and Pub/Sub may call it."""
    with serving() as (fake, google):
        fake.deployed(NAME, OLD, env={"BY_HAND": "kept"})
        fake.bind(NAME, PIPELINE)
        fake.log = LINES
        yield fake, google


def rollout(google: Google, watch: Callable[[str, str], None] = lambda _stage, _what: None) -> Rollout:
    env = {"NBACTL_COMMIT": NEW, "GOOGLE_CLOUD_PROJECT": "p"}
    return Rollout(google, Wanted(ANALYTICS, IMAGE, env, f"{NAME}-2"), watch, QUICK)


def as_before(fake: FakeCloudRun) -> bool:
    return fake.serving(NAME) == {f"{NAME}-00001-abc": 100}


def as_wanted(fake: FakeCloudRun) -> bool:
    return fake.serving(NAME) == {f"{NAME}-2": 100}


# ---------------------------------------------------------------- it goes well


def test_a_revision_gets_the_traffic_once_it_is_known_to_be_right(cloud: tuple[FakeCloudRun, Google]) -> None:
    fake, google = cloud
    stages: list[tuple[str, bool]] = []
    rollout(google, lambda stage, _: stages.append((stage, as_before(fake)))).run()
    assert stages == [
        ("revision", True),
        ("ready", True),
        ("probe", True),
        ("traffic", False),
        ("serving", False),
        ("invoker", False),
    ]
    assert as_wanted(fake)
    template = fake.services[next(iter(fake.services))].template
    assert (template.containers[0].resources.limits["memory"], template.timeout.total_seconds()) == ("2Gi", 540)
    assert template.scaling.max_instance_count == 10
    assert template.service_account == account("p")
    assert fake.env(f"{NAME}-2") == {"NBACTL_COMMIT": NEW, "BY_HAND": "kept", "GOOGLE_CLOUD_PROJECT": "p"}


def test_traffic_that_follows_the_latest_revision_does_not_follow_one_that_is_not_known(
    cloud: tuple[FakeCloudRun, Google],
) -> None:
    fake, google = cloud
    fake.services.clear()
    old = fake.deployed(NAME, OLD, pinned=False)
    fake.next = Container(fails="it does not start", ready_after=0)
    with pytest.raises(NbactlError):
        rollout(google).run()
    assert fake.serving(NAME) == {old: 100}


def test_a_first_deployment_has_nothing_to_go_back_to(cloud: tuple[FakeCloudRun, Google]) -> None:
    fake, google = cloud
    fake.services.clear()
    fake.revisions.clear()
    rollout(google).run()
    assert as_wanted(fake)
    fake.services.clear()
    fake.next = Container(answers=lambda _: (503, {"reason": "no warehouse"}))
    with pytest.raises(TimedOut, match="no revision was there before"):
        rollout(google).run()


# ---------------------------------------------------------------- planted faults


def wrong(_asked: int) -> tuple[int, dict[str, object]]:
    return 200, {"status": "ready", "service": NAME, "code_version": f"0.1.0+{OLD}"}


def another(_asked: int) -> tuple[int, dict[str, object]]:
    return 200, {"status": "ready", "service": SERVICES[1].name, "code_version": f"0.1.0+{NEW}"}


def flapping(asked: int) -> tuple[int, dict[str, object]] | None:
    return None if asked % 3 else (503, {"reason": "the warehouse is locked"})


FAULTS = {
    "it does not start": (Container(fails="The container failed to start", ready_after=0), NbactlError, LINES[1]),
    "it is never ready": (Container(ready_after=None), TimedOut, LINES[1]),
    "it is never well": (Container(answers=lambda _: (503, {"reason": "no room"})), TimedOut, "503, no room"),
    "it flaps": (Container(answers=flapping), TimedOut, "503, the warehouse is locked"),
    "it is old code": (Container(answers=wrong), NbactlError, f"0.1.0+{OLD}"),
    "it is another service": (Container(answers=another), NbactlError, SERVICES[1].name),
    "it says nothing of itself": (Container(answers=lambda _: (200, {})), NbactlError, "should be"),
    "it forgets who it is when it serves": (
        Container(answers=lambda asked: None if asked <= 3 else (503, {"reason": "gone"})),
        TimedOut,
        "503, gone",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_right_gets_no_traffic_and_says_why(cloud: tuple[FakeCloudRun, Google], fault: str) -> None:
    fake, google = cloud
    container, kind, why = FAULTS[fault]
    fake.next = Container(container.ready_after, container.fails, container.answers)
    with pytest.raises(kind) as caught:
        rollout(google).run()
    assert "the traffic is as it was" in caught.value.message
    assert why in (caught.value.why or "")
    assert as_before(fake)


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, NbactlError, 4),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, TimedOut, 7),
        (grpc.StatusCode.UNAVAILABLE, TimedOut, 7),
        (grpc.StatusCode.DEADLINE_EXCEEDED, TimedOut, 7),
        (grpc.StatusCode.ABORTED, TimedOut, 7),
    ],
)
@pytest.mark.parametrize(
    ("method", "nth"), [("GetService", 0), ("UpdateService", 0), ("UpdateService", 1), ("GetRevision", 0)]
)
def test_an_api_that_says_no_leaves_the_traffic_as_it_was(  # noqa: PLR0913, PLR0917
    cloud: tuple[FakeCloudRun, Google],
    code: grpc.StatusCode,
    kind: type[NbactlError],
    exit_code: int,
    method: str,
    nth: int,
) -> None:
    fake, google = cloud
    calls = 0

    def fail(called: str) -> None:
        nonlocal calls
        if called == method:
            if calls == int(nth):
                fake.failing[method] = [(code, "planted")]
            calls += 1

    fake.before = fail
    with pytest.raises(kind) as caught:
        rollout(google).run()
    assert caught.value.exit_code == exit_code
    assert as_before(fake)


def test_somebody_else_who_deploys_at_the_same_moment_wins(cloud: tuple[FakeCloudRun, Google]) -> None:
    fake, google = cloud

    def other(called: str) -> None:
        if called == "UpdateService":
            held = fake.services[google.run.path(NAME)]
            held.etag = '"99"'

    fake.before = other
    with pytest.raises(TimedOut, match="somebody else was changing it"):
        rollout(google).run()
    assert as_before(fake)


def test_traffic_that_does_not_move_is_put_back(cloud: tuple[FakeCloudRun, Google]) -> None:
    fake, google = cloud

    def stop(called: str) -> None:
        if called == "GetRevision":
            fake.moves_traffic = False

    fake.before = stop
    with pytest.raises(TimedOut, match="has not moved"):
        rollout(google).run()
    assert as_before(fake)


def test_traffic_that_cannot_be_put_back_is_said_loudly(cloud: tuple[FakeCloudRun, Google]) -> None:
    fake, google = cloud
    fake.next = Container(answers=lambda asked: None if asked <= 3 else (503, {}))

    def refuse(called: str) -> None:
        if called == "UpdateService" and as_wanted(fake):
            fake.failing[called] = [(grpc.StatusCode.PERMISSION_DENIED, "planted")]

    fake.before = refuse
    with pytest.raises(PartlyFailed, match="could not be put back") as caught:
        rollout(google).run()
    assert f"100 % {NAME}-00001-abc" in (caught.value.why or "")


def test_a_service_that_pubsub_may_not_call_is_live_and_not_well(cloud: tuple[FakeCloudRun, Google]) -> None:
    fake, google = cloud
    fake.policies.clear()
    with pytest.raises(PartlyFailed, match="Pub/Sub may not call it") as caught:
        rollout(google).run()
    assert (caught.value.hint, as_wanted(fake)) == ("nbactl infra create", True)
    fake.failing["GetIamPolicy"] = [(grpc.StatusCode.UNAVAILABLE, "planted")]
    wanted = Wanted(ANALYTICS, IMAGE, {"NBACTL_COMMIT": NEW}, f"{NAME}-3")
    with pytest.raises(PartlyFailed, match="whether Pub/Sub may call it is not known"):
        Rollout(google, wanted, lambda _stage, _what: None, QUICK).run()


@pytest.mark.parametrize("stage", ["revision", "ready", "probe", "traffic", "serving"])
def test_ctrl_c_at_any_stage_leaves_the_traffic_as_it_was(cloud: tuple[FakeCloudRun, Google], stage: str) -> None:
    fake, google = cloud
    reached: list[str] = []

    def interrupt(now: str, _what: str) -> None:
        reached.append(now)
        if reached == [*STAGES[: STAGES.index(stage) + 1]]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rollout(google, interrupt).run()
    assert as_before(fake)


def test_whatever_fails_at_random_traffic_ends_as_before_or_fully_new(cloud: tuple[FakeCloudRun, Google]) -> None:
    fake, google = cloud
    dice = random.Random(5)  # noqa: S311 -- to be repeatable
    codes = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.PERMISSION_DENIED]

    def fail(called: str) -> None:
        if dice.random() < 0.05:
            fake.failing[called] = [(dice.choice(codes), "planted")]

    fake.before = fail
    ends = Counter[str]()
    for number in range(25):
        before, revision = fake.serving(NAME), f"{NAME}-r{number}"
        wanted = Wanted(ANALYTICS, IMAGE, {"NBACTL_COMMIT": f"{number:012}"}, revision)
        end = _ended(Rollout(google, wanted, lambda _stage, _what: None, QUICK))
        ends[end] += 1
        if end != "said loudly":
            assert fake.serving(NAME) == ({revision: 100} if end == "live" else before)
    assert ends["live"] > 2
    assert ends["as before"] > 2


def _ended(one: Rollout) -> str:
    try:
        one.run()
    except PartlyFailed as error:
        return "said loudly" if "could not be put back" in error.message else "live"
    except NbactlError:
        return "as before"
    return "live"


# ---------------------------------------------------------------- as it is typed


@pytest.fixture(scope="module")
def storage() -> Iterator[Client]:
    """Google's storage client on an emulator."""
    port = free_port()
    server = create_server("127.0.0.1", port, in_memory=True)
    server.start()
    endpoint = f"http://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", endpoint)
        client = Client("p", credentials=AnonymousCredentials(), client_options=ClientOptions(api_endpoint=endpoint))
        yield client
        client.close()
    server.stop()


@pytest.fixture
def live(storage: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeCloudRun]:
    """The fake, behind the command line; in this folder, something to build."""
    with serving(storage) as (fake, google):
        monkeypatch.setattr(connecting, "connect", lambda _target: google)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
        fake.bind(NAME, PIPELINE)
        fake.log = LINES
        (tmp_path / ".git").rmdir()
        tree(tmp_path, {"Dockerfile": "FROM x", "processors/a.py": "1", "notes.txt": "x", ".gitignore": "*.txt\n"})
        for words in ("init -q", "add -A", "-c user.name=n -c user.email=e commit -qm m"):
            git(*words.split())
        yield fake


def git(*words: str) -> str:
    command = ["git", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 -- no shell


def deploy(typed: Type, *words: str) -> Said:
    return typed("deploy", "analytics", *words)


def test_from_a_folder_to_a_service_that_serves_it(typed: Type, live: FakeCloudRun, storage: Client) -> None:
    said = deploy(typed, "--yes")
    assert said.code == 0, said.err
    stages = [line.split()[0] for line in said.err.splitlines()]
    assert stages == [
        *("package", "upload", "build", "build", "image", "revision", "ready", "probe", "traffic", "serving"),
        *("invoker", "deployed", "hint:"),
    ]
    assert said.hint == "nbactl infra plan"
    (build,) = live.builds
    assert build.parent == "projects/p/locations/us-west2"
    packed = storage.bucket(build.storage_source.bucket).blob(build.storage_source.object_).download_as_bytes()
    assert sorted(zipfile.ZipFile(io.BytesIO(packed)).namelist()) == ["Dockerfile", "processors/a.py"]
    (revision,) = live.serving(NAME)
    assert live.revisions[revision].containers[0].image.endswith(DIGEST)
    assert live.env(revision)["NBACTL_COMMIT"] == git("rev-parse", "HEAD").strip()
    assert live.env(revision)["NBACTL_PHASE"] == "3"


def test_a_service_that_has_a_url_is_told_it_to_check_who_pushes(typed: Type, live: FakeCloudRun) -> None:
    assert deploy(typed, "--yes").code == 0
    (first,) = live.serving(NAME)
    # the first revision cannot know where it will be
    assert "NBACTL_PUSH_AUDIENCE" not in live.env(first)
    assert deploy(typed, "--yes").code == 0
    (second,) = live.serving(NAME)
    assert live.env(second)["NBACTL_PUSH_AUDIENCE"] == f"{live.root}/svc/{NAME}"


def test_what_was_set_by_hand_about_who_pushes_stays(typed: Type, live: FakeCloudRun) -> None:
    live.deployed(NAME, OLD, env={"NBACTL_PUSH_AUDIENCE": ""})
    assert deploy(typed, "--yes").code == 0
    (revision,) = live.serving(NAME)
    assert not live.env(revision)["NBACTL_PUSH_AUDIENCE"]


def test_a_dry_run_says_what_differs_and_asks_for_nothing_but_that(typed: Type, live: FakeCloudRun) -> None:
    live.deployed(NAME, OLD, env={"BY_HAND": "kept"})
    live.calls.clear()
    said = deploy(typed, "--dry-run", "-o", "json")
    assert said.code == 0
    changes = {one["setting"]: (one["change"], one["live"]) for one in said.json}
    assert changes["env NBACTL_COMMIT"] == ("~", OLD)
    assert changes["env BY_HAND"] == ("=", "kept")
    assert changes["env NBACTL_REGION"] == ("+", "-")
    assert set(live.calls) == {"GetService"}


def test_an_image_is_deployed_by_its_digest_and_by_nothing_else(typed: Type, live: FakeCloudRun) -> None:
    assert deploy(typed, "--image", "i:latest", "--yes").code == 2
    assert deploy(typed, "--image", f"i@{DIGEST}", "--yes").code == 0
    (revision,) = live.serving(NAME)
    assert live.env(revision)["NBACTL_COMMIT"] == DIGEST.removeprefix("sha256:")
    assert live.builds == []


def test_a_build_that_fails_says_what_cloud_build_says(typed: Type, live: FakeCloudRun) -> None:
    live.build_statuses = [Build.Status.WORKING, Build.Status.FAILURE]
    said = deploy(typed, "--yes")
    assert (said.code, live.services) == (1, {})
    assert "pip could not install duckdb" in said.err
    assert "https://console/build" in said.err


def test_ctrl_c_while_an_image_is_built_cancels_the_build_or_says_that_it_goes_on(
    typed: Type, live: FakeCloudRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "time", SimpleNamespace(monotonic=time.monotonic, sleep=interrupt))
    live.build_statuses = [Build.Status.WORKING]
    said = deploy(typed, "--yes")
    assert (said.code, live.services, live.build_statuses) == (130, {}, [Build.Status.CANCELLED])
    assert "b-1: cancelled" in said.err
    live.build_statuses = [Build.Status.WORKING]
    live.failing["CancelBuild"] = [(grpc.StatusCode.PERMISSION_DENIED, "lacks cloudbuild.builds.update")]
    said = deploy(typed, "--yes")
    assert (said.code, live.services, live.build_statuses) == (130, {}, [Build.Status.WORKING])
    assert "b-2: goes on; could not cancel build b-2: not allowed" in said.err


@pytest.mark.parametrize(
    "method", ["GetService", "SubmitBuild", "GetBuild", "GetRepository", "UpdateService", "GetRevision"]
)
def test_a_permission_that_lacks_ends_in_its_own_exit_code(typed: Type, live: FakeCloudRun, method: str) -> None:
    live.failing[method] = [(grpc.StatusCode.PERMISSION_DENIED, "lacks run.services.get")]
    assert deploy(typed, "--yes").code == 4


def test_without_a_terminal_deploying_needs_a_yes_and_a_folder_a_dockerfile(
    typed: Type, live: FakeCloudRun, tmp_path: Path
) -> None:
    assert (deploy(typed).code, live.services) == (2, {})
    assert deploy(typed, "--source", "nowhere").code == 5
    (tmp_path / "Dockerfile").unlink()
    assert "no Dockerfile" in deploy(typed, "--yes").err


def test_status_shows_revisions_traffic_and_what_drifts(typed: Type, live: FakeCloudRun, tmp_path: Path) -> None:
    assert typed("deploy", "status").code == 5
    live.deployed(NAME, OLD)
    assert deploy(typed, "--yes").code == 0
    (tmp_path / "processors" / "a.py").write_text("2")
    (tmp_path / "notes.txt").write_text("not in the image")
    said = typed("deploy", "status", "analytics", "-o", "json")
    assert [(one["traffic"], one["ready"]) for one in said.json] == [(100, "yes"), (0, "yes")]
    assert said.json[0]["files"] == ["processors/a.py"]
    assert said.json[1]["commit"] == OLD
    assert "precompute is not deployed" not in said.err


def test_what_cannot_be_read_is_never_nothing_deployed(typed: Type, live: FakeCloudRun) -> None:
    live.failing["GetService"] = [(grpc.StatusCode.UNAVAILABLE, "x")]
    said = typed("deploy", "status")
    assert said.code == 7
    assert "nothing is deployed" not in said.err


def test_rolling_back_gives_the_traffic_to_the_revision_before(typed: Type, live: FakeCloudRun) -> None:
    old = live.deployed(NAME, OLD)
    assert deploy(typed, "--yes").code == 0
    (new,) = live.serving(NAME)
    assert "would give all traffic" in typed("deploy", "rollback", "analytics", "--dry-run").err
    assert typed("deploy", "rollback", "analytics", "--yes").code == 0
    assert live.serving(NAME) == {old: 100}
    assert typed("deploy", "rollback", "analytics", new, "--yes").code == 0
    assert live.serving(NAME) == {new: 100}
    assert "did you mean" in typed("deploy", "rollback", "analytics", f"{new}x", "--yes").err
    assert typed("deploy", "rollback", "analitics").code == 5


# ---------------------------------------------------------------- what is sent


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ({".gitignore": "*.txt\n!keep.txt\nbuild/\n"}, {"Dockerfile", "a.py", "keep.txt", "sub/c.py"}),
        (
            {".gcloudignore": "a.py\n", ".gitignore": "*.txt\n"},
            {"Dockerfile", "keep.txt", "x.txt", "build/b.py", "sub/c.py"},
        ),
        (
            {".gcloudignore": "a.py\n#!include:.gitignore\n", ".gitignore": "*.txt\n"},
            {"Dockerfile", "build/b.py", "sub/c.py"},
        ),
        ({".gcloudignore": "/sub\n**/b.py\n"}, {"Dockerfile", "a.py", "keep.txt", "x.txt"}),
        ({}, {"Dockerfile", "a.py", "keep.txt", "x.txt", "build/b.py", "sub/c.py"}),
    ],
)
def test_ignore_files_say_what_is_left_out(tmp_path: Path, rules: dict[str, str], left: set[str]) -> None:
    files = {
        "Dockerfile": "",
        "a.py": "",
        "keep.txt": "",
        "x.txt": "",
        "build/b.py": "",
        "sub/c.py": "",
        ".git/config": "",
    }
    found = source.read(tree(tmp_path / "root", files | rules))
    assert set(found.files) == left
    assert (found.commit, found.changed) == ("", None)


NAMES = st.text("abcé .-", min_size=1, max_size=8).filter(lambda one: one.strip(" ."))


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.text("abcé .-", min_size=1, max_size=8).filter(lambda one: one.strip(" .")), st.binary(max_size=50)
    )
)
def test_an_archive_holds_the_files_to_the_byte_and_equal_files_make_equal_archives(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        for one, text in files.items():
            (root / one).write_bytes(text)
        (root / "Dockerfile").write_text("FROM x")
        (root / "Dockerfile").chmod(0o755)
        found = source.read(root)
        found.archive(Path(name) / "1.zip")
        for path in root.iterdir():
            os.utime(path, (1, 1))
        source.read(root).archive(Path(name) / "2.zip")
        assert (Path(name) / "1.zip").read_bytes() == (Path(name) / "2.zip").read_bytes()
        packed = zipfile.ZipFile(Path(name) / "1.zip")
        assert {one: packed.read(one) for one in packed.namelist()} == {**files, "Dockerfile": b"FROM x"}
        assert stat.S_IMODE(packed.getinfo("Dockerfile").external_attr >> 16) == 0o755
        assert len(found.identity) == 64
