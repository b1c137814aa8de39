"""Mail: queued with the business, delayed but never lost, and no header is anybody else's to write."""

import os
import re
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from fleet import mail, settings
from fleet.database import transaction
from fleet.mail import Letter, MailServerAway, Sender
from fleet.messages import now
from services.users.letters import FOLDER
from tests.conftest import ROOT
from tests.gateway.certificates import self_signed
from tests.mailbox import Mailbox

LETTER = Letter("Hello", "Grüezi\n", "<p>Grüezi</p>")


@pytest.fixture(autouse=True)
def users(on: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("SMTP_URL", "MAIL_SPOOL", "MAIL_FROM"):
        monkeypatch.delenv(name, raising=False)
    return on("users")


@pytest.fixture
def server() -> Iterator[Mailbox]:
    made = Mailbox()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sender]:
    """`sender(SMTP_URL=...)` with these settings."""

    def make(**values: str) -> Sender:
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        settings.read.cache_clear()
        return Sender(threading.Event())

    return make


def post(*addresses: str, letter: Letter = LETTER) -> None:
    with transaction() as session:
        for address in addresses:
            mail.queue(session, address, letter)


def make_due() -> None:
    with transaction() as session:
        session.execute(text("UPDATE mail_queue SET due_at = now()"))


def test_a_mail_arrives_whole_and_leaves_the_queue(server, sender, row_count):
    post("ada@example.org")
    worker = sender(SMTP_URL=server.url, MAIL_FROM="Propel Übung <desk@propel.test>")
    assert worker.send_one() is True
    assert worker.send_one() is False
    [message] = server.messages
    assert (message["To"], message["Subject"], message["From"]) == (
        "ada@example.org",
        "Hello",
        "Propel Übung <desk@propel.test>",
    )
    assert message["Message-ID"].endswith("@propel.test>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_body(("plain",)).get_content().strip() == "Grüezi"
    assert "<p>Grüezi</p>" in message.get_body(("html",)).get_content()
    assert server.recipients == [["ada@example.org"]]
    assert row_count("mail_queue") == 0


def test_a_mail_exists_only_when_its_reason_does(row_count):
    with pytest.raises(ZeroDivisionError), transaction() as session:
        mail.queue(session, "ada@example.org", LETTER)
        _ = 1 / 0
    assert row_count("mail_queue") == 0


def test_a_server_that_is_down_delays_and_never_loses(sender, row_count):
    server = Mailbox()
    worker = sender(SMTP_URL=server.url)
    post(*(f"m{number}@example.org" for number in range(10)))
    for _ in range(10):
        with pytest.raises(MailServerAway):
            worker.send_one()
    assert worker.send_one() is False  # all put off
    assert row_count("mail_queue", "attempts = 1 AND due_at > now() + interval '3 seconds'") == 10
    server.start()
    make_due()
    while worker.send_one():
        pass
    server.stop()
    assert sorted(message["To"] for message in server.messages) == [f"m{number}@example.org" for number in range(10)]
    assert row_count("mail_queue") == 0


def test_the_running_part_sends_when_the_server_comes_back(sender, row_count):
    server = Mailbox()
    worker = sender(SMTP_URL=server.url)
    thread = threading.Thread(target=worker.run)
    thread.start()
    post("ada@example.org")
    deadline = now() + timedelta(seconds=20)
    while not row_count("mail_queue", "attempts > 0") and now() < deadline:
        worker.stop.wait(0.02)
    server.start()
    make_due()
    while row_count("mail_queue") and now() < deadline:
        worker.stop.wait(0.05)
    worker.stop.set()
    thread.join(10)
    server.stop()
    assert [message["To"] for message in server.messages] == ["ada@example.org"]


def test_killed_between_sending_and_forgetting_it_sends_again_under_one_message_id(server, sender, users, row_count):
    post("ada@example.org")
    code = "import threading; from fleet.mail import Sender; Sender(threading.Event()).send_one()"
    environment = os.environ | {"DATABASE_URL": users.url, "SMTP_URL": server.url}
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment)

    def kill() -> str:
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)
        return "250 OK"

    server.on_data = kill
    assert child.wait(30) == -signal.SIGKILL
    assert row_count("mail_queue") == 1
    server.on_data = lambda: "250 OK"
    worker = sender(SMTP_URL=server.url)
    assert worker.send_one() is False  # leased by the one that was killed
    make_due()  # the lease runs out
    assert worker.send_one() is True
    first, second = server.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]
    assert row_count("mail_queue") == 0


