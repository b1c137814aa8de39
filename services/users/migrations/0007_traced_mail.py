"""Mails know the trace they belong to."""

from fleet.migrate import trace_mail

revision = "users_0007"
down_revision = "users_0006"


def upgrade() -> None:
    trace_mail()
