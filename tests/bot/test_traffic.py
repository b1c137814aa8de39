"""What the bot asks of Discord is counted where nobody else could see it: within nextcord, and on its own connection."""

import urllib.request
from typing import Any

from tests.bot.conftest import Client, until


def sample(client: Client, line: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{client.port}/metrics", timeout=10) as answer:
        rows = answer.read().decode().splitlines()
    return next((float(row.rpartition(" ")[2]) for row in rows if row.startswith(f"{line} ")), 0.0)


def test_requests_are_counted_by_answer_and_a_limit_shows(start: Any, discord: Any):
    client = start()
    ada = discord.user("Ada")
    before = sample(client, 'discord_requests_total{method="POST",status="200"}')
    discord.call("POST", "/local/limits", {"next": 2, "retry_after": 0.1, "route": "/messages"})
    message = discord.write(ada, "!ping", channel="general")
    assert discord.next(ada, message)["reply_to"] == message, "it was said all the same"
    until(lambda: sample(client, 'discord_requests_total{method="POST",status="429"}') == 2)
    until(lambda: sample(client, 'discord_requests_total{method="POST",status="200"}') > before)
    assert sample(client, 'discord_commands_total{command="ping",outcome="taken"}') == 1


def test_answers_of_interactions_are_counted_too(start: Any, discord: Any):
    client = start()
    ada = discord.user("Ada")
    interaction = discord.slash(ada, "help")
    discord.next(ada, interaction)
    until(lambda: sample(client, 'discord_requests_total{method="PATCH",status="200"}') >= 1)
    until(lambda: sample(client, 'discord_commands_total{command="help",outcome="taken"}') == 1)


def test_the_line_to_discord_is_a_figure(start: Any, discord: Any):
    client = start()
    assert sample(client, "discord_connected") == 1
    discord.stop()
    until(lambda: sample(client, "discord_connected") == 0)
