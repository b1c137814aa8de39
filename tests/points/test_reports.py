"""What points tells the bot of single entries of the log, and staff of everybody's."""

import pytest

from fleet.contracts import points
from fleet.contracts.users import AccountsMerged
from fleet.messages import new_id
from fleet.problems import InvalidFields, NotFound
from tests.points.claims import MENTORED


class TestReceipts:
    def test_an_approval_says_who_by_which_rule_and_on_what(self, hear, member):
        ada, boss = member("Ada"), member("Boss", role="admin")
        claim = points.Submit(ada, "peer_mentor", "one", MENTORED, "https://example.org/it")
        made = hear(claim)
        hear(points.DecideSubmission(made.submission_id, "approve", boss, points=7, note="Well done"))
        found = hear(points.GetReceipt(ada))
        assert (found.number, found.kind, found.name, found.points, found.balance_after) == (
            1,
            "award",
            "Peer mentor",
            7,
            7,
        )
        assert (found.decided_by, found.rule_version, found.details) == ("Boss", 1, "Well done")
        assert (found.description, found.url, found.evidence_name) == (MENTORED, "https://example.org/it", None)

    def test_they_count_from_the_newest_and_are_ones_own(self, hear, member):
        ada, ben, boss = member("Ada"), member("Ben"), member("Boss", role="admin")
        for number in (10, -4, 3):
            hear(points.AdjustPoints(boss, ada, number, f"because of {number}"))
        found = [hear(points.GetReceipt(ada, number)) for number in (1, 2, 3)]
        assert [(one.points, one.details, one.balance_after) for one in found] == [
            (3, "because of 3", 9),
            (-4, "because of -4", 6),
            (10, "because of 10", 10),
        ]
        assert {one.kind for one in found} == {"adjustment"}
        for who, number in ((ada, 4), (ben, 1), (new_id(), 1)):
            with pytest.raises(NotFound):
                hear(points.GetReceipt(who, number))
        for wrong in (0, -1, 10**9):
            with pytest.raises(InvalidFields):
                hear(points.GetReceipt(ada, wrong))

    def test_an_old_id_leads_to_the_same_log(self, hear, member):
        born, ada, boss = member("Ada"), member("Ada L"), member("Boss", role="admin")
        hear(points.AdjustPoints(boss, born, 5, "welcome"))
        hear(AccountsMerged(born, ada, 1))
        assert hear(points.GetReceipt(born)).transfer_id == hear(points.GetReceipt(ada)).transfer_id
