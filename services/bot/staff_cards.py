"""Cards in the staff channel: what waits for a decision, and what became of it.

A card is a notice whose `once` is what it is about, so that there is one however often it is told, and that is edited
when an event says how it ended. Its buttons carry the id of what they decide, so they work after any restart.
"""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet.contracts import points, rewards
from fleet.contracts.codec import instant
from services.bot import contacts, notices
from services.bot.cards import AMBER, BAD, BLUE, GOOD, GREEN, RED, Button, Card, moment, name_of, plain
from services.bot.cards import points as in_points
from services.bot.notice_kinds import Data, ends_card, notice

SUBMISSION, REDEMPTION = "submission", "redemption"
APPROVE, REJECT, OTHER = "approve", "reject", "points"


def button_id(what: str, action: str, subject: UUID | str) -> str:
    """The id of a button on a card: `submission:approve:<id>`."""
    return f"{what}:{action}:{subject}"


def _account(session: Session, member_id: UUID) -> str | None:
    return contacts.reach(session, [member_id])[member_id].discord_id


def _of_whom(session: Session, event: Any) -> Data:
    return {"account": _account(session, event.member_id)}


def _who(display_name: str | None, account: str | None) -> str:
    name = name_of(display_name) if display_name else ""
    return f"{name} <@{account}>".strip() if account else name or "A member"


def _to_staff(_event: Any) -> str:
    return notices.STAFF


def _for_staff(data: Data) -> points.GetSubmissions:
    """The bot vouches: only staff read the staff channel."""
    return points.GetSubmissions(
        member_id=UUID(data["member_id"]),
        queue=True,
        staff_attested=True,
        submission_id=UUID(data["submission_id"]),
    )


@notice(
    "submission_card",
    of=points.SubmissionReceived,
    who=_to_staff,
    once=lambda envelope: envelope.data.submission_id,
    question=_for_staff,
    adds=_of_whom,
    picture=True,
)
def submission_card(data: Data, words: Any) -> Card:
    """A submission as it stands: with buttons while it waits for a decision."""
    entry = words.items[0]
    fields = [("Link", plain(entry.url, 1000))] if entry.url else []
    if entry.evidence != "none":
        fields.append(("File", _file_in_words(entry, data)))
    fields.append(("From", _who(entry.display_name, data.get("account"))))
    buttons: list[Button] = []
    if entry.status == "pending":
        title, colour = f"{plain(entry.name, 80)}: {in_points(entry.points)}?", BLUE
        actions = ((f"Approve (+{entry.points:,})", APPROVE, GOOD), ("Reject", REJECT, BAD), ("Other points", OTHER, 2))
        buttons = [
            Button(label, button_id(SUBMISSION, action, entry.submission_id), style=style)
            for label, action, style in actions
        ]
    else:
        title, colour = _outcome(entry), {"approved": GREEN, "rejected": RED}.get(entry.status, AMBER)
        fields += _decision(entry, data)
    return Card(
        title=title,
        text=plain(entry.description, 2000) if entry.description else "",
        fields=fields,
        footer=f"Handed in as {short_id(entry.submission_id)}",
        colour=colour,
        buttons=buttons,
        picture=data.get("picture", ""),
    )


def _outcome(entry: Any) -> str:
    more = f", +{in_points(entry.points)}" if entry.status == "approved" else ""
    return f"{plain(entry.name, 80)}: {entry.status}{more}"


def _decision(entry: Any, data: Data) -> list[tuple[str, str]]:
    at = f", {moment(entry.decided_at)}" if entry.decided_at else ""
    by = f"<@{data['decider']}>" if data.get("decider") else "an admin, on the web"
    if entry.status == "withdrawn":
        by = "the member"
    fields = [(entry.status.capitalize(), f"By {by}{at}")]
    return [*fields, ("Note", plain(entry.note, 1000))] if entry.note else fields


def _file_in_words(entry: Any, data: Data) -> str:
    name = plain(entry.evidence_name or "a file", 200)
    state = {"fetching": " (still being copied)", "failed": " (could not be copied)"}.get(entry.evidence, "")
    shown = "" if data.get("picture") else "; the web queue has it"
    return f"{name}{state}{shown}"


def short_id(submission_id: UUID) -> str:
    """The end of an id, which is enough to name it by: the beginning of ids made in the same minute is the same."""
    return submission_id.hex[-8:]


def _decided_by(session: Session, event: points.SubmissionDecided) -> Data:
    return {"decider": _account(session, event.decided_by)}


ends_card("submission_card", points.SubmissionDecided, lambda event: event.submission_id, _decided_by)


def _redemption_for_staff(data: Data) -> rewards.GetRedemption:
    return rewards.GetRedemption(redemption_id=UUID(data["redemption_id"]), staff_channel=True)


@notice(
    "redemption_card",
    of=rewards.RewardRedeemed,
    who=_to_staff,
    once=lambda envelope: envelope.data.redemption_id,
    question=_redemption_for_staff,
    adds=_of_whom,
)
def redemption_card(data: Data, words: Any) -> Card:
    """Somebody redeemed a reward: staff are to approve it or not."""
    waiting = words.status in ("requested", "pending")
    actions = (("Approve", APPROVE, GOOD), ("Reject", REJECT, BAD)) if waiting else ()
    buttons = [
        Button(label, button_id(REDEMPTION, action, words.redemption_id), style=style)
        for label, action, style in actions
    ]
    state = "waits for approval" if waiting else words.status
    return Card(
        title=f"Redemption: {plain(words.name, 120)} {state}",
        text=f"{_who(words.display_name, data.get('account'))} spends {in_points(words.points_spent)}, asked for "
        f"{moment(instant(data['requested_at']))}."
        if waiting
        else f"{_who(words.display_name, data.get('account'))}, {in_points(words.points_spent)}.",
        fields=[("Note", plain(words.note, 1000))] if words.note else [],
        footer="For admins with a linked account" if waiting else "",
        colour=BLUE if waiting else {"approved": GREEN, "rejected": RED}.get(words.status, AMBER),
        buttons=buttons,
    )


ends_card("redemption_card", rewards.RedemptionDecided, lambda event: event.redemption_id)
