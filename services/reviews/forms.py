"""What forms send: a student's request, a professional with their availability. A response is applied once, by its id.

A form proves nothing about who filled it in but the address that Google collected: a student is found by their verified
address alone, never by a name or Discord id that somebody typed in, and nobody's open request is overwritten. A response
that cannot be applied is kept with the reason, so that staff can see it and nothing is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.messages import now
from fleet.problems import Problem
from services.reviews import availability, professionals, requests
from services.reviews.models import Member
from services.reviews.places import zone_named
from services.reviews.requests import Wish
from services.reviews.session_models import FormResponse

FOUR_WEEKS = timedelta(weeks=4)
# The labels that forms have for zones.
ZONE_LABELS = {
    "et": "America/New_York", "ct": "America/Chicago", "mt": "America/Denver", "pt": "America/Los_Angeles",
    "ht": "Pacific/Honolulu", "at": "America/Halifax", "utc": "UTC",
}  # fmt: skip
TITLES = {
    "industry": ("target industry",),
    "role": ("target role",),
    "level": ("experience level",),
    "times": ("availability", "available times", "preferred times", "when are you available?", "available days/times"),
    "zone": ("time zone", "timezone"),
    "resume": ("resume", "resume link", "resume url"),
}
LEVELS = {
    "entry": "entry", "mid": "mid", "senior": "senior", "career": "career_changer", "recent": "recent_graduate",
    "any": "any", "graduate": "recent_graduate", "student": "entry", "junior": "entry",
}  # fmt: skip


@dataclass(frozen=True)
class Applied:
    """What became of a response; `repeated`: it had been applied before."""

    subject_id: UUID | None
    refusal: str | None
    repeated: bool


class Unusable(Problem):
    """The response lacks what is needed."""

    status, slug, title = 422, "unusable-response", "The response cannot be used"


def apply_once(session: Session, response_id: str, form: str, apply: Callable[[], UUID]) -> Applied:
    """Apply a response unless it was; a refusal undoes what was begun and is kept with its reason."""
    row = insert(FormResponse).values(response_id=response_id, form=form, received_at=now())
    if session.scalar(row.on_conflict_do_nothing().returning(FormResponse.response_id)) is None:
        known = session.get_one(FormResponse, response_id)
        return Applied(known.subject_id, known.refusal, True)
    subject_id, refusal = None, None
    try:
        with session.begin_nested():
            subject_id = apply()
    except Problem as problem:
        refusal = problem.detail
    kept = update(FormResponse).where(FormResponse.response_id == response_id)
    session.execute(kept.values(subject_id=subject_id, refusal=refusal))
    return Applied(subject_id, refusal, False)


def student_request(session: Session, email: str, answers: dict[str, Any]) -> UUID:
    """A student's request out of the answers of a form. Raises Unusable, OpenRequest, InvalidFields."""
    key = professionals.email_key(email)
    student = session.scalars(select(Member).where(func.lower(Member.email) == key).limit(1)).first()
    if student is None:
        raise Unusable(
            "No member has confirmed this address. Register with it, and confirm it, before you fill in the form."
        )
    found = {name: _answer(answers, titles) for name, titles in TITLES.items()}
    zone = _zone(found["zone"]) or student.time_zone or "UTC"
    link = found["resume"] if found["resume"].startswith("https://") else None
    wish = Wish(
        target_industry=found["industry"][:200] or "any",
        target_role=found["role"][:200] or "any",
        experience_level=_level(found["level"]),
        preferred_times=found["times"][:2000],
        time_zone=zone,
        locale=student.locale,
        resume_url=link,
    )
    return requests.submit(session, student.id, wish).id


def professional(session: Session, data: dict[str, Any]) -> UUID:
    """A professional and their availability out of a form, by their address made or changed. Raises Unusable."""
    email, name = _text(data.get("email")), _text(data.get("name"))
    if not name or email.count("@") != 1 or set(email) & set(' ,;<>"') or len(email) > 254:
        raise Unusable("The response has no name or no usable address.")
    zone = _zone(_text(data.get("timezone"))) or "UTC"
    values = {
        "name": name[:200],
        "email": email,
        "title": _text(data.get("professional_title"))[:200],
        "company": _text(data.get("company"))[:200],
        "specialties": list(dict.fromkeys([*_list(data.get("specializations")), *_list(data.get("industries"))]))[:30],
        "experience_levels": list(dict.fromkeys(_level(one) for one in _list(data.get("experience_levels"))))[:10],
        "time_zone": zone,
        "max_reviews_per_week": _number(data.get("max_reviews_per_week"), 3),
    }
    row = professionals.upsert(session, values)
    first = _date(data.get("start_date")) or now().date()
    last = _date(data.get("end_date")) or first + FOUR_WEEKS
    if not first <= last <= first + timedelta(days=366):
        last = first + FOUR_WEEKS
    days, slots = _list(data.get("preferred_days")), _list(data.get("time_slots"))
    texts = [f"{', '.join(days)} {' and '.join(slots)}"] if days or slots else []
    if specific := _text(data.get("specific_times")):
        texts.append(specific)
    if texts:
        stated, _parsed = availability.from_text("\n".join(texts)[:2000], zone, first, last)
        availability.replace(session, row.id, "form", stated)
    return row.id


def _answer(answers: dict[str, Any], titles: tuple[str, ...]) -> str:
    found = [_text(value) for title, value in answers.items() if title.strip().casefold() in titles]
    return "; ".join(one for one in found if one)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    return value.strip() if isinstance(value, str) else ""


def _list(value: Any) -> list[str]:
    parts = value if isinstance(value, list) else value.split(",") if isinstance(value, str) else []
    return [one.strip()[:200] for one in parts if isinstance(one, str) and one.strip()]


def _number(value: Any, default: int) -> int:
    digits = "".join(c for c in str(value) if c.isascii() and c.isdigit())[:3]
    return min(max(int(digits), 1), 40) if digits else default


def _level(text: str) -> str:
    return next((level for word, level in LEVELS.items() if word in text.casefold()), "any")


def _zone(label: str) -> str | None:
    """The zone of a label such as `Eastern Time (ET)`, or an IANA name."""
    try:
        return str(getattr(zone_named(label), "key", None)) if label else None
    except ValueError:
        inner = label.partition("(")[2].partition(")")[0] or label
        return ZONE_LABELS.get(inner.strip().casefold())


def _date(value: Any) -> date | None:
    for form in ("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y"):
        try:
            return datetime.strptime(_text(value), form).date()  # noqa: DTZ007 a date alone
        except ValueError:
            continue
    return None
