"""Resume reviews for staff: the queue, matching, sessions, professionals, figures. reviews decides who may."""

import re

from fleet.contracts.reviews import (
    AddProfessional,
    GetReviewStatistics,
    GetReviewSuggestions,
    MatchReview,
    ScheduleSession,
)
from services.bot import people, review_presenters, staff_listings  # noqa: F401 presenters by name
from services.bot.calls import Call
from services.bot.commands import STAFF, Option, command
from services.bot.people import Person

_WHOSE = Option("member", "member", "whose review", True)


@command("pending_reviews", "Resume reviews that wait for a session", group=STAFF)
async def pending_reviews(call: Call) -> None:
    """Longest waiting first."""
    await staff_listings.ask_page(call, "review_queue")


@command("suggest_matches", "Who could review a member's resume, and when", _WHOSE, group=STAFF)
async def suggest_matches(call: Call, member: Person) -> None:
    """To read; /match_review books."""
    await _suggest(call, member, "match_suggestions", 10)


@command(
    "match_review",
    "Find a professional for a member's review, and book a time",
    _WHOSE,
    Option("professional", "text", "give it to this one, by a part of the name; the time is set later"),
    group=STAFF,
)
async def match_review(call: Call, member: Person, professional: str | None = None) -> None:
    """Without a name, the best times with buttons that book them."""
    if professional is None:
        await _suggest(call, member, "match_offer", 5)
        return
    name = professional.strip()[:200]
    await call.ask(
        lambda session, me: MatchReview(me, people.member_id(session, member.discord_id), professional_name=name),
        "review_decided",
    )


async def _suggest(call: Call, member: Person, presenter: str, limit: int) -> None:
    await call.ask(
        lambda session, me: GetReviewSuggestions(me, people.member_id(session, member.discord_id), limit), presenter
    )


@command(
    "schedule_session",
    "Book a review session at a time of your choice",
    _WHOSE,
    Option("professional", "text", "by a part of the name", True),
    Option("time", "text", "when: 2026-03-10 15:00, or thu 3pm", True),
    Option("timezone", "time_zone", "the time zone of that time; the student's when left out", named=True),
    group=STAFF,
)
async def schedule_session(
    call: Call, member: Person, professional: str, time: str, timezone: str | None = None
) -> None:
    """A time that can be read in two ways is refused, never guessed."""
    await call.ask(
        lambda session, me: ScheduleSession(
            actor_member_id=me,
            student_id=people.member_id(session, member.discord_id),
            scheduled_time=time[:200],
            professional_name=professional.strip()[:200],
            time_zone=timezone,
        ),
        "review_decided",
    )


@command("list_professionals", "The professionals who review resumes", group=STAFF)
async def list_professionals(call: Call) -> None:
    """Newest first, with what became of their reviews."""
    await staff_listings.ask_page(call, "professionals")


@command(
    "add_professional",
    "Add a professional who reviews resumes",
    Option("name", "text", "as students read it", True),
    Option("email", "text", "where invitations go", True),
    Option("timezone", "time_zone", "where they are", True),
    Option("specialties", "text", "industries, with commas between them", named=True),
    Option("company", "text", "where they work", named=True),
    Option("title", "text", "what they do there", named=True),
    Option("weekly", "number", "how many reviews a week at most (3)", named=True, least=1, most=40),
    Option("availability", "text", "when they can, in their own words: weekdays after 5", named=True),
    group=STAFF,
)
async def add_professional(
    call: Call,
    name: str,
    email: str,
    timezone: str,
    specialties: str = "",
    company: str = "",
    title: str = "",
    weekly: int = 3,
    availability: str | None = None,
) -> None:
    """What is wrong with any of it, reviews says."""
    fields = [word.strip() for word in re.split(r"[,;]", specialties) if word.strip()]
    await call.ask(
        lambda _session, me: AddProfessional(
            actor_member_id=me,
            name=name.strip(),
            email=email.strip(),
            time_zone=timezone,
            title=title.strip(),
            company=company.strip(),
            specialties=fields,
            max_reviews_per_week=weekly,
            availability=availability,
        ),
        "professional_added",
    )


@command("review_stats", "How resume reviews stand", group=STAFF)
async def review_stats(call: Call) -> None:
    """Requests, sessions, professionals, ratings."""
    await call.ask(lambda _session, me: GetReviewStatistics(member_id=me), "review_statistics")
