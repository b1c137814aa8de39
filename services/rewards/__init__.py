"""rewards: the shop. What points can be spent on, what is left of it, and what becomes of every redemption.

Owns the catalogue with its stock, redemptions with each of their steps, and unlocks. It keeps no points: a redemption asks
points to hold, capture, release or refund them, and waits for what points says. Where to begin: `saga.py` (the whole
life of a redemption as one pure function), then
  what there is      catalog, catalog_admin, shop
  what is wanted     redemptions (every step goes through it), decisions, refunds, listings, statistics
  who wants it       members, merging, unlocks, letters, awaited, privacy
  what never sleeps  sweeper, reconciler
  whether it is right verify
Publishes rewards.* events; hears users and points; executes the commands and answers the questions of the bot
(`*_subscriptions.py`). `*_api.py` are the HTTP doors, `*models.py` the tables.
"""
