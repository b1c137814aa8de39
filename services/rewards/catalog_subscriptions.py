"""What admins do to the catalogue from Discord. The same schemas read it as at the HTTP door."""

import dataclasses
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet.contracts import rewards
from fleet.messages import Envelope
from fleet.problems import invalid
from fleet.web import load
from services.rewards import catalog_admin, members, schemas
from services.rewards.heard import subscriptions
from services.rewards.models import Incentive


def _outcome(incentive: Incentive) -> rewards.IncentiveOutcome:
    return rewards.IncentiveOutcome(
        incentive_id=incentive.id,
        name=incentive.name,
        points_required=incentive.points_required,
        category=incentive.category,  # type: ignore[arg-type]
        is_active=incentive.is_active,
        version=incentive.version,
        stock=incentive.stock,
        tier=incentive.tier,
    )


def _fields(message: Any) -> dict[str, Any]:
    """What the message says of the incentive itself."""
    about = ("actor_member_id", "incentive_id", "reference")
    return {each.name: getattr(message, each.name) for each in dataclasses.fields(message) if each.name not in about}


def _change(session: Session, actor_id: UUID, incentive_id: UUID, values: dict[str, Any]) -> rewards.IncentiveOutcome:
    actor = members.require_admin(session, actor_id)
    loaded = load(schemas.ChangedIncentive, values)
    note = loaded.pop("note")
    return _outcome(catalog_admin.change(session, incentive_id, loaded, actor, note))


@subscriptions.handles(rewards.AddIncentive)
def add_incentive(session: Session, command: Envelope[rewards.AddIncentive]) -> rewards.IncentiveOutcome:
    """Add to the catalogue, once for each reference."""
    asked = command.data
    actor = members.require_admin(session, asked.actor_member_id)
    if not 1 <= len(asked.reference) <= 200:
        raise invalid("/reference", "must have 1 to 200 characters")
    values = load(schemas.NewIncentive, _fields(asked))
    return _outcome(catalog_admin.add(session, values, actor, reference=f"discord:{asked.reference}"))


@subscriptions.handles(rewards.EditIncentive)
def edit_incentive(session: Session, command: Envelope[rewards.EditIncentive]) -> rewards.IncentiveOutcome:
    """Change what the command names."""
    named = {name: value for name, value in _fields(command.data).items() if value is not None}
    return _change(session, command.data.actor_member_id, command.data.incentive_id, named)


@subscriptions.handles(rewards.SetStock)
def set_stock(session: Session, command: Envelope[rewards.SetStock]) -> rewards.IncentiveOutcome:
    """Say how many there are now."""
    asked = command.data
    return _change(session, asked.actor_member_id, asked.incentive_id, {"stock": asked.stock})


@subscriptions.handles(rewards.RetireIncentive)
def retire_incentive(session: Session, command: Envelope[rewards.RetireIncentive]) -> rewards.IncentiveOutcome:
    """Take it out of the shop."""
    asked = command.data
    return _change(session, asked.actor_member_id, asked.incentive_id, {"is_active": False, "note": asked.note})
