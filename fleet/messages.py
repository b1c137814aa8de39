"""The envelope: CloudEvents 1.0, structured JSON.

`id` is a random UUIDv7 and never an outbox number: after a restore from backup a sequence would issue old numbers again
and every inbox would drop new messages as duplicates. `sequence` is the version of the subject's aggregate; projections
ignore events older than what they hold.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
import uuid_utils

from fleet.contracts import by_type, contract_of
from fleet.contracts.codec import SchemaError, instant

CONTENT_TYPE = "application/cloudevents+json"
REPLY_SUFFIX = ".answered.v1"

M = TypeVar("M")


def new_id() -> UUID:
    """A random, time-ordered UUIDv7."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def now() -> datetime:
    """The present instant in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Envelope(Generic[M]):
    """A message with what the transport needs to know of it; `data` is an instance of a declared class."""

    id: UUID
    source: str
    type: str
    subject: str | None
    time: datetime
    data: M
    sequence: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    reply_to: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class Reply:
    """The outcome of a command or question: `result` when it was done, `problem` (RFC 9457) when it was refused."""

    to: str
    result: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None


_OPTIONAL = {
    "sequence": "sequence",
    "correlation_id": "correlationid",
    "causation_id": "causationid",
    "reply_to": "replyto",
    "traceparent": "traceparent",
}


def encode(envelope: Envelope[Any]) -> bytes:
    """The bytes that travel."""
    body: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(envelope.id),
        "source": envelope.source,
        "type": envelope.type,
        "time": envelope.time.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": f"propel:{envelope.type}",
        # orjson writes dataclasses by itself, many times faster than dataclasses.asdict would copy them.
        "data": envelope.data,
    }
    if envelope.subject is not None:
        body["subject"] = envelope.subject
    for name, wire in _OPTIONAL.items():
        value = getattr(envelope, name)
        if value is not None:
            body[wire] = value
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)


def to_json(data: Any) -> Any:
    """A message object as plain JSON values, as a subscriber receives it."""
    return orjson.loads(orjson.dumps(data, option=orjson.OPT_UTC_Z))


def decode(body: bytes) -> Envelope[Any]:
    """Read what arrived; raises SchemaError for anything that is not a declared message of the fleet."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SchemaError(f"the body is not JSON: {error}") from error
    if type(raw) is not dict:
        raise SchemaError("the body is not a JSON object")
    try:
        type_ = raw["type"]
        data: Any = _decode_data(type_, raw["data"])
        sequence = raw.get("sequence")
        if sequence is not None and type(sequence) is not int:
            raise SchemaError("sequence is not a whole number")
        texts = {name: raw.get(wire) for name, wire in _OPTIONAL.items() if name != "sequence"}
        if any(value is not None and type(value) is not str for value in (*texts.values(), raw.get("subject"))):
            raise SchemaError("an attribute of the envelope is not text")
        return Envelope(
            id=UUID(raw["id"]),
            source=str(raw["source"]),
            type=type_,
            subject=raw.get("subject"),
            time=instant(raw["time"]),
            data=data,
            sequence=sequence,
            **texts,
        )
    except SchemaError:
        raise
    except KeyError as error:
        raise SchemaError(f"the envelope has no {error.args[0]}") from error
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise SchemaError(f"the envelope is malformed: {error}") from error


def _decode_data(type_: Any, data: Any) -> Any:
    if type(type_) is not str:
        raise SchemaError("type is not text")
    if type_.endswith(REPLY_SUFFIX):
        return _decode_reply(data)
    contract = by_type.get(type_)
    if contract is None:
        raise SchemaError(f"{type_} is declared nowhere in fleet/contracts")
    return contract.decode(data)


def _decode_reply(data: Any) -> Reply:
    if type(data) is not dict or type(data.get("to")) is not str:
        raise SchemaError("a reply must be an object that names the message it answers")
    result, problem = data.get("result"), data.get("problem")
    if (type(result) is dict) == (type(problem) is dict):
        raise SchemaError("a reply carries either a result or a problem")
    return Reply(data["to"], result, problem)


def read_answer(type_: str, reply: Reply) -> Any:
    """The typed answer to a question or command of `type_`; None when its contract has none. Raises SchemaError."""
    decode_answer = by_type[type_].decode_answer
    return decode_answer(reply.result) if decode_answer and reply.result is not None else None


def envelope_for(message: Any, *, source: str, **attributes: Any) -> Envelope[Any]:
    """Wrap a declared message; `attributes` are those of Envelope (subject, sequence, correlation_id ...)."""
    contract = contract_of(message)
    return Envelope(
        id=new_id(), source=source, type=contract.type, time=now(), data=message, **{"subject": None, **attributes}
    )
