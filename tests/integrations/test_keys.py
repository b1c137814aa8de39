"""API keys: shown once, kept as a hash, bounded in what, for how long, and revoked at once."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from fleet.database import transaction
from fleet.messages import new_id, now
from tests.integrations.conftest import hear, logged


def make(boss, **words):
    return boss("POST", "/api/keys/", json={"name": "acme", "scopes": ["events:read"], **words})


def ask(client, key, path="/api/events/", **words):
    return client.open(path, headers={"Authorization": f"Bearer {key}"}, **words)


def test_a_key_is_shown_once_and_kept_as_a_hash(boss, client):
    made = make(boss).get_json()
    assert made["key"].startswith(f"propel_{made['prefix']}_")
    [listed] = boss("GET", "/api/keys/").get_json()["items"]
    assert "key" not in listed
    assert listed["prefix"] == made["prefix"]
    with transaction() as session:
        row = session.execute(text("SELECT api_keys::text FROM api_keys")).scalar_one()
    assert made["key"].rsplit("_", 1)[1] not in row
    assert ask(client, made["key"]).status_code == 200


@pytest.mark.parametrize("change", [str.upper, lambda key: key[:-1], lambda key: key[:-1] + "~", lambda key: key + "A"])
def test_a_key_that_is_nearly_right_is_refused(boss, client, change):
    key = make(boss).get_json()["key"]
    answer = ask(client, change(key))
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"


def test_the_secret_of_another_key_does_not_open(boss, client):
    one, other = make(boss).get_json()["key"], make(boss).get_json()["key"]
    mixed = "_".join([*one.split("_", 2)[:2], other.split("_", 2)[2]])
    assert ask(client, mixed).status_code == 401


def test_a_member_is_not_an_integrator_and_a_key_is_not_a_member(boss, client, keys):
    assert client.get("/api/events/", headers=keys.bearer(new_id(), "admin")).status_code == 401
    assert ask(client, make(boss).get_json()["key"], "/api/keys/").status_code == 401
    assert client.get("/api/events/", headers={"Authorization": "Basic YTpi"}).status_code == 401
    assert client.get("/api/events/").status_code == 401


def test_a_key_ends(boss, client):
    made = make(boss, expires_at=(now() + timedelta(hours=1)).isoformat()).get_json()
    assert ask(client, made["key"]).status_code == 200
    with transaction() as session:
        session.execute(text("UPDATE api_keys SET expires_at = now()"))
    assert ask(client, made["key"]).status_code == 401
    past = make(boss, expires_at=(now() - timedelta(seconds=1)).isoformat())
    assert past.get_json()["errors"][0]["pointer"] == "/expires_at"


def test_a_revoked_key_is_refused_at_once_and_stays_so(boss, client):
    made = make(boss).get_json()
    first = boss("POST", f"/api/keys/{made['id']}/revoke/").get_json()
    assert first["revoked_at"]
    assert boss("POST", f"/api/keys/{made['id']}/revoke/").get_json() == first
    assert ask(client, made["key"]).status_code == 401


def test_scopes_bound_what_a_key_may_do(boss, client):
    reader = make(boss).get_json()["key"]
    replayer = make(boss, scopes=["events:replay"], integrator="acme").get_json()["key"]
    window = {"since": (now() - timedelta(hours=1)).isoformat()}
    assert ask(client, replayer).status_code == 403
    assert ask(client, reader, "/api/events/replay/", method="POST", json=window).status_code == 403
    assert ask(client, replayer, "/api/events/replay/", method="POST", json=window).status_code == 202


@pytest.mark.parametrize(
    ("words", "pointer"),
    [
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"scopes": []}, "/scopes"),
        ({"name": " "}, "/name"),
        ({"scopes": ["events:replay"]}, "/integrator"),
        ({"integrator": "Acme Inc."}, "/integrator"),
        ({"more": 1}, "/more"),
    ],
)
def test_a_wrong_key_is_not_made(boss, row_count, words, pointer):
    answer = make(boss, **words)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == pointer
    assert row_count("api_keys") == 0


def test_the_last_use_is_written_down_but_not_at_every_request(boss, client):
    made = make(boss).get_json()
    ask(client, made["key"])
    first = boss("GET", "/api/keys/").get_json()["items"][0]["last_used_at"]
    ask(client, made["key"])
    assert boss("GET", "/api/keys/").get_json()["items"][0]["last_used_at"] == first is not None
    with transaction() as session:
        session.execute(text("UPDATE api_keys SET last_used_at = now() - interval '2 minutes'"))
    ask(client, made["key"])
    assert boss("GET", "/api/keys/").get_json()["items"][0]["last_used_at"] > first


def test_a_window_goes_out_once_more_under_the_integrators_own_name(integrator, row_count):
    """Recorded for the relay: same ids and bodies, on the exchange and under the key that only this integrator reads."""
    old, new = logged(), logged()
    hear(old)
    since = now()
    hear(new)
    answer = integrator("/api/events/replay/", method="POST", json={"since": since.isoformat()})
    assert (answer.status_code, answer.get_json()) == (202, {"events": 1})
    where = "exchange = 'propel.replay' AND routing_key = 'acme' AND NOT mandatory AND message_id = :id"
    assert row_count("outbox", where, id=new.id) == row_count("outbox") == 1


@pytest.mark.parametrize(
    ("window", "pointer"),
    [
        ({}, "/since"),
        ({"since": "yesterday"}, "/since"),
        ({"since": "2026-01-01T00:00:00"}, "/since"),
        ({"since": "2999-01-01T00:00:00Z"}, "/since"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "/since"),
        ({"since": "2026-01-01T00:00:00Z", "types": ["points.points_held.v1"]}, "/types"),
        ({"since": "2026-01-01T00:00:00Z", "types": []}, "/types"),
    ],
)
def test_a_wrong_window_is_refused(integrator, window, pointer):
    answer = integrator("/api/events/replay/", method="POST", json=window)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == pointer


def test_a_window_that_is_too_large_is_refused_whole(integrator, monkeypatch, row_count):
    monkeypatch.setattr("services.integrations.replay.MOST", 3)
    hear(*(logged() for _ in range(4)))
    window = {"since": (now() - timedelta(minutes=1)).isoformat()}
    answer = integrator("/api/events/replay/", method="POST", json=window)
    assert answer.status_code == 422
    assert answer.get_json()["type"].endswith("/window-too-large")
    assert row_count("outbox") == 0
