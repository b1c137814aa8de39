"""What points hears: commands and questions of the bot, events of users."""

from typing import Any

from sqlalchemy.orm import Session

from fleet import auth_state
from fleet.contracts import points
from fleet.contracts.users import AuthStateChanged, UserRegistered, UserUpdated
from fleet.messages import Envelope
from fleet.problems import Problem
from services.points import (  # noqa: F401 the *_subscriptions add their handlers when they are imported
    activities,
    analytics,
    correction_subscriptions,
    deeds,
    feed_subscriptions,
    fetcher,
    hold_subscriptions,
    leaderboard,
    members,
    merge_subscriptions,
    privacy_subscriptions,
    ranks,
    report_subscriptions,
    review_subscriptions,
    submission_subscriptions,
)
from services.points.heard import subscriptions

# Commands that wait are applied together, up to this many in one transaction.
BATCH = 200
# What the consumer process does beside: see fleet/worker.py.
PARTS = (ranks.Folder, fetcher.Fetcher)

subscriptions.handles(AuthStateChanged)(auth_state.remember)


@subscriptions.handles(UserRegistered)
def on_user_registered(session: Session, event: Envelope[UserRegistered]) -> None:
    """A person became a member."""
    members.register(session, event.data.member_id)


@subscriptions.handles(UserUpdated)
def on_user_updated(session: Session, event: Envelope[UserUpdated]) -> None:
    """A member's name, role or preferences changed."""
    members.apply_update(session, event.data, event.sequence or 0)


@subscriptions.handles(points.LogActivity)
def log_activity(session: Session, command: Envelope[points.LogActivity]) -> points.ActivityOutcome:
    """Somebody did something that earns by itself."""
    deed = command.data
    return deeds.award_deed(session, deed.member_id, deed.activity, deed.occurred_at, deed.reference)


@subscriptions.handles_together(points.LogActivity)
def log_activities(
    session: Session, commands: list[Envelope[points.LogActivity]]
) -> list[points.ActivityOutcome | Problem]:
    """Many of them at once."""
    return deeds.award_deeds(session, commands)


@subscriptions.handles(points.GetStanding)
def get_standing(session: Session, question: Envelope[points.GetStanding]) -> points.Standing:
    """Balance and rank."""
    return analytics.standing(session, question.data.member_id)


@subscriptions.handles(points.GetHistory)
def get_history(session: Session, question: Envelope[points.GetHistory]) -> points.History:
    """The latest entries of the points log."""
    limit = max(1, min(question.data.limit, 25))
    rows, cursor = analytics.points_log(session, question.data.member_id, limit, question.data.cursor)
    return points.History([_entry(row) for row in rows], cursor)


def _entry(row: Any) -> points.HistoryEntry:
    return points.HistoryEntry(
        row.activity or "", row.name or row.kind, row.points, row.occurred_at, row.available_after
    )


@subscriptions.handles(points.GetActivityValues)
def get_activity_values(session: Session, _question: Envelope[points.GetActivityValues]) -> points.ActivityValues:
    """How points can be earned."""
    return points.ActivityValues(
        [
            points.ActivityValue(
                code=activity.code,
                name=activity.name,
                category=activity.category,
                category_name=activities.CATEGORIES.get(activity.category, activity.category),
                points=activity.points,
                rule=activities.rule_in_words(activity),
                requires_approval=activity.requires_approval,
                evidence=activity.evidence,
                min_description=activity.min_description,
            )
            for activity in activities.active(session)
        ]
    )


@subscriptions.handles(points.GetLeaderboard)
def get_leaderboard(session: Session, question: Envelope[points.GetLeaderboard]) -> points.Leaderboard:
    """A page of the leaderboard."""
    asked = question.data
    view = leaderboard.View(asked.period, asked.member_id, with_ids=asked.with_ids)
    return leaderboard.read(session, view, max(1, min(asked.limit, 100)), asked.cursor)


@subscriptions.handles(points.GetStreak)
def get_streak(session: Session, question: Envelope[points.GetStreak]) -> points.Streak:
    """Days in a row."""
    return analytics.streak(session, question.data.member_id)
