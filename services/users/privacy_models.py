"""Tables of exports and erasures that are under way, and the record of the erasures that were."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.users.models import Base


class Export(Base):
    """All that is held on a member, being collected (no `document`) or ready until `expires_at`. A member has one."""

    __tablename__ = "exports"
    __table_args__ = (
        CheckConstraint(
            "(document IS NULL) = (ready_at IS NULL) AND (document IS NULL) = (expires_at IS NULL)", name="ready"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"), unique=True)
    requested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ready_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    document: Mapped[bytes | None] = mapped_column(LargeBinary)


class ExportTask(Base):
    """What one service still has to show: `parts` have come, and the next one begins at `cursor`."""

    __tablename__ = "export_tasks"
    __table_args__ = (Index("ix_export_tasks_due_at", "due_at", postgresql_where=text("done_at IS NULL")),)

    export_id: Mapped[UUID] = mapped_column(ForeignKey("exports.id", ondelete="CASCADE"), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    parts: Mapped[int] = mapped_column(server_default="0")
    cursor: Mapped[str | None]
    done_at: Mapped[datetime | None]
    asks: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ExportPart(Base):
    """What one service showed in one answer, as it came: a JSON object of lists."""

    __tablename__ = "export_parts"

    export_id: Mapped[UUID] = mapped_column(ForeignKey("exports.id", ondelete="CASCADE"), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    rows: Mapped[str]


class Erasure(Base):
    """A member who is forgotten, by ids that mean nobody any more; what has to stay belongs to `pseudonym`.

    A member is erased once. `letter_to`, the only thing kept of the person, goes with the last letter, and nothing is
    finished before. `returned_as`: they came back in Discord; their derived id `returned_id` leads to that member.
    """

    __tablename__ = "erasures"
    __table_args__ = (
        CheckConstraint("finished_at IS NULL OR answered_at IS NOT NULL", name="finished_after_the_answers"),
        CheckConstraint("answered_at IS NULL OR letter_to IS NULL", name="address_goes"),
        CheckConstraint("(returned_id IS NULL) = (returned_as IS NULL)", name="returned"),
        Index("ix_erasures_unfinished", "answered_at", postgresql_where=text("finished_at IS NULL")),
        Index("ix_erasures_member_ids", "member_ids", postgresql_using="gin"),
        Index("ix_erasures_returned_as", "returned_as", postgresql_where=text("returned_as IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"), unique=True)
    member_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    pseudonym: Mapped[UUID] = mapped_column(unique=True)
    receipt_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    requested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    letter_to: Mapped[str | None]
    letter_id: Mapped[UUID | None]
    answered_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    returned_id: Mapped[UUID | None]
    returned_as: Mapped[UUID | None]


class ErasureTask(Base):
    """What one service still has to forget. Its answer is counted once."""

    __tablename__ = "erasure_tasks"
    __table_args__ = (Index("ix_erasure_tasks_due_at", "due_at", postgresql_where=text("answered_at IS NULL")),)

    erasure_id: Mapped[UUID] = mapped_column(ForeignKey("erasures.id"), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    answered_at: Mapped[datetime | None]
    rows: Mapped[int | None]
    asks: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
