"""Reading the JSON body of a request: what is not JSON, is ambiguous, too deep or cannot be kept is refused."""

import json
import math
from typing import Any

from flask import request

from fleet.problems import Unreadable

MAX_DEPTH = 32


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("A key appears twice in one object of the body.")
    return found


def _refuse_constant(name: str) -> Any:
    raise Unreadable(f"{name} is not JSON.")


def read_json() -> Any:
    """The JSON body of the request; Unreadable for what is not JSON, is too deep, too large, or holds what cannot be kept.

    No body at all, and no word on what it would be, is an object without fields: many a route has only optional ones.
    """
    if not request.content_type and not request.get_data():
        return {}
    if request.mimetype != "application/json":
        problem = Unreadable("Send the body as application/json.")
        problem.status, problem.slug = 415, "unsupported-media-type"
        raise problem
    raw = request.get_data()
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable("The body is not valid JSON in UTF-8.") from error
    _check(found, 1)
    return found


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH and isinstance(value, dict | list):
        raise Unreadable(f"The body is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        if "\x00" in value or any(0xD800 <= ord(character) <= 0xDFFF for character in value):
            raise Unreadable("A text in the body holds a NUL or half of a surrogate pair.")
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int | float):
        # Compared first: a whole number of 400 digits does not fit into what isfinite takes.
        if abs(value) > 2**53 or not math.isfinite(value):
            raise Unreadable("A number in the body is beyond what JSON readers agree on (2^53).")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check(key, depth)
            _check(inner, depth + 1)
    else:
        for inner in value:
            _check(inner, depth + 1)
