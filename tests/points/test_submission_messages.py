"""Submissions by messages of the bot, and what is told of them."""

import pytest
from sqlalchemy import text

from fleet.contracts import points
from fleet.database import transaction
from fleet.messages import new_id
from fleet.problems import Forbidden, InvalidFields, NotFound, Problem
from services.points import submissions
from tests.points.claims import MENTORED, alias, events


class TestMessages:
    def claim(self, member_id, reference="interaction 1", **words):
        words = {"activity": "peer_mentor", "description": MENTORED} | words
        return points.Submit(member_id, reference=reference, **words)

    def test_a_claim_from_discord_is_one_like_any_other(self, hear, call):
        ada = new_id()
        outcome = hear(self.claim(ada, url="https://example.org"))
        assert (outcome.status, outcome.points, outcome.evidence, outcome.name) == (
            "pending",
            250,
            "none",
            "Peer mentor",
        )
        assert call("GET", f"/api/submissions/{outcome.submission_id}/", ada).json["status"] == "pending"
        assert hear(self.claim(ada, url="https://example.org")) == outcome
        assert len(events()) == 1

    def test_anothers_reference_is_not_answered(self, hear):
        hear(self.claim(new_id()))
        with pytest.raises(InvalidFields):
            hear(self.claim(new_id()))

    @pytest.mark.parametrize(
        ("words", "problem"),
        [
            ({"activity": "no_such_type"}, NotFound),
            ({"activity": "discord_activity"}, submissions.CountsByItself),
            ({"description": "short"}, InvalidFields),
            ({"description": "x" * 2001}, InvalidFields),
            ({"url": "javascript:alert(1)"}, InvalidFields),
            ({"activity": "event_attendance"}, InvalidFields),
        ],
    )
    def test_what_cannot_be_taken_is_refused(self, words, problem, hear, row_count):
        with pytest.raises(problem):
            hear(self.claim(new_id(), **words))
        assert row_count("submissions") == row_count("outbox") == 0

    def test_admins_and_attested_staff_decide(self, hear, member):
        admin, staff, student = member("Boss", role="admin"), new_id(), member("Sam")
        ids = [hear(self.claim(new_id(), f"interaction {number}")).submission_id for number in range(3)]
        done = hear(points.DecideSubmission(ids[0], "approve", admin, points=7))
        assert (done.status, done.points) == ("approved", 7)
        done = hear(points.DecideSubmission(ids[1], "reject", staff, note="No.", staff_attested=True))
        assert done.status == "rejected"
        for nobody in (student, new_id()):
            with pytest.raises(Forbidden):
                hear(points.DecideSubmission(ids[2], "approve", nobody))
        with transaction() as session:
            ways = session.execute(text("SELECT decided_as FROM submissions ORDER BY submitted_at")).scalars().all()
        assert ways == ["admin", "staff", None]

    def test_attested_or_not_nobody_decides_on_their_own(self, hear, member):
        boss, old = member("Boss", role="admin"), new_id()
        mine = hear(self.claim(boss)).submission_id
        alias(old, boss)
        for who in (boss, old):
            with pytest.raises(Forbidden):
                hear(points.DecideSubmission(mine, "approve", who, staff_attested=True))

    @pytest.mark.parametrize("words", [{"points": -1}, {"points": 2001}, {"note": "x" * 1001}])
    def test_what_a_message_may_say_has_bounds(self, words, hear, member):
        found = hear(self.claim(new_id())).submission_id
        with pytest.raises(InvalidFields):
            hear(points.DecideSubmission(found, "approve", member(role="admin"), **words))
        with pytest.raises(InvalidFields):
            hear(points.DecideSubmission(found, "reject", member(role="admin")))

    def test_a_member_takes_it_back(self, hear):
        ada = new_id()
        found = hear(self.claim(ada)).submission_id
        with pytest.raises(NotFound):
            hear(points.WithdrawSubmission(new_id(), found))
        assert hear(points.WithdrawSubmission(ada, found)).status == "withdrawn"
        with pytest.raises(Problem) as problem:
            hear(points.DecideSubmission(found, "approve", new_id(), staff_attested=True))
        assert problem.value.extras["submission_status"] == "withdrawn"

    def test_the_queue_is_for_staff_and_comes_oldest_first(self, hear, member):
        ada, admin = member("Ada"), member("Boss", role="admin")
        ids = [hear(self.claim(ada, f"interaction {number}")).submission_id for number in range(4)]
        hear(points.WithdrawSubmission(ada, ids[0]))
        page = hear(points.GetSubmissions(admin, queue=True, limit=2))
        assert [entry.submission_id for entry in page.items] == ids[1:3]
        assert (page.pending, page.items[0].display_name, page.items[0].description) == (3, "Ada", MENTORED)
        rest = hear(points.GetSubmissions(new_id(), queue=True, staff_attested=True, limit=2, cursor=page.next_cursor))
        assert ([entry.submission_id for entry in rest.items], rest.next_cursor) == (ids[3:], None)
        one = hear(points.GetSubmissions(admin, queue=True, submission_id=ids[0]))
        assert [entry.status for entry in one.items] == ["withdrawn"]
        assert hear(points.GetSubmissions(admin, queue=True, activity="linkedin_post")).items == []
        with pytest.raises(Forbidden):
            hear(points.GetSubmissions(ada, queue=True))

    def test_ones_own_come_newest_first(self, hear):
        ada, eve = new_id(), new_id()
        ids = [hear(self.claim(ada, f"interaction {number}")).submission_id for number in range(3)]
        theirs = hear(self.claim(eve, "interaction 9")).submission_id
        page = hear(points.GetSubmissions(ada, staff_attested=True, limit=1000))
        assert ([entry.submission_id for entry in page.items], page.pending) == (ids[::-1], 3)
        assert hear(points.GetSubmissions(ada, submission_id=ids[1])).items[0].submission_id == ids[1]
        with pytest.raises(NotFound):
            hear(points.GetSubmissions(ada, submission_id=theirs, staff_attested=True))

    @pytest.mark.parametrize(
        "activity", ["mini_event_organize", "professional_referral", "exclusive_resource", "external_workshop"]
    )
    def test_d62_every_kind_is_shown_approved_and_rejected_alike(self, hear, member, activity):
        ada, admin = member("Ada"), member("Boss", role="admin")
        first, second = (hear(self.claim(ada, f"interaction {n}", activity=activity)).submission_id for n in range(2))
        waiting = hear(points.GetSubmissions(admin, queue=True, activity=activity))
        assert [entry.submission_id for entry in waiting.items] == [first, second]
        assert hear(points.DecideSubmission(first, "approve", admin)).status == "approved"
        assert hear(points.DecideSubmission(second, "reject", admin, note="seen before")).status == "rejected"
