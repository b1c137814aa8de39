"""The HTTP door of the feed, for integrators with an API key: events by position, and a window once more."""

import time
from typing import Any

from flask import Blueprint

from fleet import stopping
from fleet.database import transaction
from fleet.web import INTEGRATOR, Answer, operation
from services.integrations import feed, keys, replay, schemas, webhooks
from services.integrations.keys_api import key
from services.integrations.tail import tail

feed_api = Blueprint("feed_api", __name__)
# A wait is cut into such pieces, to notice that the process is to end.
PIECE_S = 1.0


@feed_api.get("/api/events/")
@operation(who=INTEGRATOR, query=schemas.FeedQuery, answers={200: schemas.Feed, 410: None})
def read_feed(query: dict[str, Any]) -> Answer:
    """Public events after a position, in their order; none is left out and none comes later with a smaller position.

    Keep `next_after` together with what you made of the events, and go on from there. With `wait` the answer comes as
    soon as there is something, at the latest after so many seconds. Needs the scope events:read.
    """
    keys.require(key(), keys.READ)
    types = webhooks.check_types(query["type"].split(",") if query["type"] else None, "/type")
    found = _page(query["after"], types, query["limit"])
    if not found.items and query["wait"]:
        found = _wait(found, types, query["limit"], query["wait"])
    return {"items": found.items, "next_after": found.next_after}


def _page(after: int, types: list[str] | None, limit: int) -> feed.Page:
    with transaction() as session:
        return feed.page(session, after, types, limit)


def _wait(found: feed.Page, types: list[str] | None, limit: int, seconds: int) -> feed.Page:
    """What comes within so many seconds; what other types come meanwhile is passed over."""
    deadline = time.monotonic() + seconds
    with tail.listening():
        while not found.items and (left := deadline - time.monotonic()) > 0 and not stopping.is_asked():
            if tail.wait(found.next_after, min(left, PIECE_S)):
                found = _page(found.next_after, types, limit)
    return found


@feed_api.post("/api/events/replay/")
@operation(who=INTEGRATOR, body=schemas.Window, answers={202: schemas.Replayed})
def replay_to_queue(body: dict[str, Any]) -> Answer:
    """Publish a window of events once more, with the same ids, to the queues that the key's integrator has bound to its
    name at `propel.replay`.

    Bind first: what nobody is bound to is not kept. Needs the scope events:replay.
    """
    keys.require(key(), keys.REPLAY)
    integrator = key().integrator
    assert integrator is not None, "a key with the scope names its integrator"
    with transaction() as session:
        count = replay.to_queue(session, integrator, body["since"], body["until"], body["types"])
    return {"events": count}, 202
