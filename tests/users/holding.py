"""The other services as users sees them: they answer what they were asked, when the test lets them."""

from typing import Any

import orjson
from sqlalchemy import text

from fleet import asking
from fleet.contracts.privacy import Erased, ExportPart
from fleet.database import transaction
from fleet.messages import Envelope, Reply, decode, encode
from fleet.outbox import reply_envelope
from services.users.chores import CHORES
from services.users.subscriptions import subscriptions


def asked(service: str, action: str) -> list[Envelope[Any]]:
    """What users has asked a service so far: `asked("points", "erase")`."""
    with transaction() as session:
        bodies = session.execute(
            text("SELECT body FROM outbox WHERE routing_key = :key ORDER BY id"),
            {"key": f"{service}.{action}_member.v1"},
        ).scalars()
        return [decode(bytes(body)) for body in bodies.all()]


def hear(service: str, request: Envelope[Any], answer: Any, problem: dict[str, Any] | None = None) -> None:
    """A service's reply arrives, as the consumer takes it: bytes, then one transaction."""
    reply: Envelope[Reply] = decode(encode(reply_envelope(service, request, result=answer, problem=problem)))
    with transaction() as session:
        asking.keep_reply(session, reply)
        assert subscriptions.on_reply is not None
        subscriptions.on_reply(session, reply)


def show(service: str, rows: dict[str, list[Any]], following: str | None = None, which: int = -1) -> None:
    """A service shows the part that users asked for (last)."""
    hear(service, asked(service, "export")[which], ExportPart(orjson.dumps(rows).decode(), following))


def forget(service: str, rows: int = 3, which: int = -1) -> None:
    """A service has forgotten the member users asked about (last)."""
    hear(service, asked(service, "erase")[which], Erased(rows))


def work() -> None:
    """What the worker does in a second."""
    for chore in CHORES:
        while True:
            with transaction() as session:
                if not chore(session):
                    break


def let_time_pass(statement: str) -> None:
    """`let_time_pass("UPDATE export_tasks SET due_at = now()")`."""
    with transaction() as session:
        session.execute(text(statement))


def database_text() -> str:
    """Every row of every table, as text; what is packed or in bytes, unpacked."""
    with transaction() as session:
        names = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        rows = [row for name in names for row in session.scalars(text(f'SELECT t::text FROM "{name}" AS t')).all()]
        bodies = session.scalars(text("SELECT convert_from(body, 'UTF8') FROM outbox")).all()
    return "\n".join([*rows, *bodies])
