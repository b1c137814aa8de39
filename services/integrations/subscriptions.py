"""What integrations hears, and what its worker keeps doing beside: every public event goes into the feed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from fleet import auth_state
from fleet.contracts import by_type
from fleet.contracts.users import AuthStateChanged
from fleet.mail import Sender
from fleet.messages import Envelope
from services.integrations import feed, privacy_subscriptions  # noqa: F401 adds its handlers when it is imported
from services.integrations.chores import Chores
from services.integrations.deliverer import Deliverer
from services.integrations.heard import subscriptions

# See fleet/worker.py.
BATCH = 100
PARTS = (Sender, Deliverer, Chores)

subscriptions.handles(AuthStateChanged)(auth_state.remember)


def store(session: Session, event: Envelope[Any]) -> None:
    """A public event of any kind gets its position."""
    feed.store(session, [event])


def store_together(session: Session, events: Sequence[Envelope[Any]]) -> list[None]:
    """Many that wait, in one go."""
    feed.store(session, events)
    return [None] * len(events)


for type_ in feed.TYPES:
    subscriptions.handles(by_type[type_].message)(store)
    subscriptions.handles_together(by_type[type_].message)(store_together)
