"""What rewards hears, and what its worker keeps doing beside."""

from fleet.mail import Sender
from services.rewards import (  # noqa: F401 the *_subscriptions add their handlers when they are imported
    bot_subscriptions,
    catalog_subscriptions,
    member_subscriptions,
    points_subscriptions,
    privacy_subscriptions,
)
from services.rewards.heard import subscriptions  # noqa: F401 the worker looks for it here
from services.rewards.reconciler import Reconciler
from services.rewards.sweeper import Sweeper

# See fleet/worker.py.
BATCH = 50
PARTS = (Sender, Sweeper, Reconciler)
