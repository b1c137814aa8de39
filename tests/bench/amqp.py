"""A confirming publisher that costs almost nothing, and a recorder of events: the bench's own ends of the bus.

pika spends more time on a message than the consumer under test; here frames are made from templates.
"""

import socket
import struct
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import pika
from pika import frame, spec

from deploy.local.children import wait_until
from fleet import topology
from fleet.messages import CONTENT_TYPE

ACK, NACK, CLOSE, CHANNEL_CLOSE = (60, 80), (60, 120), (10, 50), (20, 40)
ID_MARK = "0" * 36
HEADER = struct.Struct(">BHI")
ACK_BODY = struct.Struct(">HHQB")


class Wire:
    """One AMQP connection with one channel in confirm mode, publishing to one exchange and routing key."""

    def __init__(self, url: str, exchange: str, routing_key: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 5672), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read, self._next = b"", 1
        self.pending: dict[int, None] = {}
        self.refused = 0
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        self._shake_hands(user, password, parts.path.lstrip("/"))
        publish = spec.Basic.Publish(exchange=exchange, routing_key=routing_key)
        properties = pika.BasicProperties(
            content_type=CONTENT_TYPE, message_id=ID_MARK, type=routing_key, user_id=user, delivery_mode=2
        )
        header = frame.Header(1, 0, properties).marshal()
        mark = header.index(ID_MARK.encode())
        # After 7 bytes of frame header: class and weight (4), then the size of the body (8).
        self._before = frame.Method(1, publish).marshal() + header[:11]
        self._middle, self._after = header[19:mark], header[mark + 36 :]

    def _call(self, channel: int, method: Any, answer: Any) -> Any:
        self._socket.sendall(frame.Method(channel, method).marshal())
        return self._expect(answer)

    def _expect(self, answer: Any) -> Any:
        while True:
            used, found = frame.decode_frame(self._read)
            if found is None:
                self._read += self._receive()
                continue
            self._read = self._read[used:]
            if isinstance(found, frame.Method):
                if not isinstance(found.method, answer):
                    raise ConnectionError(f"the broker said {found.method}")
                return found.method

    def _shake_hands(self, user: str, password: str, vhost: str) -> None:
        self._socket.sendall(b"AMQP\x00\x00\x09\x01")
        self._expect(spec.Connection.Start)
        login = spec.Connection.StartOk({}, "PLAIN", f"\0{user}\0{password}", "en_US")
        tune = self._call(0, login, spec.Connection.Tune)
        agreed = spec.Connection.TuneOk(tune.channel_max, tune.frame_max, 0)
        self._socket.sendall(frame.Method(0, agreed).marshal())
        self._call(0, spec.Connection.Open(vhost), spec.Connection.OpenOk)
        self._call(1, spec.Channel.Open(), spec.Channel.OpenOk)
        self._call(1, spec.Confirm.Select(), spec.Confirm.SelectOk)

    def _receive(self) -> bytes:
        chunk = self._socket.recv(1 << 16)
        if not chunk:
            raise ConnectionError("the broker closed the connection")
        return chunk

    def send(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Write messages, each (id of 36 letters, body), without waiting for their confirms."""
        out: list[bytes] = []
        for message_id, body in messages:
            size = len(body)
            out += (self._before, size.to_bytes(8, "big"), self._middle, message_id.encode(), self._after)
            out += (HEADER.pack(3, 1, size), body, b"\xce")
            self.pending[self._next] = None
            self._next += 1
        self._socket.sendall(b"".join(out))

    def settle(self, down_to: int = 0) -> None:
        """Wait until at most `down_to` messages are without a confirm."""
        while len(self.pending) > down_to:
            self._read += self._receive()
            at = 0
            while len(self._read) - at >= 8:
                kind, _, size = HEADER.unpack_from(self._read, at)
                if len(self._read) - at < size + 8:
                    break
                if kind == 1:
                    self._on_method(at + 7)
                at += size + 8
            self._read = self._read[at:]

    def _on_method(self, at: int) -> None:
        kind = struct.unpack_from(">HH", self._read, at)
        if kind in (CLOSE, CHANNEL_CLOSE):
            raise ConnectionError(f"the broker closed: {self._read[at : at + 200]!r}")
        if kind not in (ACK, NACK):
            return
        *_, tag, flags = ACK_BODY.unpack_from(self._read, at)
        tags = [tag]
        if flags & 1:
            tags = []
            for each in self.pending:
                if each > tag:
                    break
                tags.append(each)
        for each in tags:
            self.pending.pop(each, None)
        self.refused += len(tags) if kind == NACK else 0

    def close(self) -> None:
        self._socket.close()


class Recorder:
    """Remembers when each event of a type arrived, by the attribute `by` of its envelope; for `with`."""

    def __init__(self, url: str, routing_key: str, by: str) -> None:
        self.seen: dict[str, float] = {}
        self._by = by
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        channel = self._connection.channel()
        queue = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue
        channel.queue_bind(queue, topology.EVENTS, routing_key)
        channel.basic_consume(queue, self._on_event, auto_ack=True)
        self._channel = channel
        self._thread = threading.Thread(target=self._consume, daemon=True)

    def _consume(self) -> None:
        while self._channel.is_open and not self._stop.is_set():
            self._connection.process_data_events(0.1)

    def _on_event(self, _channel: Any, _method: Any, _properties: Any, body: bytes) -> None:
        self.seen[orjson.loads(body)[self._by]] = time.monotonic()

    def await_all(self, names: Mapping[str, Any], seconds: float = 60) -> None:
        """Wait until all of them arrived, or the time is over."""
        wait_until(lambda: names.keys() <= self.seen.keys(), seconds, 0.1)

    def __enter__(self) -> "Recorder":
        self._stop = threading.Event()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self._connection.close()
