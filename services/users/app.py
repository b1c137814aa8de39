"""The web application of users."""

from typing import Any

from flask import Flask

from fleet import web
from fleet.settings import require
from services.users.activity import note_activity
from services.users.admin_api import admin_api
from services.users.api import api
from services.users.linking_api import linking_api
from services.users.onboarding_api import onboarding_api
from services.users.passwords_api import passwords_api
from services.users.preferences_api import preferences_api
from services.users.privacy_api import privacy_api
from services.users.settings import LinkSettings
from services.users.tokens import signer

PUBLIC = (
    "api.register",
    "api.login",
    "api.refresh",
    "api.logout",
    "api.jwks",
    "admin_api.list_tracks",
    "passwords_api.verify_email",
    "passwords_api.request_reset",
    "passwords_api.confirm_reset",
    "privacy_api.get_erasure",
)


def create_app(keys: Any = None) -> Flask:
    """The application, verifying tokens with the very key it signs them with unless `keys` is given."""
    if keys is None:
        require(LinkSettings)
    app = web.create_app(
        "users",
        [api, admin_api, preferences_api, passwords_api, onboarding_api, linking_api, privacy_api],
        PUBLIC,
        keys=signer() if keys is None else keys,
    )
    note_activity(app)
    return app
