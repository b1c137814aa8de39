"""What members are told by direct message, and in which words. To add one: CONTRIBUTING.md, "Add a notice"."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy.orm import Session

from fleet.contracts import points, rewards, users
from fleet.contracts.codec import instant
from fleet.messages import Envelope
from fleet.settings import read
from services.bot import activity_values, notices
from services.bot.cards import AMBER, BLUE, GOLD, GREEN, RED, Card, moment, plain, signed
from services.bot.cards import points as in_points
from services.bot.notice_kinds import Data, notice
from services.bot.settings import NoticeSettings

# An award by approval is told by the approval, which comes with it and says more.
BEHIND_APPROVAL = timedelta(seconds=3)


# --- points


def _name_of_activity(session: Session, event: Any) -> Data:
    return {"name": activity_values.name_of(session, event.activity)}


def _is_large(event: points.ActivityLogged) -> bool:
    return event.points >= read(NoticeSettings).award_from


@notice(
    "award",
    of=points.ActivityLogged,
    when=_is_large,
    once=lambda envelope: envelope.data.transfer_id,
    after=BEHIND_APPROVAL,
    wish="new_activities",
    adds=_name_of_activity,
)
def award(data: Data, _words: Any) -> Card:
    """Many points at once, without anybody having asked for them."""
    text = f"For **{plain(data['name'], 80)}**. You now have {in_points(data['available'])} available."
    return Card(
        title=f"+{in_points(data['points'])}", text=text, footer="What they were for: /pointshistory", colour=GOLD
    )


def _own_submission(data: Data) -> points.GetSubmissions:
    return points.GetSubmissions(member_id=UUID(data["member_id"]), submission_id=UUID(data["submission_id"]))


def _entry(words: Any) -> Any:
    return words.items[0] if words is not None and words.items else None


@notice(
    "submission_approved",
    of=points.SubmissionDecided,
    when=lambda event: event.decision == "approved",
    once=lambda envelope: envelope.data.transfer_id or envelope.id,
    wish="new_activities",
    question=_own_submission,
    adds=_name_of_activity,
    instead=True,
)
def submission_approved(data: Data, words: Any) -> Card:
    """Staff approved what the member handed in."""
    entry = _entry(words)
    fields = [("They wrote", plain(entry.note, 1000))] if entry is not None and entry.note else []
    return Card(
        title=f"Approved: +{in_points(data['points'] or 0)}",
        text=f"Your submission for **{plain(entry.name if entry else data['name'], 80)}** was approved.",
        fields=fields,
        footer="What you have now: /points",
        colour=GREEN,
    )


@notice(
    "submission_rejected",
    of=points.SubmissionDecided,
    when=lambda event: event.decision == "rejected",
    wish="new_activities",
    question=_own_submission,
    adds=_name_of_activity,
)
def submission_rejected(data: Data, words: Any) -> Card:
    """Staff did not approve it, and say why."""
    entry = _entry(words)
    fields = [("Why", plain(entry.note, 1000))] if entry is not None and entry.note else []
    return Card(
        title="Not approved this time",
        text=f"Your submission for **{plain(entry.name if entry else data['name'], 80)}** was not approved. "
        "You may hand it in again once that is mended.",
        fields=fields,
        footer="Your submissions: /submissions",
        colour=AMBER,
    )


def _adjustment(data: Data) -> points.GetReceipt:
    return points.GetReceipt(member_id=UUID(data["member_id"]), transfer_id=UUID(data["transfer_id"]))


@notice(
    "points_adjusted",
    of=points.PointsAdjusted,
    once=lambda envelope: envelope.data.transfer_id,
    wish="new_activities",
    question=_adjustment,
)
def points_adjusted(data: Data, words: Any) -> Card:
    """An admin corrected the member's points, and says why."""
    fields = [("They wrote", plain(words.details, 1000))] if words is not None and words.details else []
    back = "An earlier entry was taken back. " if data["kind"] == "reversal" else ""
    return Card(
        title=f"{signed(data['points'])} by the staff",
        text=f"{back}You now have {in_points(data['available'])} available.",
        fields=fields,
        footer="All of your points: /pointshistory",
        colour=GREEN if data["points"] > 0 else AMBER,
    )


# --- accounts


def _why_warned(data: Data) -> users.GetWarning:
    return users.GetWarning(member_id=UUID(data["member_id"]), warning_id=UUID(data["warning_id"]))


@notice("warned", of=users.MemberWarned, once=lambda envelope: envelope.data.warning_id, question=_why_warned)
def warned(data: Data, words: Any) -> Card:
    """The staff warned the member, and say why."""
    number = int(data["warnings"])
    return Card(
        title="You have a warning from the staff",
        text=f"You have {number:,} {'warning' if number == 1 else 'warnings'} now. If you think this is a mistake, talk to "
        "the staff.",
        fields=[("They wrote", plain(words.reason, 1000))] if words is not None and words.reason else [],
        colour=AMBER,
    )


