"""Shows answers as they come: one task for everybody who waits, whichever process asked.

While somebody waits who asked just now it looks every 12 ms, else twice a second.
"""

import asyncio
import time
from typing import Any

import aiohttp
import nextcord

from fleet import logs, tracing
from fleet.database import is_outage
from services.bot import answers, late_answers, refusals
from services.bot.answers import Due
from services.bot.calls import tell
from services.bot.cards import Rendered
from services.bot.delivery import Closed, Delivery, Gone, nonce_of
from services.bot.off_loop import transact

log = logs.get(__name__)

FAST_S, SLOW_S = 0.012, 0.5
FAST_FOR_S = 5.0
AT_ONCE = 32


def render(due: Due) -> Rendered | None:
    """What to say now; None when there is nothing worth saying any more."""
    if due.body is None:
        if due.kind == "command":
            # An interaction that is over cannot say so any more; what becomes of it will be a notice.
            return Rendered(refusals.received()) if due.token_alive or due.door.token is None else None
        # After a quarter of an hour nobody wonders about a question that failed.
        return Rendered(refusals.not_answering()) if due.token_alive else None
    return late_answers.present(due.type, due.presenter, due.arguments, due.message_id, due.body)


class Answering:
    """Looks for answers and delivers them until cancelled."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._wake = asyncio.Event()
        self._fast_until = 0.0
        self._busy: dict[Any, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def expect(self) -> None:
        """Somebody asked just now: look often for a while."""
        self._fast_until = time.monotonic() + FAST_FOR_S
        self._wake.set()

    async def run(self) -> None:
        """Look, deliver, rest; an outage of the database only makes it wait."""
        while True:
            try:
                # What was being told when the look began may be settled by the time it returns: leave it to the next one.
                told = set(self._busy)
                for due in await transact(answers.due):
                    if due.message_id not in told:
                        self._busy[due.message_id] = asyncio.create_task(self._handle(due))
            except Exception as error:
                if not is_outage(error):
                    log.exception("answers_not_read")
                await asyncio.sleep(SLOW_S)
            await self._rest()

    async def finish(self, seconds: float) -> None:
        """Let what is being delivered come to its end, for so long."""
        if self._busy:
            await asyncio.wait(list(self._busy.values()), timeout=seconds)

    async def _rest(self) -> None:
        if time.monotonic() < self._fast_until:
            await asyncio.sleep(FAST_S)
            return
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), SLOW_S)
        except TimeoutError:
            pass

    async def _handle(self, due: Due) -> None:
        try:
            async with self._slots:
                with tracing.span(f"answer {due.type}", parent=due.traceparent):
                    await self._show(due)
        except Exception as error:
            log.warning("answer_not_settled", message_id=str(due.message_id), error=type(error).__name__)
            await asyncio.sleep(SLOW_S)
        finally:
            self._busy.pop(due.message_id, None)

    async def _show(self, due: Due) -> None:
        if due.body is not None and due.door.token is not None and not due.token_alive:
            await transact(late_answers.become_notice, due)
            return
        rendered = render(due)
        if rendered is not None:
            if rendered.next_cursor and (listing := due.arguments.get("listing")):
                page = int(due.arguments.get("page", 1)) + 1
                await transact(answers.keep_page, listing, page, rendered.next_cursor)
            try:
                await self._deliver(due, rendered)
            except (Closed, Gone) as error:
                log.info("answer_undeliverable", message_id=str(due.message_id), reason=type(error).__name__)
                # What became of a command is owed to who gave it; "received" and lists are not worth another way.
                if due.body is not None and (due.kind == "command" or due.door.token is not None):
                    await transact(late_answers.become_notice, due)
                    return
            except (nextcord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
                # Not the text of the error: it may hold the address, and with it the interaction's token.
                status = getattr(error, "status", None)
                again = await transact(late_answers.postpone, due)
                log.warning(
                    "answer_not_delivered",
                    message_id=str(due.message_id),
                    error=type(error).__name__,
                    status=status,
                    again=again,
                )
                return
        if due.kind == "command" and due.body is None:
            await transact(answers.keep_waiting, due.message_id)
        else:
            await transact(answers.settle, due.message_id)

    async def _deliver(self, due: Due, rendered: Rendered) -> None:
        stage = "r" if due.body is None else "a"
        if due.door.token is None:
            in_channel, directly = nonce_of(due.message_id, f"{stage}c"), nonce_of(due.message_id, f"{stage}d")
            await tell(self._delivery, due.door, rendered, (in_channel, directly))
            return
        await self._delivery.edit_answer(due.door.token, rendered.card)
