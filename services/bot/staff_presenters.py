"""How answers to staff look. What they read of others is for them alone: never shown in a channel."""

from typing import Any

from fleet.contracts.points import (
    ActivityLog,
    AdjustmentOutcome,
    Leaderboard,
    ProgrammeFigures,
    QueueReport,
    Submissions,
)
from fleet.contracts.users import AuditRecord, AuditTrail, Enrolled, MemberState
from services.bot.cards import AMBER, BLUE, GOLD, GREEN, RED, Card, Rendered, moment, name_of, plain, signed
from services.bot.cards import points as in_points
from services.bot.presenters import MEDALS, PERIODS, leafing, presenter
from services.bot.refusals import SENT_DIRECTLY
from services.bot.staff_cards import short_id

# From so many waiting submissions on, the report is red.
MANY_WAIT = 10


def _whom(arguments: dict[str, Any]) -> str:
    return name_of(str(arguments.get("name", "")))


@presenter("adjusted")
def show_adjusted(outcome: AdjustmentOutcome, arguments: dict[str, Any]) -> Rendered:
    """A correction was made, or waits for a second admin."""
    if outcome.status == "pending":
        text = f"{signed(outcome.points)} for {_whom(arguments)} waits until another admin confirms it, on the web."
        return Rendered(Card(title="A second admin has to agree", text=text, colour=AMBER), short=SENT_DIRECTLY)
    card = Card(
        title=f"{signed(outcome.points)} for {_whom(arguments)}",
        text=f"They now have {in_points(outcome.available)} available, and {in_points(outcome.lifetime)} in all. "
        "They are told, with your reason.",
        footer="What was done lately: /activitylog",
        colour=GREEN,
    )
    return Rendered(card, short=SENT_DIRECTLY)


_DONE = {
    "suspended": ("is suspended", RED),
    "unsuspended": ("is not suspended any more", GREEN),
    "warned": ("was warned", AMBER),
    "cleared": ("has no warnings any more", GREEN),
}


@presenter("moderated")
def show_moderated(state: MemberState, arguments: dict[str, Any]) -> Rendered:
    """What was done to a member, and how they stand now."""
    done, colour = _DONE[str(arguments.get("done", "warned"))]
    until = f" until {moment(state.suspended_until)}" if state.suspended_until else ""
    standing = f"Suspended{until}" if state.status == "suspended" else "Good"
    card = Card(
        title=f"{name_of(state.display_name)} {done}",
        fields=[("Standing", standing), ("Warnings", f"{state.warnings:,}")],
        footer="Who changed what: /audit",
        colour=colour,
    )
    return Rendered(card, short=SENT_DIRECTLY)


@presenter("enrolled")
def show_enrolled(found: Enrolled, _arguments: dict[str, Any]) -> Rendered:
    """Somebody is a member, now or since before."""
    name = name_of(found.display_name)
    text = f"{name} is a member now and earns from here on." if found.created else f"{name} was a member already."
    if found.web_account:
        text += f" Linked web account: {name_of(found.web_account)}."
    return Rendered(Card(title="Registered", text=text, footer="Greet them: /sendwelcome", colour=GREEN), SENT_DIRECTLY)


@presenter("queue")
def show_queue(found: Submissions, arguments: dict[str, Any]) -> Rendered:
    """What waits for a decision, oldest first."""
    if not found.items:
        text = "Nothing waits for a decision."
        return Rendered(Card(title="Waiting submissions", text=text, colour=GREEN), short=SENT_DIRECTLY)
    lines = []
    for entry in found.items:
        who = name_of(entry.display_name or "A member")
        lines.append(
            f"`{short_id(entry.submission_id)}` **{plain(entry.name, 60)}** ({signed(entry.points)}) by {who}, "
            f"{moment(entry.submitted_at, 'R')}"
        )
        said = [plain(words, 90) for words in (entry.description, entry.url, entry.evidence_name) if words]
        if said:
            lines.append("  " + " · ".join(said))
    page = int(arguments.get("page", 1))
    card = Card(
        title=f"Waiting submissions: {found.pending:,}",
        text="\n".join(lines),
        footer=f"Page {page} · Decide: /approve or /reject with the short id, or the card in the staff channel",
        colour=AMBER,
        buttons=leafing("queue", str(arguments.get("argument", "")), arguments, found.next_cursor),
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=found.next_cursor)


