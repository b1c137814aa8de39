"""What users asks of every service that keeps something about a member: show it all, or forget the person.

Each service declares its own two commands in its module, in these words:

    @command("points.export_member.v1", senders=("users",), answer=ExportPart)
    @dataclass(frozen=True)
    class ExportMember(ExportRequest): ...

    @command("points.erase_member.v1", senders=("users",), answer=Erased)
    @dataclass(frozen=True)
    class EraseMember(EraseRequest): ...

Both are sent again until they are answered, so a service answers the same one twice with the same effect.
"""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class ExportRequest:
    """Show a part of what is held on the member. `member_ids`: their id, and all Discord-born ids that led to it.

    `cursor` is null at first, then what the part before gave as `next_cursor`.
    """

    export_id: UUID
    member_ids: list[UUID]
    cursor: str | None = None


@dataclass(frozen=True)
class ExportPart:
    """A part of what a service holds: `rows` is a JSON object of lists by their name ({"transfers": [{...}]}); the lists
    of several parts are joined. `next_cursor` is null on the last part. At most some 500 rows a part."""

    rows: str
    next_cursor: str | None = None


@dataclass(frozen=True)
class EraseRequest:
    """Forget the person, keep the books: whatever has to stay (transfers, their sums) belongs to `pseudonym` from now on.

    `member_ids` as in ExportRequest. Each of them leads to `pseudonym` afterwards, as after a merge, so that what is still
    under way for one of them is lost to nobody and brings nobody back; and each is remembered as erased by the version of
    its projection, so that an older event of users does not bring a name back.
    """

    erasure_id: UUID
    member_ids: list[UUID]
    pseudonym: UUID


@dataclass(frozen=True)
class Erased:
    """Everything personal is gone: `rows` were deleted or emptied this time (0 when it had been done before)."""

    rows: int
