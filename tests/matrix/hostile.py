"""The catalogue of bad input: what every door is sent in place of what it expects. Rows are added, never taken away."""

import json
from typing import Any

JSON = "application/json"

# (content type, bytes): none of these is a body that any route could mean.
UNREADABLE: list[tuple[str | None, bytes]] = [
    (JSON, b""),
    (JSON, b"null"),
    (JSON, b"[]"),
    (JSON, b'"text"'),
    (JSON, b"5"),
    (JSON, b"{"),
    (JSON, b"{}}"),
    (JSON, b"{'a': 1}"),
    (JSON, b'{"a": NaN}'),
    (JSON, b'{"a": -Infinity}'),
    (JSON, b'{"a": 1e400}'),
    (JSON, b'{"a": ' + b"9" * 400 + b"}"),
    (JSON, b'{"a": "\\u0000"}'),
    (JSON, b'{"a": "\\ud800"}'),
    (JSON, b'{"a": "\xff"}'),
    (JSON, b"\xef\xbb\xbf{}"),
    (JSON, "{}".encode("utf-16")),
    (JSON, b"\x1f\x8b\x08\x00\x00"),
    (JSON, b"[" * 10_000),
    (JSON, b'{"a":' * 40 + b"1" + b"}" * 40),
    (JSON, b"{" + b",".join(b'"%d":1' % number for number in range(10_000)) + b"}"),
    (JSON, b'{"a": "' + b"x" * 2**20 + b'"}'),
    (None, b"{}"),
    ("text/plain", b"{}"),
    ("application/x-www-form-urlencoded", b"a=1"),
    ("multipart/form-data; boundary=x", b"--x--\r\n"),
    ("application/json5", b"{}"),
]

NUMBERS: list[Any] = [0, -1, 1.5, "5", True, False, 2**31, 2**53, -(2**53), -0.0, 1e300, "１２", "1e3", " 5 ", "NaN"]

TEXTS: list[Any] = [
    "",
    " ",
    "\n",
    "x" * 100_000,
    "\u202eevil",
    "zero\u200bwidth",
    "аdmin",
    "ADMIN",
    "Z̸̢̛a̴l̵g̶o̷",
    "👩‍👩‍👧‍👦" * 20,
    "a\r\nBcc: eve@example.org",
    "a\r\nSet-Cookie: a=b",
    "\x1b[31mred",
    "\x7f",
    "<script>alert(1)</script>",
    "' OR '1'='1",
    "'; DROP TABLE members; --",
    "%",
    "_%_",
    "\\",
    "{{7*7}}",
    "${jndi:ldap://127.0.0.1/a}",
    "%s%n%x",
    "../../etc/passwd",
    "=HYPERLINK(1)",
    "@everyone",
    "<@123456789012345678>",
    "```",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "http://[::1]:1/",
]

IDS: list[Any] = [
    "me",
    "0",
    -1,
    "00000000-0000-0000-0000-000000000000",
    "{0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f}",
    "urn:uuid:0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f",
    "0199B3F1-5F4E-7C3A-9D1E-3A4B5C6D7E8F",
    "0199b3f15f4e7c3a9d1e3a4b5c6d7e8f",
]

TIMES: list[Any] = [
    "2026-02-30T00:00:00Z",
    "2026-06-30T23:59:60Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "+275760-09-13T00:00:00Z",
    "2026-03-04T12:00:00",
    "2026-03-04T25:00:00Z",
    "2026-03-04T12:00:00+99:00",
    "tomorrow",
]

KINDS: list[Any] = [None, [], {}, [None], ["x", "x"], {"a": 1}, {"$gt": ""}, [[[]]]]

VALUES: list[Any] = NUMBERS + TEXTS + IDS + TIMES + KINDS

# In a path, in place of an id.
PATHS = [
    "me",
    "0",
    "-1",
    "null",
    "undefined",
    "%00",
    "%2e%2e",
    "..%2f..%2fprofile",
    "a%2fb",
    "%ff",
    "é",
    "{0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f}",
    "urn:uuid:0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f",
    "0199b3f15f4e7c3a9d1e3a4b5c6d7e8f",
    "0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8g",
    "' OR 1=1--",
    "x" * 5000,
]


def name_of(value: Any) -> str:
    """A short name of a value for a failure's message."""
    return json.dumps(value)[:50]
