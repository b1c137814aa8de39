"""Mails know the trace they belong to."""

from fleet.migrate import trace_mail

revision = "rewards_0003"
down_revision = "rewards_0002"


def upgrade() -> None:
    trace_mail()
