"""Tables of users. The constraints make two members of one name, one address or one Discord account impossible."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fleet.database import metadata
from fleet.mail import mail_queue
from fleet.rates import rate_windows


class Base(DeclarativeBase):
    """All tables that users owns."""

    metadata = metadata()
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), UUID: Uuid, dict[str, Any]: JSONB}


class Member(Base):
    """A person known to Propel. Web members have a username, an address and a password; Discord-born ones do not yet.

    `username_key` and `email_key` are NFKC-normalised and casefolded in Python: the database compares bytes.
    `version` orders users.user_updated; `security_version` voids older access tokens.
    """

    __tablename__ = "members"
    __table_args__ = (
        CheckConstraint("role IN ('student', 'company', 'university', 'admin')", name="role"),
        CheckConstraint("status IN ('active', 'awaiting_approval', 'suspended', 'erased')", name="status"),
        CheckConstraint("(username IS NULL) = (username_key IS NULL)", name="username_has_key"),
        CheckConstraint("(email IS NULL) = (email_key IS NULL)", name="email_has_key"),
        CheckConstraint("username IS NOT NULL OR discord_id IS NOT NULL OR status = 'erased'", name="reachable"),
        CheckConstraint("warnings >= 0", name="warnings"),
        Index("ix_members_created_at_id", "created_at", "id"),
        # The queue of applicants and the suspensions that end by themselves are few among many.
        Index("ix_members_not_active", "status", "suspended_until", postgresql_where=text("status <> 'active'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str | None]
    username_key: Mapped[str | None] = mapped_column(unique=True)
    email: Mapped[str | None]
    email_key: Mapped[str | None] = mapped_column(unique=True)
    email_verified_at: Mapped[datetime | None]
    password_hash: Mapped[str | None]
    role: Mapped[str]
    status: Mapped[str]
    suspended_until: Mapped[datetime | None]
    first_name: Mapped[str] = mapped_column(server_default="")
    last_name: Mapped[str] = mapped_column(server_default="")
    university: Mapped[str | None]
    company: Mapped[str | None]
    major: Mapped[str | None]
    graduation_year: Mapped[int | None]
    track: Mapped[str | None]
    discord_id: Mapped[str | None] = mapped_column(unique=True)
    discord_username: Mapped[str | None]
    discord_display_name: Mapped[str | None]
    # When the bot saw these names: an older sighting that arrives late must not bring old names back.
    discord_seen_at: Mapped[datetime | None]
    # Who this is to Google (`sub`); an address may get another owner there, this may not.
    google_subject: Mapped[str | None] = mapped_column(unique=True)
    media_consent_at: Mapped[datetime | None]
    media_consent_from: Mapped[str | None]
    onboarding_completed_at: Mapped[datetime | None]
    warnings: Mapped[int] = mapped_column(server_default="0")
    last_activity_at: Mapped[datetime | None]
    preferences: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    security_version: Mapped[int] = mapped_column(BigInteger, server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RefreshFamily(Base):
    """One sign-in and all refresh tokens that came of it; revoked as a whole when one of them is used twice."""

    __tablename__ = "refresh_families"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class RefreshToken(Base):
    """A refresh token by its SHA-256; `used_at` is set once, under the lock of its family."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("ix_refresh_tokens_parent_id", "parent_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    family_id: Mapped[UUID] = mapped_column(ForeignKey("refresh_families.id"), index=True)
    parent_id: Mapped[UUID | None]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class AuditEntry(Base):
    """Who changed what about a member, and when: never changed, never deleted. No actor: it happened by itself.

    `before` and `after` hold what is not personal (role, status, track ...); the rest is in the entry's note.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_member_id_id", "member_id", "id"), Index(None, "actor_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    actor_id: Mapped[UUID | None]
    action: Mapped[str]
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AuditNote(Base):
    """The personal part of an audit entry: names before and after, and the reason given. Erasure deletes it."""

    __tablename__ = "audit_notes"

    entry_id: Mapped[UUID] = mapped_column(ForeignKey("audit_entries.id"), primary_key=True)
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    reason: Mapped[str | None]


class OneTimeToken(Base):
    """A token sent by mail, by its SHA-256: for one purpose, one address and one use."""

    __tablename__ = "one_time_tokens"
    __table_args__ = (CheckConstraint("purpose IN ('verify_email', 'reset_password')", name="purpose"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"), index=True)
    purpose: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    email_key: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ResetRequest(Base):
    """Somebody asked for a password reset of an address; the worker looks whether anybody has it.

    The door writes the same row for every address, so neither its answer nor its time says who has an account.
    """

    __tablename__ = "reset_requests"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email_key: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OAuthState(Base):
    """A sign-in with Google that is under way, by the SHA-256 of its `state`: for one browser, one use, ten minutes.

    `nonce` and `code_verifier` are worth nothing without the provider's code for this very sign-in.
    """

    __tablename__ = "oauth_states"

    state_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary)
    nonce: Mapped[str]
    code_verifier: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)


mail_queue.to_metadata(Base.metadata)
rate_windows.to_metadata(Base.metadata)

# Further tables of the same catalogue; whoever imports the models knows them all.
from services.users import link_models, privacy_models  # noqa: E402, F401
