"""The catalogue as it is: finding incentives, and the one lock at which requests for one of them queue up.

Whoever takes an item first locks the incentive's row; price, limit and stock are read under that lock, so of two hundred
who want the last one, one gets it. The stock cannot go below nothing: that is a constraint.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, literal, select, tuple_, update
from sqlalchemy.orm import Session

from fleet import paging
from fleet.problems import NotFound, Problem
from services.rewards.models import Incentive


class OutOfStock(Problem):
    """Nothing is left on the shelf."""

    status, slug, title = 409, "out-of-stock", "This reward is out of stock"


def find(session: Session, incentive_id: UUID) -> Incentive:
    """The incentive as it is now, active or not; NotFound when there is none."""
    found = session.get(Incentive, incentive_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such reward.")
    return found


def category_of(session: Session, incentive_id: UUID) -> str:
    """The category of an incentive that there is."""
    return session.scalars(select(Incentive.category).where(Incentive.id == incentive_id)).one()


def lock(session: Session, incentive_id: UUID) -> Incentive:
    """The incentive, locked until the transaction ends against everybody who takes, returns or changes; NotFound."""
    # NO KEY: redemptions that refer to it need not wait.
    statement = select(Incentive).where(Incentive.id == incentive_id).with_for_update(key_share=True)
    found = session.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such reward.")
    return found


def take_item(session: Session, incentive: Incentive) -> bool:
    """Take one from the stock of a locked incentive; False when it is unlimited. Raises OutOfStock."""
    if incentive.stock is None:
        return False
    taken = update(Incentive).where(Incentive.id == incentive.id, Incentive.stock > 0).values(stock=Incentive.stock - 1)
    if session.scalar(taken.returning(Incentive.id), execution_options={"synchronize_session": False}) is None:
        raise OutOfStock(f"{incentive.name} is out of stock at the moment.")
    return True


def put_back(session: Session, incentive_id: UUID) -> None:
    """Put one back on the shelf; of what has become unlimited meanwhile nothing is counted."""
    more = update(Incentive).where(Incentive.id == incentive_id, Incentive.stock.is_not(None))
    session.execute(more.values(stock=Incentive.stock + 1), execution_options={"synchronize_session": False})


def listed(
    session: Session, filters: list[ColumnElement[bool]], limit: int, cursor: str | None
) -> tuple[list[Incentive], str | None]:
    """A page of incentives, cheapest first, and the cursor of the next one."""
    statement = select(Incentive).where(*filters)
    if key := paging.decode_cursor(cursor, int, UUID):
        after = tuple_(Incentive.points_required, Incentive.id) > tuple_(literal(key[0]), literal(key[1]))
        statement = statement.where(after)
    statement = statement.order_by(Incentive.points_required, Incentive.id).limit(limit + 1)
    rows = session.scalars(statement.execution_options(populate_existing=True)).all()
    return paging.page(rows, limit, lambda row: (row.points_required, row.id))


def filters(**wanted: Any) -> list[ColumnElement[bool]]:
    """Conditions for `listed`: category, tier, is_active, words (in the name); None leaves one out."""
    found: list[ColumnElement[bool]] = []
    for name in ("category", "tier", "is_active"):
        if wanted.get(name) is not None:
            found.append(getattr(Incentive, name) == wanted[name])
    if words := wanted.get("words"):
        found.append(Incentive.name_key.contains(words.casefold(), autoescape=True))
    return found
