"""What the real nextcord client can do with local Discord."""

from .conftest import Bot, Server, until


def said(text):
    return lambda item: item["content"] == text


def command(discord, user, name, **options):
    return discord.post("/commands", user=user, name=name, options=options)["id"]


def test_a_slash_command_is_answered_and_the_answer_names_its_interaction(discord):
    ann = discord.user("Ann")
    asked = command(discord, ann, "ping")
    item = discord.expect(said("pong"), asked, user=ann)
    assert item["interaction"] == asked
    assert item["author"] == discord.state()["bot"]["id"]
    assert item["ephemeral_to"] is None


def test_a_deferred_answer_appears_when_it_has_content(discord):
    ann = discord.user("Ann")
    asked = command(discord, ann, "think")
    item = discord.expect(said("thought"), asked, user=ann)
    assert item["embeds"][0]["title"] == "Result" and item["edited"] is False
    more = discord.expect(said("and more"), asked, user=ann)
    assert item["interaction"] == more["interaction"] == asked
    assert not [one for one in discord.items(user=ann, after=asked) if not one["content"]]


def test_an_ephemeral_answer_is_seen_by_one_member_alone(discord):
    ann, ben = discord.user("Ann"), discord.user("Ben")
    asked = command(discord, ann, "secret")
    assert discord.expect(said("secret"), asked, user=ann)["ephemeral_to"] == ann
    deferred = command(discord, ann, "think", private=True)
    assert discord.expect(said("and more"), deferred, user=ann)["ephemeral_to"] == ann
    assert discord.items(user=ben, after=asked, channel="general") == []
    assert discord.items(after=asked, channel="general") == []


def test_buttons_and_selects_reach_the_bot(discord):
    ann = discord.user("Ann")
    message = discord.expect(said("press one"), command(discord, ann, "buttons"), user=ann)["id"]
    clicked = discord.post("/clicks", user=ann, message=message, custom_id="press")["id"]
    item = discord.expect(said("pressed by Ann"), clicked, user=ann)
    assert item["id"] == message and item["edited"] is True
    clicked = discord.post("/clicks", user=ann, message=message, custom_id="colour", values=["blue"])["id"]
    assert discord.expect(said("chose blue"), clicked, user=ann)["interaction"] == clicked
    clicked = discord.post("/clicks", user=ann, message=message, custom_id="whisper")["id"]
    assert discord.expect(said("for you alone"), clicked, user=ann)["ephemeral_to"] == ann
    discord.post("/clicks", 422, user=ann, message=message, custom_id="colour", values=["green"])
    assert "press" in discord.post("/clicks", 404, user=ann, message=message, custom_id="none")["error"]


def test_a_modal_is_opened_and_submitted(discord):
    ann = discord.user("Ann")
    asked = command(discord, ann, "form")
    until(lambda: discord.call("GET", f"/local/interactions/{asked}").body["answered"])
    discord.post("/modals", 422, user=ann, custom_id="form", fields={"reason": "no"})
    sent = discord.post("/modals", user=ann, custom_id="form", fields={"reason": "of the food"})["id"]
    assert discord.expect(said("because of the food"), sent, user=ann)["interaction"] == sent
    discord.post("/modals", 404, user=ann, custom_id="form", fields={"reason": "again"})


def test_a_second_response_is_refused(discord):
    ann = discord.user("Ann")
    asked = command(discord, ann, "twice")
    discord.expect(said("refused 400 40060"), asked, user=ann)
    mine = [one["content"] for one in discord.items(user=ann, after=asked) if one["interaction"] == asked]
    assert mine == ["first", "refused 400 40060"]


def test_a_response_after_three_seconds_is_refused(discord):
    ann = discord.user("Ann")
    discord.expect(said("refused 404 10062"), command(discord, ann, "late"), user=ann)


def test_autocomplete_offers_what_the_bot_says(discord):
    ann = discord.user("Ann")
    typed = discord.post("/autocomplete", 200, user=ann, name="pick", option="fruit", options={"fruit": "ap"})
    assert [choice["value"] for choice in typed["choices"]] == ["apple", "apricot"]
    asked = command(discord, ann, "pick", fruit="plum", count=3)
    discord.expect(said("3 plum"), asked, user=ann)


def test_options_are_judged_by_what_was_registered(discord):
    ann = discord.user("Ann")
    for options in ({}, {"fruit": 3}, {"fruit": "plum", "count": 10}, {"fruit": "plum", "more": 1}, {"fruit": ""}):
        assert "error" in discord.post("/commands", 422, user=ann, name="pick", options=options)
    assert "ping" in discord.post("/commands", 404, user=ann, name="nothing")["error"]


