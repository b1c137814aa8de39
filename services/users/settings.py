"""What users needs beyond the fleet's settings."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from fleet.settings import SettingsError, setting


@dataclass(frozen=True)
class UsersSettings:
    """The signing key of access tokens; only the web process of users has it."""

    jwt_key_file: Path = setting(
        "USERS_JWT_KEY_FILE",
        help="PEM file of the Ed25519 private key that signs access tokens, and, behind it, of those whose tokens are good too",
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
class GoogleSettings:
    """Sign-in with Google: off without a client id. The addresses are Google's own unless a test says otherwise."""

    client_id: str = setting(
        "USERS_GOOGLE_CLIENT_ID", default="", help="OAuth client id at Google; empty turns the sign-in with Google off"
    )
    client_secret: str = setting("USERS_GOOGLE_CLIENT_SECRET", default="", help="secret of that client", secret=True)
    issuer: str = setting("USERS_GOOGLE_ISSUER", default="https://accounts.google.com", help="who issues ID tokens")
    authorize_url: str = setting(
        "USERS_GOOGLE_AUTHORIZE_URL",
        default="https://accounts.google.com/o/oauth2/v2/auth",
        help="where people agree to sign in",
    )
    token_url: str = setting(
        "USERS_GOOGLE_TOKEN_URL", default="https://oauth2.googleapis.com/token", help="where codes are exchanged"
    )
    jwks_url: str = setting(
        "USERS_GOOGLE_JWKS_URL",
        default="https://www.googleapis.com/oauth2/v3/certs",
        help="the keys that sign ID tokens",
    )

    def __post_init__(self) -> None:
        problems = []
        if self.client_id and not self.client_secret:
            problems.append("USERS_GOOGLE_CLIENT_SECRET is missing: a client id needs its secret")
        for name, url in (("AUTHORIZE", self.authorize_url), ("TOKEN", self.token_url), ("JWKS", self.jwks_url)):
            parts = urlsplit(url)
            if parts.scheme != "https" and (parts.scheme, parts.hostname) != ("http", "127.0.0.1"):
                problems.append(f"USERS_GOOGLE_{name}_URL is not usable: it must begin with https://")
        if problems:
            raise SettingsError(problems)


@dataclass(frozen=True)
class AdminSettings:
    """What `make admin` hands over."""

    password: str = setting("ADMIN_PASSWORD", help="password of the account to create or reset", secret=True)
