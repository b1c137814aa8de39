"""Redemptions on rewards' side alone: what each step does to stock, history and messages, and who may take it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from fleet import auth_state
from fleet.contracts.rewards import RewardRedeemed
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import new_id
from fleet.problems import Forbidden, NotFound
from services.rewards import catalog, catalog_admin, decisions, members, redemptions, refunds
from services.rewards.redemptions import POINTS, SYSTEM
from services.rewards.saga import STEPS, SagaFault, Wish, WrongStatus
from tests.rewards.conftest import BOSS, SECOND, kinds, state, stock, told, where


def decide(redemption_id, decision, actor=BOSS, **words):
    with transaction() as session:
        return decisions.decide(session, redemption_id, decision, actor, **words)


def cancel(redemption_id, member_id):
    with transaction() as session:
        return decisions.cancel(session, redemption_id, member_id)


def refund(redemption_id, restock=False, actor=BOSS):
    with transaction() as session:
        return refunds.refund(session, redemption_id, actor, "lost parcel", restock=restock)


def steps(redemption_id):
    with transaction() as session:
        return [(step.status, step.by, note) for step, note in redemptions.steps(session, redemption_id)]


def test_a_request_takes_the_item_and_asks_for_the_points(incentive, request_, member):
    reward, ada = incentive(points=60, stock=3, min_lifetime_points=100), member()
    made = request_(reward, ada)
    assert (made.status, made.settling, made.points_spent, made.has_item) == ("requested", "hold", 60, True)
    assert stock(reward) == 2
    command = told("place_hold")[0].data
    assert (command.redemption_id, command.member_id, command.points, command.min_lifetime_points) == (
        made.id,
        ada,
        60,
        100,
    )
    assert kinds() == ["incentive_changed", "place_hold", "redemption_requested"]


def test_held_points_make_it_pending_and_refused_ones_give_the_item_back(incentive, request_, points_says):
    reward = incentive(stock=2)
    held, refused = request_(reward).id, request_(reward).id
    assert stock(reward) == 0
    points_says(held, "held")
    points_says(refused, "refused", reason="locked")
    assert (where(held), where(refused)) == (("pending", None), ("declined", None))
    assert (state(refused).reason, stock(reward)) == ("locked", 1)
    assert kinds("rewards.re")[-2:] == ["reward_redeemed", "redemption_declined"]
    assert told("redemption_declined")[0].data.reason == "locked"


def test_the_price_is_that_of_the_request(incentive, pending):
    """I-16: fails when the price is read again later."""
    reward = incentive(points=60)
    first = pending(reward)
    with transaction() as session:
        catalog_admin.change(session, reward, {"points_required": 90}, BOSS, None)
    decide(first, "approve")
    assert state(first).points_spent == 60
    assert state(pending(reward)).points_spent == 90


@pytest.mark.parametrize("ended", ["rejected", "cancelled", "expired"])
def test_what_ends_before_approval_returns_item_and_points_once(ended, incentive, pending, points_says, member):
    reward, ada = incentive(stock=1), member()
    made = pending(reward, ada)

    def end():
        if ended == "rejected":
            decide(made, "reject", note="not this time")
        elif ended == "cancelled":
            cancel(made, ada)
        else:
            with transaction() as session:
                redemptions.advance(session, made, Wish("expire"), SYSTEM)

    end()
    end()
    assert where(made) == (ended, "release")
    points_says(made, "released")
    points_says(made, "released")
    assert (where(made), stock(reward)) == ((ended, None), 1)
    assert kinds("release_hold") == ["release_hold"]
    assert [event.data.status for event in told("redemption_decided")] == [ended]


def test_cancelling_before_points_answered_gives_the_item_back_whatever_points_says_then(
    incentive, request_, points_says, member
):
    for late in (["held", "released"], ["refused"], ["released", "held"]):
        reward, ada = incentive(stock=1), member()
        made = request_(reward, ada).id
        assert where(cancel(made, ada).id) == ("cancelled", "release")
        for word in late:
            points_says(made, word)
        assert (where(made), stock(reward)) == (("cancelled", None), 1), late


def test_approval_spends_and_shipping_and_delivery_follow(incentive, pending, points_says):
    made = pending(incentive(category="merchandise"))
    decide(made, "approve", note="well earned")
    assert where(made) == ("approved", "capture")
    decide(made, "ship", tracking_info="1Z 999")
    points_says(made, "captured")
    decide(made, "deliver")
    assert where(made) == ("delivered", None)
    assert steps(made) == [
        ("requested", "member", None),
        ("pending", "points", None),
        ("approved", "staff", "well earned"),
        ("shipped", "staff", None),
        ("delivered", "staff", None),
    ]
    assert kinds("rewards.re") == [
        "redemption_requested",
        "reward_redeemed",
        "redemption_decided",
        "redemption_fulfilled",
        "redemption_fulfilled",
    ]


def test_digital_rewards_may_be_delivered_at_once_and_others_only_after_shipping(incentive, pending):
    digital, parcel = pending(incentive(category="digital")), pending(incentive(category="merchandise"))
    decide(digital, "approve")
    decide(parcel, "approve")
    assert decide(digital, "deliver").status == "delivered"
    with pytest.raises(WrongStatus) as refused:
        decide(parcel, "deliver")
    assert refused.value.extras == {"present_status": "approved"}


def test_shipping_again_with_other_particulars_corrects_them(incentive, pending):
    made = pending(incentive(category="merchandise"))
    decide(made, "approve")
    first = decide(made, "ship", tracking_info="1Z 999").version
    assert decide(made, "ship", tracking_info="1Z 999").version == first
    assert decide(made, "ship").version == first
    assert decide(made, "ship", tracking_info="1Z 111").tracking_info == "1Z 111"
    assert kinds("redemption_fulfilled") == ["redemption_fulfilled"] * 2


# From where each wish is fulfilled; everything else is refused with the present status.
ALLOWED = {
    "approve": {"pending", "approved"},
    "reject": {"pending", "rejected"},
    "ship": {"approved", "shipped"},
    "deliver": {"shipped", "delivered"},
    "cancel": {"requested", "pending", "cancelled"},
    "refund": {"approved", "shipped", "delivered", "refunded"},
}
PATHS = {
    "requested": [],
    "pending": ["held"],
    "declined": ["refused"],
    "approved": ["held", "approve"],
    "rejected": ["held", "reject"],
    "cancelled": ["held", "cancel"],
    "shipped": ["held", "approve", "ship"],
    "delivered": ["held", "approve", "ship", "deliver"],
    "refunded": ["held", "approve", "refund"],
}


@pytest.mark.parametrize("present", PATHS)
def test_from_every_status_just_the_allowed_steps_are_taken(present, incentive, request_, points_says, member):
    """Approve after reject, reject after delivery, refund of what was never spent ... each is refused and changes nothing."""

    def take(wish, made, ada):
        if wish in ("held", "refused"):
            return points_says(made, wish)
        if wish == "cancel":
            return cancel(made, ada)
        return refund(made) if wish == "refund" else decide(made, wish)

    for wish, sources in ALLOWED.items():
        reward, ada = incentive(stock=2, category="merchandise"), member()
        made = request_(reward, ada).id
        for step in PATHS[present]:
            take(step, made, ada)
        before, items, said = state(made).version, stock(reward), len(told())
        if present in sources:
            take(wish, made, ada)
            assert (state(made).version > before) is (present != STEPS[wish].target)
        else:
            with pytest.raises(WrongStatus) as refused:
                take(wish, made, ada)
            assert refused.value.extras["present_status"] == present
            assert (state(made).version, stock(reward), len(told())) == (before, items, said)


class TestPeerDefects:
    """What happened in the peers and must not here."""

    def test_d13_nobody_makes_or_changes_a_redemption_by_writing_its_fields(self, call, incentive, pending, member):
        """Free points_spent, a status without paying, another's note, deletion: none of it is accepted."""
        reward, ada = incentive(points=60), member()
        made = pending(reward, ada)
        bodies = [{"points_spent": 1}, {"status": "approved"}, {"note": "x"}, {"admin_notes": "x"}]
        for method in ("PUT", "PATCH", "DELETE"):
            for body in bodies:
                answer = call(method, f"/api/redemptions/{made}/", ada, json=body)
                assert answer.status_code == 405, (method, body)
        for body in ({"reward_id": str(reward), "points_spent": 1}, {"reward_id": str(reward), "status": "approved"}):
            assert call("POST", "/api/rewards/redeem/", ada, json=body).status_code == 422
        assert call("POST", "/api/redemptions/", ada, json={"incentive": str(reward)}).status_code == 405
        for step in ("approve", "reject", "ship", "deliver"):
            assert call("POST", f"/api/redemptions/{made}/{step}/", ada, json={}).status_code == 403
        assert (state(made).points_spent, where(made)) == (60, ("pending", None))

    def test_d34_reject_twice_returns_once_and_nothing_is_decided_twice(self, incentive, pending, points_says):
        """Reject twice, approve after reject, reject after delivery: at most one return, never goods and points."""
        reward = incentive(stock=1, category="digital")
        rejected = pending(reward)
        decide(rejected, "reject")
        decide(rejected, "reject")
        with pytest.raises(WrongStatus):
            decide(rejected, "approve")
        assert (kinds("points.release"), kinds("points.capture"), stock(reward)) == (["release_hold"], [], 1)
        delivered = pending(reward)
        decide(delivered, "approve")
        decide(delivered, "deliver")
        with pytest.raises(WrongStatus):
            decide(delivered, "reject")
        assert (len(kinds("points.release")), stock(reward)) == (1, 0)

    def test_d35_the_stock_goes_down_with_every_request_and_up_with_every_return(self, incentive, request_, pending):
        reward = incentive(stock=1)
        made = pending(reward)
        with pytest.raises(catalog.OutOfStock):
            request_(reward)
        decide(made, "reject")
        assert stock(reward) == 1
        request_(reward)
        assert stock(reward) == 0

    def test_d43_nothing_of_the_shop_can_be_deleted(self, incentive, pending, member, row_count):
        """Retiring keeps redemptions and unlocks; the service's own database role may not delete at all."""
        reward = incentive()
        made = pending(reward, member(available=100))
        with transaction() as session:
            catalog_admin.retire(session, reward, BOSS, None)
        assert where(made) == ("pending", None)
        for table in ("incentives", "redemptions", "redemption_steps", "incentive_changes"):
            with pytest.raises(ProgrammingError, match="permission denied"), transaction() as session:
                session.execute(text(f"DELETE FROM {table}"))
        for table in ("redemption_steps", "incentive_changes"):
            with pytest.raises(ProgrammingError, match="permission denied"), transaction() as session:
                session.execute(text(f"UPDATE {table} SET version = 9"))
        assert (row_count("redemptions"), row_count("unlocks", "incentive_id = :id", id=reward)) == (1, 1)
        decide(made, "approve")


