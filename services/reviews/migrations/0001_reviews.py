"""Members, professionals, availability, and review requests."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from fleet.migrate import fleet_tables, links_tables, mail_table

revision = "reviews_0001"
down_revision = None


def upgrade() -> None:
    fleet_tables()
    mail_table()
    _people()
    _professionals()
    _requests()


def _people() -> None:
    op.create_table(
        "members",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("display_name", sa.Text, nullable=True),
        sa.Column("name_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("email", sa.Text, nullable=True),
        sa.Column("time_zone", sa.Text, nullable=True),
        sa.Column("locale", sa.Text, nullable=True),
        sa.Column("contact_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=("pk_members")),
    )
    op.create_table(
        "aliases",
        sa.Column("old_id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("old_id", name=("pk_aliases")),
    )
    op.create_index(("ix_aliases_member_id"), "aliases", ["member_id"], unique=False)
    links_tables()


def _professionals() -> None:
    op.create_table(
        "professionals",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False),
        sa.Column("title", sa.Text, server_default="", nullable=False),
        sa.Column("company", sa.Text, server_default="", nullable=False),
        sa.Column("bio", sa.Text, server_default="", nullable=False),
        sa.Column("specialties", postgresql.ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("experience_levels", postgresql.ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("meeting_format", sa.Text, server_default="any", nullable=False),
        sa.Column("max_reviews_per_week", sa.Integer(), server_default="3", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("unanswered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "meeting_format IN ('video', 'phone', 'email', 'any')", name=("ck_professionals_meeting_format")
        ),
        sa.CheckConstraint("max_reviews_per_week BETWEEN 1 AND 40", name=("ck_professionals_max_reviews_per_week")),
        sa.CheckConstraint("unanswered >= 0", name=("ck_professionals_unanswered")),
        sa.PrimaryKeyConstraint("id", name=("pk_professionals")),
        sa.UniqueConstraint("email_key", name=("uq_professionals_email_key")),
    )
    op.create_index("ix_professionals_created_at_id", "professionals", ["created_at", "id"], unique=False)
    op.create_table(
        "availabilities",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("professional_id", sa.Uuid, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("wording", sa.Text, nullable=True),
        sa.Column("unparsed", postgresql.ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("notes", sa.Text, server_default="", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("source IN ('rest', 'text', 'form')", name=("ck_availabilities_source")),
        sa.CheckConstraint("valid_until >= valid_from", name=("ck_availabilities_valid")),
        sa.ForeignKeyConstraint(
            ["professional_id"], ["professionals.id"], name=("fk_availabilities_professional_id_professionals")
        ),
        sa.PrimaryKeyConstraint("id", name=("pk_availabilities")),
    )
    op.create_index("ix_availabilities_created_at_id", "availabilities", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_availabilities_professional_id_valid_until",
        "availabilities",
        ["professional_id", "valid_until"],
        unique=False,
    )
    op.create_table(
        "availability_windows",
        sa.Column("availability_id", sa.Uuid, nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("start_minute", sa.Integer(), nullable=False),
        sa.Column("end_minute", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "end_minute > start_minute AND end_minute - start_minute <= 1440", name=("ck_availability_windows_end")
        ),
        sa.CheckConstraint("start_minute BETWEEN 0 AND 1439", name=("ck_availability_windows_start")),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=("ck_availability_windows_weekday")),
        sa.ForeignKeyConstraint(
            ["availability_id"],
            ["availabilities.id"],
            name=("fk_availability_windows_availability_id_availabilities"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("availability_id", "weekday", "start_minute", name=("pk_availability_windows")),
    )
    op.create_table(
        "availability_overrides",
        sa.Column("availability_id", sa.Uuid, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("start_minute", sa.Integer(), nullable=False),
        sa.Column("end_minute", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "end_minute >= start_minute AND end_minute - start_minute <= 1440", name=("ck_availability_overrides_end")
        ),
        sa.CheckConstraint("start_minute BETWEEN 0 AND 1439", name=("ck_availability_overrides_start")),
        sa.ForeignKeyConstraint(
            ["availability_id"],
            ["availabilities.id"],
            name=("fk_availability_overrides_availability_id_availabilities"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("availability_id", "day", "start_minute", name=("pk_availability_overrides")),
    )


def _requests() -> None:
    op.create_table(
        "resumes",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("owner_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content_type", sa.Text, nullable=True),
        sa.Column("sha256", sa.Text, nullable=True),
        sa.Column("source_url", sa.Text, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(status = 'fetching') = (source_url IS NOT NULL) AND (status = 'fetching') = (next_at IS NOT NULL)",
            name=("ck_resumes_fetching"),
        ),
        sa.CheckConstraint("(status = 'kept') = (sha256 IS NOT NULL)", name=("ck_resumes_kept")),
        sa.CheckConstraint("status IN ('fetching', 'kept', 'failed')", name=("ck_resumes_status")),
        sa.PrimaryKeyConstraint("id", name=("pk_resumes")),
    )
    op.create_index(
        "ix_resumes_next_at", "resumes", ["next_at"], unique=False, postgresql_where=sa.text("status = 'fetching'")
    )
    op.create_index("ix_resumes_owner_id_created_at", "resumes", ["owner_id", "created_at"], unique=False)
    op.create_table(
        "resume_views",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("resume_id", sa.Uuid, nullable=False),
        sa.Column("viewer_id", sa.Uuid, nullable=False),
        sa.Column("viewer_kind", sa.Text, nullable=False),
        sa.Column("viewed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("viewer_kind IN ('owner', 'admin', 'professional')", name=("ck_resume_views_viewer_kind")),
        sa.ForeignKeyConstraint(
            ["resume_id"], ["resumes.id"], name=("fk_resume_views_resume_id_resumes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=("pk_resume_views")),
    )
    op.create_index("ix_resume_views_resume_id_viewed_at", "resume_views", ["resume_id", "viewed_at"], unique=False)
    op.create_table(
        "review_requests",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("student_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.Text, server_default="pending", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("professional_id", sa.Uuid, nullable=True),
        sa.Column("target_industry", sa.Text, nullable=False),
        sa.Column("target_role", sa.Text, nullable=False),
        sa.Column("experience_level", sa.Text, nullable=False),
        sa.Column("priority", sa.Text, server_default="normal", nullable=False),
        sa.Column("resume_id", sa.Uuid, nullable=True),
        sa.Column("resume_url", sa.Text, nullable=True),
        sa.Column("preferred_times", sa.Text, server_default="", nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("unparsed", postgresql.ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("excluded_employers", postgresql.ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("duration_minutes", sa.Integer(), server_default="30", nullable=False),
        sa.Column("reference", sa.Text, nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("matched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("priority IN ('low', 'normal', 'high')", name=("ck_review_requests_priority")),
        sa.CheckConstraint("status <> 'matched' OR professional_id IS NOT NULL", name=("ck_review_requests_matched")),
        sa.CheckConstraint(
            "status <> 'scheduled' OR professional_id IS NOT NULL", name=("ck_review_requests_scheduled")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'matched', 'scheduled', 'completed', 'cancelled')",
            name=("ck_review_requests_status"),
        ),
        sa.ForeignKeyConstraint(
            ["professional_id"], ["professionals.id"], name=("fk_review_requests_professional_id_professionals")
        ),
        sa.ForeignKeyConstraint(["resume_id"], ["resumes.id"], name=("fk_review_requests_resume_id_resumes")),
        sa.PrimaryKeyConstraint("id", name=("pk_review_requests")),
        sa.UniqueConstraint("reference", name=("uq_review_requests_reference")),
    )
    op.create_index("ix_review_requests_resume_id", "review_requests", ["resume_id"], unique=False)
    op.create_index("ix_review_requests_student_id", "review_requests", ["student_id"], unique=False)
    op.create_index("ix_review_requests_submitted_at_id", "review_requests", ["submitted_at", "id"], unique=False)
    op.create_index(
        "ix_review_requests_waiting",
        "review_requests",
        ["submitted_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('pending', 'matched')"),
    )
    op.create_index(
        "uq_review_requests_open",
        "review_requests",
        ["student_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('pending', 'matched', 'scheduled')"),
    )
    op.create_table(
        "preferred_times",
        sa.Column("review_request_id", sa.Uuid, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=("ck_preferred_times_order")),
        sa.ForeignKeyConstraint(
            ["review_request_id"],
            ["review_requests.id"],
            name=("fk_preferred_times_review_request_id_review_requests"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("review_request_id", "starts_at", name=("pk_preferred_times")),
    )
    op.create_table(
        "turns",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        sa.Column("review_request_id", sa.Uuid, nullable=False),
        sa.Column("was", sa.Text, nullable=True),
        sa.Column("becomes", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Uuid, nullable=True),
        sa.Column("note", sa.Text, nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["review_request_id"], ["review_requests.id"], name=("fk_turns_review_request_id_review_requests")
        ),
        sa.PrimaryKeyConstraint("id", name=("pk_turns")),
    )
    op.create_index("ix_turns_review_request_id", "turns", ["review_request_id"], unique=False)
    op.create_index("ix_turns_subject_id_id", "turns", ["subject_id", "id"], unique=False)
    # What happened is not rewritten; only a note, which is free text, may be erased.
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'reviews') THEN "
        "REVOKE UPDATE, DELETE, TRUNCATE ON turns FROM reviews; GRANT UPDATE (note, actor_id) ON turns TO reviews; "
        "END IF; END $$"
    )
