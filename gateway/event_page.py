"""The catalogue of events as a page that reads without a script: written from `gateway/events/asyncapi.json`."""

import json
from html import escape
from typing import Any

_SERVICES = {
    "users": "Members and their accounts",
    "points": "Points and submissions",
    "rewards": "The shop and redemptions",
    "reviews": "Resume reviews",
}


def page(document: dict[str, Any]) -> str:
    """The page of an AsyncAPI document: what each event says, its fields, and an example."""
    by_service: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for address, channel in document["channels"].items():
        [name] = channel["messages"]
        by_service.setdefault(address.split(".", 1)[0], []).append((address, document["components"]["messages"][name]))
    schemas = document["components"]["schemas"]
    contents = "".join(_contents(service, events) for service, events in by_service.items())
    sections = "".join(_section(service, events, schemas) for service, events in by_service.items())
    about = "".join(f"<p>{escape(part).replace('`', '')}</p>" for part in document["info"]["description"].split("\n\n"))
    envelope = _fields(schemas["Envelope"])
    return f"""<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Propel: events</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/api/events/docs/page.css">
</head>
<body>
<header><h1>Propel: events</h1>
{about}
<p>The document itself: <a href="/api/events/asyncapi.json">asyncapi.json</a> (AsyncAPI {escape(document["asyncapi"])}).
The API: <a href="/api/docs/">its page</a>.</p></header>
<nav aria-label="Events">{contents}</nav>
<main>
<section><h2 id="envelope">Around every event</h2>{envelope}</section>
{sections}</main>
</body>
</html>
"""


def _contents(service: str, events: list[tuple[str, dict[str, Any]]]) -> str:
    links = "".join(f'<li><a href="#{escape(address)}">{escape(address)}</a></li>' for address, _message in events)
    return f"<h2>{escape(_SERVICES.get(service, service))}</h2><ul>{links}</ul>"


def _section(service: str, events: list[tuple[str, dict[str, Any]]], schemas: dict[str, Any]) -> str:
    parts = [f"<section><h2>{escape(_SERVICES.get(service, service))}</h2>"]
    for address, message in events:
        example = json.dumps(message["examples"][0]["payload"], indent=2, ensure_ascii=False)
        parts.append(
            f'<article id="{escape(address)}"><h3>{escape(address)}</h3><p>{_words(message["summary"])}</p>'
            f"{_fields(schemas[message['name']])}"
            f"<details><summary>Example</summary><pre>{escape(example)}</pre></details></article>"
        )
    return "".join([*parts, "</section>\n"])


def _fields(schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><th scope=row><code>{escape(name)}</code></th><td>{escape(_kind(inner))}</td>"
        f"<td>{'' if name in required else 'may be missing'}</td><td>{_words(inner.get('description', ''))}</td></tr>"
        for name, inner in schema["properties"].items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _words(text: str) -> str:
    """Text of a docstring; what stands in backticks is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _kind(schema: dict[str, Any]) -> str:
    """A schema in words."""
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return ", ".join(json.dumps(each) for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type") or "anything")
