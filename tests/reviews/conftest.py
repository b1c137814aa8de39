"""This process is reviews."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from fleet.contracts.users import ContactChanged, Notifications, UserUpdated
from fleet.database import transaction
from fleet.messages import new_id
from services.reviews import availability, members, professionals, requests
from services.reviews.app import create_app
from services.reviews.availability import Stated
from services.reviews.requests import Wish
from services.reviews.turns import Actor
from tests.signing import TestKey

STAFF = Actor("admin", UUID(int=1))
WHOLE_WEEK = [(day, 0, 1440) for day in range(7)]


@pytest.fixture
def reviews(on: Callable[[str], object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This process is reviews, with a clean database."""
    monkeypatch.setenv("REVIEWS_LINK_KEY", "k" * 40)
    monkeypatch.setenv("REVIEWS_FORM_SECRET", "form secret of the tests")
    monkeypatch.setenv("EVIDENCE_DIR", str(tmp_path / "files"))
    on("reviews")


@pytest.fixture
def client(reviews: None, keys: TestKey) -> FlaskClient:
    return create_app(keys=keys).test_client()


@pytest.fixture
def call(keys: TestKey, client: FlaskClient) -> Callable[..., Any]:
    """`call("POST", path, who, role="admin", json=...)`; safe to use from many threads."""

    def send(method: str, path: str, who: UUID | None = None, role: str = "student", **words: Any) -> Any:
        headers = keys.bearer(who or new_id(), role) | words.pop("headers", {})
        return client.application.test_client().open(path, method=method, headers=headers, **words)

    return send


@pytest.fixture
def student(reviews: None) -> Callable[..., UUID]:
    """`student("Ada", email="ada@school.test")` is known, with a name and a confirmed address."""

    def make(name: str = "Ada", email: str | None = None, zone: str = "America/New_York") -> UUID:
        member_id = new_id()
        wants = Notifications(True, True, False)
        with transaction() as session:
            members.apply_update(session, UserUpdated(member_id, name, True, "student", "active"), 1)
            address = email or f"{member_id.hex}@school.test"
            members.apply_contact(session, ContactChanged(member_id, zone, "en-US", wants, wants, address), 1)
        return member_id

    return make


@pytest.fixture
def professional(reviews: None) -> Callable[..., UUID]:
    """`professional(max_reviews_per_week=2, weekly=[(0, 540, 1020)])` has time all the week unless said otherwise."""
    numbers = count()

    def make(
        weekly: list[tuple[int, int, int]] | None = None,
        dated: list[tuple[date, int, int]] | None = None,
        zone: str = "America/New_York",
        **words: Any,
    ) -> UUID:
        number = next(numbers)
        plain = {
            "name": f"Pro {number}",
            "email": f"pro{number}@firm.test",
            "time_zone": zone,
            "specialties": ["Technology/Software"],
            "experience_levels": ["any"],
            "max_reviews_per_week": 40,
        }
        today = datetime.now(UTC).date()
        with transaction() as session:
            row = professionals.create(session, plain | words)
            stated = Stated(
                zone,
                today - timedelta(days=2),
                today + timedelta(days=60),
                WHOLE_WEEK if weekly is None else weekly,
                dated or [],
            )
            availability.record(session, row.id, "rest", stated)
            return row.id

    return make


@pytest.fixture
def asked(student: Callable[..., UUID]) -> Callable[..., UUID]:
    """`asked(student_id, preferred_times="weekdays 9-5")` is a new open request."""

    def make(student_id: UUID | None = None, **words: Any) -> UUID:
        plain = {
            "target_industry": "software",
            "target_role": "Engineer",
            "experience_level": "entry",
            "preferred_times": "",
            "time_zone": "America/New_York",
        }
        with transaction() as session:
            return requests.submit(session, student_id or student(), Wish(**(plain | words))).id

    return make


@pytest.fixture
def soon() -> Callable[..., datetime]:
    """`soon(2, 14)` is 14:00 UTC in two days: bookable."""

    def at(days: int = 2, hour: int = 14, minute: int = 0) -> datetime:
        day = datetime.now(UTC) + timedelta(days=days)
        return day.replace(hour=hour, minute=minute, second=0, microsecond=0)

    return at
