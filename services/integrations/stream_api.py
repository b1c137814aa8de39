"""The live stream: what concerns the signed-in member, as it happens, by Server-Sent Events."""

import time
from collections.abc import Iterator
from uuid import UUID

import orjson
from flask import Blueprint, Response, request, stream_with_context

from fleet import auth, stopping
from fleet.auth import caller
from fleet.database import transaction
from fleet.problems import Unauthorized, invalid
from fleet.web import MEMBER, Answer, operation
from services.integrations import feed
from services.integrations.tail import tail

stream_api = Blueprint("stream_api", __name__)

AT_ONCE = 100
# A connection that says nothing is taken for a dead one by what lies between.
SAY_SOMETHING_EVERY_S = 15.0
# How often a quiet stream looks whether its token is still good: the two seconds of revocation.
LOOK_EVERY_S = 1.0
RETRY_MS = 2000


@stream_api.get("/api/stream/")
@operation(who=MEMBER, answers={200: "text/event-stream", 410: None, 422: None})
def stream() -> Answer:
    """What concerns the caller as it happens (text/event-stream), and for admins also what waits in the queue.

    `id` is the position, `event` the type, `data` the event. It begins now, or after the `Last-Event-ID` that is sent
    back; it ends with the token.
    """
    me, staff = caller().member_id, caller().role == "admin"
    after = _last_event_id()
    with transaction() as session:
        if after is None:
            after = feed.head(session)
        # Refused before the answer begins, or not at all.
        feed.concerning(session, after, me, 1, staff=staff)
    listening = tail.listening()
    listening.__enter__()
    try:
        answer = Response(stream_with_context(_events(me, after, staff)), mimetype="text/event-stream")
    except BaseException:
        listening.__exit__(None, None, None)
        raise
    answer.call_on_close(lambda: listening.__exit__(None, None, None))
    return answer


def _last_event_id() -> int | None:
    given = request.headers.get("Last-Event-ID", "")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise invalid("/Last-Event-ID", "not an id of this stream; leave it out to begin now")
    return int(given)


def _events(me: UUID, after: int, staff: bool) -> Iterator[bytes]:
    yield b"retry: %d\n: listening\n\n" % RETRY_MS
    said, ended = time.monotonic(), False
    while not stopping.is_asked():
        try:
            auth.authenticate()
        except Unauthorized:
            return
        if not ended or tail.wait(after, LOOK_EVERY_S):
            with transaction() as session:
                page = feed.concerning(session, after, me, AT_ONCE, staff=staff)
            for event in page.items:
                data = orjson.dumps(event)
                yield b"id: %d\nevent: %s\ndata: %s\n\n" % (event["position"], event["type"].encode(), data)
                said = time.monotonic()
            after, ended = page.next_after, page.ended
        if time.monotonic() - said > SAY_SOMETHING_EVERY_S:
            yield b": still here\n\n"
            said = time.monotonic()
