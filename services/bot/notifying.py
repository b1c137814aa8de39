"""Tells notices: one task of the client that looks for what is due, asks for the words, and speaks at a measured pace.

An attempt ends in one of three ways, and each leaves the row so that the next look finds what is right: Discord took it
(`told`, `mentioned`), Discord certainly did not (`postpone`), or nobody knows (a crash, a broken line: `tried_at` stays,
and the nonce, or after minutes a look into the channel, keeps it from being said twice).
"""

import asyncio
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import aiohttp
import nextcord

from fleet import logs, tracing
from fleet.contracts.codec import SchemaError
from fleet.database import is_outage
from fleet.messages import Reply, now, read_answer
from services.bot import contacts, late_answers, member_notices, notices, pictures, review_notices, staff_cards  # noqa: F401 kinds of notices
from services.bot.cards import Button, Card
from services.bot.delivery import Closed, Delivery, Gone, Sent, nonce_of
from services.bot.notice_kinds import Kind, kinds, question_type
from services.bot.notices import Job
from services.bot.off_loop import transact
from services.bot.places import Places

log = logs.get(__name__)

LOOK_EVERY_S = 0.3
# Discord minds bots that write to many people at once; eight a second is far below what it forbids.
PACE_S = 0.12
AT_ONCE = 3
# Discord remembers a nonce for some minutes; after this time we look ourselves.
NONCE_KEPT = timedelta(minutes=2)
NO_CHANNEL_S = 600.0
SHOW = "notice:"


class Unanswered(Exception):
    """The owner of the words did not answer, or says that it cannot now."""


class Refused(Exception):
    """The owner of the words says that there is nothing to tell."""


