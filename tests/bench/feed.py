"""Sends LogActivity commands as the bot would, as a process of its own: python -m tests.bench.feed < specification

Each command is a member's first message of a day, so that the cap of the real rule is used and never refuses: member by
member in scattered order, then the day before, and so on. Two ways: `rate` (so many a second, evenly) or, without it, as
many as keep the queue between LOW and HIGH.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import gcd
from typing import Any
from uuid import UUID

import pika

from fleet import topology
from fleet.contracts.points import LogActivity
from fleet.messages import encode, envelope_for, new_id
from tests.bench.amqp import Wire
from tests.bench.seed import member_id

LOW, CHUNK = 2_000, 500
TYPE = "points.log_activity.v1"
ACTIVITY = "discord_activity"
_MEMBER = UUID("22222222-2222-4222-8222-222222222222")


def _template(reply_to: str | None) -> str:
    """An encoded command in which member, reference, time of the deed and id are still open."""
    moment = datetime(2001, 2, 3, 4, 5, 6, 123456, UTC)
    envelope = envelope_for(LogActivity(_MEMBER, ACTIVITY, moment, "REFERENCE"), source="bot", reply_to=reply_to)
    text = encode(envelope).decode().replace("%", "%%")
    text = text.replace(str(envelope.id), "%(id)s").replace(str(_MEMBER), "%(member)s").replace("REFERENCE", "%(ref)s")
    written = moment.isoformat().replace("+00:00", "Z")
    if text.count("%(") != 3 or written not in text:
        raise ValueError(f"the template of the command does not fit its encoding: {text}")
    return text.replace(written, "%(at)s")


def commands(given: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(message id, body) of one command after the other, from number `first` on; none is ever the same as another."""
    members, name, template = given["members"], given["name"], _template(given["reply_to"])
    step = next(number for number in range(int(members * 0.618) | 1, 3 * members + 3, 2) if gcd(number, members) == 1)
    # Given, not looked up: a bench that runs over midnight must not count a day twice.
    today, day, at = datetime.fromisoformat(given["today"]), -1, ""
    number = given["first"]
    while True:
        if number // members != day:
            day = number // members
            at = (today - timedelta(days=day, seconds=1)).isoformat().replace("+00:00", "Z")
        id_ = str(new_id())
        member = member_id(number % members * step % members)
        yield id_, (template % {"id": id_, "member": member, "ref": f"bench-{name}-{number:09}", "at": at}).encode()
        number += 1


def flood(given: dict[str, Any]) -> dict[str, Any]:
    """Keep the queue filled until the time is over."""
    source = commands(given)
    wire = Wire(given["url"], topology.COMMANDS, TYPE)
    watching = pika.BlockingConnection(pika.URLParameters(given["watch_url"]))
    channel, count, began = watching.channel(), 0, time.monotonic()
    queue = topology.queue("points", "commands")
    deepest = shallowest = None
    while (spent := time.monotonic() - began) < given["seconds"]:
        depth = channel.queue_declare(queue, passive=True).method.message_count
        if spent > 1:
            deepest = max(depth, deepest or 0)
            shallowest = depth if shallowest is None else min(depth, shallowest)
        if depth > LOW:
            time.sleep(0.02)
            continue
        wire.send(next(source) for _ in range(CHUNK))
        wire.settle()
        count += CHUNK
    watching.close()
    wire.close()
    return {"sent": count, "queue_from": shallowest, "queue_to": deepest, "cpu_s": round(time.process_time(), 2)}


def paced(given: dict[str, Any]) -> dict[str, Any]:
    """Send `rate` a second, evenly, and tell when each left."""
    source = commands(given)
    wire = Wire(given["url"], topology.COMMANDS, TYPE)
    left: dict[str, float] = {}
    began, late = time.monotonic() + 0.1, 0.0
    for number in range(int(given["rate"] * given["seconds"])):
        due = began + number / given["rate"]
        if (pause := due - time.monotonic()) > 0:
            time.sleep(pause)
        late = max(late, -pause)
        message = next(source)
        left[message[0]] = time.monotonic()
        wire.send([message])
        wire.settle(200)
    wire.settle()
    wire.close()
    return {"sent": len(left), "left": left, "latest_start_ms": late * 1000}


class Feeder:
    """The feeding process; `result()` waits for its end."""

    def __init__(self, given: dict[str, Any]) -> None:
        command = [sys.executable, "-m", "tests.bench.feed"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin
        self.process.stdin.write(json.dumps(given))
        self.process.stdin.close()
        self.process.stdin = None

    def result(self, seconds: float) -> dict[str, Any]:
        try:
            out, _ = self.process.communicate(timeout=seconds)
        finally:
            self.stop()
        if self.process.returncode:
            raise RuntimeError("the feeder ended early; see above")
        return json.loads(out)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    wanted = json.load(sys.stdin)
    json.dump(paced(wanted) if wanted.get("rate") else flood(wanted), sys.stdout)
