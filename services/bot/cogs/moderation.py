"""What staff do to members: warn, suspend, register, welcome; and reading what was done.

Who presses is who acts. Whether they may is decided by users, from the role of their account; the bot vouches for the
server's staff role and for nothing else. Only the welcome is the bot's own, and so is the decision about it.
"""

from typing import Any
from uuid import UUID

import aiohttp
import nextcord
from sqlalchemy.orm import Session

from fleet.contracts.users import ClearWarnings, EnrolMember, SuspendMember, UnsuspendMember, WarnMember
from fleet.messages import now
from services.bot import guilds, people, staff_listings, staff_presenters  # noqa: F401 presenters by name
from services.bot.calls import Call
from services.bot.cards import GREEN, Card, Rendered, name_of
from services.bot.cogs.general import WELCOME
from services.bot.commands import STAFF, Option, command
from services.bot.delivery import Closed
from services.bot.models import ForgottenPerson
from services.bot.off_loop import transact
from services.bot.people import Person
from services.bot.refusals import SENT_DIRECTLY, Usage
from services.bot.staff_listings import attested, span

LONGEST_HOURS = 24 * 366
MEMBER = Option("member", "member", "who", True)
REASON = Option("reason", "text", "why; the member is told", True)
HOURS = Option("hours", "number", "how far back; 24 when left out", least=1, most=LONGEST_HOURS)


def of_a_person(member: Person) -> Person:
    """The member who is meant; bots are none. Raises Usage."""
    if member.is_bot:
        raise Usage("Bots are no members. Choose a person.")
    return member


FORGOTTEN = "This person asked to be forgotten. They become a member again by using a command themselves."


def whom(session: Session, person: Person) -> UUID:
    """The member id of somebody a command is about. Raises Usage for who was forgotten."""
    found = people.member_ids(session, [person.discord_id]).get(person.discord_id)
    if found is None:
        raise Usage(FORGOTTEN)
    return found


@command("warn", "Warn a member; they are told why", MEMBER, REASON, group=STAFF)
async def warn(call: Call, member: Person, reason: str) -> None:
    """A warning with its reason."""
    person = of_a_person(member)

    def build(session: Session, me: UUID) -> WarnMember:
        return WarnMember(me, whom(session, person), reason, attested(session, call))

    await call.ask(build, "moderated", about=person, done="warned")


@command("clearwarnings", "Take all warnings of a member back", MEMBER, group=STAFF)
async def clearwarnings(call: Call, member: Person) -> None:
    """All of them at once."""
    person = of_a_person(member)

    def build(session: Session, me: UUID) -> ClearWarnings:
        return ClearWarnings(me, whom(session, person))

    await call.ask(build, "moderated", about=person, done="cleared")


@command(
    "suspenduser",
    "Suspend a member: they earn and spend nothing",
    MEMBER,
    Option("minutes", "number", "for how long; 0 until somebody lifts it", True, least=0, most=10 * 365 * 24 * 60),
    REASON,
    group=STAFF,
)
async def suspenduser(call: Call, member: Person, minutes: int, reason: str) -> None:
    """For some minutes, or until it is lifted."""
    person = of_a_person(member)

    def build(session: Session, me: UUID) -> SuspendMember:
        return SuspendMember(me, whom(session, person), reason, minutes or None)

    await call.ask(build, "moderated", about=person, done="suspended")


@command("unsuspenduser", "Lift a member's suspension before its end", MEMBER, group=STAFF)
async def unsuspenduser(call: Call, member: Person) -> None:
    """They earn and spend again at once."""
    person = of_a_person(member)

    def build(session: Session, me: UUID) -> UnsuspendMember:
        return UnsuspendMember(me, whom(session, person))

    await call.ask(build, "moderated", about=person, done="unsuspended")


@command("registeruser", "Make somebody in this server a member", MEMBER, group=STAFF)
async def registeruser(call: Call, member: Person) -> None:
    """As if they had been seen; who was erased is left alone until they come back by themselves."""
    person = of_a_person(member)

    def build(session: Session, me: UUID) -> EnrolMember:
        derived = people.derived_id(person.discord_id)
        known = people.member_ids(session, [person.discord_id]).get(person.discord_id)
        if known is None and session.get(ForgottenPerson, derived) is not None:
            raise Usage(FORGOTTEN)
        return EnrolMember(me, known or derived, person.discord_id, person.username, person.display_name, now())

    await call.ask(build, "enrolled")


def _may_welcome(session: Session, call: Call) -> bool:
    member_id = people.member_id(session, call.person.discord_id)
    return (
        attested(session, call)
        or guilds.is_admin(session, member_id)
        or guilds.is_linked_admin(session, call.person.discord_id)
    )


@command("sendwelcome", "Send somebody the welcome by direct message", MEMBER, group=STAFF)
async def sendwelcome(call: Call, member: Person) -> None:
    """The text everybody gets on joining."""
    person = of_a_person(member)
    if not await transact(_may_welcome, call):
        raise Usage("Only this server's staff and admins whose account is linked send welcomes.")
    await call.acknowledge()
    name = name_of(person.display_name)
    try:
        await call.desk.delivery.direct(person.discord_id, WELCOME, f"sw{call.correlation}")
    except Closed as error:
        raise Usage(f"{name} takes no direct messages. They can use `/welcome` to read it.") from error
    except (nextcord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Usage("Discord did not take the message. Please try again in a minute.") from error
    card = Card(title="Sent", text=f"{name} has got the welcome by direct message.", colour=GREEN)
    await call.answer(Rendered(card, short=SENT_DIRECTLY))


@command(
    "audit",
    "Who changed what about members",
    HOURS,
    Option("member", "member", "about whom; everybody when left out"),
    group=STAFF,
)
async def audit(call: Call, hours: int = 24, member: Person | None = None) -> None:
    """Roles, suspensions, warnings, links: with who did it and why."""
    await staff_listings.ask_page(call, "audit", span(hours, await member_of(member)))


async def member_of(member: Person | None) -> Any:
    """The member id of a person, None for nobody in particular."""
    return None if member is None else await transact(people.member_id, of_a_person(member).discord_id)
