"""What points shows of a member: a projection of users' events, newest version wins."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.contracts.users import UserUpdated
from services.points import boards, ledger
from services.points.models import Member, Score


def register(session: Session, member_id: UUID) -> None:
    """A person became a member: give them a ledger."""
    balance = ledger.lock_current_balance(session, member_id)
    ledger.current_ledger(session, balance.member_id)


def apply_update(session: Session, updated: UserUpdated, version: int) -> None:
    """Take over what users says of a member, unless something newer was applied already."""
    ledger.know(session, updated.member_id)
    # The same lock as an award takes, so that a board row cannot be made with the flag of a moment ago.
    ledger.lock_balance(session, updated.member_id)
    member = session.scalars(
        select(Member).where(Member.id == updated.member_id).with_for_update().execution_options(populate_existing=True)
    ).one()
    if version <= member.version:
        return
    member.display_name = updated.display_name
    member.show_in_leaderboard = updated.show_in_leaderboard
    member.role, member.status = updated.role, updated.status
    member.track, member.university = updated.track, updated.university
    member.graduation_year = updated.graduation_year
    member.version = version
    session.flush()
    shown = boards.is_on_boards(member)
    session.execute(update(Score).where(Score.member_id == member.id, Score.shown != shown).values(shown=shown))
