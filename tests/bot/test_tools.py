"""The door of other bots and tools: who is let in, and that each request acts once."""

import hmac
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import func, select, text

from fleet import asking, settings
from fleet.contracts.points import ActivityOutcome, Leaderboard, Place, Streak
from fleet.database import transaction
from fleet.messages import Envelope, Reply, decode, to_json
from services.bot import tools
from services.bot.app import create_app
from services.bot.tool_actions import ACTIONS
from tests.answers import pointers, refused
from tests.locks import until_it_waits
from tests.signing import TestKey

SECRET = "a secret of the tests that is long enough"
OLDER = "an older secret that is still good for now"
ADA = "100000000000000001"
# As the contract of this door names them.
TABLE = (
    "upsert-user",
    "add-activity",
    "leaderboard",
    "link",
    "summary",
    "redeem",
    "admin-adjust",
    "suspend-user",
    "unsuspend-user",
    "clear-warnings",
    "activitylog",
    "review-status",
    "add-professional",
    "list-professionals",
    "match-review",
    "review-stats",
    "pending-reviews",
    "suggest-matches",
    "schedule-session",
    "submit",
    "approve",
    "reject",
    "pending",
    "get-streak",
    "create-incentive",
    "update-incentive",
    "update-incentive-stock",
    "list-incentives",
    "leaderboard-category",
    "top-contributors",
    "audit-logs",
)


def headers(body: bytes, secret: str = SECRET, **more: str) -> dict[str, str]:
    """Those of a request that is signed now; each can be replaced."""
    key_id, stamp = more.pop("key_id", "main"), more.pop("stamp", str(int(time.time())))
    nonce = more.pop("nonce", uuid4().hex)
    said = b"\n".join((b"v1", stamp.encode(), nonce.encode(), body))
    signature = more.pop("signature", hmac.new(secret.encode(), said, sha256).hexdigest())
    found = {"X-Propel-Key-Id": key_id, "X-Propel-Timestamp": stamp, "X-Propel-Nonce": nonce}
    return found | {"X-Propel-Signature": signature, "Content-Type": "application/json"} | more


