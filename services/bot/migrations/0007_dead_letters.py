"""What could not be applied is kept here with its cause, until somebody decides."""

from fleet.migrate import dead_letters_table

revision = "bot_0007"
down_revision = "bot_0006"


def upgrade() -> None:
    dead_letters_table()
