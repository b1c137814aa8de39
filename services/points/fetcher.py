"""Fetching attachments into the evidence store: a part of points' consumer process, beside its messages.

Only from ATTACHMENT_HOSTS, never along a redirect, at most 8 MB and 20 seconds, and only what is a file of the kinds
that are taken. Several workers may do it at once: a row is skipped while another has it.
"""

import threading

from fleet import downloads, logs
from fleet import files as evidence_files
from fleet.database import is_outage, transaction
from fleet.downloads import TIME_LIMIT_S, NotFetched
from fleet.problems import Problem
from services.points import evidence
from services.points.evidence import Fetch

log = logs.get(__name__)

IDLE_S = 0.5


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
    """The whole attachment; raises NotFetched."""
    return downloads.download(fetch.url, fetch.size, time_limit_s)
