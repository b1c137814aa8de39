"""The HTTP door to passwords and the proof of addresses."""

from typing import Any

from flask import Blueprint

from fleet import rates
from fleet.auth import caller
from fleet.database import transaction
from fleet.problems import InvalidFields, invalid
from fleet.web import ANYONE, MEMBER, Answer, operation
from services.users import accounts, limits, passwords, recovery, schemas

passwords_api = Blueprint("passwords_api", __name__)


@passwords_api.post("/api/users/verify_email/")
@operation(who=ANYONE, body=schemas.OneTimeToken, answers={200: schemas.Verified})
def verify_email(body: dict[str, Any]) -> Answer:
    """Confirm an e-mail address with the code that was sent there."""
    with transaction() as session:
        recovery.verify_email(session, body["token"])
    return {"message": "The address is confirmed.", "email_verified": True}


@passwords_api.post("/api/users/resend_verification/")
@operation(who=MEMBER, answers={202: schemas.Message, 409: None, 429: None, 404: None}, while_awaiting=True)
def resend_verification() -> Answer:
    """Send a new code to one's own address; the one before is void."""
    with transaction() as session:
        seconds = recovery.resend_verification(session, caller().member_id)
    rates.refuse(seconds, limits.WORDS)
    return {"message": "A new code is on its way."}, 202


@passwords_api.post("/api/users/change_password/")
@operation(
    who=MEMBER, body=schemas.PasswordChange, answers={200: schemas.Message, 429: None, 404: None}, while_awaiting=True
)
def change_password(body: dict[str, Any]) -> Answer:
    """Change one's own password. All sign-ins end, this one too."""
    key = str(caller().member_id)
    with transaction() as session:
        member = accounts.get(session, caller().member_id)
        limits.check_failures(session, key)
    right = passwords.matches(member.password_hash, body["current_password"])
    with transaction() as session:
        if right:
            limits.check_failures(session, key)
        seconds = 0 if right else limits.count_failure(session, key)
    rates.refuse(seconds, limits.WORDS)
    if not right:
        raise invalid("/current_password", "is not right")
    try:
        passwords.check(body["new_password"], member.username or "")
    except InvalidFields as problem:
        raise invalid("/new_password", problem.extras["errors"][0]["detail"]) from problem
    hashed = passwords.hash_password(body["new_password"])
    with transaction() as session:
        recovery.change_password(session, caller().member_id, member.password_hash, hashed)
    return {"message": "The password is changed. Sign in with the new one."}


@passwords_api.post("/api/users/reset_password/")
@operation(who=ANYONE, body=schemas.ResetRequest, answers={202: schemas.Message, 429: None})
def request_reset(body: dict[str, Any]) -> Answer:
    """Ask for a code to choose a new password. The answer is the same whether or not the address is known."""
    with transaction() as session:
        seconds = recovery.request_reset(session, body["email"])
    rates.refuse(seconds, limits.WORDS)
    return {"message": "If an account has this address, a code is on its way there."}, 202


@passwords_api.post("/api/users/reset_password/confirm/")
@operation(who=ANYONE, body=schemas.PasswordReset, answers={200: schemas.Message})
def confirm_reset(body: dict[str, Any]) -> Answer:
    """Choose a new password with the code from the mail. All sign-ins end."""
    with transaction() as session:
        recovery.check_reset(session, body["token"], body["password"])
    # Only for a good token, and outside of the transaction: a hash takes 20 ms.
    hashed = passwords.hash_password(body["password"])
    with transaction() as session:
        recovery.reset_password(session, body["token"], hashed)
    return {"message": "The password is changed. Sign in with the new one."}
