"""The list of members as admins search it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, not_, or_, select, tuple_
from sqlalchemy.orm import Session

from fleet.paging import decode_cursor, page
from services.users.models import Member
from services.users.passwords import key_of


def search(session: Session, query: dict[str, Any]) -> tuple[list[Member], str | None]:
    """A page of members, newest first: filters role, status, track, university, and `q` in names and addresses."""
    statement = select(Member).where(Member.status != "erased", *_filters(query))
    if key := decode_cursor(query["cursor"], datetime.fromisoformat, UUID):
        statement = statement.where(tuple_(Member.created_at, Member.id) < key)
    statement = statement.order_by(Member.created_at.desc(), Member.id.desc()).limit(query["limit"] + 1)
    return page(session.scalars(statement).all(), query["limit"], lambda m: (m.created_at, m.id))


def _filters(query: dict[str, Any]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if role := query["role"]:
        found.append(Member.role == role)
    if status := query["status"]:
        found.append(_has_status(status))
    if track := query["track"]:
        found.append(Member.track == track)
    if university := query["university"]:
        found.append(func.lower(Member.university) == university.lower())
    if words := query["q"]:
        keys = (Member.username_key, Member.email_key)
        names = (Member.first_name, Member.last_name, Member.discord_username, Member.discord_display_name)
        found.append(
            or_(
                *(column.contains(key_of(words), autoescape=True) for column in keys),
                *(func.lower(column).contains(words.lower(), autoescape=True) for column in names),
                func.lower(Member.first_name + " " + Member.last_name).contains(words.lower(), autoescape=True),
            )
        )
    return found


def _has_status(status: str) -> ColumnElement[bool]:
    over = and_(Member.status == "suspended", func.coalesce(Member.suspended_until <= func.now(), False))
    if status == "active":
        return or_(Member.status == "active", over)
    return and_(Member.status == status, not_(over))
