"""The points side of the saga in memory: what `services/points/holds.py` does to balances and holds, as pure functions.

The explorer walks through millions of steps, too many for a database. `test_explorer.py` shows that this twin and the real
functions agree, by random sequences of commands on both.
"""

from dataclasses import dataclass, replace
from typing import Any

from fleet.contracts.points import CaptureHold, PlaceHold, Refund, ReleaseHold


class TwinFault(Exception):
    """What the real functions raise HoldFault for."""


@dataclass(frozen=True)
class Hold:
    member: Any
    points: int
    state: str
    refunded: int = 0


@dataclass(frozen=True)
class Books:
    """`balances`: (member, available, reserved, redeemed) each; `holds`: (redemption, Hold) each, in a fixed order."""

    balances: tuple[tuple[Any, int, int, int], ...]
    holds: tuple[tuple[Any, Hold], ...] = ()

    def balance(self, member: Any) -> tuple[int, int, int]:
        return next((row[1:] for row in self.balances if row[0] == member), (0, 0, 0))

    def hold(self, redemption: Any) -> Hold | None:
        return next((hold for key, hold in self.holds if key == redemption), None)

    def moved(self, member: Any, available: int = 0, reserved: int = 0, redeemed: int = 0) -> "Books":
        a, r, s = self.balance(member)
        others = [row for row in self.balances if row[0] != member]
        row = (member, a + available, r + reserved, s + redeemed)
        return replace(self, balances=tuple(sorted([*others, row], key=str)))

    def held(self, redemption: Any, hold: Hold) -> "Books":
        others = [row for row in self.holds if row[0] != redemption]
        return replace(self, holds=tuple(sorted([*others, (redemption, hold)], key=lambda row: str(row[0]))))


TOLD = {
    "held": "held",
    "refused": "refused",
    "captured": "captured",
    "released": "released",
    "voided": "released",
    "refunded": "refunded",
}


def apply(books: Books, command: Any, *, tombstone: bool = True, balance_check: bool = True) -> tuple[Books, str]:
    """The books after a command, and the word by which points tells the hold's present state.

    Without `tombstone` or `balance_check` it has the bug that those guard against.
    """
    redemption = command.redemption_id
    hold = books.hold(redemption)
    if isinstance(command, PlaceHold):
        if hold is None:
            enough = books.balance(command.member_id)[0] >= command.points or not balance_check
            hold = Hold(command.member_id, command.points, "held" if enough else "refused")
            books = books.held(redemption, hold)
            if enough:
                books = books.moved(hold.member, available=-hold.points, reserved=hold.points)
    elif isinstance(command, ReleaseHold):
        if hold is None:
            hold = Hold(command.member_id, 0, "voided")
            books = books.held(redemption, hold) if tombstone else books
        elif hold.state == "held":
            hold = replace(hold, state="released")
            books = books.held(redemption, hold).moved(hold.member, available=hold.points, reserved=-hold.points)
    elif isinstance(command, CaptureHold):
        if hold is not None and hold.state == "held":
            hold = replace(hold, state="captured")
            books = books.held(redemption, hold).moved(hold.member, reserved=-hold.points, redeemed=hold.points)
        elif hold is None or hold.state not in ("captured", "refunded"):
            raise TwinFault(f"capture of {hold}")
    else:
        assert isinstance(command, Refund)
        if hold is None or hold.state not in ("captured", "refunded"):
            raise TwinFault(f"refund of {hold}")
        if hold.state == "captured":
            if not 1 <= command.points <= hold.points:
                raise TwinFault(f"refund of {command.points}")
            hold = replace(hold, state="refunded", refunded=command.points)
            books = books.held(redemption, hold)
            books = books.moved(hold.member, available=command.points, redeemed=-command.points)
    return books, TOLD[hold.state]
