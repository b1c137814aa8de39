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
class SiteSettings:
    """Where members find Propel, for the links in mail."""

    url: str = setting(
        "GATEWAY_URL", default="http://127.0.0.1:8080", help="address of the gateway as members reach it"
    )


@dataclass(frozen=True)
class RateSettings:
    """How often one account may be tried."""

    login_failures: int = setting("USERS_LOGIN_FAILURES", default=10, help="wrong passwords a minute for one account")
    resets: int = setting(
        "USERS_RESETS", default=5, help="mails an hour to one account, of each kind, that it asks for"
    )


@dataclass(frozen=True)
class AdminSettings:
    """What `make admin` hands over."""

    password: str = setting("ADMIN_PASSWORD", help="password of the account to create or reset", secret=True)
