"""Tables of Discord links. That an account has at most one member, and a member at most one account, is the unique
`members.discord_id`; here is what has to be known besides."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from services.users.models import Base


class DiscordLink(Base):
    """Where the id of a Discord-born member leads. While it is linked there is no such member, only the web member.

    `link_version` counts the changes of the link, from 1 and without gaps. The versions of the Discord-born member's own
    events are kept, so that they go on when the member exists again. This row's lock decides between changes of the link.
    """

    __tablename__ = "discord_links"
    __table_args__ = (
        CheckConstraint("(member_id IS NULL) = (linked_at IS NULL)", name="linked_since"),
        CheckConstraint("born_id <> member_id", name="leads_elsewhere"),
    )

    born_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("members.id"), unique=True)
    linked_at: Mapped[datetime | None]
    link_version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    born_version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    born_security_version: Mapped[int] = mapped_column(BigInteger, server_default="0")


class LinkCode(Base):
    """A code to link a Discord account, by its keyed digest: for one web session, one claimant, one use, ten minutes.

    It is claimed once. Both sides then confirm what the other side is; `outcome` is set once and ends it. A web member
    has at most one that is open.
    """

    __tablename__ = "link_codes"
    __table_args__ = (
        CheckConstraint("outcome IN ('linked', 'declined', 'cancelled', 'replaced')", name="outcome"),
        CheckConstraint(
            "(claimed_by IS NULL) = (claimed_at IS NULL) AND (claimed_by IS NULL) = (claimed_born_id IS NULL)"
            " AND (claimed_by IS NULL) = (claimed_username IS NULL)"
            " AND (claimed_by IS NULL) = (claimed_display_name IS NULL)",
            name="claimed_by_somebody",
        ),
        CheckConstraint(
            "claimed_by IS NOT NULL OR (discord_confirmed_at IS NULL AND web_confirmed_at IS NULL)",
            name="confirmed_after_the_claim",
        ),
        CheckConstraint(
            "outcome <> 'linked' OR (discord_confirmed_at IS NOT NULL AND web_confirmed_at IS NOT NULL)",
            name="linked_by_both",
        ),
        Index("uq_link_codes_open", "member_id", unique=True, postgresql_where=text("outcome IS NULL")),
        Index("ix_link_codes_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"))
    session_id: Mapped[UUID]
    code_digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    claimed_by: Mapped[str | None]
    claimed_born_id: Mapped[UUID | None]
    claimed_username: Mapped[str | None]
    claimed_display_name: Mapped[str | None]
    claimed_at: Mapped[datetime | None]
    discord_confirmed_at: Mapped[datetime | None]
    web_confirmed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
