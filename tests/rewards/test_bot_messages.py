"""What the bot asks: the shop, redemptions, decisions and the catalogue, each under the rights of whoever acts."""

import dataclasses

import pytest
from sqlalchemy import text

from fleet import auth_state, outbox
from fleet.contracts import by_type, rewards
from fleet.contracts.points import BalanceJoined
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import envelope_for, new_id, read_answer, to_json
from fleet.problems import Forbidden, InvalidFields, NotFound, Problem
from services.rewards import redemptions
from services.rewards.subscriptions import subscriptions
from tests.rewards.conftest import kinds, stock, told, where


@pytest.fixture
def ask(hear):
    """What the bot gets for a message; a Problem is raised. Each answer fits its contract."""

    def send(message, **words):
        answer = hear(message, "bot", **words)
        if answer is not outbox.LATER:
            contract = by_type[envelope_for(message, source="bot").type]
            assert contract.decode_answer(to_json(answer)) == answer
        return answer

    return send


@pytest.fixture
def boss(member):
    return member("Boss", role="admin")


def replies():
    return {message.data.to: message.data for message in told("bot.answered")}


class TestRedeem:
    """The command is answered when points has answered, once, and with the last word."""

    def redeem(self, who, reward, reference="100", **more):
        """The id of the command, applied as the worker does."""
        command = envelope_for(
            rewards.Redeem(who, reward, reference, **more), source="bot", reply_to="bot", correlation_id="7"
        )
        with transaction() as session:
            answer = subscriptions.handlers[command.type](session, command)
        return str(command.id), answer

    def made(self):
        return told("place_hold")[-1].data.redemption_id

    def test_it_is_answered_once_points_are_held(self, incentive, member, points_says, row_count):
        reward, ada = incentive(points=60), member(available=100)
        asked, now_ = self.redeem(ada, reward)
        assert now_ is outbox.LATER
        assert replies() == {}
        points_says(self.made(), "held", available=40)
        reply = replies()[asked]
        outcome = read_answer("rewards.redeem.v1", reply)
        assert (outcome.status, outcome.remaining_points, outcome.points_spent) == ("pending", 40, 60)
        assert told("bot.answered")[0].correlation_id == "7"
        assert row_count("awaited_replies") == 0
        points_says(self.made(), "held")
        assert len(told("bot.answered")) == 1

    @pytest.mark.parametrize("reason", ["insufficient-points", "locked", "suspended"])
    def test_a_refusal_of_points_is_its_refusal(self, reason, incentive, member, points_says):
        asked, _later = self.redeem(member(), incentive())
        points_says(self.made(), "refused", reason=reason)
        assert replies()[asked].problem["type"].endswith(reason)

    def test_the_same_interaction_redeems_once_and_each_command_is_answered(self, incentive, member, points_says):
        reward, ada = incentive(stock=3), member()
        first, _later = self.redeem(ada, reward)
        second, later = self.redeem(ada, reward)
        assert (later is outbox.LATER, stock(reward), len(told("place_hold"))) == (True, 2, 1)
        points_says(self.made(), "held", available=7)
        assert set(replies()) == {first, second}
        _third, answer = self.redeem(ada, reward)
        assert (answer.status, answer.remaining_points) == ("pending", 7)

    def test_one_that_was_declined_says_so_again(self, incentive, member, points_says):
        reward, ada = incentive(), member()
        self.redeem(ada, reward)
        points_says(self.made(), "refused")
        with pytest.raises(Problem) as refused:
            self.redeem(ada, reward)
        assert refused.value.slug == "insufficient-points"

    def test_cancelled_meanwhile_it_is_answered_so(self, incentive, member, ask):
        ada = member()
        asked, _later = self.redeem(ada, incentive())
        ask(rewards.CancelRedemption(ada, self.made()))
        assert replies()[asked].result["status"] == "cancelled"

    def test_what_rewards_refuses_is_refused_at_once(self, incentive, member):
        ada = member()
        for reward, slug in ((incentive(stock=0), "out-of-stock"), (new_id(), "not-found")):
            with pytest.raises(Problem) as refused:
                self.redeem(ada, reward)
            assert refused.value.slug == slug
        for wrong in ({"reference": ""}, {"reference": "x" * 201}, {"reference": "1", "delivery_details": "x" * 1001}):
            with pytest.raises(InvalidFields):
                self.redeem(ada, incentive(), **wrong)

    def test_only_the_price_that_was_shown_is_paid(self, incentive, member, row_count):
        reward, ada = incentive(points=60), member(available=100)
        with pytest.raises(Problem) as refused:
            self.redeem(ada, reward, expected_points=50)
        assert (refused.value.slug, refused.value.extras) == ("price-changed", {"points_required": 60})
        assert (row_count("redemptions"), stock(reward), told("place_hold")) == (0, 3, [])
        assert self.redeem(ada, reward, expected_points=60)[1] is outbox.LATER

    def test_a_wish_that_was_granted_is_answered_so_whatever_the_price_is_now(
        self, incentive, member, points_says, ask, boss
    ):
        reward, ada = incentive(points=60), member(available=100)
        self.redeem(ada, reward, expected_points=60)
        points_says(self.made(), "held", available=40)
        ask(rewards.EditIncentive(boss, reward, points_required=90))
        assert self.redeem(ada, reward, expected_points=60)[1].status == "pending"


