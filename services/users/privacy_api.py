"""The HTTP door to everything that is held on a member, and out."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify

from fleet import rates
from fleet.auth import caller
from fleet.database import transaction
from fleet.problems import invalid
from fleet.web import ADMIN, ANYONE, MEMBER, Answer, operation
from services.users import accounts, erasures, exports, limits, passwords
from services.users import privacy_schemas as schemas

privacy_api = Blueprint("privacy_api", __name__)

EXPORT = "/api/users/export/"
LOOK_AGAIN_S = 2


@privacy_api.get(EXPORT)
@operation(who=MEMBER, answers={200: schemas.ExportDocument, 202: schemas.ExportState, 404: None}, while_awaiting=True)
def get_export() -> Answer:
    """Everything that every service holds on the caller, as one JSON file.

    The first call begins to collect it and answers 202; call again until it is 200. The file can be fetched for 24
    hours; the first call after that collects anew.
    """
    with transaction() as session:
        export, tasks = exports.current(session, caller().member_id)
    if export.document is None or export.ready_at is None:
        answer = jsonify(schemas.progress_of(export, tasks))
        answer.status_code = 202
        answer.headers["Location"] = EXPORT
        answer.headers["Retry-After"] = str(LOOK_AGAIN_S)
        return answer
    download = Response(exports.unpacked(export.document), content_type="application/json")
    name = f"propel-export-{export.ready_at:%Y%m%dT%H%M%SZ}.json"
    download.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    download.headers["Cache-Control"] = "no-store"
    return download


@privacy_api.delete("/api/users/profile/")
@operation(
    who=MEMBER,
    body=schemas.ErasureRequest,
    answers={202: schemas.ErasureReceipt, 409: None, 429: None, 404: None},
    while_awaiting=True,
)
def erase_profile(body: dict[str, Any]) -> Answer:
    """Erase one's own account, everywhere and for good. The account is closed at once.

    What was earned and spent stays in the books under a random id. An account without a password (made with Google)
    proves itself by choosing one first, with the code that POST /api/users/reset_password/ sends to its address.
    """
    key = str(caller().member_id)
    with transaction() as session:
        stored = accounts.get(session, caller().member_id).password_hash
        if stored is None:
            raise erasures.NoPassword("Choose one with POST /api/users/reset_password/, or ask an administrator.")
        limits.check_failures(session, key)
    # Outside of the transaction: a hash takes 20 ms, and a connection would wait for it.
    right = passwords.matches(stored, body["password"])
    with transaction() as session:
        if right:
            limits.check_failures(session, key)
        seconds = 0 if right else limits.count_failure(session, key)
    rates.refuse(seconds, limits.WORDS)
    if not right:
        raise invalid("/password", "is not right")
    with transaction() as session:
        return _begun(erasures.erase_own(session, caller().member_id, stored), schemas.ErasureReceipt, session)


@privacy_api.post("/api/users/<uuid:user_id>/erase/")
@operation(who=ADMIN, body=schemas.ErasureConfirmation, answers={202: schemas.ErasureByAdmin, 409: None})
def erase_user(user_id: UUID, body: dict[str, Any]) -> Answer:
    """Erase a member who asked for it and cannot do so: somebody known by Discord only, or without a password."""
    with transaction() as session:
        return _begun(erasures.erase_by_admin(session, caller().member_id, user_id), schemas.ErasureByAdmin, session)


@privacy_api.get("/api/users/erasures/<receipt>/")
@operation(who=ANYONE, answers={200: schemas.ErasureState})
def get_erasure(receipt: str) -> Answer:
    """How far an erasure has come; the receipt was given when it began."""
    with transaction() as session:
        return dict(schemas.ErasureState().dump(erasures.state_of(session, receipt)))


def _begun(receipt: erasures.Receipt, schema: type[schemas.ErasureReceipt], session: Any) -> Answer:
    state = schemas.ErasureState().dump(erasures.tasks_of(session, receipt.erasure))
    location = f"/api/users/erasures/{receipt.token}/"
    body = {**state, "receipt": receipt.token, "location": location}
    if schema is schemas.ErasureByAdmin:
        body["pseudonym"] = str(receipt.erasure.pseudonym)
    answer = jsonify(body)
    answer.status_code = 202
    answer.headers["Location"] = location
    return answer
