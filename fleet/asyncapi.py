"""The catalogue of public events as an AsyncAPI 3 document, from the declared events: `python -m fleet.asyncapi` writes it.

It is committed as `gateway/events/asyncapi.json`, which the gateway serves; a test fails while it is not current.
"""

import inspect
import sys
from pathlib import Path
from typing import Any

import orjson

from fleet.contracts import Contract, by_type
from fleet.contracts.codec import json_schema
from fleet.examples import example
from fleet.topology import PUBLIC, REPLAY, VHOST

PATH = Path(__file__).resolve().parent.parent / "gateway/events/asyncapi.json"
SCHEMAS = "#/components/schemas"

_ENVELOPE: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "dataschema", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {
            "type": "string",
            "format": "uuid",
            "description": "Keep it: an event may come twice, with the same id.",
        },
        "source": {"type": "string", "description": "The service that says it."},
        "subject": {"type": "string", "description": "What it is about."},
        "sequence": {
            "type": "integer",
            "description": "The version of the subject: of two events of one subject the one with more is the later.",
        },
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"type": "string"},
        "correlationid": {"type": "string", "description": "Shared by all that followed from one request."},
        "causationid": {"type": "string", "description": "The id of the message it followed from."},
        "traceparent": {"type": "string", "description": "W3C trace context."},
    },
}
_ABOUT = (
    "Events of Propel for other systems: CloudEvents 1.0 in structured JSON. They carry opaque ids and what happened, and"
    " no name, address or free text. Fields may be added; anything else becomes a `.v2` beside the `.v1`.\n\n"
    "Three doors tell the same events with the same ids: queues of your own at the exchange `propel.public`, signed"
    " webhooks (Standard Webhooks), and the feed GET /api/events/ with an API key. Every one of them may tell an event"
    " twice: keep ids. Order within a subject is in `sequence`; the feed keeps it."
)


def public() -> list[Contract]:
    """The contracts of public events, by type."""
    return [by_type[type_] for type_ in sorted(by_type) if by_type[type_].public]


def document() -> dict[str, Any]:
    """The AsyncAPI document."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Envelope": _ENVELOPE}
    for contract in public():
        name = contract.message.__name__
        schemas[name] = json_schema(contract.message)
        messages[name] = _message(contract, name, schemas[name])
        channels[contract.type] = {
            "address": contract.type,
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "servers": [{"$ref": "#/servers/broker"}],
            "bindings": {"amqp": {"is": "routingKey", "exchange": _exchange(PUBLIC), "bindingVersion": "0.3.0"}},
        }
        # What an application sends, its subscribers receive.
        operations[f"send{name}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{contract.type.replace('/', '~1')}"},
            "messages": [{"$ref": f"#/channels/{contract.type}/messages/{name}"}],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Propel: events", "version": "1.0.0", "description": _ABOUT},
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            "broker": {
                "host": "{host}:{port}",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "pathname": f"/{VHOST}",
                "description": f"Read {PUBLIC} by the keys you were given, and {REPLAY} by your own name.",
                "variables": {
                    "host": {"default": "127.0.0.1", "description": "the broker, as your account says"},
                    "port": {"default": "5672"},
                },
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _exchange(name: str) -> dict[str, Any]:
    return {"name": name, "type": "topic", "durable": True, "autoDelete": False, "vhost": VHOST}


def _message(contract: Contract, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    words = " ".join(inspect.cleandoc(contract.message.__doc__ or "").split())
    payload = {
        "allOf": [
            {"$ref": f"{SCHEMAS}/Envelope"},
            {"type": "object", "properties": {"type": {"const": contract.type}, "data": {"$ref": f"{SCHEMAS}/{name}"}}},
        ]
    }
    return {
        "name": name,
        "title": contract.type,
        "summary": words,
        "contentType": "application/cloudevents+json",
        "payload": payload,
        "tags": [{"name": contract.owner}],
        "examples": [{"name": name, "payload": _example(contract, schema)}],
    }


def _example(contract: Contract, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "0192f0c1-7b2e-7cc3-9a5d-4f1e2d3c4b5a",
        "source": contract.owner,
        "subject": "0192f0c1-7b2e-7cc3-9a5d-4f1e2d3c4b5b",
        "sequence": 7,
        "type": contract.type,
        "time": "2026-03-02T14:05:09.120000Z",
        "datacontenttype": "application/json",
        "dataschema": f"propel:{contract.type}",
        "data": example(schema, {}),
    }


def render() -> bytes:
    """The document as it is committed: indented, ending in a newline."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2) + b"\n"


def main() -> int:
    """Write the document."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_bytes(render())
    sys.stdout.write(f"wrote {PATH.name}: {len(public())} events\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
