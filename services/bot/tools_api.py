"""The HTTP door of other bots and tools: one path, signed requests, an action in each."""

from hashlib import sha256
from typing import Any

import marshmallow
from flask import Blueprint, g, jsonify, request
from marshmallow import fields, validate

from fleet import logs
from fleet.idempotency import key_given
from fleet.messages import new_id
from fleet.problems import Problem
from fleet.web import SIGNED, Answer, Schema, load, operation
from services.bot import tool_staff_actions, tools  # noqa: F401 the actions declare themselves
from services.bot.tool_actions import ACTIONS
from services.bot.tools import Visit

tools_api = Blueprint("tools_api", __name__)
log = logs.get(__name__)


class UnknownAction(Problem):
    """There is no such action."""

    status, slug, title = 400, "unknown-action", "There is no such action"


class ToolRequest(Schema):
    """An action by its name, and beside it what the action wants."""

    class Meta:
        unknown = marshmallow.INCLUDE

    action = fields.String(required=True, validate=validate.Length(1, 50))


class ToolAnswer(Schema):
    """What the action is answered with."""

    class Meta:
        unknown = marshmallow.INCLUDE


def authenticate() -> None:
    """Let in who signed the request. Raises Unauthorized before anything of the body is looked at."""
    g.tool = tools.authenticate(request.headers, lambda: request.get_data(cache=True))


@tools_api.post("/api/bot/")
@operation(
    who=SIGNED, body=ToolRequest, answers={200: ToolAnswer, 201: ToolAnswer, 404: None, 409: None}, idempotent=True
)
def act(body: dict[str, Any]) -> Answer:
    """Do what the action says, for other bots and tools."""
    name = body.pop("action")
    found = ACTIONS.get(name)
    if found is None:
        raise UnknownAction(f"There is no action {name!r}. There are: {', '.join(sorted(ACTIONS))}.")
    payload = load(found.payload, body)
    key = key_given()
    once = f"key {key}" if key else f"nonce {request.headers.get('X-Propel-Nonce') or new_id()}"
    reference = f"tool:{g.tool}:{sha256(once.encode()).hexdigest()[:32]}"
    visit = Visit(g.tool, reference, key, sha256(request.get_data(cache=True)).digest())
    answer, status = found.run(visit, **payload)
    log.info("tool_acted", action=name, key_id=g.tool, status=status)
    return jsonify(answer), status  # type: ignore[return-value]


def _table() -> str:
    """The actions as a table of the document."""
    lines = ["| action | fields | does |", "|---|---|---|"]
    for name, found in sorted(ACTIONS.items()):
        names = ", ".join(
            f"`{each}`" + ("" if field.required else "?") for each, field in found.payload().fields.items()
        )
        lines.append(f"| {name} | {names} | {found.words} |")
    return "\n".join(lines)


act.__doc__ = f"""{act.__doc__}

Signed with a secret that both sides know: see the scheme `signature`. What changes something happens once for each
Idempotency-Key; without one, for each request. Fields with ? may be left out.

{_table()}
"""