class Notifying:
    """Looks for notices that are due and tells them until cancelled."""

    def __init__(self, client: nextcord.Client, delivery: Delivery) -> None:
        self._client = client
        self._delivery = delivery
        self._places = Places(client)
        self._busy: dict[UUID, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._turn = asyncio.Lock()
        self._not_before = 0.0
        self._closing = False

    async def run(self) -> None:
        """Look, tell, rest; an outage of the database only makes it wait."""
        await self._client.wait_until_ready()
        while not self._closing:
            try:
                told = set(self._busy)
                for job in await transact(notices.due):
                    if job.id not in told and job.id not in self._busy:
                        self._busy[job.id] = asyncio.create_task(self._handle(job))
            except Exception as error:
                if not is_outage(error):
                    log.exception("notices_not_read")
            await asyncio.sleep(LOOK_EVERY_S)
        # The process watches for parts that end by themselves.
        await asyncio.Event().wait()

    async def finish(self, seconds: float) -> None:
        """Begin nothing more, and let what is being told come to its end, for so long."""
        self._closing = True
        if self._busy:
            await asyncio.wait(list(self._busy.values()), timeout=seconds)

    async def _handle(self, job: Job) -> None:
        try:
            async with self._slots:
                if not self._closing:
                    with tracing.span(f"tell {job.kind}", parent=job.traceparent):
                        await self._settle(job)
        except Exception as error:
            if not is_outage(error):
                log.exception("notice_not_settled", notice_id=str(job.id), kind=job.kind)
                await transact(notices.postpone, job, unsaid=False)
        finally:
            self._busy.pop(job.id, None)

    async def _settle(self, job: Job) -> None:
        kind = kinds.get(job.kind)
        if reason := self._needless(job, kind):
            await self._drop(job, reason)
            return
        assert kind is not None
        if job.reach.discord_id is None and not job.for_staff:
            await transact(notices.postpone, job, 2.0)
            return
        try:
            words = await self._words(job, kind)
            if words is not None:
                await self._say(job, kind, words[0])
        except Refused as error:
            await self._drop(job, str(error))
        except Unanswered:
            await transact(notices.postpone, job, unsaid=False)
        except nextcord.HTTPException as error:
            await self._held_up(job, error)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Nobody knows whether Discord had it before the line broke.
            log.warning("notice_postponed", notice_id=str(job.id), error=type(error).__name__)
            await transact(notices.postpone, job, unsaid=False)

    def _needless(self, job: Job, kind: Kind | None) -> str | None:
        """Why this notice will not be told at all; None when it will."""
        if kind is None:
            return "this kind is not known any more"
        if job.expired and job.message_id is None:
            return "expired"
        if job.for_staff:
            return None
        if kind.wish is not None and not job.reach.wishes.get(kind.wish, True):
            return "unwanted"
        if job.reach.discord_id is None:
            waiting = not job.reach.known and job.created_at > now() - notices.HEARD_OF_WITHIN
            return None if waiting else "unreachable"
        return None

    async def _drop(self, job: Job, reason: str) -> None:
        await transact(notices.drop, job, reason)
        log.info("notice_dropped", notice_id=str(job.id), kind=job.kind, reason=reason)

    async def _words(self, job: Job, kind: Kind) -> tuple[Any] | None:
        """The owner's answer (None for a kind without a question); no tuple when it is still to come."""
        if kind.question is None:
            return (None,)
        if not job.asked:
            await transact(notices.ask, job, kind.question(job.data))
            return None
        if job.answer is None:
            raise Unanswered
        problem = job.answer.get("problem")
        if problem is not None:
            if int(problem.get("status", 500)) >= 500:
                raise Unanswered
            if job.for_staff:
                raise Refused("there is nothing to show any more")
            return (None,)
        try:
            reply = Reply(str(job.id), job.answer.get("result"))
            return (read_answer(question_type(kind, job.data), reply),)
        except (SchemaError, ValueError) as error:
            raise Refused("the answer cannot be read") from error

    async def _say(self, job: Job, kind: Kind, words: Any) -> None:
        if job.for_staff:
            await self._show_card(job, kind, words)
            return
        discord_id = job.reach.discord_id
        assert discord_id is not None
        if not await transact(contacts.door_closed, discord_id):
            try:
                await self._direct(job, discord_id, kind.card(job.data, words))
                return
            except Closed:
                await transact(contacts.found_closed, discord_id)
        await self._mention(job, discord_id)

    async def _direct(self, job: Job, discord_id: str, card: Card) -> None:
        if not await self._begin(job):
            return
        sent = None
        if since := self._long_ago(job):
            sent = await self._delivery.said_before(await self._delivery.direct_channel(discord_id), card, since)
        if sent is None:
            sent = await self._delivery.direct(discord_id, card, nonce_of(job.id, "n"))
        await transact(notices.said, job, sent.channel_id, sent.message_id)
        await transact(contacts.found_open, discord_id)

    async def _mention(self, job: Job, discord_id: str) -> None:
        """Say where everybody can read it only that there is something, with a button that shows it to its reader."""
        channel_id = None
        if await transact(contacts.in_guild, discord_id):
            channel_id = await self._places.announcement_channel(discord_id)
        if channel_id is None:
            await transact(notices.postpone, job, NO_CHANNEL_S)
            return
        if not await self._begin(job):
            return
        card = mention(discord_id, job.id)
        try:
            sent = await self._once(job, channel_id, card, "m")
        except Gone:
            log.warning("announcement_channel_gone", channel_id=channel_id)
            await transact(notices.postpone, job, NO_CHANNEL_S)
            return
        await transact(notices.said, job, sent.channel_id, sent.message_id, mentioned=True)

    async def _show_card(self, job: Job, kind: Kind, words: Any) -> None:
        if job.channel_id is not None and job.message_id is not None:
            await self._edit(job, kind, words, Sent(job.channel_id, job.message_id))
            return
        channel_id = await self._places.staff_channel(job.data.get("account"))
        if channel_id is None:
            await transact(notices.postpone, job, NO_CHANNEL_S)
            return
        reference = words.items[0].reference if kind.picture else None
        url = await transact(pictures.address, reference)
        picture = await pictures.fetch(url) if url else None
        kept = {"picture": picture.filename} if picture else {}
        if not await self._begin(job):
            return
        card = kind.card(job.data | kept, words)
        try:
            sent = await self._once(job, channel_id, card, "s", picture)
        except Gone:
            log.warning("staff_channel_gone", channel_id=channel_id)
            await transact(notices.postpone, job, NO_CHANNEL_S)
            return
        await transact(notices.said, job, sent.channel_id, sent.message_id, **kept)
        if reference:
            await transact(pictures.forget, reference)

    async def _edit(self, job: Job, kind: Kind, words: Any, where: Sent) -> None:
        await self._pace()
        try:
            await self._delivery.edit(where, kind.card(job.data, words))
        except Gone:
            log.info("card_gone", notice_id=str(job.id))
        await transact(notices.said, job, where.channel_id, where.message_id)

    async def _once(self, job: Job, channel_id: str, card: Card, part: str, picture: Any = None) -> Sent:
        """Post, unless a crash long ago came after just this was posted."""
        if (since := self._long_ago(job)) and (sent := await self._delivery.said_before(channel_id, card, since)):
            return sent
        return await self._delivery.post(channel_id, card, nonce_of(job.id, part), picture)

    def _long_ago(self, job: Job) -> Any:
        """When an earlier attempt of unknown outcome began, if Discord will have forgotten its nonce."""
        if job.tried_at is not None and job.tried_at < now() - NONCE_KEPT:
            return job.tried_at - timedelta(seconds=10)
        return None

    async def _begin(self, job: Job) -> bool:
        await self._pace()
        return await transact(notices.begin, job)

    async def _pace(self) -> None:
        async with self._turn:
            pause = self._not_before - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            self._not_before = time.monotonic() + PACE_S

    async def _held_up(self, job: Job, error: nextcord.HTTPException) -> None:
        """Discord refused: with 429 everybody waits as long as it says, else only this notice does."""
        seconds = None
        if error.status == 429:
            headers = getattr(error.response, "headers", {})
            seconds = max(1.0, float(headers.get("Retry-After", 5)))
            self._not_before = max(self._not_before, time.monotonic() + seconds)
        await transact(notices.postpone, job, seconds, unsaid=error.status < 500)
        log.warning("notice_postponed", notice_id=str(job.id), kind=job.kind, status=error.status)


def mention(discord_id: str, notice_id: UUID) -> Card:
    """What everybody may read: that there is a notice, and for whom."""
    return Card(
        content=f"<@{discord_id}> there is a notice for you. I could not send it to you directly.",
        buttons=[Button("Show it to me", f"{SHOW}{notice_id}")],
        ping=discord_id,
    )
