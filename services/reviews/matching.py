"""Who should review whom: slots that both can, ranked with reasons, and the best assignment for a whole cohort.

Hard conditions first, each with its name, so that "nobody" can say what stood in the way: active, employer, level,
overlap of real instants with notice and pauses, weekly maximum. Then scoring.py.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.settings import read
from services.reviews import availability, booking, requests
from services.reviews.assignment import assign
from services.reviews.booking import COUNTED, week_of
from services.reviews.models import PreferredTime, Professional, ReviewRequest
from services.reviews.overlap import MINUTES, Raster, first, starts
from services.reviews.scoring import Score, fixed_terms, timed_terms
from services.reviews.session_models import BookedSlot, Feedback, Meeting
from services.reviews.settings import BookingSettings

SUGGESTED = 10
OF_ONE = 3


@dataclass(frozen=True)
class Suggestion:
    """A slot with a professional, its score, and why."""

    request_id: UUID
    professional: Professional
    starts_at: datetime
    duration_minutes: int
    score: Score


@dataclass(frozen=True)
class Nobody:
    """Why no professional was found: how many each condition kept out, the worst first."""

    excluded: dict[str, int]

    @property
    def worst(self) -> str:
        """The condition that kept out most."""
        return max(self.excluded, key=lambda name: self.excluded[name], default="no_professionals")


@dataclass
class Reviewer:
    """A professional with what matters of their weeks."""

    row: Professional
    free: int
    weeks: list[tuple[datetime, datetime]]
    booked: list[int]
    rating: float | None
    masks: list[int] = field(default_factory=list)
    startable: dict[int, int] = field(default_factory=dict)

    def starts(self, steps: int) -> int:
        """Where a session of so many steps may begin, the pause after it included."""
        if steps not in self.startable:
            pause = read(BookingSettings).buffer_minutes // MINUTES
            self.startable[steps] = starts(self.free, steps) & starts(self.unbooked, steps + pause)
        return self.startable[steps]

    unbooked: int = 0


class Board:
    """All professionals and their time from the first bookable instant to the last, read once."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.begin, self.end = booking.earliest(), booking.latest()
        tail = timedelta(hours=5)
        self.raster = Raster.between(self.begin, self.end + tail)
        self.length = max(self.raster.size - tail // timedelta(minutes=MINUTES), 1)
        self.usable = self.raster.span_bits(self.begin, self.end) or 0
        rows = list(session.scalars(select(Professional).order_by(Professional.id)))
        self.idle = [row for row in rows if not row.is_active or row.paused_at is not None]
        active = [row for row in rows if row.is_active and row.paused_at is None]
        ids = [row.id for row in active]
        spans = availability.of_professionals(session, ids, self.begin, self.end + tail)
        busy, ratings, starts_of = self._busy(ids), self._ratings(ids), self._sessions(ids)
        self.promised = self._matched(ids)
        self.reviewers = [
            self._reviewer(row, spans[row.id], busy.get(row.id, []), starts_of.get(row.id, []), ratings.get(row.id))
            for row in active
        ]

    def _reviewer(
        self,
        row: Professional,
        spans: list[tuple[int, int]],
        busy: list[datetime],
        sessions: list[datetime],
        rating: float | None,
    ) -> Reviewer:
        weeks = []
        moment = self.begin
        while moment < self.end + timedelta(days=1):
            week = week_of(row, moment)
            weeks.append(week)
            moment = week[1] + timedelta(hours=1)
        booked = [sum(1 for start in sessions if begin <= start < end) for begin, end in weeks]
        # Requests that were given to them and have no session yet will take the first places that are free.
        for _ in range(self.promised.get(row.id, 0)):
            place = next((number for number, count in enumerate(booked) if count < row.max_reviews_per_week), None)
            if place is not None:
                booked[place] += 1
        taken = self.raster.bits(
            [(availability.minute_of(slot), availability.minute_of(slot) + MINUTES) for slot in busy]
        )
        found = Reviewer(row, self.raster.bits(spans), weeks, booked, rating)
        # What lies beyond the last instant looked at is not known to be taken; the booking itself decides.
        found.unbooked = ((1 << (self.raster.size + 12)) - 1) & ~taken
        found.masks = [self.raster.span_bits(begin, end) & self.usable for begin, end in weeks]
        return found

    def _matched(self, ids: list[UUID]) -> dict[UUID, int]:
        statement = (
            select(ReviewRequest.professional_id, func.count())
            .where(ReviewRequest.status == "matched", ReviewRequest.professional_id.in_(ids))
            .group_by(ReviewRequest.professional_id)
        )
        return {party: count for party, count in self.session.execute(statement) if party is not None}

    def _busy(self, ids: list[UUID]) -> dict[UUID, list[datetime]]:
        statement = select(BookedSlot.party_id, BookedSlot.slot).where(
            BookedSlot.party_id.in_(ids), BookedSlot.slot >= self.begin - timedelta(hours=5)
        )
        found: dict[UUID, list[datetime]] = {}
        for party, slot in self.session.execute(statement):
            found.setdefault(party, []).append(slot)
        return found

    def _sessions(self, ids: list[UUID]) -> dict[UUID, list[datetime]]:
        statement = select(Meeting.professional_id, Meeting.starts_at).where(
            Meeting.professional_id.in_(ids),
            Meeting.status.in_(COUNTED),
            Meeting.starts_at > self.begin - timedelta(days=8),
        )
        found: dict[UUID, list[datetime]] = {}
        for party, start in self.session.execute(statement):
            found.setdefault(party, []).append(start)
        return found

    def _ratings(self, ids: list[UUID]) -> dict[UUID, float]:
        statement = (
            select(Meeting.professional_id, func.avg(Feedback.rating))
            .join(Feedback, Feedback.session_id == Meeting.id)
            .where(Meeting.professional_id.in_(ids))
            .group_by(Meeting.professional_id)
        )
        return {party: float(rating) for party, rating in self.session.execute(statement)}

    def students_time(self, found: list[ReviewRequest]) -> dict[UUID, int]:
        """When the students can, as bits: what they named, less where they are booked. None named: always."""
        whole = (1 << self.raster.size) - 1
        named: dict[UUID, list[tuple[int, int]]] = {}
        ids = [row.id for row in found]
        for one in self.session.scalars(select(PreferredTime).where(PreferredTime.review_request_id.in_(ids))):
            span = availability.minute_of(one.starts_at), availability.minute_of(one.ends_at)
            named.setdefault(one.review_request_id, []).append(span)
        busy = self._busy([row.student_id for row in found])
        result = {}
        for row in found:
            free = self.raster.bits(named[row.id]) if row.id in named else whole
            taken = [
                (availability.minute_of(slot), availability.minute_of(slot) + MINUTES)
                for slot in busy.get(row.student_id, [])
            ]
            result[row.id] = free & ~self.raster.bits(taken)
        return result

    def fits(
        self, request: ReviewRequest, reviewer: Reviewer, students: int
    ) -> tuple[list[tuple[int, int]], str | None]:
        """For each week with room, its number and the bits of possible beginnings; or the condition that excludes."""
        if requests.is_excluded(request.excluded_employers, reviewer.row.company):
            return [], "employer"
        if not requests.takes_level(reviewer.row.experience_levels, request.experience_level):
            return [], "level"
        steps = request.duration_minutes // MINUTES
        mine = reviewer.starts(steps) & self.usable
        if not mine:
            return [], "professional_availability"
        both = mine & students
        if not both:
            return [], "no_overlap"
        found = [
            (week, both & mask)
            for week, mask in enumerate(reviewer.masks)
            if both & mask and reviewer.booked[week] < reviewer.row.max_reviews_per_week
        ]
        return found, None if found else "weekly_maximum"

    def suggestion(self, request: ReviewRequest, reviewer: Reviewer, week: int, bit: int) -> Suggestion:
        """A slot, scored."""
        terms = fixed_terms(request, reviewer.row, reviewer.rating) | self.terms_of_time(reviewer, week, bit)
        moment = self.raster.moment(bit)
        return Suggestion(request.id, reviewer.row, moment, request.duration_minutes, Score(terms))

    def terms_of_time(self, reviewer: Reviewer, week: int, bit: int) -> dict[str, float]:
        """The terms of a slot of a professional, whoever comes."""
        return timed_terms(bit / self.length, reviewer.booked[week], reviewer.row.max_reviews_per_week)


def suggest(session: Session, request: ReviewRequest) -> tuple[list[Suggestion], Nobody]:
    """Ranked slots for one request, the best first; and what kept the others out."""
    board = Board(session)
    free = starts(board.students_time([request])[request.id], request.duration_minutes // MINUTES)
    excluded: Counter[str] = Counter({"not_active": len(board.idle)} if board.idle else {})
    found: list[Suggestion] = []
    for reviewer in board.reviewers:
        weeks, why = board.fits(request, reviewer, free)
        if why:
            excluded[why] += 1
        found.extend(_first_slots(board, request, reviewer, weeks))
    found.sort(key=lambda one: (-one.score.total, one.starts_at, str(one.professional.id)))
    return found[:SUGGESTED], Nobody(dict(excluded.most_common()))


def _first_slots(
    board: Board, request: ReviewRequest, reviewer: Reviewer, weeks: list[tuple[int, int]]
) -> list[Suggestion]:
    """The first slot of a professional on each of their next days that have one."""
    found: list[Suggestion] = []
    for week, bits in weeks:
        while bits and len(found) < OF_ONE:
            bit = first(bits)
            assert bit is not None
            found.append(board.suggestion(request, reviewer, week, bit))
            # On to the next day.
            bits = bits >> (bit + 24 * 60 // MINUTES) << (bit + 24 * 60 // MINUTES)
    return found


@dataclass(frozen=True)
class Choice:
    """What the cohort's assignment gives one request: the suggestion, who came second, or why nobody."""

    request: ReviewRequest
    chosen: Suggestion | None
    runner_up: Suggestion | None
    nobody: Nobody | None


def match_all(session: Session) -> list[Choice]:
    """The assignment of all pending requests that makes the total score largest within everybody's weekly maximum."""
    waiting = (
        select(ReviewRequest)
        .where(ReviewRequest.status == "pending")
        .order_by(ReviewRequest.submitted_at, ReviewRequest.id)
    )
    pending = list(session.scalars(waiting))
    board = Board(session)
    students = board.students_time(pending)
    scores: dict[UUID, dict[tuple[int, int], float]] = {}
    offers: dict[UUID, dict[tuple[int, int], int]] = {}
    excluded: dict[UUID, Counter[str]] = {}
    for request in pending:
        free = starts(students[request.id], request.duration_minutes // MINUTES)
        mine: dict[tuple[int, int], float] = {}
        bits: dict[tuple[int, int], int] = {}
        why: Counter[str] = Counter({"not_active": len(board.idle)} if board.idle else {})
        for number, reviewer in enumerate(board.reviewers):
            weeks, reason = board.fits(request, reviewer, free)
            if reason:
                why[reason] += 1
            fixed = sum(fixed_terms(request, reviewer.row, reviewer.rating).values()) if weeks else 0.0
            for week, possible in weeks:
                bit = first(possible)
                assert bit is not None
                bits[number, week] = bit
                mine[number, week] = fixed + sum(board.terms_of_time(reviewer, week, bit).values())
        scores[request.id], offers[request.id], excluded[request.id] = mine, bits, why
    room = {
        (number, week): max(reviewer.row.max_reviews_per_week - booked, 0)
        for number, reviewer in enumerate(board.reviewers)
        for week, booked in enumerate(reviewer.booked)
    }
    assigned = assign(scores, room)
    return [_choice(board, request, assigned, scores, offers, excluded) for request in pending]


def _choice(
    board: Board,
    request: ReviewRequest,
    assigned: dict[UUID, tuple[int, int]],
    scores: dict[UUID, dict[tuple[int, int], float]],
    offers: dict[UUID, dict[tuple[int, int], int]],
    excluded: dict[UUID, Counter[str]],
) -> Choice:
    mine, place = scores[request.id], assigned.get(request.id)

    def told(at: tuple[int, int] | None) -> Suggestion | None:
        return board.suggestion(request, board.reviewers[at[0]], at[1], offers[request.id][at]) if at else None

    others = [at for at in mine if place is None or at[0] != place[0]]
    second = max(others, key=lambda at: mine[at], default=None)
    if place is not None:
        return Choice(request, told(place), told(second), None)
    why = excluded[request.id]
    if mine:
        why["weekly_maximum"] += len({number for number, _week in mine})
    return Choice(request, None, told(second), Nobody(dict(why.most_common())))


def totals(choices: list[Choice]) -> dict[str, Any]:
    """What an assignment comes to."""
    found = [one.chosen.score.total for one in choices if one.chosen]
    return {"requests": len(choices), "matched": len(found), "total_score": round(sum(found), 2)}
