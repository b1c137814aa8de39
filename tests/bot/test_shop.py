"""The shop in Discord, through the real client: nothing is spent without a yes, and a yes is granted once."""

import os
import random
import signal
import time
from typing import Any

import pytest
from sqlalchemy import text

from fleet import database
from fleet.contracts import points, rewards, users
from fleet.messages import new_id, now
from services.bot.people import derived_id
from tests.bot.conftest import until
from tests.conftest import SEED

REDEEM = "rewards.redeem.v1"
KILLS = int(os.environ.get("REDEEM_KILLS", "3"))


def entry(name: str = "Azure exam voucher", **changes: Any) -> rewards.CatalogueEntry:
    known = {
        "incentive_id": new_id(),
        "name": name,
        "points_required": 100,
        "category": "digital",
        "can_redeem": True,
        "points_missing": 0,
        "is_active": True,
        "stock": 50,
    }
    return rewards.CatalogueEntry(**(known | changes))


def outcome(asked: Any, status: Any = "pending", left: int | None = 20) -> rewards.RedemptionOutcome:
    data = asked.data
    return rewards.RedemptionOutcome(
        new_id(), data.member_id, data.incentive_id, "Azure exam voucher", 100, status, left
    )


def labels(item: dict[str, Any]) -> list[str]:
    return [button["label"] for row in item["components"] for button in row["components"]]


def words(item: dict[str, Any]) -> str:
    return item["content"] + str(item["embeds"])


@pytest.fixture
def ada(discord, start):
    """A student in the server, the client being up."""
    start()
    return discord.user("Ada")


def asked_first(discord, services, ada, reward) -> dict[str, Any]:
    """The question before spending, as Ada sees it."""
    used = discord.slash(ada, "redeem", reward=str(reward.incentive_id))
    question = services.asked("rewards.get_incentive.v1")
    assert (question.data.member_id, question.data.incentive_id) == (derived_id(ada), reward.incentive_id)
    services.answer(question, reward)

    def question_shown() -> dict[str, Any] | None:
        # What an earlier wish became may be told in between.
        return next((one for one in discord.items(user=ada, after=used) if one["interaction"] == used), None)

    shown = until(question_shown)
    assert shown["ephemeral_to"] == ada, "nobody else sees what somebody buys"
    return shown


def test_the_shop_says_what_each_lacks_and_offers_what_one_can_have(ada, discord, services):
    can = entry("Sticker pack", points_required=50)
    cannot = [
        entry("Dear", can_redeem=False, reason="insufficient-points", points_missing=30),
        entry("Gone", can_redeem=False, reason="out-of-stock", stock=0),
        entry("Mentor", can_redeem=False, reason="locked", min_lifetime_points=500),
        entry("Once", can_redeem=False, reason="limit-reached", per_member_limit=1),
    ]
    used = discord.slash(ada, "shop", category="digital")
    question = services.asked("rewards.get_catalogue.v1")
    assert (question.data.member_id, question.data.category, question.data.retired) == (
        derived_id(ada),
        "digital",
        False,
    )
    services.answer(question, rewards.Catalogue([can, *cannot], 70, 70, "the next"))
    shown = discord.next(ada, used)
    for said in (
        "you can have it",
        "30 points more",
        "out of stock",
        "500 points in all",
        "as many as one may have (1)",
    ):
        assert said in words(shown), said
    assert labels(shown) == ["Redeem Sticker pack", "Previous", "Next"]
    discord.click(ada, shown, "Next")
    question = services.asked("rewards.get_catalogue.v1")
    assert (question.data.cursor, question.data.category) == ("the next", "digital"), "the next page, of the same kind"
    services.answer(question, rewards.Catalogue([], 70, 70))
    until(lambda: any("nothing here" in words(one) for one in discord.items(user=ada)))


def test_nothing_is_spent_before_a_yes_and_two_presses_are_one_wish(ada, discord, services):
    reward = entry()
    shown = asked_first(discord, services, ada, reward)
    assert labels(shown) == ["Yes, spend 100 points", "Yes, with delivery details", "No"]
    assert services.recorded(REDEEM) == []
    for _ in range(2):
        discord.click(ada, shown, "Yes, spend 100 points")
    first, second = until(lambda: found if len(found := services.recorded(REDEEM)) == 2 else None)
    assert first.data == second.data, "the same wish: rewards grants it once"
    assert (first.data.incentive_id, first.data.expected_points) == (reward.incentive_id, 100)
    assert first.data.member_id == derived_id(ada)
    for one in (first, second):
        services.answer(one, outcome(one))
    done = until(lambda: next((one for one in discord.items(user=ada) if "Asked for" in words(one)), None))
    assert done["id"] == shown["id"], "the question becomes its answer"
    assert "20 points left" in words(done)
    assert labels(done) == []


