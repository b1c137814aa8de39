"""How resume reviews look in Discord: times read back, a request as it stands, and what staff see and decide."""

from typing import Any
from uuid import UUID

from fleet.contracts.reviews import (
    ProfessionalEntry,
    Professionals,
    ReviewQueue,
    ReviewState,
    ReviewStatistics,
    ReviewSuggestions,
    UnderstoodTimes,
)
from services.bot.cards import AMBER, BLUE, GOOD, GREEN, Button, Card, Rendered, moment, name_of, plain
from services.bot.presenters import leafing, presenter
from services.bot.refusals import SENT_DIRECTLY

# Ids of buttons and forms: `review:yes:<draft>`, `review:fix:<draft>`, `review:book:<student>:<professional>:<unix>`.
PREFIX = "review:"
YES, FIX, BOOK = "yes", "fix", "book"
MOST_TIMES = 12
_SIGNS = {"pending": "⏳", "matched": "🤝", "scheduled": "📅", "completed": "✅", "cancelled": "↩️"}
_WORST = {
    "no_professionals": "there is no professional yet: /add_professional",
    "not_active": "those there are take no reviews at present",
    "time": "nobody has time when the student has",
    "no_overlap": "nobody has time when the student has",
    "weekly_maximum": "everybody has as many reviews as they take in those weeks",
    "level": "nobody takes this level",
    "employer": "the student excluded their employers",
}


def button_id(action: str, *subjects: UUID | str) -> str:
    """The id of a button; UUIDs without their hyphens, or three subjects would not fit into 100 characters."""
    return PREFIX + ":".join([action, *(one.hex if isinstance(one, UUID) else one for one in subjects)])


def span(start: Any, end: Any) -> str:
    """A stretch of time in its reader's own zone."""
    return f"{moment(start, 'F')} – {moment(end, 't')}"


@presenter("resume_readback")
def show_readback(found: UnderstoodTimes, arguments: dict[str, Any]) -> Rendered:
    """The times as they were read, for a yes or another try."""
    draft, zone = str(arguments["draft"]), plain(str(arguments["zone"]))
    fix = Button("Fix the times", button_id(FIX, UUID(draft)))
    fields = []
    if found.unparsed:
        fields.append(("I did not understand", "\n".join(f"• {plain(one, 200)}" for one in found.unparsed[:8])))
    if found.ambiguous:
        doubts = [f"• {plain(one.fragment)}: I took {plain(one.chosen)}" for one in found.ambiguous[:8]]
        fields.append(("This could be read in two ways", "\n".join(doubts)))
    if not found.intervals:
        card = Card(
            title="When can you?",
            text=f"I found no time that can be booked in what you wrote. You could write *tue or thu after 4pm, not the "
            f"8th*, or *weekdays 9-11*. Your time zone here is {zone}.",
            fields=fields,
            colour=AMBER,
            buttons=[fix],
        )
        return Rendered(card, short=SENT_DIRECTLY)
    shown = [f"• {span(one.start, one.end)}" for one in found.intervals[:MOST_TIMES]]
    more = len(found.intervals) - len(shown)
    if more > 0:
        shown.append(f"and {more} more like these")
    card = Card(
        title="Did I read your times right?",
        text="\n".join(shown),
        fields=fields,
        footer=f"Read in {zone}, shown in your own time. Nothing is asked for before you say yes.",
        colour=BLUE,
        buttons=[Button("Yes, ask for the review", button_id(YES, UUID(draft)), style=GOOD), fix],
    )
    return Rendered(card, short=SENT_DIRECTLY)


@presenter("review_asked")
def show_asked(state: ReviewState, arguments: dict[str, Any]) -> Rendered:
    """The request is made, and what happens next."""
    if state.status != "pending":
        return show_review(state, arguments)
    resume = {
        "none": "You attached no resume. You can ask again with one, or bring it along.",
        "failed": "Your resume could not be copied: send it to the staff.",
    }.get(state.resume, "Your resume is kept safely, and only your reviewer and the staff can open it.")
    card = Card(
        title="Your review is asked for",
        text=f"{plain(state.target_role)} in {plain(state.target_industry)}. The staff look for a professional who has "
        f"time when you have, and I will tell you. {resume}",
        footer="How it stands: /review_status · Take it back: /cancelreview",
        colour=GREEN,
    )
    return Rendered(card, short=f"Your review is asked for. {SENT_DIRECTLY}")