def test_milestones_are_what_was_reached_and_what_comes_next(ask, incentive, member, hear):
    rewards_ = {points: incentive(name=f"For {points}", points=points) for points in (99, 100, 101)}
    level = incentive(name="For veterans", points=20, min_lifetime_points=1000)
    retired = incentive(name="Not any more", points=15, is_active=False)
    ada = member(available=100)
    found = ask(rewards.GetMilestones(ada))
    reached = [entry for entry in found.unlocked if entry.incentive_id in rewards_.values()]
    assert {entry.name for entry in reached} == {"For 99", "For 100"}
    assert all(entry.unlocked_at is not None and entry.can_redeem for entry in reached)
    assert found.unlocked_count >= len(found.unlocked)
    assert (found.available, found.lifetime) == (100, 100)
    ahead = [entry.points_required for entry in found.following]
    assert ahead == sorted(ahead)
    assert ahead[:2] == [20, 101], "nearest first; seeded ones may follow"
    everything = {entry.incentive_id for entry in (*found.unlocked, *found.following)}
    assert retired not in everything
    assert level in everything, "a level that is not reached is ahead, however cheap"
    hear(BalanceJoined(ada, 0, 100), sequence=2)
    later = ask(rewards.GetMilestones(ada))
    assert later.unlocked_count == found.unlocked_count, "what was reached stays so when it was spent"
    assert not {entry.incentive_id for entry in later.following} & {entry.incentive_id for entry in later.unlocked}


def test_a_member_sees_and_cancels_their_own(ask, incentive, pending, member):
    ada, stranger = member("Ada"), member("Eve")
    made = pending(incentive(name="Sticker pack"), ada)
    entry = ask(rewards.GetRedemption(made, ada))
    assert (entry.name, entry.display_name, entry.status, entry.points_spent) == ("Sticker pack", "Ada", "pending", 60)
    for denied in (rewards.GetRedemption(made, stranger), rewards.GetRedemption(made)):
        with pytest.raises(Forbidden):
            ask(denied)
    with pytest.raises(NotFound):
        ask(rewards.CancelRedemption(stranger, made))
    assert ask(rewards.CancelRedemption(ada, made)).status == "cancelled"
    page = ask(rewards.GetRedemptions(ada))
    assert ([each.redemption_id for each in page.items], page.pending) == ([made], 0)
    assert ask(rewards.GetRedemptions(stranger)).items == []


def test_the_queue_is_for_admins_oldest_first(ask, incentive, pending, member, boss):
    reward = incentive(stock=None)
    made = [pending(reward) for _ in range(3)]
    page = ask(rewards.GetRedemptions(boss, queue=True, limit=2))
    assert ([each.redemption_id for each in page.items], page.pending) == (made[:2], 3)
    rest = ask(rewards.GetRedemptions(boss, queue=True, limit=2, cursor=page.next_cursor))
    assert [each.redemption_id for each in rest.items] == made[2:]
    assert ask(rewards.GetRedemption(made[0], boss)).redemption_id == made[0]
    assert ask(rewards.GetRedemption(made[0], staff_channel=True)).redemption_id == made[0]
    with pytest.raises(Forbidden):
        ask(rewards.GetRedemptions(member(), queue=True))


def test_only_an_admin_of_propel_decides_whatever_discord_says(ask, incentive, pending, member, boss):
    reward = incentive(stock=None, category="digital")
    made = pending(reward)
    for actor in (member(), member(role="company"), new_id()):
        with pytest.raises(Forbidden):
            ask(rewards.DecideRedemption(actor, made, "approve"))
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(boss, 2, "admin", "suspended"))
    with pytest.raises(Forbidden):
        ask(rewards.DecideRedemption(boss, made, "approve"))
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(boss, 3, "admin", "active"))
    assert ask(rewards.DecideRedemption(boss, made, "approve", note="fine")).status == "approved"
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(boss, 4, "student", "active"))
    with pytest.raises(Forbidden):
        ask(rewards.DecideRedemption(boss, made, "deliver"))
    assert where(made)[0] == "approved"


def test_the_second_click_hears_what_it_is(ask, incentive, pending, boss):
    made = pending(incentive())
    ask(rewards.DecideRedemption(boss, made, "reject", note="sorry"))
    assert ask(rewards.DecideRedemption(boss, made, "reject")).status == "rejected"
    with pytest.raises(Problem) as refused:
        ask(rewards.DecideRedemption(boss, made, "approve"))
    assert refused.value.extras == {"present_status": "rejected"}
    with pytest.raises(InvalidFields):
        ask(rewards.DecideRedemption(boss, pending(incentive()), "reject", note="x" * 1001))


