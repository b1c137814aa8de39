"""A member asks for everything that is held on them, and to be forgotten, of a fleet that runs and whose parts are killed."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pika
import psycopg2
import pytest

from fleet import topology
from tests.e2e.conftest import Fleet, eventually, run_local
from tests.e2e.test_linking import link
from tests.e2e.test_main_job import available, text_of

PASSWORD = "correct horse battery"
DATABASES = ("users", "points", "rewards", "reviews", "bot", "integrations")
PNG = b"\x89PNG\r\n\x1a\n"


def plant() -> dict[str, str]:
    """What only this member has."""
    mark = uuid4().hex[:8]
    return {
        "username": f"quillmaster{mark}",
        "email": f"zaphira.{mark}@planted.example.org",
        "first name": f"Zaphiraline{mark}",
        "last name": f"Featherton{mark}",
        "university": f"Krellport University {mark}",
        "Discord name": f"Discordine {mark}",
        "text of a submission": f"planted description of brontolamps {mark}",
        "link of a submission": f"https://planted.example.org/{mark}",
        "note of the decision": f"planted note of the decision {mark}",
        "details of an award": f"planted details of the award {mark}",
        "reason of a correction": f"planted reason of the correction {mark}",
        "reason of a suspension": f"planted reason of the suspension {mark}",
        "reason of a warning": f"planted reason of the warning {mark}",
        "name of a file": f"planted-file-{mark}.png",
        "text of a file": f"planted content {mark}",
        "address of a delivery": f"planted street of Krellport {mark}",
        "note of an approval": f"planted note of the approval {mark}",
        "tracking of a parcel": f"planted-tracking-{mark}",
        "role wished for": f"planted role {mark}",
        "employer to avoid": f"planted employer {mark}",
    }


class Member:
    """A member with a past: everything that is planted has come where the fleet keeps it."""

    def __init__(self, fleet: Fleet, planted: dict[str, str]) -> None:
        self.fleet, self.planted, self.admin = fleet, planted, fleet.token("admin")
        made = fleet.register(
            username=planted["username"],
            email=planted["email"],
            password=PASSWORD,
            first_name=planted["first name"],
            last_name=planted["last name"],
            university=planted["university"],
        )
        # The name is taken: a refusal that the database makes, and its log must not tell.
        again = {"username": planted["username"], "email": planted["email"], "password": PASSWORD}
        self.request("POST", "/api/users/register/", 409, "", json=again)
        self.id, self.token = made["user"]["id"], made["tokens"]["access"]
        self.discord_id = fleet.discord.join(planted["Discord name"])
        planted["Discord id"] = self.discord_id
        self.say(9)
        eventually(lambda: available(fleet.discord.ask(self.discord_id, "points")) == 5, "a message in Discord")
        link(fleet, self.token, self.discord_id)
        self._earn()
        self._spend()
        self._ask_for_a_review()
        self._be_moderated()
        fleet.discord.ask(self.discord_id, "pointshistory")

    def say(self, days: int) -> None:
        at = datetime.now(UTC) - timedelta(days=days)
        self.fleet.discord.say(self.discord_id, "hello", at=at.isoformat())

    def request(self, method: str, path: str, status: int, token: str | None = None, **words: Any) -> Any:
        answer = self.fleet.request(method, path, self.token if token is None else token, **words)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def sign_in(self) -> None:
        body = {"username": self.planted["username"], "password": PASSWORD}
        self.token = self.request("POST", "/api/users/login/", 200, json=body).json()["tokens"]["access"]

    def _earn(self) -> None:
        planted, request = self.planted, self.request
        file = (planted["name of a file"], PNG + planted["text of a file"].encode(), "image/png")
        evidence = request("POST", "/api/evidence/", 201, files={"file": file}).json()["id"]
        claim = {"activity_type": "resource_share", "description": planted["text of a submission"]}
        headers = {"Idempotency-Key": "mine"}
        body = claim | {"evidence_id": evidence}
        first = request("POST", "/api/submissions/", 201, json=body, headers=headers).json()["id"]
        note = {"note": planted["note of the decision"]}
        request("POST", f"/api/submissions/{first}/approve/", 200, self.admin, json=note)
        post = {
            "activity_type": "resource_share",
            "description": "and a link to look at",
            "url": planted["link of a submission"],
        }
        request("POST", "/api/submissions/", 201, json=post)
        award = {"activity_type": "peer_mentor", "details": planted["details of an award"]}
        request("POST", f"/api/users/{self.id}/add_points/", 201, self.admin, json=award)
        correction = {"user_id": self.id, "points": 3, "reason": planted["reason of a correction"]}
        request("POST", "/api/points/adjust/", 201, self.admin, json=correction)

    def _spend(self) -> None:
        planted, request = self.planted, self.request
        # One of its own: other tests sell out what is cheapest.
        new = {"name": f"Thing {uuid4().hex[:8]}", "points_required": 10, "category": "other", "stock": None}
        cheap = request("POST", "/api/incentives/", 201, self.admin, json=new).json()
        body = {"reward_id": cheap["id"], "delivery_details": {"street": planted["address of a delivery"]}}
        for _ in range(2):
            made = request("POST", "/api/rewards/redeem/", 201, json=body).json()["id"]
        path = f"/api/redemptions/{made}/"
        request("POST", f"{path}approve/", 200, self.admin, json={"note": planted["note of an approval"]})
        request("POST", f"{path}ship/", 200, self.admin, json={"tracking_info": planted["tracking of a parcel"]})

    def _ask_for_a_review(self) -> None:
        asked = {
            "target_industry": "Technology",
            "target_role": self.planted["role wished for"],
            "experience_level": "entry",
            "preferred_times": "weekdays after 4",
            "time_zone": "America/New_York",
            "excluded_employers": [self.planted["employer to avoid"]],
        }
        self.request("POST", "/api/review-requests/", 201, json=asked)
        # It earns, and what it earns is there before points are counted.
        log = "/api/points-logs/?limit=100"
        eventually(
            lambda: "resume_review_request" in self.request("GET", log, 200).text, "the request for a review earned"
        )

    def _be_moderated(self) -> None:
        for action, reason in (("warn", "reason of a warning"), ("suspend", "reason of a suspension")):
            body = {"reason": self.planted[reason]}
            self.request("POST", f"/api/users/{self.id}/{action}/", 200, self.admin, json=body)
        self.request("POST", f"/api/users/{self.id}/unsuspend/", 200, self.admin)
        self.sign_in()


class Everywhere:
    """All that a fleet keeps: tables, queues, logs, files."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.secret = lambda name: (fleet.run / "secrets" / name).read_text().strip()

    def ask(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        password = self.secret("postgres")
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.fleet.base, user="postgres", password=password, dbname=database
        )
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def tables(self) -> Iterator[tuple[str, str]]:
        for database in DATABASES:
            for (name,) in self.ask(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
                yield (
                    f"{database}.{name}",
                    "\n".join(row[0] for row in self.ask(database, f'SELECT t::text FROM "{name}" t')),
                )
            for table, column in self._bytes(database):
                rows = self.ask(database, f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')
                yield (
                    f"{database}.{table}.{column}",
                    "\n".join(bytes(row[0]).decode("utf-8", "replace") for row in rows),
                )

    def _bytes(self, database: str) -> list[tuple[Any, ...]]:
        columns = "SELECT table_name, column_name FROM information_schema.columns"
        return self.ask(database, f"{columns} WHERE table_schema = 'public' AND data_type = 'bytea'")

    def nothing_is_under_way(self) -> bool:
        """Nothing waits for a service that runs; the others' queues fill up until they do."""
        running = {part.split("-")[0] for part in self.fleet.status()}
        with self._channel() as channel:
            names = [name for name in topology.queues() if name.split(".")[0] in {*running, "retry"}]
            waiting = {name: channel.queue_declare(name, passive=True).method.message_count for name in names}
        return not any(waiting.values())

    def queues(self) -> Iterator[tuple[str, str]]:
        """What lies in the queues; it is put back."""
        with self._channel() as channel:
            for name in topology.queues():
                while (found := channel.basic_get(name))[0] is not None:
                    yield name, f"{found[1]} {found[2].decode('utf-8', 'replace')}"

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        url = f"amqp://topology:{self.secret('amqp_topology')}@127.0.0.1:{self.fleet.base + 1}/{topology.VHOST}"
        connection = pika.BlockingConnection(pika.URLParameters(url))
        try:
            yield connection.channel()
        finally:
            connection.close()

    def files(self) -> Iterator[tuple[str, str]]:
        """Logs and evidence. Letters that were sent and local Discord's own memory are not Propel's."""
        for folder in ("logs", "nginx", "evidence"):
            for path in (self.fleet.run / folder).rglob("*"):
                if path.is_file():
                    yield str(path), f"{path} {path.read_bytes().decode('utf-8', 'replace')}"

    def holding(self, words: dict[str, str]) -> dict[str, set[str]]:
        """Where each of the words is found."""
        found: dict[str, set[str]] = {}
        for places in (self.tables(), self.queues(), self.files()):
            for place, content in places:
                for name, word in words.items():
                    if word.lower() in content.lower():
                        found.setdefault(name, set()).add(place)
        return found

    def sum_of_points(self) -> int:
        """What was ever issued and not taken back, by the transfers themselves."""
        [(total,)] = self.ask(
            "points",
            "SELECT coalesce(sum(CASE WHEN debit = 'issued' THEN points WHEN credit = 'issued' THEN -points ELSE 0 END), 0)"
            " FROM transfers",
        )
        return int(total)

    def outboxes_are_empty(self) -> bool:
        counts = [
            self.ask(name, "SELECT count(*) FROM outbox")[0][0]
            for name in ("users", "points", "rewards", "reviews", "bot")
        ]
        return not any(counts)


def export_of(fleet: Fleet, token: str) -> dict[str, Any] | None:
    """The document, once it is there."""
    answer = fleet.request("GET", "/api/users/export/", token)
    assert answer.status_code in (200, 202), answer.text
    return answer.json() if answer.status_code == 200 else None


def pid_of(fleet: Fleet, part: str) -> int:
    return int(fleet.status()[part]["pid"])


@pytest.fixture
def everywhere(fleet: Fleet) -> Everywhere:
    return Everywhere(fleet)


def test_everything_planted_is_shown_and_then_found_nowhere(fleet: Fleet, everywhere: Everywhere):
    planted, other = plant(), plant()
    member, neighbour = Member(fleet, planted), Member(fleet, other)

    # Shown: an export that begins while a service is away goes on when that is back.
    away = pid_of(fleet, "bot-worker")
    os.kill(away, signal.SIGSTOP)
    try:
        begun = fleet.request("GET", "/api/users/export/", member.token)
        assert (begun.status_code, begun.headers["Location"]) == (202, "/api/users/export/")

        def all_but_the_bot() -> bool:
            services = fleet.request("GET", "/api/users/export/", member.token).json()["services"]
            return services.pop("bot") == "collecting" and set(services.values()) == {"collected"}

        eventually(all_but_the_bot, "all but the bot have shown everything")
    finally:
        os.kill(away, signal.SIGCONT)
    document = eventually(lambda: export_of(fleet, member.token), "the document")
    shown = json.dumps(document, ensure_ascii=False)
    recalled = {name: word for name, word in planted.items() if name != "text of a file"}
    assert [name for name, word in recalled.items() if word not in shown] == []
    assert [name for name, word in other.items() if word in shown] == []
    assert neighbour.id not in shown
    [row] = document["services"]["points"]["evidence"]
    file = fleet.request("GET", row["file"], member.token)
    assert planted["text of a file"].encode() in file.content

    # Forgotten: while what they earn keeps coming, and whatever has to forget them is killed.
    assert set(everywhere.holding(planted)) == set(planted)
    before, stop, counted = everywhere.sum_of_points(), threading.Event(), []

    def keep_earning() -> None:
        for day in range(20, 60):
            member.say(day)
            counted.append(day)
            if stop.wait(0.05):
                return

    earning = threading.Thread(target=keep_earning)
    earning.start()
    eventually(lambda: len(counted) > 3, "it is being earned")
    answer = fleet.request("DELETE", "/api/users/profile/", member.token, json={"password": PASSWORD})
    assert answer.status_code == 202, answer.text
    killed = ("users-worker", "points-consumer", "bot-worker", "points-relay")
    old = {part: pid_of(fleet, part) for part in killed}
    for pid in old.values():
        os.kill(pid, signal.SIGKILL)
    stop.set()
    earning.join()
    for path in ("/api/users/profile/", "/api/points/balance/"):
        eventually(lambda: fleet.request("GET", path, member.token).status_code == 401, "signed out", 10)  # noqa: B023
    state = answer.headers["Location"]
    eventually(lambda: fleet.request("GET", state).json()["state"] == "erased", "everybody has forgotten", 90)
    eventually(everywhere.outboxes_are_empty, "all that was owed is told", 60)
    eventually(everywhere.nothing_is_under_way, "all that was told is heard", 60)

    assert everywhere.holding(planted) == {}
    assert set(everywhere.holding(other)) == set(other), "and of nobody else a word is missing"
    assert everywhere.sum_of_points() - before in range(0, 5 * len(counted) + 1, 5)
    books = run_local(fleet.run, "verify", check=False)
    assert books.returncode == 0, books.stdout
    letter = [path for path in (fleet.run / "mail").glob("*.eml") if "is erased" in path.read_text()]
    assert any(planted["email"] in path.read_text() for path in letter), "the last letter went out"

    comes_back(fleet, everywhere, member.discord_id)


def comes_back(fleet: Fleet, everywhere: Everywhere, user: str) -> None:
    """Ignored until they use a command; then a new member with nothing, under another id."""
    members = everywhere.ask("users", "SELECT count(*) FROM members WHERE status = 'active'")
    total = everywhere.sum_of_points()
    stranger = fleet.discord.join("Somebody else entirely")
    fleet.discord.say(user, "nobody listens", at=(datetime.now(UTC) - timedelta(days=70)).isoformat())
    fleet.discord.say(stranger, "but to me")
    eventually(lambda: available(fleet.discord.ask(stranger, "points")) == 5, "the stranger has points")
    assert everywhere.sum_of_points() == total + 5
    assert everywhere.ask("users", "SELECT count(*) FROM members WHERE status = 'active'") == [(members[0][0] + 1,)]
    eventually(lambda: available(fleet.discord.ask(user, "points")) == 0, "a new beginning")
    fleet.discord.say(user, "hello again")
    eventually(lambda: available(fleet.discord.ask(user, "points")) == 5, "and it earns")
    assert "hello" not in text_of(fleet.discord.ask(user, "pointshistory")).lower()
    [(fresh,)] = everywhere.ask("bot", f"SELECT member_id FROM people WHERE discord_id = '{user}'")
    alias = f"SELECT count(*) FROM aliases WHERE member_id = '{fresh}'"
    eventually(lambda: everywhere.ask("points", alias) == [(1,)], "the derived id leads there")


def test_whoever_has_no_account_is_erased_by_an_admin(fleet: Fleet, everywhere: Everywhere):
    name = f"Only in Discord {uuid4().hex[:8]}"
    user = fleet.discord.join(name)
    fleet.discord.say(user, "hello")
    eventually(lambda: available(fleet.discord.ask(user, "points")) == 5, "registered")
    [(member_id,)] = everywhere.ask("users", f"SELECT id FROM members WHERE discord_id = '{user}'")
    admin = fleet.token("admin")
    answer = fleet.request("POST", f"/api/users/{member_id}/erase/", admin, json={"confirm": True})
    assert answer.status_code == 202, answer.text
    state = answer.headers["Location"]
    eventually(lambda: fleet.request("GET", state).json()["state"] == "erased", "everybody has forgotten", 60)
    eventually(everywhere.outboxes_are_empty, "all that was owed is told", 30)
    eventually(everywhere.nothing_is_under_way, "all that was told is heard", 60)
    assert everywhere.holding({"name": name, "Discord id": user}) == {}
    trail = fleet.request("GET", f"/api/users/{answer.json()['pseudonym']}/audit/", admin).json()["items"]
    assert [entry["action"] for entry in trail] == ["erasure_completed", "erased"]
