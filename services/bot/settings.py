"""What the Discord client is told by its environment."""

from dataclasses import dataclass
from uuid import UUID

from fleet.settings import SettingsError, setting


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
