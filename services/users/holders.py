"""The services that hold something about members, and how they are asked to show or to forget it.

A service joins by its name in HOLDERS, once it declares and handles `ExportMember` and `EraseMember`
(fleet/contracts/privacy.py). users itself is not among them: its own part needs no message.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import contracts, outbox
from fleet.messages import now
from services.users.link_models import DiscordLink
from services.users.privacy_models import Erasure

HOLDERS: tuple[str, ...] = ("points", "rewards", "reviews", "bot", "integrations")

SOURCE = "users"
# A service that is down finds every repetition in its queue, so they become rare.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)


def all_ids(session: Session, member_id: UUID) -> list[UUID]:
    """The member's own id, those of Discord-born members that lead to it, and derived ids that it came back from."""
    linked = session.scalars(select(DiscordLink.born_id).where(DiscordLink.member_id == member_id)).all()
    ids = [member_id, *linked]
    derived = session.scalars(select(Erasure.returned_id).where(Erasure.returned_as.in_(ids))).all()
    return [*ids, *sorted({found for found in derived if found is not None} - set(ids))]


def ask_to_show(
    session: Session, service: str, export_id: UUID, part: int, member_ids: list[UUID], cursor: str | None
) -> None:
    """Ask for one part of an export; the answer names it (`export:<id>:<part>`)."""
    message = getattr(contracts, service).ExportMember(export_id, member_ids, cursor)
    outbox.record(session, message, source=SOURCE, subject=f"export:{export_id}:{part}", reply_to=SOURCE)


def ask_to_forget(session: Session, service: str, erasure: Erasure) -> None:
    """Ask for an erasure; the answer names it (`erasure:<id>`)."""
    message = getattr(contracts, service).EraseMember(erasure.id, erasure.member_ids, erasure.pseudonym)
    outbox.record(session, message, source=SOURCE, subject=f"erasure:{erasure.id}", reply_to=SOURCE)


def ask_again_at(asks: int) -> datetime:
    """When to ask once more after having asked `asks` times without an answer."""
    return now() + min(FIRST_PAUSE * 2 ** min(asks - 1, 10), LONGEST_PAUSE)
