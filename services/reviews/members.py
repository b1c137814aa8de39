"""What reviews knows of members: projections of users' events, each part by its own newest version.

Events are applied to the id they carry. Whoever acts for a member resolves the id first, under the lock of its row.
"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import auth_state
from fleet.contracts.users import ContactChanged, UserUpdated
from fleet.problems import Forbidden
from services.reviews.models import Alias, Member


def resolve(session: Session, member_id: UUID) -> UUID:
    """The member that this id leads to, after merges."""
    return session.scalar(select(Alias.member_id).where(Alias.old_id == member_id)) or member_id


def know(session: Session, member_id: UUID) -> None:
    """Make sure that the id has a row; repeating it changes nothing."""
    session.execute(insert(Member).values(id=member_id).on_conflict_do_nothing())


def hold_still(session: Session, member_id: UUID) -> UUID:
    """The member that the id leads to, who is not merged into another until this transaction ends."""
    while True:
        found = resolve(session, member_id)
        know(session, found)
        session.execute(select(Member.id).where(Member.id == found).with_for_update(read=True, key_share=True))
        if resolve(session, member_id) == found:
            return found


def find(session: Session, member_id: UUID) -> Member:
    """The member that the id leads to; an empty one when nothing is known of them."""
    found = session.get(Member, resolve(session, member_id), populate_existing=True)
    return found or Member(id=member_id)


def apply_update(session: Session, updated: UserUpdated, version: int) -> None:
    """Take over name and role, unless newer ones are known."""
    values = {"display_name": updated.display_name, "role": updated.role, "name_version": version}
    statement = insert(Member).values(id=updated.member_id, **values)
    newer = Member.name_version < version
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values, where=newer))


def apply_contact(session: Session, changed: ContactChanged, version: int) -> None:
    """Take over address, zone and locale, unless newer ones are known."""
    values = {
        "email": changed.email,
        "time_zone": changed.time_zone,
        "locale": changed.locale,
        "contact_version": version,
    }
    statement = insert(Member).values(id=changed.member_id, **values)
    newer = Member.contact_version < version
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values, where=newer))


def require_admin(session: Session, actor_id: UUID) -> UUID:
    """The acting member of a message, after merges; Forbidden unless they have the role admin and are not suspended."""
    actor = resolve(session, actor_id)
    role = session.scalar(select(Member.role).where(Member.id == actor))
    if not auth_state.may_act_as_admin(session, actor, role):
        raise Forbidden("This is for admins. Link your Discord account to an account with role admin.")
    return actor
