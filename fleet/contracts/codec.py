"""Decoders and JSON Schemas compiled from the annotations of frozen dataclasses.

A generic validation library took ten times as long per message in our measurements; messages are the hot path, and the
annotations say all there is to check. Unknown fields are ignored (a newer sender), missing optional ones take their
default, and anything else that does not fit raises SchemaError naming the field.
"""

import dataclasses
import types
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

Decoder = Callable[[Any], Any]


class SchemaError(ValueError):
    """A message that does not fit its declaration; says which field and why."""


def _fail(path: str, expected: str, value: Any) -> typing.NoReturn:
    raise SchemaError(f"{path}: expected {expected}, got {type(value).__name__}")


def _text(value: Any, path: str) -> str:
    if type(value) is not str:
        _fail(path, "text", value)
    if "\x00" in value:
        raise SchemaError(f"{path}: holds a NUL character")
    return value


def _integer(value: Any, path: str) -> int:
    if type(value) is not int:
        _fail(path, "a whole number", value)
    if not -(2**53) < value < 2**53:
        raise SchemaError(f"{path}: out of range")
    return value


def _number(value: Any, path: str) -> float:
    if type(value) not in (int, float):
        _fail(path, "a number", value)
    return float(value)


def _flag(value: Any, path: str) -> bool:
    if type(value) is not bool:
        _fail(path, "true or false", value)
    return value


def _uuid(value: Any, path: str) -> UUID:
    try:
        return UUID(_text(value, path))
    except ValueError as error:
        raise SchemaError(f"{path}: not a UUID") from error


def instant(text: str) -> datetime:
    """The UTC instant of an RFC 3339 text; ValueError when it is none or carries no offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment.astimezone(UTC)


def _datetime(value: Any, path: str) -> datetime:
    try:
        return instant(_text(value, path))
    except (ValueError, OverflowError) as error:
        raise SchemaError(f"{path}: not an RFC 3339 time with an offset") from error


def _date(value: Any, path: str) -> date:
    try:
        return date.fromisoformat(_text(value, path))
    except ValueError as error:
        raise SchemaError(f"{path}: not a date") from error


def _anything(value: Any, _path: str) -> Any:
    return value


_PLAIN: dict[Any, tuple[Callable[[Any, str], Any], dict[str, Any]]] = {
    str: (_text, {"type": "string"}),
    int: (_integer, {"type": "integer"}),
    float: (_number, {"type": "number"}),
    bool: (_flag, {"type": "boolean"}),
    UUID: (_uuid, {"type": "string", "format": "uuid"}),
    datetime: (_datetime, {"type": "string", "format": "date-time"}),
    date: (_date, {"type": "string", "format": "date"}),
    Any: (_anything, {}),
}


def _compile(kind: Any) -> Callable[[Any, str], Any]:
    if kind in _PLAIN:
        return _PLAIN[kind][0]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        (inner_kind,) = (a for a in arguments if a is not type(None))
        inner = _compile(inner_kind)
        return lambda value, path: None if value is None else inner(value, path)
    if origin is typing.Literal:
        return _one_of(arguments)
    if origin in (list, tuple):
        return _sequence(_compile(arguments[0]), origin)
    if origin is dict:
        return _mapping(_compile(arguments[1]))
    if dataclasses.is_dataclass(kind):
        return _record(typing.cast(type, kind))
    raise TypeError(f"messages cannot carry {kind!r}; see _PLAIN in {__name__} for what they can")


def _one_of(allowed: tuple[Any, ...]) -> Callable[[Any, str], Any]:
    def decode(value: Any, path: str) -> Any:
        if value not in allowed or isinstance(value, bool):
            raise SchemaError(f"{path}: must be one of {', '.join(map(str, allowed))}")
        return value

    return decode


def _sequence(inner: Callable[[Any, str], Any], kind: type) -> Callable[[Any, str], Any]:
    def decode(value: Any, path: str) -> Any:
        if type(value) is not list:
            _fail(path, "a list", value)
        return kind(inner(item, f"{path}/{index}") for index, item in enumerate(value))

    return decode


def _mapping(inner: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def decode(value: Any, path: str) -> Any:
        if type(value) is not dict:
            _fail(path, "an object", value)
        return {key: inner(item, f"{path}/{key}") for key, item in value.items()}

    return decode


def _record(cls: type) -> Callable[[Any, str], Any]:
    kinds = typing.get_type_hints(cls)
    fields = [
        (f.name, _compile(kinds[f.name]), f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING)
        for f in dataclasses.fields(cls)
    ]

    def decode(value: Any, path: str) -> Any:
        if type(value) is not dict:
            _fail(path or "/", "an object", value)
        found = {}
        for name, inner, required in fields:
            if name in value:
                found[name] = inner(value[name], f"{path}/{name}")
            elif required:
                raise SchemaError(f"{path}/{name}: missing")
        return cls(**found)

    return decode


def compile_decoder(cls: type) -> Decoder:
    """A function from parsed JSON to an instance of `cls`; it raises SchemaError."""
    decode = _record(cls)
    return lambda value: decode(value, "")


def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an annotation, for AsyncAPI and for subscribers."""
    if kind in _PLAIN:
        return dict(_PLAIN[kind][1])
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [{"type": "null"} if a is type(None) else json_schema(a) for a in arguments]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (list, tuple):
        return {"type": "array", "items": json_schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": json_schema(arguments[1])}
    kinds = typing.get_type_hints(kind)
    required = [
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    properties = {f.name: json_schema(kinds[f.name]) for f in dataclasses.fields(kind)}
    return {"type": "object", "properties": properties, "required": required}
