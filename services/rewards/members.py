"""What rewards knows of members: projections of users' and points' events, each part by its own newest version.

Events are applied to the id they carry, whatever that leads to by now: versions are those of that very row. Whoever acts
for a member, or shows what is theirs, resolves the id first.
"""

from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import auth_state
from fleet.contracts.users import ContactChanged, UserUpdated
from fleet.problems import Forbidden, NotFound, Problem
from services.rewards.member_models import Alias, Member

# Beyond any version that users gives a member.
FORGOTTEN = 2**62


class Suspended(Problem):
    """A suspended member earns nothing and spends nothing."""

    status, slug, title = 409, "suspended", "The account is suspended"


_LEADS_TO = select(Alias.member_id).where(Alias.old_id == bindparam("id", type_=Uuid()))
_FOUND = (
    select(Member)
    .where(Member.id == func.coalesce(_LEADS_TO.scalar_subquery(), bindparam("id", type_=Uuid())))
    .execution_options(populate_existing=True)
)
# A row lock would do, but requests that share one would let a merge wait for ever: PostgreSQL queues these fairly.
_SHARED = text(
    "SELECT id, pg_advisory_xact_lock_shared(hashtextextended(id::text, 0)) FROM (SELECT"
    " coalesce((SELECT member_id FROM aliases WHERE old_id = :id), CAST(:id AS uuid)) AS id) AS found"
).bindparams(bindparam("id", type_=Uuid()))
_GONE = select(Member.id).where(Member.id == bindparam("id", type_=Uuid()), Member.profile_version == FORGOTTEN)
_SUSPENDED = auth_state.suspended(bindparam("id", type_=Uuid()))
_STANDING = select(_GONE.scalar_subquery(), _SUSPENDED.scalar_subquery())
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 0))")


def resolve(session: Session, member_id: UUID) -> UUID:
    """The member that this id leads to, after merges."""
    return session.scalar(_LEADS_TO, {"id": member_id}) or member_id


def know(session: Session, member_id: UUID) -> None:
    """Make sure that the id has a row; repeating it changes nothing."""
    session.execute(insert(Member).values(id=member_id).on_conflict_do_nothing())


def hold_still(session: Session, member_id: UUID) -> UUID:
    """The member that the id leads to, who is not merged into another until this transaction ends.

    A merge may come between reading where the id leads and getting the lock: what would be written then for the old id is
    lost to the member. So under the lock we ask again, and go where the id leads now.
    """
    while True:
        found: UUID = session.execute(_SHARED, {"id": member_id}).one().id
        if resolve(session, member_id) == found:
            return found


def lock_alone(session: Session, member_ids: list[UUID]) -> None:
    """Keep all others from acting for these members or changing what is known of them, until this transaction ends."""
    # In the order of ids, as everybody does who locks several.
    for member_id in sorted(member_ids):
        session.execute(_ALONE, {"id": str(member_id)})
        know(session, member_id)
    session.execute(select(Member.id).where(Member.id.in_(member_ids)).order_by(Member.id).with_for_update()).all()


def find(session: Session, member_id: UUID) -> Member:
    """The member that the id leads to; an empty one when nothing is known of them yet."""
    found = session.scalar(_FOUND, {"id": member_id})
    return found or Member(id=member_id, role="student", wants_mail=False, time_zone="UTC", available=0, lifetime=0)


def apply_profile(session: Session, updated: UserUpdated, version: int) -> None:
    """Take over a member's name and role, unless something newer was applied already."""
    values = {"display_name": updated.display_name, "role": updated.role, "profile_version": version}
    know(session, updated.member_id)
    newer = update(Member).where(Member.id == updated.member_id, Member.profile_version < version)
    session.execute(newer.values(**values))


def apply_contact(session: Session, contact: ContactChanged, version: int) -> None:
    """Take over how a member may be reached, and whether they want mail of rewards, unless something newer was applied."""
    know(session, contact.member_id)
    newer = update(Member).where(Member.id == contact.member_id, Member.contact_version < version)
    session.execute(
        newer.values(
            email=contact.email,
            wants_mail=contact.email_notifications.reward_updates,
            time_zone=contact.time_zone,
            contact_version=version,
        )
    )


def is_forgotten(session: Session, member_id: UUID) -> bool:
    """True when the person behind this id was erased: what they had goes on, but no word is kept of it any more."""
    return session.scalar(_GONE, {"id": member_id}) is not None


def refuse_who_cannot_spend(session: Session, member_id: UUID) -> None:
    """Raise NotFound for who was forgotten, Suspended while the member is."""
    gone, suspended = session.execute(_STANDING, {"id": member_id}).one()
    if gone is not None:
        raise NotFound("There is no such member.")
    if suspended is not None:
        raise Suspended("A suspended member spends no points until the suspension ends.")


def require_admin(session: Session, actor_id: UUID) -> UUID:
    """The acting member of a message, after merges; Forbidden unless they have the role admin and are not suspended."""
    actor = resolve(session, actor_id)
    role = session.scalar(select(Member.role).where(Member.id == actor))
    if not auth_state.may_act_as_admin(session, actor, role):
        raise Forbidden(
            "Redemptions and the catalogue are for admins. Link your Discord account to an account with role admin."
        )
    return actor
