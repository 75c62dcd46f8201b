"""Asking a private service who it is, as somebody who may call it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_SECONDS = 10.0
_LONGEST = 64 * 1024

Token = Callable[[str], str]
"""Audience -> an identity token for it, or an empty text where none is wanted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service says of itself.

    Attributes:
        status: of HTTP; None where there was no answer.
        body: what it says; empty where that is not JSON.
        why: what went wrong, where something did.
    """

    status: int | None
    body: Mapping[str, object] = field(default_factory=dict)
    why: str = ""

    def __str__(self) -> str:
        return f"{self.status or 'no answer'}{f', {self.why}' if self.why else ''}"


def ask(url: str, audience: str, token: Token) -> Answer:
    """GET a URL with an identity token; whatever goes wrong is an answer."""
    headers = {"Authorization": f"Bearer {bearer}"} if (bearer := token(audience)) else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 -- the URL is Cloud Run's
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return Answer(answer.status, _body(answer.read(_LONGEST)))
    except urllib.error.HTTPError as error:
        body = _body(error.read(_LONGEST))
        return Answer(error.code, body, str(body.get("reason") or error.reason))
    except OSError as error:
        return Answer(None, why=str(getattr(error, "reason", error)))


def _body(text: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def identity_token(audience: str) -> str:
    """An identity token of whoever is signed in.

    Raises:
        GoogleAuthError: nobody is, or their credentials give none.
    """
    import google.auth
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token

    credentials, _ = google.auth.default()
    if hasattr(credentials, "id_token"):  # a person's: its audience is gcloud's own, which Cloud Run accepts
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
        return str(credentials.id_token)
    return str(id_token.fetch_id_token(Request(), audience))  # type: ignore[no-untyped-call]
