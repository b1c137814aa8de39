"""What points tells of single entries of the log, and, to staff, of everybody's; a part of `points`, which names all of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fleet.contracts import question

EntryKind = Literal["award", "adjustment", "reversal", "hold", "release", "refund", "other"]


@dataclass(frozen=True)
class Receipt:
    """Why one entry of the points log is there. `points` is negative for what left; `number` counts from the newest, 1.

    `rule_version` is the version of the activity's rule that applied; `decided_by` the name of who approved or corrected.
    """

    number: int
    transfer_id: UUID
    kind: EntryKind
    name: str
    points: int
    occurred_at: datetime
    balance_after: int
    activity: str | None = None
    rule_version: int | None = None
    decided_by: str | None = None
    details: str | None = None
    description: str | None = None
    url: str | None = None
    evidence_name: str | None = None


@question("points.get_receipt.v1", senders=("bot",), answer=Receipt)
@dataclass(frozen=True)
class GetReceipt:
    """One entry of the member's own log by its place, the newest being 1; NotFound when the log is shorter."""

    member_id: UUID
    number: int = 1
