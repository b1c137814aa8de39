"""What could not be applied is kept here with its cause, until somebody decides."""

from fleet.migrate import dead_letters_table

revision = "integrations_0002"
down_revision = "integrations_0001"


def upgrade() -> None:
    dead_letters_table()
