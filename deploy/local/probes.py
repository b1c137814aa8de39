"""Ways to ask a process whether it is ready. Each gives a function without arguments that never raises."""

import contextlib
import http.client
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

Probe = Callable[[], bool]


def http_ok(url: str, seconds: float = 2.0, containing: bytes = b"") -> Probe:
    """Ready when `url` answers 200 with a body that holds `containing`."""
    parts = urlsplit(url)

    def probe() -> bool:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", parts.path or "/")
            answer = connection.getresponse()
            return answer.status == 200 and containing in answer.read()
        return False

    return probe


def listens(port: int, greeting: bytes = b"", answer: bytes = b"", seconds: float = 1.0) -> Probe:
    """Ready when the port on this machine takes a connection and, given a greeting, answers as expected."""

    def probe() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            if not greeting:
                return True
            connection.sendall(greeting)
            return connection.recv(64).startswith(answer)
        return False

    return probe
