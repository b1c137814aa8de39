"""The two sides of a link, for tests: a browser that is signed in, and a person in Discord."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

from flask import Flask
from werkzeug.test import TestResponse

from fleet.contracts.users import (
    CancelLink,
    ClaimLink,
    ConfirmLink,
    GetIdentity,
    Identity,
    LinkClaim,
    LinkConfirmation,
    RegisterMember,
)
from fleet.contracts.users_linking import code_digest
from fleet.database import transaction
from fleet.messages import envelope_for, new_id, now
from fleet.problems import Problem
from services.users import passwords, tokens
from services.users.models import Member
from services.users.subscriptions import subscriptions
from tests.users.conftest import NAMESPACE, PASSWORD

hash_of = lru_cache(passwords.hash_password)


def hear(message: Any) -> Any:
    """What the consumer does with a message of the bot: the handler's answer, or the Problem that it raises."""
    envelope = envelope_for(message, source="bot")
    try:
        with transaction() as session:
            return subscriptions.handlers[envelope.type](session, envelope)
    except Problem as problem:
        return problem


@dataclass
class Person:
    """Somebody in Discord."""

    discord_id: str
    name: str = ""
    id: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.name or f"person{self.discord_id}"
        self.id = uuid5(UUID(NAMESPACE), self.discord_id)

    def seen(self) -> Any:
        return hear(RegisterMember(self.id, self.discord_id, self.name, self.name.title(), now()))

    def claim(self, code: str) -> LinkClaim | Problem:
        digest = code_digest(UUID(NAMESPACE), code)
        return hear(ClaimLink(self.id, self.discord_id, self.name, self.name.title(), digest, now()))

    def confirm(self, link_id: UUID, accept: bool = True) -> LinkConfirmation | Problem:
        return hear(ConfirmLink(link_id, self.discord_id, accept))

    def cancel(self, code: str) -> Any:
        return hear(CancelLink(self.discord_id, code_digest(UUID(NAMESPACE), code)))

    def identity(self) -> Identity | Problem:
        return hear(GetIdentity(self.id))


class Browser:
    """A member signed in on the web. `again()` is a second sign-in of the same member."""

    def __init__(self, app: Flask, name: str = "ada", role: str = "student", member_id: UUID | None = None) -> None:
        self.app, self.name, self.role = app, name, role
        with transaction() as session:
            if member_id is None:
                email = f"{name}@example.org"
                member = Member(
                    id=new_id(),
                    username=name,
                    username_key=name,
                    email=email,
                    email_key=email,
                    password_hash=hash_of(PASSWORD),
                    role=role,
                    status="active",
                )
                session.add(member)
                session.flush()
                session.refresh(member)
            else:
                member = session.get_one(Member, member_id)
            self.id = member.id
            self.tokens = tokens.start_session(session, member)

    def again(self) -> "Browser":
        return Browser(self.app, self.name, self.role, self.id)

    def send(self, method: str, path: str, **words: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.tokens['access']}"}
        return self.app.test_client().open(path, method=method, headers=headers, **words)

    def start(self) -> str:
        answer = self.send("POST", "/api/link/start")
        assert answer.status_code == 200, answer.text
        return answer.json["code"]

    def status(self) -> dict[str, Any]:
        answer = self.send("GET", "/api/link/status")
        assert answer.status_code == 200, answer.text
        return answer.json

    def confirm(self, name: str, **words: Any) -> TestResponse:
        return self.send("POST", "/api/link/confirm", json={"discord_username": name} | words)

    def unlink(self, password: str = PASSWORD) -> TestResponse:
        return self.send("DELETE", "/api/link", json={"password": password})

    def logout(self) -> None:
        body = {"refresh": self.tokens["refresh"]}
        assert self.app.test_client().post("/api/users/logout/", json=body).status_code == 200


def link(browser: Browser, person: Person) -> None:
    """The whole way, with success."""
    person.seen()
    claimed = person.claim(browser.start())
    assert isinstance(claimed, LinkClaim) and claimed.offer, claimed
    assert browser.confirm(person.name).status_code == 200
    assert person.confirm(claimed.offer.link_id) == LinkConfirmation("linked")


def slug(outcome: Any) -> str:
    """The slug of a refusal."""
    assert isinstance(outcome, Problem), outcome
    assert re.fullmatch(r"[a-z-]+", outcome.slug)
    return outcome.slug
