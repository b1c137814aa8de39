"""What the gateway's tests run: nginx on a free port, and servers that stand for the services."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from deploy.local.binaries import Program
from gateway.render import DOORS, render

PATIENCE = 15.0


@dataclass
class Seen:
    """A request as it reached a service."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What a client got: headers as a list, so that one given twice is seen."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The value of a header that is there once; None when it is not there."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} was given {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Upstream:
    """A service: answers every request with what it saw, or as `behave` wants (returning True when it answered)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[Seen] = []
        self.behave: Callable[[Any], bool] = lambda _handler: False
        self.ready = (200, b'{"status":"ready"}')
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def handle_one_request(self) -> None:
                # nginx drops idle connections whenever it likes.
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def parse_request(self) -> bool:
                if not super().parse_request():
                    return False
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/readyz":
                    self.answer(upstream.ready[0], upstream.ready[1])
                    return False
                self.seen = Seen(self.command, self.path, dict(self.headers.items()), body)
                upstream.seen.append(self.seen)
                if not upstream.behave(self):
                    said = {"service": upstream.name, **vars(self.seen), "body": len(body)}
                    self.answer(200, json.dumps(said).encode())
                return False

            def answer(self, status: int, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> None:
                self.send_response(status)
                given = {"Content-Type": "application/json", "Content-Length": str(len(body))}
                for name, value in [*((n, v) for n, v in given.items() if n not in dict(headers)), *headers]:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else body)
                self.wfile.flush()

            def log_message(self, *_arguments: object) -> None:
                """Tests look at `seen`."""

        class Server(ThreadingHTTPServer):
            # The default of 5 lets connections wait for a second SYN when the machine is busy: longer than nginx does.
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """nginx out of `render`, in the foreground as in production."""

    def __init__(self, program: Program, target: Path, upstreams: dict[str, str], **options: Any) -> None:
        self.program, self.target, self.user = program, target, options.pop("user", None)
        self.upstreams, self.options = upstreams, {"settings": {}, **options}
        self.environment = {**os.environ, **program.environment}
        for _attempt in range(5):
            self.port = free_port()
            self.render()
            self.process = self._start()
            if self._listening():
                return
        raise AssertionError(f"nginx does not start: {(target / 'run/out').read_text()}")

    def render(self, **changes: Any) -> Path:
        self.options |= changes
        return render(self.target, listen=f"127.0.0.1:{self.port}", upstreams=self.upstreams, **self.options)

    def command(self, *arguments: str) -> list[str]:
        return [str(self.program.path), "-p", str(self.target), "-c", str(self.target / "nginx.conf"), *arguments]

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.target / "run/out").open("wb") as out:
            command = self.command("-e", "stderr", "-g", "daemon off;")
            return subprocess.Popen(command, stdout=out, stderr=out, env=self.environment, user=self.user)

    def _listening(self) -> bool:
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except ConnectionRefusedError:
                assert time.monotonic() < end, "nginx does not listen"
                time.sleep(0.005)
            else:
                return True
        return False

    def test(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command("-t"), env=self.environment, capture_output=True, text=True, check=False)

    def reload(self) -> None:
        subprocess.run(self.command("-s", "reload"), env=self.environment, check=True, capture_output=True)

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            found = connection.getresponse()
            return Answer(found.status, found.getheaders(), found.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, {name.replace("_", "-"): value for name, value in headers.items()})

    def say(self, text: bytes) -> Answer:
        """These bytes and nothing else, and the answer to them."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as line:
            line.sendall(text)
            found = http.client.HTTPResponse(line)
            found.begin()
            return Answer(found.status, found.getheaders(), found.read())

    def stop(self) -> None:
        """End it once it has finished what it serves, every log line written."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(PATIENCE)


@dataclass
class Fleet:
    """A gateway with a server behind each service's name."""

    gateway: Gateway
    services: dict[str, Upstream]

    def hits(self) -> dict[str, int]:
        return {name: len(service.seen) for name, service in self.services.items() if service.seen}

    def forget(self) -> None:
        for service in self.services.values():
            service.seen.clear()
            service.behave = lambda _handler: False
            service.ready = (200, b'{"status":"ready"}')


def services(names: tuple[str, ...] = DOORS) -> dict[str, Upstream]:
    return {name: Upstream(name) for name in names}
