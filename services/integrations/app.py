"""The web application of integrations. Streams and long waits run in a process of their own, out of this same application."""

from typing import Any

from flask import Flask

from fleet import web
from services.integrations import keys_api
from services.integrations.feed_api import feed_api
from services.integrations.stream_api import stream_api
from services.integrations.webhooks_api import webhooks_api

PUBLIC: tuple[str, ...] = ()


def create_app(keys: Any = None) -> Flask:
    """The application; `keys` replaces the key set of JWKS_URL."""
    blueprints = [feed_api, keys_api.keys_api, stream_api, webhooks_api]
    return web.create_app("integrations", blueprints, PUBLIC, keys=keys, by_key=keys_api.authenticate)