@presenter("review_state")
def show_review(state: ReviewState, _arguments: dict[str, Any]) -> Rendered:
    """A request as it stands."""
    fields = []
    if state.professional_name:
        fields.append(("Professional", plain(state.professional_name)))
    if state.scheduled_time is not None:
        at = state.scheduled_time
        fields.append(("Session", f"{moment(at, 'F')} ({moment(at, 'R')}), {state.duration_minutes} minutes"))
    if state.meeting_link:
        fields.append(("Where", plain(state.meeting_link, 300)))
    if state.status in ("pending", "matched") and state.readback:
        fields.append(("Your times", plain(state.readback, 900)))
    if state.resume != "none":
        words = {
            "fetching": "is being copied",
            "kept": "is kept",
            "failed": "could not be copied: send it to the staff",
        }
        fields.append(("Resume", words[state.resume]))
    ahead = {
        "pending": "The staff look for a professional who has time when you have.",
        "matched": "A professional was found. The staff set a time next.",
        "scheduled": "You have the invitation in your mail, and will be reminded.",
        "completed": "It took place. Tell us how it was: on the web, under your reviews.",
        "cancelled": "It ended without a review. Ask again at any time: /resume",
    }[state.status]
    card = Card(
        title=f"{_SIGNS[state.status]} Your resume review: {state.status}",
        text=f"{plain(state.target_role)} in {plain(state.target_industry)}, asked for {moment(state.submitted_at, 'd')}. {ahead}",
        fields=fields,
        footer="Take it back: /cancelreview" if state.status in ("pending", "matched", "scheduled") else "",
        colour=GREEN if state.status in ("scheduled", "completed") else BLUE,
    )
    return Rendered(card, short=SENT_DIRECTLY)


# --- for staff


@presenter("review_queue")
def show_queue(found: ReviewQueue, arguments: dict[str, Any]) -> Rendered:
    """What waits, longest waiting first."""
    if not found.items:
        return Rendered(Card(title="No review waits", text="Everybody who asked has a session."), short=SENT_DIRECTLY)
    lines = []
    for each in found.items:
        who = name_of(each.display_name or "")
        with_whom = f", with {plain(each.professional_name)}" if each.professional_name else ""
        when = plain(each.readback, 120) or "no times"
        lines.append(
            f"{_SIGNS[each.status]} {who}: **{plain(each.target_role, 60)}** in {plain(each.target_industry, 60)}, "
            f"{plain(each.experience_level)}{with_whom}, since {moment(each.submitted_at, 'R')}\n{when}"
        )
    card = Card(
        title=f"{found.waiting:,} {'review waits' if found.waiting == 1 else 'reviews wait'}",
        text="\n".join(lines),
        footer=f"Page {int(arguments.get('page', 1))} · Find somebody: /match_review",
        buttons=leafing("review_queue", "", arguments, found.next_cursor),
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=found.next_cursor)


@presenter("match_offer")
def show_offer(found: ReviewSuggestions, _arguments: dict[str, Any]) -> Rendered:
    """Who could review, and when: each slot with its reason, and a button that books it."""
    who = name_of(found.display_name or "")
    if not found.items:
        return Rendered(_nobody(found), short=SENT_DIRECTLY)
    buttons = [
        Button(
            f"Book {number}",
            button_id(BOOK, found.member_id, one.professional_id, str(int(one.scheduled_time.timestamp()))),
            style=GOOD,
        )
        for number, one in enumerate(found.items[:5], 1)
    ]
    card = Card(
        title="Who could review",
        text=f"For {who}.\n" + "\n".join(_slot(number, one) for number, one in enumerate(found.items[:5], 1)),
        footer="A button books that time, and both get an invitation. Another time: /schedule_session",
        buttons=buttons,
    )
    return Rendered(card, short=SENT_DIRECTLY)


@presenter("match_suggestions")
def show_suggestions(found: ReviewSuggestions, _arguments: dict[str, Any]) -> Rendered:
    """The same to read."""
    if not found.items:
        return Rendered(_nobody(found), short=SENT_DIRECTLY)
    lines = [_slot(number, one) for number, one in enumerate(found.items, 1)]
    card = Card(
        title="Who could review",
        text=f"For {name_of(found.display_name or '')}.\n" + "\n".join(lines),
        fields=[("The student can", plain(found.readback, 900))] if found.readback else [],
        footer="Book one: /match_review",
    )
    return Rendered(card, short=SENT_DIRECTLY)


