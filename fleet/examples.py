"""Examples for the API documents, derived from the schemas they illustrate: nothing to keep up to date by hand.

A property's name says most about it (`username`, `cursor`), its schema the rest. Every example is an instance of its
schema; a test holds each against it.
"""

from typing import Any

Schema = dict[str, Any]

# What a property of that name looks like, where its schema allows it.
SAMPLES: dict[str, Any] = {
    "access": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.e30.c2lnbmF0dXJl",
    "action": "suspended",
    "activity": "resource_share",
    "activity_type": "resource_share",
    "category": "content",
    "code": "resource_share",
    "content_type": "image/png",
    "current_password": "correct horse battery",
    "description": "Slides of the systems design talk, with my notes",
    "detail": "What happened, and what to do next.",
    "discord_id": "283940156724183041",
    "discord_username": "ada.l",
    "display_name": "Ada",
    "email": "ada@example.org",
    "first_name": "Ada",
    "graduation_year": 2028,
    "instance": "/api/things/",
    "label": "Careers fair, day one",
    "last_name": "Lovelace",
    "locale": "en-GB",
    "major": "Mathematics",
    "message": "Done.",
    "name": "Resource Share",
    "new_password": "staple battery horse",
    "next_cursor": None,
    "note": "Well done",
    "password": "correct horse battery",
    "points": 10,
    "q": "ada",
    "reason": "Three reports of spam",
    "refresh": "9vXnVtBqTn0hJ2c3mXk5",
    "role": "student",
    "rule": "10 points, when staff approve it",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "status": "pending",
    "time_zone": "Europe/London",
    "token": "2fH7pQz0vKcW",
    "track": "tech",
    "university": "University of Leeds",
    "url": "https://example.org/slides",
    "username": "ada",
}
_FORMATS: dict[str, str] = {
    "uuid": "0192f0c1-7b2e-7cc3-9a5d-4f1e2d3c4b5a",
    "date-time": "2026-11-23T14:30:00Z",
    "date": "2026-11-23",
    "email": "ada@example.org",
    "uri": "https://example.org/",
    "url": "https://example.org/",
}
_DEEPEST = 6


def example(schema: Schema, schemas: dict[str, Schema], name: str = "", depth: int = 0) -> Any:
    """An instance of `schema`, whose references lead into `schemas` (the document's components).

    `name` is that of the property that holds it. Optional properties are there too, so that a reader sees them all.
    """
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rsplit("/", 1)[-1]], schemas, name, depth)
    for way in ("example", "const"):
        if way in schema:
            return schema[way]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example(schema[choice][0], schemas, name, depth)
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds if isinstance(kinds, str) else next((each for each in kinds if each != "null"), "null")
    if "enum" in schema:
        sample = SAMPLES.get(name)
        return sample if sample in schema["enum"] else schema["enum"][0]
    if kind == "object":
        inner = schema.get("properties", {}) if depth < _DEEPEST else {}
        return {key: example(value, schemas, key, depth + 1) for key, value in inner.items()}
    if kind == "array":
        wanted = max(1, schema.get("minItems", 1)) if depth < _DEEPEST else schema.get("minItems", 0)
        return [example(schema["items"], schemas, name.removesuffix("s"), depth + 1) for _ in range(wanted)]
    if name == "next_cursor" and "null" in kinds:
        return None
    return _scalar(schema, kind, name)


def _scalar(schema: Schema, kind: str, name: str) -> Any:
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        low, high = schema.get("minimum", -(2**53)), schema.get("maximum", 2**53)
        sample = SAMPLES.get(name)
        wanted = sample if type(sample) is int else 1
        return min(max(wanted, low), high)
    if kind == "null":
        return None
    if "format" in schema and schema["format"] in _FORMATS:
        return _FORMATS[schema["format"]]
    sample = SAMPLES.get(name)
    text = sample if isinstance(sample, str) else name.replace("_", " ") or "text"
    text = text[: schema.get("maxLength", len(text))]
    return text.ljust(schema.get("minLength", 0), "x")
