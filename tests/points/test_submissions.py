"""Submissions: what is taken, who sees it, who decides, and that each is decided and paid once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from fleet import auth_state
from fleet.contracts import contract_of, points
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import Reply, decode, envelope_for, new_id, now, read_answer, to_json
from fleet.problems import Forbidden, InvalidFields, NotFound, Problem
from services.points import ledger, submissions
from services.points.subscriptions import subscriptions
from tests.answers import alike, pointers, refused

POST = "https://www.linkedin.com/posts/ada_first-day-activity-7123456789012345678-AbCd?utm_source=share"
MENTORED = "Met every Friday for a month to go through interviews together."


@pytest.fixture
def submit(call):
    """`submit(ada, "peer_mentor")` over HTTP; further words as in the body."""

    def post(member_id, activity="peer_mentor", /, headers=None, **words):
        body = {"activity_type": activity, "description": MENTORED} | words
        return call("POST", "/api/submissions/", member_id, json=body, headers=headers or {})

    return post


@pytest.fixture
def pending(submit):
    """`pending(ada, code)` is the path of a submission that waits."""

    def make(member_id, activity="peer_mentor", **words):
        answer = submit(member_id, activity, **words)
        assert answer.status_code == 201, answer.text
        return f"/api/submissions/{answer.json['id']}/"

    return make


@pytest.fixture
def decide(call):
    """`decide(path, "approve", by=boss, points=5)`."""
    boss = new_id()

    def post(path, decision, /, by=boss, role="admin", headers=None, **words):
        return call("POST", f"{path}{decision}/", by, role, json=words, headers=headers or {})

    return post


@pytest.fixture
def hear():
    """`hear(message)` is the answer of its handler, as the asker reads it."""

    def apply(message):
        contract, envelope = contract_of(message), envelope_for(message, source="bot")
        with transaction() as session:
            answer = subscriptions.handlers[contract.type](session, envelope)
        assert read_answer(contract.type, Reply(str(envelope.id), to_json(answer))) == answer
        return answer

    return apply


def events(prefix="points.submission_") -> list:
    with transaction() as session:
        bodies = session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars().all()
    return [event for event in (decode(bytes(body)) for body in bodies) if event.type.startswith(prefix)]


def suspend(member_id, until=None):
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(member_id, 1, "student", "suspended", until))


def alias(old, member_id):
    with transaction() as session:
        session.execute(text("INSERT INTO aliases VALUES (:old, :new)"), {"old": old, "new": member_id})


def available(member_id) -> int:
    with transaction() as session:
        return ledger.balance_of(session, member_id).available


class TestHandingIn:
    def test_it_waits_and_is_told(self, submit, member):
        ada = member("Ada")
        answer = submit(ada, description=f"  {MENTORED}\n", url="https://example.org/notes")
        assert answer.status_code == 201
        found = answer.json
        assert found["submitted_at"].endswith("Z")
        assert {name: found[name] for name in ("member_id", "display_name", "activity", "name", "status")} == {
            "member_id": str(ada),
            "display_name": "Ada",
            "activity": "peer_mentor",
            "name": "Peer mentor",
            "status": "pending",
        }
        assert (found["description"], found["url"]) == (MENTORED, "https://example.org/notes")
        assert (found["points_promised"], found["points"], found["rule_version"]) == (250, None, 1)
        [event] = events()
        assert (event.type, event.subject, event.sequence) == ("points.submission_received.v1", found["id"], 1)
        assert (event.data.member_id, event.data.points, event.data.category) == (ada, 250, "engagement")

    def test_one_who_is_not_known_yet_may(self, submit):
        assert submit(new_id()).status_code == 201

    @pytest.mark.parametrize("code", ["no_such_type", "' OR 1=1", "PEER_MENTOR"])
    def test_of_something_unknown_it_is_not_found(self, code, submit):
        refused(submit(new_id(), code), 404, "not-found")

    def test_of_something_switched_off_it_is_not_found(self, submit, kind):
        refused(submit(new_id(), kind(is_active=False)), 404, "not-found")

    def test_what_counts_by_itself_cannot_be_submitted(self, submit):
        refused(submit(new_id(), "discord_activity"), 409, "counts-by-itself")

    def test_who_is_suspended_submits_nothing(self, submit, member, row_count):
        ada = member("Ada")
        suspend(ada)
        refused(submit(ada), 409, "suspended")
        suspend(ada := member("Ada"), now() - timedelta(seconds=1))
        assert submit(ada).status_code == 201
        assert row_count("submissions") == 1

    def test_the_same_key_submits_once(self, submit, row_count):
        ada, headers = new_id(), {"Idempotency-Key": "k"}
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: submit(ada, headers=headers), range(16)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json["id"] for answer in answers}) == 1
        refused(submit(ada, headers=headers, description=MENTORED * 2), 422, "idempotency-key-reused")
        assert row_count("submissions") == 1

    @pytest.mark.parametrize(
        ("description", "taken"),
        [
            ("x" * 39, False),
            ("x" * 40, True),
            (" " * 60, False),
            (" " * 20 + "x" * 30 + "\n" * 20, False),
            ("\u200b" * 50, False),
            ("x\u200b" * 30, False),
            ("a" + "\u0301" * 60, False),
            ("é" * 40, True),
            ("🎓" * 40, True),
            ("", False),
        ],
    )
    def test_a_description_has_its_least_length_in_characters_one_can_see(self, description, taken, submit):
        answer = submit(new_id(), "peer_mentor", description=description)
        assert (answer.status_code == 201) == taken
        if not taken:
            assert pointers(answer) == ["/description"]

    @pytest.mark.parametrize(
        ("words", "pointer"),
        [
            *[({"description": value}, "/description") for value in (None, 5, "x" * 2001, "a\u0007", ["x"])],
            *[({"activity_type": value}, "/activity_type") for value in (None, "", 5, "x" * 65)],
            *[({"evidence_id": value}, "/evidence_id") for value in ("me", 5, "", [])],
            *[({"url": value}, "/url") for value in (5, "", "x" * 2049, ["https://example.org"])],
            *[({name: "x"}, f"/{name}") for name in ("member_id", "status", "points", "submitted_at", "reference")],
        ],
    )
    def test_a_wrong_field_is_named(self, words, pointer, submit, row_count):
        assert pointers(submit(new_id(), **words)) == [pointer]
        assert row_count("submissions") == row_count("outbox") == 0

    def test_a_file_must_be_ones_own(self, submit):
        assert pointers(submit(new_id(), evidence_id=str(new_id()))) == ["/evidence_id"]

    @pytest.mark.parametrize(
        ("evidence", "pointer"), [("url", "/url"), ("attachment", "/evidence_id"), ("text", "/description")]
    )
    def test_what_the_rule_asks_for_is_needed(self, evidence, pointer, submit, kind):
        assert pointers(submit(new_id(), kind(evidence=evidence), description=" ")) == [pointer]

    def test_everything_that_lacks_is_named_at_once(self, submit):
        assert pointers(submit(new_id(), "linkedin_post", description="short")) == ["/description", "/url"]


class TestLinks:
    @pytest.mark.parametrize(
        "url",
        [
            "http://example.org/x",
            "ftp://example.org",
            "javascript:alert(1)",
            "data:text/html,hi",
            "https://",
            "https:///x",
            "https://localhost/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::1",
            "https://2130706433/",
            "https://me:pw@example.org/",
            "https://me@example.org/",
            "https://example.org:99999/",
            "https://exa mple.org/",
            "https://example.org/a b",
            "https://example.org\\@evil.org/",
            "//example.org/x",
            "example.org",
            "https://" + "é" * 300 + ".org/",
            "https://a..b.org/",
        ],
    )
    def test_what_is_no_safe_link_is_refused(self, url, submit, kind):
        assert pointers(submit(new_id(), kind(evidence="url"), url=url)) == ["/url"]

    @pytest.mark.parametrize("url", ["https://example.org", "https://EXAMPLE.org:8443/x?y=1#z", "https://münchen.de/ä"])
    def test_a_link_is_kept_with_its_host_in_ascii(self, url, submit, kind):
        kept = submit(new_id(), kind(evidence="url"), url=url).json["url"]
        assert kept == url.replace("EXAMPLE", "example").replace("münchen", "xn--mnchen-3ya")

    @pytest.mark.parametrize(
        "url",
        [
            POST,
            "https://linkedin.com/posts/ada_activity-7123456789012345678-AbCd/",
            "https://de.linkedin.com/feed/update/urn:li:activity:7123456789012345678/",
            "https://www.linkedin.com/feed/update/urn%3Ali%3Ashare%3A7123456789012345678",
            "https://www.linkedin.com/embed/feed/update/urn:li:ugcPost:7123456789012345678",
            "https://www.linkedin.com/pulse/how-i-found-my-job-ada-lovelace",
        ],
    )
    def test_the_forms_of_a_linkedin_post_are_taken(self, url, submit):
        assert submit(new_id(), "linkedin_post", url=url).status_code == 201

    @pytest.mark.parametrize(
        "url",
        [
            "https://linkedin.com.evil.org/posts/x-activity-7123456789012345678",
            "https://evil-linkedin.com/posts/x",
            "https://lіnkedin.com/posts/x",
            "https://www.linkedin.com/in/ada",
            "https://www.linkedin.com/",
            "https://www.linkedin.com/posts/",
            "https://www.linkedin.com:8443/posts/x",
            "https://www.linkedin.com/company/acme/posts/",
            "https://example.org/?https://linkedin.com/posts/x",
            "http://www.linkedin.com/posts/x",
        ],
    )
    def test_what_is_no_linkedin_post_is_refused(self, url, submit):
        assert pointers(submit(new_id(), "linkedin_post", url=url)) == ["/url"]

    @pytest.mark.parametrize(
        "same",
        [
            "https://www.linkedin.com/posts/somebody-else_other-title-activity-7123456789012345678-ZZZZ",
            "https://linkedin.com/feed/update/urn:li:activity:7123456789012345678/?trk=x#comments",
            "https://de.linkedin.com/posts/ada_first-day-activity-7123456789012345678-AbCd/",
        ],
    )
    def test_another_link_to_the_same_post_is_the_same_post(self, same, submit):
        submit(new_id(), "linkedin_post", url=POST)
        refused(submit(new_id(), "linkedin_post", url=same), 409, "evidence-used")

    def test_a_link_in_other_words_is_the_same_link(self, submit, kind):
        code, ada = kind(evidence="url", evidence_once="member"), new_id()
        submit(ada, code, url="https://www.example.org/talk%20s?b=2&a=1")
        for same in (
            "https://example.org/talk%20s/?a=1&b=2&utm_source=x",
            "https://EXAMPLE.org:443/talk%20s?b=2&a=1#top",
        ):
            refused(submit(ada, code, url=same), 409, "evidence-used")
        assert submit(ada, code, url="https://example.org/Talk%20s?b=2&a=1").status_code == 201
        assert submit(new_id(), code, url="https://www.example.org/talk%20s?b=2&a=1").status_code == 201

    def test_the_same_evidence_at_once_counts_once(self, submit, kind, row_count):
        """The unique index is the guard: without it all twenty are taken."""
        code = kind(evidence="url", evidence_once="everyone")
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: submit(new_id(), code, url="https://example.org/x"), range(20)))
        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}
        assert row_count("submissions") == 1

    def test_for_a_member_too(self, submit, kind, row_count):
        code, ada = kind(evidence="url", evidence_once="member"), new_id()
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: submit(ada, code, url="https://example.org/x"), range(20)))
        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}

    @pytest.mark.parametrize(("decision", "free"), [("reject", True), ("withdraw", True), ("approve", False)])
    def test_a_rejection_lets_the_evidence_go(self, decision, free, submit, pending, decide):
        ada = new_id()
        path = pending(ada, "linkedin_post", url=POST)
        if decision == "withdraw":
            decide(path, "withdraw", by=ada, role="student")
        else:
            decide(path, decision, note="As it is.")
        assert (submit(ada, "linkedin_post", url=POST).status_code == 201) == free


class TestSeeing:
    def test_ones_own_newest_first_in_pages(self, pending, call):
        ada, eve = new_id(), new_id()
        paths = [pending(ada) for _ in range(5)]
        pending(eve)
        seen, cursor = [], None
        while True:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = call("GET", "/api/submissions/", ada, query_string=query).json
            seen += [f"/api/submissions/{item['id']}/" for item in page["items"]]
            if (cursor := page["next_cursor"]) is None:
                break
        assert seen == paths[::-1]

    def test_staff_see_everybodys_and_filter(self, pending, decide, call):
        ada, eve = new_id(), new_id()
        first, second, third = pending(ada), pending(eve), pending(eve, "resource_share")
        decide(first, "reject", note="No.")

        def ids(**query):
            answer = call("GET", "/api/submissions/", role="admin", query_string=query)
            return [f"/api/submissions/{item['id']}/" for item in answer.json["items"]]

        assert ids() == [third, second, first]
        assert ids(order="oldest") == [first, second, third]
        assert ids(status="pending") == [third, second]
        assert ids(activity="peer_mentor") == [second, first]
        assert ids(member=str(ada)) == [first]
        assert ids(status="pending", order="oldest", limit=1) == [second]
        with transaction() as session:
            moved = "UPDATE submissions SET submitted_at = submitted_at - interval '49 hours' WHERE member_id = :eve"
            session.execute(text(moved), {"eve": eve})
        assert ids(older_than=48) == [third, second]
        assert ids(older_than=50) == []

    def test_what_is_anothers_is_not_there(self, pending, call):
        ada, eve = new_id(), new_id()
        path, nothing = pending(ada), f"/api/submissions/{new_id()}/"
        for role in ("student", "company", "university"):
            theirs = call("GET", path, eve, role)
            refused(theirs, 404, "not-found")
            assert alike(theirs) == alike(call("GET", nothing, eve, role))
        for action in ("withdraw",):
            refused(call("POST", f"{path}{action}/", eve, json={}), 404)
        refused(call("GET", "/api/submissions/", eve, query_string={"member": str(ada)}), 403, "forbidden")
        assert call("GET", "/api/submissions/", eve).json["items"] == []
        assert call("GET", "/api/submissions/", ada, query_string={"member": str(ada)}).status_code == 200
        assert call("GET", path, role="admin").status_code == call("GET", path, ada).status_code == 200

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *[("status", value) for value in ("", "open", "pending ")],
            *[("limit", value) for value in (0, 101, "x", -1, "1e1")],
            *[("older_than", value) for value in (-1, "x", "1.5", 10**9, "2026-01-01")],
            *[("member", value) for value in ("me", "1", "")],
            *[("cursor", value) for value in ("x", "", "W10")],
            *[("order", value) for value in ("up", "submitted_at;drop")],
            ("sort", "id"),
        ],
    )
    def test_a_wrong_parameter_is_named(self, name, value, call):
        answer = call("GET", "/api/submissions/", role="admin", query_string={name: value})
        assert pointers(answer) == [f"/{name}"]

    def test_those_of_an_earlier_id_are_ones_own(self, pending, call):
        old, ada = new_id(), new_id()
        path = pending(old)
        alias(old, ada)
        assert [f"/api/submissions/{item['id']}/" for item in call("GET", "/api/submissions/", ada).json["items"]] == [
            path
        ]
        assert call("GET", path, ada).status_code == 200


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


def test_a_merge_takes_submissions_along_and_keeps_one_of_two(submit, kind, decide, row_count):
    old, ada, code = new_id(), new_id(), kind(evidence="url", evidence_once="member")
    for who, url in ((old, "https://example.org/a"), (ada, "https://example.org/a"), (old, "https://example.org/b")):
        submit(who, code, url=url)
    with transaction() as session:
        submissions.follow_merge(session, old, ada)
    assert row_count("submissions", "member_id = :ada", ada=ada) == 3
    refused(submit(ada, code, url="https://example.org/a"), 409, "evidence-used")
    refused(submit(ada, code, url="https://example.org/b"), 409, "evidence-used")
