"""Where people stand: leaderboard, rank."""

from fleet.contracts.points import GetLeaderboard, Period
from services.bot import people
from services.bot.calls import Call, fresh_listing
from services.bot.cards import Card, Rendered
from services.bot.commands import Option, command
from services.bot.people import Person

GROUP = "Leaderboard"
# As far down as somebody else's place is looked for on the board.
LOOKED_THROUGH = 100


@command(
    "leaderboard",
    "Who is ahead, and where you are",
    Option("period", "choice", "all time, this week or this month", choices=("all_time", "weekly", "monthly")),
    group=GROUP,
)
async def leaderboard(call: Call, period: Period = "all_time") -> None:
    """A page of ten, to be leafed through."""
    await call.ask(
        lambda _session, me: GetLeaderboard(member_id=me, period=period), "leaderboard", listing=fresh_listing()
    )


@command(
    "rank",
    "Your place on the leaderboard, or somebody else's",
    Option("member", "member", "whose place; yours when left out"),
    group=GROUP,
)
async def rank(call: Call, member: Person | None = None) -> None:
    """The caller's own place always; somebody else's only as the board itself shows it."""
    if member is None or member.discord_id == call.person.discord_id:
        await call.ask(lambda _session, me: GetLeaderboard(member_id=me, limit=1), "own_rank")
    elif member.is_bot:
        await call.answer(Rendered(Card(title="Rank", text="Bots do not take part. Try `/rank` with a person.")))
    else:
        await call.ask(
            lambda session, _me: GetLeaderboard(
                member_id=people.member_id(session, member.discord_id), limit=LOOKED_THROUGH
            ),
            "rank_of",
            name=member.display_name,
        )
