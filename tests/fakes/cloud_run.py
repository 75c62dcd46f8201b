"""Cloud Run, Cloud Build, Artifact Registry and the log of a revision, as far as a deployment asks.

A gRPC server that speaks the real protocol, for the real clients, and an HTTP server in the place of the containers.
What it does not check: quotas, names and regions, whether an image exists, roles of whoever calls, that traffic sums to
a hundred, and the source of a build beyond that it was uploaded. Any method can be made to fail, once or for good.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import proto
from google.cloud import artifactregistry_v1, run_v2
from google.cloud.artifactregistry_v1 import ArtifactRegistryClient
from google.cloud.devtools import cloudbuild_v1
from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient
from google.cloud.logging_v2 import types as logging_types
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.run_v2 import BuildsClient, RevisionsClient, ServicesClient
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.longrunning import operations_pb2

from nbactl.gcp.building import Builder
from nbactl.gcp.cloud import Target
from nbactl.gcp.iam import Policies
from nbactl.gcp.logging import LogReader
from nbactl.gcp.run import CloudRun
from nbactl.ops.deploy.google import Google, last_lines
from shared.topology import Kind

TOKEN = "a token"  # noqa: S105 -- for nobody
DIGEST = "sha256:" + "c0ffee" * 10 + "beef"
PARENT = "projects/p/locations/us-west2"


@dataclass
class Container:
    """How a revision behaves.

    Attributes:
        ready_after: seconds; None for never.
        fails: what Cloud Run says where it does not start.
        answers: to `GET /ready`, by how often it was asked; None for the right one.
    """

    ready_after: float | None = 0.05
    fails: str = ""
    answers: Callable[[int], tuple[int, dict[str, object]] | None] = lambda _asked: None
    asked: int = 0
    born: float = field(default_factory=time.monotonic)


class FakeCloudRun:
    """The state of one project and region."""

    def __init__(self) -> None:
        self.services: dict[str, run_v2.Service] = {}
        self.revisions: dict[str, run_v2.Revision] = {}
        self.containers: dict[str, Container] = {}
        self.next = Container()
        self.policies: dict[str, policy_pb2.Policy] = {}
        self.failing: dict[str, list[tuple[grpc.StatusCode, str]]] = {}
        self.calls: list[str] = []
        self.builds: list[run_v2.SubmitBuildRequest] = []
        self.build_statuses = [cloudbuild_v1.Build.Status.QUEUED, cloudbuild_v1.Build.Status.SUCCESS]
        self.repositories: set[str] = set()
        self.log: list[str] = []
        self.before: Callable[[str], None] = lambda _method: None
        self.moves_traffic = True
        self.root = ""
        self._lock = threading.RLock()

    # ------------------------------------------------------------ what a test does to it

    def deployed(self, name: str, commit: str, *, pinned: bool = True, env: dict[str, str] | None = None) -> str:
        """A service that is live already, with one revision; its name."""
        path, revision = f"{PARENT}/services/{name}", f"{name}-00001-abc"
        variables = {"NBACTL_COMMIT": commit, **(env or {})}
        container = run_v2.Container(
            image="old", env=[run_v2.EnvVar(name=one, value=value) for one, value in variables.items()]
        )
        service = run_v2.Service(name=path, template=run_v2.RevisionTemplate(containers=[container], revision=revision))
        service.traffic = [_target(revision)] if pinned else [_target("")]
        self._update(run_v2.UpdateServiceRequest(service=service, allow_missing=True))
        self.containers[revision].ready_after = 0
        return revision

    def bind(self, name: str, member: str) -> None:
        """Let somebody call a service."""
        policy = policy_pb2.Policy(version=1, etag=b"1")
        policy.bindings.add(role="roles/run.invoker", members=[member])
        self.policies[f"{PARENT}/services/{name}"] = policy

    def serving(self, name: str) -> dict[str, int]:
        """Percent of the traffic by revision."""
        service = self.services[f"{PARENT}/services/{name}"]
        return {_resolved(service, one): one.percent for one in service.traffic_statuses if one.percent}

    def env(self, revision: str) -> dict[str, str]:
        """The variables of a revision."""
        return {one.name: one.value for one in self.revisions[revision].containers[0].env}

    # ------------------------------------------------------------ Cloud Run

    def _get_service(self, request: run_v2.GetServiceRequest, context: grpc.ServicerContext) -> run_v2.Service:
        if request.name not in self.services:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Resource {request.name} does not exist.")
        return self.services[request.name]

    def _update_service(
        self, request: run_v2.UpdateServiceRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        held = self.services.get(request.service.name)
        if held and request.service.etag != held.etag:
            context.abort(grpc.StatusCode.ABORTED, "Conflict for resource: version mismatch")
        self._update(request)
        return operations_pb2.Operation(name=f"{PARENT}/operations/1", done=True)

    def _update(self, request: run_v2.UpdateServiceRequest) -> None:
        with self._lock:
            given = request.service
            held = self.services.get(given.name)
            made = run_v2.Service(given)
            if "traffic" in request.update_mask.paths and held:
                made = run_v2.Service(held)
                made.traffic = given.traffic
            else:
                self._revise(made)
            made.etag = f'"{int((held.etag if held else chr(34) * 2).strip(chr(34)) or 0) + 1}"'
            name = given.name.rpartition("/")[2]
            made.uri = f"{self.root}/svc/{name}"
            made.urls = [made.uri]
            if self.moves_traffic or not held:
                made.traffic_statuses = [self._status(one, name) for one in made.traffic]
            self.services[given.name] = made

    def _revise(self, service: run_v2.Service) -> None:
        short = service.template.revision
        age = timedelta(minutes=len(self.revisions))
        self.revisions[short] = run_v2.Revision(
            name=f"{service.name}/revisions/{short}",
            containers=service.template.containers,
            create_time=datetime.now(UTC) - timedelta(days=1) + age,
        )
        self.containers[short], self.next = self.next, Container()
        self.containers[short].born = time.monotonic()
        service.latest_created_revision = service.latest_ready_revision = f"{service.name}/revisions/{short}"

    def _status(self, one: run_v2.TrafficTarget, name: str) -> run_v2.TrafficTargetStatus:
        uri = f"{self.root}/tag/{one.revision}/{name}" if one.tag else ""
        return run_v2.TrafficTargetStatus(
            type_=one.type_, revision=one.revision, percent=one.percent, tag=one.tag, uri=uri
        )

    def _get_revision(self, request: run_v2.GetRevisionRequest, context: grpc.ServicerContext) -> run_v2.Revision:
        short = request.name.rpartition("/")[2]
        if short not in self.revisions:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Revision {short} does not exist.")
        return self._seen(short)

    def _list_revisions(
        self, request: run_v2.ListRevisionsRequest, _context: grpc.ServicerContext
    ) -> run_v2.ListRevisionsResponse:
        found = [self._seen(one) for one, held in self.revisions.items() if held.name.startswith(f"{request.parent}/")]
        return run_v2.ListRevisionsResponse(revisions=found)

    def _seen(self, short: str) -> run_v2.Revision:
        container, found = self.containers[short], run_v2.Revision(self.revisions[short])
        old = container.ready_after is not None and time.monotonic() - container.born >= container.ready_after
        state = run_v2.Condition.State
        reached = state.CONDITION_FAILED if container.fails else state.CONDITION_SUCCEEDED
        found.conditions = [
            run_v2.Condition(
                type_="Ready", state=reached if old else state.CONDITION_RECONCILING, message=container.fails
            )
        ]
        return found

    def _get_policy(
        self, request: iam_policy_pb2.GetIamPolicyRequest, _context: grpc.ServicerContext
    ) -> policy_pb2.Policy:
        return self.policies.get(request.resource, policy_pb2.Policy(version=1, etag=b"0"))

    # ------------------------------------------------------------ builds and logs

    def _submit_build(
        self, request: run_v2.SubmitBuildRequest, _context: grpc.ServicerContext
    ) -> run_v2.SubmitBuildResponse:
        self.builds.append(request)
        return run_v2.SubmitBuildResponse(
            build_operation=operations_pb2.Operation(name=f"operations/build/p/b-{len(self.builds)}")
        )

    def _get_build(self, request: cloudbuild_v1.GetBuildRequest, _context: grpc.ServicerContext) -> cloudbuild_v1.Build:
        status = self.build_statuses.pop(0) if len(self.build_statuses) > 1 else self.build_statuses[0]
        found = cloudbuild_v1.Build(name=request.name, status=status, log_url="https://console/build")
        if status == cloudbuild_v1.Build.Status.SUCCESS:
            found.results.images = [cloudbuild_v1.BuiltImage(name="i", digest=DIGEST)]
        if status == cloudbuild_v1.Build.Status.FAILURE:
            found.failure_info.detail = "step 3: pip could not install duckdb"
        return found

    def _cancel_build(
        self, request: cloudbuild_v1.CancelBuildRequest, _context: grpc.ServicerContext
    ) -> cloudbuild_v1.Build:
        self.build_statuses = [cloudbuild_v1.Build.Status.CANCELLED]
        return cloudbuild_v1.Build(name=request.name, status=self.build_statuses[0])

    def _get_repository(
        self, request: artifactregistry_v1.GetRepositoryRequest, context: grpc.ServicerContext
    ) -> artifactregistry_v1.Repository:
        if request.name not in self.repositories:
            context.abort(grpc.StatusCode.NOT_FOUND, "Requested entity was not found.")
        return artifactregistry_v1.Repository(name=request.name)

    def _create_repository(
        self, request: artifactregistry_v1.CreateRepositoryRequest, _context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.repositories.add(f"{request.parent}/repositories/{request.repository_id}")
        return operations_pb2.Operation(name="operations/2", done=True)

    def _list_entries(
        self, _request: logging_types.ListLogEntriesRequest, _context: grpc.ServicerContext
    ) -> logging_types.ListLogEntriesResponse:
        entries = [logging_types.LogEntry(text_payload=line) for line in reversed(self.log)]
        return logging_types.ListLogEntriesResponse(entries=entries)

    # ------------------------------------------------------------ the containers

    def answer(self, path: str, token: str) -> tuple[int, dict[str, object]]:
        """What a container says to `GET /ready`."""
        if token != f"Bearer {TOKEN}":
            return 403, {}
        kind, *rest = path.strip("/").split("/")
        name = rest[-2]
        service = self.services[f"{PARENT}/services/{name}"]
        most = max(service.traffic_statuses, key=lambda one: one.percent)
        revision = rest[0] if kind == "tag" else _resolved(service, most)
        container = self.containers[revision]
        container.asked += 1
        commit = self.env(revision).get("NBACTL_COMMIT", "")[:12]
        right: dict[str, object] = {"status": "ready", "service": name, "code_version": f"0.1.0+{commit}"}
        return container.answers(container.asked) or (200, right)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Every method, as gRPC has it."""
        lists = {
            "google.cloud.run.v2.Services": {
                "GetService": (run_v2.GetServiceRequest, self._get_service),
                "UpdateService": (run_v2.UpdateServiceRequest, self._update_service),
                "GetIamPolicy": (iam_policy_pb2.GetIamPolicyRequest, self._get_policy),
            },
            "google.cloud.run.v2.Revisions": {
                "GetRevision": (run_v2.GetRevisionRequest, self._get_revision),
                "ListRevisions": (run_v2.ListRevisionsRequest, self._list_revisions),
            },
            "google.cloud.run.v2.Builds": {"SubmitBuild": (run_v2.SubmitBuildRequest, self._submit_build)},
            "google.devtools.cloudbuild.v1.CloudBuild": {
                "GetBuild": (cloudbuild_v1.GetBuildRequest, self._get_build),
                "CancelBuild": (cloudbuild_v1.CancelBuildRequest, self._cancel_build),
            },
            "google.devtools.artifactregistry.v1.ArtifactRegistry": {
                "GetRepository": (artifactregistry_v1.GetRepositoryRequest, self._get_repository),
                "CreateRepository": (artifactregistry_v1.CreateRepositoryRequest, self._create_repository),
            },
            "google.logging.v2.LoggingServiceV2": {
                "ListLogEntries": (logging_types.ListLogEntriesRequest, self._list_entries)
            },
        }
        return _Handlers(
            self, {f"/{name}/{method}": one for name, methods in lists.items() for method, one in methods.items()}
        )


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, fake: FakeCloudRun, methods: dict[str, tuple[Any, Callable[..., Any]]]) -> None:
        self._fake = fake
        self._methods = methods

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        if call.method not in self._methods:
            return None
        request_type, handle = self._methods[call.method]
        short = call.method.rpartition("/")[2]

        def answer(data: bytes, context: grpc.ServicerContext) -> bytes:
            self._fake.calls.append(short)
            self._fake.before(short)
            if self._fake.failing.get(short):
                context.abort(*self._fake.failing[short].pop(0))
            parsed = (
                request_type.deserialize(data)
                if issubclass(request_type, proto.Message)
                else request_type.FromString(data)
            )
            said = handle(parsed, context)
            packed: bytes = type(said).serialize(said) if isinstance(said, proto.Message) else said.SerializeToString()
            return packed

        return grpc.unary_unary_rpc_method_handler(answer)


