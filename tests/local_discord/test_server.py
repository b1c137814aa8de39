"""What local Discord enforces and answers by itself, without a bot."""

import asyncio
import json
import zlib
from datetime import UTC, datetime

import aiohttp
import pytest

from .conftest import TOKEN, Server

EPOCH_MS = 1_420_070_400_000


def general(server):
    return f"/channels/{server.state()['channels']['general']}/messages"


def test_any_other_token_is_refused(quiet):
    assert quiet.call("GET", "/api/v10/users/@me", headers={"Authorization": "Bot other"}).status == 401
    answer = quiet.rest("GET", "/users/@me")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"


def embed(**parts):
    return {"embeds": [parts]}


def button(**parts):
    return {"type": 2, "style": 1, "label": "x", "custom_id": "a", **parts}


def rows(*items):
    return {"content": "x", "components": [{"type": 1, "components": list(items)}]}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"content": "x" * 2001}, "content"),
        ({"embeds": [{"title": "x"}] * 11}, "embeds"),
        (embed(title="x" * 257), "embeds.0.title"),
        (embed(description="x" * 4097), "embeds.0.description"),
        (embed(footer={"text": "x" * 2049}), "embeds.0.footer.text"),
        (embed(fields=[{"name": "x", "value": "y"}] * 26), "embeds.0.fields"),
        (embed(fields=[{"name": "x" * 257, "value": "y"}]), "embeds.0.fields.0.name"),
        (embed(fields=[{"name": "x", "value": "y" * 1025}]), "embeds.0.fields.0.value"),
        (embed(fields=[{"name": "", "value": "y"}]), "embeds.0.fields.0.name"),
        ({"embeds": [{"description": "x" * 3001}] * 2}, "embeds"),
        (rows(button(custom_id="x" * 101)), "components.0.components.0.custom_id"),
        (rows(button(custom_id="")), "components.0.components.0.custom_id"),
        (rows(button(), button()), "components.0.components.1.custom_id"),
        (rows(*[button(custom_id=str(n)) for n in range(6)]), "components.0.components"),
        ({"content": "x", "components": [{"type": 1, "components": [button()]}] * 6}, "components"),
        (
            rows({"type": 3, "custom_id": "s", "options": [{"label": str(n), "value": str(n)} for n in range(26)]}),
            "components.0.components.0.options",
        ),
    ],
)
def test_what_is_too_long_is_refused_where_it_is(quiet, body, place):
    answer = quiet.rest("POST", general(quiet), body)
    assert (answer.status, answer.body["code"]) == (400, 50035)
    node = answer.body["errors"]
    for step in place.split("."):
        node = node[step]
    assert node["_errors"][0]["code"]


def test_what_just_fits_is_accepted(quiet):
    fields = [{"name": "n", "value": "v"}] * 25
    body = {"content": "x" * 2000, **embed(title="t" * 256, description="d" * 4096, fields=fields), "components": []}
    assert quiet.rest("POST", general(quiet), body).status == 200


def test_an_empty_message_and_unknown_ids_have_discords_codes(quiet):
    assert quiet.rest("POST", general(quiet), {"content": ""}).body["code"] == 50006
    for method, path, code in (
        ("GET", "/channels/1", 10003),
        ("GET", general(quiet) + "/1", 10008),
        ("GET", "/users/1", 10013),
        ("GET", "/guilds/1", 10004),
        ("POST", "/interactions/1/t/callback", 10062),
        ("POST", "/webhooks/1/t", 10015),
    ):
        answer = quiet.rest(method, path, {} if method == "POST" else None)
        assert (answer.status, answer.body["code"]) == (404, code), path
    bot = quiet.state()["bot"]["id"]
    answer = quiet.rest("POST", f"/webhooks/{bot}/gone", {"content": "x"})
    assert (answer.status, answer.body["code"]) == (401, 50027)
    assert quiet.rest("GET", "/nothing").status == 404


def test_a_repeated_nonce_makes_no_second_message(quiet):
    body = {"content": "once", "nonce": "n1", "enforce_nonce": True}
    first, again = (quiet.rest("POST", general(quiet), body).body["id"] for _ in range(2))
    assert first == again
    assert quiet.rest("POST", general(quiet), body | {"nonce": "n2"}).body["id"] != first
    del body["enforce_nonce"]
    assert quiet.rest("POST", general(quiet), body).body["id"] != first


