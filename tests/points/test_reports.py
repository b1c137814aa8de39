"""What points tells the bot of single entries of the log, and staff of everybody's."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from fleet import auth_state
from fleet.contracts import points
from fleet.contracts.users import AccountsMerged, AuthStateChanged
from fleet.database import transaction
from fleet.messages import new_id, now
from fleet.problems import Forbidden, InvalidFields, NotFound
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

    def test_one_is_asked_for_by_its_id_by_its_member_alone(self, hear, member):
        ada, ben, boss = member("Ada"), member("Ben"), member("Boss", role="admin")
        hear(points.AdjustPoints(boss, ada, 5, "welcome"))
        transfer = hear(points.GetReceipt(ada)).transfer_id
        found = hear(points.GetReceipt(ada, transfer_id=transfer))
        assert (found.number, found.details) == (0, "welcome")
        with pytest.raises(NotFound):
            hear(points.GetReceipt(ben, transfer_id=transfer))


STAFF_QUESTIONS = {
    "activity": points.GetActivityLog,
    "programme": points.GetProgramme,
    "queue": points.GetQueueReport,
}


@pytest.mark.parametrize("question", STAFF_QUESTIONS)
def test_staffs_questions_are_answered_to_admins_by_what_users_says_of_them(question, hear, member):
    boss, demoted, suspended = (member(name, role="admin") for name in ("Boss", "Was", "Out"))
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(demoted, 2, "student", "active"))
        auth_state.keep(session, AuthStateChanged(suspended, 2, "admin", "suspended"))
    hear(STAFF_QUESTIONS[question](boss))
    for nobody in (member("Ada"), new_id(), demoted, suspended):
        with pytest.raises(Forbidden):
            hear(STAFF_QUESTIONS[question](nobody))


class TestActivityLog:
    def test_it_is_of_everybody_or_of_one_newest_first_page_by_page(self, hear, member):
        ada, ben, boss = member("Ada"), member("Ben"), member("Boss", role="admin")
        for number, who in enumerate((ada, ben, ada, ben, ada), 1):
            hear(points.AdjustPoints(boss, who, number, "x"))
        first = hear(points.GetActivityLog(boss, limit=3))
        second = hear(points.GetActivityLog(boss, limit=3, cursor=first.next_cursor))
        entries = [*first.items, *second.items]
        assert [(one.display_name, one.points) for one in entries] == [
            ("Ada", 5),
            ("Ben", 4),
            ("Ada", 3),
            ("Ben", 2),
            ("Ada", 1),
        ]
        assert {(one.decided_by, one.kind) for one in entries} == {("Boss", "adjustment")}
        assert second.next_cursor is None
        hers = hear(points.GetActivityLog(boss, ada))
        assert [one.points for one in hers.items] == [5, 3, 1]

    def test_it_goes_back_as_far_as_one_wants_and_no_further(self, hear, member):
        ada, boss = member("Ada"), member("Boss", role="admin")
        hear(points.AdjustPoints(boss, ada, 5, "old"))
        # Transfers cannot be changed, so this one is written down as of three hours ago.
        old = UUID(int=new_id().int - (3 * 3600 * 1000 << 80))
        with transaction() as session:
            session.execute(
                text(
                    "INSERT INTO transfers (id, ledger_id, debit, credit, points, kind, idempotency_key, occurred_at,"
                    " available_after) SELECT :id, ledger_id, debit, credit, 7, kind, 'old', occurred_at, 7 FROM transfers"
                ),
                {"id": old},
            )
        assert [one.points for one in hear(points.GetActivityLog(boss, hours=2)).items] == [5]
        assert [one.points for one in hear(points.GetActivityLog(boss, hours=4)).items] == [5, 7]
        for wrong in (0, -1, 10**6):
            with pytest.raises(InvalidFields):
                hear(points.GetActivityLog(boss, hours=wrong))


def test_the_queue_is_reported_by_kind_the_longest_waiting_first(hear, member):
    ada, staff = member("Ada"), new_id()
    hear(points.Submit(ada, "peer_mentor", "one", MENTORED))
    hear(points.Submit(ada, "thoughtful_reply", "two", MENTORED))
    hear(points.Submit(ada, "peer_mentor", "three", MENTORED + " Again."))
    report = hear(points.GetQueueReport(staff, staff_attested=True))
    assert [(kind.activity, kind.pending) for kind in report.kinds] == [("peer_mentor", 2), ("thoughtful_reply", 1)]
    assert report.pending == 3
    with pytest.raises(Forbidden):
        hear(points.GetQueueReport(staff))


def test_the_programme_at_a_glance_is_that_of_the_web(hear, member, call):
    ada, boss = member("Ada"), member("Boss", role="admin")
    hear(points.AdjustPoints(boss, ada, 30, "x"))
    hear(points.Submit(ada, "peer_mentor", "one", MENTORED))
    figures = hear(points.GetProgramme(boss))
    web = call("GET", "/api/analytics/programme/", boss, "admin").json
    assert (figures.issued, figures.outstanding, figures.pending) == (30, 30, 1)
    assert figures.members == sum(role["members"] for role in web["members"]) == 2
    assert figures.week_points == web["weeks"][-1]["points_earned"] == 30


class TestContributors:
    def earn(self, hear, who, boss, activity, worth):
        made = hear(points.Submit(who, activity, f"{who}", MENTORED, f"https://example.org/{who}"))
        hear(points.DecideSubmission(made.submission_id, "approve", boss, points=worth))

    def test_they_are_ranked_by_what_they_earned_of_late_in_all_or_in_a_category(self, hear, member):
        ada, ben, boss = member("Ada"), member("Ben"), member("Boss", role="admin")
        self.earn(hear, ada, boss, "peer_mentor", 30)
        self.earn(hear, ben, boss, "peer_mentor", 20)
        hear(points.AdjustPoints(boss, ben, 15, "a prize"))
        every = hear(points.GetContributors())
        assert [(one.display_name, one.points, one.activities) for one in every.items] == [
            ("Ben", 35, 1),
            ("Ada", 30, 1),
        ]
        assert (every.members, every.activities) == (2, 2)
        mentors = hear(points.GetContributors(category="engagement", limit=1))
        assert [(one.member_id, one.points) for one in mentors.items] == [(ada, 30)]
        assert (mentors.members, mentors.activities) == (2, 2)
        assert hear(points.GetContributors(category="social")) == points.Contributors([], 0, 0)

    def test_what_is_older_than_the_period_does_not_count(self, hear, member):
        ada = member("Ada")
        for days in (8, 20, 31):
            hear(points.LogActivity(ada, "discord_activity", now() - timedelta(days=days), f"d{days}"))
        assert [one.points for one in hear(points.GetContributors(period="30days")).items] == [10]
        assert hear(points.GetContributors(period="7days")).items == []

    def test_who_is_not_shown_is_not_here_either(self, hear, member):
        ada, hidden, boss = member("Ada"), member("Ben", show_in_leaderboard=False), member("Boss", role="admin")
        for who in (ada, hidden):
            hear(points.AdjustPoints(boss, who, 10, "welcome"))
        assert [one.member_id for one in hear(points.GetContributors()).items] == [ada]

    @pytest.mark.parametrize(
        "wrong", [{"limit": 0}, {"limit": 101}, {"category": "sleeping"}, {"period": "ever"}], ids=str
    )
    def test_a_wrong_question_is_refused(self, hear, wrong):
        with pytest.raises(InvalidFields):
            hear(points.GetContributors(**wrong))
