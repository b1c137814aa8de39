"""How users, members, channels, messages and the guild look in Discord's JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .people import Attachment, Channel, Message, User
from .problems import JSON
from .snowflakes import timestamp

if TYPE_CHECKING:
    from .world import World

# View, send, embed, attach, history, react, mention, slash commands: what a student may do in a channel.
MEMBER_PERMISSIONS = 0x400 | 0x800 | 0x4000 | 0x8000 | 0x10000 | 0x40 | 0x80000000
ADMINISTRATOR = 0x8
MANAGE_SERVER = 0x20
ALL_PERMISSIONS = (1 << 50) - 1
VIEW_CHANNEL = 0x400
_MENTION = re.compile(r"<@!?(\d{1,20})>")


def user(person: User) -> JSON:
    """A user object."""
    return {
        "id": str(person.id),
        "username": person.username,
        "global_name": None if person.bot else person.name,
        "discriminator": "0",
        "avatar": None,
        "bot": person.bot,
        "system": False,
        "public_flags": 0,
        "flags": 0,
    }


def member(world: World, person: User, *, inner: bool = True) -> JSON:
    """A guild member, without the user inside where Discord leaves it out."""
    held = {world.bot_role_id: person is world.bot, world.staff_role_id: person.staff}
    roles = [role for role, holds in (held | {world.manager_role_id: person.manager}).items() if holds]
    record: JSON = {
        # nextcord 2.6 knows no global names: a nickname is what makes it show the name of a renamed member or namesake.
        "nick": person.name if person.name != person.username else None,
        "avatar": None,
        "roles": [str(role) for role in roles],
        "joined_at": person.joined_at,
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
        "communication_disabled_until": None,
    }
    if inner:
        record["user"] = user(person)
    return record


def permissions(world: World, person: User) -> int:
    """What a user may do in the guild."""
    if person.staff or person.id == world.bot.id:
        return ALL_PERMISSIONS
    return MEMBER_PERMISSIONS | (MANAGE_SERVER if person.manager else 0)


def role(world: World, role_id: int, name: str, rights: int, position: int, *, tags: JSON | None = None) -> JSON:
    """A role."""
    record: JSON = {
        "id": str(role_id),
        "name": name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "icon": None,
        "unicode_emoji": None,
        "position": position,
        "permissions": str(rights),
        "managed": tags is not None,
        "mentionable": False,
        "flags": 0,
    }
    return record | ({"tags": tags} if tags else {})


def roles(world: World) -> list[JSON]:
    """The roles of the guild: everyone, who may manage the server and no more, staff, and the bot's own."""
    return [
        role(world, world.guild_id, "@everyone", MEMBER_PERMISSIONS, 0),
        role(world, world.manager_role_id, "Manager", MEMBER_PERMISSIONS | MANAGE_SERVER, 1),
        role(world, world.staff_role_id, "Staff", ADMINISTRATOR, 2),
        role(world, world.bot_role_id, "Propel", ADMINISTRATOR, 3, tags={"bot_id": str(world.bot.id)}),
    ]


def channel(world: World, place_: Channel) -> JSON:
    """A channel, of the guild or of direct messages."""
    last = next(reversed(world.by_channel[place_.id]), None)
    record: JSON = {"id": str(place_.id), "last_message_id": str(last) if last else None, "flags": 0}
    if place_.recipient is not None:
        return record | {"type": 1, "recipients": [user(world.users[place_.recipient])]}
    hidden = {"id": str(world.guild_id), "type": 0, "allow": "0", "deny": str(VIEW_CHANNEL)}
    shown = {"id": str(world.staff_role_id), "type": 0, "allow": str(VIEW_CHANNEL), "deny": "0"}
    return record | {
        "type": 0,
        "guild_id": str(world.guild_id),
        "name": place_.name,
        "position": list(world.channels).index(place_.id),
        "permission_overwrites": [hidden, shown] if place_.staff_only else [],
        "nsfw": False,
        "topic": None,
        "parent_id": None,
        "rate_limit_per_user": 0,
    }


def guild_channels(world: World) -> list[JSON]:
    """The text channels of the guild."""
    return [channel(world, place_) for place_ in world.channels.values() if place_.recipient is None]


def guild(world: World) -> JSON:
    """The guild as REST shows it."""
    return {
        "id": str(world.guild_id),
        "name": "Propel University",
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "banner": None,
        "description": None,
        "owner_id": str(world.bot.id),
        "region": "local",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "verification_level": 0,
        "default_message_notifications": 1,
        "explicit_content_filter": 0,
        "roles": roles(world),
        "emojis": [],
        "stickers": [],
        "features": [],
        "mfa_level": 0,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "vanity_url_code": None,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "nsfw_level": 0,
        "max_members": 500000,
    }


