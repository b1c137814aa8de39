"""Tables of reviews: who reviews and when, who asks, what is booked. The constraints make double booking impossible."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Date, DateTime, ForeignKey, Index, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fleet.database import metadata
from fleet.links import links, waiting_link_changes
from fleet.mail import mail_queue

OPEN = "status IN ('pending', 'matched', 'scheduled')"


class Base(DeclarativeBase):
    """All tables that reviews owns."""

    metadata = metadata()
    type_annotation_map = {
        str: Text,
        datetime: DateTime(timezone=True),
        date: Date,
        bool: Boolean,
        UUID: Uuid,
        list[str]: ARRAY(Text),
        dict[str, Any]: JSONB,
    }


class Member(Base):
    """What reviews knows of a member: name, role and address, as users tells. Each part keeps the version it came with."""

    __tablename__ = "members"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    display_name: Mapped[str | None]
    role: Mapped[str] = mapped_column(server_default="student")
    name_version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    email: Mapped[str | None]
    time_zone: Mapped[str | None]
    locale: Mapped[str | None]
    contact_version: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Alias(Base):
    """An id that means another member since two accounts became one."""

    __tablename__ = "aliases"

    old_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(index=True)


class Professional(Base):
    """A reviewer. What can be counted (rating, reviews, turnaround) is computed, never kept here.

    `unanswered` counts requests matched to them in a row that they let lie; at two they are paused.
    """

    __tablename__ = "professionals"
    __table_args__ = (
        CheckConstraint("max_reviews_per_week BETWEEN 1 AND 40", name="max_reviews_per_week"),
        CheckConstraint("meeting_format IN ('video', 'phone', 'email', 'any')", name="meeting_format"),
        CheckConstraint("unanswered >= 0", name="unanswered"),
        Index("ix_professionals_created_at_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str] = mapped_column(server_default="")
    company: Mapped[str] = mapped_column(server_default="")
    bio: Mapped[str] = mapped_column(server_default="")
    specialties: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    experience_levels: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    time_zone: Mapped[str]
    meeting_format: Mapped[str] = mapped_column(server_default="any")
    max_reviews_per_week: Mapped[int] = mapped_column(server_default="3")
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    unanswered: Mapped[int] = mapped_column(server_default="0")
    paused_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Availability(Base):
    """One statement of a professional about their time, valid from a day until a day in its zone, both included."""

    __tablename__ = "availabilities"
    __table_args__ = (
        CheckConstraint("valid_until >= valid_from", name="valid"),
        CheckConstraint("source IN ('rest', 'text', 'form')", name="source"),
        Index("ix_availabilities_professional_id_valid_until", "professional_id", "valid_until"),
        Index("ix_availabilities_created_at_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    professional_id: Mapped[UUID] = mapped_column(ForeignKey("professionals.id"))
    source: Mapped[str]
    time_zone: Mapped[str]
    valid_from: Mapped[date]
    valid_until: Mapped[date]
    wording: Mapped[str | None]
    unparsed: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    notes: Mapped[str] = mapped_column(server_default="")
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Window(Base):
    """A weekly stretch of wall time, in minutes of the day; an end past 1440 lies on the next day."""

    __tablename__ = "availability_windows"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("start_minute BETWEEN 0 AND 1439", name="start"),
        CheckConstraint("end_minute > start_minute AND end_minute - start_minute <= 1440", name="end"),
    )

    availability_id: Mapped[UUID] = mapped_column(ForeignKey("availabilities.id", ondelete="CASCADE"), primary_key=True)
    weekday: Mapped[int] = mapped_column(primary_key=True)
    start_minute: Mapped[int] = mapped_column(primary_key=True)
    end_minute: Mapped[int]


class Override(Base):
    """One day that is not as its weekday: these stretches instead of the weekly ones; `start = end`: none at all."""

    __tablename__ = "availability_overrides"
    __table_args__ = (
        CheckConstraint("start_minute BETWEEN 0 AND 1439", name="start"),
        CheckConstraint("end_minute >= start_minute AND end_minute - start_minute <= 1440", name="end"),
    )

    availability_id: Mapped[UUID] = mapped_column(ForeignKey("availabilities.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    start_minute: Mapped[int] = mapped_column(primary_key=True)
    end_minute: Mapped[int]


class Resume(Base):
    """A resume's file. `fetching`: still at `source_url`; `kept`: in the store under its SHA-256; `failed`: see `reason`."""

    __tablename__ = "resumes"
    __table_args__ = (
        CheckConstraint("status IN ('fetching', 'kept', 'failed')", name="status"),
        CheckConstraint("(status = 'kept') = (sha256 IS NOT NULL)", name="kept"),
        CheckConstraint(
            "(status = 'fetching') = (source_url IS NOT NULL) AND (status = 'fetching') = (next_at IS NOT NULL)",
            name="fetching",
        ),
        Index("ix_resumes_next_at", "next_at", postgresql_where=text("status = 'fetching'")),
        Index("ix_resumes_owner_id_created_at", "owner_id", "created_at"),
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


class ResumeView(Base):
    """Somebody looked at a resume: a member of staff, or the professional of a session. Its student may see this."""

    __tablename__ = "resume_views"
    __table_args__ = (
        CheckConstraint("viewer_kind IN ('owner', 'admin', 'professional')", name="viewer_kind"),
        Index("ix_resume_views_resume_id_viewed_at", "resume_id", "viewed_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    resume_id: Mapped[UUID] = mapped_column(ForeignKey("resumes.id", ondelete="CASCADE"))
    viewer_id: Mapped[UUID]
    viewer_kind: Mapped[str]
    viewed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ReviewRequest(Base):
    """A student asks for a review. One open request per student: a partial unique index. `version` orders its events."""

    __tablename__ = "review_requests"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'matched', 'scheduled', 'completed', 'cancelled')", name="status"),
        CheckConstraint("priority IN ('low', 'normal', 'high')", name="priority"),
        CheckConstraint("status <> 'matched' OR professional_id IS NOT NULL", name="matched"),
        CheckConstraint("status <> 'scheduled' OR professional_id IS NOT NULL", name="scheduled"),
        Index("uq_review_requests_open", "student_id", unique=True, postgresql_where=text(OPEN)),
        Index("ix_review_requests_submitted_at_id", "submitted_at", "id"),
        Index("ix_review_requests_student_id", "student_id"),
        Index("ix_review_requests_waiting", "submitted_at", postgresql_where=text("status IN ('pending', 'matched')")),
        Index("ix_review_requests_resume_id", "resume_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    student_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(server_default="pending")
    version: Mapped[int] = mapped_column(server_default="1")
    professional_id: Mapped[UUID | None] = mapped_column(ForeignKey("professionals.id"))
    target_industry: Mapped[str]
    target_role: Mapped[str]
    experience_level: Mapped[str]
    priority: Mapped[str] = mapped_column(server_default="normal")
    resume_id: Mapped[UUID | None] = mapped_column(ForeignKey("resumes.id"))
    resume_url: Mapped[str | None]
    preferred_times: Mapped[str] = mapped_column(server_default="")
    time_zone: Mapped[str]
    unparsed: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    excluded_employers: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    duration_minutes: Mapped[int] = mapped_column(server_default="30")
    reference: Mapped[str | None] = mapped_column(unique=True)
    submitted_at: Mapped[datetime]
    matched_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]


class PreferredTime(Base):
    """A stretch in which the student can; a request without any says nothing about time."""

    __tablename__ = "preferred_times"
    __table_args__ = (CheckConstraint("ends_at > starts_at", name="order"),)

    review_request_id: Mapped[UUID] = mapped_column(
        ForeignKey("review_requests.id", ondelete="CASCADE"), primary_key=True
    )
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime]


class Turn(Base):
    """A change of state of a request or a session: who, when, from what to what, and a note. Rows are never changed."""

    __tablename__ = "turns"
    __table_args__ = (
        Index("ix_turns_subject_id_id", "subject_id", "id"),
        Index("ix_turns_review_request_id", "review_request_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID]
    review_request_id: Mapped[UUID] = mapped_column(ForeignKey("review_requests.id"))
    was: Mapped[str | None]
    becomes: Mapped[str]
    actor: Mapped[str]
    actor_id: Mapped[UUID | None]
    note: Mapped[str | None]
    starts_at: Mapped[datetime | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


mail_queue.to_metadata(Base.metadata)
links.to_metadata(Base.metadata)
waiting_link_changes.to_metadata(Base.metadata)

# The rest of the tables; imported here so that whoever has one of the modules has the whole catalogue.
from services.reviews import session_models  # noqa: E402, F401
