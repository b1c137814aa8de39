"""A review request earns, once, and a resume with it once more."""

from fleet.contracts.reviews import ReviewRequested
from fleet.database import transaction
from fleet.messages import Envelope, new_id, now
from services.points.review_subscriptions import on_review_requested


def ask(member_id, has_resume: bool = True, request_id=None) -> None:
    said = ReviewRequested(request_id or new_id(), member_id, has_resume, now())
    with transaction() as session:
        envelope = Envelope(
            id=new_id(), source="reviews", type="reviews.review_requested.v1", subject=None, time=now(), data=said
        )
        on_review_requested(session, envelope)


def test_a_request_with_a_resume_earns_twice_twenty_and_repeated_nothing_more(member, row_count) -> None:
    ada, request_id = member(), new_id()
    for _ in range(3):
        ask(ada, request_id=request_id)
    assert row_count("transfers", "points = 20") == 2
    assert row_count("balances", "available = 40") == 1


def test_without_a_resume_it_earns_once_and_within_thirty_days_nothing_more(member, row_count) -> None:
    ada = member()
    ask(ada, has_resume=False)
    ask(ada, has_resume=False)
    assert row_count("balances", "available = 20") == 1
    ask(ada)
    assert row_count("balances", "available = 40") == 1, "the resume earns, the request is in its cooldown"
