"""This process is integrations. Receivers of webhooks are real HTTP servers on free ports of this machine."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from standardwebhooks import Webhook as Verifier

from fleet.contracts.points import ActivityLogged
from fleet.database import transaction
from fleet.messages import Envelope, envelope_for, new_id, now
from services.integrations import feed
from services.integrations.app import create_app
from services.integrations.subscriptions import subscriptions
from tests.signing import TestKey

BOSS = UUID("00000000-0000-7000-8000-00000000b055")


@pytest.fixture(autouse=True)
def integrations(on: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTEGRATIONS_ALLOWED_NETWORKS", "127.0.0.0/8")
    on("integrations")


@pytest.fixture
def client(keys: TestKey) -> FlaskClient:
    return create_app(keys=keys).test_client()


@pytest.fixture
def boss(keys: TestKey, client: FlaskClient) -> Callable[..., Any]:
    """`boss("POST", path, json=...)` as an admin."""

    def send(method: str, path: str, **words: Any) -> Any:
        return client.open(path, method=method, headers=keys.bearer(BOSS, "admin"), **words)

    return send


@pytest.fixture
def integrator(boss: Callable[..., Any], client: FlaskClient) -> Callable[..., Any]:
    """`integrator(path)` with a new API key that may read and replay."""
    words = {"name": "acme", "scopes": ["events:read", "events:replay"], "integrator": "acme"}
    token = boss("POST", "/api/keys/", json=words).get_json()["key"]

    def send(path: str, method: str = "GET", **more: Any) -> Any:
        return client.open(path, method=method, headers={"Authorization": f"Bearer {token}"}, **more)

    return send


def logged(member_id: UUID | None = None, sequence: int = 1) -> Envelope[Any]:
    """An award as points tells it; `sequence` is the version of the member's balance."""
    member_id = member_id or new_id()
    award = ActivityLogged(member_id, new_id(), "resource_share", "content", 10, 1, now(), 10 * sequence, 10 * sequence)
    return envelope_for(award, source="points", subject=str(member_id), sequence=sequence)


def hear(*events: Envelope[Any]) -> None:
    """What the consumer does with messages that arrive one by one."""
    for event in events:
        with transaction() as session:
            subscriptions.handlers[event.type](session, event)


def everything(after: int = 0) -> list[dict[str, Any]]:
    """All events of the feed, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        with transaction() as session:
            page = feed.page(session, after, None, 100)
        found += page.items
        after = page.next_after
        if page.ended:
            return found


class Receiver:
    """An integrator's web server: keeps what it is sent, and answers what `answers` says next (204 when it is empty)."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int | tuple[int, dict[str, str]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                said = receiver.answers.pop(0) if receiver.answers else 204
                status, headers = said if isinstance(said, tuple) else (said, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/propel?tenant=7"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _body in self.requests]

    def verified(self, secret: str) -> list[Any]:
        """What it was sent, each checked by the standard's own library."""
        return [Verifier(secret).verify(body, headers) for headers, body in self.requests]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def webhook(boss: Callable[..., Any], receiver: Receiver) -> Callable[..., dict[str, Any]]:
    """`webhook(types=[...])` is a webhook to the receiver, with its secret."""

    def make(**words: Any) -> dict[str, Any]:
        body = {"name": "acme", "url": receiver.url, "contact": "ops@acme.example", **words}
        answer = boss("POST", "/api/webhooks/", json=body)
        assert answer.status_code == 201, answer.get_json()
        return answer.get_json()

    return make