def test_several_senders_send_each_mail_once(server, sender):
    post(*(f"m{number}@example.org" for number in range(40)))
    worker = sender(SMTP_URL=server.url)

    def work(_number: int) -> None:
        while worker.send_one():
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sorted(str(message["To"]) for message in server.messages) == sorted(f"m{n}@example.org" for n in range(40))


def test_a_mail_that_is_refused_for_good_is_kept_and_the_others_go_on(server, sender, row_count):
    post("gone@example.org", "ada@example.org")
    server.on_recipient = lambda address: "550 no such user" if "gone" in address else "250 OK"
    worker = sender(SMTP_URL=server.url)
    for _ in range(2):
        assert worker.send_one() is True
    assert [message["To"] for message in server.messages] == ["ada@example.org"]
    assert row_count("mail_queue", "due_at > now() + interval '50 minutes' AND failed_at IS NULL") == 1
    for _ in range(mail.REFUSALS - 1):
        make_due()
        assert worker.send_one() is True
    make_due()
    assert worker.send_one() is False
    assert row_count("mail_queue", "failed_at IS NOT NULL") == 1


@pytest.mark.parametrize("answer", ["450 later", "421 busy"])
def test_a_temporary_refusal_is_a_delay(answer, server, sender, row_count):
    post("ada@example.org")
    server.on_recipient = lambda _address: answer
    with pytest.raises(MailServerAway):
        sender(SMTP_URL=server.url).send_one()
    assert row_count("mail_queue", "failed_at IS NULL") == 1


def test_a_mail_the_server_will_not_have_after_reading_it_is_refused(server, sender, row_count):
    post("ada@example.org")
    server.on_data = lambda: "554 spam"
    assert sender(SMTP_URL=server.url).send_one() is True
    assert row_count("mail_queue", "due_at > now() + interval '50 minutes'") == 1


