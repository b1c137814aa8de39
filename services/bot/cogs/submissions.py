"""What members hand in: check-in codes, the list of their submissions, taking one back; and the commands of submitting,
kept in step with the ways to earn that points tells of."""

import asyncio
import re
from uuid import UUID

from sqlalchemy import Text, cast, func, select
from sqlalchemy.orm import Session

from fleet import logs
from fleet.contracts.points import GetActivityValues, GetSubmissions, RedeemCheckin, WithdrawSubmission
from fleet.database import is_outage
from services.bot import activity_values, submission_presenters, submitting  # noqa: F401 presenters by name
from services.bot.calls import Call, fresh_listing
from services.bot.client import PropelClient
from services.bot.commands import Option, command
from services.bot.inquiring import inquire
from services.bot.notice_models import Notice
from services.bot.off_loop import transact
from services.bot.refusals import Usage
from services.bot.submitting import GROUP

log = logs.get(__name__)

ASK_AGAIN_S, ASK_SOON_S, ANSWERED_WITHIN_S = 300.0, 15.0, 3.5


@command(
    "checkin",
    "Check in at an event with its code",
    Option("code", "text", "the code you were shown", True),
    group=GROUP,
)
async def checkin(call: Call, code: str) -> None:
    """A code typed once counts once, whoever repeats it."""
    await call.ask(lambda _session, me: RedeemCheckin(member_id=me, code=code.strip()[:100]), "checkin")


@command("submissions", "What you handed in, and what became of it", group=GROUP)
async def submissions(call: Call) -> None:
    """The caller's own, newest first."""
    await call.ask(lambda _session, me: GetSubmissions(member_id=me), "submissions", listing=fresh_listing())


@command(
    "withdraw",
    "Take something back that you handed in",
    Option("id", "text", "its short id, which /submissions shows", True),
    group=GROUP,
)
async def withdraw(call: Call, id: str) -> None:
    """Whether it is the caller's own is for points to say."""
    submission_id = await transact(named, id)
    await call.ask(lambda _session, me: WithdrawSubmission(member_id=me, submission_id=submission_id), "withdrawn")


def named(session: Session, words: str) -> UUID:
    """The submission that is meant by an id or the end of one. Raises Usage."""
    wanted = words.strip().strip("`").lower().replace("-", "")
    if re.fullmatch(r"[0-9a-f]{32}", wanted):
        return UUID(wanted)
    if re.fullmatch(r"[0-9a-f]{8}", wanted):
        ending = func.right(cast(Notice.event_id, Text), 8) == wanted
        found = session.scalars(select(Notice.event_id).where(Notice.kind == "submission_card", ending)).all()
        if len(found) == 1:
            return found[0]
    raise Usage(
        "I do not know that submission. `/submissions` shows yours with their short ids; `/pending` those that wait, to staff."
    )


async def keep_commands_current(client: PropelClient) -> None:
    """Ask points now and then for the ways to earn, and make the commands anew when they have changed."""
    await client.wait_until_ready()
    while True:
        pause = ASK_SOON_S
        try:
            told = await inquire(GetActivityValues(), ANSWERED_WITHIN_S)
            if told is not None:
                pause = ASK_AGAIN_S
                if await transact(activity_values.keep, told):
                    submitting.declare(await transact(activity_values.known))
                    await client.renew_commands()
        except Exception as error:
            if not is_outage(error):
                log.exception("commands_not_renewed")
        await asyncio.sleep(pause)
