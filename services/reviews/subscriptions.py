"""What reviews hears: members and merges from users, commands and questions of the bot."""

import threading

from sqlalchemy.orm import Session

from fleet import auth_state, exporting, mail
from fleet.contracts import reviews as said
from fleet.contracts.privacy import Erased, ExportPart
from fleet.contracts.users import (
    AccountsMerged,
    AuthStateChanged,
    ContactChanged,
    DiscordLinked,
    DiscordUnlinked,
    UserUpdated,
)
from fleet.messages import Envelope
from fleet.problems import NotFound
from services.reviews import (
    chores,
    google_calendar,
    google_forms,
    letters,
    members,
    merging,
    privacy,
    requests,
    resumes,
    sessions,
    staff_subscriptions,  # noqa: F401 adds its handlers
    states,
)
from services.reviews.heard import subscriptions
from services.reviews.requests import Wish
from services.reviews.turns import Actor

subscriptions.handles(AuthStateChanged)(auth_state.remember)


def _sender(stop: threading.Event) -> mail.Sender:
    """Sends the mail of this service, invitations with their calendar part."""
    return mail.Sender(stop, letters.calendar_of)


# What the consumer process does beside: see fleet/worker.py.
PARTS = (chores.Chores, _sender, google_calendar.Calendar, google_forms.Forms)


@subscriptions.handles(UserUpdated)
def on_user_updated(session: Session, event: Envelope[UserUpdated]) -> None:
    """A member's name or role changed."""
    members.apply_update(session, event.data, event.sequence or 0)


@subscriptions.handles(ContactChanged)
def on_contact_changed(session: Session, event: Envelope[ContactChanged]) -> None:
    """A member's address or zone changed."""
    members.apply_contact(session, event.data, event.sequence or 0)


@subscriptions.handles(AccountsMerged)
def on_accounts_merged(session: Session, event: Envelope[AccountsMerged]) -> None:
    """What was the old member's is the new one's."""
    merging.change_link(session, event.data.old_id, event.data.link_version, event.data.new_id)


@subscriptions.handles(DiscordLinked)
def on_discord_linked(session: Session, event: Envelope[DiscordLinked]) -> None:
    """The same change, in the other words: whichever of the two comes first is applied."""
    merging.change_link(session, event.data.discord_born_id, event.data.link_version, event.data.member_id)


@subscriptions.handles(DiscordUnlinked)
def on_discord_unlinked(session: Session, event: Envelope[DiscordUnlinked]) -> None:
    """The Discord-born member begins anew."""
    merging.change_link(session, event.data.discord_born_id, event.data.link_version, None)


@subscriptions.handles(said.RequestReview)
def request_review(session: Session, command: Envelope[said.RequestReview]) -> said.ReviewState:
    """A student asks for a review from Discord."""
    asked = command.data
    known = requests.by_reference(session, asked.reference)
    if known is None:
        resume = resumes.expect(session, asked.member_id, asked.attachment) if asked.attachment else None
        wish = Wish(
            asked.target_industry,
            asked.target_role,
            asked.experience_level,
            asked.preferred_times,
            asked.time_zone,
            resume_id=resume.id if resume else None,
            resume_url=asked.resume_url,
            reference=asked.reference,
        )
        known = requests.submit(session, asked.member_id, wish)
    return states.of(session, known)


@subscriptions.handles(said.CancelReview)
def cancel_review(session: Session, command: Envelope[said.CancelReview]) -> said.ReviewState:
    """A student takes their open request back."""
    found = _newest(session, command.data)
    actor = Actor("student", members.resolve(session, command.data.member_id))
    return states.of(session, sessions.cancel_request(session, found.id, actor))


@subscriptions.handles(said.GetReview)
def get_review(session: Session, question: Envelope[said.GetReview]) -> said.ReviewState:
    """The newest request of a member."""
    return states.of(session, _newest(session, question.data))


def _newest(session: Session, asked: said.GetReview | said.CancelReview) -> requests.ReviewRequest:
    found = requests.newest(session, asked.member_id)
    if found is None:
        raise NotFound("You have not asked for a review yet.")
    return found


@subscriptions.handles(said.ParseAvailability)
def parse_availability(_session: Session, question: Envelope[said.ParseAvailability]) -> said.UnderstoodTimes:
    """What a text about somebody's time says."""
    asked = question.data
    parsed = requests.understood(asked.text[:2000], asked.time_zone, asked.duration_minutes, asked.locale)
    return said.UnderstoodTimes(
        [said.Span(one.start, one.end) for one in parsed.intervals],
        parsed.readback,
        list(parsed.unparsed),
        [said.Doubt(one.fragment, one.chosen, list(one.alternatives)) for one in parsed.ambiguous],
    )


@subscriptions.handles(said.ExportMember)
def export_member(session: Session, command: Envelope[said.ExportMember]) -> ExportPart:
    """A part of what is held."""
    return exporting.part(session, privacy.SECTIONS, command.data.member_ids, command.data.cursor)


@subscriptions.handles(said.EraseMember)
def erase_member(session: Session, command: Envelope[said.EraseMember]) -> Erased:
    """Everything personal goes."""
    return Erased(privacy.forget(session, command.data.member_ids, command.data.pseudonym))
