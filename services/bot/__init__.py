"""bot: Propel in Discord.

Owns   who was seen in Discord under which member id (`people`), what the bot must remember to earn points for people
       once (`message_days`, `reaction_hours`), the answers somebody waits for (`pending_answers`), and how far somebody
       has leafed through a list (`listing_pages`); who is in the server, as hashes (`roster`); which member ids were erased
       (`forgotten_people`). Never the text of a message, and never a link code.
Sends  what people tell it to, as the person who told it: links, preferences and what staff do to members to users;
       deeds, submissions, decisions and corrections to points; redemptions and the catalogue to rewards. Asks each of them
       for what is shown. Whether somebody may, the one who executes decides; the bot vouches for a server's staff role only.
Hears  the replies to what it asked, and the events that somebody is told of; users' question whether somebody is in the
       server, their export_member and erase_member. It publishes no events.

Two processes share its database: `python -m services.bot` is the Discord client and knows neither AMQP nor any other
service's address; `python -m fleet.worker bot` takes out what the client recorded and brings the replies in.
"""

import warnings

# nextcord 2.6 on Python 3.11 imports it; said before anything is set up, it would be a line that is no JSON.
warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
