"""What points says and hears of holds, the two-phase half of a redemption; a part of `points`, which names all of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fleet.contracts import command, event, question


@command("points.place_hold.v1", senders=("rewards",))
@dataclass(frozen=True)
class PlaceHold:
    """Reserve the points of a redemption. Answered by PointsHeld or HoldRefused; a redemption that is known already, by
    the event of its present state."""

    redemption_id: UUID
    member_id: UUID
    points: int
    min_lifetime_points: int | None = None


@command("points.capture_hold.v1", senders=("rewards",))
@dataclass(frozen=True)
class CaptureHold:
    """Spend the points of a hold. Cannot be refused: the hold has reserved them."""

    redemption_id: UUID


@command("points.release_hold.v1", senders=("rewards",))
@dataclass(frozen=True)
class ReleaseHold:
    """Give the points of a hold back. It may come before the hold: then the hold will never be, and so it names the member."""

    redemption_id: UUID
    member_id: UUID


@command("points.refund.v1", senders=("rewards",))
@dataclass(frozen=True)
class Refund:
    """Give back spent points, once, at most what the redemption cost. `reason` is a code, no free text."""

    redemption_id: UUID
    points: int
    reason: str


@event("points.points_held.v1")
@dataclass(frozen=True)
class PointsHeld:
    """The points of a redemption are reserved. Subject of all events of holds: the member; `sequence`: the version of
    their balance, to which `available` and `lifetime` belong."""

    redemption_id: UUID
    member_id: UUID
    points: int
    available: int
    lifetime: int


@event("points.hold_refused.v1")
@dataclass(frozen=True)
class HoldRefused:
    """The points of a redemption were not reserved, and will not be."""

    redemption_id: UUID
    member_id: UUID
    points: int
    reason: Literal["insufficient-points", "suspended", "locked"]
    available: int
    lifetime: int


@event("points.hold_captured.v1")
@dataclass(frozen=True)
class HoldCaptured:
    """The points of a redemption are spent."""

    redemption_id: UUID
    member_id: UUID
    points: int
    available: int
    lifetime: int


@event("points.hold_released.v1")
@dataclass(frozen=True)
class HoldReleased:
    """Nothing is reserved for the redemption any more; `points` were given back: 0 when its hold never was."""

    redemption_id: UUID
    member_id: UUID
    points: int
    available: int
    lifetime: int


@event("points.points_refunded.v1")
@dataclass(frozen=True)
class PointsRefunded:
    """Spent points were given back."""

    redemption_id: UUID
    member_id: UUID
    points: int
    reason: str
    available: int
    lifetime: int


@dataclass(frozen=True)
class HoldEntry:
    """What points knows of one redemption. `voided`: released before it was held; `points` is then null."""

    redemption_id: UUID
    member_id: UUID
    state: Literal["held", "refused", "captured", "released", "voided", "refunded"]
    points: int | None
    refunded_points: int | None
    changed_at: datetime


@dataclass(frozen=True)
class Holds:
    """A page of holds in the order of their redemptions' ids; on the last page `more` is false."""

    items: list[HoldEntry]
    more: bool


@question("points.get_holds.v1", senders=("rewards",), answer=Holds)
@dataclass(frozen=True)
class GetHolds:
    """What is held, spent and given back, for the comparison with redemptions: those after an id, at most `limit`."""

    after: UUID | None = None
    limit: int = 500
