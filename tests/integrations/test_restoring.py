"""Integrations after a restore: who has read further than the feed goes now finds all that is new."""

from fleet.restoring import STEP
from tests.integrations.conftest import everything, hear, logged
from tests.told_anew import raise_all


def test_positions_go_on_where_no_reader_has_been():
    hear(logged(), logged())
    raise_all("integrations")
    hear(logged())
    assert [event["position"] for event in everything()] == [1, 2, STEP + 3]
    assert [event["position"] for event in everything(after=7)] == [STEP + 3]
