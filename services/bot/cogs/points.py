"""What somebody has, had, and can earn: points, pointshistory, receipt, pointvalues, streak."""

from fleet.contracts.points import GetActivityValues, GetHistory, GetReceipt, GetStanding, GetStreak
from services.bot.calls import Call, fresh_listing
from services.bot.commands import Option, command

GROUP = "Your points"


@command("points", "What you have: available points, rank, standing", group=GROUP)
async def points(call: Call) -> None:
    """Balance and standing of the caller."""
    await call.ask(lambda _session, me: GetStanding(member_id=me), "points")


@command("pointshistory", "Your latest points and what they were for", group=GROUP)
async def pointshistory(call: Call) -> None:
    """The caller's log, newest first."""
    await call.ask(lambda _session, me: GetHistory(member_id=me), "history", listing=fresh_listing())


@command(
    "receipt",
    "Why one entry of your points is there",
    Option("n", "number", "which one, as /pointshistory counts them; the newest when left out", least=1, most=100_000),
    group=GROUP,
)
async def receipt(call: Call, n: int = 1) -> None:
    """What an award was for, who decided on it, and by which rule."""
    await call.ask(lambda _session, me: GetReceipt(member_id=me, number=n), "receipt")


@command("pointvalues", "Everything that earns points, with its rules", group=GROUP)
async def pointvalues(call: Call) -> None:
    """The live rules, never a copy of them."""
    await call.ask(lambda _session, _me: GetActivityValues(), "values")


@command("streak", "How many days in a row you have earned something", group=GROUP)
async def streak(call: Call) -> None:
    """The caller's days in a row."""
    await call.ask(lambda _session, me: GetStreak(member_id=me), "streak")