def test_two_questions_are_two_wishes(ada, discord, services):
    reward = entry()
    for shown in [asked_first(discord, services, ada, reward) for _ in range(2)]:
        discord.click(ada, shown, "Yes, spend 100 points")
    first, second = until(lambda: found if len(found := services.recorded(REDEEM)) == 2 else None)
    assert first.data.reference != second.data.reference


def test_a_no_spends_nothing(ada, discord, services):
    shown = asked_first(discord, services, ada, entry())
    discord.click(ada, shown, "No")
    until(lambda: any("Nothing was spent" in words(one) for one in discord.items(user=ada)))
    assert services.recorded(REDEEM) == []


def test_where_it_should_go_is_asked_in_a_form_and_kept_by_nobody_here(ada, discord, services):
    reward = entry("T-shirt", category="merchandise")
    shown = asked_first(discord, services, ada, reward)
    pressed = discord.click(ada, shown, "Yes, with delivery details")
    opened = until(lambda: discord.call("GET", f"/local/interactions/{pressed}").get("modal"))
    assert services.recorded(REDEEM) == []
    body = {"user": ada, "custom_id": opened["custom_id"], "fields": {"details": "Planted Street 7"}}
    discord.call("POST", "/local/modals", body)
    asked = services.asked(REDEEM)
    assert (asked.data.delivery_details, asked.data.incentive_id) == ("Planted Street 7", reward.incentive_id)
    services.answer(asked, outcome(asked))
    until(lambda: any("Asked for" in words(one) for one in discord.items(user=ada)))
    with database.transaction() as session:
        kept = session.execute(text("SELECT p::text FROM pending_answers p UNION ALL SELECT n::text FROM notices n"))
        assert "Planted" not in str(kept.all())


def test_what_one_cannot_have_is_not_asked_about(ada, discord, services):
    for said, changes in {
        "you need 30 points more": {"reason": "insufficient-points", "points_missing": 30},
        "out of stock": {"reason": "out-of-stock", "stock": 0},
        "you are suspended": {"reason": "suspended"},
        "not in the shop any more": {"reason": "retired", "is_active": False},
    }.items():
        shown = asked_first(discord, services, ada, entry(can_redeem=False, **changes))
        assert said in words(shown)
        assert labels(shown) == []


def test_a_refusal_is_told_in_the_words_of_its_service(ada, discord, services):
    shown = asked_first(discord, services, ada, entry())
    discord.click(ada, shown, "Yes, spend 100 points")
    problem = {"status": 409, "title": "The price of this reward has changed", "detail": "It costs 120 points now."}
    services.answer(services.asked(REDEEM), problem=problem)
    until(lambda: any("120 points" in words(one) for one in discord.items(user=ada)))


def test_typed_by_its_name_the_question_comes_by_direct_message(ada, discord, services):
    one, other = entry("Sticker pack"), entry("Sticker album")
    typed = discord.write(ada, "!redeem sticker")
    question = services.asked("rewards.get_catalogue.v1")
    assert (question.data.words, question.data.retired) == ("sticker", False)
    services.answer(question, rewards.Catalogue([one, other], 100, 100))
    until(lambda: [item for item in discord.items(user=ada, after=typed, channel="dm") if "Which one" in words(item)])
    typed = discord.write(ada, "!redeem STICKER PACK")
    services.answer(services.asked("rewards.get_catalogue.v1"), rewards.Catalogue([one, other], 100, 100))
    (shown,) = until(
        lambda: [item for item in discord.items(user=ada, after=typed, channel="dm") if item["components"]]
    )
    in_public = [item for item in discord.items(user=ada, after=typed, channel="general") if item["author"] != ada]
    assert "Sticker" not in str(until(lambda: in_public or discord.items(user=ada, after=typed, channel="general")))
    discord.click(ada, shown, "Yes, spend 100 points")
    assert services.asked(REDEEM).data.incentive_id == one.incentive_id


