"""What the bot counts, and what it says once more, after a restore: nothing. See fleet/restoring.py."""

from fleet.restoring import Retell

RAISED: tuple[str, ...] = ()
KEPT = {
    "notices.version": "is told to nobody",
    "contacts.sequence": "users counts it",
}
RETOLD: tuple[Retell, ...] = ()
