"""Mail: queued in the business transaction, sent by a part of the worker, never lost.

`queue(session, ...)` writes a row that commits with what it tells of. The sender leases a row for some minutes, sends it
and deletes it: killed between the two, it sends again under the same Message-ID. A server that is down delays mail.
SMTP_URL says where to send; without it MAIL_SPOOL collects .eml files. A service that sends mail declares the table
(`mail_queue.to_metadata(Base.metadata)`) and names `Sender` among the PARTS of its subscriptions.
"""

import smtplib
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Integer, Table, Text, Uuid, delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from fleet import logs, metrics, tracing
from fleet.database import is_outage, metadata, transaction
from fleet.messages import new_id
from fleet.settings import read, setting

log = logs.get(__name__)

TIMEOUT_S = 15
LEASE_S = 300  # longer than any one sending, so that no mail is sent by two at once
IDLE_S = 0.5
REFUSALS = 5  # after so many permanent refusals a mail is kept, but no longer tried

mail_queue = Table(
    "mail_queue",
    metadata(),
    Column("id", Uuid, primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text_body", Text, nullable=False),
    Column("html_body", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("failed_at", DateTime(timezone=True)),
    Column("traceparent", Text),
    Index("ix_mail_queue_due_at", "due_at", postgresql_where=text("failed_at IS NULL")),
)


@dataclass(frozen=True)
class MailSettings:
    """Where mail goes."""

    url: str = setting(
        "SMTP_URL",
        default="",
        help="smtp://user:password@host:587 (STARTTLS, always when there is a password) or smtps://; empty: MAIL_SPOOL",
        secret=True,
    )
    spool: Path | None = setting(
        "MAIL_SPOOL", default=None, help="folder for mail as .eml files when SMTP_URL is empty"
    )
    sender: str = setting("MAIL_FROM", default="Propel <no-reply@propel.test>", help="From address of all mail")


@dataclass(frozen=True)
class Letter:
    """A subject, and the body as plain text and as HTML."""

    subject: str
    text: str
    html: str


class MailServerAway(Exception):
    """The server does not take mail at the moment, or is not configured rightly: try again later."""


class MailRefused(Exception):
    """The server will not take this very mail."""


def render(folder: Path, name: str, values: dict[str, Any]) -> Letter:
    """The letter `name` of `folder` with `values` in place of its `$words`; KeyError when one is missing.

    `<name>.txt` begins with the subject and an empty line; `<name>.html` goes into `page.html`, values escaped.
    """
    # Parted before the values come in: one that holds an empty line must not end the subject.
    first, _, rest = (folder / f"{name}.txt").read_text(encoding="utf-8").partition("\n\n")
    subject, body = (Template(part).substitute(values) for part in (first, rest))
    escaped = {key: escape(str(value)) for key, value in values.items()}
    inner = Template((folder / f"{name}.html").read_text(encoding="utf-8")).substitute(escaped)
    page = Template((folder / "page.html").read_text(encoding="utf-8"))
    return Letter(one_line(subject), body, page.substitute(title=escape(one_line(subject)), body=inner))


def one_line(words: str) -> str:
    """`words` without anything that could end a header line."""
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())


def queue(session: Session, recipient: str, letter: Letter) -> UUID:
    """Queue a letter in this transaction; its id is in the queue until it is sent.

    ValueError for an address that is not just one address."""
    if not recipient.isprintable() or " " in recipient or recipient.count("@") != 1 or set(recipient) & set(',;<>"'):
        raise ValueError("not one plain address")
    values = {"recipient": recipient, "subject": letter.subject, "text_body": letter.text, "html_body": letter.html}
    mail_id = new_id()
    session.execute(insert(mail_queue).values(id=mail_id, traceparent=logs.traceparent.get(), **values))
    return mail_id


def sender_address() -> str:
    """The bare address that all mail is from."""
    return parseaddr(read(MailSettings).sender)[1]


def build(mail: Any, sender: str, calendar: tuple[str, str] | None = None) -> EmailMessage:
    """The message of a queued row: the same row always gives the same Message-ID and date.

    `calendar`: method and text of an iCalendar part, beside text and HTML as mail programs look for it, and attached.
    """
    message = EmailMessage(policy=policy.SMTP)
    name, address = parseaddr(sender)
    message["From"] = Address(name, addr_spec=address)
    local, _, domain = mail.recipient.rpartition("@")
    message["To"] = Address(username=local, domain=domain.encode("idna").decode())
    message["Subject"] = one_line(mail.subject)
    message["Date"] = format_datetime(mail.recorded_at)
    message["Message-ID"] = f"<{mail.id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text_body)
    message.add_alternative(mail.html_body, subtype="html")
    if calendar is not None:
        method, content = calendar
        message.add_alternative(content, subtype="calendar", charset="utf-8", params={"method": method})
        message.add_attachment(content.encode(), maintype="application", subtype="ics", filename="invite.ics")
    return message


# Method and text of the calendar part of a mail, by its id; a service that sends invitations knows.
CalendarOf = Callable[[Session, UUID], "tuple[str, str] | None"]


class Sender:
    """Sends what is queued until `stop` is set; several may run at once, each mail is leased by one."""

    ready = True

    def __init__(self, stop: threading.Event, calendar_of: CalendarOf | None = None) -> None:
        self.stop = stop
        self._settings = read(MailSettings)
        self._calendar_of = calendar_of

    def run(self) -> None:
        """Send, rest when nothing is due, and back off while the server or the database is away."""
        if not self._settings.url and not self._settings.spool:
            log.warning("mail_not_configured", advice="set SMTP_URL or MAIL_SPOOL; mail waits in the queue")
            self.stop.wait()
            return
        pause = 1.0
        while not self.stop.is_set():
            try:
                if not self.send_one():
                    self.stop.wait(IDLE_S)
                pause = 1.0
            except MailServerAway as error:
                log.warning("mail_server_away", error=str(error))
                self.stop.wait(pause)
                pause = min(pause * 2, 30.0)
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("mail_postponed")
                self.stop.wait(pause)

    def send_one(self) -> bool:
        """Send the mail that is due longest; False when none is. Raises MailServerAway after putting it off."""
        mail = _lease()
        if mail is None:
            return False
        try:
            with tracing.span(
                "send mail", "client", parent=mail.traceparent, attributes={"propel.mail_id": str(mail.id)}
            ):
                self._deliver(mail)
        except MailRefused as error:
            log.error("mail_refused", mail_id=str(mail.id), error=str(error))
            metrics.mails.labels("refused").inc()
            _refused(mail)
        except MailServerAway:
            metrics.mails.labels("delayed").inc()
            _put_off(mail, min(5 * 2 ** min(mail.attempts - 1, 7), 600))
            raise
        else:
            forget(mail.id)
            metrics.mails.labels("sent").inc()
        return True

    def _deliver(self, mail: Any) -> None:
        try:
            message = build(mail, self._settings.sender, self._calendar(mail))
        except (ValueError, UnicodeError) as error:
            raise MailRefused(f"cannot be written as a message: {type(error).__name__}") from error
        if not self._settings.url:
            _spool(self._settings.spool, mail, message)
            return
        try:
            with _connected(self._settings.url) as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _words in error.recipients.values()]
            raise (MailRefused if min(codes) >= 500 else MailServerAway)(f"recipient refused {codes}") from error
        except smtplib.SMTPDataError as error:
            raise (MailRefused if error.smtp_code >= 500 else MailServerAway)(f"data {error.smtp_code}") from error
        except smtplib.SMTPNotSupportedError as error:
            raise MailRefused("the server does not take such addresses") from error
        except (OSError, smtplib.SMTPException) as error:
            raise MailServerAway(type(error).__name__) from error

    def _calendar(self, mail: Any) -> tuple[str, str] | None:
        if self._calendar_of is None:
            return None
        with transaction() as session:
            return self._calendar_of(session, mail.id)


