"""The commands that hand something in: one for each way to earn that staff approve, made from what points tells of them.

A new activity type needs nothing here: its command is its code without underscores.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from fleet.contracts.points import Attachment, Submit
from services.bot import pictures
from services.bot.calls import Call
from services.bot.cards import points as in_points
from services.bot.commands import Command, Option, registry
from services.bot.notice_models import KnownActivity

GROUP = "Hand something in"
# What members call the ways to earn that every installation begins with.
NAMES = {
    "event_attendance": "event",
    "resource_share": "resource",
    "linkedin_post": "linkedin",
    "job_lead_post": "joblead",
    "thoughtful_reply": "thoughtfulreply",
    "resume_feedback_provide": "resumefeedback",
    "study_group_lead": "studygroup",
    "resource_walkthrough": "walkthrough",
    "mock_interview_host": "mockinterview",
    "teach_share_session": "teachshare",
    "peer_mentor": "peermentor",
    "mini_event_organize": "minievent",
    "professional_referral": "referral",
    "exclusive_resource": "exclusive",
    "external_workshop": "workshop",
}
# As many commands as Discord takes for one server; what is left of them is for the ways to earn.
MOST_COMMANDS = 100
_made: list[str] = []


def declare(known: Iterable[KnownActivity]) -> None:
    """Put a command for each of these into the table of commands, in place of the ones made before.

    While points has told nothing yet there are those that every installation begins with; they take anything, and points
    says what is missing.
    """
    withdraw()
    rows = [row for row in known if row.requires_approval]
    made = [_of(row) for row in rows] if rows else [_unknown(code) for code in NAMES]
    for command in made[: MOST_COMMANDS - len(registry)]:
        if command.name not in registry:
            registry[command.name] = command
            _made.append(command.name)


def withdraw() -> None:
    """Take the commands that were made out of the table."""
    for name in _made:
        registry.pop(name, None)
    _made.clear()


def _name(code: str) -> str:
    return NAMES.get(code) or code.replace("_", "")[:32]


def _of(row: KnownActivity) -> Command:
    about = f"{row.name}, {in_points(row.points)}: staff approve it"
    least = f", at least {row.min_description} characters" if row.min_description else ""
    options = [
        Option("link", "link", "its address", required=row.evidence == "url"),
        Option("file", "file", "a photo or file that shows it", required=row.evidence == "attachment"),
        Option(
            "description",
            "text",
            f"what you did, in a few words{least}",
            required=row.evidence == "text" or row.min_description > 0,
        ),
    ]
    return _command(row.code, about, options)


def _unknown(code: str) -> Command:
    words = code.replace("_", " ")
    options = [
        Option("description", "text", "what you did, in a few words"),
        Option("link", "link", "its address"),
        Option("file", "file", "a photo or file that shows it"),
    ]
    return _command(code, f"Hand in: {words}", options)


def _command(code: str, about: str, options: list[Option]) -> Command:
    async def run(call: Call, description: str = "", link: str | None = None, file: Attachment | None = None) -> None:
        await hand_in(call, code, description, link, file)

    # Discord wants what must be given before what may be.
    options.sort(key=lambda option: not option.required)
    return Command(_name(code), about[:100], tuple(options), run, GROUP)


async def hand_in(call: Call, activity: str, description: str, link: str | None, file: Attachment | None) -> None:
    """Claim an activity for the caller; the id of the interaction or message names the claim, so it is made once."""
    reference = f"discord:{call.correlation}"

    def build(session: Session, me: Any) -> Submit:
        if file is not None:
            pictures.keep(session, reference, me, file)
        return Submit(
            member_id=me,
            activity=activity,
            reference=reference,
            description=description,
            url=link,
            attachment=file,
        )

    await call.ask(build, "submitted")
