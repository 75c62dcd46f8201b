"""Who may do what: IAM policies of topics, subscriptions, services, the service account and the project.

Five APIs, one shape: each of Google's clients has the same two methods for policies.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from nbactl.gcp.pubsub_admin import undetermined
from shared import errors
from shared.pubsub import CALL_SECONDS, answered
from shared.topology import Kind, Resource, account

if TYPE_CHECKING:
    from google.iam.v1.policy_pb2 import Policy

Grant = tuple[str, str]
"""Role and member, as IAM writes them."""

_TRIES = 4
_VERSION = 3  # the one that has conditions; asking for less would lose them on the way back


class PolicyClient(Protocol):
    """The part of Google's clients that is used here."""

    def get_iam_policy(self, request: Any, *, retry: Any, timeout: float) -> Policy:  # noqa: ANN401 -- each its own
        """Read the policy of a resource."""

    def set_iam_policy(self, request: Any, *, retry: Any, timeout: float) -> Policy:  # noqa: ANN401 -- each its own
        """Replace the policy of a resource, if its etag is still the one that was read."""


@dataclass(frozen=True)
class Policies:
    """The policies of one project; `clients` holds whom to ask by the kind of resource."""

    project: str
    region: str
    clients: Mapping[Kind, PolicyClient]

    def knows(self, resource: Resource) -> bool:
        """Whether the policy of such a resource can be read here."""
        return resource.kind in self.clients

    def grants(self, resource: Resource) -> frozenset[Grant]:
        """The roles that are given without condition.

        Raises:
            AccessDenied: not allowed to read the policy.
            Undetermined: it could not be read.
        """
        with undetermined(f"read the policy of {resource}", "IAM"):
            policy = self._read(resource)
        return frozenset(
            (one.role, member) for one in policy.bindings if not one.HasField("condition") for member in one.members
        )

    def grant(self, resource: Resource, wanted: Collection[Grant]) -> None:
        """Add roles, and keep all that is there.

        Raises:
            AccessDenied: not allowed to change the policy.
            NbactlError: it could not be changed; TimedOut where somebody else kept changing it.
        """
        for left in range(_TRIES, 0, -1):
            try:
                return self._grant_once(resource, wanted)
            except errors.TimedOut:
                if left == 1:
                    raise
        raise AssertionError

    def _grant_once(self, resource: Resource, wanted: Collection[Grant]) -> None:
        with answered(f"change the policy of {resource}", "IAM"):
            policy = self._read(resource)
            for role, member in sorted(wanted):
                _add(policy, role, member)
            policy.version = _VERSION
            request = {"resource": self.path(resource), "policy": policy}
            self.clients[resource.kind].set_iam_policy(request, retry=None, timeout=CALL_SECONDS)

    def _read(self, resource: Resource) -> Policy:
        request = {"resource": self.path(resource), "options": {"requested_policy_version": _VERSION}}
        return self.clients[resource.kind].get_iam_policy(request, retry=None, timeout=CALL_SECONDS)

    def path(self, resource: Resource) -> str:
        """The full name of a resource."""
        places = {
            Kind.TOPIC: f"/topics/{resource.name}",
            Kind.SUBSCRIPTION: f"/subscriptions/{resource.name}",
            Kind.SERVICE: f"/locations/{self.region}/services/{resource.name}",
            Kind.ACCOUNT: f"/serviceAccounts/{account(self.project)}",
            Kind.PROJECT: "",
        }
        return f"projects/{self.project}{places[resource.kind]}"


def _add(policy: Policy, role: str, member: str) -> None:
    same = (one for one in policy.bindings if one.role == role and not one.HasField("condition"))
    binding = next(same, None) or policy.bindings.add(role=role)
    if member not in binding.members:
        binding.members.append(member)
