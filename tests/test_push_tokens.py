"""Who may push: tokens signed by a key of our own, judged by google-auth on certificates that our own server has."""

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from flask import Flask
from flask.testing import FlaskClient
from google.auth import crypt, jwt
from hypothesis import given
from hypothesis import strategies as st

from processors import service
from processors.handling import Handler
from shared import google_auth
from shared.google_auth import PushTokens
from shared.topology import account
from shared.warehouse.duckdb import DuckDBWarehouse
from tests.conftest import rows
from tests.emulator import free_port

AUDIENCE = "https://service-1-uw.a.run.app"
AUDIENCES = frozenset({AUDIENCE, "https://another-name-of-it.a.run.app"})
EMAIL = account("p")


@dataclass
class Google:
    """Signs tokens, and has the certificates that they are judged by, at an address."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65_537, 2_048))
    key_id: str = "first"
    asked: int = 0
    answer: bytes | None = None
    url: str = ""

    def certificates(self) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )
        return json.dumps({self.key_id: made.public_bytes(serialization.Encoding.PEM).decode()}).encode()

    def token(self, **changed: object) -> str:
        """The token of a push; what is changed to None is left out."""
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "email": EMAIL,
            "email_verified": True,
            "sub": "1",
            "iat": now - 5,
            "exp": now + 3_600,
        } | changed
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        signer = crypt.RSASigner.from_string(pem, self.key_id)
        encoded: bytes = jwt.encode(signer, {name: value for name, value in claims.items() if value is not None})
        return encoded.decode()


@pytest.fixture(scope="module")
def signing() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


@pytest.fixture
def google(signing: rsa.RSAPrivateKey) -> Iterator[Google]:
    """A server of certificates, and the key that belongs to them."""
    made = Google(signing)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(made.certificates() if made.answer is None else made.answer)

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 -- its own
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield made
    server.shutdown()
    server.server_close()


def tokens(google: Google, *, unsigned: bool = False) -> PushTokens:
    return PushTokens(AUDIENCES, EMAIL, unsigned=unsigned, url=google.url)


def judged(google: Google, token: str, **given: bool) -> int | None:
    refusal = tokens(google, **given).refusal(f"Bearer {token}")
    return int(refusal.status) if refusal else None


def test_the_token_of_the_push_identity_is_let_in(google: Google) -> None:
    for audience in AUDIENCES:
        assert judged(google, google.token(aud=audience)) is None


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"aud": "https://another.a.run.app"}, 401),
        ({"aud": None}, 401),
        ({"aud": [AUDIENCE]}, 401),
        ({"iss": "https://accounts.google.com.example.org"}, 401),
        ({"iss": None}, 401),
        ({"exp": int(time.time()) - 3_600, "iat": int(time.time()) - 7_200}, 401),
        ({"iat": int(time.time()) + 3_600}, 401),
        ({"exp": None}, 401),
        ({"exp": "soon"}, 401),
        ({"email": "somebody@p.iam.gserviceaccount.com"}, 403),
        ({"email": None}, 403),
        ({"email_verified": False}, 403),
        ({"email_verified": "true"}, 403),
        ({"email_verified": None}, 403),
    ],
)
def test_a_token_with_another_claim_is_not(google: Google, changed: Mapping[str, object], status: int) -> None:
    assert judged(google, google.token(**changed)) == status


def test_a_token_that_another_key_signed_is_not_let_in(google: Google) -> None:
    assert judged(google, Google(key_id=google.key_id).token()) == 401
    assert judged(google, Google(key_id="another").token()) == 401


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic eDp5", "Bearer x", "Bearer a.b.c", "Bearer ..."]
)
def test_what_is_no_token_is_not_let_in(google: Google, header: str | None) -> None:
    refusal = tokens(google).refusal(header)
    assert refusal
    assert refusal.status == 401


@given(text=st.text(max_size=40), cut=st.integers(0, 3))
def test_no_text_is_a_surprise_or_let_in(text: str, cut: int) -> None:
    def fetch(_url: str) -> Mapping[str, str]:
        return {"first": "no certificate"}

    judge = PushTokens(AUDIENCES, EMAIL, unsigned=True, fetch=fetch)
    parts = ["eyJhbGciOiAiUlMyNTYiLCAia2lkIjogImZpcnN0In0", "e30", "c2ln"]
    parts[cut:cut] = [text]
    for header in (
        text,
        f"Bearer {text}",
        f"Bearer {'.'.join(parts[:3])}",
        f"Bearer {text}.SIGNATURE_REMOVED_BY_GOOGLE",
    ):
        refusal = judge.refusal(header)
        assert refusal
        assert refusal.status in {401, 403}


def test_certificates_are_fetched_once_and_again_for_a_new_key(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = tokens(google)
    for _ in range(3):
        assert judge.refusal(f"Bearer {google.token()}") is None
    assert google.asked == 1
    google.key_id = "second"
    # a token with an unknown key makes us ask no more often than that
    assert judge.refusal(f"Bearer {google.token()}")
    assert google.asked == 1
    monkeypatch.setattr(google_auth, "_AGAIN_SECONDS", 0.0)
    assert judge.refusal(f"Bearer {google.token()}") is None
    assert google.asked == 2


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b"[]", b'{"first": 1}'])
def test_where_the_certificates_are_not_to_be_had_nobody_can_tell(google: Google, answer: bytes) -> None:
    google.answer = answer
    judge = tokens(google)
    refusals = [judge.refusal(f"Bearer {google.token()}") for _ in range(3)]
    assert [refusal and refusal.status for refusal in refusals] == [503] * 3
    assert google.asked == 1


def test_where_nobody_has_certificates_nobody_can_tell() -> None:
    judge = PushTokens(AUDIENCES, EMAIL, url=f"http://127.0.0.1:{free_port()}")
    refusal = judge.refusal(f"Bearer {Google().token()}")
    assert refusal
    assert refusal.status == 503


def test_on_cloud_run_which_takes_the_signature_away_the_claims_are_judged(google: Google) -> None:
    def unsigned(**changed: object) -> str:
        return google.token(**changed).rpartition(".")[0] + ".SIGNATURE_REMOVED_BY_GOOGLE"

    assert judged(google, unsigned(), unsigned=True) is None
    assert judged(google, unsigned()) == 401
    assert judged(google, unsigned(aud="https://another.a.run.app"), unsigned=True) == 401
    assert judged(google, unsigned(exp=int(time.time()) - 60), unsigned=True) == 401
    assert judged(google, unsigned(email="somebody@example.org"), unsigned=True) == 403
    assert judged(google, google.token().rpartition(".")[0] + ".c2ln", unsigned=True) == 401


# ---------------------------------------------------------------- in the service


def client(warehouse: DuckDBWarehouse, judge: PushTokens) -> FlaskClient:
    handler = Handler(3, warehouse, lambda *_: "1", "")
    return service.routes(Flask(__name__), handler, "p", tokens=judge).test_client()


def test_a_push_without_the_token_is_turned_away_and_nothing_of_it_is_written(
    google: Google, tiny: DuckDBWarehouse, caplog: pytest.LogCaptureFixture
) -> None:
    opened = client(tiny, tokens(google))
    theirs, ours = google.token(email="somebody@example.org"), google.token()
    with caplog.at_level(logging.INFO):
        answers = [
            opened.post("/process", data=b"{}", headers={"Authorization": f"Bearer {token}"} if token else {})
            for token in ("", theirs, ours)
        ]
    # the last one is let in, and is no message
    assert [answer.status_code for answer in answers] == [401, 403, 400]
    assert [answer.get_json()["status"] for answer in answers] == ["rejected"] * 3
    assert len(rows(tiny, "SELECT * FROM nba_orchestration.deliveries")) == 1
    assert opened.get("/health").status_code == opened.get("/ready").status_code == 200
    written = caplog.text + repr([record.__dict__ for record in caplog.records]) + answers[1].text
    assert "not that of the push identity" in written
    assert all(part not in written for token in (theirs, ours) for part in token.split("."))


def test_the_check_is_on_where_its_audience_is_set_and_off_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(google_auth.PUSH_AUDIENCE, raising=False)
    monkeypatch.delenv(google_auth.ON_CLOUD_RUN, raising=False)
    assert service._push_tokens("p") is None  # noqa: SLF001 -- what the environment makes of it
    monkeypatch.setenv(google_auth.PUSH_AUDIENCE, " ".join(AUDIENCES))
    assert service._push_tokens("p") == PushTokens(AUDIENCES, EMAIL)  # noqa: SLF001
    monkeypatch.setenv(google_auth.ON_CLOUD_RUN, "service")
    assert service._push_tokens("p") == PushTokens(AUDIENCES, EMAIL, unsigned=True)  # noqa: SLF001