def test_members_attachments_and_closed_dms(discord):
    ann, ben = discord.user("Ann"), discord.user("Ben 🎓 بن")
    file = {"filename": "cv.pdf", "content_type": "application/pdf", "size": 1234}
    asked = command(discord, ann, "report", who=ben, file=file)
    item = discord.expect(said("Ben 🎓 بن: 1234 bytes"), asked, user=ann)
    assert b"nextcord" in discord.call("GET", item["attachments"][0]["url"].removeprefix(discord.url)).body
    direct = discord.expect(said("a direct message"), asked, user=ben, channel="dm")
    assert direct["channel"] == "dm"
    assert direct["content"] not in [item["content"] for item in discord.items(user=ann, channel="dm")]
    discord.post(f"/users/{ben}", 200, dms_open=False)
    asked = command(discord, ann, "report", who=ben, file=file)
    discord.expect(said("refused 403 50007"), asked, user=ann)


def test_a_member_who_joins_is_greeted_and_one_who_left_is_unknown(discord):
    ann = discord.user("Ann")
    discord.expect(said("welcome Ann"), ann, user=ann, channel="dm")
    discord.post(f"/users/{ann}", 200, leaves=True)
    assert discord.rest("GET", f"/guilds/{discord.state()['guild_id']}/members/{ann}").body["code"] == 10007
    assert "joins" in discord.post("/messages", 422, user=ann, content="hello")["error"]
    discord.post(f"/users/{ann}", 200, joins=True)
    discord.post("/messages", user=ann, content="hello again")


def test_a_prefix_command_is_answered_by_a_reply(discord):
    ann = discord.user("Ann")
    asked = discord.post("/messages", user=ann, content="!told zzz")["id"]
    assert discord.expect(lambda item: item["reply_to"] == asked, asked, user=ann)["author_name"] == "Propel"


def test_a_reaction_reaches_the_bot_once(discord):
    ann, ben = discord.user("Ann"), discord.user("Ben")
    message = discord.post("/messages", user=ann, content="like this")["id"]
    assert discord.post("/reactions", user=ben, message=message, emoji="👍")["changed"] is True
    assert discord.post("/reactions", user=ben, message=message, emoji="👍")["changed"] is False
    discord.expect(said("👍 by Ben"), message, user=ann)


def test_a_dropped_connection_is_resumed_and_loses_no_event(discord):
    ann = discord.user("Ann")
    before = _told(discord, ann, "none")[0]
    for number in range(20):
        discord.post("/messages", user=ann, content=f"event-{number}")
        if number == 10:
            assert discord.post("/drop", 200) == {"dropped": 1}
    resumed, *events = _told(discord, ann, "event-")
    assert events == [f"event-{number}" for number in range(20)]
    assert int(resumed) == int(before) + 1


def test_a_session_declared_invalid_is_begun_anew(discord):
    ann = discord.user("Ann")
    before = _told(discord, ann, "none")[0]
    for politely in (True, False):
        assert discord.post("/drop", 200, resumable=False, politely=politely) == {"dropped": 1}
        until(lambda: discord.state()["bot_ready"])
        assert _told(discord, ann, "none")[0] == before


def _told(discord, user, prefix):
    asked = discord.post("/messages", user=user, content=f"!told {prefix}")["id"]
    return discord.expect(lambda item: item["reply_to"] == asked, asked, user=user)["content"].split()


def test_a_429_is_waited_out_by_the_client(discord):
    ann = discord.user("Ann")
    discord.post("/limits", 200, route="/messages", next=1, retry_after=0.3)
    asked = discord.post("/messages", user=ann, content="!say patience")["id"]
    discord.expect(said("patience"), asked, user=ann)
    assert discord.post("/limits", 200, route="x", next=0) == []
    discord.post("/limits", 200, route="/callback", next=1, retry_after=0.2)
    discord.expect(said("pong"), command(discord, ann, "ping"), user=ann)


def test_a_token_of_fifteen_minutes_ago_is_invalid(discord):
    ann = discord.user("Ann")
    asked = command(discord, ann, "once_more")
    discord.expect(said("waiting"), asked, user=ann)
    discord.post("/messages", user=ann, content="now")
    discord.expect(said("once more"), asked, user=ann)
    asked = command(discord, ann, "once_more")
    discord.expect(said("waiting"), asked, user=ann)
    discord.post(f"/interactions/{asked}", 200, expired=True)
    discord.post("/messages", user=ann, content="now")
    discord.expect(said("refused 401 50027"), asked, user=ann)


def test_a_large_guild_is_learnt_in_chunks_and_a_second_start_registers_nothing():
    server = Server()
    try:
        ann, *_ = [server.user(f"Member {number}") for number in range(300)]
        registered = []
        for _ in range(2):
            bot = Bot(server)
            asked = server.post("/messages", user=ann, content="!count")["id"]
            server.expect(said("301 of 301 members"), asked, user=ann)
            registered.append(server.call("GET", "/local/commands").body["items"])
            bot.stop()
            until(lambda: not server.state()["bot_ready"])
        assert registered[0] == registered[1]
    finally:
        server.stop()
