"""What breaks a client is named; what does not is let through."""

from copy import deepcopy
from typing import Any

import pytest

from tests.api_changes import breaking


def document() -> dict[str, Any]:
    thing = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "maxLength": 20},
            "kind": {"type": ["string", "null"], "enum": ["a", "b", None]},
            "inner": {"$ref": "#/components/schemas/Inner"},
        },
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
    limit = {"in": "query", "name": "limit", "required": False, "schema": {"type": "integer", "maximum": 100}}
    operation = {
        "parameters": [limit],
        "requestBody": {"content": content},
        "responses": {"201": {"content": content}, "404": {}},
    }
    inner = {"type": "object", "properties": {"count": {"type": "integer"}}}
    return {
        "paths": {"/things/": {"post": operation}, "/open/": {"get": {"responses": {"200": {}}}}},
        "components": {"schemas": {"Thing": thing, "Inner": inner}},
    }


def changed(change: Any) -> list[str]:
    new = deepcopy(document())
    change(new, new["paths"]["/things/"]["post"], new["components"]["schemas"]["Thing"])
    return breaking(document(), new)


def test_the_same_breaks_nothing():
    assert changed(lambda *_: None) == []


def harmless(new: Any, operation: Any, thing: Any) -> None:
    new["paths"]["/more/"] = {"get": {"responses": {"200": {}}}}
    operation["responses"]["202"] = {}
    operation["parameters"].append({"in": "query", "name": "q", "schema": {"type": "string"}})
    thing["properties"]["colour"] = {"type": "string"}
    thing["properties"]["name"]["maxLength"] = 30
    thing["properties"]["kind"]["enum"].append("c")


def test_more_of_everything_breaks_nothing():
    assert changed(harmless) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda new, *_: new["paths"].pop("/open/"), "GET /open/ is gone"),
        (lambda new, *_: new["paths"]["/open/"]["get"].update(security=[{}]), "GET /open/ asks for a token now"),
        (lambda _, o, __: o["parameters"].pop(), "POST /things/: the query parameter limit is gone"),
        (
            lambda _, o, __: o["parameters"][0]["schema"].update(maximum=50),
            "POST /things/: the query parameter limit has maximum 50 now",
        ),
        (
            lambda _, o, __: o["parameters"][0].update(required=True),
            "POST /things/: the query parameter limit is required now",
        ),
        (lambda _, o, __: o["responses"].pop("201"), "POST /things/ does not answer 201 any more"),
        (lambda _, __, t: t["required"].append("kind"), "POST /things/: kind is required now"),
        (lambda _, __, t: t["properties"].pop("kind"), "POST /things/: kind is not taken any more"),
        (lambda _, __, t: t["properties"].pop("kind"), "POST /things/ 201: kind is not answered any more"),
        (lambda _, __, t: t["properties"]["name"].update(maxLength=10), "POST /things/: name has maxLength 10 now"),
        (lambda _, __, t: t["properties"]["name"].update(pattern="^x"), "POST /things/: name must look like ^x now"),
        (
            lambda _, __, t: t["properties"]["kind"].update(enum=["a"]),
            "POST /things/: kind does not take b, None any more",
        ),
        (
            lambda _, __, t: t["properties"]["kind"].update(type="string"),
            "POST /things/: kind may not be null any more",
        ),
        (
            lambda _, __, t: t["properties"]["name"].update(type=["string", "null"]),
            "POST /things/ 201: name may be null now",
        ),
        (
            lambda new, *_: new["components"]["schemas"]["Inner"]["properties"].pop("count"),
            "POST /things/ 201: inner: count is not answered any more",
        ),
    ],
)
def test_what_a_client_would_notice_is_named(change, sentence):
    assert sentence in changed(change)
