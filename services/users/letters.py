"""What users writes to members by mail; the texts are in `mails/`, queued in the transaction of what they tell of."""

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet import mail
from fleet.settings import read
from services.users import one_time
from services.users.models import Member
from services.users.settings import SiteSettings

FOLDER = Path(__file__).resolve().parent / "mails"


def send(session: Session, member: Member, name: str, **values: Any) -> None:
    """Queue the letter `name` to a member; one without an address (born in Discord) gets none."""
    if member.email is None:
        return
    given = {"name": mail.one_line(member.first_name or member.username or "member"), "site": read(SiteSettings).url}
    mail.queue(session, member.email, mail.render(FOLDER, name, given | values))


def welcome(session: Session, member: Member) -> None:
    """The first letter, with the code that confirms the address."""
    waits = member.status == "awaiting_approval"
    next_step = "An administrator looks at your application; you get mail when it is approved." if waits else ""
    token = one_time.issue(session, member, "verify_email")
    send(session, member, "welcome", token=token, next_step=next_step)


def last(session: Session, address: str) -> UUID:
    """The letter to somebody of whom nothing but the address is left; its id in the queue."""
    return mail.queue(session, address, mail.render(FOLDER, "erased", {"site": read(SiteSettings).url}))


def suspended(session: Session, member: Member, until: datetime | None, reason: str) -> None:
    """Until when and why a member is suspended."""
    words = f"until {until:%d %B %Y, %H:%M} UTC" if until else "until further notice"
    send(session, member, "suspended", until=words, reason=reason)
