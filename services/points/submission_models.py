"""Tables of submissions: rules as they once were, claims that staff decide, their evidence, and check-in codes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from services.points.models import Base

_HELD = "status IN ('pending', 'approved')"


class ActivityTypeVersion(Base):
    """An activity type as one version of it was. The service may insert and read these rows, nothing else."""

    __tablename__ = "activity_type_versions"

    code: Mapped[str] = mapped_column(ForeignKey("activity_types.code"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    category: Mapped[str]
    points: Mapped[int]
    description: Mapped[str]
    requires_approval: Mapped[bool]
    evidence: Mapped[str]
    evidence_once: Mapped[str]
    min_description: Mapped[int]
    cap_count: Mapped[int | None]
    cap_period: Mapped[str | None]
    cooldown_seconds: Mapped[int]
    is_active: Mapped[bool]
    changed_by: Mapped[UUID | None]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Evidence(Base):
    """A file that a member handed in. `fetching`: still at `source_url`; `kept`: in the store under its SHA-256;
    `failed`: it could not be had, and `reason` says why. A row in state `fetching` is due at `next_at`."""

    __tablename__ = "evidence"
    __table_args__ = (
        CheckConstraint("status IN ('fetching', 'kept', 'failed')", name="status"),
        CheckConstraint("(status = 'kept') = (sha256 IS NOT NULL)", name="kept"),
        CheckConstraint(
            "(status = 'fetching') = (source_url IS NOT NULL) AND (status = 'fetching') = (next_at IS NOT NULL)",
            name="fetching",
        ),
        CheckConstraint("(status = 'failed') = (reason IS NOT NULL)", name="failed"),
        Index("ix_evidence_next_at", "next_at", postgresql_where=text("status = 'fetching'")),
        Index("ix_evidence_owner_id_created_at", "owner_id", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    status: Mapped[str]
    name: Mapped[str]
    size: Mapped[int]
    content_type: Mapped[str | None]
    sha256: Mapped[str | None]
    source_url: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Submission(Base):
    """A claim to have earned something, made under one version of its rule and decided once.

    `claim` is the digest of the link or file that may count only once (`claim_scope`: for this member or for
    everyone). The unique indexes hold it while the submission is pending or approved; a rejection lets it go.
    """

    __tablename__ = "submissions"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'approved', 'rejected', 'withdrawn')", name="status"),
        CheckConstraint(
            "(status = 'pending') = (decided_at IS NULL) AND (status = 'pending') = (decided_by IS NULL)",
            name="decided",
        ),
        CheckConstraint("(status = 'approved') = (points IS NOT NULL) AND points BETWEEN 0 AND 2000", name="points"),
        CheckConstraint("decided_as IN ('admin', 'staff', 'member')", name="decided_as"),
        CheckConstraint("claim_scope IN ('none', 'member', 'everyone')", name="claim_scope"),
        Index(
            "uq_submissions_claim_everyone",
            "activity",
            "claim",
            unique=True,
            postgresql_where=text(f"claim_scope = 'everyone' AND {_HELD}"),
        ),
        Index(
            "uq_submissions_claim_member",
            "activity",
            "member_id",
            "claim",
            unique=True,
            postgresql_where=text(f"claim_scope = 'member' AND {_HELD}"),
        ),
        Index("ix_submissions_queue", "submitted_at", "id", postgresql_where=text("status = 'pending'")),
        Index("ix_submissions_submitted_at_id", "submitted_at", "id"),
        Index("ix_submissions_member_id_submitted_at_id", "member_id", "submitted_at", "id"),
        Index("ix_submissions_evidence_id", "evidence_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    activity: Mapped[str] = mapped_column(ForeignKey("activity_types.code"))
    rule_version: Mapped[int]
    status: Mapped[str] = mapped_column(server_default="pending")
    version: Mapped[int] = mapped_column(server_default="1")
    description: Mapped[str]
    url: Mapped[str | None]
    evidence_id: Mapped[UUID | None] = mapped_column(ForeignKey("evidence.id"))
    claim_scope: Mapped[str]
    claim: Mapped[str | None]
    # What named the request where it came from (a Discord interaction): the same one submits once.
    reference: Mapped[str | None] = mapped_column(unique=True)
    submitted_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None]
    decided_as: Mapped[str | None]
    note: Mapped[str | None]
    points: Mapped[int | None]
    transfer_id: Mapped[UUID | None] = mapped_column(ForeignKey("transfers.id"), unique=True)


class Checkin(Base):
    """A code that awards an activity to whoever types it in within a time window. Only its hash is kept."""

    __tablename__ = "checkins"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="window"),
        CheckConstraint("used >= 0 AND used <= max_uses", name="used"),
        Index("ix_checkins_created_at_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    activity: Mapped[str] = mapped_column(ForeignKey("activity_types.code"))
    label: Mapped[str]
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    max_uses: Mapped[int]
    used: Mapped[int] = mapped_column(server_default="0")
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_by: Mapped[UUID | None]
    revoked_at: Mapped[datetime | None]


class CheckinUse(Base):
    """A member used a code: the primary key makes it once."""

    __tablename__ = "checkin_uses"

    checkin_id: Mapped[UUID] = mapped_column(ForeignKey("checkins.id"), primary_key=True)
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())
    transfer_id: Mapped[UUID | None] = mapped_column(ForeignKey("transfers.id"))


class CheckinTry(Base):
    """Codes a member tried in the present minute and that were not right."""

    __tablename__ = "checkin_tries"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    began_at: Mapped[datetime]
    tries: Mapped[int]
