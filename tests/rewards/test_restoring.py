"""Rewards after a restore: its redemptions and rewards count on, and everybody learns what each reward costs."""

from sqlalchemy import text

from fleet.contracts.rewards import IncentiveChanged
from fleet.database import transaction
from fleet.restoring import STEP
from services.rewards import catalog_admin, decisions, verify
from services.rewards.models import Redemption
from tests.rewards.conftest import BOSS
from tests.told_anew import raise_all, told_anew


def test_every_reward_is_told_as_it_is(incentive):
    mug = incentive(points=70, stock=2)
    told = told_anew("rewards")
    with transaction() as session:
        versions = dict(session.execute(text("SELECT id, version FROM incentives")).all())
    assert all(isinstance(event.data, IncentiveChanged) for event in told)
    assert {event.data.incentive_id: event.sequence for event in told} == versions
    [about] = [event.data for event in told if event.data.incentive_id == mug]
    assert (about.points_required, about.stock, about.is_active) == (70, 2, True)


def test_a_redemption_goes_on_where_nobody_has_been(incentive, pending):
    reward = incentive()
    redemption_id = pending(reward)
    with transaction() as session:
        before = session.get_one(Redemption, redemption_id).version
    raise_all("rewards")
    with transaction() as session:
        catalog_admin.restock(session, reward, 1, BOSS, None)
        assert [found.check for found in verify.findings(session) if found.differing] == []
    with transaction() as session:
        decisions.decide(session, redemption_id, "approve", BOSS)
    with transaction() as session:
        assert session.get_one(Redemption, redemption_id).version == before + STEP + 1
        steps = session.scalars(text("SELECT version FROM redemption_steps ORDER BY 1")).all()
    assert steps[-1] == before + STEP + 1
