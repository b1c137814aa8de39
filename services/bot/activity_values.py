"""The ways to earn as points last told them: names for notices, and what each of them takes, for the commands."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from fleet.contracts.points import ActivityValues
from services.bot.notice_models import KnownActivity


def keep(session: Session, told: ActivityValues) -> bool:
    """Keep what points told; True when that is something new."""
    present = {row.code: _key(row) for row in known(session)}
    wanted = {
        value.code: KnownActivity(
            code=value.code,
            name=value.name,
            points=value.points,
            rule=value.rule,
            requires_approval=value.requires_approval,
            evidence=value.evidence,
            min_description=value.min_description,
        )
        for value in told.items
    }
    if present == {code: _key(row) for code, row in wanted.items()}:
        return False
    session.execute(delete(KnownActivity).where(KnownActivity.code.not_in(list(wanted))))
    for row in wanted.values():
        session.merge(row)
    return True


def _key(row: KnownActivity) -> tuple[object, ...]:
    return (row.name, row.points, row.rule, row.requires_approval, row.evidence, row.min_description)


def known(session: Session) -> Sequence[KnownActivity]:
    """All that is known, the smaller points first."""
    return session.scalars(select(KnownActivity).order_by(KnownActivity.points, KnownActivity.code)).all()


def name_of(session: Session, code: str) -> str:
    """The name of an activity; made of its code while points has not told it yet."""
    row = session.get(KnownActivity, code)
    return row.name if row else code.replace("_", " ").capitalize()
