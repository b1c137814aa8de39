"""How answers about submissions and check-in codes look."""

from typing import Any

from fleet.contracts.points import CheckinOutcome, SubmissionOutcome, Submissions
from services.bot.cards import AMBER, BLUE, GREEN, Card, Rendered, moment, plain
from services.bot.cards import points as in_points
from services.bot.presenters import leafing, presenter
from services.bot.refusals import SENT_DIRECTLY
from services.bot.staff_cards import short_id

_SIGNS = {"pending": "⏳", "approved": "✅", "rejected": "❌", "withdrawn": "↩️"}


@presenter("submitted")
def show_submitted(outcome: SubmissionOutcome, _arguments: dict[str, Any]) -> Rendered:
    """It was handed in, and what happens next."""
    short = short_id(outcome.submission_id)
    if outcome.status != "pending":
        return _decided(outcome)
    card = Card(
        title=f"Handed in: {plain(outcome.name, 80)}",
        text=f"Staff look at it next. If they approve it as it is, you earn **{in_points(outcome.points)}**. "
        "I will tell you what they say.",
        footer=f"All of yours: /submissions · Take it back: /withdraw {short}",
        colour=GREEN,
    )
    return Rendered(card, short=f"Handed in: **{plain(outcome.name, 80)}**. Staff look at it next.")


@presenter("withdrawn")
def show_withdrawn(outcome: SubmissionOutcome, _arguments: dict[str, Any]) -> Rendered:
    """The member took it back."""
    text = f"Your submission for **{plain(outcome.name, 80)}** is withdrawn. You may hand it in again."
    return Rendered(Card(title="Withdrawn", text=text, footer="Your submissions: /submissions", colour=BLUE))


def _decided(outcome: SubmissionOutcome) -> Rendered:
    worth = f" with **{in_points(outcome.points)}**" if outcome.status == "approved" else ""
    text = f"**{plain(outcome.name, 80)}** is {outcome.status}{worth}."
    return Rendered(Card(title=outcome.status.capitalize(), text=text, colour=GREEN))


@presenter("decided")
def show_decided(outcome: SubmissionOutcome, _arguments: dict[str, Any]) -> Rendered:
    """What the one who pressed a button reads; everybody else sees it on the card."""
    return _decided(outcome)


@presenter("submissions")
def show_submissions(found: Submissions, arguments: dict[str, Any]) -> Rendered:
    """What a member handed in, newest first."""
    if not found.items:
        text = "You have not handed anything in yet. What earns points, and how: /pointvalues"
        return Rendered(Card(title="Your submissions", text=text), short=SENT_DIRECTLY)
    lines = []
    for entry in found.items:
        worth = f", +{entry.points:,}" if entry.status == "approved" else ""
        lines.append(
            f"{_SIGNS[entry.status]} **{plain(entry.name, 80)}** {entry.status}{worth}, "
            f"{moment(entry.submitted_at, 'd')} · `{short_id(entry.submission_id)}`"
        )
        if entry.note:
            lines.append(f"  They wrote: {plain(entry.note, 200)}")
        if entry.evidence == "failed":
            lines.append("  The file could not be copied. Withdraw it and hand it in again.")
    page = int(arguments.get("page", 1))
    card = Card(
        title="Your submissions",
        text="\n".join(lines),
        footer=f"Page {page} · {found.pending:,} waiting · Take one back: /withdraw with its short id",
        buttons=leafing("submissions", "", arguments, found.next_cursor),
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=found.next_cursor)


@presenter("checkin")
def show_checkin(outcome: CheckinOutcome, _arguments: dict[str, Any]) -> Rendered:
    """What a check-in code gave."""
    if not outcome.redeemed:
        reason = outcome.reason or "There is no such code. Codes come from the host of an event."
        return Rendered(Card(title="That code does not work", text=plain(reason, 500), colour=AMBER))
    label = f" **{plain(outcome.label, 120)}**" if outcome.label else ""
    text = f"You are checked in{label}. You now have {in_points(outcome.available)} available."
    card = Card(title=f"+{in_points(outcome.points)}", text=text, footer="What you have: /points", colour=GREEN)
    return Rendered(card, short=f"Checked in: +{in_points(outcome.points)}.")
