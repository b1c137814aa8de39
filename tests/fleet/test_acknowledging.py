"""A batch is acknowledged in one word, and never more than was applied with it."""

import random
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from pika import BasicProperties

from fleet.queue_worker import Delivery, QueueWorker


class Channel:
    """Remembers what was settled, as the broker understands it."""

    is_open = True

    def __init__(self) -> None:
        self.unsettled: list[int] = []
        self.words = 0

    def deliver(self, tag: int) -> None:
        self.unsettled.append(tag)

    def basic_ack(self, tag: int, multiple: bool = False) -> None:
        self.words += 1
        assert tag in self.unsettled
        self.unsettled = [each for each in self.unsettled if not (each == tag or (multiple and each < tag))]

    def basic_reject(self, tag: int, requeue: bool) -> None:
        assert not requeue
        self.unsettled.remove(tag)

    def __getattr__(self, name: str) -> Any:
        return lambda *_arguments, **_words: None


@pytest.fixture
def worker() -> QueueWorker:
    consumer = SimpleNamespace(service="points", stop=threading.Event(), in_io=lambda call: call())
    made = QueueWorker(consumer, "commands", 200)  # type: ignore[arg-type]
    made.begin(Channel())
    return made


def arrive(worker: QueueWorker, *tags: int) -> list[Delivery]:
    for tag in tags:
        worker._channel.deliver(tag)
        worker._on_message(
            worker._channel, SimpleNamespace(delivery_tag=tag, redelivered=False), BasicProperties(message_id=""), b""
        )  # type: ignore[arg-type]
    return [worker._arrived.get_nowait() for _ in tags]


def test_a_batch_is_acknowledged_in_one_word(worker):
    worker._settle(arrive(worker, *range(1, 201)), "applied")
    assert (worker._channel.unsettled, worker._channel.words) == ([], 1)


def test_what_is_still_being_applied_is_not_acknowledged_with_what_came_after(worker):
    first, second, third = arrive(worker, 1, 2, 3)
    worker._settle([second, third], "applied")
    assert worker._channel.unsettled == [1]
    worker._settle([first], "applied")
    assert worker._channel.unsettled == []


def test_what_came_by_a_channel_that_is_gone_is_not_acknowledged_on_the_next(worker):
    old = arrive(worker, 1, 2)
    worker.begin(Channel())
    new = arrive(worker, 1, 2, 3)
    worker._settle(old, "applied")
    assert worker._channel.unsettled == [1, 2, 3]
    worker._settle(new[:2], "applied")
    assert worker._channel.unsettled == [3]


def test_in_any_order_exactly_what_was_settled_is(worker, on, seed):
    on("points")
    dice = random.Random(seed)
    waiting, next_tag = [], 1
    for _ in range(300):
        waiting += arrive(worker, *range(next_tag, next_tag := next_tag + dice.randrange(5)))
        group = [delivery for delivery in waiting if dice.random() < 0.4]
        waiting = [delivery for delivery in waiting if delivery not in group]
        if dice.random() < 0.2 and group:
            worker._kill(group.pop(), "for a reason")
        if group:
            worker._settle(group, "applied")
        assert worker._channel.unsettled == [delivery.tag for delivery in waiting], f"SEED={seed}"
