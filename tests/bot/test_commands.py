"""Both doors open onto the same commands."""

import asyncio
import inspect
import re
from types import SimpleNamespace

import pytest

import services.bot.cogs  # noqa: F401  declares the commands
from services.bot.calls import Call
from services.bot.cogs.general import HELP, help_page, help_pages
from services.bot.cogs.leafing import parse, question_of
from services.bot.commands import GROUPS, STAFF, Option, called, command, mentioned_id, registry, typed_options
from services.bot.presenters import page_id
from services.bot.refusals import Usage
from services.bot.slash import slash_command

EXPECTED = {"points", "pointshistory", "pointvalues", "leaderboard", "rank", "streak", "help", "ping", "welcome"}


def slash_of(found):
    calls = []

    async def start(*call):
        calls.append(call)

    made = slash_command(found, start)
    made.add_guild_rollout(7)
    return made, calls


def test_the_commands_of_this_stage_are_there():
    assert set(registry) >= EXPECTED


@pytest.mark.parametrize("name", sorted(registry))
def test_each_slash_command_has_its_twin_with_an_exclamation_mark(name):
    found = registry[name]
    made, calls = slash_of(found)
    interaction = SimpleNamespace()
    asyncio.run(made.callback(interaction))
    assert calls == [(interaction, found, {})]
    assert called(f"!{name}") == (found, "")
    assert called(f"!{name.upper()}   some  words") == (found, "some  words")


@pytest.mark.parametrize("name", sorted(registry))
def test_each_command_is_one_discord_accepts(name):
    made, _ = slash_of(registry[name])
    payload = made.get_payload(7)
    assert re.fullmatch(r"[a-z_]{1,32}", payload["name"])
    assert 1 <= len(payload["description"]) <= 100
    options = payload.get("options", [])
    assert [one["name"] for one in options] == [one.name for one in registry[name].options]
    assert all(1 <= len(one["description"]) <= 100 for one in options)


@pytest.mark.parametrize("name", sorted(registry))
def test_each_command_takes_the_options_it_declares(name):
    found = registry[name]
    parameters = list(inspect.signature(found.run).parameters.values())
    assert parameters[0].annotation in (Call, "Call")
    assert [one.name for one in parameters[1:]] == [one.name for one in found.options]
    for parameter, option in zip(parameters[1:], found.options, strict=True):
        assert (parameter.default is inspect.Parameter.empty) == option.required


def test_the_help_names_every_command():
    pages = {kind: [page.payload()["embeds"][0] for page in help_pages(kind)] for kind in HELP}
    for one in registry.values():
        wanted = "adminhelp" if one.group == STAFF else "help"
        named = [kind for kind, embeds in pages.items() if f"/{one.usage}`" in str(embeds)]
        assert named == [wanted], one.name
    assert {one.group for one in registry.values()} <= set(GROUPS)


def test_the_help_is_leafed_through_and_every_page_is_whole():
    for kind in HELP:
        cards = help_pages(kind)
        for number, card in enumerate(cards, 1):
            (embed,) = card.payload()["embeds"]
            assert len(embed["fields"]) == len(card.fields), "nothing was cut away"
            assert not any("…" in field["value"] for field in embed["fields"])
            assert bool(card.buttons) == (len(cards) > 1)
            assert help_page(kind, number) == card
        assert help_page(kind, 10**6) == cards[-1]


@pytest.mark.parametrize(
    "line", ["", "!", "! points", "!nonsense", "points", "/points", "!!points", "!pointsx", "?points"]
)
def test_other_words_are_none_of_our_business(line):
    assert called(line) is None


@pytest.mark.parametrize(
    ("words", "period"),
    [
        ("weekly", "weekly"),
        ("WEEK", "weekly"),
        ("month", "monthly"),
        ("all time", "all_time"),
        ("all-time", "all_time"),
        ("a", "all_time"),
    ],
)
def test_a_period_may_be_shortened(words, period):
    assert typed_options(registry["leaderboard"], words) == {"period": period}


def test_an_unknown_choice_is_answered_with_what_there_is():
    with pytest.raises(Usage, match="`!leaderboard weekly`"):
        typed_options(registry["leaderboard"], "yearly")


def test_a_missing_option_is_named():
    found = SimpleNamespace(
        name="link", usage="link code", options=(Option("code", "text", "the code", required=True),)
    )
    with pytest.raises(Usage, match="`!link code`"):
        typed_options(found, "  ")


def test_the_last_option_takes_the_rest():
    options = (Option("first", "text", "a word", required=True), Option("rest", "text", "all others"))
    found = SimpleNamespace(name="x", usage="x", options=options)
    assert typed_options(found, " one  two three ") == {"first": "one", "rest": "two three"}


def test_mentions_are_understood():
    assert [mentioned_id(word) for word in ("<@12>", "<@!12>", "<@&12>", "12", "<@x>")] == [
        "12",
        "12",
        None,
        None,
        None,
    ]


def test_a_command_cannot_be_declared_twice_nor_hidden_from_the_help():
    with pytest.raises(ValueError, match="twice"):
        command("points", "again", group=GROUPS[0])(registry["points"].run)
    with pytest.raises(ValueError, match="GROUPS"):
        command("new", "words", group="elsewhere")(registry["points"].run)


@pytest.mark.parametrize(("kind", "argument"), [("leaderboard", "weekly"), ("history", "")])
def test_a_buttons_id_leads_to_its_page(kind, argument):
    custom_id = page_id(kind, argument, "abcdefghijkl", 3)
    assert parse(custom_id) == (kind, argument, "abcdefghijkl", 3)
    assert len(page_id(kind, argument, "abcdefghijkl", 10**9)) <= 100
    assert question_of(kind, argument, None, "c").cursor == "c"


def test_a_button_of_a_list_there_is_no_more_is_refused():
    with pytest.raises(LookupError):
        question_of("forgotten", "", None, None)
