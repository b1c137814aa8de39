"""Matching: every suggestion can be booked, the cohort's assignment is the best, and availability keeps wall time.

MATCH_SIZE=300x60 measures the assignment of that many requests and professionals and prints the seconds.
"""

import os
import random
import time
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import networkx
import pytest
from sqlalchemy import select

from fleet.database import transaction
from fleet.messages import new_id, now
from services.reviews import availability, booking, matching, professionals, requests, scoring, sessions
from services.reviews.availability import Stated
from services.reviews.models import PreferredTime, Professional, ReviewRequest
from services.reviews.session_models import BookedSlot, Meeting
from tests.reviews.conftest import STAFF

ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
INDUSTRIES = ("software", "finance", "healthcare", "consulting", "marketing")


def cohort(chance: random.Random, students: int, reviewers: int) -> None:
    """Professionals with windows of their own and students with times of their own, written as rows."""
    today = datetime.now(UTC).date()
    with transaction() as session:
        for number in range(reviewers):
            zone = chance.choice(ZONES)
            row = professionals.create(
                session,
                {
                    "name": f"Pro {number}",
                    "email": f"pro{number}@firm.test",
                    "time_zone": zone,
                    "specialties": chance.sample(INDUSTRIES, 2),
                    "experience_levels": [],
                    "max_reviews_per_week": chance.randint(1, 3),
                },
            )
            starts = {(day, chance.randrange(8, 18) * 60) for day in chance.choices(range(7), k=4)}
            weekly = [(day, start, start + chance.choice((60, 120, 240))) for day, start in sorted(starts)]
            stated = Stated(zone, today - timedelta(days=2), today + timedelta(days=60), weekly)
            availability.record(session, row.id, "rest", stated)
        for _ in range(students):
            request = ReviewRequest(
                id=new_id(),
                student_id=new_id(),
                status="pending",
                target_industry=chance.choice(INDUSTRIES),
                target_role="any",
                experience_level="entry",
                time_zone="UTC",
                submitted_at=now(),
                excluded_employers=[],
                duration_minutes=30,
            )
            session.add(request)
            session.flush()
            hour = chance.randrange(6, 20)
            for day in range(1, 31):
                if chance.random() < 0.6:
                    start = datetime.combine(today + timedelta(days=day), datetime.min.time(), UTC) + timedelta(
                        hours=hour
                    )
                    span = PreferredTime(
                        review_request_id=request.id, starts_at=start, ends_at=start + timedelta(hours=4)
                    )
                    session.add(span)


def pending() -> list[UUID]:
    with transaction() as session:
        return list(session.scalars(select(ReviewRequest.id).where(ReviewRequest.status == "pending")))


@pytest.mark.parametrize("round_", range(3))
def test_every_suggestion_can_be_booked_and_no_booking_breaks_a_rule(
    reviews, round_: int, seed: int, row_count
) -> None:
    chance = random.Random(f"{seed}/{round_}")
    cohort(chance, 12, 5)
    for request_id in pending():
        with transaction() as session:
            found, nobody = matching.suggest(session, requests.get(session, request_id, None))
        if not found:
            assert nobody.excluded
            continue
        assert [one.score.total for one in found] == sorted((one.score.total for one in found), reverse=True)
        pick = chance.choice(found)
        with transaction() as session:
            sessions.schedule(session, request_id, pick.professional.id, pick.starts_at, None, STAFF)
    keep_the_rules()
    assert row_count("sessions") > 0


def keep_the_rules() -> None:
    """Overlaps, pauses, windows, notice and weekly maxima, looked at without the code that keeps them."""
    with transaction() as session:
        meetings = list(session.scalars(select(Meeting).where(Meeting.status == "scheduled")))
        slots = set(session.execute(select(BookedSlot.party_id, BookedSlot.slot)).tuples())
        reviewers = {row.id: row for row in session.scalars(select(Professional))}
        for meeting in meetings:
            end = meeting.starts_at + timedelta(minutes=meeting.duration_minutes)
            assert now() + timedelta(hours=11, minutes=50) <= meeting.starts_at <= now() + timedelta(days=30)
            assert (meeting.student_id, meeting.starts_at) in slots
            spans = session.scalars(
                select(PreferredTime).where(PreferredTime.review_request_id == meeting.review_request_id)
            )
            assert any(span.starts_at <= meeting.starts_at and end <= span.ends_at for span in spans)
            others = [
                one for one in meetings if one.professional_id == meeting.professional_id and one.id != meeting.id
            ]
            for other in others:
                apart = abs(other.starts_at - meeting.starts_at)
                assert apart >= timedelta(minutes=meeting.duration_minutes + 10)
            reviewer = reviewers[meeting.professional_id]
            week = meeting.starts_at.astimezone(ZoneInfo(reviewer.time_zone)).isocalendar()[:2]
            same = [
                one
                for one in others
                if one.starts_at.astimezone(ZoneInfo(reviewer.time_zone)).isocalendar()[:2] == week
            ]
            assert len(same) + 1 <= reviewer.max_reviews_per_week


