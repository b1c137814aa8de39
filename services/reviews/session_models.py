"""Tables of sessions: what is booked, what was said of it, and the errands that a session causes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from services.reviews.models import Base


class Meeting(Base):
    """A meeting of a student and a professional. At most one scheduled session of a request (a partial unique index).

    `sequence` is that of its invitation, raised by each move and by the cancellation; `version` orders its events.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("status IN ('scheduled', 'completed', 'cancelled', 'no_show')", name="status"),
        CheckConstraint("duration_minutes BETWEEN 5 AND 240 AND mod(duration_minutes, 5) = 0", name="duration_minutes"),
        CheckConstraint("mod(extract(epoch FROM starts_at)::bigint, 300) = 0", name="starts_at"),
        Index(
            "uq_sessions_review_request_id",
            "review_request_id",
            unique=True,
            postgresql_where=text("status = 'scheduled'"),
        ),
        Index("ix_sessions_starts_at_id", "starts_at", "id"),
        Index("ix_sessions_professional_id_starts_at", "professional_id", "starts_at"),
        Index("ix_sessions_student_id_starts_at", "student_id", "starts_at"),
        Index("ix_sessions_review_request_id_all", "review_request_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    review_request_id: Mapped[UUID] = mapped_column(ForeignKey("review_requests.id"))
    student_id: Mapped[UUID]
    professional_id: Mapped[UUID] = mapped_column(ForeignKey("professionals.id"))
    starts_at: Mapped[datetime]
    duration_minutes: Mapped[int]
    status: Mapped[str] = mapped_column(server_default="scheduled")
    sequence: Mapped[int] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="1")
    meeting_link: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class BookedSlot(Base):
    """Five minutes of somebody's time. The primary key is why nobody is booked twice.

    A professional's session books the buffer after it too, a student's only itself.
    """

    __tablename__ = "booked_slots"
    __table_args__ = (
        CheckConstraint("mod(extract(epoch FROM slot)::bigint, 300) = 0", name="slot"),
        Index("ix_booked_slots_session_id", "session_id"),
    )

    party_id: Mapped[UUID] = mapped_column(primary_key=True)
    slot: Mapped[datetime] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id"))


class Feedback(Base):
    """What the student says of a completed session, once."""

    __tablename__ = "feedback"
    __table_args__ = (CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),)

    review_request_id: Mapped[UUID] = mapped_column(ForeignKey("review_requests.id"), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id"), unique=True)
    rating: Mapped[int]
    comment: Mapped[str] = mapped_column(server_default="")
    given_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Note(Base):
    """What the professional says of a session, once, through a link that is for this alone. Only its hash is kept."""

    __tablename__ = "notes"

    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id"), primary_key=True)
    notes: Mapped[str]
    given_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Reminder(Base):
    """A session was reminded of so many hours before: the primary key makes it once for each time it is set to."""

    __tablename__ = "reminders"

    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id"), primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    hours: Mapped[int] = mapped_column(primary_key=True)
    told_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Invitation(Base):
    """A mail about a session that waits in the queue, and its calendar part when it has one."""

    __tablename__ = "invitations"

    mail_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id"), index=True)
    method: Mapped[str | None]
    calendar: Mapped[str | None]


class CalendarEntry(Base):
    """What a session should be in the Google Calendar, and what it is there: work for the calendar's part of the worker."""

    __tablename__ = "calendar_entries"
    __table_args__ = (
        Index("ix_calendar_entries_due_at", "due_at", postgresql_where=text("done_version < wanted_version")),
    )

    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id"), primary_key=True)
    wanted_version: Mapped[int]
    done_version: Mapped[int] = mapped_column(server_default="0")
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    failure: Mapped[str | None]


class FormResponse(Base):
    """A response of a form, applied once, whichever door it came by."""

    __tablename__ = "form_responses"

    response_id: Mapped[str] = mapped_column(primary_key=True)
    form: Mapped[str]
    subject_id: Mapped[UUID | None]
    refusal: Mapped[str | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FormCursor(Base):
    """How far a form was polled."""

    __tablename__ = "form_cursors"

    form_id: Mapped[str] = mapped_column(primary_key=True)
    submitted_after: Mapped[datetime]
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
