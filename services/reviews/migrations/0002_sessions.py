"""Sessions, what is booked and said of them, and the errands they cause."""

import sqlalchemy as sa
from alembic import op

revision = "reviews_0002"
down_revision = "reviews_0001"


def upgrade() -> None:
    _sessions()
    _errands()


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("review_request_id", sa.Uuid, nullable=False),
        sa.Column("student_id", sa.Uuid, nullable=False),
        sa.Column("professional_id", sa.Uuid, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_minutes", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text, server_default="scheduled", nullable=False),
        sa.Column("sequence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("meeting_link", sa.Text, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('scheduled', 'completed', 'cancelled', 'no_show')", name=("ck_sessions_status")),
        sa.CheckConstraint(
            "duration_minutes BETWEEN 5 AND 240 AND mod(duration_minutes, 5) = 0", name=("ck_sessions_duration_minutes")
        ),
        sa.CheckConstraint("mod(extract(epoch FROM starts_at)::bigint, 300) = 0", name=("ck_sessions_starts_at")),
        sa.ForeignKeyConstraint(
            ["professional_id"], ["professionals.id"], name=("fk_sessions_professional_id_professionals")
        ),
        sa.ForeignKeyConstraint(
            ["review_request_id"], ["review_requests.id"], name=("fk_sessions_review_request_id_review_requests")
        ),
        sa.PrimaryKeyConstraint("id", name=("pk_sessions")),
    )
    op.create_index("ix_sessions_professional_id_starts_at", "sessions", ["professional_id", "starts_at"], unique=False)
    op.create_index("ix_sessions_review_request_id_all", "sessions", ["review_request_id"], unique=False)
    op.create_index("ix_sessions_starts_at_id", "sessions", ["starts_at", "id"], unique=False)
    op.create_index("ix_sessions_student_id_starts_at", "sessions", ["student_id", "starts_at"], unique=False)
    op.create_index(
        "uq_sessions_review_request_id",
        "sessions",
        ["review_request_id"],
        unique=True,
        postgresql_where=sa.text("status = 'scheduled'"),
    )
    op.create_table(
        "booked_slots",
        sa.Column("party_id", sa.Uuid, nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.CheckConstraint("mod(extract(epoch FROM slot)::bigint, 300) = 0", name=("ck_booked_slots_slot")),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=("fk_booked_slots_session_id_sessions")),
        sa.PrimaryKeyConstraint("party_id", "slot", name=("pk_booked_slots")),
    )
    op.create_index("ix_booked_slots_session_id", "booked_slots", ["session_id"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("review_request_id", sa.Uuid, nullable=False),
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        sa.Column("comment", sa.Text, server_default="", nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=("ck_feedback_rating")),
        sa.ForeignKeyConstraint(
            ["review_request_id"], ["review_requests.id"], name=("fk_feedback_review_request_id_review_requests")
        ),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=("fk_feedback_session_id_sessions")),
        sa.PrimaryKeyConstraint("review_request_id", name=("pk_feedback")),
        sa.UniqueConstraint("session_id", name=("uq_feedback_session_id")),
    )
    op.create_table(
        "notes",
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=("fk_notes_session_id_sessions")),
        sa.PrimaryKeyConstraint("session_id", name=("pk_notes")),
    )
    op.create_table(
        "reminders",
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=("fk_reminders_session_id_sessions")),
        sa.PrimaryKeyConstraint("session_id", "starts_at", "hours", name=("pk_reminders")),
    )


def _errands() -> None:
    op.create_table(
        "invitations",
        sa.Column("mail_id", sa.Uuid, nullable=False),
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("method", sa.Text),
        sa.Column("calendar", sa.Text),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=("fk_invitations_session_id_sessions")),
        sa.PrimaryKeyConstraint("mail_id", name=("pk_invitations")),
    )
    op.create_index(("ix_invitations_session_id"), "invitations", ["session_id"], unique=False)
    op.create_table(
        "calendar_entries",
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("wanted_version", sa.Integer(), nullable=False),
        sa.Column("done_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("failure", sa.Text, nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=("fk_calendar_entries_session_id_sessions")),
        sa.PrimaryKeyConstraint("session_id", name=("pk_calendar_entries")),
    )
    op.create_index(
        "ix_calendar_entries_due_at",
        "calendar_entries",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("done_version < wanted_version"),
    )
    op.create_table(
        "form_responses",
        sa.Column("response_id", sa.Text, nullable=False),
        sa.Column("form", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=True),
        sa.Column("refusal", sa.Text, nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("response_id", name=("pk_form_responses")),
    )
    op.create_table(
        "form_cursors",
        sa.Column("form_id", sa.Text, nullable=False),
        sa.Column("submitted_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("form_id", name=("pk_form_cursors")),
    )
