"""What staff do with points, and read of them: corrections, verified courses, what happened, how the programme is doing.

Who presses is who acts; points decides whether they may, and how much.
"""

from uuid import UUID

from sqlalchemy.orm import Session

from fleet.contracts.points import AdjustPoints, GetLeaderboard, GetProgramme, GetQueueReport, Period
from services.bot import staff_listings
from services.bot.calls import Call
from services.bot.cogs.moderation import HOURS, MEMBER, REASON, member_of, of_a_person, whom
from services.bot.commands import STAFF, Option, command
from services.bot.people import Person
from services.bot.staff_listings import attested, span

# More than points lets anybody move by Discord: it says itself how much that is.
MOST = 1_000_000
MOST_SHOWN = 25
POINTS = Option("points", "number", "how many", True, least=1, most=MOST)


async def adjust(call: Call, member: Person, points: int, reason: str) -> None:
    """Have points correct the points of a member."""
    person = of_a_person(member)

    def build(session: Session, me: UUID) -> AdjustPoints:
        return AdjustPoints(me, whom(session, person), points, reason.strip())

    await call.ask(build, "adjusted", about=person, name=person.display_name)


@command("addpoints", "Give a member points; they are told why", MEMBER, POINTS, REASON, group=STAFF)
async def addpoints(call: Call, member: Person, points: int, reason: str) -> None:
    """A correction upwards."""
    await adjust(call, member, points, reason)


@command("removepoints", "Take points from a member; they are told why", MEMBER, POINTS, REASON, group=STAFF)
async def removepoints(call: Call, member: Person, points: int, reason: str) -> None:
    """A correction downwards, never below nothing."""
    await adjust(call, member, -points, reason)


@command(
    "verifycourse",
    "Give a member points for a course you have verified",
    MEMBER,
    POINTS,
    Option("course", "text", "its name", True),
    Option("note", "text", "a word to the member", named=True),
    group=STAFF,
)
async def verifycourse(call: Call, member: Person, points: int, course: str, note: str = "") -> None:
    """A correction that names the course."""
    words = f"Course verified: {course.strip()}"
    await adjust(call, member, points, f"{words}. {note.strip()}" if note.strip() else words)


@command(
    "activitylog",
    "What everybody earned, spent and was corrected by",
    HOURS,
    Option("member", "member", "of whom; everybody when left out"),
    group=STAFF,
)
async def activitylog(call: Call, hours: int = 24, member: Person | None = None) -> None:
    """Newest first."""
    await staff_listings.ask_page(call, "activitylog", span(hours, await member_of(member)))


@command("stats", "How the programme is doing", group=STAFF)
async def stats(call: Call) -> None:
    """Members, points, the week, the queue."""
    await call.ask(lambda _session, me: GetProgramme(me), "programme")


@command(
    "topusers",
    "The first of the leaderboard at a glance",
    Option("number", "number", "how many; 10 when left out", least=1, most=MOST_SHOWN),
    Option("period", "choice", "all time, this week or this month", choices=("all_time", "weekly", "monthly")),
    group=STAFF,
)
async def topusers(call: Call, number: int = 10, period: Period = "all_time") -> None:
    """The board itself, so who does not want to be shown is not shown here either."""
    await call.ask(lambda _session, me: GetLeaderboard(member_id=me, period=period, limit=number), "topusers")


@command("adminreport", "What waits for the staff, by kind", group=STAFF)
async def adminreport(call: Call) -> None:
    """For whoever asks, alone: it is posted nowhere."""
    await call.ask(lambda session, me: GetQueueReport(me, attested(session, call)), "report")
