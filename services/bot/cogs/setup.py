"""Setting a server up: where cards and mentions go, and which role is staff there."""

import nextcord
from sqlalchemy.orm import Session

from fleet import logs
from services.bot import guilds, notices, people
from services.bot.calls import Call
from services.bot.cards import GREEN, Card, Rendered
from services.bot.commands import Option, command
from services.bot.delivery import Gone
from services.bot.guilds import Guild
from services.bot.off_loop import transact
from services.bot.people import Person
from services.bot.refusals import SENT_DIRECTLY, Usage

log = logs.get(__name__)

GROUP = "For staff"
_GREETINGS = {
    "staff_channel": "From now on, what waits for a decision of the staff comes here.",
    "announcement_channel": "From now on, who cannot be told something directly is told here that there is a notice.",
}


def may_set_up(session: Session, person: Person, manages: bool) -> bool:
    """Who may: whoever manages the server, and linked admins."""
    if manages:
        return True
    member_id = people.member_id(session, person.discord_id)
    return guilds.is_admin(session, member_id) or guilds.is_linked_admin(session, person.discord_id)


@command(
    "setup",
    "Set this server up: staff channel, announcement channel, staff role",
    Option("staff_channel", "channel", "where submissions and redemptions are decided"),
    Option("announcement_channel", "channel", "where people are told that there is a notice for them"),
    Option("staff_role", "role", "whose holders may decide submissions"),
    group=GROUP,
)
async def setup(
    call: Call,
    staff_channel: str | None = None,
    announcement_channel: str | None = None,
    staff_role: str | None = None,
) -> None:
    """Without options it tells how the server is set up."""
    guild_id = call.seat.guild_id
    if guild_id is None:
        raise Usage("Use this in the server that is to be set up, not in a direct message.")
    if not await transact(may_set_up, call.person, call.seat.manages):
        raise Usage("Only who may manage this server, or an admin whose account is linked, can set it up.")
    await call.acknowledge()
    _check_places(call, guild_id, (staff_channel, announcement_channel), staff_role)
    wanted = {"staff_channel": staff_channel, "announcement_channel": announcement_channel}
    for name, channel_id in wanted.items():
        if channel_id is not None:
            await _greet(call, name, channel_id)
    changes = {f"{name}_id": value for name, value in wanted.items() if value is not None}
    if staff_role is not None:
        changes["staff_role_id"] = staff_role
    guild = await transact(_write, guild_id, call.person.discord_id, changes)
    log.info("guild_set_up", guild_id=guild_id, changed=sorted(changes))
    await call.answer(Rendered(_shown(guild), short=SENT_DIRECTLY))


def _check_places(call: Call, guild_id: str, channels: tuple[str | None, ...], role: str | None) -> None:
    """Typed ids may name anything: only what belongs to this server will do."""
    guild = call.desk.get_guild(int(guild_id))
    for channel_id in channels:
        if channel_id is not None and (guild is None or guild.get_channel(int(channel_id)) is None):
            raise Usage("That channel is not one of this server, or I cannot see it.")
    if role is not None and (guild is None or guild.get_role(int(role)) is None):
        raise Usage("That role is not one of this server.")
    if role is not None and role == guild_id:
        raise Usage("Everybody has that role. Choose one that only staff have.")


async def _greet(call: Call, name: str, channel_id: str) -> None:
    """Write there: who may not, finds it out now and not when something matters."""
    nonce = f"{call.correlation}{name[0]}"
    try:
        await call.desk.delivery.post(channel_id, Card(content=_GREETINGS[name]), nonce)
    except Gone as error:
        raise Usage(
            f"I may not write in <#{channel_id}>. Let me see it and send messages there, then try again."
        ) from error
    except nextcord.HTTPException as error:
        raise Usage(f"Discord did not take my message in <#{channel_id}>. Please try again in a minute.") from error


def _write(session: Session, guild_id: str, by: str, changes: dict[str, str]) -> Guild:
    if not changes:
        return guilds.of(session, guild_id)
    notices.look_again(session)
    return guilds.set_up(session, guild_id, by, changes)


def _shown(guild: Guild) -> Card:
    def channel(channel_id: str | None) -> str:
        return f"<#{channel_id}>" if channel_id else "not set: use `/setup`"

    role = f"<@&{guild.staff_role_id}>" if guild.staff_role_id else "not set: only linked admins can decide"
    fields = [
        ("Staff channel", channel(guild.staff_channel_id)),
        ("Announcement channel", channel(guild.announcement_channel_id)),
        ("Staff role", role),
    ]
    return Card(title="This server", fields=fields, footer="Change it with /setup", colour=GREEN)
