"""Walks through every interleaving of two redemptions: delivery, duplication, delay and crash, with the real `saga.decide`.

A state holds both redemptions as rewards keeps them, the stock, the books of points (the twin), the messages that are
under way, and who is in the middle of a step. From each state every possible next thing happens:

- a request is made; somebody who wishes a step takes it, or hears that it cannot be taken any more;
- any message under way is delivered, in any order (delay, reordering); its receiver may die after its commit, before the
  acknowledgement: then the same message comes once more;
- the sweeper sends again what waits for points, at any time.

A handler that dies before its commit changes nothing, which is where we were. Checked in every state: nothing is below
zero, points and stock are conserved, a status only goes where it may, no message has its effect twice, and neither side
ever hears what cannot be. Where nothing is under way any more, each redemption is settled and fits its hold. And from every
state, such an end can be reached.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from fleet.contracts.points import HoldCaptured, HoldRefused, HoldReleased, PointsHeld, PointsRefunded
from services.rewards import saga
from services.rewards.reconciler import BEHIND
from services.rewards.saga import Command, Saga, SagaFault, Wish, WrongStatus
from tests.rewards import twin
from tests.rewards.twin import Books

T = TypeVar("T")
ADA, BOB = UUID(int=0xA), UUID(int=0xB)
IDS = (UUID(int=1), UUID(int=2))
PRICE = 60
# What may follow what; the saga has no other way.
EDGES = {
    ("requested", "pending"),
    ("requested", "declined"),
    ("requested", "cancelled"),
    ("pending", "approved"),
    ("pending", "rejected"),
    ("pending", "cancelled"),
    ("pending", "expired"),
    ("approved", "shipped"),
    ("shipped", "delivered"),
    ("approved", "refunded"),
    ("shipped", "refunded"),
    ("delivered", "refunded"),
}
WORDS: dict[str, Callable[[UUID, UUID], Any]] = {
    "held": lambda r, m: PointsHeld(r, m, PRICE, 0, 0),
    "refused": lambda r, m: HoldRefused(r, m, PRICE, "insufficient-points", 0, 0),
    "captured": lambda r, m: HoldCaptured(r, m, PRICE, 0, 0),
    "released": lambda r, m: HoldReleased(r, m, PRICE, 0, 0),
    "refunded": lambda r, m: PointsRefunded(r, m, PRICE, "x", 0, 0),
}


class Violation(AssertionError):
    """Something that must never be; says what, and how it came to it."""


@dataclass(frozen=True)
class Design:
    """What is explored: the real thing, or with one guard taken out."""

    decide: Callable[[Saga, Any], tuple[Saga, tuple[Any, ...]]] = saga.decide
    tombstone: bool = True
    balance_check: bool = True
    stock_check: bool = True
    guarded: bool = True
    inbox: bool = True
    outbox: bool = True


@dataclass(frozen=True)
class Scene:
    """How it begins, and what may be wished for each redemption, each once at any time. `reminders` for each of them."""

    owners: tuple[UUID, UUID]
    points: int
    stock: int
    wishes: tuple[tuple[str, ...], ...]
    reminders: int = 0
    duplicates: int = 1


class Names(Generic[T]):
    """A number for each thing, so that states are small and quickly compared."""

    def __init__(self) -> None:
        self.things: list[T] = []
        self.numbers: dict[T, int] = {}

    def of(self, thing: T) -> int:
        number = self.numbers.get(thing)
        if number is None:
            number = self.numbers[thing] = len(self.things)
            self.things.append(thing)
        return number


SAGAS, BOOKS, MESSAGES = Names[Saga | None](), Names[Books](), Names[Any]()
NONE = SAGAS.of(None)


class State(NamedTuple):
    """Everything that there is at one moment; sagas, books and messages by their numbers.

    `net`: (message, applied) each; `reading`: (redemption, wish, the saga as it was read) each.
    """

    sagas: tuple[int, ...]
    stock: int
    books: int
    net: tuple[tuple[int, int], ...]
    wishes: tuple[tuple[str, ...], ...]
    reading: tuple[tuple[int, str, int], ...]
    reminders: tuple[int, ...]
    duplicates: int


Next = tuple[str, State]


class Explorer:
    """One exploration of a scene under a design; `ends` counts the statuses in which redemptions ended."""

    def __init__(self, design: Design, scene: Scene) -> None:
        self.design, self.scene = design, scene
        self.decide = lru_cache(maxsize=None)(design.decide)
        self.applied: dict[tuple[int, int], tuple[int, int]] = {}
        self.ends: Counter[str] = Counter()
        self.total = scene.points * len(set(scene.owners))

    def first(self) -> State:
        scene = self.scene
        books = BOOKS.of(Books(tuple((member, scene.points, 0, 0) for member in sorted(set(scene.owners)))))
        count = len(scene.wishes)
        return State(
            (NONE,) * count, scene.stock, books, (), scene.wishes, (), (scene.reminders,) * count, scene.duplicates
        )

    def run(self) -> tuple[int, int, int]:
        """(states, transitions, ends). Raises Violation with the shortest way there."""
        first = self.first()
        came: dict[State, tuple[State, str] | None] = {first: None}
        back: dict[State, list[State]] = {}
        ends, transitions = [], 0
        waiting = deque([first])
        while waiting:
            state = waiting.popleft()
            try:
                self.check(state)
                if self.is_end(state):
                    ends.append(state)
                    self.ends.update(row.status for row in (SAGAS.things[name] for name in state.sagas) if row)
                for what, following in self.following(state):
                    transitions += 1
                    back.setdefault(following, []).append(state)
                    if following not in came:
                        came[following] = (state, what)
                        waiting.append(following)
            except (Violation, SagaFault, twin.TwinFault) as error:
                raise Violation(f"{error}\n  after: {' > '.join(self.way(came, state))}") from None
        self.check_all_can_end(came, back, ends)
        return len(came), transitions, len(ends)

    def way(self, came: dict[State, Any], state: State) -> list[str]:
        found = []
        while came[state] is not None:
            state, what = came[state]
            found.append(what)
        return found[::-1]

    def check_all_can_end(self, came: dict[State, Any], back: dict[State, list[State]], ends: list[State]) -> None:
        reached, waiting = set(ends), deque(ends)
        while waiting:
            for before in back.get(waiting.popleft(), ()):
                if before not in reached:
                    reached.add(before)
                    waiting.append(before)
        stuck = next((state for state in came if state not in reached), None)
        if stuck is not None:
            raise Violation(f"cannot end: {self.shown(stuck)}\n  after: {' > '.join(self.way(came, stuck))}")

    # What may happen next

    def following(self, state: State) -> Iterator[Next]:
        for number, name in enumerate(state.sagas):
            row = SAGAS.things[name]
            if row is None:
                yield from self.request(state, number)
                continue
            for wish in state.wishes[number]:
                left = tuple(each for each in state.wishes[number] if each != wish)
                begun = state._replace(wishes=_put(state.wishes, number, left))
                if self.design.guarded:
                    # A guarded write decides anew from what it meets, so what was read before makes no difference.
                    yield from self.step(begun, number, name, Wish(wish, restock=True), f"{wish} {number}")  # type: ignore[arg-type]
                else:
                    reading = tuple(sorted([*state.reading, (number, wish, name)]))
                    yield f"{wish} {number} reads", begun._replace(reading=reading)
            if state.reminders[number] and row.settling:
                less = state._replace(reminders=_put(state.reminders, number, state.reminders[number] - 1))
                yield from self.step(less, number, name, Wish("remind"), f"remind {number}")
        for each in state.reading:
            number, wish, then = each
            rest = list(state.reading)
            rest.remove(each)
            written = state._replace(reading=tuple(rest))
            yield from self.step(written, number, then, Wish(wish, restock=True), f"{wish} {number}")  # type: ignore[arg-type]
        for message in dict.fromkeys(state.net):
            yield from self.deliver(state, message)

    def request(self, state: State, number: int) -> Iterator[Next]:
        if state.stock <= 0 and self.design.stock_check:
            return
        begun, commands = saga.begin(
            Saga(IDS[number], self.scene.owners[number], PRICE, None, False, "requested", None, True)
        )
        after = state._replace(sagas=_put(state.sagas, number, SAGAS.of(begun)), stock=state.stock - 1)
        yield from self.committed(after, commands, f"request {number}")

    def step(self, state: State, number: int, seen: int, message: Any, what: str) -> Iterator[Next]:
        """Keep what is decided from what was `seen`, and send what goes with it."""
        before, present = SAGAS.things[seen], SAGAS.things[state.sagas[number]]
        assert before is not None
        assert present is not None
        try:
            after, commands = self.decide(before, message)
        except WrongStatus:
            yield f"{what} refused", state
            return
        if after != before and after.status != present.status and (present.status, after.status) not in EDGES:
            raise Violation(f"{number} went from {present.status} to {after.status} by {what}")
        returned = int(before.has_item and not after.has_item)
        moved = state._replace(sagas=_put(state.sagas, number, SAGAS.of(after)), stock=state.stock + returned)
        yield from self.committed(moved, commands, what)

    def committed(self, state: State, commands: tuple[Any, ...], what: str) -> Iterator[Next]:
        """The commands of a commit are under way with it. Published beside it instead, a crash between loses them."""
        if not commands:
            yield what, state
            return
        sent = [(MESSAGES.of(command), 0) for command in commands]
        yield what, state._replace(net=tuple(sorted([*state.net, *sent])))
        if not self.design.outbox:
            yield f"{what} then dies", state

    def deliver(self, state: State, message: tuple[int, int]) -> Iterator[Next]:
        name, applied = message
        about = MESSAGES.things[name]
        net = list(state.net)
        net.remove(message)
        if applied and self.design.inbox:
            yield f"@{_name(about)} again", state._replace(net=tuple(net))
            return
        if applied:
            raise Violation(f"{_name(about)} has its effect twice")
        number = IDS.index(about.redemption_id)
        for copies in range(2 if state.duplicates else 1):
            left = tuple(sorted([*net, *[(name, 1)] * copies]))
            before = state._replace(net=left, duplicates=state.duplicates - copies)
            what = f"@{_name(about)} {number}" + (" and it comes again" if copies else "")
            if isinstance(about, Command):
                books, said = self.apply(state.books, name, number)
                yield what, before._replace(books=books, net=tuple(sorted([*left, (said, 0)])))
            else:
                yield from self.step(before, number, before.sagas[number], about, what)

    def apply(self, books: int, command: int, number: int) -> tuple[int, int]:
        """What the twin of points makes of its books, and what it says."""
        found = self.applied.get((books, command))
        if found is None:
            after, word = twin.apply(
                BOOKS.things[books],
                MESSAGES.things[command],
                tombstone=self.design.tombstone,
                balance_check=self.design.balance_check,
            )
            said = WORDS[word](IDS[number], self.scene.owners[number])
            found = self.applied[books, command] = (BOOKS.of(after), MESSAGES.of(said))
        return found

    # What must be

    def check(self, state: State) -> None:
        rows = [row for row in (SAGAS.things[name] for name in state.sagas) if row]
        books = BOOKS.things[state.books]
        items = sum(row.has_item for row in rows)
        if state.stock < 0 or state.stock + items != self.scene.stock:
            raise Violation(f"stock {state.stock} and {items} taken of {self.scene.stock}")
        balances = [number for row in books.balances for number in row[1:]]
        if min(balances) < 0 or sum(balances) != self.total:
            raise Violation(f"balances {books.balances} of {self.total}")
        for row in rows:
            if (row.status, row.settling) not in BEHIND:
                raise Violation(f"{row.status} waits for {row.settling}")
        if state.net or state.reading:
            return
        # Nothing is under way: whatever does not fit now, nothing will mend.
        for row in rows:
            hold = books.hold(row.redemption_id)
            if row.settling is None and (hold.state if hold else None) not in BEHIND[row.status, None]:
                raise Violation(f"{row.status} with its hold {hold}")

    def is_end(self, state: State) -> bool:
        """Nothing is under way, and every redemption is settled."""
        rows = (SAGAS.things[name] for name in state.sagas)
        return not state.net and not state.reading and all(row is None or row.settling is None for row in rows)

    def shown(self, state: State) -> str:
        rows = [SAGAS.things[name] for name in state.sagas]
        seen = [f"{row.status}/{row.settling}" if row else "-" for row in rows]
        under_way = [_name(MESSAGES.things[name]) for name, _applied in state.net]
        return f"{seen} stock {state.stock} {BOOKS.things[state.books].holds} under way: {under_way}"


def _put(values: tuple[Any, ...], number: int, value: Any) -> tuple[Any, ...]:
    return (*values[:number], value, *values[number + 1 :])


def _name(message: Any) -> str:
    return type(message).__name__
