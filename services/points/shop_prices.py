"""What the rewards of the shop cost, as rewards tells it: enough to say which a member reaches next."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.contracts.rewards import IncentiveChanged
from services.points.models import Balance, ShopPrice


def note(session: Session, told: IncentiveChanged, version: int) -> None:
    """Keep what a reward costs now; an older word changes nothing."""
    values = {"points_required": told.points_required, "is_active": told.is_active, "version": version}
    statement = insert(ShopPrice).values(incentive_id=told.incentive_id, **values)
    newer = statement.excluded.version > ShopPrice.version
    session.execute(statement.on_conflict_do_update(index_elements=[ShopPrice.incentive_id], set_=values, where=newer))


def next_of(member_id: Any) -> Any:
    """A column: `[incentive_id, points_required]` as text of the cheapest reward in the shop that costs more than the
    member (a scalar expression) has available; null when everything can be afforded."""
    available = select(Balance.available).where(Balance.member_id == member_id).scalar_subquery()
    return (
        select(func.json_build_array(ShopPrice.incentive_id, ShopPrice.points_required))
        .where(ShopPrice.is_active, ShopPrice.points_required > func.coalesce(available, 0))
        .order_by(ShopPrice.points_required, ShopPrice.incentive_id)
        .limit(1)
        .scalar_subquery()
    )
