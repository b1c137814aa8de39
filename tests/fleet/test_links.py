"""The order of links: each change once, after its predecessor, however they arrive."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from random import Random
from typing import Any
from uuid import UUID

import pytest

from fleet import links
from fleet.contracts.users import AccountsMerged, DiscordLinked, DiscordUnlinked
from fleet.database import transaction
from fleet.messages import new_id
from tests.conftest import SEED

BORN = UUID("6f1c2f3e-1111-5222-8333-444455556666")
ADA, BEN = UUID(int=1), UUID(int=2)


@pytest.fixture(autouse=True)
def points(on: Callable[[str], Any]) -> None:
    """A service that has the tables."""
    on("points")


class Book:
    """Writes down what it is told to do."""

    def __init__(self, born: UUID = BORN) -> None:
        self.born = born
        self.done: list[UUID | None] = []
        self.locked: list[list[UUID]] = []
        self.steps = links.Steps(
            lambda _session, ids: self.locked.append(ids),
            lambda _session, _born, owner: self.done.append(owner),
            lambda _session, _born: self.done.append(None),
        )

    def hear(self, version: int, owner: UUID | None) -> None:
        with transaction() as session:
            links.change(session, self.born, version, owner, self.steps)


@pytest.fixture
def book() -> Book:
    return Book()


CHANGES: list[tuple[int, UUID | None]] = [(1, ADA), (2, None), (3, BEN), (4, None)]


def test_in_whatever_order_they_arrive_they_are_applied_in_theirs(row_count):
    for order in permutations(CHANGES):
        book = Book(new_id())
        for version, owner in order:
            book.hear(version, owner)
            book.hear(version, owner)
        assert book.done == [ADA, None, BEN, None], order
    assert row_count("waiting_link_changes") == 0


def test_one_that_comes_early_changes_nothing_yet(book, row_count):
    book.hear(3, BEN)
    book.hear(2, None)
    assert (book.done, book.locked) == ([], [])
    assert row_count("waiting_link_changes") == 2
    book.hear(1, ADA)
    assert book.done == [ADA, None, BEN]
    assert book.locked == [[BORN, ADA, BEN]], "all that is concerned is locked at once, before anything changes"


def test_a_change_that_fails_is_not_counted(book):
    def fail(*_: Any) -> None:
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError), transaction() as session:
        links.change(session, BORN, 1, ADA, links.Steps(fail, fail, fail))
    book.hear(1, ADA)
    assert book.done == [ADA]


def test_many_at_once_are_applied_in_order_and_once(book, row_count):
    random = Random(SEED)
    changes = [(version, ADA if version % 2 else None) for version in range(1, 41)] * 3
    random.shuffle(changes)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda change: book.hear(*change), changes))
    assert book.done == [ADA, None] * 20
    assert row_count("links", "version = 40") == 1


def test_links_of_different_members_do_not_wait_for_one_another(book):
    book.hear(2, ADA)
    with transaction() as session:
        links.change(session, new_id(), 1, BEN, book.steps)
    assert book.done == [BEN]


def test_the_events_are_read_alike():
    assert links.read(AccountsMerged(BORN, ADA, 1)) == links.read(DiscordLinked(ADA, BORN, 1)) == (BORN, 1, ADA)
    assert links.read(DiscordUnlinked(ADA, BORN, 2)) == (BORN, 2, None)
