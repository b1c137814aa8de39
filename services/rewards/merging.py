"""Merges and unlinks: whose the redemptions are.

When a Discord account is linked, all that its Discord-born member has here becomes the web member's; when it is unlinked,
the Discord-born member begins anew with nothing, and what they had stays.

- A message that carries the old id lands on the new member, before and after (`members.hold_still`).
- Changes of one Discord-born member's link are applied in the order in which users made them (`link_version`, without
  gaps), each once; one that arrives early waits for its predecessors.
- Points are joined by points, which says what the new member has then. What both had unlocked stays unlocked once.
"""

from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.messages import now
from services.rewards import members
from services.rewards.member_models import Alias, Link, WaitingLinkChange

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
    session.execute(insert(Link).values(discord_born_id=discord_born_id, version=0).on_conflict_do_nothing())
    statement = select(Link).where(Link.discord_born_id == discord_born_id).with_for_update()
    link = session.scalars(statement.execution_options(populate_existing=True)).one()
    if version <= link.version:
        return
    waiting = insert(WaitingLinkChange).values(
        discord_born_id=discord_born_id, version=version, member_id=member_id, arrived_at=now()
    )
    session.execute(waiting.on_conflict_do_nothing())
    due = _due(session, link)
    if due:
        concerned = {discord_born_id, *(each.member_id for each in due if each.member_id)}
        members.lock_alone(session, [*concerned.union(members.resolve(session, each) for each in concerned)])
    for each in due:
        if each.member_id is None:
            session.execute(delete(Alias).where(Alias.old_id == discord_born_id))
        else:
            _merge(session, discord_born_id, members.resolve(session, each.member_id))
        link.version = each.version
        session.delete(each)
    session.flush()


def _due(session: Session, link: Link) -> list[WaitingLinkChange]:
    """The waiting changes that follow one another from the last applied one on."""
    mine = select(WaitingLinkChange).where(WaitingLinkChange.discord_born_id == link.discord_born_id)
    found: list[WaitingLinkChange] = []
    for change in session.scalars(mine.order_by(WaitingLinkChange.version)):
        if change.version != link.version + len(found) + 1:
            break
        found.append(change)
    return found


def _merge(session: Session, old_id: UUID, new_id: UUID) -> None:
    """Make all that is `old_id`'s `new_id`'s; the rows of both are locked."""
    if old_id == new_id:
        return
    for statement in MOVED:
        session.execute(text(statement), {"old": old_id, "new": new_id})
    session.execute(update(Alias).where(Alias.member_id == old_id).values(member_id=new_id))
    alias = insert(Alias).values(old_id=old_id, member_id=new_id)
    session.execute(alias.on_conflict_do_update(index_elements=["old_id"], set_={"member_id": new_id}))
