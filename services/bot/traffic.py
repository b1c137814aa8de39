"""Counts what the bot asks Discord for, and what Discord says to it: its limits show here first, as answers 429."""

from types import SimpleNamespace
from typing import Any

import aiohttp
import nextcord
from prometheus_client import Counter

answered = Counter("discord_requests_total", "Requests that Discord answered", ["method", "status"])
unanswered = Counter("discord_requests_failed_total", "Requests to Discord that ended without an answer", ["method"])


async def _ended(_session: Any, _context: SimpleNamespace, said: aiohttp.TraceRequestEndParams) -> None:
    answered.labels(said.method, said.response.status).inc()


async def _failed(_session: Any, _context: SimpleNamespace, said: aiohttp.TraceRequestExceptionParams) -> None:
    unanswered.labels(said.method).inc()


def counting() -> aiohttp.TraceConfig:
    """What makes an aiohttp session count."""
    found = aiohttp.TraceConfig()
    found.on_request_end.append(_ended)
    found.on_request_exception.append(_failed)
    return found


def count(client: nextcord.Client) -> None:
    """Count what nextcord itself sends: it tries again after a 429 by itself and tells nobody. Repeating changes nothing."""
    # Private to nextcord, which has no other way; the test of this counts real requests.
    session = client.http._HTTPClient__session  # type: ignore[attr-defined]
    if not session.trace_configs:
        config = counting()
        config.freeze()
        session.trace_configs.append(config)