@pytest.fixture
def tool(bot_database: Any, keys: TestKey, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`tool({"action": ...}, **headers)` asks as a tool that signs rightly."""
    monkeypatch.setenv("BOT_SHARED_SECRET", f"main:{SECRET},older:{OLDER}")
    settings.read.cache_clear()
    client = create_app(keys=keys).test_client()

    def send(payload: Any, *, given: dict[str, str] | None = None, **more: str) -> Any:
        body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
        return client.post("/api/bot/", data=body, headers=headers(body, **more) if given is None else given)

    return send


@pytest.fixture
def ada(tool: Any) -> str:
    assert tool({"action": "upsert-user", "discord_id": ADA, "username": "ada"}).status_code == 201
    return ADA


@pytest.fixture
def answering(tool: Any) -> Any:
    """Answers what is asked, as the fleet would: `answering(lambda message: outcome)`; gives the list of what was sent."""
    stop, threads, sent = threading.Event(), [], []

    def work(answer: Any) -> None:
        seen: set[Any] = set()
        while not stop.wait(0.01):
            with transaction() as session:
                for body in session.scalars(text("SELECT body FROM outbox ORDER BY id")).all():
                    envelope: Envelope[Any] = decode(bytes(body))
                    if envelope.id in seen or envelope.reply_to is None:
                        continue
                    seen.add(envelope.id)
                    sent.append(envelope.data)
                    reply = Reply(str(envelope.id), to_json(answer(envelope.data)), None)
                    row = {
                        "id": str(envelope.id),
                        "body": orjson.dumps({"result": reply.result, "problem": None}).decode(),
                    }
                    session.execute(
                        text("INSERT INTO answers (message_id, body) VALUES (:id, CAST(:body AS jsonb))"), row
                    )

    def start(answer: Any) -> list[Any]:
        threads.append(threading.Thread(target=work, args=(answer,)))
        threads[-1].start()
        return sent

    yield start
    stop.set()
    for thread in threads:
        thread.join(10)


def test_every_action_there_is_to_be_is_there():
    assert sorted(ACTIONS) == sorted(TABLE)


class TestSignatures:
    def test_a_right_one_opens_the_door(self, tool):
        assert tool({"action": "upsert-user", "discord_id": ADA}).status_code == 201

    def test_two_secrets_are_good_while_one_replaces_the_other(self, tool):
        answer = tool({"action": "upsert-user", "discord_id": ADA}, secret=OLDER, key_id="older")
        assert answer.status_code == 201

    @pytest.mark.parametrize(
        "wrong",
        [
            {"secret": "another secret that is long enough"},
            {"secret": OLDER},
            {"key_id": "older"},
            {"key_id": "nobody"},
            {"key_id": ""},
            {"stamp": "0"},
            {"stamp": "-1"},
            {"stamp": "now"},
            {"stamp": "١٢٣".encode().decode("latin-1")},
            {"nonce": "short"},
            {"nonce": "x" * 129},
            {"nonce": "with a space and more"},
            {"signature": ""},
            {"signature": "0" * 64},
            {"signature": "é" * 64},
            {"X-Propel-Timestamp": str(int(time.time()) + 1)},
            {"X-Propel-Nonce": "another-nonce-than-signed"},
        ],
        ids=str,
    )
    def test_a_wrong_one_does_not_and_nothing_happens(self, tool, row_count, wrong):
        refused(tool({"action": "upsert-user", "discord_id": ADA}, **wrong), 401, "unauthorized")
        assert row_count("people") == row_count("outbox") == row_count("tool_nonces") == 0

    @pytest.mark.parametrize("seconds", [-301, 301])
    def test_one_of_another_time_is_refused(self, tool, seconds):
        refused(tool({"action": "x"}, stamp=str(int(time.time()) + seconds)), 401, "unauthorized")

    def test_another_body_than_was_signed_is_refused_before_it_is_looked_at(self, tool):
        refused(tool(b"{not json", given=headers(b"{}")), 401, "unauthorized")

    def test_a_request_is_good_once(self, tool, row_count):
        body = orjson.dumps({"action": "upsert-user", "discord_id": ADA})
        same = headers(body)
        assert tool(body, given=same).status_code == 201
        refused(tool(body, given=same), 401, "unauthorized")
        assert row_count("tool_nonces") == 1

    def test_of_many_at_once_one_is_let_in(self, tool):
        body = orjson.dumps({"action": "upsert-user", "discord_id": ADA})
        same = headers(body)
        with ThreadPoolExecutor(8) as pool:
            statuses = sorted(pool.map(lambda _: tool(body, given=same).status_code, range(8)))
        assert statuses == [201] + [401] * 7

    def test_the_secret_itself_only_where_that_is_allowed(self, tool, monkeypatch):
        plain = {"X-Bot-Secret": SECRET, "Content-Type": "application/json"}
        body = orjson.dumps({"action": "upsert-user", "discord_id": ADA})
        refused(tool(body, given=plain), 401, "unauthorized")
        monkeypatch.setenv("BOT_ALLOW_PLAIN_SECRET", "true")
        settings.read.cache_clear()
        assert tool(body, given=plain).status_code == 201
        refused(tool(body, given=plain | {"X-Bot-Secret": "guess"}), 401, "unauthorized")

    def test_without_a_secret_nobody_is_let_in(self, tool, monkeypatch):
        monkeypatch.setenv("BOT_SHARED_SECRET", "")
        settings.read.cache_clear()
        refused(tool({"action": "get-streak", "discord_id": ADA}), 401, "unauthorized")
        refused(tool({"action": "get-streak", "discord_id": ADA}, secret="", key_id=""), 401, "unauthorized")

    @pytest.mark.parametrize("value", ["short", "main:short", f":{SECRET}", f"{SECRET},b:short"])
    def test_a_secret_that_is_too_short_is_none(self, value):
        with pytest.raises(settings.SettingsError, match="BOT_SHARED_SECRET"):
            tools.ToolSettings(value, False)

    def test_nonces_go_when_nobody_can_come_with_them_any_more(self, tool, row_count):
        tool({"action": "upsert-user", "discord_id": ADA})
        with transaction() as session:
            session.execute(text("UPDATE tool_nonces SET seen_at = now() - interval '14 minutes'"))
            tools.forget_old(session)
        assert row_count("tool_nonces") == 1
        with transaction() as session:
            session.execute(text("UPDATE tool_nonces SET seen_at = now() - interval '16 minutes'"))
            tools.forget_old(session)
        assert row_count("tool_nonces") == 0


class TestPayloads:
    def test_what_there_is_not_is_named_with_what_there_is(self, tool):
        answer = tool({"action": "delete-everything"})
        refused(answer, 400, "unknown-action")
        assert "top-contributors" in answer.json["detail"]

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"null"])
    def test_what_is_no_object_is_refused(self, tool, body):
        assert tool(body).status_code in (400, 422)

    @pytest.mark.parametrize(
        ("payload", "pointer"),
        [
            ({}, "/action"),
            ({"action": 7}, "/action"),
            ({"action": "get-streak"}, "/discord_id"),
            ({"action": "get-streak", "discord_id": 1000}, "/discord_id"),
            ({"action": "get-streak", "discord_id": "ada"}, "/discord_id"),
            ({"action": "get-streak", "discord_id": ADA, "points": 5}, "/points"),
            ({"action": "leaderboard", "page_size": 0}, "/page_size"),
            ({"action": "leaderboard", "page_size": "ten"}, "/page_size"),
            ({"action": "leaderboard", "page": 51}, "/page"),
            ({"action": "link", "discord_id": ADA}, "/code"),
            (
                {
                    "action": "admin-adjust",
                    "actor_discord_id": ADA,
                    "discord_id": ADA,
                    "delta_points": 0,
                    "reason": "x",
                },
                "/delta_points",
            ),
            ({"action": "admin-adjust", "discord_id": ADA, "delta_points": 1, "reason": "x"}, "/actor_discord_id"),
            ({"action": "submit", "discord_id": ADA, "activity_type": "a\x07b"}, "/activity_type"),
            ({"action": "approve", "actor_discord_id": ADA, "submission_id": "7"}, "/submission_id"),
            ({"action": "update-incentive", "actor_discord_id": ADA, "incentive_id": str(uuid4())}, "/name"),
            ({"action": "top-contributors", "period": "ever"}, "/period"),
        ],
    )
    def test_a_wrong_field_is_named_and_nothing_is_sent(self, tool, ada, row_count, payload, pointer):
        before = row_count("outbox")
        answer = tool(payload)
        refused(answer, 422)
        assert pointer in pointers(answer)
        assert row_count("outbox") == before

    def test_somebody_nobody_has_seen_is_not_found(self, tool):
        refused(tool({"action": "get-streak", "discord_id": ADA}), 404, "not-found")


class TestOnce:
    def test_a_question_is_answered(self, tool, ada, answering):
        answering(lambda _asked: Streak(3, 7))
        answer = tool({"action": "get-streak", "discord_id": ada})
        assert answer.json == {"current_streak": 3, "longest_streak": 7, "streak_type": "daily", "last_activity": None}

    def test_under_a_key_a_command_is_sent_once_and_answered_each_time(self, tool, ada, answering):
        sent = answering(lambda _deed: ActivityOutcome(True, 5, 5, 5, transfer_id=uuid4()))
        deed = {"action": "add-activity", "discord_id": ada, "activity_type": "discord_activity"}
        answers = [tool(deed, **{"Idempotency-Key": "deed 1"}).json for _ in range(3)]
        assert answers[0]["total_points"] == 5
        assert answers[1:] == answers[:1] * 2
        assert len([each for each in sent if type(each).__name__ == "LogActivity"]) == 1

    def test_under_a_key_many_at_once_send_one(self, tool, ada, answering):
        sent = answering(lambda _deed: ActivityOutcome(True, 5, 5, 5, transfer_id=uuid4()))
        deed = {"action": "add-activity", "discord_id": ada, "activity_type": "discord_activity"}
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda _: tool(deed, **{"Idempotency-Key": "deed 1"}), range(6)))
        assert {answer.status_code for answer in found} == {200}
        assert len({answer.json["points_log_id"] for answer in found}) == 1
        assert len([each for each in sent if type(each).__name__ == "LogActivity"]) == 1

    def test_under_a_key_the_second_waits_for_the_first(self, tool, ada, answering, row_count):
        """The first has sent and not yet committed: the second may not send too."""
        answering(lambda _deed: ActivityOutcome(True, 5, 5, 5))
        deed = {"action": "add-activity", "discord_id": ada, "activity_type": "discord_activity"}
        before = row_count("outbox")
        with ThreadPoolExecutor(1) as pool:
            with transaction() as session:
                session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("main k", 0))))
                second = pool.submit(tool, deed, **{"Idempotency-Key": "k"})
                until_it_waits(second)
                assert row_count("outbox") == before
            assert second.result(20).status_code == 200

    def test_a_key_with_another_body_is_refused(self, tool, ada, answering):
        answering(lambda _deed: ActivityOutcome(True, 5, 5, 5))
        deed = {"action": "add-activity", "discord_id": ada, "activity_type": "discord_activity"}
        assert tool(deed, **{"Idempotency-Key": "k"}).status_code == 200
        other = tool(deed | {"activity_type": "peer_mentor"}, **{"Idempotency-Key": "k"})
        refused(other, 422, "idempotency-key-reused")

    def test_what_was_not_answered_in_time_is_answered_when_it_is_asked_again(
        self, tool, ada, answering, monkeypatch, row_count
    ):
        monkeypatch.setitem(asking.ask_by.__kwdefaults__, "wait_s", 0.05)
        deed = {"action": "add-activity", "discord_id": ada, "activity_type": "discord_activity"}
        before = row_count("outbox")
        refused(tool(deed, **{"Idempotency-Key": "k"}), 503)
        monkeypatch.setitem(asking.ask_by.__kwdefaults__, "wait_s", 10)
        answering(lambda _deed: ActivityOutcome(True, 5, 5, 5))
        assert tool(deed, **{"Idempotency-Key": "k"}).json["total_points"] == 5
        assert row_count("outbox") == before + 1

    def test_who_is_a_member_stays_as_they_are(self, tool, ada, row_count):
        again = tool({"action": "upsert-user", "discord_id": ada, "username": "somebody else"})
        assert (again.status_code, again.json["created"], again.json["username"]) == (200, False, "ada")
        assert row_count("people") == 1

    def test_points_of_before_names_nobody_and_the_board_is_shown(self, tool, answering):
        """While the fleet is rolled: a reply without the field that was added later."""
        answering(lambda _asked: Leaderboard("all_time", [Place(1, "Ada", 5, 5, False)], 1))
        answer = tool({"action": "leaderboard"})
        assert answer.status_code == 200
        assert answer.json["results"] == [{"position": 1, "discord_id": None, "username": "Ada", "total_points": 5}]

    def test_who_was_forgotten_stays_so(self, tool, ada, row_count):
        from services.bot import people, privacy

        with transaction() as session:
            privacy.forget(session, [people.derived_id(ada)])
        refused(tool({"action": "upsert-user", "discord_id": ada}), 422)
        refused(tool({"action": "get-streak", "discord_id": ada}), 404)
        assert row_count("people") == 0
