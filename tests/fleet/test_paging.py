"""Cursors: what went in comes out, and nothing else gets in."""

import base64
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.contracts.codec import instant
from fleet.messages import new_id, now
from fleet.paging import decode_cursor, encode_cursor, page
from fleet.problems import InvalidFields

KEY = (5, datetime(2026, 3, 4, 12, tzinfo=UTC), UUID(int=7))
KINDS = (int, instant, UUID)
CURSOR = encode_cursor(*KEY)


@given(
    st.integers(-(2**63), 2**63 - 1),
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
    st.text(st.characters(exclude_categories=("Cs",))),
)
def test_what_went_in_comes_out(number, moment, id_, text):
    cursor = encode_cursor(number, moment.isoformat(), id_, text)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    assert decode_cursor(cursor, int, instant, UUID, str) == (number, moment, id_, text)


def test_without_a_cursor_there_is_no_key():
    assert decode_cursor(None, *KINDS) is None


@given(st.text(max_size=60))
def test_any_text_is_a_cursor_or_refused(text):
    try:
        found = decode_cursor(text, *KINDS)
    except InvalidFields as problem:
        assert problem.extras["errors"][0]["pointer"] == "/cursor"
    else:
        assert encode_cursor(*found) == text


@given(st.integers(0, len(CURSOR) - 1), st.sampled_from("ABab09-_!=+/ \n\x00é"))
def test_a_changed_character_never_gets_past_the_kinds(position, character):
    changed = CURSOR[:position] + character + CURSOR[position + 1 :]
    try:
        found = decode_cursor(changed, *KINDS)
    except InvalidFields:
        return
    assert [type(part) for part in found] == [int, datetime, UUID]
    assert found[1].tzinfo is UTC


@pytest.mark.parametrize(
    "json",
    [
        "",
        "5",
        "null",
        "{}",
        "[]",
        '"x"',
        "[5]",
        "[5,6,7,8]",
        "[1e999]",
        "[" * 5000,
        '{"0":5}',
        '["5","2026-03-04T12:00:00+00:00","00000000-0000-0000-0000-000000000007"]',
        '[5.0,"2026-03-04T12:00:00+00:00","00000000-0000-0000-0000-000000000007"]',
        '[true,"2026-03-04T12:00:00+00:00","00000000-0000-0000-0000-000000000007"]',
        '[5,"2026-03-04T12:00:00Z","00000000-0000-0000-0000-000000000007"]',
        '[5,"2026-03-04T12:00:00","00000000-0000-0000-0000-000000000007"]',
        '[5,"2026-03-04T13:00:00+01:00","00000000-0000-0000-0000-000000000007"]',
        '[5,"9999-12-31T23:59:59-12:00","00000000-0000-0000-0000-000000000007"]',
        '[5,"2026-03-04T12:00:00+00:00","{00000000-0000-0000-0000-000000000007}"]',
        '[5, "2026-03-04T12:00:00+00:00", "00000000-0000-0000-0000-000000000007"]',
    ],
)
def test_json_of_another_hand_is_refused(json):
    cursor = base64.urlsafe_b64encode(json.encode()).rstrip(b"=").decode()
    with pytest.raises(InvalidFields):
        decode_cursor(cursor, *KINDS)


@pytest.mark.parametrize(
    "cursor", [CURSOR + "=", CURSOR + "!", " " + CURSOR, CURSOR + "\n", CURSOR * 2, CURSOR[1:], "é"]
)
def test_a_decorated_cursor_is_refused(cursor):
    assert decode_cursor(CURSOR, *KINDS) == KEY
    with pytest.raises(InvalidFields):
        decode_cursor(cursor, *KINDS)


def test_the_last_page_has_no_cursor():
    rows = [(now(), new_id()) for _ in range(3)]
    assert page(rows, 3, lambda row: row) == (rows, None)
    assert page([], 3, lambda row: row) == ([], None)
    items, cursor = page(rows, 2, lambda row: row)
    assert (items, decode_cursor(cursor, instant, UUID)) == (rows[:2], rows[1])
