"""Mails know the trace they belong to."""

from fleet.migrate import trace_mail

revision = "reviews_0004"
down_revision = "reviews_0003"


def upgrade() -> None:
    trace_mail()