def _slot(number: int, one: Any) -> str:
    return f"**{number}.** {plain(one.professional_name, 60)}, {moment(one.scheduled_time, 'F')}: {one.score:.0f} of 100, {plain(one.reason, 160)}"


def _nobody(found: ReviewSuggestions) -> Card:
    why = _WORST.get(found.worst or "", plain((found.worst or "no reason is known").replace("_", " ")))
    kept_out = [f"{plain(name.replace('_', ' '))}: {count}" for name, count in found.excluded.items()]
    return Card(
        title="Nobody fits at present",
        text=f"For {name_of(found.display_name or '')}: {why}.",
        fields=[("Kept out", "\n".join(kept_out))] if kept_out else [],
        footer="All professionals: /list_professionals",
        colour=AMBER,
    )


@presenter("review_decided")
def show_decided(state: ReviewState, _arguments: dict[str, Any]) -> Rendered:
    """What the one who decided reads."""
    with_whom = plain(state.professional_name or "somebody")
    if state.scheduled_time is not None:
        text = f"With **{with_whom}**, {moment(state.scheduled_time, 'F')}. Both get an invitation by mail, the student a message here."
        return Rendered(Card(title="Booked", text=text, colour=GREEN), short=SENT_DIRECTLY)
    text = f"**{with_whom}** has it. Set a time next: /schedule_session"
    return Rendered(Card(title="Matched", text=text, colour=GREEN), short=SENT_DIRECTLY)


@presenter("professionals")
def show_professionals(found: Professionals, arguments: dict[str, Any]) -> Rendered:
    """The professionals and what became of their reviews."""
    if not found.items:
        text = "There is no professional yet. Add one: /add_professional"
        return Rendered(Card(title="Professionals", text=text), short=SENT_DIRECTLY)
    card = Card(
        title="Professionals",
        text="\n".join(_professional(each) for each in found.items),
        footer=f"Page {int(arguments.get('page', 1))} · Add one: /add_professional",
        buttons=leafing("professionals", "", arguments, found.next_cursor),
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=found.next_cursor)


def _professional(each: ProfessionalEntry) -> str:
    sign = "⏸️" if each.is_paused else "🟢" if each.is_active else "⚪"
    about = ", ".join(plain(words, 60) for words in (each.title, each.company) if words)
    rating = f", {each.rating:.1f} of 5" if each.rating is not None else ""
    fields = f" · {plain(', '.join(each.specialties), 120)}" if each.specialties else ""
    done = f"{each.reviews:,} {'review' if each.reviews == 1 else 'reviews'}{rating}, {each.scheduled:,} ahead"
    return f"{sign} **{plain(each.name, 60)}**{f' ({about})' if about else ''}: {done}{fields}"


@presenter("professional_added")
def show_added(each: ProfessionalEntry, _arguments: dict[str, Any]) -> Rendered:
    """A new professional."""
    card = Card(title="Added", text=_professional(each), footer="All of them: /list_professionals", colour=GREEN)
    return Rendered(card, short=SENT_DIRECTLY)


@presenter("review_statistics")
def show_statistics(found: ReviewStatistics, _arguments: dict[str, Any]) -> Rendered:
    """How reviews stand."""
    rating = f"{found.average_rating:.2f} of 5, from {found.ratings_given:,}" if found.average_rating else "none yet"
    oldest = moment(found.oldest_pending_at, "R") if found.oldest_pending_at else "nobody waits"
    fields = [
        ("Requests", _counts({name: count for name, count in found.requests.items() if name != "total"})),
        ("Sessions", _counts(found.sessions)),
        ("Last seven days", f"{found.recent_requests:,} asked for, {found.recent_completions:,} completed"),
        ("Professionals", f"{found.active_professionals:,} active, {found.paused_professionals:,} paused"),
        ("Rating", rating),
        ("Longest waiting", oldest),
    ]
    return Rendered(
        Card(title="Resume reviews", fields=fields, footer="What waits: /pending_reviews"), short=SENT_DIRECTLY
    )


def _counts(counted: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counted.items())