def test_killed_between_the_yes_and_the_answer_it_is_told_all_the_same(discord, start, services):
    client = start()
    ada = discord.user("Ada")
    shown = asked_first(discord, services, ada, entry())
    discord.click(ada, shown, "Yes, spend 100 points")
    asked = services.asked(REDEEM)
    client.stop(signal.SIGKILL)
    services.answer(asked, outcome(asked))
    start()
    done = until(lambda: next((one for one in discord.items(user=ada) if "Asked for" in words(one)), None))
    assert done["id"] == shown["id"]
    discord.click(ada, asked_first(discord, services, ada, entry()), "No")


def test_killed_at_any_moment_of_a_yes_it_is_one_wish_and_is_told(discord, start, services):
    """REDEEM_KILLS= for more. A press that was lost with the process is pressed again, as a person would."""
    chance = random.Random(SEED)
    client, ada = start(), discord.user("Ada")
    for _ in range(KILLS):
        shown = asked_first(discord, services, ada, entry())
        discord.click(ada, shown, "Yes, spend 100 points")
        time.sleep(chance.random() * 0.06)  # the moment of the kill
        client.stop(signal.SIGKILL)
        client = start()
        discord.click(ada, shown, "Yes, spend 100 points")
        answered: set[Any] = set()

        def told(shown: dict[str, Any] = shown, answered: set[Any] = answered) -> bool:
            for asked in services.recorded(REDEEM):
                if asked.id not in answered:
                    answered.add(asked.id)
                    services.answer(asked, outcome(asked))
            return "Asked for" in words(next(one for one in discord.items(user=ada) if one["id"] == shown["id"]))

        until(told)
        everything = services.recorded(REDEEM)
        assert len({asked.data.reference for asked in everything}) == 1, "however often it was pressed"
        with database.transaction() as session:
            session.execute(text("DELETE FROM outbox"))
            session.execute(text("DELETE FROM pending_answers"))
    assert not [one for one in discord.items(user=ada, channel="dm") if "Asked for" in words(one)], (
        "told where it was asked"
    )


def test_after_a_quarter_of_an_hour_the_answer_is_a_notice(ada, discord, services):
    shown = asked_first(discord, services, ada, entry())
    discord.click(ada, shown, "Yes, spend 100 points")
    asked = services.asked(REDEEM)
    with database.transaction() as session:
        session.execute(text("UPDATE pending_answers SET asked_at = asked_at - interval '16 minutes', due_at = NULL"))
    services.answer(asked, outcome(asked))
    until(lambda: [one for one in discord.items(user=ada, channel="dm") if "Asked for" in words(one)])


def test_what_waits_can_be_taken_back_and_what_is_decided_cannot(ada, discord, services):
    def made(name: str, status: Any) -> rewards.RedemptionEntry:
        return rewards.RedemptionEntry(
            *(new_id(), derived_id(ada), "Ada", new_id(), name, "other", 50, status, now()), note="See you"
        )

    entries = [made("Waiting", "pending"), made("Reserving", "requested"), made("Sent", "shipped")]
    used = discord.slash(ada, "redemptions")
    services.answer(services.asked("rewards.get_redemptions.v1"), rewards.Redemptions(entries, 2))
    shown = discord.next(ada, used)
    assert labels(shown) == ["Cancel Waiting", "Cancel Reserving"]
    assert "See you" in words(shown)
    discord.click(ada, shown, "Cancel Waiting")
    asked = services.asked("rewards.cancel_redemption.v1")
    assert (asked.data.member_id, asked.data.redemption_id) == (derived_id(ada), entries[0].redemption_id)
    services.answer(
        asked,
        rewards.RedemptionOutcome(entries[0].redemption_id, derived_id(ada), new_id(), "Waiting", 50, "cancelled", 50),
    )
    until(lambda: any("cancelled" in words(one) for one in discord.items(user=ada)))


def test_milestones_and_receipts_are_shown_to_their_member_alone(ada, discord, services):
    used = discord.slash(ada, "milestones")
    question = services.asked("rewards.get_milestones.v1")
    found = rewards.Milestones(70, 70, [entry("Had", unlocked_at=now())], 1, [entry("Ahead", points_missing=30)])
    services.answer(question, found)
    shown = discord.next(ada, used)
    assert "Had" in words(shown)
    assert "30 points to go" in words(shown)
    assert shown["ephemeral_to"] == ada

    used = discord.slash(ada, "receipt", n=3)
    question = services.asked("points.get_receipt.v1")
    assert (question.data.member_id, question.data.number) == (derived_id(ada), 3)
    receipt = points.Receipt(
        3, new_id(), "award", "Resource share", 10, now(), 25, "resource_share", 2, "Boss", "Good *work*"
    )
    services.answer(question, receipt)
    shown = discord.next(ada, used)
    for said in ("+10", "Resource share", "version 2", "Boss", r"Good \\*work\\*"):
        assert said in words(shown), said
    assert shown["ephemeral_to"] == ada


