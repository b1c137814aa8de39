"""Merges and unlinks: whose the ledgers are.

When a Discord account is linked, its Discord-born member is merged into the web member; when it is unlinked, the
Discord-born member begins anew with nothing, and what was earned stays with the web member.

- No transfer is written: ledgers are repointed, so the sum of all points cannot change.
- A command that carries the old id lands on the new member, before and after (`ledger.lock_current_balance`).
- Changes of one Discord-born member's link are applied in the order in which users made them (`link_version`, without
  gaps), each once, however the broker shuffles and repeats them (`fleet/links.py`).
- The old id keeps an empty balance: it is the lock at which late commands notice, and its version goes on after an
  unlink, so that no consumer takes the first event of the new beginning for an old one.
"""

from uuid import UUID

from sqlalchemy import delete, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import links, outbox
from fleet.contracts.points import BalanceJoined
from services.points import ledger, submissions
from services.points.models import Alias, Balance, Ledger

# Whose rows go along as they are: (table, column that names the member). Add a table here when it names members and no
# unique key of it does; what has one is joined below. Submissions and their evidence: `submissions.follow_merge`.
REPOINTED: tuple[tuple[str, str], ...] = (
    ("holds", "member_id"),
    ("adjustments", "member_id"),
    ("feed_items", "member_id"),
)

# What one member has once, two may have both. In this order, before REPOINTED. :old and :new are the two members.
JOINED: tuple[str, ...] = (
    "INSERT INTO scores AS s (board, member_id, points, reached_at, shown)"
    " SELECT o.board, CAST(:new AS uuid), o.points, o.reached_at,"
    " m.show_in_leaderboard AND m.role = 'student' AND m.display_name IS NOT NULL"
    " FROM scores o JOIN members m ON m.id = :new WHERE o.member_id = :old ORDER BY o.board"
    " ON CONFLICT (board, member_id) DO UPDATE SET points = s.points + excluded.points,"
    " reached_at = greatest(s.reached_at, excluded.reached_at)",
    "DELETE FROM scores WHERE member_id = :old",
    "INSERT INTO allowances AS a (member_id, activity, period, used)"
    " SELECT CAST(:new AS uuid), activity, period, used FROM allowances WHERE member_id = :old"
    " ON CONFLICT (member_id, activity, period) DO UPDATE SET used = a.used + excluded.used",
    "DELETE FROM allowances WHERE member_id = :old",
    "INSERT INTO cooldowns AS c (member_id, activity, last_at)"
    " SELECT CAST(:new AS uuid), activity, last_at FROM cooldowns WHERE member_id = :old"
    " ON CONFLICT (member_id, activity) DO UPDATE SET last_at = greatest(c.last_at, excluded.last_at)",
    "DELETE FROM cooldowns WHERE member_id = :old",
    "INSERT INTO active_days (member_id, day) SELECT CAST(:new AS uuid), day FROM active_days WHERE member_id = :old"
    " ON CONFLICT DO NOTHING",
    "DELETE FROM active_days WHERE member_id = :old",
)


def change_link(session: Session, discord_born_id: UUID, version: int, member_id: UUID | None) -> None:
    """Users said that, by the `version`-th change of its link, the Discord-born member belongs to `member_id` (None: to
    nobody). Applied once, after all its predecessors, with all successors that have been waiting for it."""
    links.change(session, discord_born_id, version, member_id, links.Steps(lock, join, _unlink))
    session.flush()


def lock(session: Session, member_ids: list[UUID]) -> None:
    """Lock the balances of all members concerned, in the order of ids, as everybody does who locks several."""
    concerned = sorted({*member_ids, *(ledger.resolve(session, member_id) for member_id in member_ids)})
    for member_id in concerned:
        ledger.know(session, member_id)
        ledger.lock_balance(session, member_id)


def join(session: Session, old_id: UUID, new_id: UUID) -> None:
    """Make all that is `old_id`'s `new_id`'s, or theirs whom that leads to; the balances of all are locked."""
    new_id = ledger.resolve(session, new_id)
    if old_id == new_id:
        return
    old, new = session.get_one(Balance, old_id), session.get_one(Balance, new_id)
    new.available += old.available
    new.reserved += old.reserved
    new.redeemed += old.redeemed
    new.lifetime += old.lifetime
    old.available = old.reserved = old.redeemed = old.lifetime = 0
    new.version = old.version = max(old.version, new.version) + 1
    session.flush()
    session.execute(update(Ledger).where(Ledger.member_id == old_id).values(member_id=new_id, is_current=False))
    for statement in JOINED:
        session.execute(text(statement), {"old": old_id, "new": new_id})
    for table, column in REPOINTED:
        statement = f"UPDATE {table} SET {column} = :new WHERE {column} = :old"  # noqa: S608 constants of this module
        session.execute(text(statement), {"old": old_id, "new": new_id})
    submissions.follow_merge(session, old_id, new_id)
    session.execute(update(Alias).where(Alias.member_id == old_id).values(member_id=new_id))
    alias = insert(Alias).values(old_id=old_id, member_id=new_id)
    session.execute(alias.on_conflict_do_update(index_elements=["old_id"], set_={"member_id": new_id}))
    ledger.current_ledger(session, new_id)
    tell(session, new)


def _unlink(session: Session, discord_born_id: UUID) -> None:
    """Let the Discord-born member begin anew; their balance, empty since the merge, is locked."""
    session.execute(delete(Alias).where(Alias.old_id == discord_born_id))
    balance = session.get_one(Balance, discord_born_id)
    balance.version += 1
    session.flush()
    ledger.current_ledger(session, discord_born_id)
    tell(session, balance)


def tell(session: Session, balance: Balance) -> None:
    """Tell what a member has now; their balance is locked."""
    joined = BalanceJoined(member_id=balance.member_id, available=balance.available, lifetime=balance.lifetime)
    outbox.record(session, joined, source=ledger.SOURCE, subject=balance.member_id, sequence=balance.version)