@presenter("report")
def show_report(report: QueueReport, _arguments: dict[str, Any]) -> Rendered:
    """What waits for staff by kind."""
    if not report.kinds:
        return Rendered(Card(title="Nothing waits", text="Everything is decided.", colour=GREEN), short=SENT_DIRECTLY)
    lines = [
        f"**{kind.pending:,}** {plain(kind.name, 80)}, the oldest {moment(kind.oldest_at, 'R')}"
        for kind in report.kinds
    ]
    card = Card(
        title=f"{report.pending:,} waiting",
        text="\n".join(lines[:25]),
        footer="All of them: /pending",
        colour=RED if report.pending >= MANY_WAIT else AMBER,
    )
    return Rendered(card, short=SENT_DIRECTLY)


@presenter("activitylog")
def show_activity_log(log: ActivityLog, arguments: dict[str, Any]) -> Rendered:
    """What everybody earned, spent and was corrected by."""
    argument, page = str(arguments.get("argument", "")), int(arguments.get("page", 1))
    if not log.items:
        return Rendered(Card(title="Activity", text="Nothing happened in that time."), short=SENT_DIRECTLY)
    lines = []
    for entry in log.items:
        by = f" by {name_of(entry.decided_by)}" if entry.decided_by else ""
        who = name_of(entry.display_name or "A member")
        when = moment(entry.occurred_at, "f")
        lines.append(f"{who} **{signed(entry.points)}** {plain(entry.name, 60)}{by}, {when}")
    card = Card(
        title="Activity",
        text="\n".join(lines),
        footer=f"Page {page} · Newest first",
        buttons=leafing("activitylog", argument, arguments, log.next_cursor),
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=log.next_cursor)


@presenter("audit")
def show_audit(trail: AuditTrail, arguments: dict[str, Any]) -> Rendered:
    """Who changed what about members."""
    argument, page = str(arguments.get("argument", "")), int(arguments.get("page", 1))
    if not trail.items:
        return Rendered(Card(title="Audit", text="Nothing was changed in that time."), short=SENT_DIRECTLY)
    card = Card(
        title="Audit",
        text="\n".join(_audit_line(record) for record in trail.items),
        footer=f"Page {page} · Newest first",
        buttons=leafing("audit", argument, arguments, trail.next_cursor),
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=trail.next_cursor)


def _audit_line(record: AuditRecord) -> str:
    by = name_of(record.by) if record.by else "by itself"
    about = name_of(record.about) if record.about else "somebody who is gone"
    changed = [
        f"{plain(each.field, 30)} {plain(each.before or '–', 30)} → {plain(each.after or '–', 30)}"
        if each.before is not None or each.after is not None
        else plain(each.field, 30)
        for each in record.changes[:4]
    ]
    why = f" “{plain(record.reason, 80)}”" if record.reason else ""
    what = plain(record.action.replace("_", " "), 40)
    return f"{moment(record.occurred_at, 'f')} **{what}** {about}, {by}: {', '.join(changed) or '–'}{why}"


@presenter("programme")
def show_programme(figures: ProgrammeFigures, _arguments: dict[str, Any]) -> Rendered:
    """The programme at a glance."""
    oldest = f", the oldest {moment(figures.oldest_pending_at, 'R')}" if figures.oldest_pending_at else ""
    fields = [
        (
            "Members",
            f"{figures.members:,}; active in 7 days {figures.active_7days:,}, in 30 days {figures.active_30days:,}",
        ),
        (
            "Points",
            f"Issued {figures.issued:,}, redeemed {figures.redeemed:,}. Members could still claim "
            f"{figures.outstanding:,}, of which {figures.reserved:,} are reserved.",
        ),
        (
            "This week",
            f"{figures.week_awards:,} awards to {figures.week_members:,} members, {signed(figures.week_points)} points",
        ),
        ("Waiting submissions", f"{figures.pending:,}{oldest}"),
    ]
    if figures.top_activities:
        lines = [f"{plain(top.name, 80)}: {top.awards:,} times, {signed(top.points)}" for top in figures.top_activities]
        fields.append(("Most done in 30 days", "\n".join(lines)))
    return Rendered(Card(title="The programme", fields=fields, footer="Who: /topusers", colour=BLUE), SENT_DIRECTLY)


@presenter("topusers")
def show_top(board: Leaderboard, _arguments: dict[str, Any]) -> Rendered:
    """The first of the board. One answer has them all: nobody is looked up one by one."""
    if not board.items:
        return Rendered(Card(title="Top members", text="Nobody has points in this time yet."))
    lines = []
    for place in board.items[:25]:
        medal = MEDALS.get(place.rank, f"**{place.rank:,}.**")
        score = place.total_points if board.period == "all_time" else place.points
        lines.append(f"{medal} {name_of(place.display_name)}: {in_points(score)}")
    card = Card(
        title=f"Top members: {PERIODS[board.period]}",
        text="\n".join(lines),
        footer=f"{board.total:,} on the board · Who does not want to be shown is not",
        colour=GOLD,
    )
    return Rendered(card)