@pytest.mark.parametrize("change", (date(2027, 3, 14), date(2027, 10, 31)))
@pytest.mark.parametrize("zone", ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe"))
def test_windows_keep_wall_time_over_the_changes_of_the_clocks(reviews, zone: str, change: date) -> None:
    with transaction() as session:
        row = professionals.create(session, {"name": "Bo", "email": "bo@firm.test", "time_zone": zone})
        stated = Stated(
            zone, change - timedelta(days=20), change + timedelta(days=20), [(day, 600, 690) for day in range(7)]
        )
        availability.record(session, row.id, "rest", stated)
        place = ZoneInfo(zone)
        begin = datetime.combine(change - timedelta(days=10), datetime.min.time(), place)
        spans = availability.of_professionals(session, [row.id], begin, begin + timedelta(days=20))[row.id]
    walls = {availability.moment_of(start).astimezone(place).strftime("%H:%M") for start, _end in spans}
    assert walls == {"10:00"} and all(end - start == 90 for start, end in spans)
    assert len(spans) == 20


@pytest.mark.parametrize("round_", range(4))
def test_the_assignment_is_the_optimum_of_an_independent_solver(reviews, round_: int, seed: int) -> None:
    cohort(random.Random(f"{seed}/{round_}/all"), 25, 4)
    with transaction() as session:
        choices = matching.match_all(session)
        best = optimum(session, [choice.request for choice in choices])
    found = matching.totals(choices)
    assert found["total_score"] == pytest.approx(best, abs=0.02)
    for choice in choices:
        assert (choice.chosen is None) == (choice.nobody is not None)
        if choice.chosen and choice.runner_up:
            assert choice.chosen.professional.id != choice.runner_up.professional.id


def optimum(session, wanted: list[ReviewRequest]) -> float:
    """The largest total by network simplex over the scores of all possible pairs and weeks."""
    board = matching.Board(session)
    students = board.students_time(wanted)
    graph = networkx.DiGraph()
    graph.add_node("source", demand=-len(wanted))
    graph.add_node("sink", demand=len(wanted))
    for request in wanted:
        graph.add_edge("source", request.id, capacity=1, weight=0)
        graph.add_edge(request.id, "sink", capacity=1, weight=0)
        free = matching.starts(students[request.id], 6)
        for number, reviewer in enumerate(board.reviewers):
            for week, bits in board.fits(request, reviewer, free)[0]:
                bit = matching.first(bits)
                assert bit is not None
                score = board.suggestion(request, reviewer, week, bit).score.total
                graph.add_edge(request.id, (number, week), capacity=1, weight=-round(score * 100))
                room = reviewer.row.max_reviews_per_week - reviewer.booked[week]
                graph.add_edge((number, week), "sink", capacity=room, weight=0)
    return -networkx.network_simplex(graph)[0] / 100


def test_a_matched_request_takes_its_place_of_the_week(asked, professional) -> None:
    reviewer = professional(max_reviews_per_week=1)
    with transaction() as session:
        requests.match(session, asked(), reviewer, STAFF)
    other = asked()
    with transaction() as session:
        found, _nobody = matching.suggest(session, requests.get(session, other, None))
    first_week = booking.week_of(professional_row(reviewer), booking.earliest())
    assert found and all(one.starts_at >= first_week[1] for one in found)


def professional_row(professional_id: UUID) -> Professional:
    with transaction() as session:
        return professionals.get(session, professional_id)


@pytest.mark.parametrize(
    ("wanted", "offered", "fit"),
    (
        ("software", ("Technology/Software",), 1.0),
        ("Software Engineering", ("technology",), 0.8),
        ("sofware", ("Software",), 0.9),
        ("finance", ("Healthcare",), 0.0),
        ("anything new", ("any",), 0.7),
        ("art", (), 0.5),
    ),
)
def test_industries_fit_as_people_write_them(wanted: str, offered: tuple[str, ...], fit: float) -> None:
    assert scoring.industry_fit(wanted, offered) == pytest.approx(fit, abs=0.05)


def test_the_terms_of_a_score_are_named_and_add_up_to_at_most_a_hundred() -> None:
    assert sum(scoring.WEIGHTS.values()) == 100
    score = scoring.Score({name: float(weight) for name, weight in scoring.WEIGHTS.items()})
    assert score.total == 100 and all(name in score.reason() for name in scoring.WEIGHTS)


def test_a_whole_programme_is_assigned(reviews, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    students, reviewers = map(int, os.environ.get("MATCH_SIZE", "40x12").split("x"))
    cohort(random.Random(seed), students, reviewers)
    with transaction() as session:
        started = time.perf_counter()
        choices = matching.match_all(session)
        took = time.perf_counter() - started
    with capsys.disabled():
        print(f"\n{students} requests x {reviewers} professionals x 30 days: {took:.2f} s, {matching.totals(choices)}")
    assert len(choices) == students
