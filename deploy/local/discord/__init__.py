"""Local Discord: a stand-in for discord.com on this machine.

It speaks the part of Discord's REST v10 and gateway that the unmodified nextcord client uses, and a small JSON
interface under ``/local/`` through which tests, the demo and newcomers play the members of one server.

    DISCORD_TOKEN=anything python -m deploy.local.discord --port 17100 [--state FILE]

It owns the people, channels, messages and interactions of one guild ("Propel University"). It knows nothing of points,
and nothing of Propel is imported here: what it proves about the bot it proves from outside.

A request goes ``server`` -> ``rest``, ``answers`` (the bot) or ``control``, ``acting``, ``listening`` (everybody else)
-> ``world`` and ``interactions`` -> ``gateway`` (events) and ``arrivals`` (what is new, for those who wait).

Times on ``/local/``: ``at`` dates a message and its id; order and ``after`` go by arrival. The answer of
``GET /local/messages`` carries a ``cursor`` that may be sent as ``after`` to get every change exactly once.
"""
