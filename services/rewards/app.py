"""The web application of rewards."""

from typing import Any

from flask import Flask

from fleet import web
from services.rewards.admin_api import admin_api
from services.rewards.catalog_api import catalog_api
from services.rewards.redemptions_api import redemptions_api

PUBLIC: tuple[str, ...] = ()


def create_app(keys: Any = None) -> Flask:
    """The application; `keys` replaces the key set of JWKS_URL."""
    return web.create_app("rewards", [catalog_api, redemptions_api, admin_api], PUBLIC, keys=keys)
