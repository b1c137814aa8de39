"""points: the ledger. Who earned what for which activity, what they have left, and where they stand.

Owns activity types, transfers, balances and boards. Publishes points.activity_logged. Hears users.user_registered,
users.user_updated and users.auth_state_changed; executes points.log_activity; answers standing, history, activity
values, leaderboard and streak. A point exists only as a transfer here.
"""
