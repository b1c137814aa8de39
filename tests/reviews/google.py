"""A small server that speaks enough of Google's token, Calendar and Forms APIs for the real client library."""

import http.server
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


class Google(http.server.ThreadingHTTPServer):
    """Events by id, forms with responses, and how many answers are refused first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.events: dict[str, dict[str, Any]] = {}
        self.form: dict[str, Any] = {"items": []}
        self.responses: list[dict[str, Any]] = []
        self.filters: list[str] = []
        self.calls: list[str] = []
        self.broken = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def key(self, folder: Path) -> Path:
        """A service account's key file whose tokens are had here."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = folder / "service-account.json"
        said = {
            "type": "service_account",
            "client_email": "propel@project.test",
            "private_key": pem.decode(),
            "private_key_id": "1",
            "token_uri": f"{self.url}/token",
        }
        path.write_text(json.dumps(said))
        return path


class Handler(http.server.BaseHTTPRequestHandler):
    """The protocol."""

    server: Google

    def answer(self, status: int, body: dict[str, Any] | None = None) -> None:
        raw = json.dumps(body or {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def handle_call(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        if parts.path == "/token":
            return self.answer(200, {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})
        self.server.calls.append(f"{self.command} {parts.path}")
        if self.headers.get("Authorization") != "Bearer t":
            return self.answer(401)
        if self.server.broken:
            self.server.broken -= 1
            return self.answer(503, {"error": {"code": 503}})
        if parts.path.startswith("/v1/forms/"):
            return self.forms(parts.path, parse_qs(parts.query))
        return self.calendar(parts.path.rpartition("/")[2], json.loads(raw or b"{}"))

    def calendar(self, last: str, body: dict[str, Any]) -> None:
        events = self.server.events
        if self.command == "POST":
            if body["id"] in events:
                return self.answer(409, {"error": {"code": 409}})
            link = f"https://meet.google.com/{body['id'][-10:]}"
            events[body["id"]] = body | {"hangoutLink": link}
            return self.answer(200, events[body["id"]])
        if last not in events:
            return self.answer(404, {"error": {"code": 404}})
        if self.command == "DELETE":
            del events[last]
            return self.answer(204)
        events[last] |= body
        return self.answer(200, events[last])

    def forms(self, path: str, query: dict[str, list[str]]) -> None:
        if not path.endswith("/responses"):
            return self.answer(200, self.server.form)
        self.server.filters.append(query["filter"][0])
        since = query["filter"][0].removeprefix("timestamp >= ")
        due = [one for one in self.server.responses if one["lastSubmittedTime"] >= since]
        start = int(query.get("pageToken", ["0"])[0])
        page: dict[str, Any] = {"responses": due[start : start + 2]}
        if start + 2 < len(due):
            page["nextPageToken"] = str(start + 2)
        return self.answer(200, page)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_call

    def log_message(self, *_words: object) -> None:
        return