def _target(revision: str) -> run_v2.TrafficTarget:
    kind = run_v2.TrafficTargetAllocationType
    named = kind.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION if revision else kind.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
    return run_v2.TrafficTarget(type_=named, revision=revision, percent=100)


def _resolved(service: run_v2.Service, one: run_v2.TrafficTargetStatus) -> str:
    return one.revision or service.latest_ready_revision.rpartition("/")[2]


@contextmanager
def serving(storage: Any = None) -> Iterator[tuple[FakeCloudRun, Google]]:  # noqa: ANN401 -- Google's client has no types
    """Run the fake for as long as the block lasts, with the real clients connected to it."""
    fake = FakeCloudRun()
    server = grpc.server(ThreadPoolExecutor(8), handlers=[fake.handlers()])
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    channel = grpc.insecure_channel(address)
    with _containers(fake) as fake.root:
        try:
            yield fake, _google(channel, storage)
        finally:
            channel.close()
            server.stop(None).wait()


@contextmanager
def _containers(fake: FakeCloudRun) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = fake.answer(self.path, self.headers.get("Authorization", ""))
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _google(channel: grpc.Channel, storage: Any) -> Google:  # noqa: ANN401
    def connected(client: Any) -> Any:  # noqa: ANN401 -- any of Google's clients
        return client(transport=client.get_transport_class("grpc")(channel=channel))

    target = Target("p", "us-west2", None)
    services = connected(ServicesClient)
    reader = LogReader("p", connected(LoggingServiceV2Client))
    return Google(
        CloudRun(target, services, connected(RevisionsClient)),
        Policies("p", "us-west2", {Kind.SERVICE: services}),
        lambda: Builder(
            target, storage, connected(BuildsClient), connected(CloudBuildClient), connected(ArtifactRegistryClient)
        ),
        lambda revision: last_lines(reader, revision),
        lambda _audience: TOKEN,
    )
