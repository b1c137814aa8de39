"""What other bots and tools can do, as a table: each action with its payload, and what it is answered with.

    @action("get-streak", discord_id=WHO)
    def get_streak(visit: Visit, discord_id: str) -> Reply: ...

An action asks or tells the service that owns the matter, in the name of the person it is about. This module has what is about
one person; what staff do is in `tool_staff_actions`, and names who acts: `actor_discord_id`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import marshmallow
from marshmallow import fields, validate

from fleet.asking import Refused
from fleet.contracts.points import GetHistory, GetLeaderboard, GetStanding, GetStreak, LogActivity, Submit
from fleet.contracts.reviews import GetReview
from fleet.contracts.rewards import GetCatalogue, GetMilestones, Redeem
from fleet.contracts.users import ClaimLink, ConfirmLink
from fleet.contracts.users_linking import code_digest
from fleet.database import transaction
from fleet.messages import now
from fleet.problems import invalid
from fleet.settings import read
from fleet.web import Flag, Schema, Text, Whole
from services.bot import people
from services.bot.people import Person, clean
from services.bot.settings import PeopleSettings
from services.bot.tools import Visit, discord_ids

# What is answered, and with which status.
Reply = tuple[dict[str, Any], int]


@dataclass(frozen=True)
class Action:
    """An entry of the table. `payload` names its fields; `words` say what it does."""

    name: str
    payload: type[marshmallow.Schema]
    run: Callable[..., Reply]
    words: str


ACTIONS: dict[str, Action] = {}


def action(name: str, /, **payload: Any) -> Callable[[Callable[..., Reply]], Callable[..., Reply]]:
    """Put a function into the table; it is called with the visit and the fields of its payload by their names."""

    def declare(run: Callable[..., Reply]) -> Callable[..., Reply]:
        schema = Schema.from_dict(payload, name="".join(word.capitalize() for word in name.split("-")))
        ACTIONS[name] = Action(name, schema, run, " ".join((run.__doc__ or "").split()))
        return run

    return declare


def _discord_id(**words: Any) -> fields.String:
    return fields.String(
        validate=validate.Regexp(r"\A[0-9]{15,20}\Z", error="a Discord id as text: 15 to 20 digits"), **words
    )


def text(least: int, most: int, **words: Any) -> Text:
    """A field of text of so many characters."""
    return Text(validate=validate.Length(least, most), **words)


def whole(least: int, most: int, **words: Any) -> Whole:
    """A field of a whole number between these."""
    return Whole(validate=validate.Range(least, most), **words)


def instant(moment: datetime | None) -> str | None:
    """An instant as answers have it."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


WHO = _discord_id(required=True)
LIMIT = whole(1, 100, load_default=10)
PAGE = whole(1, 50, load_default=1)


@action(
    "upsert-user",
    discord_id=WHO,
    display_name=text(1, 150, load_default=None, allow_none=True),
    username=text(1, 150, load_default=None, allow_none=True),
)
def upsert_user(visit: Visit, discord_id: str, display_name: str | None, username: str | None) -> Reply:
    """Make somebody in Discord a member, as being seen there would; who is one already stays as they are."""
    with transaction() as session:
        found = people.member_ids(session, [discord_id]).get(discord_id)
        name = clean(username or display_name or f"discord_{discord_id}")
        if found is not None:
            return {"user_id": found, "created": False, "username": people.username(session, discord_id)}, 200
        person = Person(discord_id, name, clean(display_name or name))
        made = people.see(session, [person], in_guild=False).get(discord_id)
        if made is None:
            raise invalid(
                "/discord_id", "this person asked to be forgotten; using a command themselves brings them back"
            )
    return {"user_id": made, "created": True, "username": name}, 201