def test_the_shop_as_a_member_sees_it(ask, incentive, member, boss):
    reward = incentive(points=90, name="Zebra mug", category="merchandise", per_member_limit=2)
    ada = member(available=100)
    retired = incentive(points=90, name="Zebra cup", category="merchandise", is_active=False)
    page = ask(rewards.GetCatalogue(ada, category="merchandise", words="zebra"))
    [entry] = page.items
    assert (entry.incentive_id, entry.can_redeem, entry.limit_left, page.available) == (reward, True, 2, 100)
    assert entry.unlocked_at is not None
    assert ask(rewards.GetCatalogue(ada, words="zebra", unlocked=True)).items == [entry]
    assert ask(rewards.GetCatalogue(member(), words="zebra", unlocked=True)).items == []
    with pytest.raises(Forbidden):
        ask(rewards.GetCatalogue(ada, retired=True))
    both = ask(rewards.GetCatalogue(boss, words="zebra", retired=True)).items
    assert {each.incentive_id for each in both} == {reward, retired}
    assert ask(rewards.GetIncentive(ada, retired)).reason == "retired"
    first = ask(rewards.GetCatalogue(ada, limit=5))
    second = ask(rewards.GetCatalogue(ada, limit=5, cursor=first.next_cursor))
    assert len({each.incentive_id for each in first.items + second.items}) == 10


class TestCatalogue:
    """add, edit, stock and retire by Discord: the same rules as at the HTTP door, and admins only."""

    def add(self, boss, **words):
        return rewards.AddIncentive(boss, **({"reference": "9", "name": "Zebra mug", "points_required": 90} | words))

    def test_an_admin_adds_once_for_each_interaction(self, ask, incentive, boss, row_count):
        first = ask(self.add(boss, stock=5, category="merchandise"))
        again = ask(self.add(boss, stock=5, category="merchandise"))
        assert (first, first.version, first.stock) == (again, 1, 5)
        assert row_count("incentives", "name = 'Zebra mug'") == 1

    def test_an_admin_edits_counts_and_retires(self, ask, incentive, boss):
        reward = incentive(points=60, stock=3)
        assert ask(rewards.EditIncentive(boss, reward, points_required=70)).points_required == 70
        assert ask(rewards.SetStock(boss, reward, 8)).stock == 8
        assert ask(rewards.SetStock(boss, reward)).stock is None
        retired = ask(rewards.RetireIncentive(boss, reward, "old"))
        assert (retired.is_active, retired.version) == (False, 5)
        assert ask(rewards.EditIncentive(boss, reward, is_active=True)).is_active is True
        changes = [event.data.change for event in told("incentive_changed") if event.data.incentive_id == reward]
        assert changes == ["created", "changed", "restocked", "restocked", "retired", "reactivated"]

    def test_nobody_else_may(self, ask, incentive, member):
        reward, ada = incentive(), member()
        messages = [
            self.add(ada),
            rewards.EditIncentive(ada, reward, points_required=1),
            rewards.SetStock(ada, reward, 99),
            rewards.RetireIncentive(ada, reward),
        ]
        for message in messages:
            with pytest.raises(Forbidden):
                ask(message)
        assert stock(reward) == 3

    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": " "},
            {"name": "x" * 121},
            {"points_required": 0},
            {"stock": -1},
            {"tier": 9},
            {"image_url": "ftp://x"},
            {"per_member_limit": 0},
            {"reference": ""},
        ],
    )
    def test_wrong_fields_are_named(self, wrong, ask, incentive, boss, row_count):
        before = row_count("incentives")
        with pytest.raises(InvalidFields) as refused:
            ask(self.add(boss, **wrong))
        assert refused.value.extras["errors"][0]["pointer"] == f"/{next(iter(wrong))}"
        assert row_count("incentives") == before


def test_every_answer_of_a_question_changes_nothing(ask, incentive, pending, member, boss):
    ada = member()
    made = pending(incentive(), ada)
    said = len(told())
    questions = [
        rewards.GetCatalogue(ada),
        rewards.GetIncentive(ada, incentive()),
        rewards.GetRedemption(made, ada),
        rewards.GetRedemptions(boss, queue=True),
    ]
    for question in questions:
        envelope = envelope_for(question, source="bot")
        with transaction() as session:
            session.execute(text("SET TRANSACTION READ ONLY"))
            assert dataclasses.is_dataclass(subscriptions.handlers[envelope.type](session, envelope))
    assert len(told()) == said + 1  # the incentive made between
    assert kinds("redemption_decided") == []
    with transaction() as session:
        assert redemptions.find(session, made).status == "pending"
