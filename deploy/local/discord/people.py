"""The things of the world: users, channels, messages. Plain records; what happens to them is in ``world``."""

from __future__ import annotations

from dataclasses import dataclass, field

from .problems import JSON

EPHEMERAL = 64
LOADING = 128


@dataclass(slots=True)
class User:
    """A person or a bot. Who left the guild is still a user, with the same id, as in Discord."""

    id: int
    name: str
    username: str
    staff: bool = False
    bot: bool = False
    in_guild: bool = True
    joined_at: str | None = None
    dms_open: bool = True
    manager: bool = False  # holds the role with Manage Server, without being staff


@dataclass(slots=True)
class Channel:
    """A text channel of the guild, or the direct messages between the bot and ``recipient``."""

    id: int
    name: str
    recipient: int | None = None
    staff_only: bool = False


@dataclass(slots=True)
class Attachment:
    """A file: its bytes as base64 when somebody gave them, else only how many to make up."""

    id: int
    channel_id: int
    filename: str
    content_type: str
    size: int
    data: str | None = None
    description: str | None = None


@dataclass(slots=True)
class Message:
    """A message. ``arrived`` and ``changed`` are positions in the order of events, not times."""

    id: int
    channel_id: int
    author_id: int
    content: str = ""
    embeds: list[JSON] = field(default_factory=list)
    components: list[JSON] = field(default_factory=list)
    attachments: list[int] = field(default_factory=list)
    reactions: dict[str, list[int]] = field(default_factory=dict)
    flags: int = 0
    ephemeral_to: int | None = None
    reply_to: int | None = None
    interaction_id: int | None = None
    interaction: JSON | None = None
    edited_at: str | None = None
    nonce: str | int | None = None
    pinned: bool = False
    arrived: int = 0
    changed: int = 0

    @property
    def loading(self) -> bool:
        """Whether this is the "thinking" of a deferred answer, which nobody but the bot can see yet."""
        return bool(self.flags & LOADING)

    def carries(self) -> JSON:
        """What makes the message non-empty, for judging an edit that changes a part of it."""
        return {
            "content": self.content,
            "embeds": self.embeds,
            "components": self.components,
            "attachments": self.attachments,
        }
