"""Linking in Discord: the code is claimed in private and kept nowhere, both answers are buttons that outlive a restart,
and a code that everybody could read is cancelled."""

import re
import signal
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from fleet import database
from fleet.contracts.users import Identity, LinkClaim, LinkConfirmation, LinkOffer
from fleet.contracts.users_linking import CODE_ALPHABET, code_digest
from services.bot.link_presenters import (
    NO,
    YES,
    button_id,
    exposed,
    parse,
    show_claim,
    show_confirmation,
    show_identity,
)
from services.bot.people import derived_id
from tests.bot.conftest import NAMESPACE, until

CODE = "K7QM4XRT"
DIGEST = code_digest(uuid.UUID(NAMESPACE), CODE)
OFFER = LinkOffer(
    uuid.UUID("0193b2a4-7c1e-7d2a-9a51-3f0c6c1d2e77"),
    "ad…",
    datetime(2026, 3, 3, tzinfo=UTC),
    datetime(2026, 11, 26, 12, 10, tzinfo=UTC),
    "a…@example.org",
)


def everything_kept():
    with database.transaction() as session:
        names = session.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        rows = " ".join(str(session.execute(text(f'SELECT t.* FROM "{name}" t')).all()) for name in names)
        bodies = session.execute(text("SELECT convert_from(body, 'UTF8') FROM outbox")).scalars().all()
    return rows + " ".join(bodies)


def buttons(item):
    return [button["label"] for row in item["components"] for button in row["components"]]


def test_a_code_is_claimed_in_private_and_confirmed_by_a_button_also_after_a_restart(
    discord, start, services, row_count
):
    first = start(LOG_LEVEL="DEBUG")
    asha, ben = discord.user("Asha"), discord.user("Ben")
    called = discord.slash(asha, "link", code=CODE)
    until(lambda: services.recorded("users.claim_link.v1"))
    kept = everything_kept()
    assert DIGEST in kept
    assert CODE not in kept
    asked = services.asked("users.claim_link.v1")
    assert (asked.data.member_id, asked.data.discord_id) == (derived_id(asha), asha)
    assert asked.data.code_digest == DIGEST
    assert (asked.data.display_name, asked.reply_to) == ("Asha", "bot")
    services.answer(asked, LinkClaim(OFFER))
    item = discord.next(asha, called)
    assert item["ephemeral_to"] == asha
    shown = item["embeds"][0]["description"]
    assert "ad…" in shown
    assert re.search(r"a….*example.*org", shown)
    assert buttons(item) == ["Yes, link it", "This is not me"]
    assert "ad…" not in str(discord.items(user=ben, after=called))
    # Killed before it is settled, the answer would be shown once more.
    until(lambda: row_count("pending_answers") == 0)
    assert CODE not in first.stop(signal.SIGKILL)[1]
    start()
    clicked = discord.click(asha, item, "Yes, link it")
    asked = services.asked("users.confirm_link.v1")
    assert (asked.data.link_id, asked.data.discord_id, asked.data.accept) == (OFFER.link_id, asha, True)
    services.answer(asked, LinkConfirmation("waiting_for_web"))
    item = discord.next(asha, clicked)
    assert item["embeds"][0]["title"] == "One step is left"
    assert buttons(item) == []


def test_the_claimant_may_say_that_it_is_not_them(discord, start, services):
    start()
    asha = discord.user("Asha")
    called = discord.write(asha, f"!link {CODE}", channel="dm")
    services.answer(services.asked("users.claim_link.v1"), LinkClaim(OFFER))
    item = until(lambda: [one for one in discord.items(user=asha, after=called) if buttons(one)])[0]
    assert item["channel"] == "dm"
    clicked = discord.click(asha, item, "This is not me")
    asked = services.asked("users.confirm_link.v1")
    assert asked.data.accept is False
    services.answer(asked, LinkConfirmation("declined"))
    assert discord.next(asha, clicked)["embeds"][0]["title"] == "Nothing was linked"


