"""The HTTP door of a service's dead letters, the same in every service: admins look, send round, throw away."""

from typing import Any
from uuid import UUID

from flask import Blueprint
from marshmallow import fields, validate

from fleet import dead_letters, logs
from fleet.auth import caller
from fleet.database import transaction
from fleet.problems import invalid
from fleet.web import ADMIN, Answer, Derived, Flag, Instant, PageQuery, Schema, Text, operation

log = logs.get(__name__)


class DeadLetter(Schema):
    """A message that could not be applied, and why. `replaying`: it is about to be sent round."""

    id = fields.UUID(required=True)
    type = fields.String(required=True)
    message_id = fields.String(attribute="message_key", required=True)
    queue = fields.String(required=True)
    sender = fields.String(required=True)
    cause = fields.String(required=True)
    died_at = Instant(required=True)
    replaying = Derived(fields.Boolean(required=True), lambda letter: letter.replay_at is not None)


class WholeDeadLetter(DeadLetter):
    """A dead letter with its body, which may hold personal data."""

    body = fields.String(required=True)


class DeadLetters(Schema):
    """A page of dead letters, newest first."""

    items = fields.List(fields.Nested(DeadLetter), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class DeadLettersQuery(PageQuery):
    """Those of one cause, in its very words, or of one type."""

    cause = Text(load_default=None, validate=validate.Length(1, dead_letters.LONGEST_CAUSE))
    type = Text(load_default=None, validate=validate.Length(1, 200))


class Choice(Schema):
    """Which dead letters: by id, by cause in its very words, by type; all that is said must fit, and something must be said.

    `dry_run` only counts them, and is what happens unless it is false.
    """

    ids = fields.List(fields.UUID(), load_default=None, validate=validate.Length(1, 1000))
    cause = Text(load_default=None, validate=validate.Length(1, dead_letters.LONGEST_CAUSE))
    type = Text(load_default=None, validate=validate.Length(1, 200))
    dry_run = Flag(load_default=True)


class Counted(Schema):
    """How many, and whether anything was done."""

    count = fields.Integer(required=True)
    dry_run = fields.Boolean(required=True)


def _chosen(body: dict[str, Any]) -> dict[str, Any]:
    chosen = {"ids": body["ids"], "cause": body["cause"], "type_": body["type"]}
    if all(value is None for value in chosen.values()):
        raise invalid("/ids", "say which: ids, a cause or a type")
    return chosen


def blueprint(service: str) -> Blueprint:
    """The routes under /api/dead-letters/<service>/."""
    api, root = Blueprint("desk_api", __name__), f"/api/dead-letters/{service}/"

    @api.get(root)
    @operation(who=ADMIN, query=DeadLettersQuery, answers={200: DeadLetters})
    def list_dead_letters(query: dict[str, Any]) -> Answer:
        """Messages that the service could not apply, newest first, each with its cause."""
        words = {"cause": query["cause"], "type_": query["type"], "limit": query["limit"], "cursor": query["cursor"]}
        with transaction() as session:
            rows, following = dead_letters.listed(session, **words)
        return {"items": [DeadLetter().dump(row) for row in rows], "next_cursor": following}

    @api.get(f"{root}<uuid:letter_id>/")
    @operation(who=ADMIN, answers={200: WholeDeadLetter})
    def get_dead_letter(letter_id: UUID) -> Answer:
        """One of them, with its body."""
        with transaction() as session:
            letter = dead_letters.find(session, letter_id)
        log.info("dead_letter_read", letter_id=str(letter_id))
        body = bytes(letter.body).decode(errors="replace")
        return {**DeadLetter().dump(letter), "body": body}

    @api.post(f"{root}replay/")
    @operation(who=ADMIN, body=Choice, answers={200: Counted, 409: None})
    def replay_dead_letters(body: dict[str, Any]) -> Answer:
        """Send them round once more, each to the queue it died in, as a first attempt. What was applied meanwhile is not
        applied again. Mend the cause first: look with `dry_run`.
        """
        with transaction() as session:
            act = dead_letters.matching if body["dry_run"] else dead_letters.order_replay
            count = act(session, **_chosen(body))
        _note("dead_letters_ordered", body, count)
        return {"count": count, "dry_run": body["dry_run"]}

    @api.post(f"{root}purge/")
    @operation(who=ADMIN, body=Choice, answers={200: Counted})
    def purge_dead_letters(body: dict[str, Any]) -> Answer:
        """Throw them away for good. Look with `dry_run`."""
        with transaction() as session:
            act = dead_letters.matching if body["dry_run"] else dead_letters.purge
            count = act(session, **_chosen(body))
        _note("dead_letters_purged", body, count)
        return {"count": count, "dry_run": body["dry_run"]}

    return api


def _note(event: str, body: dict[str, Any], count: int) -> None:
    if not body["dry_run"]:
        log.info(event, actor_id=str(caller().member_id), count=count)
