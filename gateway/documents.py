"""The API of the whole fleet as one document, put together from what each service has committed. Standard library only.

`services/<service>/openapi.json` are the sources; nothing is added here but one name for each: two services may both
have a `Balance`, so components become `points.Balance`. What every service says alike (`Problem`, the refusals) stays
once. `write(target)` lays the document and the page that shows it where the gateway serves them from, beside the
catalogue of events (`events/`) and its page.
"""

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

from gateway import event_page

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path(__file__).resolve().parent / "docs"
EVENTS = Path(__file__).resolve().parent / "events"
# Of the page that shows an OpenAPI document, by the people who maintain the format's best-known viewer.
VIEWER = ("swagger-ui-bundle.js", "swagger-ui.css")
SHARED = ("Problem",)


class Clash(ValueError):
    """Two services claim one path, or say the same name differently."""


def merged(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One OpenAPI 3.1 document from those of the services, by name. Raises Clash when they do not fit together."""
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Propel",
            "version": "1.0.0",
            "summary": "A career gamification points system",
            "description": "Every error is application/problem+json (RFC 9457). A trailing slash may be left out."
            " Lists answer `items` and `next_cursor`; the last page has `next_cursor: null`.",
        },
        "servers": [{"url": "/"}],
        "tags": [],
        "paths": {},
        "components": {"schemas": {}, "responses": {}, "securitySchemes": {}},
    }
    for service, document in documents.items():
        about = document["info"].get("description", "")
        found["tags"].append({"name": service, "description": about} if about else {"name": service})
        own = _named_after(service, document)
        _join(found["paths"], own["paths"], f"{service}: path", same=False)
        for kind, components in own["components"].items():
            _join(found["components"][kind], components, f"{service}: {kind}")
    found["paths"] = dict(sorted(found["paths"].items()))
    return found


def _join(whole: dict[str, Any], part: dict[str, Any], what: str, *, same: bool = True) -> None:
    """Add `part` to `whole`; what is in both must be the `same`, or must not be."""
    for name, value in part.items():
        if name in whole and not (same and whole[name] == value):
            raise Clash(f"{what} {name} is another service's too: rename one")
        whole[name] = value


def _named_after(service: str, document: dict[str, Any]) -> dict[str, Any]:
    """The document with its own schemas named after the service, wherever they are referred to."""
    start = "#/components/schemas/"

    def renamed(name: str) -> str:
        return name if name in SHARED else f"{service}.{name}"

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(inner) for inner in node]
        if not isinstance(node, dict):
            return node
        return {
            key: start + renamed(value.removeprefix(start))
            if key == "$ref" and isinstance(value, str) and value.startswith(start)
            else walk(value)
            for key, value in node.items()
        }

    found: dict[str, Any] = walk(document)
    schemas = found["components"].get("schemas", {})
    found["components"]["schemas"] = {renamed(name): schema for name, schema in schemas.items()}
    return found


def committed(services: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The documents of those services that have one."""
    paths = {service: ROOT / "services" / service / "openapi.json" for service in services}
    return {name: json.loads(path.read_bytes()) for name, path in paths.items() if path.exists()}


def write(target: Path, services: tuple[str, ...]) -> None:
    """Write `pages/openapi.json` and `pages/docs/` below `target`, and the same of events. Raises Clash, and
    FileNotFoundError without the viewer."""
    pages = target / "pages"
    (pages / "docs").mkdir(parents=True, exist_ok=True)
    document = json.dumps(merged(committed(services)), ensure_ascii=False, separators=(",", ":"))
    (pages / "openapi.json").write_text(document + "\n", encoding="utf-8")
    for name in VIEWER:
        shutil.copyfile(_viewer() / name, pages / "docs" / name)
    for own in PAGE.iterdir():
        shutil.copyfile(own, pages / "docs" / own.name)
    _write_events(pages)


def _write_events(pages: Path) -> None:
    """The catalogue of events, as it was committed, and its page."""
    (pages / "events").mkdir(exist_ok=True)
    shutil.copyfile(EVENTS / "asyncapi.json", pages / "asyncapi.json")
    shutil.copyfile(EVENTS / "page.css", pages / "events/page.css")
    catalogue = json.loads((EVENTS / "asyncapi.json").read_bytes())
    (pages / "events/index.html").write_text(event_page.page(catalogue), encoding="utf-8")


def _viewer() -> Path:
    # Looked up, not imported: of the package only its files are used.
    spec = importlib.util.find_spec("flask_swagger_ui")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the viewer of API documents is not installed: render from the project's .venv")
    return Path(spec.origin).parent / "dist"
