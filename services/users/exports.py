"""Exports: everything that is held on a member, collected from every service part by part, as one JSON document.

An export goes on by itself: what a service has shown is kept in the transaction that asks it for the next part, an answer
that comes twice is counted once (by its number), and a service that does not answer is asked again. The document can be
fetched for a day; then it is deleted.
"""

import zlib
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import orjson
from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import exporting, logs
from fleet.contracts.privacy import ExportPart as Shown
from fleet.messages import new_id, now
from services.users import accounts, holders, privacy
from services.users.privacy_models import Export, ExportPart, ExportTask

log = logs.get(__name__)

OWN = "users"
KEPT_FOR = timedelta(hours=24)
AT_ONCE = 20
_GZIP = 31  # zlib's name for the form of gzip


def current(session: Session, member_id: UUID) -> tuple[Export, list[ExportTask]]:
    """The member's export, begun now when there is none, and what each service has to do for it."""
    member_id = accounts.get(session, member_id, lock=True).id
    made = insert(Export).values(id=new_id(), member_id=member_id).on_conflict_do_nothing().returning(Export.id)
    if (export_id := session.scalar(made)) is not None:
        ids = holders.all_ids(session, member_id)
        session.add(ExportTask(export_id=export_id, service=OWN))
        for service in holders.HOLDERS:
            again = holders.ask_again_at(1)
            session.add(ExportTask(export_id=export_id, service=service, asks=1, due_at=again))
            holders.ask_to_show(session, service, export_id, 0, ids, None)
        session.flush()
    export = session.scalars(select(Export).where(Export.member_id == member_id)).one()
    tasks = select(ExportTask).where(ExportTask.export_id == export.id).order_by(ExportTask.service)
    return export, list(session.scalars(tasks))


def came(session: Session, export_id: UUID, service: str, number: int, shown: Shown) -> None:
    """A part has come: keep it and ask for the next. One that was counted before, or is for nobody any more, is not kept."""
    whole = select(ExportTask).join(Export).where(ExportTask.export_id == export_id, ExportTask.service == service)
    task = session.scalar(whole.with_for_update(of=ExportTask).execution_options(populate_existing=True))
    if task is None or task.done_at is not None or task.parts != number:
        return
    session.add(ExportPart(export_id=export_id, service=service, number=number, rows=shown.rows))
    task.parts, task.cursor = number + 1, shown.next_cursor
    if shown.next_cursor is None:
        task.done_at = now()
    elif service != OWN:
        task.asks, task.due_at = 1, holders.ask_again_at(1)
        ids = holders.all_ids(session, _member_of(session, export_id))
        holders.ask_to_show(session, service, export_id, task.parts, ids, task.cursor)
    session.flush()


def _member_of(session: Session, export_id: UUID) -> UUID:
    return session.scalars(select(Export.member_id).where(Export.id == export_id)).one()


def go_on(session: Session) -> int:
    """Show users' own next part, or ask a service once more that has not answered in time; returns how many."""
    waiting = select(ExportTask).where(ExportTask.done_at.is_(None), ExportTask.due_at <= func.now())
    waiting = waiting.order_by(ExportTask.due_at).limit(AT_ONCE).with_for_update(skip_locked=True)
    tasks = session.scalars(waiting).all()
    for task in tasks:
        ids = holders.all_ids(session, _member_of(session, task.export_id))
        if task.service == OWN:
            shown = exporting.part(session, privacy.SECTIONS, ids, task.cursor)
            came(session, task.export_id, OWN, task.parts, shown)
            continue
        holders.ask_to_show(session, task.service, task.export_id, task.parts, ids, task.cursor)
        task.asks += 1
        task.due_at = holders.ask_again_at(task.asks)
        log.warning("export_asked_again", export_id=str(task.export_id), asked=task.service, asks=task.asks)
    return len(tasks)


def put_together(session: Session) -> int:
    """Make the document of an export that every service has answered; returns how many were made."""
    open_tasks = exists().where(ExportTask.export_id == Export.id, ExportTask.done_at.is_(None))
    ready = select(Export).where(Export.ready_at.is_(None), ~open_tasks)
    export = session.scalar(ready.limit(1).with_for_update(skip_locked=True))
    if export is None:
        return 0
    moment = now()
    packer = zlib.compressobj(wbits=_GZIP)
    packed = [packer.compress(piece) for piece in _pieces(session, export)]
    export.document = b"".join([*packed, packer.flush()])
    export.ready_at, export.expires_at = moment, moment + KEPT_FOR
    session.flush()
    session.execute(delete(ExportPart).where(ExportPart.export_id == export.id))
    log.info("export_ready", export_id=str(export.id), bytes=len(export.document))
    return 1


def _pieces(session: Session, export: Export) -> Iterator[bytes]:
    """The document, piece by piece: an object for each service, with a list for each kind of row."""
    head = {"member_id": export.member_id, "requested_at": export.requested_at, "services": None}
    yield orjson.dumps(head, option=orjson.OPT_UTC_Z).removesuffix(b"null}") + b"{"
    parts = select(ExportPart.service, ExportPart.rows).where(ExportPart.export_id == export.id)
    parts = parts.order_by(ExportPart.service, ExportPart.number).execution_options(yield_per=20)
    service, section, empty = "", "", True
    for row in session.execute(parts):
        for name, rows in orjson.loads(row.rows).items():
            if (row.service, name) != (service, section):
                opening = b"" if service == row.service else _key(row.service) + b"{"
                yield _closing(service, section, row.service) + opening + _key(name) + b"["
                service, section, empty = row.service, name, True
            for one in rows:
                yield (b"" if empty else b",") + orjson.dumps(one)
                empty = False
    yield (b"]}" if service else b"") + b"}}"


def _key(name: str) -> bytes:
    return orjson.dumps(name) + b":"


def _closing(service: str, section: str, following: str) -> bytes:
    """What ends the list (and the service) of before."""
    if not section:
        return b""
    return b"]," if service == following else b"]},"


def unpacked(document: bytes) -> Iterator[bytes]:
    """The document as it is read, in pieces of at most 64 KiB."""
    unpacker, rest = zlib.decompressobj(wbits=_GZIP), document
    while rest:
        yield unpacker.decompress(rest, 65_536)
        rest = unpacker.unconsumed_tail
    yield unpacker.flush()


def sweep(session: Session) -> int:
    """Delete exports whose time is over; returns how many."""
    over = select(Export.id).where(Export.expires_at <= func.now()).limit(AT_ONCE).with_for_update(skip_locked=True)
    gone = delete(Export).where(Export.id.in_(over)).execution_options(synchronize_session=False)
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]