def preferences(**changes: Any) -> users.Preferences:
    told = users.Told(True, True, False)
    known = {"show_in_leaderboard": True, "display_name_preference": "username", "time_zone": "UTC", "shown_as": "Ada"}
    return users.Preferences(told, told, locale="en", **(known | changes))


CHANGES: dict[str, dict[str, Any]] = {
    "hide": {"show_in_leaderboard": False},
    "pseudo": {"display_name_preference": "pseudonym"},
    "show time_zone: Europe/Berlin": {"show_in_leaderboard": True, "time_zone": "Europe/Berlin"},
    "time_zone=Asia/Tokyo": {"time_zone": "Asia/Tokyo"},
}
TOLD = {
    "reward off": {"discord_notifications": users.ToldChanges(reward_updates=False)},
    "leaderboard on email": {"email_notifications": users.ToldChanges(leaderboard_changes=True)},
}


def test_preferences_are_changed_one_at_a_time(ada, discord, services):
    lines = {f"!privacy {words}": changes for words, changes in CHANGES.items()}
    lines |= {f"!notifications {words}": changes for words, changes in TOLD.items()}
    for line, changes in lines.items():
        typed = discord.write(ada, line)
        asked = services.asked("users.change_preferences.v1")
        assert asked.data == users.ChangePreferences(derived_id(ada), **changes), line
        services.answer(asked, preferences())
        until(lambda: [one for one in discord.items(user=ada, after=typed, channel="dm") if one["embeds"]])  # noqa: B023


def test_preferences_are_shown_and_half_a_change_is_none(ada, discord, services):
    used = discord.slash(ada, "privacy")
    services.answer(services.asked("users.get_preferences.v1"), preferences(show_in_leaderboard=False))
    assert "not shown on the leaderboard" in words(discord.next(ada, used))
    used = discord.slash(ada, "notifications", about="reward_updates")
    assert "on or off" in words(discord.next(ada, used))
    assert services.recorded("users.change_preferences.v1") == []
    used = discord.write(ada, "!notifications first")
    assert "I do not know that about" in words(discord.next(ada, used))


def offered(discord, user: str, name: str, option: str, typed: str) -> list[dict[str, Any]]:
    body = {"user": user, "name": name, "option": option, "options": {option: typed}}
    return discord.call("POST", "/local/autocomplete", body)["choices"]


class Typing:
    """Asks local Discord for choices while the test answers for rewards."""

    def __init__(self, discord: Any, *arguments: str) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(1)
        self.choices = self._pool.submit(offered, discord, *arguments)

    def result(self) -> list[dict[str, Any]]:
        self._pool.shutdown()
        return self.choices.result()


def test_rewards_are_offered_while_one_types(ada, discord, services):
    reward = entry("Azure exam voucher")
    typing = Typing(discord, ada, "redeem", "reward", "azu")
    question = services.asked("rewards.get_catalogue.v1")
    assert (question.data.words, question.data.retired, question.data.limit) == ("azu", False, 25)
    services.answer(question, rewards.Catalogue([reward], 0, 0))
    choice = {"name": "Azure exam voucher (100 points)", "value": str(reward.incentive_id)}
    assert typing.result() == [choice]
    assert offered(discord, ada, "redeem", "reward", "AZU") == [choice], "known from a moment ago"
    assert services.recorded("rewards.get_catalogue.v1") == []
    nobody = Typing(discord, ada, "redeem", "reward", "zzz")
    services.answer(services.asked("rewards.get_catalogue.v1"), problem={"status": 503, "title": "Away"})
    assert nobody.result() == [], "no choices rather than an error"


def test_time_zones_are_offered_by_their_cities_first(ada, discord):
    choices = offered(discord, ada, "privacy", "time_zone", "berl")
    assert choices == [{"name": "Europe/Berlin", "value": "Europe/Berlin"}]
    assert len(offered(discord, ada, "privacy", "time_zone", "")) == 25
    assert offered(discord, ada, "privacy", "time_zone", "nowhere") == []
