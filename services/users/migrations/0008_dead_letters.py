"""What could not be applied is kept here with its cause, until somebody decides."""

from fleet.migrate import dead_letters_table

revision = "users_0008"
down_revision = "users_0007"


def upgrade() -> None:
    dead_letters_table()
