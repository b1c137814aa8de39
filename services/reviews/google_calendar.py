"""Google Calendar: an event with a Meet link for each session, created, moved and deleted with it.

A part of the worker works off `calendar_entries`, so that no booking waits for Google and nothing is lost while Google is
down. The event's id is derived from the session's, so that trying again makes no second one. Without credentials it is off.
"""

import threading
from dataclasses import dataclass
from typing import Any

from google.auth.exceptions import GoogleAuthError
from google.oauth2 import service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from fleet import logs
from fleet.database import is_outage, transaction
from fleet.settings import read, setting
from services.reviews import calendar_entries
from services.reviews.calendar_entries import Job

log = logs.get(__name__)

IDLE_S = 1.0
SCOPES = ["https://www.googleapis.com/auth/calendar.events"]


@dataclass(frozen=True)
class GoogleSettings:
    """The service account that keeps the calendar."""

    credentials: str = setting(
        "REVIEWS_GOOGLE_CREDENTIALS", default="", help="path of a service account's JSON key; empty: no Google Calendar"
    )
    calendar_id: str = setting(
        "REVIEWS_GOOGLE_CALENDAR_ID", default="primary", help="the calendar that sessions are put into"
    )
    subject: str = setting(
        "REVIEWS_GOOGLE_SUBJECT", default="", help="account to act for (domain-wide delegation); Meet links need one"
    )
    endpoint: str = setting("REVIEWS_GOOGLE_ENDPOINT", default="", help="another address of Google's APIs, for tests")


def connect(settings: GoogleSettings) -> Any:
    """The calendar service of the Google client library; its description ships with the library."""
    credentials = service_account.Credentials.from_service_account_file(settings.credentials, scopes=SCOPES)
    if settings.subject:
        credentials = credentials.with_subject(settings.subject)
    options = {"api_endpoint": settings.endpoint} if settings.endpoint else None
    return build(
        "calendar", "v3", credentials=credentials, client_options=options, cache_discovery=False, static_discovery=True
    )


def event_id(job: Job) -> str:
    """The same for the same session, in the alphabet that Google allows (0-9, a-v)."""
    return f"propel{job.session_id.hex}"


def put(service: Any, calendar_id: str, job: Job) -> str | None:
    """Bring the event of a session to what it should be; returns its Meet link."""
    events = service.events()
    if job.status != "scheduled":
        if job.status == "cancelled":
            _delete(events, calendar_id, job)
        return None
    body = {
        "summary": job.summary,
        "start": {"dateTime": job.starts_at.isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": job.ends_at.isoformat(), "timeZone": "UTC"},
        "conferenceData": {
            "createRequest": {"requestId": job.session_id.hex, "conferenceSolutionKey": {"type": "hangoutsMeet"}}
        },
    }
    # The invitations are ours, by mail: Google sends none.
    words = {"calendarId": calendar_id, "conferenceDataVersion": 1, "sendUpdates": "none"}
    try:
        found = events.insert(body={**body, "id": event_id(job)}, **words).execute()
    except HttpError as error:
        if error.resp.status != 409:
            raise
        moved = {key: value for key, value in body.items() if key != "conferenceData"} | {"status": "confirmed"}
        found = events.patch(eventId=event_id(job), body=moved, **words).execute()
    return found.get("hangoutLink")


def _delete(events: Any, calendar_id: str, job: Job) -> None:
    try:
        events.delete(calendarId=calendar_id, eventId=event_id(job), sendUpdates="none").execute()
    except HttpError as error:
        if error.resp.status not in (404, 410):
            raise


class Calendar:
    """Works off what is due until `stop` is set."""

    ready = True

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.settings = read(GoogleSettings)
        self.service: Any = None

    def run(self) -> None:
        """One entry after the other; rest while nothing is due."""
        if not self.settings.credentials:
            log.info(
                "google_calendar_off", advice="set REVIEWS_GOOGLE_CREDENTIALS to have sessions in a Google Calendar"
            )
            self.stop.wait()
            return
        while not self.stop.is_set():
            try:
                busy = self.put_next()
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("calendar_postponed")
                busy = False
            if not busy:
                self.stop.wait(IDLE_S)

    def put_next(self) -> bool:
        """Bring the entry whose turn it is to what it should be; False when none is due."""
        with transaction() as session:
            job = calendar_entries.take_due(session)
        if job is None:
            return False
        try:
            self.service = self.service or connect(self.settings)
            link = put(self.service, self.settings.calendar_id, job)
        except (HttpError, GoogleAuthError, OSError, ValueError) as error:
            self.service = None
            log.warning("calendar_entry_failed", session_id=str(job.session_id), error=type(error).__name__)
            with transaction() as session:
                calendar_entries.failed(session, job, f"{type(error).__name__}: {error}")
            return True
        with transaction() as session:
            calendar_entries.done(session, job, link)
        return True