def test_a_closed_dm_is_refused_and_an_open_one_is_not(quiet):
    ann = quiet.user("Ann")
    channel = quiet.rest("POST", "/users/@me/channels", {"recipient_id": ann}).body["id"]
    path = f"/channels/{channel}/messages"
    assert quiet.rest("POST", path, {"content": "hello"}).status == 200
    quiet.post(f"/users/{ann}", 200, dms_open=False)
    answer = quiet.rest("POST", path, {"content": "hello"})
    assert (answer.status, answer.body["code"]) == (403, 50007)


def test_a_message_of_the_past_has_its_id_and_arrives_now(quiet):
    ann = quiet.user("Ann")
    now = quiet.post("/messages", user=ann, content="now")["id"]
    at = "2025-03-03T09:30:00Z"
    past, same = (quiet.post("/messages", user=ann, content="then", at=at)["id"] for _ in range(2))
    assert past != same and int(same) < int(now)
    moment = datetime.fromtimestamp(((int(past) >> 22) + EPOCH_MS) / 1000, UTC)
    assert moment == datetime(2025, 3, 3, 9, 30, tzinfo=UTC)
    assert quiet.rest("GET", f"{general(quiet)}/{past}").body["timestamp"].startswith("2025-03-03T09:30:00")
    assert [item["id"] for item in quiet.items(user=ann, after=now)] == [past, same]
    for wrong in ("2025-03-03T09:30:00", "yesterday", "2999-01-01T00:00:00Z", "2010-01-01T00:00:00Z", 5):
        quiet.post("/messages", 422, user=ann, content="x", at=wrong)


def test_wait_holds_until_there_is_something(quiet):
    ann = quiet.user("Ann")
    first = quiet.post("/messages", user=ann, content="first")["id"]
    assert quiet.items(user=ann, after=first, wait="0.05") == []

    async def both():
        waiting = asyncio.create_task(asyncio.to_thread(quiet.items, user=ann, after=first, wait="10"))
        second = await asyncio.to_thread(lambda: quiet.post("/messages", user=ann, content="second")["id"])
        return second, await waiting

    second, items = asyncio.run(both())
    assert [item["id"] for item in items] == [second]


def test_an_edit_is_new_to_whoever_asks_after_and_a_cursor_gives_it_once(quiet):
    ann = quiet.user("Ann")
    sent = quiet.rest("POST", general(quiet), {"content": "draft"}).body["id"]
    cursor = quiet.call("GET", f"/local/messages?user={ann}").body["cursor"]
    other = quiet.post("/messages", user=ann, content="other")["id"]
    quiet.rest("PATCH", f"{general(quiet)}/{sent}", {"content": "final"})
    items = quiet.items(user=ann, after=other)
    assert [(item["id"], item["content"], item["edited"]) for item in items] == [(sent, "final", True)]
    answer = quiet.call("GET", f"/local/messages?user={ann}&after={cursor}").body
    assert [item["id"] for item in answer["items"]] == [sent, other]
    assert quiet.call("GET", f"/local/messages?user={ann}&after={answer['cursor']}").body["items"] == []


