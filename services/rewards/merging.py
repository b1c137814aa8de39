"""Merges and unlinks: whose the redemptions are.

When a Discord account is linked, all that its Discord-born member has here becomes the web member's; when it is unlinked,
the Discord-born member begins anew with nothing, and what they had stays.

- A message that carries the old id lands on the new member, before and after (`members.hold_still`).
- Changes of one Discord-born member's link are applied in the order in which users made them (`link_version`, without
  gaps), each once, however the broker shuffles and repeats them (`fleet/links.py`).
- Points are joined by points, which says what the new member has then. What both had unlocked stays unlocked once.
"""

from uuid import UUID

from sqlalchemy import delete, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import links
from services.rewards import members
from services.rewards.member_models import Alias

MOVED: tuple[str, ...] = (
    "UPDATE redemptions SET member_id = :new WHERE member_id = :old",
    "INSERT INTO unlocks AS u (member_id, incentive_id, unlocked_at)"
    " SELECT CAST(:new AS uuid), incentive_id, unlocked_at FROM unlocks WHERE member_id = :old ORDER BY incentive_id"
    " ON CONFLICT (member_id, incentive_id) DO UPDATE SET unlocked_at = least(u.unlocked_at, excluded.unlocked_at)",
    "DELETE FROM unlocks WHERE member_id = :old",
    # Should the old id begin anew, it begins with nothing; its version goes on.
    "UPDATE members SET available = 0, lifetime = 0 WHERE id = :old",
)


def change_link(session: Session, discord_born_id: UUID, version: int, member_id: UUID | None) -> None:
    """Users said that, by the `version`-th change of its link, the Discord-born member belongs to `member_id` (None: to
    nobody). Applied once, after all its predecessors, with all successors that have been waiting for it."""
    links.change(session, discord_born_id, version, member_id, links.Steps(lock, join, _part))
    session.flush()


def lock(session: Session, member_ids: list[UUID]) -> None:
    """Keep everybody from acting for any of these members, or for whom they lead to, until the transaction ends."""
    concerned = {*member_ids, *(members.resolve(session, member_id) for member_id in member_ids)}
    members.lock_alone(session, list(concerned))


def join(session: Session, old_id: UUID, new_id: UUID) -> None:
    """Make all that is `old_id`'s `new_id`'s, or theirs whom that leads to; all are locked."""
    new_id = members.resolve(session, new_id)
    if old_id == new_id:
        return
    for statement in MOVED:
        session.execute(text(statement), {"old": old_id, "new": new_id})
    session.execute(update(Alias).where(Alias.member_id == old_id).values(member_id=new_id))
    alias = insert(Alias).values(old_id=old_id, member_id=new_id)
    session.execute(alias.on_conflict_do_update(index_elements=["old_id"], set_={"member_id": new_id}))


def _part(session: Session, discord_born_id: UUID) -> None:
    """Let the Discord-born member begin anew, with nothing."""
    session.execute(delete(Alias).where(Alias.old_id == discord_born_id))
