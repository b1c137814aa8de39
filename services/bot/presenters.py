"""How answers look. Each presenter takes the typed answer and the arguments kept with the question, and is found by its
name, because the process that asked may not be the one that shows the answer."""

from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

from fleet.contracts.points import ActivityValues, Leaderboard, Place, Receipt, Standing, Streak
from fleet.contracts.points import History as PointsHistory
from services.bot.cards import (
    AMBER,
    BLUE,
    GOLD,
    GREEN,
    Button,
    Card,
    Lines,
    Rendered,
    moment,
    name_of,
    plain,
    points,
    signed,
)
from services.bot.refusals import SENT_DIRECTLY

Presenter = Callable[[Any, dict[str, Any]], Rendered]
presenters: dict[str, Presenter] = {}

PERIODS = {"all_time": "all time", "weekly": "this week", "monthly": "this month"}
# As many as points gives at a time.
HISTORY_PAGE = 10
MEDALS = {1: "🥇", 2: "🥈", 3: "🥉"}


def presenter(name: str) -> Callable[[Presenter], Presenter]:
    """Declare how the answers of questions that name `name` are shown."""

    def declare(function: Presenter) -> Presenter:
        presenters[name] = function
        return function

    return declare


@presenter("points")
def show_points(standing: Standing, _arguments: dict[str, Any]) -> Rendered:
    """What a member has: available first, then rank, reserved, lifetime, and whether they may earn."""
    rank = f"#{standing.rank:,}" if standing.rank else "Not ranked yet: your first points put you on the board"
    if standing.suspended:
        until = f" until {moment(standing.suspended_until)}" if standing.suspended_until else ""
        state = f"Suspended{until}. Your points are safe; until then you cannot earn or spend any."
    else:
        state = "Good: you can earn and spend"
    card = Card(
        title=f"{points(standing.available)} available",
        fields=[
            ("Rank", rank),
            ("Reserved for rewards you asked for", points(standing.reserved)),
            ("Earned in all", points(standing.lifetime)),
            ("Standing", state),
        ],
        footer="How to earn more: /pointvalues · Your latest points: /pointshistory",
        colour=AMBER if standing.suspended else GREEN,
    )
    return Rendered(card, short=f"You have **{points(standing.available)}** available. {SENT_DIRECTLY}")


@presenter("history")
def show_history(history: PointsHistory, arguments: dict[str, Any]) -> Rendered:
    """The latest points, newest first."""
    if not history.items:
        text = "You have no points yet. Say hello in a channel: your first message of a day earns some. More ways: /pointvalues"
        return Rendered(Card(title="Your points", text=text), short=f"You have no points yet. {SENT_DIRECTLY}")
    page = int(arguments.get("page", 1))
    lines = [
        f"`{number}` **{signed(entry.points)}** {plain(entry.name, 80)}, {moment(entry.occurred_at)}"
        f" (then {entry.balance_after:,})"
        for number, entry in enumerate(history.items, (page - 1) * HISTORY_PAGE + 1)
    ]
    card = Card(
        title="Your latest points",
        text="\n".join(lines),
        footer=f"Page {page} · Why one is there: /receipt and its number · What you can spend: /points",
        buttons=leafing("history", "", arguments, history.next_cursor),
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=history.next_cursor)


_KINDS = {
    "adjustment": "A correction by the staff",
    "reversal": "An earlier entry was taken back",
    "hold": "Reserved for a reward you asked for",
    "release": "Came back: the reward was not given out",
    "refund": "Came back: the reward was refunded",
    "award": "You earned it",
}


@presenter("receipt")
def show_receipt(receipt: Receipt, _arguments: dict[str, Any]) -> Rendered:
    """Why an entry of the points log is there: what for, by which rule, who decided, on which evidence."""
    what = _KINDS.get(receipt.kind, "An entry of your points log")
    fields = [("When", moment(receipt.occurred_at)), ("You had then", f"{points(receipt.balance_after)} available")]
    if receipt.rule_version is not None:
        fields.append(("Rule", f"{plain(receipt.name, 80)}, version {receipt.rule_version} of its rule"))
    if receipt.decided_by:
        fields.append(("Decided by", name_of(receipt.decided_by)))
    told = {
        "Why": receipt.details,
        "You wrote": receipt.description,
        "Link": receipt.url,
        "File": receipt.evidence_name,
    }
    fields += [(name, plain(words, 800)) for name, words in told.items() if words]
    name = plain(receipt.name, 80) if receipt.kind == "award" else what
    card = Card(
        title=f"{signed(receipt.points)}: {name}",
        text=f"{what}." if receipt.kind == "award" else "",
        fields=fields,
        footer=f"Entry {receipt.number:,} of your points, the newest is 1 · All of them: /pointshistory",
        colour=GREEN if receipt.points >= 0 else AMBER,
    )
    return Rendered(card, short=SENT_DIRECTLY)


@presenter("values")
def show_values(values: ActivityValues, _arguments: dict[str, Any]) -> Rendered:
    """Every way to earn with its rule, by category."""
    groups: dict[str, Lines] = {}
    for value in values.items:
        lines = groups.setdefault(value.category, Lines(plain(value.category_name)))
        rule = f": {plain(value.rule)}" if value.rule else ""
        lines.lines.append(f"**{signed(value.points)}** {plain(value.name, 80)}{rule}")
    if not groups:
        return Rendered(
            Card(title="How to earn points", text="Nothing earns points at the moment. Have a look again soon.")
        )
    fields = [field for group in groups.values() for field in group.fields()]
    return Rendered(Card(title="How to earn points", fields=fields, footer="What you have: /points", colour=BLUE))


