"""What the services answer to exports and erasures. The subject of an answer says which; what it holds is not kept twice."""

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from fleet import logs
from fleet.asking import answers
from fleet.contracts import by_type
from fleet.messages import Envelope, Reply, read_answer
from services.users import erasures, exports

log = logs.get(__name__)


def on_reply(session: Session, envelope: Envelope[Reply]) -> None:
    """Take what is an answer to an export or an erasure, out of where answers to web processes lie; leave all others."""
    kind, _, rest = (envelope.subject or "").partition(":")
    asked, _, number = rest.partition(":")
    if kind not in ("export", "erasure"):
        return
    session.execute(delete(answers).where(answers.c.message_id == UUID(envelope.data.to)))
    type_ = f"{envelope.source}.{'export' if kind == 'export' else 'erase'}_member.v1"
    if envelope.data.problem is not None or type_ not in by_type:
        # Asked again later; a service that goes on refusing has a defect.
        log.error("privacy_request_refused", refused_by=envelope.source, kind=kind, id=asked)
        return
    answer = read_answer(type_, envelope.data)
    if kind == "export":
        exports.came(session, UUID(asked), envelope.source, int(number), answer)
    else:
        erasures.answered(session, UUID(asked), envelope.source, answer.rows)