def count(session: Session) -> None:
    """Set the metrics of the queue."""
    tried = mail_queue.c.failed_at.is_(None)
    oldest = func.extract("epoch", func.now() - func.min(mail_queue.c.recorded_at).filter(tried))
    row = session.execute(
        select(func.count().filter(tried), func.count().filter(~tried), func.coalesce(oldest, 0)).select_from(
            mail_queue
        )
    ).one()
    metrics.mails_waiting.set(row[0])
    metrics.mails_given_up.set(row[1])
    metrics.mail_lag.set(row[2])


def _connected(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise MailServerAway("SMTP_URL must be smtp://host:port or smtps://host:port")
    context = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(parts.hostname, parts.port or 465, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(parts.hostname, parts.port or 587, timeout=TIMEOUT_S)
    try:
        server.ehlo()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif parts.scheme == "smtp" and parts.password:
            raise MailServerAway("the server offers no STARTTLS, and a password is not sent in the clear")
        if parts.password:
            server.login(unquote(parts.username or ""), unquote(parts.password))
    except BaseException:
        server.close()
        raise
    return server


def _spool(folder: Path | None, mail: Any, message: EmailMessage) -> None:
    assert folder is not None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{mail.recorded_at:%Y%m%dT%H%M%S}-{mail.id}.eml"
    partial = path.with_suffix(".part")
    partial.write_bytes(message.as_bytes(policy=policy.SMTPUTF8))
    partial.rename(path)


def _lease() -> Any:
    due = (
        "SELECT id FROM mail_queue WHERE due_at <= now() AND failed_at IS NULL "
        "ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    lease = text(
        f"UPDATE mail_queue SET attempts = attempts + 1, due_at = now() + make_interval(secs => :lease) "  # noqa: S608
        f"WHERE id = ({due}) RETURNING id, recipient, subject, text_body, html_body, recorded_at, attempts, traceparent"
    )
    with transaction() as session:
        return session.execute(lease, {"lease": LEASE_S}).first()


def forget(mail_id: Any) -> None:
    """Delete a mail that the server has taken."""
    with transaction() as session:
        session.execute(delete(mail_queue).where(mail_queue.c.id == mail_id))


def _put_off(mail: Any, seconds: float) -> None:
    later = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    with transaction() as session:
        session.execute(update(mail_queue).where(mail_queue.c.id == mail.id).values(due_at=later))


def _refused(mail: Any) -> None:
    if mail.attempts < REFUSALS:
        _put_off(mail, 3600)
        return
    with transaction() as session:
        session.execute(update(mail_queue).where(mail_queue.c.id == mail.id).values(failed_at=func.now()))
