"""The web application of the bot: the door of other bots and tools. It talks with Discord as little as with the broker."""

from typing import Any

from flask import Flask

from fleet import web
from services.bot import tools_api

PUBLIC: tuple[str, ...] = ()


def create_app(keys: Any = None) -> Flask:
    """The application; `keys` replaces the key set of JWKS_URL."""
    return web.create_app("bot", [tools_api.tools_api], PUBLIC, keys=keys, by_key=tools_api.authenticate)
