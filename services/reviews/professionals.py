"""Professionals: who reviews resumes, how much, and on what. One address belongs to one of them."""

import unicodedata
from typing import Any
from uuid import UUID

from sqlalchemy import literal, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fleet import paging
from fleet.contracts.codec import instant
from fleet.messages import new_id, now
from fleet.problems import NotFound, Problem, invalid
from services.reviews.models import Professional


class EmailTaken(Problem):
    """Another professional has this address."""

    status, slug, title = 409, "email-taken", "The address is taken"


class NotActive(Problem):
    """The professional takes no reviews at present."""

    status, slug, title = 409, "professional-not-active", "The professional takes no reviews at present"


def email_key(email: str) -> str:
    """The form in which addresses are compared."""
    return unicodedata.normalize("NFKC", email).casefold()


def create(session: Session, values: dict[str, Any]) -> Professional:
    """A new professional. Raises EmailTaken."""
    row = Professional(id=new_id(), created_at=now(), email_key=email_key(values["email"]), unanswered=0, **values)
    _save(session, row)
    return row


def change(session: Session, professional_id: UUID, values: dict[str, Any]) -> Professional:
    """Change some of a professional's fields; making one active again ends their pause. Raises NotFound, EmailTaken."""
    row = locked(session, professional_id)
    for name, value in values.items():
        setattr(row, name, value)
    if "email" in values:
        row.email_key = email_key(values["email"])
    if values.get("is_active"):
        row.paused_at, row.unanswered = None, 0
    _save(session, row)
    return row


def _save(session: Session, row: Professional) -> None:
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as error:
        raise EmailTaken("There is a professional with this address.") from error


def upsert(session: Session, values: dict[str, Any]) -> Professional:
    """The professional of an address, made or changed: what a form says of somebody."""
    known = session.scalar(select(Professional.id).where(Professional.email_key == email_key(values["email"])))
    return change(session, known, values) if known else create(session, values)


def get(session: Session, professional_id: UUID, *, active_only: bool = False) -> Professional:
    """One professional; NotFound when there is none, or none that may be seen."""
    row = session.get(Professional, professional_id)
    if row is None or (active_only and not row.is_active):
        raise NotFound("There is no such professional.")
    return row


def locked(session: Session, professional_id: UUID) -> Professional:
    """One professional, whose week and pauses nobody else changes until the transaction ends. Raises NotFound."""
    statement = select(Professional).where(Professional.id == professional_id).with_for_update()
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFound("There is no such professional.")
    return row


def require_active(row: Professional) -> None:
    """Raise NotActive for one who was taken out or is paused."""
    if not row.is_active or row.paused_at is not None:
        raise NotActive(f"{row.name} takes no reviews at present.")


def named(session: Session, words: str) -> Professional:
    """The active professional in whose name these words stand, whatever their case. Raises NotFound, InvalidFields for
    words that fit several."""
    wanted = Professional.name.icontains(words.strip(), autoescape=True)
    found = list(
        session.scalars(select(Professional).where(wanted, Professional.is_active).order_by(Professional.name))
    )
    if not found:
        raise NotFound("No active professional has such a name.")
    exact = [row for row in found if row.name.casefold() == words.strip().casefold()]
    if len(found) > 1 and len(exact) != 1:
        names = ", ".join(row.name for row in found[:5])
        raise invalid("/professional_name", f"fits several: {names}. Write more of the name.")
    return exact[0] if len(exact) == 1 else found[0]


def listing(
    session: Session, limit: int, cursor: str | None, *, active_only: bool
) -> tuple[list[Professional], str | None]:
    """A page of professionals, newest first, and the cursor of the next. Raises InvalidFields for a foreign cursor."""
    statement = select(Professional)
    if active_only:
        statement = statement.where(Professional.is_active)
    if key := paging.decode_cursor(cursor, instant, UUID):
        place = tuple_(Professional.created_at, Professional.id)
        statement = statement.where(place < tuple_(literal(key[0]), literal(key[1])))
    ordered = statement.order_by(Professional.created_at.desc(), Professional.id.desc()).limit(limit + 1)
    return paging.page(list(session.scalars(ordered)), limit, lambda row: (row.created_at.isoformat(), row.id))