def guild_create(world: World, large_threshold: int) -> JSON:
    """The guild as the gateway brings it; the members of a large one are left for the client to ask for."""
    people = world.members()
    large = len(people) > large_threshold
    return guild(world) | {
        "unavailable": False,
        "joined_at": world.bot.joined_at,
        "large": large,
        "member_count": len(people),
        "members": [member(world, person) for person in ([world.bot] if large else people)],
        "channels": guild_channels(world),
        "threads": [],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def attachment(world: World, file: Attachment) -> JSON:
    """A file and the address it is served from."""
    url = f"{world.origin}/attachments/{file.channel_id}/{file.id}/{quote(file.filename)}"
    record: JSON = {
        "id": str(file.id),
        "filename": file.filename,
        "size": file.size,
        "url": url,
        "proxy_url": url,
        "content_type": file.content_type,
    }
    return record | ({"description": file.description} if file.description else {})


def emoji(text: str) -> JSON:
    """An emoji: Unicode itself, or ``name:id`` for one of the guild's own."""
    name, _, custom = text.partition(":")
    return {"id": custom, "name": name} if custom.isdecimal() else {"id": None, "name": text}


def place(world: World, note: Message) -> JSON:
    """Where a message is, as events say it."""
    where: JSON = {"channel_id": str(note.channel_id)}
    in_guild = world.channels[note.channel_id].recipient is None
    return where | ({"guild_id": str(world.guild_id)} if in_guild else {})


def reaction(world: World, person: User, note: Message, text: str, removed: bool) -> JSON:
    """The event of a reaction."""
    event: JSON = place(world, note) | {
        "user_id": str(person.id),
        "message_id": str(note.id),
        "emoji": emoji(text),
        "burst": False,
        "type": 0,
    }
    if not removed:
        event["message_author_id"] = str(note.author_id)
        if "guild_id" in event:
            event["member"] = member(world, person)
    return event


def message(world: World, note: Message, *, gateway: bool = False, deep: bool = True) -> JSON:
    """A message; the gateway's form says more about where it is and who wrote it."""
    author = world.users[note.author_id]
    record: JSON = {
        "id": str(note.id),
        "type": 19 if note.reply_to else 20 if note.interaction and note.interaction["type"] == 2 else 0,
        "channel_id": str(note.channel_id),
        "author": user(author),
        "content": note.content,
        "timestamp": timestamp(note.id),
        "edited_timestamp": note.edited_at,
        "tts": False,
        "mention_everyone": False,
        "mentions": _mentions(world, note) if "<@" in note.content else [],
        "mention_roles": [],
        "attachments": [attachment(world, world.attachments[file]) for file in note.attachments],
        "embeds": note.embeds,
        "components": note.components,
        "pinned": note.pinned,
        "flags": note.flags,
    }
    if note.reactions:
        record["reactions"] = [_tally(world, text, users) for text, users in note.reactions.items()]
    if note.nonce is not None:
        record["nonce"] = note.nonce
    if note.interaction:
        record["application_id"] = record["webhook_id"] = str(world.bot.id)
        record["interaction"] = note.interaction
        record["interaction_metadata"] = _metadata(note)
    if note.reply_to and deep:
        earlier = world.messages.get(note.reply_to)
        record["message_reference"] = place(world, note) | {"type": 0, "message_id": str(note.reply_to)}
        record["referenced_message"] = message(world, earlier, deep=False) if earlier else None
    if gateway:
        record |= place(world, note)
        if "guild_id" in record and author.in_guild:
            record["member"] = member(world, author, inner=False)
    return record


def _metadata(note: Message) -> JSON:
    origin: dict[str, Any] = note.interaction or {}
    kept = {key: origin[key] for key in ("id", "type", "user")}
    return kept | {"authorizing_integration_owners": {}, "original_response_message_id": str(note.id)}


def _mentions(world: World, note: Message) -> list[JSON]:
    named = dict.fromkeys(int(found) for found in _MENTION.findall(note.content))
    people = [world.users[person] for person in named if person in world.users]
    inside = world.channels[note.channel_id].recipient is None
    return [
        user(person) | ({"member": member(world, person, inner=False)} if inside and person.in_guild else {})
        for person in people
    ]


def _tally(world: World, text: str, users: list[int]) -> JSON:
    return {"emoji": emoji(text), "count": len(users), "me": world.bot.id in users, "burst_colors": []}
