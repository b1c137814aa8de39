"""What the worker of users runs beside its messages."""

import threading

import pytest

from services.users import chores
from services.users.subscriptions import PARTS


@pytest.mark.parametrize("make", PARTS, ids=lambda part: part.__name__)
def test_every_part_is_ready_runs_and_stops(make):
    stop = threading.Event()
    part = make(stop)
    assert part.ready is True
    thread = threading.Thread(target=part.run)
    thread.start()
    stop.wait(0.3)
    assert thread.is_alive()
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_every_chore_has_nothing_to_do_at_first():
    from fleet.database import transaction

    with transaction() as session:
        assert [chore(session) for chore in chores.CHORES] == [0] * len(chores.CHORES)