def test_a_code_in_a_public_channel_is_deleted_cancelled_and_explained(discord, start, services):
    client = start()
    asha, ben = discord.user("Asha"), discord.user("Ben")
    called = discord.write(asha, f"!link {CODE}")
    said = until(lambda: [one for one in discord.items(user=ben, channel="general") if one["embeds"]])
    assert said[0]["embeds"][0]["title"] == "That code is cancelled"
    assert "I have deleted your message" in said[0]["embeds"][0]["description"]
    assert called not in [one["id"] for one in discord.items(user=ben, channel="general")]
    (cancelled,) = services.recorded("users.cancel_link.v1")
    assert (cancelled.data.discord_id, cancelled.data.code_digest) == (asha, DIGEST)
    assert services.recorded("users.claim_link.v1") == []
    kept, (_, logged) = everything_kept(), client.stop()
    assert CODE not in kept + logged


def test_without_a_code_it_says_how_and_refusals_are_told_in_words(discord, start, services):
    start()
    asha = discord.user("Asha")
    for name in ("link", "unlink"):
        item = discord.next(asha, discord.slash(asha, name))
        assert item["ephemeral_to"] == asha
        assert "Profile" in item["embeds"][0]["description"]
    assert services.recorded("users.claim_link.v1") == []
    called = discord.slash(asha, "link", code="WRNGCDE2")
    services.answer(services.asked("users.claim_link.v1"), LinkClaim())
    assert discord.next(asha, called)["embeds"][0]["title"] == "This code is not valid"
    called = discord.slash(asha, "link", code="WRNGCDE3")
    problem = {"type": "x", "title": "Too many requests", "status": 429, "detail": "Try again in 60 min."}
    services.answer(services.asked("users.claim_link.v1"), problem=problem)
    assert "60 min" in str(discord.next(asha, called)["embeds"])
    called = discord.slash(asha, "whoami")
    asked = services.asked("users.get_identity.v1")
    assert asked.data.member_id == derived_id(asha)
    services.answer(asked, Identity("Ada L.", "student", "active", None, "ada", datetime(2026, 3, 3, tzinfo=UTC)))
    item = discord.next(asha, called)
    assert "Ada L" in item["embeds"][0]["title"]
    assert "ada" in item["embeds"][0]["fields"][0]["value"]


def test_a_message_that_cannot_be_deleted_is_left_to_its_author():
    assert "Please delete your message" in exposed(deleted=False).text
    assert "I have deleted" in exposed(deleted=True).text


def test_buttons_are_read_back_and_anything_else_is_refused():
    for answer in (YES, NO):
        assert parse(button_id(answer, OFFER.link_id)) == (answer == YES, OFFER.link_id)
    assert len(button_id(NO, OFFER.link_id)) <= 100
    for wrong in ("link:", "link:yes", "link:maybe:0193b2a4-7c1e-7d2a-9a51-3f0c6c1d2e77", "link:yes:me"):
        with pytest.raises(ValueError, match=r"."):
            parse(wrong)


def test_foreign_names_have_no_power_over_the_cards():
    offer = LinkOffer(OFFER.link_id, "**@everyone** [x](http://x)", OFFER.registered_at, OFFER.expires_at)
    shown = str(show_claim(LinkClaim(offer), {}).card.payload())
    assert "**@everyone" not in shown
    assert "Address" not in shown
    shown = str(show_identity(Identity("<@1>", "student", "suspended", None, "*x*"), {}).card.payload())
    assert "<@1>" not in shown
    assert "Suspended" in shown
    assert show_confirmation(LinkConfirmation("linked"), {}).card.title == "Linked"


@pytest.mark.parametrize("typed", [CODE.lower(), f"{CODE[:4]}-{CODE[4:]}", f" {CODE} ", f"`{CODE}`", "k7qm 4xrt"])
def test_however_a_code_is_typed_its_digest_is_the_same(typed):
    assert code_digest(uuid.UUID(NAMESPACE), typed) == DIGEST
    assert code_digest(uuid.uuid4(), typed) != DIGEST


def test_no_two_characters_of_a_code_look_alike():
    assert len(set(CODE_ALPHABET)) == 32
    assert not set("01IO") & set(CODE_ALPHABET)
