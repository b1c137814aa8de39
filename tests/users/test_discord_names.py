"""Is a Discord name a member of the server: what users asks the bot, and what it makes of the answer."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from fleet import asking, outbox
from fleet.contracts.bot import Presence
from fleet.database import transaction
from fleet.messages import decode, encode
from fleet.problems import Problem, Unavailable
from tests.answers import pointers, refused

PATH = "/api/validate-discord-user/"


class Bot:
    """Stands for the bot and the broker between: answers what users asked, as a test says."""

    def __init__(self) -> None:
        self.answer: Any = Presence(True)
        self.asked: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            with transaction() as session:
                for body in session.execute(text("DELETE FROM outbox RETURNING body")).scalars().all():
                    question = decode(bytes(body))
                    assert (question.type, question.reply_to) == ("bot.look_for_member.v1", "users")
                    self.asked.append(question.data.discord_username)
                    if isinstance(self.answer, Problem):
                        reply = outbox.reply_envelope("bot", question, problem=self.answer.to_dict())
                    elif self.answer is not None:
                        reply = outbox.reply_envelope("bot", question, result=self.answer)
                    else:
                        continue
                    asking.keep_reply(session, _arrived(reply))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def _arrived(reply: Any) -> Any:
    """What comes out of the broker."""
    return decode(encode(reply))


@pytest.fixture
def bot() -> Iterator[Bot]:
    made = Bot()
    yield made
    made.stop()


@pytest.fixture
def validate(app) -> Callable[..., Any]:
    return lambda name, path=PATH: app.test_client().post(path, json={"discord_username": name})


@pytest.mark.parametrize("path", [PATH, PATH.rstrip("/")])
@pytest.mark.parametrize("present", [True, False])
def test_the_bot_says_whether_it_is(path, present, bot, validate, row_count):
    bot.answer = Presence(present)
    answer = validate("Ada.L", path)
    assert answer.status_code == 200
    assert set(answer.json) == {"valid", "message"}, "and never who it is"
    assert answer.json["valid"] is present
    assert answer.json["message"]
    assert bot.asked == ["Ada.L"]
    assert row_count("answers") == row_count("outbox") == 0


def test_a_bot_that_cannot_know_is_503(bot, validate):
    bot.answer = Unavailable("The bot is not connected to Discord at the moment. Try again in a minute.")
    answer = validate("ada")
    assert "not connected" in refused(answer, 503, "unavailable")["detail"]
    assert answer.headers["Retry-After"] == "1"


def test_a_bot_that_does_not_answer_is_503_after_three_seconds(bot, validate):
    bot.answer = None
    began = time.monotonic()
    answer = validate("ada")
    assert time.monotonic() - began > 2.9
    refused(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, ["/discord_username"]),
        ([], ["/"]),
        ({"discord_username": None}, ["/discord_username"]),
        ({"discord_username": ""}, ["/discord_username"]),
        ({"discord_username": "   "}, ["/discord_username"]),
        ({"discord_username": "x" * 41}, ["/discord_username"]),
        ({"discord_username": 5}, ["/discord_username"]),
        ({"discord_username": ["ada"]}, ["/discord_username"]),
        ({"discord_username": "a\x07"}, ["/discord_username"]),
        ({"discord_username": "ada", "discord_id": "1"}, ["/discord_id"]),
    ],
)
def test_what_is_no_name_is_asked_of_nobody(body, named, client, row_count):
    assert pointers(client.post(PATH, json=body)) == named
    assert row_count("outbox") == 0


def test_a_registration_reserves_and_checks_nothing(bot, register):
    """The name given there is only what the person says: it may be wrong, and is verified by linking."""
    made = register("ada", discord_data={"discord_username": "nobody"})
    assert (made["discord_verification_required"], made["user"]["discord_verified"]) == (True, False)
    assert bot.asked == []