class TestRefunds:
    """Spent points go back once, and for many of them a second admin is needed."""

    def test_a_refund_sends_the_points_back_and_the_item_only_when_asked(self, incentive, pending, points_says):
        for restock in (False, True):
            reward = incentive(stock=1)
            made = pending(reward)
            decide(made, "approve")
            points_says(made, "captured")
            assert refund(made, restock).redemption.status == "refunded"
            refund(made, restock)
            assert (where(made), stock(reward)) == (("refunded", "refund"), int(restock))
            points_says(made, "refunded")
            assert where(made) == ("refunded", None)
        assert [command.data.points for command in told("points.refund")] == [60, 60]

    def test_a_refund_before_the_capture_is_confirmed_follows_it(self, incentive, pending, points_says):
        """Sent at once it could overtake the capture, and points would not know what to refund."""
        made = pending(incentive())
        decide(made, "approve")
        refund(made)
        assert (where(made), kinds("points.")) == (("refunded", "capture"), ["place_hold", "capture_hold"])
        points_says(made, "captured")
        assert (where(made), kinds("points.")[-1]) == (("refunded", "refund"), "refund")

    def test_many_points_need_a_second_admin(self, incentive, pending, member):
        made = pending(incentive(points=1001))
        decide(made, "approve")
        waiting = refund(made)
        assert (waiting.request.status, where(made)[0]) == ("pending", "approved")
        assert refund(made, actor=SECOND).request.id == waiting.request.id
        with transaction() as session, pytest.raises(Forbidden):
            refunds.confirm(session, made, BOSS, None)
        with transaction() as session:
            assert refunds.confirm(session, made, SECOND, "seen").redemption.status == "refunded"
        with transaction() as session, pytest.raises(refunds.NothingWaits):
            refunds.confirm(session, made, SECOND, None)

    def test_the_database_knows_no_refund_decided_by_who_asked_for_it(self, incentive, pending):
        made = pending(incentive(points=1001))
        decide(made, "approve")
        refund(made)
        with pytest.raises(IntegrityError, match="second_admin"), transaction() as session:
            session.execute(
                text("UPDATE refund_requests SET status = 'confirmed', decided_by = requested_by, decided_at = now()")
            )

    def test_a_refused_or_expired_request_makes_room_for_another(self, incentive, pending):
        made = pending(incentive(points=5000))
        decide(made, "approve")
        first = refund(made).request.id
        with transaction() as session:
            assert refunds.refuse(session, made, SECOND, "no").redemption.status == "approved"
        second = refund(made).request
        assert second.id != first
        with transaction() as session:
            session.execute(text("UPDATE refund_requests SET expires_at = now() - interval '1 second'"))
        with transaction() as session, pytest.raises(refunds.NothingWaits):
            refunds.confirm(session, made, SECOND, None)
        assert refund(made, actor=SECOND).request.requested_by == SECOND

    def test_of_ten_confirmations_at_once_one_is_one(self, incentive, pending):
        made = pending(incentive(points=5000))
        decide(made, "approve")
        refund(made)

        def confirm(_number):
            try:
                with transaction() as session:
                    return refunds.confirm(session, made, SECOND, None).redemption.status
            except refunds.NothingWaits:
                return "nothing waits"

        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(confirm, range(10)))
        assert sorted(answers) == ["nothing waits"] * 9 + ["refunded"]


