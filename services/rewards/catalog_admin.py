"""Changing the catalogue: what admins add, change, restock and retire; each change is a further version with its history.

An incentive is never deleted: what was redeemed once must stay explained. Prices that were paid are kept by redemptions.
"""

import unicodedata
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fleet import outbox, paging
from fleet.contracts.rewards import IncentiveChanged
from fleet.messages import new_id, now, to_json
from fleet.problems import Problem, invalid
from services.rewards import catalog
from services.rewards.models import Incentive, IncentiveChange, Redemption

SOURCE = "rewards"
LARGEST = 1_000_000
LONGEST_NAME = 120
FIELDS = (
    *("name", "description", "points_required", "stock", "category", "tier", "sponsor", "image_url"),
    *("per_member_limit", "min_lifetime_points", "is_active"),
)
DEFAULTS: dict[str, Any] = {"description": "", "category": "other", "is_active": True}


class NameTaken(Problem):
    """Two rewards of one name in the shop would be mistaken for one another."""

    status, slug, title = 409, "name-taken", "There is an active reward of this name"


class Unlimited(Problem):
    """There is nothing to count."""

    status, slug, title = 409, "unlimited", "This reward is unlimited"


class TooMany(Problem):
    """More than anybody can count."""

    status, slug, title = 409, "too-many", "That would be more than the shop can hold"


def key_of(name: str) -> str:
    """The form in which names are compared: NFKC, casefolded, single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.split())


def add(session: Session, values: dict[str, Any], actor: UUID, *, reference: str | None = None) -> Incentive:
    """Add an incentive; a `reference` that was used before gives what it added. Raises NameTaken, InvalidFields."""
    if reference is not None:
        known = session.scalar(select(Incentive).where(Incentive.reference == reference))
        if known is not None:
            return known
    moment = now()
    described = dict.fromkeys(FIELDS) | DEFAULTS | _cleaned(values)
    incentive = Incentive(id=new_id(), version=1, created_at=moment, changed_at=moment, reference=reference)
    _set(session, incentive, described, supplied=described["stock"])
    _keep(session, incentive, "created", actor, {}, described, None)
    return incentive


def change(session: Session, incentive_id: UUID, values: dict[str, Any], actor: UUID, note: str | None) -> Incentive:
    """Change an incentive; what is unchanged is no change, and leaves no trace. Raises NotFound, NameTaken, InvalidFields."""
    incentive = catalog.lock(session, incentive_id)
    values = _cleaned(values)
    changed = {name: value for name, value in values.items() if getattr(incentive, name) != value}
    if not changed:
        return incentive
    before = {name: getattr(incentive, name) for name in changed}
    supplied = incentive.supplied
    if "stock" in changed:
        supplied = _supplied(session, incentive, changed["stock"])
    incentive.version += 1
    incentive.changed_at = now()
    _set(session, incentive, changed, supplied=supplied)
    kind = "changed"
    if "is_active" in changed:
        kind = "reactivated" if changed["is_active"] else "retired"
    elif set(changed) == {"stock"}:
        kind = "restocked"
    _keep(session, incentive, kind, actor, before, changed, note)
    return incentive


def restock(session: Session, incentive_id: UUID, quantity: int, actor: UUID, note: str | None) -> Incentive:
    """Put `quantity` more on the shelf. Raises NotFound, Unlimited, TooMany."""
    incentive = catalog.lock(session, incentive_id)
    if incentive.stock is None:
        raise Unlimited(f"{incentive.name} is not counted. PATCH its stock to begin to.")
    if incentive.stock + quantity > LARGEST:
        raise TooMany(f"There are {incentive.stock} already.", stock=incentive.stock)
    return change(session, incentive_id, {"stock": incentive.stock + quantity}, actor, note)


def retire(session: Session, incentive_id: UUID, actor: UUID, note: str | None) -> Incentive:
    """Take an incentive out of the shop; what is redeemed goes on. Retiring it again changes nothing."""
    return change(session, incentive_id, {"is_active": False}, actor, note)


def history(
    session: Session, incentive_id: UUID, limit: int, cursor: str | None
) -> tuple[list[IncentiveChange], str | None]:
    """A page of an incentive's changes, newest first; NotFound."""
    catalog.find(session, incentive_id)
    statement = select(IncentiveChange).where(IncentiveChange.incentive_id == incentive_id)
    if key := paging.decode_cursor(cursor, int):
        statement = statement.where(IncentiveChange.version < key[0])
    rows = session.scalars(statement.order_by(IncentiveChange.version.desc()).limit(limit + 1)).all()
    return paging.page(rows, limit, lambda row: (row.version,))


def _cleaned(values: dict[str, Any]) -> dict[str, Any]:
    """The values with the name as people see it; InvalidFields for one that says nothing. Both doors pass here."""
    if "name" not in values:
        return values
    name = " ".join("".join(c for c in values["name"] if c.isprintable()).split())
    if not name or len(name) > LONGEST_NAME:
        raise invalid("/name", f"must have 1 to {LONGEST_NAME} characters that can be seen")
    return values | {"name": name}


def _supplied(session: Session, incentive: Incentive, stock: int | None) -> int | None:
    """What has been supplied in all once `stock` lies on the shelf: that, and what redemptions have taken."""
    if stock is None:
        return None
    if incentive.supplied is not None and incentive.stock is not None:
        return incentive.supplied + stock - incentive.stock
    out = select(func.count()).where(Redemption.incentive_id == incentive.id, Redemption.has_item)
    return stock + (session.scalar(out) or 0)


def _set(session: Session, incentive: Incentive, values: dict[str, Any], *, supplied: int | None) -> None:
    for name, value in values.items():
        setattr(incentive, name, value)
    incentive.name_key = key_of(incentive.name)
    incentive.supplied = supplied
    # Read before the flush: after a failed one the row cannot be read any more.
    name = incentive.name
    try:
        session.add(incentive)
        session.flush()
    except IntegrityError as error:
        if "uq_incentives_active_name" not in str(error.orig):
            raise
        raise NameTaken(f"A reward called {name!r} is in the shop. Retire it, or choose another name.") from error


def _keep(
    session: Session,
    incentive: Incentive,
    kind: str,
    actor: UUID,
    before: dict[str, Any],
    after: dict[str, Any],
    note: str | None,
) -> None:
    """Write the change down and tell it."""
    session.add(
        IncentiveChange(
            incentive_id=incentive.id,
            version=incentive.version,
            change=kind,
            actor_id=actor,
            changed_at=incentive.changed_at,
            before=to_json(before),
            after=to_json(after),
            note=note,
        )
    )
    session.flush()
    tell(session, incentive, kind)


def tell(session: Session, incentive: Incentive, change: str) -> None:
    """Tell how a reward is now; its row is locked, or was made in this transaction."""
    told = IncentiveChanged(
        incentive_id=incentive.id,
        change=change,  # type: ignore[arg-type]
        points_required=incentive.points_required,
        category=incentive.category,  # type: ignore[arg-type]
        is_active=incentive.is_active,
        changed_at=incentive.changed_at,
        stock=incentive.stock,
        tier=incentive.tier,
    )
    outbox.record(session, told, source=SOURCE, subject=incentive.id, sequence=incentive.version)
