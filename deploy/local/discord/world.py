"""The state: one guild, its people, channels and messages, and what may be done to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from . import wire
from .arrivals import Arrivals
from .journal import MESSAGE, PERSON, Journal
from .people import LOADING, Attachment, Channel, Message, User
from .problems import JSON, DiscordError, unknown
from .snowflakes import Snowflakes

GUILD_NAME = "Propel University"
CHANNELS = ("general", "staff", "announcements", "introductions")
NONCE_SECONDS = 300.0
Listener = Callable[[str, JSON], None]


class World:
    """Everything local Discord knows. Whoever wants to hear of events (the gateway) sets ``tell``."""

    def __init__(self) -> None:
        self.ids = Snowflakes()
        self.arrivals = Arrivals()
        self.journal = Journal()
        self.users: dict[int, User] = {}
        self.usernames: set[str] = set()
        self.channels: dict[int, Channel] = {}
        self.direct: dict[int, int] = {}
        self.messages: dict[int, Message] = {}
        self.by_channel: dict[int, dict[int, Message]] = {}
        self.attachments: dict[int, Attachment] = {}
        self.commands: dict[int, JSON] = {}
        self.origin = "http://127.0.0.1"
        self.tell: Listener = lambda event, data: None
        self.changes = 0  # counts what a snapshot would miss
        self._nonces: dict[tuple[int, str], tuple[float, int]] = {}

    def found(self) -> None:
        """Founds the guild. Not done by the constructor, as a world may also come out of a snapshot."""
        self.guild_id = self.ids.now()
        self.staff_role_id = self.ids.now()
        self.bot_role_id = self.ids.now()
        self.manager_role_id = self.ids.now()
        for name in CHANNELS:
            self.add_channel(Channel(self.ids.now(), name, staff_only=name == "staff"))
        self.bot = self.add_user("Propel", bot=True, joins=False)
        self.join(self.bot)

    def changed(self, kind: str = "", thing: int = 0) -> None:
        """Something changed that a snapshot must keep, and, with a kind, that those who look on must hear of."""
        self.changes += 1
        if kind:
            self.journal.note(kind, thing)

    # People

    def add_user(
        self, name: str, *, staff: bool = False, bot: bool = False, joins: bool = True, manager: bool = False
    ) -> User:
        """A new user, who joins the guild unless told otherwise."""
        user = User(self.ids.now(), name, self._free_username(name), staff, bot, in_guild=False, manager=manager)
        self.users[user.id] = user
        self.arrivals.mark(user.id)
        self.changed(PERSON, user.id)
        if joins:
            self.join(user)
        return user

    def join(self, user: User) -> None:
        """The user becomes a member, for the first time or again."""
        user.in_guild, user.joined_at = True, _now()
        self.changed(PERSON, user.id)
        self.tell("GUILD_MEMBER_ADD", wire.member(self, user) | {"guild_id": str(self.guild_id)})

    def leave(self, user: User) -> None:
        """The user leaves the guild."""
        user.in_guild = False
        self.changed(PERSON, user.id)
        self.tell("GUILD_MEMBER_REMOVE", {"guild_id": str(self.guild_id), "user": wire.user(user)})

    def change_user(
        self,
        user: User,
        name: str | None,
        staff: bool | None,
        dms_open: bool | None,
        manager: bool | None = None,
        username: str | None = None,
    ) -> None:
        """Renames a user (either name), makes them staff or manager or not, opens or closes their DMs."""
        seen = (user.name, user.staff, user.manager, user.username)
        user.name = user.name if name is None else name
        user.staff = user.staff if staff is None else staff
        user.manager = user.manager if manager is None else manager
        user.dms_open = user.dms_open if dms_open is None else dms_open
        if username is not None and username != user.username:
            self.usernames.discard(user.username)
            user.username = self._free_username(username)
        self.changed(PERSON, user.id)
        if user.in_guild and seen != (user.name, user.staff, user.manager, user.username):
            self.tell("GUILD_MEMBER_UPDATE", wire.member(self, user) | {"guild_id": str(self.guild_id)})

    def members(self) -> list[User]:
        """Everybody in the guild, in the order of their ids."""
        return [user for user in self.users.values() if user.in_guild]

    def _free_username(self, name: str) -> str:
        # Discord's user names are unique, so a namesake gets a number; what members see is the name itself.
        username = name if name not in self.usernames else f"{name}_{len(self.users)}"
        while username in self.usernames:
            username += "_"
        self.usernames.add(username)
        return username

    # Channels

    def add_channel(self, channel: Channel) -> Channel:
        """Puts a channel into every index."""
        self.channels[channel.id] = channel
        self.by_channel[channel.id] = {}
        if channel.recipient is not None:
            self.direct[channel.recipient] = channel.id
        return channel

    def dm(self, user: User) -> Channel:
        """The direct messages between the bot and a user, opened when there were none."""
        if user.id in self.direct:
            return self.channels[self.direct[user.id]]
        self.changes += 1
        return self.add_channel(Channel(self.ids.now(), "dm", recipient=user.id))

    def can_enter(self, user: User, channel: Channel) -> bool:
        """Whether a user can read and write in a channel."""
        if channel.recipient is not None:
            return user.id in (channel.recipient, self.bot.id)
        return user.in_guild and (user.staff or user.bot or not channel.staff_only)

    def can_see(self, user: User, message: Message) -> bool:
        """Whether a user can see a message: ephemeral ones only those they were made for."""
        if message.ephemeral_to is not None:
            return message.ephemeral_to == user.id
        return self.can_enter(user, self.channels[message.channel_id])

    # Messages

    def post(self, author: User, channel: Channel, *, at: datetime | None = None, **parts: Any) -> Message:
        """A new message; ``parts`` are fields of ``Message``."""
        message = Message(self.ids.at(at) if at else self.ids.now(), channel.id, author.id, **parts)
        self.messages[message.id] = message
        self.by_channel[channel.id][message.id] = message
        self.changed(MESSAGE, message.id)
        if message.loading:
            self.arrivals.mark(message.id)
        else:
            self.arrivals.show(message)
        if message.ephemeral_to is None:
            self.tell("MESSAGE_CREATE", wire.message(self, message, gateway=True))
        return message

    def post_once(self, author: User, channel: Channel, key: str, **parts: Any) -> Message:
        """The message this author made under the same nonce minutes ago, or a new one."""
        horizon = time.monotonic() - NONCE_SECONDS
        while self._nonces and next(iter(self._nonces.values()))[0] < horizon:
            self._nonces.pop(next(iter(self._nonces)))
        earlier = self.messages.get(self._nonces.get((author.id, key), (0.0, 0))[1])
        if earlier is not None:
            return earlier
        message = self.post(author, channel, **parts)
        self._nonces[author.id, key] = (time.monotonic(), message.id)
        return message

    def edit(self, message: Message, parts: dict[str, Any]) -> Message:
        """Changes a message; the first content of a deferred answer counts as its arrival."""
        was_loading = message.loading
        for name, value in parts.items():
            setattr(message, name, value)
        message.flags &= ~LOADING
        self.changed(MESSAGE, message.id)
        if was_loading:
            self.arrivals.show(message)
        else:
            message.edited_at = _now()
            self.arrivals.touch(message)
        if message.ephemeral_to is None:
            self.tell("MESSAGE_UPDATE", wire.message(self, message, gateway=True))
        return message

    def delete(self, message: Message) -> None:
        """Removes a message for everybody."""
        self.messages.pop(message.id, None)
        self.by_channel[message.channel_id].pop(message.id, None)
        for attachment in message.attachments:
            self.attachments.pop(attachment, None)
        self.arrivals.forget(message)
        self.changed(MESSAGE, message.id)
        if message.ephemeral_to is None:
            self.tell("MESSAGE_DELETE", wire.place(self, message) | {"id": str(message.id)})

    def react(self, user: User, message: Message, emoji: str, *, remove: bool = False) -> bool:
        """Adds or takes back a reaction; False when there was nothing to do, which Discord does not announce."""
        users = message.reactions.setdefault(emoji, [])
        if remove == (user.id not in users):
            return False
        if remove:
            users.remove(user.id)
        else:
            users.append(user.id)
        if not users:
            del message.reactions[emoji]
        self.changed(MESSAGE, message.id)
        self.tell(
            f"MESSAGE_REACTION_{'REMOVE' if remove else 'ADD'}", wire.reaction(self, user, message, emoji, remove)
        )
        return True

    # Looking up, in Discord's words

    def channel_or_404(self, channel_id: int) -> Channel:
        """A channel by id."""
        if channel_id not in self.channels:
            raise unknown("Channel")
        return self.channels[channel_id]

    def message_or_404(self, channel_id: int, message_id: int) -> Message:
        """A message the bot can find by id: ephemeral ones it reaches through their interaction alone."""
        message = self.by_channel[self.channel_or_404(channel_id).id].get(message_id)
        if message is None or message.ephemeral_to is not None:
            raise unknown("Message")
        return message

    def must_reach(self, channel: Channel) -> None:
        """Refuses a direct message to somebody who takes none, or who shares no guild with the bot."""
        if channel.recipient is not None:
            user = self.users[channel.recipient]
            if not user.dms_open or not user.in_guild or user.bot:
                raise DiscordError(403, 50007, "Cannot send messages to this user")


WORLD: web.AppKey[World] = web.AppKey("world", World)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
