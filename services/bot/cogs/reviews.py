"""Resume reviews for students: resume, review_status, cancelreview, and the question whether their times were read right."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

import nextcord
from nextcord.ext import commands
from sqlalchemy.orm import Session

from fleet.contracts.points import Attachment
from fleet.contracts.reviews import CancelReview, GetReview, ScheduleSession
from fleet.messages import new_id
from fleet.settings import ProgramSettings, read
from services.bot import contacts, people, review_drafts
from services.bot.calls import Call, ClickCall, apologise
from services.bot.client import PropelClient
from services.bot.commands import Option, command
from services.bot.forms import PARAGRAPH, SHORT, filled_in, form, open_form
from services.bot.off_loop import transact
from services.bot.refusals import Usage
from services.bot.review_drafts import Wish
from services.bot.review_presenters import BOOK, FIX, PREFIX, YES, button_id

GROUP = "Resume review"
LEVELS = ("entry", "recent_graduate", "career_changer", "mid", "senior", "any")
LONGEST, LONGEST_TIMES = 200, 2000


@command(
    "resume",
    "Have your resume reviewed by a professional",
    Option("industry", "text", "the industry you aim at", True),
    Option("role", "text", "the role you aim at", True),
    Option("level", "choice", "where you stand", True, LEVELS),
    Option("times", "text", "when you can, in your own words: tue or thu after 4pm, not the 8th", True),
    Option("timezone", "time_zone", "the time zone of these times; yours when left out", named=True),
    Option("file", "file", "your resume"),
    Option("link", "link", "where your resume is, if it is on the web"),
    group=GROUP,
)
async def resume(
    call: Call,
    industry: str,
    role: str,
    level: str,
    times: str,
    timezone: str | None = None,
    file: Attachment | None = None,
    link: str | None = None,
) -> None:
    """Nothing is asked for yet: the times are read back first."""
    zone = _checked(timezone) if timezone else None
    draft_id, mine = new_id(), call.person.discord_id
    if zone is None:
        zone = await transact(_preferred_zone, mine)
    attachment = asdict(file) if file else None
    wish = Wish(industry[:LONGEST], role[:LONGEST], level, times[:LONGEST_TIMES], zone, attachment, link)

    def build(session: Session, _me: UUID) -> Any:
        review_drafts.keep(session, draft_id, mine, wish)
        return wish.reading()

    await call.ask(build, "resume_readback", draft=str(draft_id), zone=zone)


def _checked(zone: str) -> str:
    known = {name.casefold(): name for name in available_timezones()}
    found = known.get(zone.strip().replace(" ", "_").casefold())
    if found is None:
        raise Usage("I do not know that time zone. Write it like Europe/Berlin or America/New_York.")
    return found


def _preferred_zone(session: Session, discord_id: str) -> str:
    return contacts.zone_of(session, people.member_id(session, discord_id)) or str(read(ProgramSettings).zone)


@command("review_status", "How your resume review stands", group=GROUP)
async def review_status(call: Call) -> None:
    """The newest request of the caller, with its session."""
    await call.ask(lambda _session, me: GetReview(member_id=me), "review_state")


@command("cancelreview", "Take your resume review back, and its session with it", group=GROUP)
async def cancelreview(call: Call) -> None:
    """Whether there is anything open is for reviews to say."""
    await call.ask(lambda _session, me: CancelReview(member_id=me), "review_state")


def fix_form(draft_id: UUID, wish: Wish) -> dict[str, Any]:
    """Asks for the times anew; what was written stands there already."""
    times = {
        "custom_id": "times",
        "style": PARAGRAPH,
        "label": "When can you, in your own words?",
        "required": True,
        "max_length": LONGEST_TIMES,
        "value": wish.times,
    }
    zone = {
        "custom_id": "timezone",
        "style": SHORT,
        "label": "The time zone of these times",
        "required": True,
        "max_length": 60,
        "value": wish.time_zone,
    }
    return form(button_id(FIX, draft_id), "When can you?", times, zone)


class ReviewButtons(commands.Cog):
    """Takes a student's yes or another try, and the bookings of staff."""

    def __init__(self, client: PropelClient) -> None:
        self.client = client

    @commands.Cog.listener()
    async def on_interaction(self, interaction: nextcord.Interaction[Any]) -> None:
        """Take the clicks and forms that are ours."""
        data: Any = interaction.data or {}
        custom_id = str(data.get("custom_id", ""))
        if not custom_id.startswith(PREFIX):
            return
        call = ClickCall(self.client, interaction)
        try:
            action, *subjects = custom_id.removeprefix(PREFIX).split(":")
            if action == BOOK:
                await self._book(call, *subjects)
            elif action == YES:
                await self._confirm(call, UUID(subjects[0]))
            elif action == FIX and interaction.type is nextcord.InteractionType.modal_submit:
                await self._read_again(call, UUID(subjects[0]), filled_in(data))
            elif action == FIX:
                draft_id = UUID(subjects[0])
                wish = await transact(review_drafts.find, draft_id, call.person.discord_id)
                await open_form(self.client, interaction, fix_form(draft_id, wish))
            else:
                raise Usage("This button is not known any more.")
        except (IndexError, TypeError, ValueError):
            await apologise(call, Usage("This button is not known any more."))
        except Exception as error:
            await apologise(call, error)

    async def _confirm(self, call: ClickCall, draft_id: UUID) -> None:
        mine = call.person.discord_id
        await call.ask(
            lambda session, me: review_drafts.find(session, draft_id, mine).request(me, draft_id), "review_asked"
        )

    async def _read_again(self, call: ClickCall, draft_id: UUID, fields: dict[str, str]) -> None:
        zone, mine = _checked(fields.get("timezone", "")), call.person.discord_id
        times = fields.get("times", "")[:LONGEST_TIMES]
        await call.ask(
            lambda session, _me: review_drafts.change(session, draft_id, mine, times, zone).reading(),
            "resume_readback",
            draft=str(draft_id),
            zone=zone,
        )

    async def _book(self, call: ClickCall, student: str, professional: str, unix: str) -> None:
        at = datetime.fromtimestamp(int(unix), UTC)
        student_id, professional_id = UUID(student), UUID(professional)
        await call.ask(
            lambda _session, me: ScheduleSession(
                actor_member_id=me,
                student_id=student_id,
                professional_id=professional_id,
                scheduled_time=at.isoformat(),
            ),
            "review_decided",
        )