class TestSecrets:
    @pytest.fixture
    def guarded(self, tmp_path, monkeypatch) -> Iterator[Mailbox]:
        """A server that wants STARTTLS and a password."""
        from aiosmtpd.smtp import AuthResult

        certificate, key = self_signed(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        made = Mailbox(
            "localhost",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=lambda _s, _se, _e, _m, data: AuthResult(success=data.password == b"s3cret/:@"),
        )
        made.start()
        yield made
        made.stop()

    def test_starttls_and_login(self, guarded, sender):
        post("ada@example.org")
        assert sender(SMTP_URL=f"smtp://desk:s3cret%2F%3A%40@localhost:{guarded.port}").send_one() is True
        assert len(guarded.messages) == 1

    def test_a_wrong_password_delays(self, guarded, sender, row_count, monkeypatch):
        monkeypatch.setattr(mail, "TIMEOUT_S", 2)
        post("ada@example.org")
        with pytest.raises(MailServerAway):
            sender(SMTP_URL=f"smtp://desk:wrong@localhost:{guarded.port}").send_one()
        assert row_count("mail_queue", "failed_at IS NULL") == 1

    def test_a_certificate_of_nobody_we_know_delays(self, guarded, sender, monkeypatch):
        monkeypatch.delenv("SSL_CERT_FILE")
        post("ada@example.org")
        with pytest.raises(MailServerAway):
            sender(SMTP_URL=f"smtp://desk:s3cret%2F%3A%40@localhost:{guarded.port}").send_one()
        assert guarded.messages == []

    def test_a_password_never_travels_in_the_clear(self, server, sender):
        post("ada@example.org")
        with pytest.raises(MailServerAway, match="STARTTLS"):
            sender(SMTP_URL=f"smtp://desk:s3cret@127.0.0.1:{server.port}").send_one()
        assert server.messages == []


class TestInjection:
    @pytest.mark.parametrize(
        "address",
        [
            "",
            "ada",
            "ada@example.org\r\nBcc: eve@example.org",
            "ada@example.org\nBcc: eve@example.org",
            "ada@example.org, eve@example.org",
            "ada@example.org;eve@example.org",
            "Ada <ada@example.org>",
            "ada@example.org@example.com",
            "ada @example.org",
            "ada@example.org\x00",
            '"a b"@example.org',
        ],
    )
    def test_only_one_plain_address_is_taken(self, address, row_count):
        with pytest.raises(ValueError, match="address"):
            post(address)
        assert row_count("mail_queue") == 0

    @pytest.mark.parametrize(
        "name",
        [
            "Ada\r\nBcc: eve@example.org\r\n\r\nbody",
            "Ada\n\nBcc: eve@example.org",
            "Ada\u2028Bcc: eve@example.org",
            "Ada\x0bBcc: x",
            "$token ${site}",
            "=?utf-8?q?Bcc:_eve=40example.org?=",
        ],
    )
    def test_a_name_writes_no_header(self, name, server, sender):
        values = {"name": name, "token": "T", "site": "http://propel.test", "next_step": ""}
        letter = mail.render(FOLDER, "welcome", values)
        post("ada@example.org", letter=letter)
        sender(SMTP_URL=server.url).send_one()
        [message] = server.messages
        assert server.recipients == [["ada@example.org"]]
        assert set(message.keys()) == {
            *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"),
        } | ({"X-Peer"} & set(message.keys()))
        assert message["Subject"].startswith("Welcome to Propel, ")
        assert message["Bcc"] is None

    def test_markup_in_a_value_is_text(self):
        values = {"until": "x", "reason": "<script>alert(1)</script> & more", "name": "<b>", "site": "s"}
        letter = mail.render(FOLDER, "suspended", values)
        assert "<script>" not in letter.html
        assert "&lt;script&gt;" in letter.html
        assert "<script>alert(1)</script> & more" in letter.text


class TestSpool:
    def test_without_a_server_mail_is_spooled(self, tmp_path, sender, row_count):
        post("ada@example.org", "jörg@bücher.example")
        worker = sender(MAIL_SPOOL=str(tmp_path / "mail"))
        while worker.send_one():
            pass
        found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in spooled(tmp_path)]
        assert sorted(str(message["To"]) for message in found) == ["ada@example.org", "jörg@xn--bcher-kva.example"]
        assert row_count("mail_queue") == 0

    def test_sent_twice_it_is_one_file(self, tmp_path, sender, monkeypatch):
        post("ada@example.org")
        worker = sender(MAIL_SPOOL=str(tmp_path / "mail"))
        real = mail.forget
        monkeypatch.setattr(mail, "forget", lambda _id: None)
        worker.send_one()
        monkeypatch.setattr(mail, "forget", real)
        make_due()
        worker.send_one()
        assert len(spooled(tmp_path)) == 1

    def test_without_either_it_waits(self, sender, row_count):
        post("ada@example.org")
        worker = sender()
        thread = threading.Thread(target=worker.run)
        thread.start()
        worker.stop.wait(0.3)
        worker.stop.set()
        thread.join(5)
        assert not thread.is_alive()
        assert row_count("mail_queue", "attempts = 0") == 1


def spooled(folder: Path) -> list[Path]:
    return sorted((folder / "mail").glob("*.eml"))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_every_letter_has_a_subject_and_both_forms(path):
    asked_for = re.findall(r"\$(\w+)", path.read_text(encoding="utf-8"))
    words = dict.fromkeys(asked_for, "x") | {"name": "Ada", "site": "http://propel.test", "token": "T-1"}
    letter = mail.render(FOLDER, path.stem, words)
    assert letter.subject
    assert ("Ada" in letter.text) == ("name" in asked_for)
    assert letter.html.count("<html") == 1
    assert ("T-1" in letter.text) == ("T-1" in letter.html)
    assert "$" not in letter.text + letter.html + letter.subject
