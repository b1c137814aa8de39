"""users: who is who. Accounts, sign-in, roles, preferences, links to Discord.

Owns members with their audit trail, refresh tokens, mailed tokens and the key that signs access tokens. Publishes
users.user_registered, user_updated, contact_changed, user_suspended, user_reinstated and auth_state_changed. Hears
users.register_member from the bot, and asks it whether somebody is in the server. Its worker also sends mail and ends
suspensions. Nobody else decides who a person is.
"""
