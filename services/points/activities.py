"""Activity types: the ways to earn, as data, and their rules in words."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.prepared import Statement, run
from fleet.problems import NotFound
from services.points.calendar import month_of, week_of
from services.points.models import ActivityType

CATEGORIES = {
    "engagement": "Community Engagement",
    "professional": "Professional Development",
    "social": "Social Media",
    "events": "Events & Networking",
    "content": "Content Creation",
    "other": "Other",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of an active type, as `ActivityType` has it, for where hundreds are awarded at once."""

    code: str
    name: str
    category: str
    points: int
    version: int
    requires_approval: bool
    evidence: str
    evidence_once: str
    min_description: int
    cap_count: int | None
    cap_period: str | None
    cooldown_seconds: int


RULE_COLUMNS = ", ".join(f"t.{column.name}" for column in fields(Rule))
_RULES = Statement("active_rules", f"SELECT {RULE_COLUMNS} FROM activity_types t WHERE t.is_active")  # noqa: S608 names of fields

_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_CAP_WORDS = {"day": "a day", "week": "a week", "month": "a month", "lifetime": "in all"}
_EVIDENCE_WORDS = {"url": "with a link", "attachment": "with a file or photo", "text": "with a description"}


def get(session: Session, code: str) -> ActivityType:
    """The active type `code`; NotFound when there is none or it was switched off."""
    found = session.get(ActivityType, code)
    if found is None or not found.is_active:
        raise NotFound(f"There is no activity type {code!r}. GET /api/activities/ lists them.")
    return found


def active(session: Session) -> Sequence[ActivityType]:
    """All active types, by category and then the smaller points first."""
    statement = select(ActivityType).where(ActivityType.is_active)
    return session.scalars(statement.order_by(ActivityType.category, ActivityType.points, ActivityType.code)).all()


def rules(session: Session) -> dict[str, Rule]:
    """The rules of all active types by code."""
    return {row.code: Rule(*row) for row in run(session, _RULES())}


def rule_in_words(activity: ActivityType | Rule) -> str:
    """The earning rule for people, derived from the data it is enforced by."""
    parts = ["staff approve it" if activity.requires_approval else "counts by itself"]
    if activity.evidence in _EVIDENCE_WORDS:
        parts.append(_EVIDENCE_WORDS[activity.evidence])
    if activity.min_description:
        parts.append(f"at least {activity.min_description} characters")
    if activity.cap_count and activity.cap_period:
        times = "once" if activity.cap_count == 1 else f"up to {activity.cap_count} times"
        parts.append(f"{times} {_CAP_WORDS[activity.cap_period]}")
    if activity.cooldown_seconds:
        parts.append(f"again after {_span(activity.cooldown_seconds)}")
    if activity.evidence_once != "none":
        parts.append(
            "the same evidence counts once" + (" for everyone" if activity.evidence_once == "everyone" else "")
        )
    return "; ".join(parts)


def _span(seconds: int) -> str:
    size, word = next((size, word) for size, word in _SPANS if seconds % size == 0)
    count = seconds // size
    return f"{count} {word}{'' if count == 1 else 's'}"


def cap_period_key(activity: ActivityType | Rule, day: date) -> str:
    """The name of the period that a deed on `day` counts against (`week:2026-11-23`, `lifetime`)."""
    if activity.cap_period == "week":
        return f"week:{week_of(day)}"
    if activity.cap_period == "month":
        return f"month:{month_of(day)}"
    return "lifetime" if activity.cap_period == "lifetime" else f"day:{day}"
