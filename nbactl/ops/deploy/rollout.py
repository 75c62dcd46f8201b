"""Putting a revision live, or leaving everything as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from nbactl.gcp import probing
from nbactl.gcp.run import CANDIDATE, Wanted, all_to, candidate, traffic_of
from nbactl.ops.deploy.google import Google
from shared.errors import NbactlError, PartlyFailed, TimedOut
from shared.topology import Kind, Member, Resource
from shared.version import COMMIT, short_commit

if TYPE_CHECKING:
    from google.cloud.run_v2 import types

    from nbactl.gcp.probing import Answer

Watch = Callable[[str, str], None]
"""Told a stage, and what came of it."""

IN_A_ROW = 3
"""How many answers in a row must be right: a service that flaps gives one now and then."""
_INVOKER = "roles/run.invoker"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each stage may take, and how often it is looked at, in seconds."""

    ready: float = 300.0
    probe: float = 60.0
    traffic: float = 120.0
    poll: float = 0.25


PATIENCE = Patience()


@dataclass(frozen=True)
class Rollout:
    """One service on its way to a new revision."""

    google: Google
    wanted: Wanted
    watch: Watch
    patience: Patience = PATIENCE

    @property
    def name(self) -> str:
        """The service's name."""
        return self.wanted.service.name

    @property
    def identity(self) -> str:
        """What the revision's code calls itself, behind its version."""
        return short_commit(self.wanted.env.get(COMMIT, ""))

    def run(self) -> None:
        """Put the revision live.

        Raises:
            NbactlError: it is not live; the traffic is as it was. Where it is not, PartlyFailed says so.
        """
        live = self.google.run.service(self.name)
        before = traffic_of(live) if live else []
        self._create(live, before)
        try:
            self._wait_ready()
            self._probe_candidate(first=live is None)
            self._shift(all_to(self.wanted.revision))
            self._look(self._service().uri, IN_A_ROW, "serving")
        except BaseException as error:
            raise self._undone(before, error) from error
        self._check_invoker()

    def back(self) -> None:
        """Give all traffic to a revision that is there already.

        Raises:
            NbactlError: it does not serve; the traffic is as it was. Where it is not, PartlyFailed says so.
        """
        before = traffic_of(self._service())
        try:
            self._shift(all_to(self.wanted.revision))
            self._look(self._service().uri, IN_A_ROW, "serving")
        except BaseException as error:
            raise self._undone(before, error) from error

    def _create(self, live: types.Service | None, before: Sequence[types.TrafficTarget]) -> None:
        message = self.google.run.message(self.wanted, live)
        # a service must send its traffic somewhere; where nothing was live, nobody calls it yet
        message.traffic = [*before, candidate(self.wanted.revision)] if live else all_to(self.wanted.revision)
        self.google.run.put(message)
        self.watch("revision", f"{self.wanted.revision}{', without traffic' if live else ''}")

    def _wait_ready(self) -> None:
        """Wait for this revision and no other.

        Raises:
            NbactlError: it failed, with its last lines.
            TimedOut: it is neither ready nor failed.
        """
        name = self.wanted.revision

        def decided() -> bool:
            found = self.google.run.revision(self.name, name)
            if found and found.ready is False:
                raise NbactlError(f"revision {name} does not start", why=self._said(found.why))
            return bool(found and found.ready)

        if not self._until(decided, self.patience.ready):
            said = f"revision {name} is not ready after {self.patience.ready:.0f} s"
            raise TimedOut(said, why=self._said("Cloud Run has not decided"))
        self.watch("ready", name)

    def _probe_candidate(self, *, first: bool) -> None:
        found: list[str] = []

        def has_url() -> bool:
            service = self._service()
            found[:] = [service.uri] if first else [one.uri for one in service.traffic_statuses if one.tag == CANDIDATE]
            return bool(found and found[0])

        if not self._until(has_url, self.patience.traffic):
            raise TimedOut(f"revision {self.wanted.revision} has no URL of its own", hint="try again")
        self._look(found[0], IN_A_ROW, "probe")

    def _look(self, url: str, wanted: int, stage: str) -> None:
        """Ask until so many answers in a row are right.

        Raises:
            NbactlError: somebody else answers.
            TimedOut: not so many in a row were right in time.
        """
        audience = self._service().uri
        seen: list[Answer] = []
        in_a_row = 0

        def right() -> bool:
            nonlocal in_a_row
            seen.append(probing.ask(f"{url}/ready", audience, self.google.token))
            in_a_row = in_a_row + 1 if self._is_right(seen[-1], stage) else 0
            return in_a_row == wanted

        if not self._until(right, self.patience.probe):
            last = ", ".join(str(one) for one in seen[-5:])
            said = f"{url} was not ready {wanted} times in a row within {self.patience.probe:.0f} s"
            raise TimedOut(said, why=self._said(f"the last answers: {last}"))
        self.watch(stage, f"{url}: ready {wanted} times in a row, {self.identity}")

    def _is_right(self, answer: Answer, stage: str) -> bool:
        if answer.status != HTTPStatus.OK:
            return False
        who, version = answer.body.get("service"), str(answer.body.get("code_version", ""))
        if (who, version.rpartition("+")[2]) == (self.name, self.identity):
            return True
        if stage == "serving" and who == self.name:
            return False  # the old one may answer for a moment longer
        why = f"it is {who} {version}, and should be {self.name} of {self.identity}"
        raise NbactlError("somebody else answers there", why=why)

    def _shift(self, traffic: Sequence[types.TrafficTarget]) -> None:
        """Send the traffic somewhere, and wait until it goes there.

        Raises:
            TimedOut: it does not.
        """
        message = self._service()
        message.traffic = list(traffic)
        self.google.run.put(message, only="traffic")
        asked = {(one.revision, one.percent) for one in traffic if one.percent}

        def goes() -> bool:
            service = self._service()
            return {(one.revision, one.percent) for one in traffic_of(service) if one.percent} == asked

        if not self._until(goes, self.patience.traffic):
            raise TimedOut(f"the traffic of {self.name} has not moved after {self.patience.traffic:.0f} s")
        self.watch("traffic", ", ".join(f"{percent} % to {name}" for name, percent in sorted(asked)))

    def _undone(self, before: Sequence[types.TrafficTarget], error: BaseException) -> BaseException:
        """Put the traffic back; the error to end with."""
        if not before:
            return self._told(error, "no revision was there before, so this one stays; nobody calls it yet")
        try:
            self._shift(before)
        except (NbactlError, KeyboardInterrupt) as again:
            to = ", ".join(f"{one.percent} % {one.revision}" for one in before)
            said = f"{error or 'interrupted'}; and the traffic could not be put back"
            return PartlyFailed(said, why=f"{again}; before, it went: {to}", hint="nbactl deploy status")
        return self._told(error, "the traffic is as it was")

    def _told(self, error: BaseException, end: str) -> BaseException:
        if isinstance(error, NbactlError):
            return type(error)(f"{error.message}; {end}", why=error.why, hint=error.hint)
        self.watch("undone", end)
        return error

    def _check_invoker(self) -> None:
        """See that Pub/Sub may call the service.

        Raises:
            PartlyFailed: it may not, or nobody can tell.
        """
        member = Member.PIPELINE.address(self.google.target.project, "") or ""
        try:
            grants = self.google.policies.grants(Resource(Kind.SERVICE, self.name))
        except NbactlError as error:
            said = f"{self.name} is live; whether Pub/Sub may call it is not known"
            raise PartlyFailed(said, why=f"{error.message}: {error.why}", hint="nbactl infra plan") from error
        if (_INVOKER, member) not in grants:
            why = f"{member} has not {_INVOKER} on it, so every push would be refused"
            raise PartlyFailed(f"{self.name} is live, and Pub/Sub may not call it", why=why, hint="nbactl infra create")
        self.watch("invoker", f"{member.partition(':')[2]} may call it")

    def _said(self, why: str) -> str:
        """A reason, with the last lines of the revision."""
        try:
            lines = self.google.lines(self.wanted.revision)
        except NbactlError as error:
            lines = [f"(its log could not be read: {error.message})"]
        return "\n".join([why, *lines])

    def _service(self) -> types.Service:
        found = self.google.run.service(self.name)
        if found is None:
            raise NbactlError(f"{self.name} has gone", why="somebody has deleted it")
        return found

    def _until(self, holds: Callable[[], bool], seconds: float) -> bool:
        ends = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > ends:
                return False
            time.sleep(self.patience.poll)
        return True
