"""What reviews writes to students and professionals; queued in the transaction of what it tells of.

The texts are in `mails/`. An invitation's calendar part is kept beside the mail (`invitations`) and put into it by the
sender. A student whose address is not verified gets no mail: the bot tells them.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import mail
from fleet.messages import now
from fleet.settings import read
from services.reviews import ics, members, note_links
from services.reviews.ics import Invite, Party
from services.reviews.models import Member, Professional, ReviewRequest
from services.reviews.session_models import Invitation, Meeting
from services.reviews.settings import SiteSettings

FOLDER = Path(__file__).resolve().parent / "mails"


@dataclass(frozen=True)
class Reader:
    """Whom a letter is for, and in which zone they read times."""

    name: str
    email: str | None
    zone: str


def student(session: Session, student_id: UUID, zone: str) -> Reader:
    """A student as a reader: the name they show, their verified address, the zone of their request."""
    row: Member = members.find(session, student_id)
    return Reader(row.display_name or "a student", row.email, row.time_zone or zone)


def professional(row: Professional) -> Reader:
    """A professional as a reader."""
    return Reader(row.name, row.email, row.time_zone)


def send(
    session: Session, to: Reader, name: str, about: UUID | None = None, calendar: Invite | None = None, **values: Any
) -> None:
    """Queue the letter `name`, unless its reader has no address. `about`: the session, so that what waits can be found."""
    if to.email is None:
        return
    mail_id = mail.queue(session, to.email, mail.render(FOLDER, name, {"name": mail.one_line(to.name), **values}))
    if about is not None:
        method, content = ics.write(calendar) if calendar else (None, None)
        session.add(Invitation(mail_id=mail_id, session_id=about, method=method, calendar=content))
        session.flush()


def invite(session: Session, meeting: Meeting, request: ReviewRequest, reviewer: Professional, what: str) -> None:
    """Tell both parties of a booked, moved or cancelled session, each with the invitation of its present sequence."""
    parties = student(session, meeting.student_id, request.time_zone), professional(reviewer)
    for to, other in (parties, parties[::-1]):
        details = _details(meeting, request, to, reviewer)
        send(session, to, what, meeting.id, _invite(meeting, to, other), **_words(meeting, to, other), details=details)


def remind(session: Session, meeting: Meeting, request: ReviewRequest, reviewer: Professional, hours: int) -> None:
    """Remind both of a session that begins soon."""
    parties = student(session, meeting.student_id, request.time_zone), professional(reviewer)
    for to, other in (parties, parties[::-1]):
        words = _words(meeting, to, other) | {"hours": "one hour" if hours == 1 else f"{hours} hours"}
        send(session, to, "reminder", meeting.id, **words, details=_details(meeting, request, to, reviewer))


def ask_for_feedback(session: Session, meeting: Meeting, request: ReviewRequest, reviewer: Professional) -> None:
    """After a session: the student rates it on the site, the professional writes notes by a link of their own."""
    site, to = read(SiteSettings).url, student(session, meeting.student_id, request.time_zone)
    send(
        session,
        to,
        "feedback",
        meeting.id,
        other=reviewer.name,
        link=f"{site}/api/review-requests/{request.id}/feedback/",
    )
    token = note_links.make("notes", meeting.id)
    link = f"{site}/api/review-requests/notes/?token={token}"
    send(session, professional(reviewer), "notes", meeting.id, other=to.name, link=link)


def handed_over(session: Session, request: ReviewRequest, reviewer: Professional) -> None:
    """The professional let a request lie: a word to the student."""
    send(session, student(session, request.student_id, request.time_zone), "handed_over", other=reviewer.name)


def calendar_of(session: Session, mail_id: UUID) -> tuple[str, str] | None:
    """Method and text of the calendar part of a queued mail."""
    row = session.execute(select(Invitation.method, Invitation.calendar).where(Invitation.mail_id == mail_id)).first()
    return (row.method, row.calendar) if row and row.method and row.calendar else None


def _words(meeting: Meeting, to: Reader, other: Reader) -> dict[str, Any]:
    local = meeting.starts_at.astimezone(ZoneInfo(to.zone))
    return {
        "other": mail.one_line(other.name),
        "day": f"{local:%A} {local.day} {local:%B}",
        "when": told(meeting.starts_at, to.zone),
        "minutes": meeting.duration_minutes,
    }


def told(moment: datetime, zone: str) -> str:
    """An instant in words, in somebody's zone."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%A} {local.day} {local:%B %Y, %H:%M} ({zone})"


def _details(meeting: Meeting, request: ReviewRequest, to: Reader, reviewer: Professional) -> str:
    """Where to meet; and for the professional what to read before, by a link that expires."""
    found = [f"Meeting: {meeting.meeting_link}"] if meeting.meeting_link else []
    if to.email == reviewer.email and meeting.status == "scheduled":
        found.append(f"Target: {mail.one_line(request.target_role)}, {mail.one_line(request.target_industry)}.")
        if request.resume_id is not None:
            token = note_links.make("resume", request.resume_id, meeting.created_at.timestamp())
            found.append(f"Resume: {read(SiteSettings).url}/api/resumes/shared/?token={token}")
        elif request.resume_url:
            found.append(f"Resume: {request.resume_url}")
    return "\n".join(found)


def _invite(meeting: Meeting, to: Reader, other: Reader) -> Invite:
    sender = mail.sender_address()
    return Invite(
        session_id=meeting.id,
        sequence=meeting.sequence,
        cancelled=meeting.status == "cancelled",
        starts_at=meeting.starts_at,
        duration_minutes=meeting.duration_minutes,
        summary=f"Resume review with {other.name}",
        description="A resume review arranged by Propel.",
        organizer=Party("Propel", sender),
        attendees=(Party(to.name, to.email or sender),),
        stamp=now().replace(microsecond=0),
        location=meeting.meeting_link,
    )
