"""What the bot hears: only replies, which the fleet's consumer keeps in `answers`, where the client looks for them."""

from fleet.subscriptions import Subscriptions

subscriptions = Subscriptions("bot")
