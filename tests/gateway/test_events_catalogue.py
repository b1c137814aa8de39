"""The catalogue of public events: current, whole, true to what is published, and a page without a script."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.validators import validator_for

from fleet import asyncapi
from fleet.contracts import by_type
from fleet.messages import encode, envelope_for
from gateway.event_page import page
from tests.conftest import ROOT
from tests.gateway.fleet import Fleet

DOCUMENT: dict[str, Any] = json.loads(asyncapi.PATH.read_bytes())
PUBLIC = sorted(type_ for type_, contract in by_type.items() if contract.public)


def validator(type_: str) -> Draft202012Validator:
    """What holds an event as it travels against the catalogue."""
    [name] = DOCUMENT["channels"][type_]["messages"]
    payload = DOCUMENT["components"]["messages"][name]["payload"]
    return Draft202012Validator({**payload, "components": DOCUMENT["components"]}, format_checker=FormatChecker())


@pytest.mark.static
def test_the_committed_catalogue_is_current():
    assert asyncapi.PATH.read_bytes() == asyncapi.render(), "run `make openapi` and commit gateway/events/asyncapi.json"


def test_it_names_every_public_event_and_no_other():
    assert sorted(DOCUMENT["channels"]) == PUBLIC
    assert {each["channel"]["$ref"].rsplit("/", 1)[1] for each in DOCUMENT["operations"].values()} == set(PUBLIC)


def test_every_reference_leads_somewhere():
    text = asyncapi.PATH.read_text(encoding="utf-8")
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', text))
    assert references
    for reference in references:
        node: Any = DOCUMENT
        for part in reference.split("/"):
            node = node[part]


@pytest.mark.parametrize("type_", PUBLIC)
def test_what_is_published_is_what_the_catalogue_says(type_):
    """The golden sample in its envelope, as it goes out, and the example that readers are shown."""
    sample = json.loads((ROOT / "tests/contracts" / f"{type_}.json").read_bytes())
    message = by_type[type_].decode(sample)
    sent = json.loads(encode(envelope_for(message, source=by_type[type_].owner, subject="x", sequence=3)))
    [name] = DOCUMENT["channels"][type_]["messages"]
    example = DOCUMENT["components"]["messages"][name]["examples"][0]["payload"]
    for payload in (sent, example):
        assert list(validator(type_).iter_errors(payload)) == []
    wrong = {**sent, "data": {}}
    assert list(validator(type_).iter_errors(wrong)), "a schema that allows everything says nothing"


def test_schemas_are_schemas():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        validator_for(schema, Draft202012Validator).check_schema(schema)
        assert schema["properties"], name


class Elements(HTMLParser):
    """The elements and the targets of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        self.ids |= {given["id"]} if given.get("id") else set()
        self.links |= {value for name in ("href", "src") if (value := given.get(name))}


def test_the_page_shows_every_event_and_asks_nobody_else():
    found = Elements()
    found.feed(page(DOCUMENT))
    assert set(PUBLIC) <= found.ids
    assert {f"#{type_}" for type_ in PUBLIC} <= found.links
    assert "script" not in found.tags
    assert all(link.startswith(("/api/", "#", "data:,")) for link in found.links)


def test_the_page_escapes_what_it_shows():
    altered = json.loads(json.dumps(DOCUMENT))
    altered["components"]["messages"]["ActivityLogged"]["summary"] = "<img src=x onerror=alert(1)>"
    assert "<img" not in page(altered)


def test_the_gateway_serves_both_to_anybody(fleet: Fleet):
    document = fleet.gateway.get("/api/events/asyncapi.json")
    assert (document.status, document.header("Content-Type")) == (200, "application/json")
    assert document.json == DOCUMENT
    for path in ("/api/events/docs", "/api/events/docs/"):
        answer = fleet.gateway.get(path)
        assert (answer.status, answer.header("Content-Type")) == (200, "text/html; charset=utf-8")
        assert "style-src 'self'" in (answer.header("Content-Security-Policy") or "")
    assert fleet.gateway.get("/api/events/docs/page.css").status == 200
    assert fleet.gateway.get("/api/events/docs/nothing.css").status == 404
