"""Keyset paging: `limit` and an opaque `cursor` in, `{items, next_cursor}` out.

A cursor holds the sort key of the last row seen, so a page costs the same wherever it is, and rows that arrive
meanwhile neither repeat nor hide others.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson

from fleet.problems import invalid

T = TypeVar("T")

DEFAULT, MAXIMUM = 50, 100


def encode_cursor(*key: Any) -> str:
    """An opaque, URL-safe text of the sort key (numbers, texts, times, UUIDs)."""
    return base64.urlsafe_b64encode(orjson.dumps(key, default=str)).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, *kinds: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    """The sort key in `cursor`, each part passed through its kind; None without a cursor.

    Raises InvalidFields for anything that `encode_cursor` did not make.
    """
    if cursor is None:
        return None
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
        if type(parts) is not list or len(parts) != len(kinds):
            raise ValueError("wrong shape")
        key = tuple(kind(part) for kind, part in zip(kinds, parts, strict=True))
        # base64 skips foreign characters and the kinds are lenient (True is 1, too); what we write has one form.
        if encode_cursor(*key) != cursor:
            raise ValueError("not as we write it")
        return key
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error) as error:
        raise invalid("/cursor", "not a cursor of this list; start again without one") from error


def page(rows: Sequence[T], limit: int, key: Callable[[T], tuple[Any, ...]]) -> tuple[list[T], str | None]:
    """Split `limit + 1` fetched rows into a page and the cursor of the next one (None on the last page)."""
    items = list(rows[:limit])
    return items, encode_cursor(*key(items[-1])) if len(rows) > limit else None
