"""Links as evidence: which are taken, and when two are the same."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleet.messages import new_id
from tests.answers import pointers, refused
from tests.points.claims import POST


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
