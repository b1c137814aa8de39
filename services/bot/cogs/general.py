"""Finding one's way: help, welcome, ping, status."""

import math

from services.bot.calls import Call
from services.bot.cards import GREEN, Card, Lines, Rendered, moment
from services.bot.commands import STAFF, command, help_groups, registry
from services.bot.presenters import leafing
from services.bot.refusals import SENT_DIRECTLY

GROUP = "Finding your way"
# nextcord measures nonsense (the pause between two heartbeats) when an answer comes at once, as on one machine.
LONGEST_LATENCY_S = 20

WELCOME = Card(
    title="Welcome to Propel",
    text="Here you earn points for things that move your career on, spend them on rewards, and get your resume "
    "reviewed by professionals. You are registered already: there is nothing to sign up for.",
    fields=[
        ("Your first points", "Write a message in any channel. The first one of each day earns points by itself."),
        ("See what you have", "`/points` shows your points and your rank, `/pointvalues` everything that earns some."),
        (
            "Everything else",
            "`/help` lists all commands. They work in any channel, and what you ask is shown to you only.",
        ),
    ],
    colour=GREEN,
)


# The kinds of help, and whether they are for staff. A page is as much as one reads at a time.
HELP = {"help": False, "adminhelp": True}
HELP_PAGE = 1600


def help_pages(kind: str) -> list[Card]:
    """All commands there are, by subject, on as many pages as they need."""
    pages: list[list[tuple[str, str]]] = [[]]
    for group, found in help_groups(staff=HELP[kind]).items():
        for name, value in Lines(group, [f"`/{one.usage}` {one.description}" for one in found]).fields():
            if pages[-1] and sum(map(_length, pages[-1])) + len(name) + len(value) > HELP_PAGE:
                pages.append([])
            pages[-1].append((name, value))
    title = "What staff can ask me" if HELP[kind] else "What you can ask me"
    footer = "Every command can also be typed with ! instead of /, here or in a direct message to me."
    return [
        Card(
            title=title,
            fields=fields,
            footer=f"Page {page} of {len(pages)} · {footer}" if len(pages) > 1 else footer,
            buttons=leafing(kind, "", {"page": page}, "more" if page < len(pages) else None),
        )
        for page, fields in enumerate(pages, 1)
    ]


def _length(field: tuple[str, str]) -> int:
    return len(field[0]) + len(field[1])


def help_page(kind: str, page: int) -> Card:
    """A page of the help; the last one for numbers beyond it, because commands come and go."""
    pages = help_pages(kind)
    return pages[max(1, min(page, len(pages))) - 1]


@command("help", "All commands and what they are for", group=GROUP)
async def help_(call: Call) -> None:
    """Made from the table of commands, so it is never out of date."""
    await call.answer(Rendered(help_page("help", 1), short=SENT_DIRECTLY))


@command("adminhelp", "All commands of the staff and what they are for", group=STAFF)
async def adminhelp(call: Call) -> None:
    """The same for the commands of staff. Whether somebody may use one, the service that executes it decides."""
    await call.answer(Rendered(help_page("adminhelp", 1), short=SENT_DIRECTLY))


@command("welcome", "What Propel is and how to begin", group=GROUP)
async def welcome(call: Call) -> None:
    """The text everybody gets on joining, once more."""
    await call.answer(Rendered(WELCOME, short=SENT_DIRECTLY))


@command("status", "How I am doing: my line to Discord, and since when I am up", group=GROUP)
async def status(call: Call) -> None:
    """The bot itself; how somebody stands is said by points and whoami."""
    fields = [
        ("My line to Discord", _latency(call) or "Just opened"),
        ("Up since", moment(call.desk.started_at)),
        ("Commands", f"{len(registry):,}"),
    ]
    footer = "How you stand: /points · All commands: /help"
    await call.answer(Rendered(Card(title="I am here", fields=fields, footer=footer, colour=GREEN)))


def _latency(call: Call) -> str:
    """The latency of the gateway in words; empty while it is not known."""
    latency = call.desk.latency
    return f"{latency * 1000:.0f} ms" if math.isfinite(latency) and latency < LONGEST_LATENCY_S else ""


@command("ping", "Whether I am awake, and how fast", group=GROUP)
async def ping(call: Call) -> None:
    """The latency of the gateway, when it is known."""
    latency = _latency(call)
    speed = f" My line to Discord takes {latency}." if latency else ""
    await call.answer(Rendered(Card(content=f"Pong! I am here.{speed} For your points: `/points`")))
