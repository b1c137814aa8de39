"""The redemption saga: the whole life of a redemption as one pure function.

    decide(saga, message) -> (saga, commands)

`saga` is what is known of a redemption, `message` a wish of somebody here (`Wish`) or the word of points, and `commands`
what points must be told now. The same message again changes nothing and says nothing. Whoever calls it keeps the new
state by one guarded UPDATE and records the commands in the same transaction, or does neither.

    requested --held--> pending --approve--> approved --ship--> shipped --deliver--> delivered
        |                  |                     \\__________________\\__________________\\--refund--> refunded
        |refused           |reject, cancel, expire
        v                  v
    declined            rejected, cancelled, expired            (requested --cancel--> cancelled, too)

`settling` is the answer of points that is waited for; nobody decides anything because it is late: the same command is sent
again. An approved redemption may be refunded before its capture was confirmed: then the refund is sent after it.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from fleet.contracts.points import (
    CaptureHold,
    HoldCaptured,
    HoldRefused,
    HoldReleased,
    PlaceHold,
    PointsHeld,
    PointsRefunded,
    Refund,
    ReleaseHold,
)
from fleet.problems import Problem

Settling = Literal["hold", "capture", "release", "refund"]
Verb = Literal["approve", "reject", "cancel", "expire", "ship", "deliver", "refund", "remind"]
Command = PlaceHold | CaptureHold | ReleaseHold | Refund
Word = PointsHeld | HoldRefused | HoldCaptured | HoldReleased | PointsRefunded

REFUND_REASON = "refunded-by-staff"


class WrongStatus(Problem):
    """The redemption is not where this step could be taken; `present_status` says where it is."""

    status, slug, title = 409, "wrong-status", "The redemption is in another state"


class SagaFault(RuntimeError):
    """Points said what cannot follow from what it was told: somebody's books were set back, or the saga is broken."""


@dataclass(frozen=True)
class Wish:
    """What somebody here wants of a redemption. `remind`: send again what points has not answered.

    `restock`: a refunded item goes back to the shelf.
    """

    verb: Verb
    restock: bool = False


@dataclass(frozen=True)
class Saga:
    """What decides about a redemption. `level` is the lifetime points it asks for; `has_item`: one of the stock is taken."""

    redemption_id: UUID
    member_id: UUID
    points: int
    level: int | None
    digital: bool
    status: str
    settling: Settling | None
    has_item: bool


@dataclass(frozen=True)
class Step:
    """Where a wish leads from where, what points must do for it (None: nothing), and whether the item goes back."""

    sources: tuple[str, ...]
    target: str
    settling: Settling | None = None
    item_back: bool = False


STEPS: dict[str, Step] = {
    "approve": Step(("pending",), "approved", "capture"),
    "reject": Step(("pending",), "rejected", "release", item_back=True),
    "cancel": Step(("requested", "pending"), "cancelled", "release", item_back=True),
    "expire": Step(("pending",), "expired", "release", item_back=True),
    "ship": Step(("approved",), "shipped"),
    "deliver": Step(("shipped",), "delivered"),
    "refund": Step(("approved", "shipped", "delivered"), "refunded", "refund"),
}


def begin(saga: Saga) -> tuple[Saga, tuple[Command, ...]]:
    """The first step: the points of a new redemption are to be reserved."""
    asked = replace(saga, status="requested", settling="hold")
    return asked, _commands(asked)


def decide(saga: Saga, message: Wish | Word) -> tuple[Saga, tuple[Command, ...]]:
    """The state after `message`, and what points must be told.

    Raises WrongStatus for a wish that cannot be fulfilled from here, SagaFault for a word of points that cannot be.
    """
    if isinstance(message, Wish):
        return (saga, _commands(saga)) if message.verb == "remind" else _fulfil(saga, message)
    if isinstance(message, PointsHeld):
        return _on_held(saga)
    if isinstance(message, HoldRefused | HoldReleased):
        return _on_nothing_held(saga, message)
    if isinstance(message, HoldCaptured):
        return _on_captured(saga)
    return _on_refunded(saga)


def _fulfil(saga: Saga, wish: Wish) -> tuple[Saga, tuple[Command, ...]]:
    step = STEPS[wish.verb]
    if saga.status == step.target:
        return saga, ()
    # A digital reward arrives without having been on its way.
    at_once = wish.verb == "deliver" and saga.digital and saga.status == "approved"
    if saga.status not in step.sources and not at_once:
        raise WrongStatus(f"The redemption is {saga.status}.", present_status=saga.status)
    keeps_item = saga.has_item and not (step.item_back or wish.restock)
    after = replace(saga, status=step.target, has_item=keeps_item)
    if step.settling is None:
        return after, ()
    if wish.verb == "refund" and saga.settling == "capture":
        # What is not spent yet cannot be given back: the refund follows the capture.
        return after, ()
    after = replace(after, settling=step.settling)
    return after, _commands(after)


def _on_held(saga: Saga) -> tuple[Saga, tuple[Command, ...]]:
    if saga.status == "requested":
        return replace(saga, status="pending", settling=None), ()
    if saga.status == "declined":
        raise SagaFault(f"redemption {saga.redemption_id} was declined, and now its points are held")
    return saga, ()


def _on_nothing_held(saga: Saga, message: HoldRefused | HoldReleased) -> tuple[Saga, tuple[Command, ...]]:
    if saga.settling == "release":
        return replace(saga, settling=None), ()
    if saga.status == "requested" and isinstance(message, HoldRefused):
        return replace(saga, status="declined", settling=None, has_item=False), ()
    if saga.status == "requested":
        # Released without our asking: this side was set back to before the member cancelled. So it is cancelled again.
        return replace(saga, status="cancelled", settling=None, has_item=False), ()
    if saga.status in ("declined", "rejected", "cancelled", "expired"):
        return saga, ()
    raise SagaFault(f"redemption {saga.redemption_id} is {saga.status}, and nothing is held for it any more")


def _on_captured(saga: Saga) -> tuple[Saga, tuple[Command, ...]]:
    if saga.settling == "capture":
        after = replace(saga, settling="refund" if saga.status == "refunded" else None)
        return after, _commands(after)
    if saga.status in ("approved", "shipped", "delivered", "refunded"):
        return saga, ()
    raise SagaFault(f"redemption {saga.redemption_id} is {saga.status}, and its points are spent")


def _on_refunded(saga: Saga) -> tuple[Saga, tuple[Command, ...]]:
    if saga.settling == "refund":
        return replace(saga, settling=None), ()
    if saga.status == "refunded":
        return saga, ()
    raise SagaFault(f"redemption {saga.redemption_id} is {saga.status}, and its points were given back")


def _commands(saga: Saga) -> tuple[Command, ...]:
    return (command_for(saga, saga.settling),) if saga.settling else ()


def command_for(saga: Saga, settling: Settling) -> Command:
    """What points must be told so that it comes to `settling`."""
    commands: dict[Settling, Any] = {
        "hold": lambda: PlaceHold(saga.redemption_id, saga.member_id, saga.points, saga.level),
        "capture": lambda: CaptureHold(saga.redemption_id),
        "release": lambda: ReleaseHold(saga.redemption_id, saga.member_id),
        "refund": lambda: Refund(saga.redemption_id, saga.points, REFUND_REASON),
    }
    return commands[settling]()
