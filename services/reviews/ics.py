"""iCalendar invitations as Google, Outlook and Apple accept them: one UID for each session, SEQUENCE raised by each move,
METHOD:REQUEST or CANCEL. The same session and sequence always give the same text, so that a mail sent twice says one thing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from icalendar import Alarm, Calendar, Event, vCalAddress, vText

from fleet.mail import one_line

PRODUCT = "-//Propel//Resume reviews//EN"
DOMAIN = "sessions.propel"


@dataclass(frozen=True)
class Party:
    """Somebody with an address in an invitation."""

    name: str
    email: str


@dataclass(frozen=True)
class Invite:
    """What an invitation says; `stamp` is when this state of the session was made."""

    session_id: UUID
    sequence: int
    cancelled: bool
    starts_at: datetime
    duration_minutes: int
    summary: str
    description: str
    organizer: Party
    attendees: tuple[Party, ...]
    stamp: datetime
    location: str | None = None


def uid_of(session_id: UUID) -> str:
    """The identity of a session in every calendar, for ever."""
    return f"{session_id}@{DOMAIN}"


def write(invite: Invite) -> tuple[str, str]:
    """The method (REQUEST or CANCEL) and the text of an invitation."""
    method = "CANCEL" if invite.cancelled else "REQUEST"
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    calendar.add_component(_event(invite))
    return method, calendar.to_ical().decode()


def _event(invite: Invite) -> Event:
    event = Event()
    event.add("uid", uid_of(invite.session_id))
    event.add("sequence", invite.sequence)
    event.add("dtstamp", invite.stamp.astimezone(UTC))
    # Instants in UTC: a calendar shows them in its owner's zone, and no zone definition can be out of date.
    event.add("dtstart", invite.starts_at.astimezone(UTC))
    event.add("dtend", (invite.starts_at + timedelta(minutes=invite.duration_minutes)).astimezone(UTC))
    event.add("summary", one_line(invite.summary))
    event.add("description", invite.description)
    if invite.location:
        event.add("location", one_line(invite.location))
    event.add("status", "CANCELLED" if invite.cancelled else "CONFIRMED")
    event.add("transp", "OPAQUE")
    event.add("organizer", _address(invite.organizer), encode=False)
    for attendee in invite.attendees:
        address = _address(attendee)
        address.params["ROLE"] = vText("REQ-PARTICIPANT")
        address.params["PARTSTAT"] = vText("NEEDS-ACTION")
        address.params["RSVP"] = vText("TRUE")
        event.add("attendee", address, encode=False)
    if not invite.cancelled:
        event.add_component(_alarm())
    return event


def _address(party: Party) -> vCalAddress:
    address = vCalAddress(f"mailto:{party.email}")
    address.params["CN"] = vText(one_line(party.name).replace('"', "'"))
    return address


def _alarm() -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", "Resume review")
    alarm.add("trigger", timedelta(minutes=-30))
    return alarm
