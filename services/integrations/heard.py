"""What integrations hears is collected here: every module of subscriptions adds its handlers to this one table."""

from fleet.subscriptions import Subscriptions

subscriptions = Subscriptions("integrations")
