"""The envelope and the codec: what fits travels unchanged, what does not is named and refused."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.contracts import by_type
from fleet.contracts.codec import SchemaError, compile_decoder, json_schema
from fleet.contracts.points import ActivityLogged, LogActivity
from fleet.messages import decode, encode, envelope_for, new_id, now, to_json

DEED = LogActivity(new_id(), "discord_activity", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "ref")


def wire(**changes: Any) -> bytes:
    body = json.loads(encode(envelope_for(DEED, source="bot", subject="s", reply_to="bot")))
    for key, value in changes.items():
        if value is None:
            del body[key]
        else:
            body[key] = value
    return json.dumps(body).encode()


def test_a_message_arrives_as_it_was_sent():
    sent = envelope_for(
        DEED, source="bot", subject="s", sequence=3, correlation_id="c", reply_to="bot", traceparent="t"
    )
    assert decode(encode(sent)) == sent


def test_times_travel_in_utc_with_z():
    assert json.loads(encode(envelope_for(DEED, source="bot")))["data"]["occurred_at"] == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        wire(type=None),
        wire(type=7),
        wire(type="points.no_such_thing.v1"),
        wire(id=None),
        wire(id="7"),
        wire(time="yesterday"),
        wire(time="2026-01-02T03:04:05"),
        wire(data=None),
        wire(data=[]),
        wire(data={}),
        wire(sequence="3"),
        wire(subject=4),
        wire(replyto=["bot"]),
        wire(data={**to_json(DEED), "member_id": "me"}),
        wire(data={**to_json(DEED), "activity": 5}),
        wire(data={**to_json(DEED), "reference": "a\x00b"}),
        wire(data={**to_json(DEED), "occurred_at": "2026-01-02"}),
        wire(type="bot.answered.v1", data={"to": "x"}),
        wire(type="bot.answered.v1", data={"to": "x", "result": {}, "problem": {}}),
    ],
)
def test_what_is_no_message_of_the_fleet_is_a_schema_error(body):
    with pytest.raises(SchemaError):
        decode(body)


def test_unknown_fields_of_a_newer_sender_are_ignored():
    assert decode(wire(data={**to_json(DEED), "mood": "good"})).data == DEED


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_whatever_raise_anything_but_a_schema_error(body):
    with pytest.raises(SchemaError):
        decode(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(by_type)), st.dictionaries(st.text(max_size=9), JSON), st.data())
def test_decoders_survive_any_json(type_, extra, data):
    contract = by_type[type_]
    fields = {name: data.draw(JSON) for name in contract.message.__dataclass_fields__}
    try:
        contract.decode(extra | fields)
    except SchemaError:
        return


@dataclass(frozen=True)
class Inner:
    kind: Literal["a", "b"]


@dataclass(frozen=True)
class Everything:
    count: int
    ratio: float
    flag: bool
    inner: Inner
    several: list[Inner]
    table: dict[str, int]
    maybe: UUID | None = None


GOOD = {"count": 1, "ratio": 2, "flag": True, "inner": {"kind": "a"}, "several": [{"kind": "b"}], "table": {"x": 1}}


def test_every_kind_of_field_is_decoded():
    found = compile_decoder(Everything)(GOOD)
    assert found == Everything(1, 2.0, True, Inner("a"), [Inner("b")], {"x": 1})


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"count": True}, "/count"),
        ({"count": 1.0}, "/count"),
        ({"count": 2**60}, "/count"),
        ({"flag": 1}, "/flag"),
        ({"inner": {"kind": "c"}}, "/inner/kind"),
        ({"several": [{"kind": "a"}, {}]}, "/several/1/kind"),
        ({"table": {"x": "1"}}, "/table/x"),
        ({"maybe": "no"}, "/maybe"),
    ],
)
def test_an_error_names_the_field(change, where):
    with pytest.raises(SchemaError, match=f"^{where}:"):
        compile_decoder(Everything)(GOOD | change)


def test_the_schema_says_what_the_decoder_checks():
    schema = json_schema(Everything)
    assert schema["required"] == ["count", "ratio", "flag", "inner", "several", "table"]
    assert schema["properties"]["inner"]["properties"]["kind"] == {"enum": ["a", "b"]}
    assert schema["properties"]["maybe"] == {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}


def test_ids_of_messages_are_random_and_ordered_by_time():
    ids = [new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert {found.version for found in ids} == {7}


def test_public_events_carry_no_personal_field():
    personal = {"display_name", "email", "discord_id", "discord_username", "first_name", "last_name", "note", "details"}
    for contract in by_type.values():
        if contract.public:
            assert not personal & set(contract.message.__dataclass_fields__), contract.type


def test_now_is_utc():
    assert now().tzinfo is UTC
    assert ActivityLogged.__dataclass_fields__["points"].type in (int, "int")
