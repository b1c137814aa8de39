"""What the Discord client is told by its environment."""

from dataclasses import dataclass
from uuid import UUID

from fleet.settings import SettingsError, setting


@dataclass(frozen=True)
class NoticeSettings:
    """What people are told by themselves (the worker, `python -m fleet.worker bot`)."""

    award_from: int = setting(
        "BOT_AWARD_NOTICE_FROM", default=50, help="an award of at least so many points is told by direct message"
    )


@dataclass(frozen=True)
class PeopleSettings:
    """Both processes of the bot: what ids and hashes of people are made with."""

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
class BotSettings(PeopleSettings):
    """The Discord client (`python -m services.bot`)."""

    token: str = setting("DISCORD_TOKEN", help="the bot's token from Discord's developer portal", secret=True)
    api: str = setting(
        "BOT_DISCORD_API", default="", help="address of a local Discord's REST API; empty is the real one"
    )
    message_content: bool = setting(
        "BOT_MESSAGE_CONTENT", default=True, help="the Message Content intent: `!commands` in channels need it"
    )


@dataclass(frozen=True)
class ToolSettings:
    """Other bots and tools (`POST /api/bot/`, the web process of the bot)."""

    shared_secret: str = setting(
        "BOT_SHARED_SECRET",
        default="",
        secret=True,
        help="what tools sign with, 32 characters or more: one (its id is `main`), or `id:secret` with commas between"
        " several; empty lets no tool in",
    )
    allow_plain_secret: bool = setting(
        "BOT_ALLOW_PLAIN_SECRET",
        default=False,
        help="let tools send the secret itself as X-Bot-Secret, without a signature",
    )

    def __post_init__(self) -> None:
        if any(not key_id or len(secret) < 32 for key_id, secret in self.secrets.items()):
            raise SettingsError(["BOT_SHARED_SECRET is not usable: each secret must have 32 characters or more"])

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets by their ids."""
        given = [each.strip() for each in self.shared_secret.split(",") if each.strip()]
        pairs = [each.split(":", 1) if ":" in each else ["main", each] for each in given]
        return {key_id.strip(): secret.strip() for key_id, secret in pairs}