@notice("linked", of=users.DiscordLinked, who=lambda event: notices.to_member(event.discord_born_id))
def linked(_data: Data, _words: Any) -> Card:
    """The Discord account belongs to a web account from now on."""
    return Card(
        title="Your accounts are linked",
        text="This Discord account and your web account are one member now: the same points, rewards and reviews, "
        "whichever you use. If that was not you, unlink it on the website and tell the staff.",
        footer="What you have: /points",
        colour=GREEN,
    )


@notice("unlinked", of=users.DiscordUnlinked, who=lambda event: notices.to_member(event.discord_born_id))
def unlinked(_data: Data, _words: Any) -> Card:
    """The link is over."""
    return Card(
        title="Your accounts are not linked any more",
        text="What you earned stays with your web account. Here in Discord you begin anew, with an empty ledger. "
        "If that was not you, tell the staff.",
        colour=AMBER,
    )


@notice("suspended", of=users.UserSuspended)
def suspended(data: Data, _words: Any) -> Card:
    """The member earns and spends nothing for a time."""
    until = f" until {moment(instant(data['suspended_until']))}" if data["suspended_until"] else ""
    return Card(
        title="You are suspended",
        text=f"You cannot earn or spend points{until}. What you have is safe. If you think this is a mistake, "
        "talk to the staff.",
        footer="How you stand: /points",
        colour=RED,
    )


@notice("reinstated", of=users.UserReinstated)
def reinstated(_data: Data, _words: Any) -> Card:
    """The suspension is over."""
    text = "Your suspension is over: you can earn and spend points again."
    return Card(title="Welcome back", text=text, footer="How to earn: /pointvalues", colour=GREEN)


# --- rewards


def _unlocked_ones(data: Data) -> rewards.GetCatalogue:
    return rewards.GetCatalogue(member_id=UUID(data["member_id"]), unlocked=True, limit=25)


def _news(envelope: Envelope[rewards.IncentiveUnlocked]) -> UUID:
    """Several that one award unlocked are one piece of news."""
    return uuid5(envelope.data.member_id, f"unlocked:{envelope.data.unlocked_at.isoformat()}")


@notice("unlocked", of=rewards.IncentiveUnlocked, once=_news, wish="reward_updates", question=_unlocked_ones)
def unlocked(data: Data, words: Any) -> Card:
    """The member can afford a reward for the first time."""
    at = instant(data["unlocked_at"])
    new = [entry for entry in words.items if entry.unlocked_at == at] if words is not None else []
    lines = [f"**{plain(entry.name, 120)}**, for {in_points(entry.points_required)}" for entry in new]
    title = "You have unlocked a reward" if len(lines) < 2 else f"You have unlocked {len(lines)} rewards"
    text = "You can now afford:\n" + "\n".join(lines) if lines else "There is something new in the shop for you."
    return Card(title=title, text=text, footer="Have a look: /shop", colour=GOLD)


def _own_redemption(data: Data) -> rewards.GetRedemption:
    return rewards.GetRedemption(redemption_id=UUID(data["redemption_id"]), member_id=UUID(data["member_id"]))


_BACK = "Your {points} are available again."
# Title, what happened to the reward in one sentence, colour; `{points}` is what it cost.
_REDEMPTION = {
    "approved": ("Your reward is approved", "We are getting it ready for you.", GREEN),
    "rejected": ("Your redemption was not approved", _BACK, AMBER),
    "cancelled": ("Your redemption is cancelled", _BACK, BLUE),
    "expired": ("Your redemption has expired", "Nobody could deal with it in time. " + _BACK, AMBER),
    "refunded": ("Your points came back", _BACK, BLUE),
    "shipped": ("Your reward is on its way", "", GREEN),
    "delivered": ("Your reward has arrived", "Enjoy it.", GREEN),
}


def _redemption_card(data: Data, words: Any) -> Card:
    title, sentence, colour = _REDEMPTION[data["status"]]
    name = f"**{plain(words.name, 120)}**. " if words is not None else ""
    fields = []
    if words is not None and words.note and data["status"] != "delivered":
        fields.append(("They wrote", plain(words.note, 1000)))
    if words is not None and data["status"] == "shipped":
        if words.tracking_info:
            fields.append(("Tracking", plain(words.tracking_info, 500)))
        if words.estimated_delivery:
            fields.append(("Expected", words.estimated_delivery.isoformat()))
    text = name + sentence.format(points=in_points(data["points_spent"]))
    return Card(title=title, text=text, fields=fields, footer="All of yours: /redemptions", colour=colour)


@notice("redemption_decided", of=rewards.RedemptionDecided, wish="reward_updates", question=_own_redemption)
def redemption_decided(data: Data, words: Any) -> Card:
    """A redemption was approved, rejected, cancelled, has expired or was refunded."""
    return _redemption_card(data, words)


@notice("redemption_fulfilled", of=rewards.RedemptionFulfilled, wish="reward_updates", question=_own_redemption)
def redemption_fulfilled(data: Data, words: Any) -> Card:
    """A reward is on its way, or has arrived."""
    return _redemption_card(data, words)
