"""Submissions: what is taken, and who sees it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from fleet.database import transaction
from fleet.messages import new_id, now
from services.points import submissions
from tests.answers import alike, pointers, refused
from tests.points.claims import MENTORED, alias, events, suspend


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


def test_a_merge_takes_submissions_along_and_keeps_one_of_two(submit, kind, decide, row_count):
    old, ada, code = new_id(), new_id(), kind(evidence="url", evidence_once="member")
    for who, url in ((old, "https://example.org/a"), (ada, "https://example.org/a"), (old, "https://example.org/b")):
        submit(who, code, url=url)
    with transaction() as session:
        submissions.follow_merge(session, old, ada)
    assert row_count("submissions", "member_id = :ada", ada=ada) == 3
    refused(submit(ada, code, url="https://example.org/a"), 409, "evidence-used")
    refused(submit(ada, code, url="https://example.org/b"), 409, "evidence-used")