def test_the_staff_channel_is_for_staff(quiet):
    ann, staff = quiet.user("Ann"), quiet.user("Dean", staff=True)
    sent = quiet.post("/messages", user=staff, content="between us", channel="staff")["id"]
    quiet.post("/messages", 403, user=ann, content="hello", channel="staff")
    assert sent in [item["id"] for item in quiet.items(user=staff, channel="staff")]
    assert quiet.items(user=ann, channel="staff") == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/local/users", {}, 422),
        ("POST", "/local/users", {"name": ""}, 422),
        ("POST", "/local/users", {"name": 5}, 422),
        ("POST", "/local/users", {"name": "x", "stuff": True}, 422),
        ("POST", "/local/users", {"name": "x", "staff": "yes"}, 422),
        ("POST", "/local/users", b'{"name": "\\ud800"}', 422),
        ("POST", "/local/users", b"not json", 422),
        ("POST", "/local/users", b"[" * 100_000, 422),
        ("POST", "/local/users", [1], 422),
        ("POST", "/local/users/1", {}, 404),
        ("POST", "/local/users/x", {"leaves": True}, 404),
        ("POST", "/local/messages", {"user": "1", "content": "x"}, 404),
        ("POST", "/local/messages", {"user": {}, "content": "x"}, 404),
        ("POST", "/local/commands", {"name": "x"}, 422),
        ("POST", "/local/clicks", {"user": True}, 404),
        ("POST", "/local/limits", {"next": -1}, 422),
        ("POST", "/local/drop", {"resumable": 1}, 422),
        ("GET", "/local/messages?after=5", None, 404),
        ("GET", "/local/messages?wait=61", None, 422),
        ("GET", "/local/messages?wait=nan", None, 422),
        ("GET", "/local/messages?channel=dm", None, 422),
        ("GET", "/local/messages?channel=nowhere", None, 404),
        ("GET", "/local/messages?limit=5", None, 422),
        ("GET", "/local/nothing", None, 404),
        ("DELETE", "/local/users", None, 405),
    ],
)
def test_bad_input_gets_a_sentence(quiet, method, path, body, status):
    answer = quiet.call(method, path, body)
    assert answer.status == status and len(answer.body["error"]) > 10


def test_messages_are_judged_before_they_are_sent(quiet):
    ann = quiet.user("Ann")
    for wrong in (
        {},
        {"content": " "},
        {"content": "x" * 2001},
        {"content": "x", "channel": 5.5},
        {"content": "x", "attachments": [{"filename": "a"}]},
        {"content": "x", "attachments": [{"filename": "a", "size": 1, "base64": "AA=="}]},
        {"content": "x", "attachments": [{"filename": "a", "base64": "?"}]},
        {"content": "x", "attachments": [{"filename": "a/b", "size": 1}]},
        {"content": "x", "attachments": [{"filename": "a", "size": 10**9}]},
        {"content": "x", "reply_to": "5"},
    ):
        answer = quiet.call("POST", "/local/messages", {"user": ann, **wrong})
        assert answer.status in (404, 422) and answer.body["error"], wrong


def test_foreign_pages_are_not_served(quiet):
    for headers in ({"Origin": "https://example.org"}, {"Host": "example.org"}):
        assert quiet.call("GET", "/local/state", headers=headers).status == 403


def test_a_429_says_when_to_come_back(quiet):
    quiet.post("/limits", 200, next=2, retry_after=0.5)
    answer = quiet.rest("GET", "/users/@me")
    assert answer.status == 429 and answer.headers["Retry-After"] == "1"
    assert answer.body["retry_after"] == 0.5 and answer.body["global"] is False
    assert [quiet.rest("GET", "/users/@me").status for _ in range(2)] == [429, 200]


def test_commands_are_judged_when_registered(quiet):
    path = f"/applications/{quiet.state()['bot']['id']}/commands"
    good = {"name": "hello", "description": "says hello", "options": []}
    made = quiet.rest("POST", path, good)
    assert made.status == 201
    assert quiet.rest("POST", path, good | {"description": "again"}).body["id"] == made.body["id"]
    for wrong in (
        {"name": "Hello"},
        {"name": "two words"},
        {"description": ""},
        {"description": "x" * 101},
        {"options": [{"name": "a", "description": "x", "type": 12}]},
        {"options": [{"name": "a", "description": "x", "type": 3, "choices": [{"name": "x", "value": 1}]}]},
        {"options": [{"name": n, "description": "x", "type": 3, "required": n == "b"} for n in "ab"]},
        {"options": [{"name": "a", "description": "x", "type": 3}] * 2},
        {"options": 7},
    ):
        assert quiet.rest("POST", path, good | wrong).body["code"] == 50035, wrong
    kept = quiet.rest("PUT", path, [{"name": "bye", "description": "says bye"}]).body
    assert [one["name"] for one in quiet.rest("GET", path).body] == ["bye"]
    assert quiet.rest("PATCH", f"{path}/{kept[0]['id']}", {"description": "new"}).body["description"] == "new"
    assert quiet.rest("DELETE", f"{path}/{kept[0]['id']}").status == 204
    assert quiet.rest("GET", f"{path}/{kept[0]['id']}").body["code"] == 10063