def test_nobody_decides_on_their_own(incentive, pending, member):
    boss = member(role="admin")
    made = pending(incentive(), boss)
    for act in (lambda: decide(made, "approve", boss), lambda: refund(made, actor=boss)):
        with pytest.raises(Forbidden):
            act()
    assert cancel(made, boss).status == "cancelled"


def test_what_is_not_ones_own_is_not_there(incentive, pending, call, member):
    made = pending(incentive())
    stranger = member()
    with pytest.raises(NotFound):
        cancel(made, stranger)
    assert call("GET", f"/api/redemptions/{made}/", stranger).status_code == 404
    assert call("POST", f"/api/redemptions/{made}/cancel/", stranger, json={}).status_code == 404


def test_who_is_suspended_asks_for_nothing_but_gets_what_is_under_way(incentive, request_, pending, member):
    reward, ada = incentive(), member()
    made = pending(reward, ada)
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(ada, 2, "student", "suspended"))
    with pytest.raises(members.Suspended):
        request_(reward, ada)
    assert decide(made, "approve").status == "approved"


def test_a_retired_or_unknown_reward_is_not_in_the_shop(incentive, request_):
    for reward in (incentive(is_active=False), new_id()):
        with pytest.raises(NotFound):
            request_(reward)


def test_the_limit_counts_what_was_not_in_vain(incentive, request_, pending, points_says, member):
    reward, ada = incentive(stock=None, per_member_limit=2), member()
    first = pending(reward, ada)
    request_(reward, ada)
    with pytest.raises(redemptions.LimitReached):
        request_(reward, ada)
    request_(reward)
    decide(first, "reject")
    request_(reward, ada)
    with pytest.raises(redemptions.LimitReached):
        request_(reward, ada)


