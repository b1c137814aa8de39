"""Two accounts become one: requests, sessions and resumes follow, in any order of messages, each once."""

import itertools

import pytest
from sqlalchemy import select

from fleet.database import transaction
from fleet.messages import new_id
from services.reviews import members, merging, requests, sessions
from services.reviews.models import ReviewRequest
from services.reviews.session_models import BookedSlot, Meeting
from tests.reviews.conftest import STAFF


def change(born, version, to) -> None:
    with transaction() as session:
        merging.change_link(session, born, version, to)


def test_a_request_and_its_session_follow_the_member(asked, professional, student, soon) -> None:
    born, web = student("Ada in Discord"), student()
    request_id = asked(born)
    with transaction() as session:
        sessions.schedule(session, request_id, professional(), soon(), None, STAFF)
    for _ in range(2):
        change(born, 1, web)
    with transaction() as session:
        assert session.scalars(select(ReviewRequest.student_id)).all() == [web]
        assert session.scalars(select(Meeting.student_id)).all() == [web]
        assert born not in session.scalars(select(BookedSlot.party_id)).all()
        assert requests.newest(session, born).id == request_id
    with pytest.raises(requests.OpenRequest):
        asked(born)


def test_of_two_open_requests_the_further_one_stays(asked, professional, student, soon, row_count) -> None:
    born, web = student("Ada in Discord"), student()
    older, further = asked(web), asked(born)
    with transaction() as session:
        sessions.schedule(session, further, professional(), soon(), None, STAFF)
    change(born, 1, web)
    with transaction() as session:
        assert session.get_one(ReviewRequest, further).status == "scheduled"
        assert session.get_one(ReviewRequest, older).status == "cancelled"
    assert row_count("review_requests", "student_id = :web", web=web) == 2


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_changes_of_a_link_are_applied_in_their_order_however_they_arrive(asked, student, order) -> None:
    born, first, second = student(), student(), student()
    asked(born)
    changes = {1: first, 2: None, 3: second}
    for version in (*order, *order):
        change(born, version, changes[version])
    with transaction() as session:
        assert members.resolve(session, born) == second
        assert session.scalars(select(ReviewRequest.student_id)).all() == [first]


def test_an_id_that_is_not_known_merges_too(reviews) -> None:
    born, web = new_id(), new_id()
    change(born, 1, web)
    with transaction() as session:
        assert members.resolve(session, born) == web
