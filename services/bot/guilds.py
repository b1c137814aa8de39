"""What staff set up for each server: the staff channel, the announcement channel, the staff role."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.auth_state import auth_state
from services.bot.notice_models import Contact, GuildSettings


@dataclass(frozen=True)
class Guild:
    """One server as it is set up; None is what was not said yet."""

    guild_id: str
    staff_channel_id: str | None = None
    announcement_channel_id: str | None = None
    staff_role_id: str | None = None


def _view(row: GuildSettings) -> Guild:
    return Guild(row.guild_id, row.staff_channel_id, row.announcement_channel_id, row.staff_role_id)


def of(session: Session, guild_id: str) -> Guild:
    """The server's settings; empty ones when it was never set up."""
    row = session.get(GuildSettings, guild_id)
    return _view(row) if row else Guild(guild_id)


def all_set_up(session: Session) -> list[Guild]:
    """Every server that was set up, in the order in which they were."""
    return [_view(row) for row in session.scalars(select(GuildSettings).order_by(GuildSettings.created_at))]


def set_up(session: Session, guild_id: str, by: str, changes: dict[str, str]) -> Guild:
    """Write what was said; what was not said stays as it is."""
    values = {"set_up_by": by, "updated_at": func.now(), **changes}
    statement = insert(GuildSettings).values(guild_id=guild_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=[GuildSettings.guild_id], set_=values))
    session.expire_all()
    return of(session, guild_id)


def attests(session: Session, guild_id: str | None, role_ids: Collection[str]) -> bool:
    """True when somebody with these roles in this server holds the role that is staff there."""
    if guild_id is None:
        return False
    role = of(session, guild_id).staff_role_id
    return role is not None and role in role_ids


def is_linked_admin(session: Session, discord_id: str) -> bool:
    """True when the Discord account belongs to an active admin, by what users last said of it."""
    owners = select(Contact.member_id).where(Contact.discord_id == discord_id)
    return any(is_admin(session, member_id) for member_id in session.scalars(owners))


def is_admin(session: Session, member_id: UUID) -> bool:
    """True for a member whom users calls an active admin."""
    admin = (auth_state.c.role == "admin") & (auth_state.c.status == "active")
    return session.scalar(select(auth_state.c.member_id).where(auth_state.c.member_id == member_id, admin)) is not None
