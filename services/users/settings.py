"""What users needs beyond the fleet's settings."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from fleet.settings import SettingsError, setting


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
    link_codes: int = setting("USERS_LINK_CODES", default=5, help="link codes a day for one web account")
    link_tries: int = setting("USERS_LINK_TRIES", default=5, help="wrong link codes an hour from one Discord account")


@dataclass(frozen=True)
class LinkSettings:
    """What the digests of link codes are keyed with: the bot has it too, and nobody else."""

    member_namespace: str = setting(
        "MEMBER_NAMESPACE",
        help="UUID from which the member ids of Discord people are derived; never changes",
        secret=True,
    )

    def __post_init__(self) -> None:
        try:
            UUID(self.member_namespace)
        except ValueError as error:
            raise SettingsError(
                ["MEMBER_NAMESPACE is not usable: it must be a UUID, such as `uuidgen` prints"]
            ) from error

    @property
    def namespace(self) -> UUID:
        """The namespace as a UUID."""
        return UUID(self.member_namespace)


@dataclass(frozen=True)
class AdminSettings:
    """What `make admin` hands over."""

    password: str = setting("ADMIN_PASSWORD", help="password of the account to create or reset", secret=True)
