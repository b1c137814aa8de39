"""Resume reviews in Discord: from "tue or thu after 4pm" to a session that both sides have in their calendars."""

import base64
import email
import email.policy
import re
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import icalendar
import psycopg2
import pytest

from tests.e2e.conftest import Fleet, eventually
from tests.e2e.shopping import labels
from tests.e2e.test_linking import PASSWORD, link
from tests.e2e.test_main_job import available, text_of

NEW_YORK = ZoneInfo("America/New_York")
TIMES = "tue or thu after 4pm, not the 8th"
PDF = b"%PDF-1.4 a resume"


class Person:
    """A web account that is linked with somebody in Discord."""

    def __init__(self, fleet: Fleet, name: str, role: str = "student") -> None:
        self.fleet, self.admin = fleet, fleet.token("admin")
        made = fleet.register(first_name=name)
        self.id, self.email, self.username = made["user"]["id"], made["user"]["email"], made["user"]["username"]
        self.token = made["tokens"]["access"]
        self.user = fleet.discord.join(f"{name} {uuid4().hex[:6]}", staff=role == "admin")
        fleet.discord.say(self.user, "hello")
        eventually(lambda: available(fleet.discord.ask(self.user, "points")) == 5, "registered")
        link(fleet, self.token, self.user)
        if role != "student":
            changed = fleet.request("PATCH", f"/api/users/{self.id}/", self.admin, json={"role": role})
            assert changed.status_code == 200, changed.text
            body = {"username": self.username, "password": PASSWORD}
            self.token = fleet.request("POST", "/api/users/login/", json=body).json()["tokens"]["access"]
        # Who is who reaches reviews and the bot by events.
        eventually(lambda: self.username in text_of(self.ask("whoami")), "linked")

    def ask(self, name: str, /, **options: Any) -> dict[str, Any]:
        return self.fleet.discord.ask(self.user, name, **options)

    def press(self, message: dict[str, Any], label: str) -> dict[str, Any]:
        return self.fleet.discord.press(self.user, message, label)

    def told(self, title: str) -> list[dict[str, Any]]:
        """Direct messages of this title."""
        return [
            item for item in self.fleet.discord.seen(self.user, self.user, 0, channel="dm") if title in text_of(item)
        ]


@pytest.fixture(scope="module")
def boss(fleet: Fleet) -> Person:
    """An admin in Discord."""
    person = Person(fleet, "Boss", "admin")

    def is_admin() -> bool:
        return "Resume reviews" in text_of(person.ask("review_stats"))

    eventually(is_admin, "reviews knows the role")
    return person


def professional(boss: Person, **words: Any) -> str:
    """A professional of a name nobody else has, added from Discord."""
    name = f"Grace {uuid4().hex[:8]}"
    options = {
        "email": f"{uuid4().hex[:10]}@reviewers.example.org",
        "timezone": "America/New_York",
        "specialties": "Technology, Design",
        "company": "Initech",
        "availability": "every day 8am-9pm",
    }
    added = boss.ask("add_professional", name=name, **options | words)
    assert f"{name}" in text_of(added), text_of(added)
    return name


def verify_address(person: Person) -> None:
    """With the code out of the letter: mail goes to addresses only that were confirmed."""

    def code() -> str | None:
        for letter in letters(person.fleet, person.email):
            words = letter.get_body(("plain",)).get_content()
            if found := re.search(r"with the code\s+(\S+)", words):
                return found.group(1)
        return None

    body = {"token": eventually(code, "the letter with the code", 30)}
    answer = person.fleet.request("POST", "/api/users/verify_email/", json=body)
    assert answer.status_code == 200, answer.text


