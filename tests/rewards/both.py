"""Both sides of the saga in one process: the real handlers of rewards and of points, each on its own real database.

Between them is a network of this test's making: messages that were committed are under way in no order, come twice, and
their receiver may die before or after its commit.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from fleet import database, inbox, topology
from fleet.contracts.points import GetHolds, Holds
from fleet.messages import Envelope, decode, envelope_for, new_id
from fleet.problems import Problem
from services.points import admin_awards, holds, ledger
from services.points import verify as points_books
from services.points.subscriptions import subscriptions as of_points
from services.rewards import redemptions, verify
from services.rewards.saga import SagaFault
from services.rewards.subscriptions import subscriptions as of_rewards


class Died(Exception):
    """The process of a handler ended before its commit."""


class Both:
    """The two services, and what is under way between them."""

    def __init__(self, points_url: str, seed: int) -> None:
        url = points_url.replace("postgresql://", "postgresql+psycopg2://")
        self.engine = create_engine(url, pool_size=20, max_overflow=20)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self.random = random.Random(seed)
        self.net: list[tuple[str, Envelope[Any]]] = []
        self.replies: list[Envelope[Any]] = []
        self.faults = 0

    @contextmanager
    def points(self) -> Iterator[Session]:
        """A transaction of points; `database.transaction()` is one of rewards."""
        with self._sessions.begin() as session:
            session.info["transaction"] = True
            yield session

    def on(self, service: str) -> Any:
        return self.points() if service == "points" else database.transaction()

    def member(self, points: int) -> UUID:
        """Somebody with points, known to both sides."""
        member_id = new_id()
        with self.points() as session:
            ledger.lock_current_balance(session, member_id)
            if points:
                admin_awards.award_by_admin(
                    session, member_id, "peer_mentor", actor=new_id(), points=points, details=None
                )
        self.settle()
        return member_id

    def collect(self) -> None:
        """Take what was committed out of both outboxes, as the relays do."""
        for service in ("rewards", "points"):
            with self.on(service) as session:
                bodies = session.execute(text("DELETE FROM outbox RETURNING id, body")).all()
            for _id, body in sorted(bodies):
                self.send(decode(bytes(body)))

    def send(self, envelope: Envelope[Any]) -> None:
        if envelope.type.endswith(".answered.v1"):
            self.replies.append(envelope)
        for service, subscriptions in (("points", of_points), ("rewards", of_rewards)):
            heard = envelope.type in topology.HEARS[service] or envelope.type.split(".")[0] == service
            if heard and envelope.type in subscriptions.handlers:
                self.net.append((service, envelope))

    def deliver(self, service: str, envelope: Envelope[Any], *, dies: bool = False) -> None:
        """What the consumer does with one message; `dies`: its process ends before the commit."""
        subscriptions = of_points if service == "points" else of_rewards
        with self.on(service) as session:
            if inbox.take(session, f"{service}.test", [envelope.id]):
                subscriptions.handlers[envelope.type](session, envelope)
            if dies:
                raise Died

    def step(self, *, duplicates: float = 0, crashes: float = 0) -> bool:
        """Deliver one message of those under way, any of them; False when none is.

        The outboxes are looked into now and then only: what waits longer is reordered more.
        """
        if not self.net or self.random.random() < 0.1:
            self.collect()
        if not self.net:
            return False
        number = self.random.randrange(len(self.net))
        service, envelope = self.net[number]
        try:
            self.deliver(service, envelope, dies=self.random.random() < crashes)
        except Died:
            return True
        except (holds.HoldFault, SagaFault):
            # It comes again later, as after a retry.
            self.faults += 1
            return True
        if self.random.random() >= duplicates:
            self.net.remove((service, envelope))
        return True

    def settle(self, **chances: float) -> None:
        """Deliver until nothing is under way any more."""
        while self.step(**chances):
            pass

    def ask(self, question: GetHolds) -> Holds:
        """Points' answer to the reconciler."""
        with self.points() as session:
            answer: Holds = of_points.handlers["points.get_holds.v1"](session, envelope_for(question, source="rewards"))
            return answer

    def books(self, member_id: UUID) -> tuple[int, int, int]:
        """available, reserved, redeemed."""
        with self.points() as session:
            found = ledger.balance_of(session, member_id)
            return found.available, found.reserved, found.redeemed

    def assert_in_order(self) -> None:
        """Every check of `make verify` on both sides finds nothing."""
        found = verify.verify(self.ask, margin=timedelta(seconds=-60))
        assert not any(each.differing for each in found), "\n" + verify.table(found)
        with self.points() as session:
            points = points_books.findings(session)
        assert not any(each.differing for each in points), "\n" + points_books.table(points)


def begin(member_id: UUID, incentive_id: UUID) -> UUID | str:
    """A redemption's id, or the slug of why there is none."""
    try:
        with database.transaction() as session:
            return redemptions.request(session, member_id, incentive_id).id
    except Problem as problem:
        return problem.slug
