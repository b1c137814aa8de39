"""The web application of points."""

from typing import Any

from flask import Flask

from fleet import web
from services.points.activities_api import activities_api
from services.points.analytics_api import analytics_api
from services.points.api import api
from services.points.checkins_api import checkins_api
from services.points.corrections_api import corrections_api
from services.points.evidence_api import evidence_api
from services.points.submissions_api import submissions_api

PUBLIC = ("api.list_activities", "api.get_activity")
_SUBMISSIONS = (activities_api, submissions_api, evidence_api, checkins_api)


def create_app(keys: Any = None) -> Flask:
    """The application; `keys` replaces the key set of JWKS_URL."""
    return web.create_app("points", [api, corrections_api, analytics_api, *_SUBMISSIONS], PUBLIC, keys=keys)
