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

from fleet import links
from services.reviews import members, sessions
from services.reviews.models import OPEN, Alias, Member, ReviewRequest
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
    links.change(session, discord_born_id, version, member_id, links.Steps(lock, join, _part))
    session.flush()


def lock(session: Session, member_ids: list[UUID]) -> None:
    """Lock all members concerned, in the order of ids: nobody acts for one of them meanwhile (`members.hold_still`)."""
    concerned = {*member_ids, *(members.resolve(session, member_id) for member_id in member_ids)}
    for member_id in sorted(concerned):
        members.know(session, member_id)
        session.execute(select(Member.id).where(Member.id == member_id).with_for_update())


def _part(session: Session, discord_born_id: UUID) -> None:
    session.execute(delete(Alias).where(Alias.old_id == discord_born_id))


def join(session: Session, old_id: UUID, new_id: UUID) -> None:
    """Make all that is `old_id`'s `new_id`'s, or theirs whom that leads to; all of them are locked."""
    new_id = members.resolve(session, new_id)
    if old_id == new_id:
        return
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