async def _receive(socket, inflate=None):
    message = await socket.receive(timeout=5)
    if message.type is aiohttp.WSMsgType.CLOSE:
        return message.data
    if inflate is not None:
        assert message.data.endswith(b"\x00\x00\xff\xff")
        return json.loads(inflate.decompress(message.data))
    return json.loads(message.data)


async def _identified(session, server, query="", token=TOKEN):
    socket = await session.ws_connect(server.url.replace("http", "ws") + "/gateway?v=10&encoding=json" + query)
    inflate = zlib.decompressobj() if query else None
    assert (await _receive(socket, inflate))["op"] == 10
    await socket.send_json({"op": 2, "d": {"token": token, "intents": 0, "large_threshold": 50}})
    return socket, inflate


def test_the_gateway_refuses_another_token_with_4004(quiet):
    async def play():
        async with aiohttp.ClientSession() as session:
            socket, _ = await _identified(session, quiet, token="other")
            return await _receive(socket)

    assert asyncio.run(play()) == 4004


def test_a_session_is_compressed_resumed_and_asked_for_members(quiet):
    async def play():
        async with aiohttp.ClientSession() as session:
            socket, inflate = await _identified(session, quiet, "&compress=zlib-stream")
            ready, guild = await _receive(socket, inflate), await _receive(socket, inflate)
            assert (ready["t"], guild["t"]) == ("READY", "GUILD_CREATE")
            ask = {"guild_id": guild["d"]["id"], "query": "", "limit": 0, "nonce": "abc"}
            await socket.send_json({"op": 8, "d": ask})
            chunk = (await _receive(socket, inflate))["d"]
            assert chunk["nonce"] == "abc" and len(chunk["members"]) == guild["d"]["member_count"]
            await socket.send_json({"op": 1, "d": 2})
            assert (await _receive(socket, inflate))["op"] == 11
            await asyncio.to_thread(quiet.post, "/drop", 200)
            assert await _receive(socket) == 4000
            ann = await asyncio.to_thread(quiet.user, "Ann")

            socket = await session.ws_connect(ready["d"]["resume_gateway_url"])
            await _receive(socket)
            resume = {"token": TOKEN, "session_id": ready["d"]["session_id"], "seq": 3}
            await socket.send_json({"op": 6, "d": resume})
            missed, resumed = await _receive(socket), await _receive(socket)
            assert (missed["t"], missed["d"]["user"]["id"], missed["s"]) == ("GUILD_MEMBER_ADD", ann, 4)
            assert resumed["t"] == "RESUMED"
            await socket.close(code=1000)

            socket = await session.ws_connect(ready["d"]["resume_gateway_url"])
            await _receive(socket)
            await socket.send_json({"op": 6, "d": resume})
            assert await _receive(socket) == {"op": 9, "d": False, "s": None, "t": None}

    asyncio.run(play())


def test_a_restart_forgets_nobody(tmp_path):
    server = Server("--state", str(tmp_path / "state.json"))
    ann = server.user("Ann 🎓 آن", staff=True)
    file = {"filename": "a.txt", "content_type": "text/plain", "base64": "aGVsbG8="}
    message = server.post("/messages", user=ann, content="kept", attachments=[file], at="2025-03-03T09:30:00Z")["id"]
    server.post("/reactions", user=ann, message=message, emoji="👍")
    before, items = server.state(), server.items(user=ann)
    assert server.stop() == 0
    server.start()
    try:
        assert server.state() == before
        again = server.items(user=ann)
        assert [item["id"] for item in again] == [item["id"] for item in items]
        assert again[0]["reactions"] == {"👍": 1}
        assert server.call("GET", again[0]["attachments"][0]["url"].removeprefix(server.url)).body == b"hello"
        later = server.post("/messages", user=ann, content="later", at="2025-03-03T09:30:00Z")["id"]
        assert later != message
        assert [item["id"] for item in server.items(user=ann, after=message)] == [later]
    finally:
        server.stop()


def test_a_state_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(AssertionError):
        Server("--state", str(tmp_path / "state.json"))
