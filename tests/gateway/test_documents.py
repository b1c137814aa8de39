"""One document of the whole API and the page that shows it, served by the gateway itself."""

import json
import re
from copy import deepcopy

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gateway.documents import Clash, committed, merged
from gateway.render import SERVICES

DOCUMENT = merged(committed(SERVICES))


def test_the_document_is_openapi_and_has_every_operation_of_every_service():
    validate(DOCUMENT)
    theirs = {
        operation["operationId"]
        for document in committed(SERVICES).values()
        for item in document["paths"].values()
        for operation in item.values()
    }
    ours = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert sorted(ours) == sorted(theirs)


def test_every_body_has_an_example_that_its_schema_allows():
    resolved = {"$defs": {}, "components": DOCUMENT["components"]}
    checked = 0
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            for body in (operation.get("requestBody", {}), *operation["responses"].values()):
                for kind, content in body.get("content", {}).items():
                    if kind != "application/json":
                        continue
                    problems = list(
                        Draft202012Validator({**resolved, **content["schema"]}).iter_errors(content["example"])
                    )
                    assert not problems, f"{method} {path}: {problems[0].message} at {list(problems[0].path)}"
                    checked += 1
    assert checked > 90
    for refusal in DOCUMENT["components"]["responses"].values():
        content = refusal["content"]["application/problem+json"]
        assert not list(Draft202012Validator({**resolved, **content["schema"]}).iter_errors(content["example"]))


def test_every_operation_says_who_may_call_it_and_its_service():
    services = {tag["name"] for tag in DOCUMENT["tags"]}
    for item in DOCUMENT["paths"].values():
        for operation in item.values():
            assert re.search(r"Who may call it: \w", operation["description"])
            assert set(operation["tags"]) <= services
            assert operation["summary"].endswith(".")


def test_two_services_may_not_claim_one_path():
    documents = committed(("users", "points"))
    documents["rewards"] = deepcopy(documents["users"])
    with pytest.raises(Clash, match=r"rewards: path /\S+ is another service's too"):
        merged(documents)


def test_schemas_of_one_name_stay_apart():
    one = {
        "info": {"title": "one"},
        "paths": {"/one": {"$ref": "#/components/schemas/Thing"}},
        "components": {"schemas": {"Thing": {"type": "string"}, "Problem": {}}},
    }
    two = deepcopy(one) | {"paths": {"/two": {"$ref": "#/components/schemas/Thing"}}}
    two["components"]["schemas"]["Thing"] = {"type": "integer"}
    found = merged({"one": one, "two": two})
    assert set(found["components"]["schemas"]) == {"one.Thing", "two.Thing", "Problem"}
    assert found["paths"]["/two"]["$ref"] == "#/components/schemas/two.Thing"


def test_the_gateway_serves_the_document(fleet):
    answer = fleet.gateway.get("/api/openapi.json")
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    assert json.loads(answer.body) == DOCUMENT
    assert fleet.hits() == {}


@pytest.mark.parametrize("path", ["/api/docs/", "/api/docs"])
def test_the_page_and_all_that_it_loads_come_from_the_gateway(fleet, path):
    page = fleet.gateway.get(path)
    assert (page.status, page.header("content-type")) == (200, "text/html; charset=utf-8")
    assert "script-src 'self'" in page.header("content-security-policy")
    assert "unsafe-inline' 'unsafe-eval'" not in page.header("content-security-policy")
    loaded = re.findall(r'(?:src|href)="(/api/docs/[^"]+)"', page.body.decode())
    assert len(loaded) == 4
    for asset in loaded:
        found = fleet.gateway.get(asset)
        assert found.status == 200, asset
        assert found.header("content-type").split(";")[0] in ("text/css", "application/javascript")
        assert found.header("x-content-type-options") == "nosniff"
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.body.decode())


@pytest.mark.parametrize(
    "path", ["/api/docs/../health.json", "/api/docs/nothing.js", "/api/docs/%2e%2e/docs.json", "/api/docs/x/"]
)
def test_nothing_else_is_served_there(fleet, path):
    answer = fleet.gateway.get(path)
    assert answer.status == 404
    assert answer.header("content-type") == "application/problem+json"
