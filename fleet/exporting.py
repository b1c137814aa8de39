"""What a service holds on a member, part by part, out of a list of sections that is data.

SECTIONS = (
    Section("submissions", "SELECT id::text AS key, * FROM submissions WHERE member_id = ANY(:ids)"),
    ...
)
exporting.part(session, SECTIONS, member_ids, cursor)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet.contracts.privacy import ExportPart
from fleet.paging import decode_cursor, encode_cursor

ROWS_A_PART = 500


@dataclass(frozen=True)
class Section:
    """Rows of one kind under their name in the document. `select` takes `:ids` (all ids of the member) and gives, beside
    what is shown, a text column `key` that orders the rows and is in none twice; it is not shown."""

    name: str
    select: str


def part(session: Session, sections: Sequence[Section], member_ids: list[UUID], cursor: str | None) -> ExportPart:
    """The rows after `cursor`, at most ROWS_A_PART of them, section by section.

    Rows that come or go between two parts may or may not be among them; all others are, once. Raises InvalidFields for
    a cursor that is not of these sections.
    """
    number, after = decode_cursor(cursor, int, str) or (0, "")
    found: dict[str, list[dict[str, Any]]] = {}
    room = ROWS_A_PART
    for position, section in enumerate(sections[number:], number):
        # In the order of bytes, whatever the database's language: what was shown is then always before what is to come.
        statement = text(
            f"SELECT * FROM ({section.select}) AS held"  # noqa: S608 selects are constants of the services
            ' WHERE key COLLATE "C" > :after ORDER BY key COLLATE "C" LIMIT :limit'
        )
        rows = session.execute(statement, {"ids": member_ids, "after": after, "limit": room + 1}).mappings().all()
        shown = [{name: value for name, value in row.items() if name != "key"} for row in rows[:room]]
        if shown or not after:
            found[section.name] = shown
        if len(rows) > room:
            last = rows[room - 1]["key"] if room else after
            return ExportPart(_json(found), encode_cursor(position, last))
        room, after = room - len(rows), ""
    return ExportPart(_json(found))


def _json(found: dict[str, list[dict[str, Any]]]) -> str:
    return orjson.dumps(found, option=orjson.OPT_UTC_Z, default=str).decode()
