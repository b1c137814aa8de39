"""What users needs beyond the fleet's settings."""

from dataclasses import dataclass
from pathlib import Path

from fleet.settings import setting


@dataclass(frozen=True)
class UsersSettings:
    """The signing key of access tokens; only the web process of users has it."""

    jwt_key_file: Path = setting(
        "USERS_JWT_KEY_FILE", help="PEM file of the Ed25519 private key that signs access tokens"
    )


@dataclass(frozen=True)
class AdminSettings:
    """What `make admin` hands over."""

    password: str = setting("ADMIN_PASSWORD", help="password of the account to create or reset", secret=True)
