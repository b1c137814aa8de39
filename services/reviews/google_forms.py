"""Google Forms without a webhook: responses are polled through the Forms API, each applied once by its id.

The cursor is the time of the newest response seen, kept with what it brought; it is set back a little, and the ids make
the overlap harmless. Without credentials and forms named in the settings it is off.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from google.auth.exceptions import GoogleAuthError
from google.oauth2 import service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from sqlalchemy.dialects.postgresql import insert

from fleet import logs
from fleet.contracts.codec import instant
from fleet.database import is_outage, transaction
from fleet.messages import now
from fleet.settings import read, setting
from services.reviews import forms
from services.reviews.google_calendar import GoogleSettings
from services.reviews.session_models import FormCursor

log = logs.get(__name__)

SCOPES = [
    "https://www.googleapis.com/auth/forms.responses.readonly",
    "https://www.googleapis.com/auth/forms.body.readonly",
]
OVERLAP = timedelta(minutes=5)
BEGINNING = "2000-01-01T00:00:00Z"
# The titles of the professionals' form, as our webhook names its fields.
FIELDS = {
    "full name": "name", "name": "name", "email": "email", "e-mail": "email", "professional title": "professional_title",
    "title": "professional_title", "company": "company", "specializations": "specializations", "start date": "start_date",
    "end date": "end_date", "preferred days": "preferred_days", "time slots": "time_slots", "time zone": "timezone",
    "specific times": "specific_times", "experience levels": "experience_levels", "industries": "industries",
    "maximum reviews per week": "max_reviews_per_week",
}  # fmt: skip


@dataclass(frozen=True)
class PollSettings:
    """Forms to poll."""

    student_form: str = setting(
        "REVIEWS_STUDENT_FORM_ID", default="", help="id of the students' Google Form; empty: not polled"
    )
    professional_form: str = setting(
        "REVIEWS_PROFESSIONAL_FORM_ID", default="", help="id of the professionals' Google Form; empty: not polled"
    )
    every_s: int = setting("REVIEWS_FORM_POLL_SECONDS", default=60, help="seconds between two polls of a form")


def connect(settings: GoogleSettings) -> Any:
    """The Forms service of the Google client library; its description ships with the library."""
    credentials = service_account.Credentials.from_service_account_file(settings.credentials, scopes=SCOPES)
    if settings.subject:
        credentials = credentials.with_subject(settings.subject)
    options = {"api_endpoint": settings.endpoint} if settings.endpoint else None
    return build(
        "forms", "v1", credentials=credentials, client_options=options, cache_discovery=False, static_discovery=True
    )


def poll(service: Any, form_id: str, kind: str) -> int:
    """Apply what was answered since the last poll; returns how many responses were new."""
    with transaction() as session:
        known = session.get(FormCursor, form_id)
        since = known.submitted_after if known else instant(BEGINNING)
    titles = _titles(service.forms().get(formId=form_id).execute())
    fresh, token = 0, None
    words = {"formId": form_id, "filter": f"timestamp >= {(since - OVERLAP).isoformat().replace('+00:00', 'Z')}"}
    while True:
        page = service.forms().responses().list(**words, **({"pageToken": token} if token else {})).execute()
        for response in page.get("responses", []):
            fresh += _apply(form_id, kind, titles, response)
        token = page.get("nextPageToken")
        if not token:
            return fresh


def _titles(form: dict[str, Any]) -> dict[str, str]:
    found = {}
    for item in form.get("items", []):
        question = item.get("questionItem", {}).get("question", {}).get("questionId")
        if question:
            found[question] = item.get("title", "")
    return found


def _apply(form_id: str, kind: str, titles: dict[str, str], response: dict[str, Any]) -> bool:
    """One response and the cursor behind it, in one transaction."""
    answers = {}
    for question, answer in response.get("answers", {}).items():
        values = [one.get("value", "") for one in answer.get("textAnswers", {}).get("answers", [])]
        answers[titles.get(question, question)] = values if len(values) > 1 else "".join(values)
    email = response.get("respondentEmail", "")
    submitted = instant(response["lastSubmittedTime"])
    with transaction() as session:
        if kind == "student":
            done = forms.apply_once(
                session, response["responseId"], kind, lambda: forms.student_request(session, email, answers)
            )
        else:
            data = {FIELDS.get(title.strip().casefold(), title): value for title, value in answers.items()}
            data["email"] = data.get("email") or email
            done = forms.apply_once(session, response["responseId"], kind, lambda: forms.professional(session, data))
        _move(session, form_id, submitted)
    return not done.repeated


def _move(session: Any, form_id: str, submitted: datetime) -> None:
    row = insert(FormCursor).values(form_id=form_id, submitted_after=submitted, due_at=now())
    later = FormCursor.submitted_after < submitted
    session.execute(
        row.on_conflict_do_update(index_elements=["form_id"], set_={"submitted_after": submitted}, where=later)
    )


class Forms:
    """Polls the forms that are named until `stop` is set."""

    ready = True

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.google, self.settings = read(GoogleSettings), read(PollSettings)

    def run(self) -> None:
        """Poll, rest; Google or the database being away only delays it."""
        named = [(self.settings.student_form, "student"), (self.settings.professional_form, "professional")]
        due = [(form_id, kind) for form_id, kind in named if form_id]
        if not self.google.credentials or not due:
            log.info("google_forms_off", advice="name REVIEWS_STUDENT_FORM_ID and credentials to have forms polled")
            self.stop.wait()
            return
        while not self.stop.is_set():
            for form_id, kind in due:
                self._poll(form_id, kind)
            self.stop.wait(self.settings.every_s)

    def _poll(self, form_id: str, kind: str) -> None:
        try:
            fresh = poll(connect(self.google), form_id, kind)
            log.info("form_polled", form=kind, fresh=fresh)
        except (HttpError, GoogleAuthError, OSError, KeyError, ValueError) as error:
            log.warning("form_not_polled", form=kind, error=type(error).__name__)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("form_not_polled", form=kind, error="database")
