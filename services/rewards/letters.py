"""What rewards writes to members by mail: queued in the transaction of what it tells of, to those who want it.

One letter serves every change of a redemption; what differs is said in one table. The frame is in `mails/`.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet import mail
from fleet.settings import read
from services.rewards import catalog, members
from services.rewards.member_models import Member
from services.rewards.models import Incentive, Redemption
from services.rewards.settings import SiteSettings

FOLDER = Path(__file__).resolve().parent / "mails"
# Whoever asked by HTTP has seen by then that it was declined.
SEEN_WITHIN = timedelta(seconds=3)

# Status -> subject and what happened; `requested` is no news.
WORDS: dict[str, tuple[str, str]] = {
    "pending": (
        "We have your redemption of {name}",
        "{points} points are reserved for {name}. Staff look at it next; you get mail when they have.",
    ),
    "declined": ("{name} could not be redeemed", "{name} could not be redeemed: {reason} No points were taken."),
    "approved": ("{name} is approved", "your redemption of {name} is approved. {points} points are spent."),
    "rejected": (
        "{name} was not approved",
        "your redemption of {name} was not approved. Your {points} points are yours again.",
    ),
    "cancelled": ("{name} is cancelled", "you cancelled {name}. Your {points} points are yours again."),
    "expired": (
        "Your redemption of {name} expired",
        "nobody decided on {name} in time. Your {points} points are yours again; please redeem it anew.",
    ),
    "shipped": ("{name} is on its way", "{name} is on its way to you."),
    "delivered": ("{name} has arrived", "{name} is marked as delivered. If it did not reach you, tell us."),
    "refunded": ("{name} was refunded", "{name} was taken back. Your {points} points are yours again."),
}
REASONS = {
    "insufficient-points": "there were not enough points.",
    "locked": "its level is not reached yet.",
    "suspended": "the account is suspended.",
}


def redemption(session: Session, redemption: Redemption, note: str | None) -> None:
    """Tell the member of a redemption what has become of it, with the words of whoever did it."""
    status = redemption.status
    if status not in WORDS or (status == "declined" and _was_seen(redemption)):
        return
    reader = _reader(session, redemption.member_id)
    if reader is None:
        return
    incentive = catalog.find(session, redemption.incentive_id)
    values = {
        "name": incentive.name,
        "points": redemption.points_spent,
        "reason": REASONS.get(redemption.reason or "", ""),
    }
    subject, what = (words.format(**values) for words in WORDS[status])
    _send(session, reader, "redemption", subject=subject, what=what, more=_more(redemption, note))


def unlocked(session: Session, member_id: UUID, incentives: list[Incentive]) -> None:
    """Tell a member what they can afford for the first time: one letter, however many there are."""
    reader = _reader(session, member_id)
    if reader is None:
        return
    names = ", ".join(f"{each.name} ({each.points_required} points)" for each in incentives)
    subject = f"You can now afford {incentives[0].name}"
    if len(incentives) > 1:
        subject += f" and {len(incentives) - 1} more"
    _send(session, reader, "unlocked", subject=subject, rewards=names)


def _was_seen(redemption: Redemption) -> bool:
    return redemption.changed_at - redemption.requested_at < SEEN_WITHIN


def _more(redemption: Redemption, note: str | None) -> str:
    """What staff have added, in one line each."""
    lines = []
    if redemption.tracking_info and redemption.status in ("shipped", "delivered"):
        lines.append(f"Tracking: {redemption.tracking_info}")
    if redemption.estimated_delivery and redemption.status == "shipped":
        lines.append(f"Expected: {redemption.estimated_delivery:%d %B %Y}")
    if note:
        lines.append(f"Note: {note}")
    return "\n".join(lines)


def _reader(session: Session, member_id: UUID) -> Member | None:
    """The member, when they have an address and want to hear of rewards."""
    member = members.find(session, member_id)
    return member if member.email and member.wants_mail else None


def _send(session: Session, reader: Member, name: str, **values: Any) -> None:
    given = {"member": mail.one_line(reader.display_name or "") or "there", "site": read(SiteSettings).url}
    mail.queue(session, reader.email or "", mail.render(FOLDER, name, given | values))
