"""users: who is who. Accounts, sign-in, roles, preferences, links to Discord.

Owns members, refresh tokens and the key that signs access tokens. Publishes users.user_registered, users.user_updated
and users.auth_state_changed. Hears users.register_member from the bot. Nobody else decides who a person is.
"""
