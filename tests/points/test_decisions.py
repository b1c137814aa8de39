"""Who decides submissions, and that each is decided and paid once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from fleet.database import transaction
from fleet.messages import new_id
from services.points import submissions
from tests.answers import pointers, refused
from tests.points.claims import MENTORED, alias, available, events, suspend


class TestDeciding:
    def test_an_approval_pays_what_the_rule_promised(self, pending, decide, call, row_count):
        ada, boss = new_id(), new_id()
        answer = decide(path := pending(ada), "approve", by=boss, note="Well done.")
        assert answer.status_code == 200
        found = answer.json
        assert (found["status"], found["points"], found["decided_by"]) == ("approved", 250, str(boss))
        assert found == call("GET", path, ada).json
        log = call("GET", f"/api/points-logs/{found['points_log_id']}/", ada).json
        assert (log["points"], log["activity"], log["actor"], log["details"]) == (
            250,
            "peer_mentor",
            str(boss),
            "Well done.",
        )
        assert (log["rule_version"], log["occurred_at"]) == (1, found["submitted_at"])
        shown = {"description": found["description"], "url": found["url"], "evidence_id": None}
        assert log["evidence"] == {"submission_id": found["id"], **shown}
        assert available(ada) == 250
        decided = events()[-1]
        assert (decided.type, decided.subject, decided.sequence) == ("points.submission_decided.v1", found["id"], 2)
        assert (decided.data.decision, decided.data.points) == ("approved", 250)
        assert str(decided.data.transfer_id) == found["points_log_id"]
        assert row_count("transfers", "idempotency_key = :key", key=f"submission:{found['id']}") == 1

    @pytest.mark.parametrize("worth", [0, 1, 2000])
    def test_it_may_change_the_points(self, worth, pending, decide, row_count):
        ada = new_id()
        answer = decide(pending(ada), "approve", points=worth)
        assert (answer.json["status"], answer.json["points"]) == ("approved", worth)
        assert available(ada) == worth
        assert row_count("transfers") == (1 if worth else 0)
        assert (answer.json["points_log_id"] is None) == (worth == 0)

    def test_a_later_change_of_the_rule_changes_no_promise(self, pending, decide, kind, call):
        ada, code = new_id(), kind(points=10)
        path = pending(ada, code)
        call("PATCH", f"/api/activities/{code}/", role="admin", json={"points": 99, "is_active": False})
        assert call("GET", path, ada).json["points_promised"] == 10
        found = decide(path, "approve").json
        assert (found["points"], found["rule_version"]) == (10, 1)
        assert call("GET", f"/api/points-logs/{found['points_log_id']}/", ada).json["rule_version"] == 1

    def test_a_rejection_says_why_and_pays_nothing(self, pending, decide, row_count):
        ada = new_id()
        found = decide(pending(ada), "reject", note="We could not find it.").json
        assert (found["status"], found["note"], found["points"]) == ("rejected", "We could not find it.", None)
        assert row_count("transfers") == 0
        assert events()[-1].data.decision == "rejected"

    def test_a_member_takes_it_back(self, pending, decide):
        ada = new_id()
        path = pending(ada)
        assert decide(path, "withdraw", by=ada, role="student").json["status"] == "withdrawn"
        assert (events()[-1].data.decision, events()[-1].data.decided_by) == ("withdrawn", ada)
        refused(decide(path, "approve"), 409, "already-decided")

    @pytest.mark.parametrize(
        ("first", "again", "other"),
        [
            (("approve", {}), ("approve", {}), ("reject", {"note": "No."})),
            (("approve", {"points": 5}), ("approve", {"points": 5}), ("approve", {"points": 6})),
            (("approve", {"points": 5}), ("approve", {"points": 5}), ("approve", {})),
            (("reject", {"note": "No."}), ("reject", {"note": "No, no."}), ("approve", {})),
        ],
    )
    def test_the_same_again_is_fine_and_another_one_too_late(self, first, again, other, pending, decide):
        ada = new_id()
        path = pending(ada)
        made = decide(path, first[0], **first[1])
        repeated = decide(path, again[0], by=new_id(), **again[1])
        assert (repeated.status_code, repeated.json) == (200, made.json)
        problem = refused(decide(path, other[0], **other[1]), 409, "already-decided")
        assert problem["submission_status"] == made.json["status"]
        refused(decide(path, "withdraw", by=ada, role="student"), 409, "already-decided")
        assert len(events()) == 2

    def test_a_withdrawal_again_is_fine(self, pending, decide):
        ada = new_id()
        path = pending(ada)
        first, second = (decide(path, "withdraw", by=ada, role="student") for _ in range(2))
        assert (first.json, second.status_code) == (second.json, 200)
        assert len(events()) == 2

    def test_nobody_decides_on_their_own(self, pending, decide, row_count):
        ada, old = new_id(), new_id()
        path, older = pending(ada), pending(old)
        alias(old, ada)
        for mine in (path, older):
            for who in (ada, old):
                refused(decide(mine, "approve", by=who), 403, "forbidden")
                refused(decide(mine, "reject", by=who, note="No."), 403, "forbidden")
        assert row_count("submissions", "status = 'pending'") == 2
        decide(path, "approve")
        refused(decide(path, "approve", by=ada), 403, "forbidden")

    @pytest.mark.parametrize("role", ["student", "company", "university"])
    def test_only_staff_decide(self, role, pending, decide):
        path = pending(new_id())
        refused(decide(path, "approve", role=role), 403, "forbidden")
        refused(decide(path, "reject", role=role, note="No."), 403, "forbidden")
        refused(decide("/api/submissions/", "bulk", role=role, ids=[]), 403, "forbidden")

    def test_who_is_suspended_is_not_paid_and_it_stays_in_the_queue(self, pending, decide, row_count):
        ada = new_id()
        path = pending(ada)
        suspend(ada)
        for worth in (None, 0, 7):
            refused(decide(path, "approve", points=worth), 409, "suspended")
        assert row_count("submissions", "status = 'pending'") == 1
        assert len(events()) == 1
        assert decide(path, "reject", note="No.").status_code == 200

    @pytest.mark.parametrize(
        ("words", "pointer"),
        [
            *[({"points": value}, "/points") for value in (-1, 2001, 1.0, "5", True, 2**31)],
            *[({"note": value}, "/note") for value in ("", "x" * 1001, 5, "a\u0007")],
            ({"status": "approved"}, "/status"),
        ],
    )
    def test_a_wrong_field_of_an_approval_is_named(self, words, pointer, pending, decide, row_count):
        assert pointers(decide(pending(new_id()), "approve", **words)) == [pointer]
        assert row_count("transfers") == 0

    @pytest.mark.parametrize("words", [{}, {"note": None}, {"note": ""}, {"note": "   "}, {"note": 5}])
    def test_a_rejection_needs_a_note(self, words, pending, decide):
        assert set(pointers(decide(pending(new_id()), "reject", **words))) == {"/note"}

    def test_what_is_none_is_not_found(self, decide):
        for nothing in (f"/api/submissions/{new_id()}/", "/api/submissions/me/", "/api/submissions/%00/"):
            refused(decide(nothing, "approve"), 404)
            refused(decide(nothing, "reject", note="No."), 404)
            refused(decide(nothing, "withdraw", role="student"), 404)

    def test_the_same_key_approves_once(self, pending, decide):
        boss, path, headers = new_id(), pending(new_id()), {"Idempotency-Key": "k"}
        first, second = (decide(path, "approve", by=boss, headers=headers) for _ in range(2))
        assert first.json == second.json
        assert second.headers["Idempotent-Replayed"] == "true"


class TestManyAtOnce:
    def test_one_submission_approved_by_fifty_at_once_is_paid_once(self, pending, decide, row_count):
        """The guarded update is the guard: without `status = 'pending'` all fifty would take it out and pay."""
        ada = new_id()
        path = pending(ada)
        with ThreadPoolExecutor(25) as pool:
            answers = list(pool.map(lambda _: decide(path, "approve", by=new_id()), range(50)))
        assert Counter(answer.status_code for answer in answers) == {200: 50}
        assert len({answer.json["decided_by"] for answer in answers}) == 1
        assert available(ada) == 250
        assert row_count("transfers") == 1
        assert [event.data.decision for event in events("points.submission_decided")] == ["approved"]

    def test_of_all_decisions_at_once_one_counts(self, pending, decide, row_count):
        ada = new_id()
        path = pending(ada)

        def some(number):
            if number % 3 == 2:
                return decide(path, "withdraw", by=ada, role="student")
            return decide(path, ("approve", "reject")[number % 3], by=new_id(), note="Decided.")

        with ThreadPoolExecutor(25) as pool:
            answers = list(pool.map(some, range(30)))
        assert Counter(answer.status_code for answer in answers) == {200: 10, 409: 20}
        assert row_count("submissions", "version = 2 AND status <> 'pending'") == 1
        assert len(events("points.submission_decided")) == 1
        assert row_count("transfers") == row_count("submissions", "status = 'approved'")

    def test_a_cap_of_three_a_week_holds_under_fifty_at_once(self, pending, decide, kind, row_count):
        """The guarded upsert is the guard: without `used < cap_count` all ten are paid."""
        ada, code = new_id(), kind(cap=(3, "week"))
        paths = [pending(ada, code) for _ in range(10)]
        with ThreadPoolExecutor(25) as pool:
            answers = list(pool.map(lambda number: decide(paths[number % 10], "approve", by=new_id()), range(50)))
        assert row_count("submissions", "status = 'approved'") == 3
        assert row_count("submissions", "status = 'pending'") == 7
        assert row_count("transfers") == 3
        assert available(ada) == 30
        assert Counter(answer.status_code for answer in answers) == {200: 15, 409: 35}
        assert {refused(a, 409)["type"].rsplit("/")[-1] for a in answers if a.status_code == 409} == {"limit-reached"}

    def test_the_same_reference_at_once_submits_once(self, row_count):
        ada = new_id()
        claim = submissions.Claim("peer_mentor", MENTORED, reference="interaction 7")

        def some(_):
            with transaction() as session:
                return submissions.submit(session, ada, claim)

        with ThreadPoolExecutor(10) as pool:
            assert len(set(pool.map(some, range(20)))) == 1
        assert row_count("submissions") == row_count("outbox") == 1


class TestLimits:
    def moved(self, path, days):
        with transaction() as session:
            session.execute(
                text("UPDATE submissions SET submitted_at = :at WHERE id = :id"),
                {"at": datetime(2026, 3, 4, 12, tzinfo=UTC) + timedelta(days=days), "id": path.split("/")[3]},
            )
        return path

    def test_a_cap_counts_in_the_week_of_the_claim(self, pending, decide, kind):
        ada, code = new_id(), kind(cap=(1, "week"))
        first, same, next_week = (self.moved(pending(ada, code), days) for days in (0, 2, 7))
        assert decide(first, "approve").status_code == 200
        refused(decide(same, "approve"), 409, "limit-reached")
        assert decide(next_week, "approve").status_code == 200
        assert decide(same, "reject", note="One a week.").status_code == 200

    def test_a_cooldown_holds_in_both_directions(self, pending, decide, kind):
        ada, code = new_id(), kind(cooldown_seconds=86_400)
        first, before, after, later = (self.moved(pending(ada, code), days) for days in (0, -0.5, 0.5, 1))
        assert decide(first, "approve").status_code == 200
        for near in (before, after):
            refused(decide(near, "approve"), 409, "limit-reached")
        assert decide(later, "approve").status_code == 200
        assert available(ada) == 20

    def test_an_approval_worth_nothing_uses_no_allowance(self, pending, decide, kind):
        ada, code = new_id(), kind(cap=(1, "lifetime"))
        first, second = pending(ada, code), pending(ada, code)
        decide(first, "approve", points=0)
        assert decide(second, "approve").status_code == 200


class TestBulk:
    def test_each_has_its_own_outcome(self, pending, decide, call):
        ada, boss = new_id(), new_id()
        good, done, own, gone = pending(ada), pending(ada), pending(boss), str(new_id())
        decide(done, "reject", note="No.")
        ids = [path.split("/")[3] for path in (good, done, own)] + [gone]
        answer = decide("/api/submissions/", "bulk", by=boss, ids=ids, decision="approve", points=5, note="Fine.")
        assert answer.status_code == 200
        items = answer.json["items"]
        assert [item["id"] for item in items] == ids
        assert [item["status"] for item in items] == [200, 409, 403, 404]
        assert items[0]["submission"]["points"] == 5
        assert [item["problem"] and item["problem"]["status"] for item in items] == [None, 409, 403, 404]
        assert available(ada) == 5

    def test_a_hundred_at_once_are_rejected(self, pending, decide, row_count):
        ids = [pending(new_id()).split("/")[3] for _ in range(100)]
        answer = decide("/api/submissions/", "bulk", ids=ids, decision="reject", note="The event was cancelled.")
        assert {item["status"] for item in answer.json["items"]} == {200}
        assert row_count("submissions", "status = 'rejected' AND note = 'The event was cancelled.'") == 100

    @pytest.mark.parametrize(
        ("words", "pointer"),
        [
            ({"ids": []}, "/ids"),
            ({"ids": None}, "/ids"),
            ({"ids": "all"}, "/ids"),
            ({"ids": ["x"]}, "/ids/0"),
            ({"ids": [str(UUID(int=1))] * 2}, "/ids"),
            ({"ids": [str(UUID(int=number)) for number in range(101)]}, "/ids"),
            ({"decision": "withdraw"}, "/decision"),
            ({"decision": None}, "/decision"),
            ({"decision": "reject", "note": " "}, "/note"),
            ({"decision": "reject", "note": "x", "points": 5}, "/points"),
            ({"points": 2001}, "/points"),
        ],
    )
    def test_a_wrong_field_is_named(self, words, pointer, decide):
        body = {"ids": [str(new_id())], "decision": "approve"} | words
        assert set(pointers(decide("/api/submissions/", "bulk", **body))) == {pointer}
