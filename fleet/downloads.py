"""Fetching a file from somebody else's server, from known hosts only.

Never along a redirect, at most 8 MB and so many seconds in all, however slowly it trickles, and of the announced size.
"""

import http.client
import threading
from contextlib import suppress
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import urlsplit

from fleet.files import MAX_BYTES, EvidenceSettings
from fleet.settings import read

TIME_LIMIT_S = 20.0
_CHUNK = 65_536
# Answers that another attempt would only repeat.
_FINAL = frozenset({400, 401, 403, 404, 405, 410, 451})
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class NotFetched(Exception):
    """The attachment was not had this time; `for_good` when trying again cannot help."""

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.for_good = reason, for_good


def is_allowed(url: str) -> bool:
    """True for https at a host of ATTACHMENT_HOSTS, exactly; http too where that host is this machine (local mode)."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    if len(url) > 2048 or any(ord(c) <= 32 or ord(c) > 126 for c in url) or "@" in parts.netloc or "\\" in url:
        return False
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        return False
    usual = port in (None, 443 if parts.scheme == "https" else 80)
    allowed = {entry.strip().lower() for entry in read(EvidenceSettings).hosts.split(",") if entry.strip()}
    return f"{host}:{port}" in allowed or (usual and host in allowed)


def download(url: str, size: int, time_limit_s: float = TIME_LIMIT_S) -> bytes:
    """The whole attachment; raises NotFetched. The limit of time is for all of it, however slowly it trickles."""
    if not is_allowed(url):
        raise NotFetched("its address is not one that attachments are taken from", for_good=True)
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=time_limit_s)
    data = bytearray()
    try:
        connection.connect()
        cut = threading.Timer(time_limit_s, _cut, [connection.sock])
        cut.daemon = True
        cut.start()
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target or "/", headers={"User-Agent": "Propel"})
            answer = connection.getresponse()
            _refuse_bad(answer)
            while chunk := answer.read1(_CHUNK):
                data += chunk
                if len(data) > MAX_BYTES:
                    raise NotFetched("it is larger than 8 MB", for_good=True)
        finally:
            cut.cancel()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotFetched("its server did not answer in full") from error
    finally:
        connection.close()
    # A connection that breaks looks like one that ends; the sender told how much there is.
    if len(data) != size:
        raise NotFetched("it is not of the size that was announced")
    return bytes(data)


def _cut(socket: Any) -> None:
    """End a connection whose time is over, wherever its reader is waiting."""
    with suppress(OSError):
        socket.shutdown(SHUT_RDWR)


def _refuse_bad(answer: http.client.HTTPResponse) -> None:
    if answer.status != 200:
        final = 300 <= answer.status < 400 or answer.status in _FINAL
        raise NotFetched(f"its server answered with status {answer.status}", for_good=final)
    announced = answer.getheader("Content-Length")
    if announced is not None and announced.isdecimal() and int(announced) > MAX_BYTES:
        raise NotFetched("it is larger than 8 MB", for_good=True)
