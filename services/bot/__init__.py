"""bot: Propel in Discord.

Owns   who was seen in Discord under which member id (`people`), what the bot must remember to earn points for people
       once (`message_days`, `reaction_hours`), the answers somebody waits for (`pending_answers`), and how far somebody
       has leafed through a list (`listing_pages`); who is in the server, as hashes (`roster`); which member ids were erased
       (`forgotten_people`). Never the text of a message, and never a link code.
Sends  users.register_member, users.claim_link, confirm_link and cancel_link, points.log_activity; asks
       points.get_standing, get_history, get_activity_values, get_leaderboard, get_streak, users.get_identity.
Hears  the replies to what it asked; users' question whether somebody is in the server, their export_member and
       erase_member. It publishes no events.

Two processes share its database: `python -m services.bot` is the Discord client and knows neither AMQP nor any other
service's address; `python -m fleet.worker bot` takes out what the client recorded and brings the replies in.
"""
