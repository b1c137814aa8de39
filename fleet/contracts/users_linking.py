"""What users hears of linking a Discord account, and says when asked; a part of `users`, which names all of it.

The bot never passes a link code on: what travels, waits in queues and is kept is the code's keyed digest. The secret is
the installation's namespace of member ids, which only users and the bot have.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fleet.contracts import command, question

# Without 0, 1, I and O, which are read one for another.
CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 8


def code_digest(namespace: UUID, code: str) -> str:
    """The keyed digest of a link code as somebody typed it: case, spaces and hyphens do not matter."""
    plain = "".join(character for character in code.upper() if character not in " -\t\u2010\u2011\u2013`")
    return hmac.digest(namespace.bytes, b"link-code\x00" + plain.encode("utf-8", "replace"), hashlib.sha256).hex()


@dataclass(frozen=True)
class LinkOffer:
    """The web account that would be linked, shown to the claimant alone: enough to know one's own, not to learn another's."""

    link_id: UUID
    web_account: str
    registered_at: datetime
    expires_at: datetime
    web_email: str | None = None


@dataclass(frozen=True)
class LinkClaim:
    """What became of a code that was typed in Discord; without an offer it is not valid (any more), and was counted."""

    offer: LinkOffer | None = None


@command("users.claim_link.v1", senders=("bot",), answer=LinkClaim)
@dataclass(frozen=True)
class ClaimLink:
    """A person typed a link code where nobody else reads it. `member_id`: their own id, as in RegisterMember."""

    member_id: UUID
    discord_id: str
    discord_username: str
    display_name: str
    code_digest: str
    seen_at: datetime


@dataclass(frozen=True)
class LinkConfirmation:
    """How far a link has come."""

    state: Literal["linked", "waiting_for_web", "declined"]


@command("users.confirm_link.v1", senders=("bot",), answer=LinkConfirmation)
@dataclass(frozen=True)
class ConfirmLink:
    """Whoever claimed a code says whether the web account they were shown is theirs."""

    link_id: UUID
    discord_id: str
    accept: bool


@command("users.cancel_link.v1", senders=("bot",))
@dataclass(frozen=True)
class CancelLink:
    """A code was shown to everybody: nobody may use it any more, whoever typed it."""

    discord_id: str
    code_digest: str


@dataclass(frozen=True)
class Identity:
    """Who a person in Discord is to Propel. `web_account`: the name of the linked account, None without one."""

    display_name: str
    role: str
    status: str
    suspended_until: datetime | None = None
    web_account: str | None = None
    linked_at: datetime | None = None


@question("users.get_identity.v1", senders=("bot",), answer=Identity)
@dataclass(frozen=True)
class GetIdentity:
    """Who is this?"""

    member_id: UUID
