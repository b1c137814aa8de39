"""points: the ledger. Who earned what for which activity, what they have left, and where they stand.

Owns activity types, submissions and their evidence, check-ins, transfers, balances, holds and boards. A point exists only
as a transfer here. Where to begin: `ledger.py` (every movement), then
  what earns            awards (all of them), by deeds, admin_awards, decisions, checkins; activities, activity_admin,
                        submissions, evidence
  what corrects, spends corrections, holds, merging
  who stands where      boards, ranks, leaderboard
  what it all says      figures, dashboard, timeline, feed, programme, cohorts, analytics; shop_prices
  whether it is right   projections, verify, rebuild
  what is held, or not  privacy
Publishes points.* events; hears users, rewards and reviews (`*_subscriptions.py`); executes the commands and answers the
questions of the bot and of rewards. `*_api.py` are the HTTP doors, `*_models.py` the tables.
"""
