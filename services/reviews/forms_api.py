"""The HTTP door of forms: webhooks that prove themselves by their signature (Standard Webhooks, HMAC-SHA256)."""

import base64
import hmac
import time
from hashlib import sha256
from typing import Any

from flask import Blueprint, request

from fleet.database import transaction
from fleet.problems import Unauthorized
from fleet.settings import read
from fleet.web import ANYONE, Answer, operation
from services.reviews import form_schemas, forms
from services.reviews.settings import FormSettings

forms_api = Blueprint("forms_api", __name__)
TOLERANCE_S = 300


@forms_api.before_request
def require_signature() -> None:
    """Refuse what is not signed with the forms' secret within five minutes, before the body is looked at.

    Signed is `<webhook-id>.<webhook-timestamp>.<body>`; `webhook-signature` holds `v1,<base64>`, several by spaces.
    """
    secret = read(FormSettings).secret
    given_id, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    if (
        not secret
        or not given_id
        or len(given_id) > 200
        or not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12)
    ):
        raise Unauthorized("The webhook is not signed.")
    said = given_id.encode() + b"." + stamp.encode() + b"." + request.get_data()
    right = b"v1," + base64.b64encode(hmac.new(secret.encode(), said, sha256).digest())
    signatures = request.headers.get("webhook-signature", "").encode("utf-8", "replace").split(b" ")
    if not any(hmac.compare_digest(one, right) for one in signatures[:10]):
        raise Unauthorized("The signature is not right.")
    if abs(time.time() - int(stamp)) > TOLERANCE_S:
        raise Unauthorized("The time stamp is not of now.")


@forms_api.post("/api/form-submission/")
@operation(who=ANYONE, body=form_schemas.StudentForm, answers={200: form_schemas.Applied, 401: None})
def student_form(body: dict[str, Any]) -> Answer:
    """A student's request from a form. The same `response_id` again changes nothing."""
    with transaction() as session:
        done = forms.apply_once(
            session,
            body["response_id"],
            "student",
            lambda: forms.student_request(session, body["student_email"], body["responses"]),
        )
        return _answer(done)


@forms_api.post("/api/forms/professional-availability/")
@operation(who=ANYONE, body=form_schemas.ProfessionalForm, answers={200: form_schemas.Applied, 401: None})
def professional_form(body: dict[str, Any]) -> Answer:
    """A professional with their availability from a form. The same `response_id` again changes nothing."""
    data = body["parsed_data"] | {"email": body["parsed_data"].get("email") or body["respondent_email"]}
    with transaction() as session:
        done = forms.apply_once(session, body["response_id"], "professional", lambda: forms.professional(session, data))
        return _answer(done)


def _answer(done: forms.Applied) -> dict[str, Any]:
    subject = str(done.subject_id) if done.subject_id else None
    return {"id": subject, "applied": done.refusal is None, "reason": done.refusal, "repeated": done.repeated}
