"""What staff and members decide about redemptions: approve, reject, ship, deliver, cancel.

Nobody decides on their own redemption as staff. Whoever comes second hears what it is by now: the same decision again is
no decision, any other one is refused with the present status.
"""

from datetime import date
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from fleet.problems import Forbidden, invalid
from services.rewards import members, redemptions
from services.rewards.models import Redemption
from services.rewards.redemptions import Actor
from services.rewards.saga import Wish

Decision = Literal["approve", "reject", "ship", "deliver"]
LONGEST_NOTE = 1000
LONGEST_TRACKING = 500


def decide(
    session: Session,
    redemption_id: UUID,
    decision: Decision,
    actor_id: UUID,
    *,
    note: str | None = None,
    tracking_info: str | None = None,
    estimated_delivery: date | None = None,
) -> Redemption:
    """Move a redemption on as staff. Shipping again with other particulars corrects them.

    Raises NotFound, Forbidden for one's own, WrongStatus, InvalidFields for texts that are too long.
    """
    _refuse_long("/note", note, LONGEST_NOTE)
    _refuse_long("/tracking_info", tracking_info, LONGEST_TRACKING)
    actor = staff(session, redemption_id, actor_id)
    facts = {"tracking_info": tracking_info, "estimated_delivery": estimated_delivery} if decision == "ship" else {}
    return redemptions.advance(session, redemption_id, Wish(decision), actor, note=note, **facts)


def cancel(session: Session, redemption_id: UUID, member_id: UUID, note: str | None = None) -> Redemption:
    """Take one's own redemption back while staff have not decided. Raises NotFound, WrongStatus."""
    _refuse_long("/note", note, LONGEST_NOTE)
    own = redemptions.of_member(session, redemption_id, member_id)
    return redemptions.advance(session, redemption_id, Wish("cancel"), Actor("member", own.member_id), note=note)


def staff(session: Session, redemption_id: UUID, actor_id: UUID) -> Actor:
    """The acting admin; NotFound, Forbidden when the redemption is their own."""
    actor_id = members.resolve(session, actor_id)
    if redemptions.find(session, redemption_id).member_id == actor_id:
        raise Forbidden("Nobody decides on their own redemption. Ask another admin.")
    return Actor("staff", actor_id)


def _refuse_long(pointer: str, words: str | None, longest: int) -> None:
    if words is not None and (len(words) > longest or "\x00" in words):
        raise invalid(pointer, f"at most {longest} characters")
