"""What the bot holds on a person, for who asks to see it; and forgetting them.

What the bot keeps is named by the Discord id; whose that is stands in `people` alone. Afterwards only the member ids stay,
as ids of somebody who was forgotten: the Discord id cannot be read from them, but they can be known again.
"""

from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import forgetting
from fleet.exporting import Section
from services.bot import notices
from services.bot.models import ForgottenPerson, MessageDay, PendingAnswer, ReactionHour, SeenPerson
from services.bot.notice_models import ClosedDoor, Contact, HandedInPicture, ReviewDraft
from services.bot.people import FORGETTING

_MINE = "discord_id IN (SELECT discord_id FROM people WHERE member_id = ANY(:ids))"

SECTIONS: tuple[Section, ...] = (
    Section(
        "people",
        "SELECT discord_id AS key, discord_id, member_id, username, display_name, in_guild, welcome_due_at, welcomed_at,"
        " updated_at FROM people WHERE member_id = ANY(:ids)",
    ),
    Section("message_days", f"SELECT discord_id || ' ' || day AS key, day FROM message_days WHERE {_MINE}"),  # noqa: S608
    Section("reaction_hours", f"SELECT discord_id AS key, next_at FROM reaction_hours WHERE {_MINE}"),  # noqa: S608
    Section(
        "pending_answers",
        "SELECT message_id::text AS key, kind, type, presenter, arguments, channel_id, message_ref, asked_at"  # noqa: S608
        f" FROM pending_answers WHERE {_MINE}",
    ),
    Section(
        "contacts",
        "SELECT member_id::text AS key, discord_id, new_activities, reward_updates, leaderboard_changes, time_zone, locale"
        " FROM contacts WHERE member_id = ANY(:ids)",
    ),
    Section("closed_doors", f"SELECT discord_id AS key, since, tried_at FROM closed_doors WHERE {_MINE}"),  # noqa: S608
    Section(
        "notices",
        "SELECT id::text AS key, kind, data, state, reason, created_at, expires_at FROM notices"
        " WHERE member_id = ANY(:ids) OR recipient IN (SELECT 'member:' || id FROM unnest(:ids) AS id)",
    ),
    Section("review_drafts", f"SELECT id::text AS key, wish, created_at FROM review_drafts WHERE {_MINE}"),  # noqa: S608
    Section(
        "handed_in_pictures",
        "SELECT reference AS key, reference, filename, created_at FROM handed_in_pictures WHERE member_id = ANY(:ids)",
    ),
)

# Whose rows carry the Discord id, beside those who wait for an answer.
_BY_DISCORD_ID = (MessageDay, ReactionHour, ClosedDoor, ReviewDraft, SeenPerson)


def forget(session: Session, member_ids: list[UUID]) -> int:
    """Forget the person behind these ids and return how many rows went. Repeating it changes nothing.

    Somebody who came back meanwhile has another id, and stays.
    """
    session.execute(select(func.pg_advisory_xact_lock(FORGETTING)))
    tombstones = insert(ForgottenPerson).values([{"member_id": member_id} for member_id in member_ids])
    session.execute(tombstones.on_conflict_do_nothing())
    quietly = {"synchronize_session": False}
    found = session.scalars(select(SeenPerson.discord_id).where(SeenPerson.member_id.in_(member_ids)))
    told = session.scalars(select(Contact.discord_id).where(Contact.member_id.in_(member_ids)))
    discord_ids = sorted({*found, *(discord_id for discord_id in told if discord_id)})
    rows = notices.forget(session, member_ids, discord_ids)
    for statement in (
        delete(Contact).where(Contact.member_id.in_(member_ids)),
        delete(HandedInPicture).where(HandedInPicture.member_id.in_(member_ids)),
    ):
        rows += session.execute(statement, execution_options=quietly).rowcount  # type: ignore[attr-defined]
    if not discord_ids:
        return rows
    asked = delete(PendingAnswer).where(PendingAnswer.discord_id.in_(discord_ids)).returning(PendingAnswer.message_id)
    nobody_waits_for = list(session.scalars(asked, execution_options=quietly))
    forgetting.refuse_answers(session, nobody_waits_for)
    rows += len(nobody_waits_for)
    for table in _BY_DISCORD_ID:
        gone = delete(table).where(table.discord_id.in_(discord_ids)).execution_options(synchronize_session=False)
        rows += session.execute(gone).rowcount  # type: ignore[attr-defined]
    session.expire_all()
    return rows
