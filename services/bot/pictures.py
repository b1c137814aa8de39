"""Pictures that were handed in, for the cards that show them.

Discord's links to what was attached expire, and those of slash commands soon; so the card carries a copy. It is fetched
only from Discord itself, at most 8 MB, and shown only when it is a picture by its first bytes.
"""

from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.contracts.points import Attachment
from fleet.settings import read
from services.bot.delivery import Picture
from services.bot.notice_models import HandedInPicture
from services.bot.settings import BotSettings

LARGEST = 8 * 1024 * 1024
FETCH_WITHIN_S = 15
HOSTS = ("cdn.discordapp.com", "media.discordapp.net")
_BEGINNINGS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif", b"RIFF": "webp"}


def keep(session: Session, reference: str, member_id: UUID, attachment: Attachment) -> None:
    """Remember where a picture is that was handed in under this reference; other files are not shown."""
    if (attachment.content_type or "").startswith("image/") and attachment.size <= LARGEST:
        values = {
            "reference": reference,
            "member_id": member_id,
            "url": attachment.url,
            "filename": attachment.filename,
        }
        session.execute(insert(HandedInPicture).values(**values).on_conflict_do_nothing())


def address(session: Session, reference: str | None) -> str | None:
    """Where the picture of this reference is; None when there is none."""
    row = session.get(HandedInPicture, reference) if reference else None
    return row.url if row else None


def forget(session: Session, reference: str) -> None:
    """The card has it."""
    session.execute(delete(HandedInPicture).where(HandedInPicture.reference == reference))


def is_allowed(url: str) -> bool:
    """True for Discord's own hosts, and for the local Discord of this machine when the bot speaks to that."""
    parts = urlsplit(url)
    local = urlsplit(read(BotSettings).api)
    if local.hostname and (parts.scheme, parts.netloc) == (local.scheme, local.netloc):
        return True
    return parts.scheme == "https" and parts.hostname in HOSTS


async def fetch(url: str) -> Picture | None:
    """The picture; None when it cannot be had or is none. A card is not held up by it."""
    if not is_allowed(url):
        return None
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FETCH_WITHIN_S)) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200 or (response.content_length or 0) > LARGEST:
                return None
            content = await response.content.read(LARGEST + 1)
            while not response.content.at_eof() and len(content) <= LARGEST:
                content += await response.content.read(LARGEST + 1 - len(content))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None
    ending = next((ending for start, ending in _BEGINNINGS.items() if content.startswith(start)), None)
    if ending is None or len(content) > LARGEST:
        return None
    return Picture(f"evidence.{ending}", content)