@action("add-activity", discord_id=WHO, activity_type=text(1, 50, required=True))
def add_activity(visit: Visit, discord_id: str, activity_type: str) -> Reply:
    """An activity that earns by itself happened now. Once for each Idempotency-Key; its limits a day are those of its rule."""
    member_id = visit.member(discord_id)
    try:
        made = visit.tell(LogActivity(member_id, activity_type, now(), visit.reference))
    except Refused as refused:
        if refused.slug != "limit-reached":
            raise
        total = visit.ask(GetStanding(member_id)).available
        return {"message": refused.detail, "total_points": total, "already_earned_today": True}, 200
    if not made.awarded:
        return {"message": made.reason, "total_points": made.available, "already_earned_today": True}, 200
    words = f"{made.points} points for {activity_type}."
    return {"message": words, "total_points": made.available, "points_log_id": made.transfer_id}, 200


@action("leaderboard", page=PAGE, page_size=LIMIT)
def leaderboard(visit: Visit, page: int, page_size: int) -> Reply:
    """A page of the leaderboard of all time; a page past the last is the last."""
    board, number = visit.ask(GetLeaderboard(limit=page_size, with_ids=True)), 1
    while number < page and board.next_cursor:
        following = GetLeaderboard(limit=page_size, cursor=board.next_cursor, with_ids=True)
        board, number = visit.ask(following), number + 1
    # Code of before that still answers while a new one is rolled out says nobody's id.
    ids = board.member_ids or [None] * len(board.items)
    known = discord_ids([member_id for member_id in ids if member_id is not None])
    results = [
        {
            "position": place.rank,
            "discord_id": known.get(member_id) if member_id else None,
            "username": place.display_name,
            "total_points": place.points,
        }
        for place, member_id in zip(board.items, ids, strict=True)
    ]
    pages = max(1, -(-board.total // page_size))
    return {"page": number, "total_pages": pages, "total_users": board.total, "results": results}, 200


@action(
    "link",
    discord_id=WHO,
    discord_username=text(1, 150, load_default=None, allow_none=True),
    code=text(1, 40, load_default=None, allow_none=True),
    link_id=fields.UUID(load_default=None, allow_none=True),
    accept=Flag(load_default=True),
)
def link(
    visit: Visit, discord_id: str, discord_username: str | None, code: str | None, link_id: UUID | None, accept: bool
) -> Reply:
    """Link a web account in two steps, as in Discord: with its code, which shows whose account it is to the person alone; and
    with the link_id of that answer, once they have said that it is theirs. The web side confirms too.
    """
    if (code is None) == (link_id is None):
        raise invalid("/code", "send the code, or the link_id that it was answered with")
    member_id = visit.member(discord_id)
    if link_id is not None:
        state = visit.tell(ConfirmLink(link_id, discord_id, accept)).state
        return {"linked": state == "linked", "state": state, "discord_id": discord_id, "message": _LINK[state]}, 200
    assert code is not None
    with transaction() as session:
        name = clean(discord_username or people.username(session, discord_id))
    digest = code_digest(read(PeopleSettings).namespace, code)
    offer = visit.tell(ClaimLink(member_id, discord_id, name, name, digest, now())).offer
    if offer is None:
        raise invalid("/code", "this code is not valid, or not any more: the web account's owner makes a new one")
    shown = {"web_account": offer.web_account, "web_email": offer.web_email, "expires_at": instant(offer.expires_at)}
    words = "Show this to the person alone, and send link_id when they say that the account is theirs."
    return {
        "linked": False,
        "state": "claimed",
        "discord_id": discord_id,
        "link_id": offer.link_id,
        "message": words,
    } | shown, 200


_LINK = {
    "linked": "The accounts are linked.",
    "waiting_for_web": "The web account's owner has to confirm too.",
    "declined": "The link was declined; nothing was changed.",
}


@action("summary", discord_id=WHO, limit=whole(1, 25, load_default=10))
def summary(visit: Visit, discord_id: str, limit: int) -> Reply:
    """What somebody has, their latest points, and which rewards they can have now."""
    member_id = visit.member(discord_id)
    standing, history = visit.ask(GetStanding(member_id)), visit.ask(GetHistory(member_id, limit))
    shop = visit.ask(GetMilestones(member_id))
    logs = [
        {"action": entry.name, "points": entry.points, "timestamp": instant(entry.occurred_at)}
        for entry in history.items
    ]
    unlocks = [
        {"id": entry.incentive_id, "name": entry.name, "points_required": entry.points_required, "unlocked": True}
        for entry in shop.unlocked
    ]
    return {
        "discord_id": discord_id,
        "total_points": standing.available,
        "lifetime_points": standing.lifetime,
        "rank": standing.rank,
        "recent_logs": logs,
        "unlocks": unlocks,
    }, 200


@action(
    "redeem",
    discord_id=WHO,
    incentive_id=fields.UUID(required=True),
    expected_points=whole(1, 1_000_000_000, load_default=None, allow_none=True),
)
def redeem(visit: Visit, discord_id: str, incentive_id: UUID, expected_points: int | None) -> Reply:
    """Spend points on a reward. Once for each Idempotency-Key; at no other price than expected_points, when that is said."""
    wish = Redeem(visit.member(discord_id), incentive_id, visit.reference, expected_points=expected_points)
    made = visit.tell(wish)
    words = f"{made.name} for {made.points_spent} points waits for the staff."
    return {"message": words, "redemption_id": made.redemption_id, "remaining_points": made.remaining_points}, 200


@action("review-status", discord_id=WHO)
def review_status(visit: Visit, discord_id: str) -> Reply:
    """How somebody's newest request for a resume review stands."""
    found = visit.ask_or_none(GetReview(visit.member(discord_id)))
    if found is None:
        return {"has_request": False, "message": "There is no request for a review."}, 200
    return {"has_request": True} | review(found), 200


def review(state: Any) -> dict[str, Any]:
    """A request for a review as actions answer it."""
    return {
        "review_request_id": state.review_request_id,
        "status": state.status,
        "submission_date": instant(state.submitted_at),
        "professional": state.professional_name,
        "scheduled_time": instant(state.scheduled_time),
        "duration_minutes": state.duration_minutes,
        "session_id": state.session_id,
    }


@action(
    "submit",
    discord_id=WHO,
    activity_type=text(1, 50, required=True),
    description=text(0, 5000, load_default=""),
    url=text(1, 2048, load_default=None, allow_none=True),
)
def submit(visit: Visit, discord_id: str, activity_type: str, description: str, url: str | None) -> Reply:
    """Hand in an activity that staff approve. Once for each Idempotency-Key."""
    made = visit.tell(Submit(visit.member(discord_id), activity_type, visit.reference, description, url))
    words = f"{made.name} waits for the staff: {made.points} points when they approve it."
    return {"submission_id": made.submission_id, "status": made.status, "message": words}, 201


@action("get-streak", discord_id=WHO)
def get_streak(visit: Visit, discord_id: str) -> Reply:
    """How many days in a row somebody has earned something."""
    found = visit.ask(GetStreak(visit.member(discord_id)))
    last = None if found.last_active is None else found.last_active.isoformat()
    streaks = {"current_streak": found.current, "longest_streak": found.longest}
    return streaks | {"streak_type": "daily", "last_activity": last}, 200


@action("list-incentives", discord_id=WHO, limit=whole(1, 25, load_default=25), cursor=text(1, 500, load_default=None))
def list_incentives(visit: Visit, discord_id: str, limit: int, cursor: str | None) -> Reply:
    """The shop as somebody sees it, cheapest first."""
    shop = visit.ask(GetCatalogue(visit.member(discord_id), limit=limit, cursor=cursor))
    items = [
        {
            "id": entry.incentive_id,
            "name": entry.name,
            "points_required": entry.points_required,
            "stock_available": entry.stock,
            "category": entry.category,
            "can_redeem": entry.can_redeem,
            "reason": entry.reason,
        }
        for entry in shop.items
    ]
    return {"incentives": items, "available": shop.available, "next_cursor": shop.next_cursor}, 200