@presenter("leaderboard")
def show_leaderboard(board: Leaderboard, arguments: dict[str, Any]) -> Rendered:
    """A page of the board; the viewer's own place only where nobody else reads it, for it may be hidden on the board."""
    private, page = bool(arguments.get("private")), int(arguments.get("page", 1))
    lines = [_place_line(place, board.period, marked=private) for place in board.items]
    if not lines:
        lines = ["Nobody is on this board yet. Be the first: /pointvalues"]
    if private:
        lines += ["", _own_line(board)]
    more = "" if private else " · Your own place: /leaderboard"
    card = Card(
        title=f"Leaderboard: {PERIODS[board.period]}",
        text="\n".join(lines),
        footer=f"Page {page} · {board.total:,} {'member' if board.total == 1 else 'members'}{more}",
        colour=GOLD,
        buttons=leafing("leaderboard", board.period, arguments, board.next_cursor),
    )
    return Rendered(card, next_cursor=board.next_cursor)


def _score(place: Any, period: str) -> int:
    return int(place.total_points if period == "all_time" else place.points)


def _place_line(place: Place, period: str, *, marked: bool) -> str:
    medal = MEDALS.get(place.rank, f"**{place.rank:,}.**")
    you = " ← you" if marked and place.is_me else ""
    return f"{medal} {name_of(place.display_name)}: {points(_score(place, period))}{you}"


def _own_line(board: Leaderboard) -> str:
    if board.me is None:
        return "You have no place on this board yet. How to get one: /pointvalues"
    return f"You are **#{board.me.rank:,}** with {points(_score(board.me, board.period))}."


@presenter("own_rank")
def show_own_rank(board: Leaderboard, _arguments: dict[str, Any]) -> Rendered:
    """The viewer's own place with the neighbours on either side."""
    if board.me is None:
        text = "You are not on the leaderboard yet: your first points put you there. How to earn some: /pointvalues"
        return Rendered(Card(title="Your rank", text=text), short=SENT_DIRECTLY)
    lines = [_place_line(place, board.period, marked=False) for place in board.me.above]
    lines.append(f"**You: #{board.me.rank:,} with {points(_score(board.me, board.period))}**")
    lines += [_place_line(place, board.period, marked=False) for place in board.me.below]
    card = Card(
        title=f"You are #{board.me.rank:,}", text="\n".join(lines), footer="The whole board: /leaderboard", colour=GOLD
    )
    return Rendered(card, short=SENT_DIRECTLY)


@presenter("rank_of")
def show_rank_of(board: Leaderboard, arguments: dict[str, Any]) -> Rendered:
    """Somebody else's place: only what the public board itself shows of them, so a hidden member stays hidden."""
    name = name_of(str(arguments.get("name", "")))
    shown = next((place for place in board.items if place.is_me), None)
    if shown is None:
        text = f"{name} is not among the first {len(board.items):,} on the leaderboard, or prefers not to be shown."
        if not board.items:
            text = f"{name} is not on the leaderboard."
        return Rendered(Card(title="Rank", text=text, footer="The whole board: /leaderboard"))
    text = f"{name} is **#{shown.rank:,}** with {points(_score(shown, board.period))}."
    return Rendered(Card(title="Rank", text=text, footer="The whole board: /leaderboard", colour=GOLD))


@presenter("streak")
def show_streak(streak: Streak, _arguments: dict[str, Any]) -> Rendered:
    """Days in a row with an award."""
    if not streak.current:
        ahead = "Earn something today to start a new one: a message in any channel does."
    elif streak.current < streak.longest:
        ahead = f"Keep going: {streak.longest - streak.current + 1} more and it is your longest."
    else:
        ahead = "That is your longest so far. Keep it alive: earn something every day."
    fields = [("Longest", _days(streak.longest))]
    if streak.last_active is not None:
        # A day has no hour; noon UTC is the same date nearly everywhere.
        fields.append(("Last active", moment(datetime.combine(streak.last_active, time(12), UTC), "D")))
    title = f"{_days(streak.current)} in a row" if streak.current else "No streak at the moment"
    card = Card(title=title, text=ahead, fields=fields, footer="Ways to earn: /pointvalues", colour=GREEN)
    return Rendered(card, short=f"Your streak: **{_days(streak.current)}**. {SENT_DIRECTLY}")


def _days(number: int) -> str:
    return f"{number:,} {'day' if number == 1 else 'days'}"


def leafing(kind: str, argument: str, arguments: dict[str, Any], next_cursor: str | None) -> list[Button]:
    """Buttons to the pages on either side; none for a list of one page."""
    page, listing = int(arguments.get("page", 1)), str(arguments.get("listing", ""))
    if page == 1 and next_cursor is None:
        return []
    return [
        Button("Previous", page_id(kind, argument, listing, page - 1), enabled=page > 1),
        Button("Next", page_id(kind, argument, listing, page + 1), enabled=next_cursor is not None),
    ]


def page_id(kind: str, argument: str, listing: str, page: int) -> str:
    """The id of a button that leads to a page: found again after a restart, and always within 100 characters."""
    return f"page:{kind}:{argument}:{listing}:{page}"
