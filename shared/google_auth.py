"""Who pushes: the OIDC token that Pub/Sub sends along with a message, and whether it is that of the push identity.

Cloud Run lets nobody in whom IAM does not allow; this is a second look, and the only one of a service elsewhere.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

PUSH_AUDIENCE = "NBACTL_PUSH_AUDIENCE"
"""The variable that turns the check on: the audiences of push subscriptions, root URLs of the service, with spaces."""
ON_CLOUD_RUN = "K_SERVICE"
"""A variable that Cloud Run sets, and nobody else."""
CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"
"""The public keys that Google signs such tokens with: key id -> certificate."""

_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
_REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
"""What Cloud Run puts in place of the signature, so that no service can use the token further; it has checked it."""
_SKEW_SECONDS = 10
_FETCH_SECONDS = 10
_KEPT_SECONDS = 3600.0
"""How long certificates are used; Google changes them every few days, and publishes new ones long before."""
_AGAIN_SECONDS = 10.0
"""Between two attempts to fetch certificates, whatever tokens ask for."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a push is not let in: 401 without a good token, 403 with somebody else's, 503 where nobody can tell."""

    status: HTTPStatus
    reason: str


class CertificatesUnavailable(Exception):  # noqa: N818 -- what is the matter
    """Google's certificates could not be fetched, so that no token can be judged."""


Fetch = Callable[[str], Mapping[str, str]]
"""Address -> certificates by key id. Raises CertificatesUnavailable."""


def fetch_certificates(url: str) -> Mapping[str, str]:
    """Return the certificates at an address, by key id.

    Raises:
        CertificatesUnavailable: nobody answered, or something else.
    """
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    try:
        response = Request()(url, method="GET", timeout=_FETCH_SECONDS)
        found = json.loads(response.data) if response.status == HTTPStatus.OK else None
    except (GoogleAuthError, ValueError) as error:
        raise CertificatesUnavailable(type(error).__name__) from error
    if not isinstance(found, dict) or not found or not all(isinstance(text, str) for text in found.values()):
        raise CertificatesUnavailable("what was answered are no certificates")
    return found


@dataclass
class PushTokens:
    """Judges the tokens of pushes.

    Attributes:
        audiences: for one of which they must be.
        email: of the push identity.
        unsigned: whether a platform before us has checked the signature, and taken it away.
        url: where the certificates are.
    """

    audiences: frozenset[str]
    email: str
    unsigned: bool = False
    url: str = CERTIFICATES
    fetch: Fetch = fetch_certificates
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)
    _kept: Mapping[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    _fetched: float | None = field(default=None, init=False, repr=False, compare=False)
    _failed: float | None = field(default=None, init=False, repr=False, compare=False)

    def refusal(self, authorization: str | None) -> Refusal | None:
        """Why a push with such an Authorization header is not let in; None where it is.

        Nothing of the token is in the reason: whoever reads a log could use it.
        """
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return Refusal(HTTPStatus.UNAUTHORIZED, "the push has no bearer token")
        try:
            claims = self._claims(token.strip())
        except CertificatesUnavailable:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Google's certificates could not be fetched")
        except Exception:  # noqa: BLE001 -- whatever google-auth finds wrong with it, and its messages quote the token
            return Refusal(HTTPStatus.UNAUTHORIZED, "the token is malformed, forged or out of date")
        # a claim may be of any type
        if claims.get("iss") not in _ISSUERS or claims.get("aud") not in tuple(self.audiences):
            return Refusal(HTTPStatus.UNAUTHORIZED, "the token is not Google's, or not for this service")
        if claims.get("email") != self.email or claims.get("email_verified") is not True:
            return Refusal(HTTPStatus.FORBIDDEN, "the token is not that of the push identity")
        return None

    def _claims(self, token: str) -> Mapping[str, Any]:
        from google.auth import jwt

        if self.unsigned and token.endswith(f".{_REMOVED}"):
            claims: Mapping[str, Any] = jwt.decode(token, verify=False)  # type: ignore[no-untyped-call]
            if not claims["iat"] - _SKEW_SECONDS <= time.time() <= claims["exp"] + _SKEW_SECONDS:
                raise ValueError
            return claims
        key = jwt.decode_header(token).get("kid")  # type: ignore[no-untyped-call]
        certificates = self._certificates(key if isinstance(key, str) else "")
        verified: Mapping[str, Any] = jwt.decode(  # type: ignore[no-untyped-call]
            token, certs=certificates, clock_skew_in_seconds=_SKEW_SECONDS
        )
        return verified

    def _certificates(self, key: str) -> Mapping[str, str]:
        """The certificates as they were fetched, or fetched again where they are old or lack a key."""
        with self._lock:
            now = time.monotonic()
            age = None if self._fetched is None else now - self._fetched
            if age is not None and age < (_KEPT_SECONDS if key in self._kept else _AGAIN_SECONDS):
                return self._kept
            if self._failed is not None and now - self._failed < _AGAIN_SECONDS:
                raise CertificatesUnavailable
            try:
                self._kept = self.fetch(self.url)
            except CertificatesUnavailable:
                self._failed = time.monotonic()
                raise
            self._fetched, self._failed = time.monotonic(), None
            return self._kept
