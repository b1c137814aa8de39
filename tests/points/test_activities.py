"""The ways to earn: the seeded ones are those of the contract, and their rules in words follow from their data."""

from datetime import date

import pytest

from fleet.database import transaction
from fleet.problems import NotFound
from services.points import activities
from services.points.models import ActivityType
from tests.answers import refused
from tests.points.test_awarding import switched_off

# Code, points, category, approval, evidence, least words.
SEEDED = {
    ("resume_upload", 20, "professional", False, "none", 0),
    ("resume_review_request", 20, "professional", False, "none", 0),
    ("event_attendance", 15, "events", True, "attachment", 15),
    ("resource_share", 10, "content", True, "text", 15),
    ("like_interaction", 2, "engagement", False, "none", 0),
    ("linkedin_post", 5, "social", True, "url", 10),
    ("discord_activity", 5, "engagement", False, "none", 0),
    ("job_lead_post", 10, "professional", True, "text", 20),
    ("thoughtful_reply", 25, "engagement", True, "text", 25),
    ("resume_feedback_provide", 75, "professional", True, "text", 30),
    ("study_group_lead", 100, "professional", True, "text", 30),
    ("resource_walkthrough", 100, "content", True, "text", 30),
    ("mock_interview_host", 150, "professional", True, "text", 35),
    ("teach_share_session", 200, "content", True, "text", 35),
    ("peer_mentor", 250, "engagement", True, "text", 40),
    ("mini_event_organize", 300, "events", True, "text", 35),
    ("professional_referral", 500, "professional", True, "text", 40),
    ("exclusive_resource", 750, "content", True, "text", 45),
    ("external_workshop", 1000, "events", True, "text", 45),
}


def test_the_seeded_types_are_those_of_the_contract(client):
    items = client.get("/api/activities/").json["items"]
    fields = ("code", "points", "category", "requires_approval", "evidence", "min_description")
    assert {tuple(item[name] for name in fields) for item in items} == SEEDED
    assert {item["version"] for item in items} == {1}
    assert {item["code"]: item["cap"] for item in items if item["cap"]} == {
        "discord_activity": {"count": 1, "period": "day"}
    }
    assert {item["code"]: item["cooldown_seconds"] for item in items if item["cooldown_seconds"]} == {
        "resume_upload": 30 * 86_400,
        "resume_review_request": 30 * 86_400,
        "like_interaction": 3_600,
    }
    assert {item["code"] for item in items if item["evidence_once"] == "everyone"} == {"linkedin_post"}


def test_they_are_listed_by_category_and_points(client):
    answer = client.get("/api/activities/").json
    order = [(item["category"], item["points"]) for item in answer["items"]]
    assert order == sorted(order)
    assert answer["next_cursor"] is None
    assert {item["category_name"] for item in answer["items"]} == {
        "Community Engagement",
        "Professional Development",
        "Social Media",
        "Events & Networking",
        "Content Creation",
    }


def test_one_is_shown_by_its_code(client):
    listed = client.get("/api/activities/").json["items"]
    for item in listed:
        assert client.get(f"/api/activities/{item['code']}/").json == item


def test_what_is_none_or_switched_off_is_not_found(client):
    for code in ("no_such_type", "PEER_MENTOR", "peer_mentor%20", "%00", "%ff", "' OR 1=1", "😀", "a" * 5000, ".."):
        refused(client.get(f"/api/activities/{code}/"), 404, "not-found")
    with switched_off("peer_mentor"):
        refused(client.get("/api/activities/peer_mentor/"), 404, "not-found")
        assert "peer_mentor" not in {item["code"] for item in client.get("/api/activities/").json["items"]}
        with pytest.raises(NotFound), transaction() as session:
            activities.get(session, "peer_mentor")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("discord_activity", "counts by itself; once a day"),
        ("like_interaction", "counts by itself; again after 1 hour"),
        ("resume_upload", "counts by itself; again after 30 days"),
        (
            "linkedin_post",
            "staff approve it; with a link; at least 10 characters; the same evidence counts once for everyone",
        ),
        ("event_attendance", "staff approve it; with a file or photo; at least 15 characters"),
        ("peer_mentor", "staff approve it; with a description; at least 40 characters"),
    ],
)
def test_the_rule_is_told_in_words(code, words, client):
    assert client.get(f"/api/activities/{code}/").json["rule"] == words


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"cap_count": 3, "cap_period": "week"}, "counts by itself; up to 3 times a week"),
        ({"cap_count": 1, "cap_period": "lifetime"}, "counts by itself; once in all"),
        ({"cap_count": 2, "cap_period": "month"}, "counts by itself; up to 2 times a month"),
        ({"cooldown_seconds": 90}, "counts by itself; again after 90 seconds"),
        ({"cooldown_seconds": 5400}, "counts by itself; again after 90 minutes"),
        ({"cooldown_seconds": 86_400}, "counts by itself; again after 1 day"),
        ({"evidence_once": "member"}, "counts by itself; the same evidence counts once"),
    ],
)
def test_other_rules_read_well_too(rule, words):
    plain = {"evidence": "none", "evidence_once": "none", "min_description": 0, "cooldown_seconds": 0}
    assert activities.rule_in_words(ActivityType(requires_approval=False, **plain | rule)) == words


@pytest.mark.parametrize(
    ("period", "name"),
    [("day", "day:2026-03-18"), ("week", "week:2026-03-16"), ("month", "month:2026-03-01"), ("lifetime", "lifetime")],
)
def test_a_cap_counts_in_the_period_of_the_deed(period, name):
    assert activities.cap_period_key(ActivityType(cap_period=period), date(2026, 3, 18)) == name


def test_a_week_over_the_new_year_is_one_week():
    weekly = ActivityType(cap_period="week")
    assert activities.cap_period_key(weekly, date(2026, 12, 31)) == activities.cap_period_key(weekly, date(2027, 1, 3))
