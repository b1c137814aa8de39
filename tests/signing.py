"""Access tokens for tests: right ones, and wrong ones of every kind."""

import time
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fleet.auth import ALGORITHM, AUDIENCE, ISSUER, TOKEN_TYPE


class TestKey:
    """A signing key with the interface of a key set (`get(kid)`)."""

    __test__ = False
    kid = "test-key"

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()

    def get(self, kid: str) -> Any:
        return self.private.public_key() if kid == self.kid else None

    def claims(self, member_id: UUID, role: str = "student", **changes: Any) -> dict[str, Any]:
        issued = int(time.time())
        found = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(member_id),
            "role": role,
            "sv": 1,
            "iat": issued,
            "nbf": issued,
            "exp": issued + 900,
            "jti": "test",
            "type": "access",
        }
        return found | changes

    def token(
        self, member_id: UUID, role: str = "student", headers: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        header = {"kid": self.kid, "typ": TOKEN_TYPE} | (headers or {})
        return jwt.encode(self.claims(member_id, role, **changes), self.private, ALGORITHM, headers=header)

    def bearer(self, member_id: UUID, role: str = "student", **changes: Any) -> dict[str, str]:
        """Request headers of a signed-in member."""
        return {"Authorization": f"Bearer {self.token(member_id, role, **changes)}"}
