"""OpenAPI 3.1 documents from the operations that views declare; one committed file a service.

`python -m fleet.openapi points` writes `services/points/openapi.json`; a test fails while the file is not current.
"""

import importlib
import inspect
import re
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask

from fleet import problems
from fleet.examples import example
from fleet.web import ANYONE, INTEGRATOR, MEMBER, SIGNED, Derived, Operation

_REASONS = {
    302: "go on at Location",
    400: "cannot be read",
    401: "no valid token",
    403: "not entitled",
    404: "not found",
    409: "conflicts with the present state",
    413: "the body is too large",
    414: "the address with its parameters is too long",
    415: "the body is not of the kind that is wanted",
    422: "a field or parameter is not valid",
    429: "too many requests; see Retry-After",
    502: "another party's answer is not valid",
    503: "a part that is needed does not answer; see Retry-After",
}
_USUAL = {
    problem.status: problem
    for problem in (
        *(problems.Unreadable, problems.Unauthorized, problems.Forbidden, problems.NotFound),
        *(problems.InvalidFields, problems.TooManyRequests, problems.Unavailable),
    )
}
_API_KEY = {"type": "http", "scheme": "bearer", "description": "An API key of an integrator: propel_..."}
_SIGNATURE = {
    "type": "apiKey",
    "in": "header",
    "name": "X-Propel-Signature",
    "description": "Hexadecimal HMAC-SHA256, by the shared secret, of `v1`, X-Propel-Timestamp, X-Propel-Nonce and the body,"
    " with line feeds between them; X-Propel-Key-Id names the secret. Good for five minutes, and once.",
}
# How who calls an operation is known: by name of the security scheme.
_SCHEMES = {INTEGRATOR: ("api_key", _API_KEY), SIGNED: ("signature", _SIGNATURE)}
_KINDS = {"uuid": {"type": "string", "format": "uuid"}, "int": {"type": "integer"}, "string": {"type": "string"}}


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of an application."""
    plugin = MarshmallowPlugin(schema_name_resolver=_name)
    spec = APISpec(f"Propel: {app.name}", "1.0.0", "3.1.0", plugins=[plugin])
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(_derived)
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    problem: dict[str, Any] = {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {name: {"type": "string"} for name in ("type", "title", "detail", "instance")},
    }
    problem["properties"] |= {"status": {"type": "integer"}, "request_id": {"type": ["string", "null"]}}
    spec.components.schema("Problem", problem)
    whose: list[tuple[str, ...]] = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        declared: Operation | None = getattr(view, "operation", None)
        if declared is None:
            continue
        whose.append(declared.who)
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            spec.path(path, operations={method.lower(): _operation(app.name, rule, view, declared, method)})
    found = spec.to_dict()
    for who, (name, scheme) in _SCHEMES.items():
        if who in whose:
            found["components"]["securitySchemes"][name] = dict(scheme)
    _plain(found)
    _complete(found)
    return found


def _derived(converter: Any, field: Any, **_kwargs: Any) -> dict[str, Any]:
    """Attribute function of apispec: a derived field is what it says it is."""
    return dict(converter.field2property(field.kind)) if isinstance(field, Derived) else {}


def _plain(node: Any) -> None:
    """Write regular expressions as JSON Schema has them, and each type once."""
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            node["pattern"] = node["pattern"].replace("\\A", "^").replace("\\Z", "$")
        if isinstance(node.get("type"), list):
            node["type"] = list(dict.fromkeys(node["type"]))
        # What is worked out can only be read; every answer can only be read, so it says nothing.
        node.pop("readOnly", None)
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _plain(inner)


def _complete(found: dict[str, Any]) -> None:
    """Give every body an example, and the document the refusals that its operations refer to."""
    schemas, refusals = found["components"]["schemas"], set()
    for item in found["paths"].values():
        for operation in item.values():
            answers = operation["responses"]
            refusals |= {int(status) for status in answers if int(status) >= 400}
            for body in (*answers.values(), operation.get("requestBody", {})):
                for kind, content in body.get("content", {}).items():
                    if kind == "application/json":
                        content["example"] = example(content["schema"], schemas)
    found["components"]["responses"] = {str(status): _problem_response(status) for status in sorted(refusals)}


def _problem_response(status: int) -> dict[str, Any]:
    usual = _USUAL.get(status)
    title = usual.title if usual else HTTPStatus(status).phrase
    slug = usual.slug if usual else title.lower().replace(" ", "-")
    shown: dict[str, Any] = {"type": problems.TYPE_BASE + slug, "title": title, "status": status}
    shown |= {"detail": "What is wrong with this request, and what to do next.", "instance": "/api/the/path/"}
    if usual is problems.InvalidFields:
        shown["errors"] = [{"pointer": "/points", "detail": "must be a whole number"}]
    shown["request_id"] = "0192f0c1-7b2e-7cc3-9a5d-4f1e2d3c4b5a"
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {"application/problem+json": {"schema": schema, "example": shown}}
    return {"description": _REASONS.get(status, title.lower()), "content": content}


def _name(schema: Any) -> str:
    cls = schema if isinstance(schema, type) else type(schema)
    return cls.__name__


def _operation(service: str, rule: Any, view: Any, declared: Operation, method: str) -> dict[str, Any]:
    # Python 3.13 takes the indentation of docstrings away, 3.11 does not: the document must not depend on it.
    words = inspect.cleandoc(view.__doc__ or view.__name__).split("\n\n", 1)
    who = "anyone" if declared.who is ANYONE else ("any member" if declared.who is MEMBER else ", ".join(declared.who))
    found: dict[str, Any] = {
        "operationId": f"{service}_{method.lower()}_{rule.endpoint.split('.')[-1]}",
        "tags": [service],
        "summary": words[0].replace("\n", " "),
        "description": f"{words[1].strip() if len(words) > 1 else ''}\n\nWho may call it: {who}.".strip(),
        "parameters": [_path_parameter(rule, name) for name in sorted(rule.arguments)],
        "responses": {},
    }
    if declared.who is not ANYONE:
        found["security"] = [{_SCHEMES[declared.who][0] if declared.who in _SCHEMES else "bearer": []}]
    if declared.query:
        found["parameters"].append({"in": "query", "schema": declared.query})
    if declared.idempotent:
        key = {"type": "string", "maxLength": 255, "minLength": 1}
        found["parameters"].append({"in": "header", "name": "Idempotency-Key", "required": False, "schema": key})
    if declared.body:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": declared.body}}}
    for status, schema in declared.answers.items():
        answer: dict[str, Any] = {"description": _REASONS.get(status, "done")}
        if isinstance(schema, str):
            answer["content"] = {schema: {"schema": {"type": "string"}}}
        elif status < 400 and schema is not None:
            answer["content"] = {"application/json": {"schema": schema}}
        found["responses"][str(status)] = answer if status < 400 else _refusal(status)
    for status in _usual_refusals(rule, declared):
        found["responses"][str(status)] = _refusal(status)
    return found


def _refusal(status: int) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{status}"}


def _usual_refusals(rule: Any, declared: Operation) -> list[int]:
    found = [429, 503]
    if declared.who is not ANYONE:
        found += [401, 403]
    if declared.body:
        found += [400, 413, 415, 422]
    if declared.idempotent:
        found += [400, 422]
    if declared.query:
        found += [414, 422]
    if rule.arguments:
        found.append(404)
    return sorted(set(found))


def _path_parameter(rule: Any, name: str) -> dict[str, Any]:
    kind = re.search(rf"<(?:(\w+):)?{name}>", rule.rule)
    schema = _KINDS.get((kind.group(1) if kind else None) or "string", {"type": "string"})
    return {"in": "path", "name": name, "required": True, "schema": schema}


def render(app: Flask) -> bytes:
    """The document as it is committed: sorted, indented, ending in a newline."""
    return orjson.dumps(document(app), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def path_of(service: str) -> Path:
    """Where the document of `service` is committed."""
    return Path(__file__).resolve().parent.parent / "services" / service / "openapi.json"


def main() -> int:
    """Write the documents of the named services."""
    for service in sys.argv[1:]:
        module = importlib.import_module(f"services.{service}.app")
        # No request is served, so no key is needed to verify one.
        path_of(service).write_bytes(render(module.create_app(keys={})))
        sys.stdout.write(f"wrote {path_of(service)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
