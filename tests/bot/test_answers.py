"""Who waits for what, and what they are told."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text

from fleet import asking, database
from fleet.contracts.points import GetStanding, LogActivity, Standing
from fleet.messages import Envelope, Reply, now, to_json
from services.bot import answers
from services.bot.answering import render
from services.bot.answers import Door

ME = uuid.uuid4()
DOOR = Door("101", token="secret")
STANDING = Standing(available=120, reserved=0, redeemed=0, lifetime=150, rank=4)


def expect(message=None, presenter="points", **arguments):
    with database.transaction() as session:
        message = message or GetStanding(member_id=ME)
        return answers.expect(session, message, subject=ME, presenter=presenter, arguments=arguments, door=DOOR)


def answer(message_id, result=None, problem=None):
    reply = Reply(str(message_id), None if result is None else to_json(result), problem)
    with database.transaction() as session:
        asking.keep_reply(session, Envelope(uuid.uuid4(), "points", "bot.answered.v1", None, now(), reply))


def due():
    with database.transaction() as session:
        return answers.due(session)


def age(seconds):
    with database.transaction() as session:
        session.execute(
            text(
                "UPDATE pending_answers SET asked_at = asked_at - :age, due_at = due_at - :age, retry_at = retry_at - :age"
            ),
            {"age": timedelta(seconds=seconds)},
        )


def test_an_answer_is_due_when_it_has_come_and_is_shown_by_its_presenter(bot_database, outbox):
    message_id = expect()
    assert [(found.id, found.reply_to, found.data) for found in outbox()] == [(message_id, "bot", GetStanding(ME))]
    assert due() == []
    answer(message_id, STANDING)
    (found,) = due()
    assert (found.door, found.token_alive) == (DOOR, True)
    assert render(found).card.title == "120 points available"


def test_settling_leaves_nothing_behind(bot_database, row_count):
    message_id = expect()
    answer(message_id, STANDING)
    with database.transaction() as session:
        answers.settle(session, message_id)
    assert row_count("pending_answers") == row_count("answers") == 0


def test_an_answer_for_somebody_else_is_not_touched(bot_database):
    expect()
    answer(uuid.uuid4(), STANDING)
    assert due() == []


def test_a_question_without_an_answer_is_told_so_after_its_time(bot_database):
    expect()
    age(3.4)
    assert due() == []
    age(0.2)
    (found,) = due()
    assert "Nothing was changed" in render(found).card.text


def test_a_question_nobody_answered_is_not_mentioned_any_more_after_a_long_pause(bot_database):
    expect()
    age(3600)
    (found,) = due()
    assert not found.token_alive
    assert render(found) is None


def test_a_late_answer_is_still_told(bot_database):
    message_id = expect()
    answer(message_id, STANDING)
    age(3600)
    (found,) = due()
    assert not found.token_alive
    assert render(found).card.title == "120 points available"


def test_a_command_is_received_first_and_done_later(bot_database):
    message_id = expect(LogActivity(ME, "like_interaction", now(), "r"))
    age(2.6)
    (found,) = due()
    assert render(found).card.title == "Received"
    with database.transaction() as session:
        answers.keep_waiting(session, message_id)
    assert due() == []
    age(60 * 60 * 24)
    assert due() == []
    answer(message_id, problem={"status": 409, "title": "Suspended", "detail": "You are suspended."})
    (found,) = due()
    assert (render(found).card.title, render(found).card.text) == ("Suspended", "You are suspended\\.")


def test_a_fault_of_another_service_is_never_shown(bot_database):
    message_id = expect()
    answer(message_id, problem={"status": 500, "title": "Traceback", "detail": "KeyError in ledger.py"})
    (found,) = due()
    assert "ledger" not in str(render(found).card.payload())


@pytest.mark.parametrize("result", [{}, {"available": "many"}, {"unknown": 1}])
def test_an_answer_that_does_not_fit_ends_in_an_apology(bot_database, result):
    message_id = expect()
    answer(message_id, result)
    (found,) = due()
    assert render(found).card.title == "Sorry, that did not work"


def test_an_answer_for_a_presenter_there_is_no_more_ends_in_an_apology(bot_database):
    message_id = expect(presenter="long gone")
    answer(message_id, STANDING)
    assert render(due()[0]).card.title == "Sorry, that did not work"


def test_what_discord_does_not_take_is_tried_again_and_given_up_at_last(bot_database, row_count):
    message_id = expect()
    answer(message_id, STANDING)

    def postpone():
        with database.transaction() as session:
            return answers.postpone(session, message_id)

    assert postpone()
    assert due() == []
    age(2)
    assert len(due()) == 1
    outcomes = [postpone() for _ in range(answers.GIVE_UP_AFTER - 1)]
    assert outcomes == [True] * (answers.GIVE_UP_AFTER - 2) + [False]
    assert row_count("pending_answers") == row_count("answers") == 0


def test_pages_are_found_again_and_forgotten_after_a_week(bot_database):
    with database.transaction() as session:
        answers.keep_page(session, "list", 2, "old")
        answers.keep_page(session, "list", 2, "x" * 400)
        found = [answers.page_start(session, *page) for page in (("list", 2), ("list", 3), ("other", 2))]
        session.execute(text("UPDATE listing_pages SET created_at = now() - interval '8 days'"))
        answers.forget_old(session)
        assert answers.page_start(session, "list", 2) is None
    assert found == ["x" * 400, None, None]