def test_of_twenty_requests_at_once_within_a_limit_of_three_three_are_made(incentive, member, row_count):
    """Fails without the lock of the incentive: each would count before the others have written."""
    reward, ada = incentive(stock=None, per_member_limit=3), member()

    def ask(_number):
        try:
            with transaction() as session:
                redemptions.request(session, ada, reward)
            return True
        except redemptions.LimitReached:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(20))) == 3
    assert row_count("redemptions") == 3


def test_unlimited_rewards_count_nothing(incentive, request_, points_says):
    reward = incentive(stock=None)
    made = request_(reward)
    assert (made.has_item, stock(reward)) == (False, None)
    points_says(made.id, "refused")
    assert stock(reward) is None


def test_an_item_taken_before_the_stock_was_counted_or_not_any_more_is_not_made_up(incentive, pending):
    reward = incentive(stock=2)
    taken = pending(reward)
    with transaction() as session:
        catalog_admin.change(session, reward, {"stock": None}, BOSS, None)
    free = pending(reward)
    decide(taken, "reject")
    assert stock(reward) is None
    kept = pending(reward)
    with transaction() as session:
        catalog_admin.change(session, reward, {"stock": 5}, BOSS, None)
    decide(free, "reject")
    decide(kept, "reject")
    assert stock(reward) == 5


