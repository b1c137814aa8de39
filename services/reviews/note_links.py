"""Signed links for professionals, who have no account: each is for one session and one purpose, and expires.

The link carries what it is for and an HMAC over it; nothing of it is stored. Having a professional's address opens
nothing (and none of our accounts is ever taken for theirs).
"""

import base64
import hmac
import time
from hashlib import sha256
from typing import Literal
from uuid import UUID

from fleet.problems import Problem
from fleet.settings import read
from services.reviews.settings import LinkSettings

Purpose = Literal["notes", "resume"]
LIFE_S = {"notes": 30 * 86_400, "resume": 14 * 86_400}


class BadLink(Problem):
    """The link is not one of ours, is for something else, or has expired."""

    status, slug, title = 404, "bad-link", "This link is not valid"


def make(purpose: Purpose, subject_id: UUID, at: float | None = None) -> str:
    """A token that opens one thing for one purpose until it expires."""
    expires = int((time.time() if at is None else at) + LIFE_S[purpose])
    said = f"{purpose}.{subject_id.hex}.{expires}"
    return f"{said}.{_signature(said)}"


def open_one(token: str, purpose: Purpose, at: float | None = None) -> UUID:
    """What a token opens. Raises BadLink."""
    said, _, signature = token.rpartition(".")
    parts = said.split(".")
    if (
        len(token) > 200
        or not token.isascii()
        or not hmac.compare_digest(signature, _signature(said))
        or len(parts) != 3
    ):
        raise BadLink("Ask for a new link.")
    kind, subject, expires = parts
    if kind != purpose or int(expires) < (time.time() if at is None else at):
        raise BadLink("The link has expired, or is for something else.")
    return UUID(subject)


def _signature(said: str) -> str:
    key = read(LinkSettings).key
    digest = hmac.new(key.encode(), b"propel-reviews-link\n" + said.encode(), sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
