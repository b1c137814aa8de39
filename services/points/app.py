"""The web application of points."""

from typing import Any

from flask import Flask

from fleet import web
from services.points.api import api

PUBLIC = ("api.list_activities", "api.get_activity")


def create_app(keys: Any = None) -> Flask:
    """The application; `keys` replaces the key set of JWKS_URL."""
    return web.create_app("points", [api], PUBLIC, keys=keys)
