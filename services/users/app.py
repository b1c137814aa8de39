"""The web application of users."""

from typing import Any

from flask import Flask

from fleet import web
from fleet.settings import read, require
from services.users.activity import note_activity
from services.users.admin_api import admin_api
from services.users.api import api
from services.users.discord_api import discord_api
from services.users.google_api import google_api
from services.users.linking_api import linking_api
from services.users.onboarding_api import onboarding_api
from services.users.passwords_api import passwords_api
from services.users.preferences_api import preferences_api
from services.users.privacy_api import privacy_api
from services.users.settings import GoogleSettings, LinkSettings
from services.users.tokens import signer

PUBLIC = (
    "api.register",
    "api.login",
    "api.refresh",
    "api.logout",
    "api.jwks",
    "admin_api.list_tracks",
    "discord_api.validate_discord_user",
    "google_api.start_google",
    "google_api.finish_google",
    "passwords_api.verify_email",
    "passwords_api.request_reset",
    "passwords_api.confirm_reset",
    "privacy_api.get_erasure",
)


def create_app(keys: Any = None) -> Flask:
    """The application, verifying tokens with the very key it signs them with unless `keys` is given."""
    if keys is None:
        require(LinkSettings)
    # Named at the start when they are wrong, not at the first sign-in.
    read(GoogleSettings)
    app = web.create_app(
        "users",
        [
            *(api, admin_api, discord_api, google_api, linking_api),
            *(onboarding_api, passwords_api, preferences_api, privacy_api),
        ],
        PUBLIC,
        keys=signer() if keys is None else keys,
    )
    note_activity(app)
    return app
