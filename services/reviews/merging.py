"""Merges and unlinks: whose the requests and sessions are.

When a Discord account is linked, all that its Discord-born member has here becomes the web member's; when it is unlinked,
the Discord-born member begins anew, and what they had stays. Changes of one link are applied in the order in which users
made them (`link_version`, without gaps), each once; one that comes early waits.

One member has one open request and is in one place at a time: of two open requests the one that is further stays (of two
alike the older), and the other is cancelled, with its session.
"""

from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.reviews import members, sessions
from services.reviews.models import OPEN, Alias, Link, Member, ReviewRequest, WaitingLinkChange
from services.reviews.turns import SYSTEM

FURTHER = {"pending": 0, "matched": 1, "scheduled": 2}
MOVED = (
    "UPDATE resumes SET owner_id = :new WHERE owner_id = :old",
    "UPDATE review_requests SET student_id = :new WHERE student_id = :old",
    "UPDATE sessions SET student_id = :new WHERE student_id = :old",
    "UPDATE booked_slots SET party_id = :new WHERE party_id = :old",
)


def change_link(session: Session, discord_born_id: UUID, version: int, member_id: UUID | None) -> None:
    """Users said that, by the `version`-th change of its link, the Discord-born member belongs to `member_id` (None: to
    nobody). Applied once, after all its predecessors, with all successors that have been waiting for it."""
    session.execute(insert(Link).values(discord_born_id=discord_born_id, version=0).on_conflict_do_nothing())
    statement = select(Link).where(Link.discord_born_id == discord_born_id).with_for_update()
    link = session.scalars(statement.execution_options(populate_existing=True)).one()
    if version <= link.version:
        return
    waiting = insert(WaitingLinkChange).values(discord_born_id=discord_born_id, version=version, member_id=member_id)
    session.execute(waiting.on_conflict_do_nothing())
    mine = select(WaitingLinkChange).where(WaitingLinkChange.discord_born_id == discord_born_id)
    for change in list(session.scalars(mine.order_by(WaitingLinkChange.version))):
        if change.version != link.version + 1:
            break
        if change.member_id is None:
            session.execute(delete(Alias).where(Alias.old_id == discord_born_id))
        else:
            _merge(session, discord_born_id, members.resolve(session, change.member_id))
        link.version = change.version
        session.delete(change)
        session.flush()


def _merge(session: Session, old_id: UUID, new_id: UUID) -> None:
    if old_id == new_id:
        return
    for member_id in sorted((old_id, new_id)):
        members.know(session, member_id)
        session.execute(select(Member.id).where(Member.id == member_id).with_for_update())
    _leave_one_open(session, old_id, new_id)
    for statement in MOVED:
        session.execute(text(statement), {"old": old_id, "new": new_id})
    session.execute(update(Alias).where(Alias.member_id == old_id).values(member_id=new_id))
    alias = insert(Alias).values(old_id=old_id, member_id=new_id)
    session.execute(alias.on_conflict_do_update(index_elements=["old_id"], set_={"member_id": new_id}))
    session.expire_all()


def _leave_one_open(session: Session, old_id: UUID, new_id: UUID) -> None:
    both = select(ReviewRequest).where(ReviewRequest.student_id.in_((old_id, new_id)), text(OPEN))
    found = sorted(session.scalars(both), key=lambda row: (-FURTHER[row.status], row.submitted_at))
    for row in found[1:]:
        sessions.cancel_request(session, row.id, SYSTEM, "the student's two accounts became one")
