"""Fetching attachments into the evidence store: a part of points' consumer process, beside its messages.

Only from ATTACHMENT_HOSTS, never along a redirect, at most 8 MB and 20 seconds, and only what is a file of the kinds
that are taken. Several workers may do it at once: a row is skipped while another has it.
"""

import http.client
import threading
from contextlib import suppress
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import urlsplit

from fleet import logs
from fleet.database import is_outage, transaction
from fleet.problems import Problem
from services.points import evidence, evidence_files
from services.points.evidence import Fetch
from services.points.evidence_files import MAX_BYTES

log = logs.get(__name__)

IDLE_S = 0.5
TIME_LIMIT_S = 20.0
_CHUNK = 65_536
# Answers that another attempt would only repeat.
_FINAL = frozenset({400, 401, 403, 404, 405, 410, 451})


class NotFetched(Exception):
    """The attachment was not had this time; `for_good` when trying again cannot help."""

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.for_good = reason, for_good


class Fetcher:
    """Fetches what is due until `stop` is set."""

    ready = True

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Fetch one after the other; rest while nothing is due, or the database is away."""
        while not self.stop.is_set():
            try:
                busy = fetch_next()
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("fetching_postponed")
                busy = False
            if not busy:
                self.stop.wait(IDLE_S)


def fetch_next() -> bool:
    """Fetch the attachment whose turn it is; False when none is due. No transaction is open during the download."""
    with transaction() as session:
        fetch = evidence.take_due(session)
    if fetch is None:
        return False
    try:
        stored = evidence_files.keep(download(fetch))
    except (NotFetched, Problem, OSError) as error:
        reason, for_good = _verdict(error)
        with transaction() as session:
            state = evidence.not_fetched(session, fetch, reason, for_good=for_good)
        log.warning("evidence_not_fetched", evidence_id=str(fetch.evidence_id), state=state, reason=reason)
        return True
    with transaction() as session:
        state = evidence.fetched(session, fetch, stored)
    log.info("evidence_fetched", evidence_id=str(fetch.evidence_id), state=state, size=stored.size)
    return True


def _verdict(error: NotFetched | Problem | OSError) -> tuple[str, bool]:
    """What to say of a failed attempt, and whether it was the last."""
    if isinstance(error, NotFetched):
        return error.reason, error.for_good
    if isinstance(error, evidence_files.WrongType | evidence_files.TooLarge):
        return error.title.lower(), True
    # The store itself: no space, no folder. That is ours to mend, so it is tried again.
    return "it could not be stored", False


def download(fetch: Fetch, time_limit_s: float = TIME_LIMIT_S) -> bytes:
    """The whole attachment; raises NotFetched. The limit of time is for all of it, however slowly it trickles."""
    if not evidence.is_allowed(fetch.url):
        raise NotFetched("its address is not one that attachments are taken from", for_good=True)
    parts = urlsplit(fetch.url)
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
    if len(data) != fetch.size:
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
