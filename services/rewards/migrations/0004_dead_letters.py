"""What could not be applied is kept here with its cause, until somebody decides."""

from fleet.migrate import dead_letters_table

revision = "rewards_0004"
down_revision = "rewards_0003"


def upgrade() -> None:
    dead_letters_table()