def test_points_words_that_cannot_be_are_faults_and_change_nothing(incentive, pending, points_says):
    made = pending(incentive())
    for word in ("captured", "released", "refunded"):
        with pytest.raises(SagaFault):
            points_says(made, word)
    assert where(made) == ("pending", None)


def test_the_database_refuses_states_that_cannot_be(incentive, pending):
    pending(incentive())
    wrong = [
        "status = 'requested'",
        "settling = 'capture', resend_at = now()",
        "status = 'rejected', expires_at = NULL",
        "status = 'declined', has_item = false, expires_at = NULL",
        "points_spent = 0",
        "status = 'lost'",
        "expires_at = NULL",
    ]
    for change in wrong:
        with pytest.raises(IntegrityError), transaction() as session:
            session.execute(text(f"UPDATE redemptions SET {change}"))


def test_each_event_carries_the_version_of_its_redemption(incentive, pending):
    made = pending(incentive())
    decide(made, "approve")
    events = [event for event in told("rewards.re") if event.subject == str(made)]
    assert [event.sequence for event in events] == [1, 2, 3]
    assert isinstance(events[1].data, RewardRedeemed)


def test_a_reference_redeems_once_and_belongs_to_one(incentive, request_, member):
    reward, ada = incentive(), member()
    first = request_(reward, ada, reference="discord:1")
    assert request_(reward, ada, reference="discord:1").id == first.id
    with pytest.raises(Exception, match="somebody else"):
        request_(reward, member(), reference="discord:1")
    assert stock(reward) == 2


def test_a_late_word_of_points_says_nothing_new(incentive, pending, points_says):
    made = pending(incentive())
    said, version = len(told()), state(made).version
    points_says(made, "held")
    assert (len(told()), state(made).version) == (said, version)
    with transaction() as session, pytest.raises(WrongStatus):
        redemptions.advance(session, made, Wish("deliver"), POINTS)
