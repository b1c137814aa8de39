"""The chat page's files, and the walls around it: nobody else's page may frame it, run in it or drive this server."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from .problems import answer
from .world import WORLD

PAGE = Path(__file__).with_name("page")
_OWN_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# A second wall behind the page's own care: were a member's text ever taken for HTML, it could run and load nothing.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


async def index(_request: web.Request) -> web.Response:
    """GET /."""
    return _file("index.html")


async def file(request: web.Request) -> web.Response:
    """GET /page/{name}: a style, a script or a picture of the page."""
    return _file(request.match_info["name"])


def _file(name: str) -> web.Response:
    path = PAGE / name
    if path.parent != PAGE or path.suffix not in _TYPES or not path.is_file():
        raise web.HTTPNotFound
    return web.Response(body=path.read_bytes(), content_type=_TYPES[path.suffix], charset="utf-8", headers=_HEADERS)


@web.middleware
async def own_visitors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses what another site's page, open in the same browser, sends here.

    Such a request names its site as origin or, after rebinding a name, as host; one that names no origin (a picture, a
    script) says where it comes from in ``Sec-Fetch-Site``. Programs send none of these. Following a link is allowed.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    follows_a_link = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    foreign = origin is not None and origin != f"http://{request.host}"
    own = _OWN_HOST.fullmatch(request.host) or request.host == urlsplit(request.app[WORLD].origin).netloc
    if not own or foreign or (site in ("cross-site", "same-site") and not follows_a_link):
        return answer({"error": "Local Discord answers this machine only; use http://127.0.0.1."}, 403)
    return await handler(request)
