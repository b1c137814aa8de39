"""Access tokens (signed, 15 minutes) and refresh tokens (opaque, rotated, stored hashed)."""

import base64
import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet import logs
from fleet.auth import ALGORITHM, AUDIENCE, ISSUER, TOKEN_TYPE
from fleet.messages import new_id, now
from fleet.problems import Unauthorized
from fleet.settings import read
from services.users import accounts
from services.users.models import Member, RefreshFamily, RefreshToken
from services.users.settings import UsersSettings

log = logs.get(__name__)

ACCESS_S = 15 * 60
IDLE = timedelta(days=7)
ABSOLUTE = timedelta(days=30)
GRACE = timedelta(seconds=10)


@dataclass(frozen=True)
class Signer:
    """The key that signs, and the public halves of all keys whose tokens are good, by `kid`: the one that signed before, and
    the one that will sign next, are told and verified with while one takes the place of the other."""

    kid: str
    private: Ed25519PrivateKey
    public: dict[str, Ed25519PublicKey]

    def get(self, kid: str) -> Any:
        """The public key named `kid`, or None."""
        return self.public.get(kid)

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set."""
        return {
            "keys": [
                {"kty": "OKP", "crv": "Ed25519", "x": _base64url(_raw(key)), "kid": kid, "use": "sig", "alg": ALGORITHM}
                for kid, key in self.public.items()
            ]
        }


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)


@lru_cache(maxsize=1)
def signer() -> Signer:
    """The keys in USERS_JWT_KEY_FILE, each named by a hash of its public half: the first one signs."""
    blocks = _PEM.findall(read(UsersSettings).jwt_key_file.read_bytes())
    keys = [serialization.load_pem_private_key(block, password=None) for block in blocks]
    private = [key for key in keys if isinstance(key, Ed25519PrivateKey)]
    if not private or len(private) < len(keys):
        raise SystemExit("USERS_JWT_KEY_FILE must hold Ed25519 private keys (PEM), the one that signs first")
    public = {_kid(key.public_key()): key.public_key() for key in private}
    return Signer(next(iter(public)), private[0], public)


def _kid(key: Ed25519PublicKey) -> str:
    return _base64url(hashlib.sha256(_raw(key)).digest()[:9])


def access_token(member: Member, family_id: UUID) -> str:
    """A signed access token of the member as they are now, for one sign-in (`sid`); carries nothing personal."""
    issued = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(member.id),
        "role": member.role,
        "sv": member.security_version,
        "sid": str(family_id),
        "iat": issued,
        "nbf": issued,
        "exp": issued + ACCESS_S,
        "jti": secrets.token_urlsafe(12),
        "type": "access",
    }
    if member.status == "awaiting_approval":
        # The event that says so takes a moment to reach the other services; the token says it at once.
        claims["awaiting"] = True
    return jwt.encode(claims, signer().private, ALGORITHM, headers={"kid": signer().kid, "typ": TOKEN_TYPE})


def start_session(session: Session, member: Member) -> dict[str, str]:
    """Sign the member in: a new family with its first refresh token, and an access token."""
    family = RefreshFamily(id=new_id(), member_id=member.id, expires_at=now() + ABSOLUTE)
    session.add(family)
    session.flush()
    return {"access": access_token(member, family.id), "refresh": _issue(session, family, None)}


def _issue(session: Session, family: RefreshFamily, parent_id: UUID | None) -> str:
    token = secrets.token_urlsafe(32)
    expires_at = min(now() + IDLE, family.expires_at)
    row = RefreshToken(
        id=new_id(), family_id=family.id, parent_id=parent_id, token_hash=_hash(token), expires_at=expires_at
    )
    session.add(row)
    session.flush()
    return token


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def rotate(session: Session, token: str) -> tuple[dict[str, str] | None, Member | None]:
    """Exchange a refresh token for a new pair.

    A token used twice revokes its family and returns (None, None): the caller answers 401 *after* that is committed.
    Within ten seconds the immediate parent of an unused token may be used again, because answers get lost; of the
    several tokens that this gives only one may be used. Raises Unauthorized for a token that is unknown, expired or
    revoked.
    """
    row = session.scalar(select(RefreshToken).where(RefreshToken.token_hash == _hash(token)))
    if row is None:
        raise _invalid()
    # One lock for the family decides between two uses of a token at once.
    family = session.scalars(select(RefreshFamily).where(RefreshFamily.id == row.family_id).with_for_update()).one()
    session.refresh(row)
    if family.revoked_at or min(row.expires_at, family.expires_at) <= now():
        raise _invalid()
    if _is_reuse(session, row):
        family.revoked_at = now()
        log.warning("refresh_token_reused", member_id=str(family.member_id), family_id=str(family.id))
        return None, None
    row.used_at = row.used_at or now()
    member = accounts.get(session, family.member_id)
    return {"access": access_token(member, family.id), "refresh": _issue(session, family, row.id)}, member


def _is_reuse(session: Session, row: RefreshToken) -> bool:
    """True when two holders of one token show themselves.

    A used token may come again in the ten seconds of grace while none of its children was used; an unused one may come
    unless a sibling, which the grace gave to somebody else, came before it.
    """
    if row.used_at is None:
        return row.parent_id is not None and _has_used_child(session, row.parent_id)
    return row.used_at < now() - GRACE or _has_used_child(session, row.id)


def _has_used_child(session: Session, token_id: UUID) -> bool:
    used = select(RefreshToken.id).where(RefreshToken.parent_id == token_id, RefreshToken.used_at.is_not(None))
    return session.scalar(used.limit(1)) is not None


def end_session(session: Session, token: str) -> None:
    """Sign out: revoke the token's family and void the member's access tokens. An unknown token changes nothing."""
    families = select(RefreshFamily.id, RefreshFamily.member_id).join(RefreshToken)
    family = session.execute(families.where(RefreshToken.token_hash == _hash(token))).first()
    if family is None:
        return
    # The member first, then the family: the order in which a reset of the account locks them.
    member = accounts.get(session, family.member_id, lock=True)
    ended = session.scalar(
        update(RefreshFamily)
        .where(RefreshFamily.id == family.id, RefreshFamily.revoked_at.is_(None))
        .values(revoked_at=now())
        .returning(RefreshFamily.id)
    )
    if ended is not None:
        accounts.end_tokens(session, member)


def _invalid() -> Unauthorized:
    return Unauthorized("The refresh token is not valid any more. Sign in at POST /api/users/login/.")
