"""Mail: on every change that a member should know of, to those who want it, queued with the change itself."""

import re
from datetime import date

import pytest
from sqlalchemy import text

from fleet.contracts.users import ContactChanged, Notifications, UserUpdated
from fleet.database import transaction
from fleet.messages import new_id
from services.rewards import decisions, letters, redemptions, refunds
from services.rewards.redemptions import SYSTEM
from services.rewards.saga import Wish
from tests.rewards import conftest
from tests.rewards.conftest import BOSS


def mails():
    """What was queued about redemptions; the points of these tests unlock things, too."""
    return [letter for letter in conftest.mails() if "now afford" not in letter.subject]


@pytest.fixture
def reader(hear):
    """A member with a confirmed address who wants to hear of rewards."""

    def make(wants=True, email="ada@example.org", name="Ada"):
        who = new_id()
        hear(UserUpdated(who, name, True, "student", "active"), "users", sequence=1)
        mail, other = Notifications(False, wants, False), Notifications(True, not wants, True)
        hear(ContactChanged(who, "Europe/Vienna", "en", mail, other, email), "users", sequence=1)
        return who

    return make


def act(redemption_id, verb, **words):
    with transaction() as session:
        if verb == "expire":
            redemptions.advance(session, redemption_id, Wish("expire"), SYSTEM)
        elif verb == "cancel":
            decisions.cancel(session, redemption_id, redemptions.find(session, redemption_id).member_id)
        elif verb == "refund":
            refunds.refund(session, redemption_id, BOSS, "lost in transit", restock=False)
        else:
            decisions.decide(session, redemption_id, verb, BOSS, **words)


def last():
    return mails()[-1]


def test_each_change_is_told_once_in_its_own_words(incentive, pending, reader, points_says):
    ada = reader()
    reward = incentive(name="Sticker pack", stock=None, category="merchandise")
    made = pending(reward, ada)
    assert last().recipient == "ada@example.org"
    assert last().subject == "We have your redemption of Sticker pack"
    assert "60 points are reserved" in last().text_body
    act(made, "approve", note="well earned")
    act(made, "approve", note="well earned")
    assert (last().subject, len(mails())) == ("Sticker pack is approved", 2)
    assert "Note: well earned" in last().text_body
    act(made, "ship", tracking_info="1Z 999", estimated_delivery=date(2026, 12, 24))
    assert "Tracking: 1Z 999" in last().text_body
    assert "Expected: 24 December 2026" in last().text_body
    assert "well earned" not in last().text_body, "the words of another step"
    act(made, "deliver")
    act(made, "refund")
    assert [letter.subject for letter in mails()[3:]] == ["Sticker pack has arrived", "Sticker pack was refunded"]
    points_says(made, "captured")
    points_says(made, "refunded")
    assert len(mails()) == 5, "what points confirms is no news"


@pytest.mark.parametrize(
    ("verb", "subject"),
    [("reject", "was not approved"), ("cancel", "is cancelled"), ("expire", "expired")],
)
def test_what_ended_in_vain_says_that_the_points_are_back(verb, subject, incentive, pending, reader):
    made = pending(incentive(), reader())
    act(made, verb)
    assert subject in last().subject
    assert "Your 60 points are yours again" in last().text_body


def test_a_refusal_is_mailed_only_when_the_member_has_not_seen_it(incentive, request_, reader, points_says):
    ada, reward = reader(), incentive(stock=None)
    points_says(request_(reward, ada).id, "refused")
    assert mails() == []
    late = request_(reward, ada).id
    with transaction() as session:
        session.execute(
            text("UPDATE redemptions SET requested_at = requested_at - interval '1 minute' WHERE id = :id"),
            {"id": late},
        )
    points_says(late, "refused", reason="locked")
    assert "could not be redeemed" in last().subject
    assert "its level is not reached yet" in last().text_body


def test_who_does_not_want_mail_or_has_no_confirmed_address_gets_none(incentive, pending, reader):
    reward = incentive(stock=None)
    for who in (reader(wants=False), reader(email=None), new_id()):
        act(pending(reward, who), "approve")
    assert mails() == []


def test_an_older_contact_that_comes_late_changes_nothing(incentive, pending, reader, hear):
    ada = reader()
    off = Notifications(False, False, False)
    hear(ContactChanged(ada, "UTC", "en", off, off, None), "users", sequence=3)
    on = Notifications(True, True, True)
    hear(ContactChanged(ada, "UTC", "en", on, on, "old@example.org"), "users", sequence=2)
    pending(incentive(), ada)
    assert mails() == []


def test_names_that_would_break_a_letter_do_not(incentive, pending, reader):
    ada = reader(name="Ada\r\nBcc: eve@example.org <b>")
    pending(incentive(name="$points & <script>"), ada)
    letter = last()
    assert "\n" not in letter.subject
    assert "$points & <script>" in letter.text_body
    with transaction() as session:
        html = session.execute(
            text("SELECT html_body FROM mail_queue WHERE subject NOT LIKE '%now afford%'")
        ).scalar_one()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_every_status_but_the_first_has_its_words(row_count):
    """A new status without a letter would be a silent one."""
    with transaction() as session:
        check = session.execute(
            text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_redemptions_status'")
        ).scalar_one()
    assert set(re.findall(r"'(\w+)'", check)) == set(letters.WORDS) | {"requested"}
