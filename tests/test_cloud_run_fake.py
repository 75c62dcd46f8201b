"""What the fake of Cloud Run promises, as Cloud Run's reference has it: a deployment is proved on nothing else."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from google.api_core import exceptions
from google.cloud.run_v2 import types

from nbactl.gcp.run import CANDIDATE, CloudRun, all_to, candidate
from tests.fakes.cloud_run import TOKEN, Container, FakeCloudRun, serving

NAME = "a-service"


@pytest.fixture
def live() -> Iterator[tuple[FakeCloudRun, CloudRun]]:
    with serving() as (fake, google):
        fake.deployed(NAME, "0" * 12)
        yield fake, google.run


def service(run: CloudRun) -> types.Service:
    return run.services.get_service(name=run.path(NAME))


def put(run: CloudRun, changed: types.Service, *paths: str) -> None:
    request: dict[str, object] = {"service": changed, "update_mask": {"paths": list(paths)}}
    run.services.update_service(request=request, retry=None)


def test_what_is_not_there_is_not_found(live: tuple[FakeCloudRun, CloudRun]) -> None:
    _, run = live
    with pytest.raises(exceptions.NotFound):
        run.services.get_service(name=run.path("another"), retry=None)
    with pytest.raises(exceptions.NotFound):
        run.revisions.get_revision(name=f"{run.path(NAME)}/revisions/none", retry=None)


def test_every_change_has_another_etag_and_an_old_one_is_refused(live: tuple[FakeCloudRun, CloudRun]) -> None:
    _, run = live
    first = service(run)
    put(run, first, "traffic")
    assert service(run).etag != first.etag
    with pytest.raises(exceptions.Aborted):
        put(run, first, "traffic")


def test_a_template_makes_a_revision_of_its_name_and_traffic_alone_makes_none(
    live: tuple[FakeCloudRun, CloudRun],
) -> None:
    _, run = live
    changed = service(run)
    changed.template.revision = f"{NAME}-2"
    put(run, changed)
    assert {one.name for one in run.all_revisions(NAME)} == {f"{NAME}-00001-abc", f"{NAME}-2"}
    moved = service(run)
    moved.traffic = all_to(f"{NAME}-2")
    put(run, moved, "traffic")
    assert len(run.all_revisions(NAME)) == 2
    assert [(one.revision, one.percent) for one in service(run).traffic_statuses] == [(f"{NAME}-2", 100)]


def test_a_tag_gives_a_revision_a_url_of_its_own_and_no_traffic(live: tuple[FakeCloudRun, CloudRun]) -> None:
    fake, run = live
    fake.next = Container(answers=lambda _: (503, {"who": "the new one"}))
    changed = service(run)
    changed.template.revision = f"{NAME}-2"
    changed.traffic = [*changed.traffic, candidate(f"{NAME}-2")]
    put(run, changed)
    (tagged,) = (one for one in service(run).traffic_statuses if one.tag == CANDIDATE)
    assert tagged.percent == 0
    assert [ask(url) for url in (service(run).uri, tagged.uri)] == [200, 503]


def test_a_service_is_private(live: tuple[FakeCloudRun, CloudRun]) -> None:
    _, run = live
    assert ask(service(run).uri, token="") == 403


def ask(url: str, token: str = TOKEN) -> int:
    request = urllib.request.Request(f"{url}/ready", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 -- our own
            status: int = answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return status


def test_a_revision_is_undecided_then_ready_or_failed_with_its_reason(live: tuple[FakeCloudRun, CloudRun]) -> None:
    fake, run = live
    seen = []
    for number, container in enumerate((Container(ready_after=None), Container(fails="no port", ready_after=0))):
        fake.next = container
        changed = service(run)
        changed.template.revision = f"{NAME}-x{number}"
        put(run, changed)
        found = run.revision(NAME, f"{NAME}-x{number}")
        assert found
        seen.append((found.ready, found.why if found.ready is False else ""))
    assert seen == [(None, ""), (False, "no port")]
