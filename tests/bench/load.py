"""A load of HTTP requests over kept connections, as a process of its own: few system calls, one epoll loop.

python -m tests.bench.load < specification   (JSON: port, clients, seconds, warmup, requests, members)

Each client sends a request, reads its whole answer, and sends the next. `requests` are complete texts, taken at random;
`{key}` in them becomes a fresh UUID and `{member}` the id of a random one of `members`. Prints one JSON object.
"""

import json
import random
import selectors
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from typing import Any

from tests.bench.figures import percentile
from tests.bench.seed import member_id

ROOM = 1 << 18
HEAD_END = b"\r\n\r\n"


def request(method: str, path: str, token: str = "", body: str = "", idempotent: bool = False) -> str:
    """The text of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Accept: application/json"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += ["Idempotency-Key: {key}"] if idempotent else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", body])


class Client:
    """One connection, with the answer that is on its way."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.wanted, self.closing = b"", 0, False

    def send(self, text: bytes) -> None:
        self.buffer, self.wanted = b"", 0
        self.sent = time.perf_counter()
        self.socket.sendall(text)

    def receive(self) -> int | None:
        """The status once the answer is complete, 0 when the connection was closed, else None."""
        try:
            chunk = self.socket.recv(ROOM)
        except OSError:
            chunk = b""
        if not chunk:
            return 0
        self.buffer += chunk
        if not self.wanted:
            end = self.buffer.find(HEAD_END)
            if end < 0:
                return None
            head = self.buffer[:end].lower()
            mark = head.find(b"content-length:")
            if mark < 0:
                raise ValueError(f"an answer without its length: {head[:200]!r}")
            # The gateway ends a connection after a thousand requests, and says so in the last answer.
            self.closing = b"\r\nconnection: close" in head
            self.wanted = end + 4 + int(head[mark + 15 :].split(b"\r\n", 1)[0])
        return int(self.buffer[9:12]) if len(self.buffer) >= self.wanted else None


def play(given: dict[str, Any]) -> dict[str, Any]:
    """Send the load and return its figures; what begins before the warm-up is over does not count."""
    texts = [text.encode() for text in given["requests"]]
    fill_member = b"{member}" in texts[0]
    fill_key = b"{key}" in texts[0]
    members, pick = given.get("members", 0), random.Random(given.get("seed"))

    def fresh() -> bytes:
        text = pick.choice(texts)
        if fill_member:
            text = text.replace(b"{member}", str(member_id(pick.randrange(members))).encode())
        return text.replace(b"{key}", uuid.uuid4().hex.encode()) if fill_key else text

    clients = [Client(given["port"]) for _ in range(given["clients"])]
    selector = selectors.DefaultSelector()
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send(fresh())
    times: list[float] = []
    statuses: Counter[int] = Counter()
    total = 0
    begin = time.perf_counter() + given["warmup"]
    end, cpu = begin + given["seconds"], 0.0
    while (now := time.perf_counter()) < end:
        if not cpu and now >= begin:
            cpu = time.process_time()
        for key, _ in selector.select(0.2):
            client = key.data
            status = client.receive()
            if status is None:
                continue
            now, total = time.perf_counter(), total + 1
            if client.sent >= begin and now <= end:
                statuses[status] += 1
                times.append(now - client.sent)
            if status == 0 or client.closing:
                selector.unregister(client.socket)
                client.socket.close()
                client.connect()
                selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(fresh())
    used = time.process_time() - cpu
    for client in clients:
        client.socket.close()
    good = sum(count for status, count in statuses.items() if 200 <= status < 300)
    times.sort()
    return {
        "rate": good / given["seconds"],
        "answers_rate": len(times) / given["seconds"],
        "p50_ms": percentile(times, 0.50) * 1000,
        "p99_ms": percentile(times, 0.99) * 1000,
        "max_ms": (times[-1] if times else float("nan")) * 1000,
        "count": len(times),
        "total": total,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "generator_cores": round(used / given["seconds"], 3),
    }


def run(port: int, requests: list[str], *, clients: int, seconds: float, members: int = 0) -> dict[str, Any]:
    """Play a load in a process of its own and return its figures."""
    warmup = min(1.0, seconds / 4)
    given = {"port": port, "requests": requests, "clients": clients, "seconds": seconds}
    given |= {"members": members, "warmup": warmup}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        out, _ = process.communicate(json.dumps(given), timeout=seconds + 90)
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise RuntimeError("the load ended early; see above")
    return json.loads(out)


if __name__ == "__main__":
    json.dump(play(json.load(sys.stdin)), sys.stdout)
