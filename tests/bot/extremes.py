"""Answers of rewards, points and users at their extremes, for the presenters that must show them all."""

from datetime import date, datetime
from typing import Any, Literal, get_args
from uuid import UUID

from fleet.contracts import points, rewards, users

ONE, TWO = UUID(int=1), UUID(int=2)
REASONS = (
    "insufficient-points",
    "locked",
    "out-of-stock",
    "limit-reached",
    "suspended",
    "retired",
    "something-new",
    None,
)


def entry(name: str, huge: int, at: datetime, reason: str | None) -> rewards.CatalogueEntry:
    return rewards.CatalogueEntry(
        incentive_id=ONE,
        name=name,
        points_required=huge,
        category="gift_cards",
        can_redeem=reason is None,
        points_missing=huge,
        is_active=reason != "retired",
        description=name,
        stock=huge,
        tier=4,
        sponsor=name,
        per_member_limit=huge,
        min_lifetime_points=huge,
        limit_left=huge,
        reason=reason,
        unlocked_at=at,
    )


def members_answers(hostile: list[str], huge: int, at: datetime) -> dict[str, list[Any]]:
    """By presenter; the names in them are `hostile`, the numbers `huge`."""
    entries = [entry(name, huge, at, reason) for name in hostile for reason in REASONS]
    outcomes = [
        rewards.RedemptionOutcome(ONE, TWO, ONE, name, huge, status, huge)
        for name in hostile
        for status in get_args(rewards.RedemptionStatus)
    ]
    redeemed = [
        rewards.RedemptionEntry(
            *(ONE, TWO, name, ONE, name, "other", huge, status, at),
            note=name,
            tracking_info=name,
            estimated_delivery=date(1, 1, 1),
        )
        for name in hostile
        for status in ("pending", "shipped")
    ]
    told = users.Told(True, False, True)
    return {
        "shop": [rewards.Catalogue([], 0, 0), rewards.Catalogue(entries[:25], huge, huge, "c" * 300)]
        + [rewards.Catalogue([entry(name, huge, at, None)] * 10, huge, huge) for name in hostile],
        "redeem_named": [rewards.Catalogue([], 0, 0), rewards.Catalogue(entries[:25], huge, huge)]
        + [rewards.Catalogue([each], huge, huge) for each in entries],
        "redeem_question": entries,
        "redeemed": outcomes,
        "redemption_cancelled": outcomes,
        "redemption_decided": outcomes,
        "redemptions": [rewards.Redemptions([], 0), rewards.Redemptions(redeemed[:25], huge, "c" * 300)],
        "milestones": [
            rewards.Milestones(0, 0, [], 0, []),
            rewards.Milestones(huge, 0, entries[:10], huge, entries[:3]),
            *(rewards.Milestones(huge, 0, [each] * 10, huge, [each] * 3) for each in entries),
        ],
        "receipt": [
            points.Receipt(huge, ONE, kind, name, -huge, at, huge, name, huge, name, name, name, name, name)
            for name in hostile
            for kind in get_args(points.EntryKind)
        ]
        + [points.Receipt(1, ONE, "award", "x", 1, at, 1)],
        "privacy": [
            users.Preferences(told, told, shown, preference, name, "en", name)
            for name in hostile
            for shown in (True, False)
            for preference in get_args(users.DisplayName)
        ],
        "notifications": [
            users.Preferences(told, told, True, "username", "UTC", "en", "Ada", has_email)
            for has_email in (True, False)
        ],
    }


def staff_answers(hostile: list[str], huge: int, at: datetime) -> dict[str, list[Any]]:
    """The same for what staff are answered."""
    waiting = [
        points.SubmissionEntry(ONE, TWO, name, "x", name, "pending", huge, name, name, "kept", name, at)
        for name in hostile
    ]
    logged = [points.LoggedEntry(ONE, name, "award", name, -huge, at, name) for name in hostile]
    change = [users.AuditChange(hostile[0], hostile[1], None), *(users.AuditChange(name) for name in hostile)]
    records = [users.AuditRecord(ONE, name, name, None, at, change, name) for name in hostile]
    entries = [entry(name, huge, at, reason) for name in hostile for reason in ("retired", None)]
    incentives = [
        rewards.IncentiveOutcome(ONE, name, huge, "gift_cards", active, huge, stock, 4)
        for name in hostile
        for active, stock in ((True, None), (False, huge))
    ]
    places = [points.Place(number, name, huge, huge, False) for number, name in enumerate(hostile * 3, 1)]
    return {
        "catalogue": [rewards.Catalogue([], 0, 0), rewards.Catalogue(entries[:10], huge, huge, "c" * 300)]
        + [rewards.Catalogue([each] * 10, huge, huge) for each in entries],
        "incentive": incentives,
        "adjusted": [
            points.AdjustmentOutcome(status, ONE, -huge, huge, huge)
            for status in get_args(Literal["applied", "pending"])
        ],
        "moderated": [
            users.MemberState(ONE, name, status, huge, at) for name in hostile for status in ("suspended", "x")
        ],
        "enrolled": [users.Enrolled(ONE, name, created, name) for name in hostile for created in (True, False)],
        "queue": [points.Submissions([], 0), points.Submissions((waiting * 3)[:10], huge, "c" * 300)],
        "report": [
            points.QueueReport(0, []),
            points.QueueReport(huge, [points.QueueFigure("x", name, huge, at) for name in hostile * 5]),
        ],
        "activitylog": [points.ActivityLog([]), points.ActivityLog((logged * 3)[:10], "c" * 300)],
        "audit": [users.AuditTrail([]), users.AuditTrail((records * 3)[:10], "c" * 300)],
        "programme": [
            points.ProgrammeFigures(
                *([huge] * 11), [points.ActivityFigure(name, huge, huge) for name in hostile], oldest
            )
            for oldest in (None, at)
        ],
        "topusers": [points.Leaderboard(period, places, huge) for period in get_args(points.Period)]
        + [points.Leaderboard("weekly", [], 0)],
    }
