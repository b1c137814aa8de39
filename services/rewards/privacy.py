"""What rewards holds on a member, for who asks to see it; and forgetting a person while the shop stays in order.

- Redemptions are never deleted: numbers, times and ids stay with a random id. Forgetting is a merge of all the member's ids
  into it (`merging.join`); what is still under way for an old id lands there.
- What waits for staff or for points is cancelled first, as by the member: points and stock return.
- What says something about the person goes: name, address, delivery details, notes, tracking, mail that waits.
- Nothing that users told earlier and that arrives late brings a name back: the member's row stays, empty, with versions
  beyond any that users can have (`members.FORGOTTEN`); and no word is written late.
"""

from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from fleet import forgetting
from fleet.exporting import Section
from services.rewards import decisions, members, merging
from services.rewards.member_models import Member
from services.rewards.models import Redemption

SECTIONS: tuple[Section, ...] = (
    Section(
        "member",
        "SELECT id::text AS key, id, display_name, role, email, wants_mail, time_zone, available, lifetime"
        " FROM members WHERE id = ANY(:ids)",
    ),
    Section(
        "redemptions",
        "SELECT r.id::text AS key, r.id, r.incentive_id, i.name AS reward, r.points_spent, r.status, r.requested_at,"
        " r.decided_at, r.changed_at, r.expires_at, r.reason, r.note, r.tracking_info, r.estimated_delivery,"
        " r.delivery_details, r.reference FROM redemptions r JOIN incentives i ON i.id = r.incentive_id"
        " WHERE r.member_id = ANY(:ids)",
    ),
    Section(
        "redemption_steps",
        "SELECT s.redemption_id || ' ' || lpad(s.version::text, 20, '0') AS key, s.redemption_id, s.version, s.status,"
        " s.by, s.actor_id, s.occurred_at, n.note FROM redemption_steps s"
        " JOIN redemptions r ON r.id = s.redemption_id LEFT JOIN step_notes n"
        " ON n.redemption_id = s.redemption_id AND n.version = s.version WHERE r.member_id = ANY(:ids)",
    ),
    Section(
        "refund_requests",
        "SELECT q.id::text AS key, q.id, q.redemption_id, q.reason, q.restock, q.status, q.requested_by, q.requested_at,"
        " q.decided_by, q.decided_at, q.note FROM refund_requests q JOIN redemptions r ON r.id = q.redemption_id"
        " WHERE r.member_id = ANY(:ids)",
    ),
    Section(
        "unlocks",
        "SELECT u.incentive_id || ' ' || u.member_id AS key, u.incentive_id, i.name AS reward, u.unlocked_at"
        " FROM unlocks u JOIN incentives i ON i.id = u.incentive_id WHERE u.member_id = ANY(:ids)",
    ),
    Section(
        "mail_that_waits",
        "SELECT q.id::text AS key, q.recipient, q.subject, q.text_body, q.recorded_at FROM mail_queue q"
        " WHERE q.recipient IN (SELECT email FROM members WHERE id = ANY(:ids))",
    ),
)

# What is emptied or deleted once all is the pseudonym's (:id): each statement finds nothing the second time.
_MINE = "(SELECT id FROM redemptions WHERE member_id = :id)"
_EMPTIED: tuple[str, ...] = (
    f"DELETE FROM step_notes WHERE redemption_id IN {_MINE}",  # noqa: S608 constants of this module
    f"DELETE FROM awaited_replies WHERE redemption_id IN {_MINE}",  # noqa: S608
    f"UPDATE refund_requests SET reason = '', note = NULL"  # noqa: S608
    f" WHERE redemption_id IN {_MINE} AND (reason <> '' OR note IS NOT NULL)",
    "UPDATE redemptions SET note = NULL, tracking_info = NULL, delivery_details = NULL, reference = NULL"
    " WHERE member_id = :id AND (coalesce(note, tracking_info, reference) IS NOT NULL OR delivery_details IS NOT NULL)",
)
_MAIL = "DELETE FROM mail_queue WHERE recipient IN (SELECT email FROM members WHERE id = ANY(:ids))"


def forget(session: Session, member_ids: list[UUID], pseudonym: UUID) -> int:
    """Forget the person behind these ids and return how many rows were deleted or emptied. Repeating it changes nothing."""
    merging.lock(session, [*member_ids, pseudonym])
    rows = _cancel(session, member_ids)
    rows += session.execute(text(_MAIL), {"ids": member_ids}).rowcount  # type: ignore[attr-defined]
    forgotten = Member.profile_version == members.FORGOTTEN
    gone = set(session.scalars(select(Member.id).where(Member.id.in_(member_ids), forgotten)))
    for member_id in member_ids:
        # One that was forgotten before may lead to somebody who came back.
        if member_id not in gone:
            merging.join(session, member_id, pseudonym)
    for statement in _EMPTIED:
        rows += session.execute(text(statement), {"id": pseudonym}).rowcount  # type: ignore[attr-defined]
    rows += forgetting.forget_requests(session, member_ids)
    nothing = {"display_name": None, "email": None, "wants_mail": False, "time_zone": "UTC", "role": "student"}
    emptied = update(Member).where(Member.id.in_([*member_ids, pseudonym]), ~forgotten)
    emptied = emptied.values(**nothing, profile_version=members.FORGOTTEN, contact_version=members.FORGOTTEN)
    rows += session.execute(emptied, execution_options={"synchronize_session": False}).rowcount  # type: ignore[attr-defined]
    session.expire_all()
    return rows


def _cancel(session: Session, member_ids: list[UUID]) -> int:
    """End what waits, as the member: its points and its stock return, and whoever keeps a queue hears of it."""
    waits = select(Redemption).where(
        Redemption.member_id.in_(member_ids), Redemption.status.in_(("requested", "pending"))
    )
    mine = session.scalars(waits.order_by(Redemption.id)).all()
    for redemption in mine:
        decisions.cancel(session, redemption.id, redemption.member_id)
    return len(mine)
