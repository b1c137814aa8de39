"""What students are told of their reviews by direct message, with times in their own zone."""

from typing import Any
from uuid import UUID

from fleet.contracts import reviews
from fleet.contracts.codec import instant
from services.bot.cards import AMBER, BLUE, GREEN, Card, moment, plain
from services.bot.notice_kinds import Data, notice


def _own_review(data: Data) -> reviews.GetReview:
    return reviews.GetReview(member_id=UUID(data["member_id"]))


def _of_this(data: Data, words: Any) -> Any:
    """The request's state as reviews tells it, while it is still the one that the event is about."""
    return words if words is not None and str(words.review_request_id) == data.get("review_request_id") else None


def _with(state: Any) -> str:
    return f" with **{plain(state.professional_name, 80)}**" if state is not None and state.professional_name else ""


def _where(state: Any) -> list[tuple[str, str]]:
    return [("Where", plain(state.meeting_link, 300))] if state is not None and state.meeting_link else []


def _at(data: Data, name: str = "scheduled_time") -> str:
    when = instant(data[name])
    return f"{moment(when, 'F')} ({moment(when, 'R')})"


@notice("review_matched", of=reviews.ReviewMatched, question=_own_review)
def review_matched(data: Data, words: Any) -> Card:
    """A professional was found."""
    state = _of_this(data, words)
    who = (
        f"**{plain(state.professional_name, 80)}** reviews" if state and state.professional_name else "Somebody reviews"
    )
    text = f"{who} your resume. The staff set a time next."
    return Card(title="A professional was found", text=text, footer="How it stands: /review_status", colour=BLUE)


@notice("session_scheduled", of=reviews.SessionScheduled, question=_own_review)
def session_scheduled(data: Data, words: Any) -> Card:
    """A session is booked."""
    state = _of_this(data, words)
    text = f"{_at(data)}, {data['duration_minutes']} minutes{_with(state)}. The invitation is in your mail."
    return Card(
        title="Your review session is set",
        text=text,
        fields=_where(state),
        footer="It does not suit you? /cancelreview, or tell the staff",
        colour=GREEN,
    )


@notice("session_rescheduled", of=reviews.SessionRescheduled, question=_own_review)
def session_rescheduled(data: Data, words: Any) -> Card:
    """A session was moved."""
    state = _of_this(data, words)
    text = f"Now {_at(data)}{_with(state)}; it was {moment(instant(data['previous_time']), 'F')}."
    return Card(title="Your review session was moved", text=text, fields=_where(state), colour=AMBER)


@notice("session_cancelled", of=reviews.SessionCancelled, question=_own_review)
def session_cancelled(data: Data, words: Any) -> Card:
    """A session does not take place."""
    state = _of_this(data, words)
    again = state is not None and state.status in ("pending", "matched")
    ahead = "Your request is open again: the staff look for another time." if again else "You can ask again: /resume"
    text = f"The session of {moment(instant(data['scheduled_time']), 'F')} does not take place. {ahead}"
    return Card(
        title="Your review session is cancelled", text=text, footer="How it stands: /review_status", colour=AMBER
    )


@notice("session_no_show", of=reviews.SessionNoShow)
def session_no_show(data: Data, _words: Any) -> Card:
    """Somebody did not come."""
    text = (
        f"The session of {moment(instant(data['scheduled_time']), 'F')} did not take place, as somebody did not come. "
    )
    return Card(
        title="Your review session did not take place",
        text=text + "Your request is open again: the staff look for another time.",
        footer="How it stands: /review_status",
        colour=AMBER,
    )


@notice("session_reminder", of=reviews.SessionReminderDue, question=_own_review)
def session_reminder(data: Data, words: Any) -> Card:
    """A session begins in a day, or in an hour."""
    soon = "in about an hour" if data["hours"] == 1 else "tomorrow"
    state = words if words is not None and str(words.session_id) == data["session_id"] else None
    text = f"{_at(data)}, {data['duration_minutes']} minutes{_with(state)}."
    return Card(title=f"Your review session begins {soon}", text=text, fields=_where(state), colour=BLUE)
