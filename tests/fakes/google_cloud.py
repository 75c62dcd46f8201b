"""Google Cloud as far as a plan of the topology asks: the emulator's Pub/Sub, and what the emulator lacks.

A gRPC server that speaks the real protocol, for the real clients: IAM policies of every API, Cloud Run's list of
services and the project's number are answered here; every other call goes on to the emulator. Any method can be made
to fail.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.cloud import resourcemanager_v3, run_v2
from google.cloud.iam_admin_v1 import IAMClient
from google.iam.v1 import iam_policy_pb2, policy_pb2

from nbactl.gcp.cloud import Cloud, Target, of_clients
from nbactl.gcp.pubsub_admin import PubSubAdmin
from shared.pubsub import PubSub

NUMBER = "424242"
REGION = "us-west2"
CALL_SECONDS = 10

READS = (
    "/google.pubsub.v1.Publisher/ListTopics",
    "/google.pubsub.v1.Subscriber/ListSubscriptions",
    "/google.cloud.run.v2.Services/ListServices",
    "/google.cloud.resourcemanager.v3.Projects/GetProject",
    "/google.iam.v1.IAMPolicy/GetIamPolicy",
    "/google.cloud.run.v2.Services/GetIamPolicy",
    "/google.cloud.resourcemanager.v3.Projects/GetIamPolicy",
    "/google.iam.admin.v1.IAM/GetIamPolicy",
)
"""Everything that a plan reads."""


class FakeGoogleCloud(grpc.GenericRpcHandler):
    """The state of one project; `policies` by full name, `services` by short name with their URLs."""

    def __init__(self, emulator: str) -> None:
        self.policies: dict[str, policy_pb2.Policy] = {}
        self.services: dict[str, list[str]] = {}
        self.failing: dict[str, tuple[grpc.StatusCode, str]] = {}
        self.calls: list[str] = []
        self.before_set: Callable[[], None] = lambda: None
        self._emulator = grpc.insecure_channel(emulator)
        self._lock = threading.Lock()

    def deploy(self, *names: str, number: str = NUMBER) -> None:
        for name in names:
            self.services[name] = [f"https://{name}-hash-wl.a.run.app", f"https://{name}-{number}.{REGION}.run.app"]

    def members(self, resource: str, role: str) -> set[str]:
        bindings = self.policies.get(resource, policy_pb2.Policy()).bindings
        return {member for one in bindings if one.role == role for member in one.members}

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        method = call.method

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.calls.append(method)
            if method in self.failing:
                context.abort(*self.failing[method])
            known = {"GetIamPolicy": self._get, "SetIamPolicy": self._set, "ListServices": self._list}
            known["GetProject"] = self._project
            handle = known.get(method.rpartition("/")[2])
            return handle(request, context) if handle else self._pass_on(method, request, context)

        return grpc.unary_unary_rpc_method_handler(answer)

    def _pass_on(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            answer: bytes = self._emulator.unary_unary(method)(request, timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
        return answer

    def _get(self, request: bytes, _context: grpc.ServicerContext) -> bytes:
        asked = iam_policy_pb2.GetIamPolicyRequest.FromString(request)
        assert asked.options.requested_policy_version == 3
        with self._lock:
            return self._policy(asked.resource).SerializeToString()

    def _set(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        asked = iam_policy_pb2.SetIamPolicyRequest.FromString(request)
        self.before_set()
        with self._lock:
            held = self._policy(asked.resource)
            if asked.policy.etag != held.etag:
                context.abort(grpc.StatusCode.ABORTED, "There were concurrent policy changes.")
            asked.policy.etag = str(int(held.etag) + 1).encode()
            self.policies[asked.resource] = asked.policy
            return asked.policy.SerializeToString()

    def _policy(self, resource: str) -> policy_pb2.Policy:
        return self.policies.setdefault(resource, policy_pb2.Policy(version=1, etag=b"0"))

    def _list(self, request: bytes, _context: grpc.ServicerContext) -> bytes:
        parent = run_v2.ListServicesRequest.deserialize(request).parent
        listed = [
            run_v2.Service(name=f"{parent}/services/{name}", uri=urls[0] if urls else "", urls=urls)
            for name, urls in self.services.items()
        ]
        return run_v2.ListServicesResponse.serialize(run_v2.ListServicesResponse(services=listed))

    def _project(self, request: bytes, _context: grpc.ServicerContext) -> bytes:
        asked = resourcemanager_v3.GetProjectRequest.deserialize(request).name
        found = resourcemanager_v3.Project(name=f"projects/{NUMBER}", project_id=asked.rpartition("/")[2])
        return resourcemanager_v3.Project.serialize(found)


@contextmanager
def serving(emulator: str, project: str) -> Iterator[tuple[FakeGoogleCloud, Cloud]]:
    """Run the fake for as long as the block lasts, with the real clients connected to it."""
    fake = FakeGoogleCloud(emulator)
    server = grpc.server(ThreadPoolExecutor(16), handlers=[fake])
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    channel = grpc.insecure_channel(address)
    pubsub = PubSub(project, address)
    try:
        yield (
            fake,
            of_clients(
                Target(project, REGION, None),
                PubSubAdmin(pubsub),
                _connected(run_v2.ServicesClient, channel),
                _connected(resourcemanager_v3.ProjectsClient, channel),
                _connected(IAMClient, channel),
            ),
        )
    finally:
        pubsub.close()
        channel.close()
        server.stop(None).wait()


def _connected(client: Any, channel: grpc.Channel) -> Any:  # noqa: ANN401 -- any of Google's clients
    return client(transport=client.get_transport_class("grpc")(channel=channel))
