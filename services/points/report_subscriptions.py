"""What the bot asks of entries of the points log, and staff of everybody's."""

from sqlalchemy.orm import Session

from fleet.contracts import points
from fleet.messages import Envelope
from services.points import contributors, decisions, reports
from services.points.heard import subscriptions

ADMINS_ONLY = "This is for admins. Link your Discord account to an account with role admin."


@subscriptions.handles(points.GetReceipt)
def get_receipt(session: Session, question: Envelope[points.GetReceipt]) -> points.Receipt:
    """Why an entry is there."""
    asked = question.data
    if asked.transfer_id is not None:
        return reports.receipt_of(session, asked.member_id, asked.transfer_id)
    return reports.receipt(session, asked.member_id, asked.number)


@subscriptions.handles(points.GetActivityLog)
def get_activity_log(session: Session, question: Envelope[points.GetActivityLog]) -> points.ActivityLog:
    """What everybody earned, spent and was corrected by."""
    asked = question.data
    decisions.require_admin(session, asked.actor_member_id, ADMINS_ONLY)
    limit = max(1, min(asked.limit, 25))
    return points.ActivityLog(*reports.activity_log(session, asked.hours, asked.member_id, limit, asked.cursor))


@subscriptions.handles(points.GetProgramme)
def get_programme(session: Session, question: Envelope[points.GetProgramme]) -> points.ProgrammeFigures:
    """The programme at a glance."""
    decisions.require_admin(session, question.data.actor_member_id, ADMINS_ONLY)
    return reports.programme_figures(session)


@subscriptions.handles(points.GetQueueReport)
def get_queue_report(session: Session, question: Envelope[points.GetQueueReport]) -> points.QueueReport:
    """What waits for staff."""
    asked = question.data
    decisions.actor_by_message(session, asked.actor_member_id, staff_attested=asked.staff_attested)
    return reports.queue_report(session)


@subscriptions.handles(points.GetContributors)
def get_contributors(session: Session, question: Envelope[points.GetContributors]) -> points.Contributors:
    """Who earned most of late."""
    asked = question.data
    return contributors.read(session, asked.period, asked.category, asked.limit)
