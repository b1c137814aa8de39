"""What the bot's worker counts of the bot: see fleet/survey.py."""

from prometheus_client import Gauge
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.bot.models import PendingAnswer
from services.bot.notice_models import Notice

notices = Gauge("notices_owed", "Notices that Discord is still to be told")
notice_age = Gauge("notices_oldest_due_seconds", "How long the longest of them has been due")
answers = Gauge("answers_owed", "People in Discord who wait for an answer that is due")


def count(session: Session) -> None:
    """Set all of them."""
    age = func.extract("epoch", func.now() - func.min(Notice.due_at).filter(Notice.due_at <= func.now()))
    owed = session.execute(select(func.count(), func.coalesce(age, 0)).where(Notice.state == "due")).one()
    for gauge, value in zip((notices, notice_age), owed, strict=True):
        gauge.set(value)
    # Without `due_at` the answer is told whenever it comes.
    waiting = select(func.count()).select_from(PendingAnswer).where(PendingAnswer.due_at <= func.now())
    answers.set(session.scalar(waiting) or 0)
