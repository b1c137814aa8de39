"""What integrations counts, and what it says once more, after a restore; see fleet/restoring.py.

Positions of the feed go on where no reader has been: one that has read to a position of before finds all that is new.
"""

from fleet.restoring import Retell

RAISED = ("feed_head.position",)
KEPT = {
    "feed_events.position": "what is in the feed stays where it is",
    "deliveries.position": "names an event of the feed",
}
RETOLD: tuple[Retell, ...] = ()
