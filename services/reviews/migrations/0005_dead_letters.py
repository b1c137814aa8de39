"""What could not be applied is kept here with its cause, until somebody decides."""

from fleet.migrate import dead_letters_table

revision = "reviews_0005"
down_revision = "reviews_0004"


def upgrade() -> None:
    dead_letters_table()
