"""Every service's door, and everybody who may stand before it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import text

from deploy.local.backends import Postgres
from fleet import asking, auth_state
from fleet.contracts import contract_of
from fleet.contracts.users import AuthStateChanged, ContactChanged, Notifications, UserRegistered, UserUpdated
from fleet.database import transaction
from fleet.messages import envelope_for, new_id, now
from services.integrations import keys as api_keys
from tests.apps import SOME_ID, app_of, environment
from tests.conftest import SEEDED
from tests.matrix import IDENTITIES
from tests.signing import TestKey

# Where tries are counted, also those that are refused.
COUNTERS = ("rate_windows", "checkin_tries")
STATUS = {"applicant": "awaiting_approval", "suspended": "suspended"}
ROLE = {"applicant": "company", "suspended": "student"}


class Door:
    """A service's application with an empty database, and one member of each kind known to it."""

    def __init__(self, service: str, keys: TestKey) -> None:
        self.service, self.keys = service, keys
        self.app: Flask = app_of(service, keys)
        self.people: dict[str, UUID] = {name: new_id() for name in IDENTITIES if name != "anonymous"}
        for name, member_id in self.people.items():
            self._introduce(name, member_id)
        self._key = self._api_key() if service == "integrations" else ""

    def _api_key(self) -> str:
        """A key of an integrator who may do all that one may."""
        with transaction() as session:
            return api_keys.make(session, "acme", api_keys.SCOPES, self.people["admin"], integrator="acme").token

    def _introduce(self, name: str, member_id: UUID) -> None:
        """Make the member, as users has it or as it tells the others."""
        role: Any = ROLE.get(name, name)
        status: Any = STATUS.get(name, "active")
        state = AuthStateChanged(member_id, 1, role, status)
        with transaction() as session:
            if self.service == "users":
                auth_state.keep(session, state)
                row = {"id": member_id, "name": name, "mail": f"{name}@example.org", "role": role, "status": status}
                session.execute(
                    text(
                        "INSERT INTO members (id, username, username_key, email, email_key, role, status)"
                        " VALUES (:id, :name, :name, :mail, :mail, :role, :status)"
                    ),
                    row,
                )
                return
            choice = Notifications(True, True, False)
            told = [
                UserRegistered(member_id, role, "web", now()),
                UserUpdated(member_id, name, True, role, status, university="ETH" if role == "university" else None),
                ContactChanged(member_id, "UTC", "en", choice, choice),
                state,
            ]
            heard = import_module(f"services.{self.service}.subscriptions").subscriptions.handlers
            for event in told:
                if handler := heard.get(contract_of(event).type):
                    handler(session, envelope_for(event, source="users", subject=str(member_id), sequence=1))

    def headers(self, who: str) -> dict[str, str]:
        """The headers of somebody of this kind, or of an integrator; none of who is anonymous."""
        if who == "integrator":
            return {"Authorization": f"Bearer {self._key}"}
        return {} if who == "anonymous" else self.keys.bearer(self.people[who], ROLE.get(who, who), sid=SOME_ID)

    def ask(self, who: str, method: str, path: str, **words: Any) -> Any:
        """What somebody of this kind is answered."""
        headers = self.headers(who) | words.pop("headers", {})
        return self.app.test_client().open(path, method=method, headers=headers, **words)

    def contents(self) -> dict[str, str]:
        """A fingerprint of each table. What is written at every request (tries, days of activity, use of a key) is left out."""
        with transaction() as session:
            names = session.execute(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(:counters)"),
                {"counters": list(COUNTERS)},
            ).scalars()
            row = "(to_jsonb(t) - '{last_activity_at,last_used_at}'::text[])::text"
            found = {}
            for name in sorted(names):
                statement = text(
                    f"SELECT md5(coalesce(string_agg({row}, E'\\n' ORDER BY {row}), '')) FROM \"{name}\" t"
                )
                found[name] = session.execute(statement).scalar_one()
            return found


@contextmanager
def seeds_kept(server_url: str, service: str) -> Iterator[None]:
    """Rows that came with the migrations outlive the emptying of tables: afterwards they are what they were."""
    with closing(psycopg2.connect(server_url.rsplit("/", 1)[0] + f"/{service}")) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename = ANY(%s)", (list(SEEDED),)
        )
        kept = {}
        for (name,) in cursor.fetchall():
            cursor.execute(f"SELECT coalesce(jsonb_agg(t), '[]')::text FROM {name} t")
            kept[name] = cursor.fetchone()[0]
        yield
        for name, rows in kept.items():
            there = "SELECT t FROM jsonb_array_elements(%s::jsonb) AS one(t)"
            cursor.execute(f"DELETE FROM {name} t WHERE to_jsonb(t) NOT IN ({there})", (rows,))
            again = f"INSERT INTO {name} SELECT * FROM jsonb_populate_recordset(NULL::{name}, %s::jsonb)"
            cursor.execute(f"{again} ON CONFLICT DO NOTHING", (rows,))


@pytest.fixture
def door(
    on: Callable[[str], Any],
    keys: TestKey,
    signing_key: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    postgres: Postgres,
    truncate: Callable[[str], None],
) -> Iterator[Callable[[str], Door]]:
    """`door("points")` makes this process that service."""
    with ExitStack() as leaving:

        def enter(service: str) -> Door:
            for name, value in environment(signing_key, tmp_path).items():
                monkeypatch.setenv(name, value)
            # Nobody answers here, and three seconds of it for each identity would be long.
            monkeypatch.setitem(asking.ask.__kwdefaults__, "wait_s", 0.05)
            monkeypatch.setenv("REWARDS_WAIT_S", "0.05")
            on(service)
            leaving.enter_context(seeds_kept(postgres.server_url, service))
            leaving.callback(truncate, service)
            return Door(service, keys)

        yield enter
