"""The web application of reviews."""

from typing import Any

from flask import Flask

from fleet import web
from services.reviews.api import api
from services.reviews.forms_api import forms_api
from services.reviews.professionals_api import professionals_api
from services.reviews.requests_api import requests_api
from services.reviews.resumes_api import resumes_api
from services.reviews.sessions_api import sessions_api

# Forms prove themselves by their signature, professionals by the link in their mail.
PUBLIC = (
    "forms_api.student_form",
    "forms_api.professional_form",
    "requests_api.notes_form",
    "requests_api.write_notes",
    "resumes_api.get_shared_resume",
)


def create_app(keys: Any = None) -> Flask:
    """The application; `keys` replaces the key set of JWKS_URL."""
    blueprints = [api, professionals_api, requests_api, sessions_api, resumes_api, forms_api]
    return web.create_app("reviews", blueprints, PUBLIC, keys=keys)
