"""One signed request to an integrator's address, which may be anybody's: never into our own network, never along a redirect.

A name is resolved once, everything it resolves to must be a public address, and the connection goes to the very address
that was looked at: a name that points elsewhere a moment later gains nothing.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

from standardwebhooks import Webhook as Signer

from fleet.problems import invalid
from fleet.settings import read
from services.integrations.settings import WebhookSettings

TIME_LIMIT_S = 10.0
LONGEST_URL = 2048
CONTENT_TYPE = "application/cloudevents+json"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The request was not made; the words say why, for whoever reads the log of deliveries."""


@dataclass(frozen=True)
class Outcome:
    """What came of one request: a status, or an error in words; how long it took, and how long to wait if it said so."""

    status: int | None
    error: str | None
    milliseconds: int
    retry_after_s: int = 0

    @property
    def delivered(self) -> bool:
        """True when the address took it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """True when the address says that it wants nothing any more."""
        return self.status == 410


def _allowed_networks() -> list[Any]:
    found = read(WebhookSettings).allowed.split(",")
    return [ipaddress.ip_network(each.strip()) for each in found if each.strip()]


def _is_allowed(address: Address) -> bool:
    return any(address.version == network.version and address in network for network in _allowed_networks())


def is_public(address: Address) -> bool:
    """True for an address that leads into the public internet, also one that is wrapped in another (IPv4 in IPv6)."""
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if wrapped:
            return is_public(wrapped)
        if address in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast


def check(url: str, pointer: str = "/url") -> None:
    """Raise InvalidFields for an address that no webhook can go to, as far as it can be told without resolving it."""
    try:
        parts = _split(url)
        literal = ipaddress.ip_address((parts.hostname or "").strip("[]"))
    except Refused as error:
        raise invalid(pointer, str(error)) from error
    except ValueError:
        return
    if not (is_public(literal) or _is_allowed(literal)):
        raise invalid(pointer, "leads into a private network")


def _split(url: str) -> SplitResult:
    if len(url) > LONGEST_URL or any(ord(c) <= 32 or ord(c) > 126 for c in url) or "\\" in url:
        raise Refused(f"must be an address of at most {LONGEST_URL} printable ASCII characters")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise Refused("is not an address") from error
    if not host or parts.scheme not in ("https", "http") or "@" in parts.netloc or parts.fragment:
        raise Refused("must be https://host/path, without a name, a password or a fragment")
    if parts.scheme == "http" and not _allowed_networks():
        raise Refused("must begin with https://")
    return parts


def resolve(parts: SplitResult) -> str:
    """The address to connect to; raises Refused when a name resolves to nothing, or to anything that is not public."""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused("its name cannot be resolved") from error
    addresses = [ipaddress.ip_address(str(each[4][0]).split("%")[0]) for each in found]
    for address in addresses:
        private = _is_allowed(address)
        if not (private or is_public(address)):
            raise Refused("leads into a private network")
        if parts.scheme == "http" and not private:
            raise Refused("must begin with https://")
    return str(addresses[0])


def signatures(secrets: list[str], event_id: str, at: datetime, body: str) -> str:
    """The header that proves the body: one signature for each secret that is in use."""
    return " ".join(Signer(secret).sign(event_id, at, body) for secret in secrets)


def post(
    url: str, secrets: list[str], event_id: str, at: datetime, body: str, limit_s: float = TIME_LIMIT_S
) -> Outcome:
    """Send one event; never raises for what the other side does. `limit_s` is for all of it, however slowly it trickles."""
    began = time.monotonic()

    def outcome(status: int | None, error: str | None, retry_after_s: int = 0) -> Outcome:
        return Outcome(status, error, round((time.monotonic() - began) * 1000), retry_after_s)

    headers = {
        "Content-Type": CONTENT_TYPE,
        "User-Agent": "Propel-Webhooks",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signatures(secrets, event_id, at, body),
    }
    try:
        parts = _split(url)
        status, retry_after = _send(parts, resolve(parts), body.encode(), headers, limit_s)
    except Refused as error:
        return outcome(None, str(error))
    except ssl.SSLCertVerificationError as error:
        return outcome(None, f"its certificate is not valid: {error.verify_message}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return outcome(None, f"no answer: {type(error).__name__}")
    if 300 <= status < 400:
        return outcome(status, "redirects are not followed: give the address that answers")
    return outcome(status, None, retry_after)


def _send(parts: SplitResult, address: str, body: bytes, headers: dict[str, str], limit_s: float) -> tuple[int, int]:
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=limit_s)
    # Connected by hand, to the address that was looked at; the name stays in Host and in the certificate's check.
    line: socket.socket = socket.create_connection((address, port), timeout=limit_s)
    cut = threading.Timer(limit_s, _cut, [line])
    cut.daemon = True
    cut.start()
    try:
        if parts.scheme == "https":
            line = ssl.create_default_context().wrap_socket(line, server_hostname=host)
        connection.sock = line
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()
        wait = answer.getheader("Retry-After", "")
        return answer.status, min(int(wait), 3600) if wait.isdecimal() and len(wait) < 9 else 0
    finally:
        cut.cancel()
        connection.close()
        line.close()


def _cut(line: socket.socket) -> None:
    """End a connection whose time is over, wherever it is waiting."""
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
