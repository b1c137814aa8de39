"""Other bots and tools: how their requests prove themselves, and what a request may do.

A request is signed with a shared secret over its time, a nonce and its body. It is good for five minutes and once: the
nonce is written down, and committed, before anything is done. What it sends to other services goes by the outbox like a
command in Discord; under an `Idempotency-Key` it is sent once, and asked again it is answered as it was.
"""

import hmac
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from werkzeug.datastructures import Headers

from fleet import asking, outbox
from fleet.contracts import contract_of
from fleet.database import transaction
from fleet.idempotency import KeyReused
from fleet.problems import NotFound, Unauthorized
from fleet.settings import read
from services.bot.models import SeenPerson
from services.bot.notice_models import Contact
from services.bot.settings import ToolSettings
from services.bot.tool_models import ToolCommand, ToolNonce

TOLERANCE_S = 300
# A nonce outlives every time stamp that could come with it.
NONCES_KEPT = timedelta(seconds=3 * TOLERANCE_S)
COMMANDS_KEPT = timedelta(days=7)
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)
_STAMP = re.compile(r"[0-9]{1,11}", re.ASCII)
SIGN = (
    "Send X-Propel-Key-Id, X-Propel-Timestamp (unix seconds), X-Propel-Nonce (16 to 128 letters, digits, - or _) and"
    " X-Propel-Signature, the hexadecimal HMAC-SHA256 of v1, timestamp, nonce and body with line feeds between them."
)


def signature(secret: str, stamp: str, nonce: str, body: bytes) -> str:
    """What X-Propel-Signature must be."""
    said = b"\n".join((b"v1", stamp.encode(), nonce.encode(), body))
    return hmac.digest(secret.encode(), said, sha256).hex()


def authenticate(headers: Headers, body: Callable[[], bytes]) -> str:
    """Whose request this is: the id of the secret it was signed with. Its nonce is used up, whatever becomes of it.

    `body` reads the raw body; it is not read before all else is right. Raises Unauthorized.
    """
    settings = read(ToolSettings)
    if not settings.secrets:
        raise Unauthorized("No tool may call this: BOT_SHARED_SECRET is not set.")
    if settings.allow_plain_secret and "X-Propel-Signature" not in headers and (plain := headers.get("X-Bot-Secret")):
        return _plain(settings.secrets, plain)
    key_id, stamp = headers.get("X-Propel-Key-Id", ""), headers.get("X-Propel-Timestamp", "")
    nonce, given = headers.get("X-Propel-Nonce", ""), headers.get("X-Propel-Signature", "")
    secret = settings.secrets.get(key_id)
    if secret is None or not _NONCE.fullmatch(nonce) or not _STAMP.fullmatch(stamp) or not given:
        raise Unauthorized(f"The request is not signed by a secret that is known here. {SIGN}")
    if abs(time.time() - int(stamp)) > TOLERANCE_S:
        raise Unauthorized("The time stamp is more than five minutes away: set the clock, and sign each request anew.")
    right = signature(secret, stamp, nonce, body())
    if not hmac.compare_digest(right.encode(), given.encode("utf-8", "replace")):
        raise Unauthorized(f"The signature is not right. {SIGN}")
    use_up(key_id, nonce)
    return key_id


def _plain(secrets: Mapping[str, str], given: str) -> str:
    for key_id, secret in secrets.items():
        if hmac.compare_digest(secret.encode(), given.encode("utf-8", "replace")):
            return key_id
    raise Unauthorized("X-Bot-Secret is not right.")


def use_up(key_id: str, nonce: str) -> None:
    """Write a nonce down for good, in a transaction of its own. Raises Unauthorized for one that came before."""
    with transaction() as session:
        row = insert(ToolNonce).values(key_id=key_id, nonce=nonce)
        if session.scalar(row.on_conflict_do_nothing().returning(ToolNonce.nonce)) is None:
            raise Unauthorized("This request came before. Sign each one anew; an Idempotency-Key makes repeating safe.")


@dataclass(frozen=True)
class Visit:
    """One request of a tool: what an action works with.

    `reference` names what it wants, once and for all; `idempotency_key` is None when it did not say that it may come again.
    """

    key_id: str
    reference: str
    idempotency_key: str | None
    fingerprint: bytes

    def ask(self, question: Any) -> Any:
        """The typed answer of another service. Raises Refused in its words, Unavailable."""
        return asking.ask(question, source="bot")

    def ask_or_none(self, question: Any) -> Any:
        """As `ask`, None for what its owner does not find."""
        try:
            return self.ask(question)
        except asking.Refused as refused:
            if refused.status != NotFound.status:
                raise
            return None

    def tell(self, command: Any) -> Any:
        """Send a command and return its typed outcome; under an Idempotency-Key only the first time it is sent.

        Raises Refused, Unavailable (it will be carried out all the same), KeyReused for a key that came with another body.
        """
        type_ = contract_of(command).type
        return asking.ask_by(lambda session: self._sent(session, command), type_, keep=self.idempotency_key is not None)

    def _sent(self, session: Session, command: Any) -> UUID:
        if self.idempotency_key is None:
            return outbox.record(session, command, source="bot", reply_to="bot")
        # Two at once: the second waits here until the first has sent.
        lock = func.hashtextextended(f"{self.key_id} {self.idempotency_key}", 0)
        session.execute(select(func.pg_advisory_xact_lock(lock)))
        before = session.get(ToolCommand, (self.key_id, self.idempotency_key))
        if before is not None:
            if before.fingerprint != self.fingerprint:
                raise KeyReused("Use another key for another request.")
            return before.message_id
        message_id = outbox.record(session, command, source="bot", reply_to="bot")
        session.add(
            ToolCommand(
                key_id=self.key_id,
                idempotency_key=self.idempotency_key,
                fingerprint=self.fingerprint,
                message_id=message_id,
            )
        )
        return message_id

    def member(self, discord_id: str, what: str = "discord_id") -> UUID:
        """The member behind a Discord id. Raises NotFound for whom the bot has never seen, and for who was forgotten."""
        with transaction() as session:
            found = session.scalar(select(SeenPerson.member_id).where(SeenPerson.discord_id == discord_id))
        if found is None:
            raise NotFound(f"Nobody with this {what} is known here. Use upsert-user first.")
        return found


def discord_ids(member_ids: Collection[UUID]) -> dict[UUID, str]:
    """The Discord ids of members, of those who have one."""
    with transaction() as session:
        seen = select(SeenPerson.member_id, SeenPerson.discord_id).where(SeenPerson.member_id.in_(member_ids))
        linked = select(Contact.member_id, Contact.discord_id).where(
            Contact.member_id.in_(member_ids), Contact.discord_id.is_not(None)
        )
        return {row.member_id: row.discord_id for statement in (seen, linked) for row in session.execute(statement)}


def forget_old(session: Session) -> None:
    """Drop nonces that no request could come with any more, and commands that nobody asks for again."""
    session.execute(delete(ToolNonce).where(ToolNonce.seen_at < func.now() - NONCES_KEPT))
    session.execute(delete(ToolCommand).where(ToolCommand.sent_at < func.now() - COMMANDS_KEPT))
