"""users: who is who. Accounts, sign-in, roles, preferences, links to Discord.

Owns members with their audit trail, links to Discord accounts and the codes that make them, refresh tokens, mailed tokens
and the key that signs access tokens. Publishes users.user_registered, user_updated, contact_changed, user_suspended,
user_reinstated, auth_state_changed, discord_linked, accounts_merged, discord_unlinked and user_erased. Hears
users.register_member, claim_link, confirm_link and cancel_link from the bot, answers its users.get_identity, and asks it
whether somebody is in the server. Sends export_member and erase_member to every service in `holders.HOLDERS`. Its worker
also sends mail, ends suspensions, and sees exports and erasures through. Nobody else decides who a person is.
"""