def letters(fleet: Fleet, to: str) -> list[email.message.EmailMessage]:
    found = []
    for path in sorted((fleet.run / "mail").glob("*.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if to in str(message["To"]):
            found.append(message)
    return found


def invitations(fleet: Fleet, to: str) -> list[icalendar.Calendar]:
    """The calendar parts of somebody's letters, oldest first."""
    parts = [
        part for letter in letters(fleet, to) for part in letter.walk() if part.get_content_type() == "text/calendar"
    ]
    return [icalendar.Calendar.from_ical(part.get_content()) for part in parts]


def stamps(message: dict[str, Any]) -> list[datetime]:
    """The instants that Discord shows in the reader's own zone."""
    return [datetime.fromtimestamp(int(found), NEW_YORK) for found in re.findall(r"<t:(\d+):[FfTt]>", text_of(message))]


def test_from_words_to_a_session_in_both_calendars_and_points_in_the_feed(fleet: Fleet, boss: Person):
    ada = Person(fleet, "Ada")
    verify_address(ada)
    address = f"{uuid4().hex[:10]}@reviewers.example.org"
    name = professional(boss, email=address)

    resume = {"filename": "cv.pdf", "content_type": "application/pdf", "base64": base64.b64encode(PDF).decode()}
    question = ada.ask(
        "resume",
        industry="Technology",
        role="Engineer",
        level="entry",
        times=TIMES,
        timezone="America/New_York",
        file=resume,
    )
    assert (question["ephemeral_to"], labels(question)) == (ada.user, ["Yes, ask for the review", "Fix the times"])
    read = stamps(question)
    starts, ends = read[::2], read[1::2]
    assert starts
    assert all(start.strftime("%a") in ("Tue", "Thu") and start.hour == 16 and start.day != 8 for start in starts)
    assert all((end.hour, end.minute) == (21, 0) for end in ends)
    assert "no resume review" in text_of(ada.ask("review_status")).lower() or "not asked" in text_of(
        ada.ask("review_status")
    )

    asked = ada.press(question, "Yes")
    assert "Your review is asked for" in text_of(asked)
    eventually(lambda: "Resume: is kept" in text_of(ada.ask("review_status")), "the resume is copied", 30)
    log = "/api/points-logs/?limit=100"
    eventually(lambda: "resume_upload" in fleet.request("GET", log, ada.token).text, "asking and the resume earned")

    # Staff find somebody.
    queue = eventually(lambda: in_queue(boss, "Ada"), "it waits in the queue")
    assert "Engineer" in text_of(queue)
    member = {"member": ada.user}
    to_read = boss.ask("suggest_matches", **member)
    assert name in text_of(to_read)
    assert "of 100" in text_of(to_read)
    offer = boss.ask("match_review", **member)
    number = next(line for line in text_of(offer).splitlines() if name in line).split(".")[0].strip("*")
    booked = boss.press(offer, f"Book {number}")
    assert (name in text_of(booked), "Booked" in text_of(booked)) == (True, True)
    (at,) = stamps(booked)
    assert any(start <= at < end for start, end in zip(starts, ends, strict=True))

    # Both have it in their calendars, the student in Discord too.
    for to in (ada.email, address):
        (calendar,) = eventually(lambda: invitations(fleet, to), f"an invitation for {to}", 30)  # noqa: B023
        (event,) = calendar.walk("VEVENT")
        assert calendar["METHOD"] == "REQUEST"
        assert event["DTSTART"].dt == at
    told = eventually(lambda: ada.told("Your review session is set"), "a direct message", 30)
    assert at in stamps(told[0])
    assert name in text_of(told[0])
    assert "scheduled" in text_of(ada.ask("review_status"))

    # Moved, held, rated.
    found = fleet.request("GET", "/api/sessions/", ada.token).json()["items"]
    session = f"/api/sessions/{found[0]['id']}/"
    later = next(start for start in starts if start.date() > at.date())
    moved = fleet.request("POST", f"{session}reschedule/", boss.token, json={"scheduled_time": later.isoformat()})
    assert moved.status_code == 200, moved.text
    calendars = eventually(lambda: len(invitations(fleet, address)) == 2 and invitations(fleet, address), "moved", 30)
    first, second = (calendar.walk("VEVENT")[0] for calendar in calendars)
    assert (first["UID"], first["SEQUENCE"] < second["SEQUENCE"]) == (second["UID"], True)
    assert second["DTSTART"].dt == later
    moved_notice = eventually(lambda: ada.told("Your review session was moved"), "a direct message of the move", 30)
    assert {later, at} <= set(stamps(moved_notice[0]))
    early = fleet.request("POST", f"{session}complete/", boss.token, json={})
    assert early.status_code == 409, "it has not begun yet"
    time_passes(fleet, found[0]["id"])
    done = fleet.request("POST", f"{session}complete/", boss.token, json={})
    assert done.status_code == 200, done.text
    request = found[0]["review_request_id"]
    rated = fleet.request(
        "POST", f"/api/review-requests/{request}/feedback/", ada.token, json={"rating": 5, "text": "Very good"}
    )
    assert rated.status_code == 201, rated.text
    assert "completed" in text_of(ada.ask("review_status"))

    def in_feed() -> bool:
        feed = fleet.request("GET", "/api/activity/feed/", ada.token).json()["items"]
        kinds = {item["type"] for item in feed}
        return {"session"} <= kinds and "resume_review_request" in str(feed)

    eventually(in_feed, "the session and the points are in the feed")
    assert "5.0 of 5" in text_of(boss.ask("list_professionals"))


def time_passes(fleet: Fleet, session_id: str) -> None:
    """The session began an hour ago, on a multiple of five minutes."""
    password = (fleet.run / "secrets" / "postgres").read_text().strip()
    connection = psycopg2.connect(
        host="127.0.0.1", port=fleet.base, user="postgres", password=password, dbname="reviews"
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sessions SET starts_at = date_bin('5 minutes', now(), 'epoch') - interval '1 hour' WHERE id = %s",
            (session_id,),
        )
    connection.close()


def in_queue(boss: Person, name: str) -> dict[str, Any] | None:
    shown = boss.ask("pending_reviews")
    return shown if name in text_of(shown) else None


def test_times_that_are_not_understood_are_said_and_can_be_written_anew(fleet: Fleet):
    ben = Person(fleet, "Ben")
    options = {"industry": "Design", "role": "Designer", "level": "any", "timezone": "Europe/Berlin"}
    unclear = ben.ask("resume", times="blarghday and flurbsday", **options)
    assert "I found no time" in text_of(unclear)
    assert labels(unclear) == ["Fix the times"]
    partly = ben.ask("resume", times="monday 9-11, blarghday at 25:00", **options)
    assert "I did not understand" in text_of(partly)
    assert "blarghday" in text_of(partly)
    form = fleet.discord.form(ben.user, partly, "Fix the times")
    assert "monday 9-11" in str(form)
    fixed = fleet.discord.submit(ben.user, partly, form, times="wed 10-12", timezone="europe/berlin")
    assert "I did not understand" not in text_of(fixed)
    assert {at.astimezone(ZoneInfo("Europe/Berlin")).strftime("%a") for at in stamps(fixed)} == {"Wed"}
    yes = fleet.discord.button(fixed, "Yes")
    for _ in range(2):
        fleet.discord.call("clicks", user=ben.user, message=fixed["id"], custom_id=yes)
    eventually(lambda: "pending" in text_of(ben.ask("review_status")), "it is asked for")
    found = fleet.request("GET", "/api/review-requests/", ben.token).json()["items"]
    assert [(one["preferred_times"], one["time_zone"]) for one in found] == [("wed 10-12", "Europe/Berlin")]
    second = ben.press(ben.ask("resume", times="fri 10-12", **options), "Yes")
    assert "End it" in text_of(second), "one open request at a time"
    gone = ben.ask("cancelreview")
    assert "cancelled" in text_of(gone)
    assert "That is not possible" not in text_of(gone)


def test_what_is_typed_asks_for_the_same(fleet: Fleet):
    cleo = Person(fleet, "Cleo")
    line = '!resume "data science" analyst entry mon 9-11 timezone: Europe/Berlin'
    answer = fleet.discord.ask_typed(cleo.user, line, channel="dm")[-1]
    assert "Did I read your times right?" in text_of(answer)
    assert {at.astimezone(ZoneInfo("Europe/Berlin")).hour for at in stamps(answer)} == {9, 11}
    assert "Tell me the level too" in text_of(
        fleet.discord.ask_typed(cleo.user, "!resume tech engineer", channel="dm")[-1]
    )
    assert "You can say" in text_of(
        fleet.discord.ask_typed(cleo.user, "!resume tech engineer wizard mon", channel="dm")[-1]
    )
    wrong = cleo.ask("resume", industry="a", role="b", level="any", times="mon 9-11", timezone="Mars/Base")
    assert "I do not know that time zone" in text_of(wrong)
    offered = fleet.discord.suggested(cleo.user, "resume", "timezone", "new yo")
    assert offered[0]["value"] == "America/New_York"


def test_d58_what_staff_say_in_discord_is_done_or_refused_and_the_student_is_told_the_truth(fleet: Fleet, boss: Person):
    dora = Person(fleet, "Dora")
    name = professional(boss)
    member = {"member": dora.user}
    assert "no open review request" in text_of(boss.ask("match_review", **member))
    question = dora.ask(
        "resume", industry="Technology", role="QA", level="any", times="every day 9-17", timezone="America/New_York"
    )
    dora.press(question, "Yes")
    matched = boss.ask("match_review", professional=name[:12], **member)
    assert "Matched" in text_of(matched), text_of(matched)
    eventually(lambda: dora.told("A professional was found"), "a direct message", 30)
    past = boss.ask("schedule_session", professional=name, time="2020-01-01 10:00", **member)
    assert "Booked" not in text_of(past)
    unclear = boss.ask("schedule_session", professional=name, time="sometime soon", **member)
    assert "was not understood" in text_of(unclear)
    assert "No active professional" in text_of(
        boss.ask("schedule_session", professional="Nobody At All", time="thu 10am", **member)
    )
    booked = boss.ask("schedule_session", professional=name, time="thu 10am", timezone="America/New_York", **member)
    (at,) = stamps(booked)
    assert (at.strftime("%a"), at.hour) == ("Thu", 10)
    gone = dora.ask("cancelreview")
    assert "cancelled" in text_of(gone)
    eventually(lambda: dora.told("Your review session is cancelled"), "a direct message", 30)


def test_staff_matters_are_for_admins_and_the_queue_for_the_staff_role_too(fleet: Fleet, boss: Person):
    eve = Person(fleet, "Eve")
    refused = {
        "review_stats": {},
        "list_professionals": {},
        "pending_reviews": {},
        "suggest_matches": {"member": eve.user},
        "match_review": {"member": eve.user},
        "schedule_session": {"member": eve.user, "professional": "Grace", "time": "thu 10am"},
        "add_professional": {"name": "Eve's friend", "email": "friend@example.org", "timezone": "Europe/Berlin"},
    }
    for name, options in refused.items():
        answer = text_of(eve.ask(name, **options))
        assert "This is for admins" in answer, f"{name}: {answer}"
    staff = fleet.discord.join("Helper", staff=True, manager=True)
    world = fleet.discord.state()
    fleet.discord.ask(staff, "setup", staff_channel=world["channels"]["staff"], staff_role=world["roles"]["Staff"])
    assert "This is for admins" not in text_of(fleet.discord.ask(staff, "pending_reviews"))
    assert "This is for admins" in text_of(fleet.discord.ask(staff, "review_stats"))
    wrong = boss.ask("add_professional", name="X", email="not an address", timezone="Europe/Berlin")
    assert "Something is missing or not quite right" in text_of(wrong)
