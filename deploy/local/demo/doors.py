"""The leaderboard through its two doors: `/leaderboard` in Discord, leafed through to its end, and REST."""

import re
from typing import Any

import aiohttp

from deploy.local.demo.comparing import Row
from deploy.local.demo.playing import LocalDiscord, Refused

MEDALS = {"🥇": 1, "🥈": 2, "🥉": 3}
WAIT_S = 15
# `🥇 Ada: 37 points` or `**1,024.** Ada: 5 points ← you`; the name between marks that isolate its writing direction.
_LINE = re.compile(r"(?:([🥇🥈🥉])|\*\*([\d,]+)\.\*\*) \u2068?(.*?)\u2069?: ([\d,]+) points?(?: ← you)?")
_ESCAPED = re.compile(r"\\([^A-Za-z0-9\s])")


def rows_of(embed: dict[str, Any]) -> list[Row]:
    """The lines of the board that an embed of `/leaderboard` shows."""
    rows = []
    for text in embed.get("description", "").splitlines():
        if found := _LINE.fullmatch(text):
            medal, rank, name, points = found.groups()
            rows.append(Row(MEDALS[medal] if medal else _number(rank), _ESCAPED.sub(r"\1", name), _number(points)))
    return rows


def _number(text: str) -> int:
    return int(text.replace(",", ""))


async def board_in_discord(discord: LocalDiscord, user: str, period: str) -> tuple[list[Row], int]:
    """The whole board as `user` sees it with `/leaderboard`, next page after next page, and how many pages it has."""
    asked = await discord.post("commands", user=user, name="leaderboard", options={"period": period})
    rows: list[Row] = []
    pages = 0
    message: dict[str, Any] = {}
    while True:
        message = await _answer(discord, user, asked["id"], message.get("components"))
        embed = (message["embeds"] or [{}])[0]
        shown = rows_of(embed)
        rows += shown
        pages += 1
        button = next_button(message)
        if button is None:
            return rows, pages
        if not shown:
            raise Refused(f"/leaderboard showed no page {pages}: {message['content'] or embed.get('description')}")
        asked = await discord.post("clicks", user=user, message=message["id"], custom_id=button)


async def _answer(discord: LocalDiscord, user: str, interaction: str, turned: Any = None) -> dict[str, Any]:
    """The answer to a command or click: a new message of its own, or the message that was clicked, edited.

    The page that was clicked on may be edited once more before the next one comes; `turned` are its buttons.
    """
    after = interaction
    while True:
        found = await discord.get("messages", user=user, after=after, wait=str(WAIT_S))
        if not found["items"]:
            raise Refused(f"the bot did not answer /leaderboard within {WAIT_S} s; see `make logs SERVICE=bot`")
        for item in found["items"]:
            # Nothing else in this member's sight is ephemeral: it is the board, or the apology for it.
            if item["ephemeral_to"] == user and item["components"] != turned:
                return dict(item)
        after = found["cursor"]


def next_button(message: dict[str, Any]) -> str | None:
    """The id of the button to the next page, when there is one."""
    for row in message["components"]:
        for item in row["components"]:
            if item.get("label") == "Next" and not item.get("disabled"):
                return str(item["custom_id"])
    return None


class Rest:
    """The gateway, signed in as one of the accounts that `make up` made."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self.url = session, url
        self._headers: dict[str, str] = {}

    async def sign_in(self, username: str, password: str) -> None:
        """Get a token."""
        found = await self._ask("POST", "/api/users/login/", json={"username": username, "password": password})
        self._headers = {"Authorization": f"Bearer {found['tokens']['access']}"}

    async def board(self, period: str) -> list[Row]:
        """The whole board."""
        rows: list[Row] = []
        query = {"period": period, "limit": "100"}
        while True:
            page = await self._ask("GET", "/api/leaderboard/", params=query)
            rows += [Row(item["rank"], item["display_name"], item["points"]) for item in page["items"]]
            if page["next_cursor"] is None:
                return rows
            query["cursor"] = page["next_cursor"]

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            async with self._session.request(method, self.url + path, headers=self._headers, **options) as answer:
                found: dict[str, Any] = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Refused(f"the gateway at {self.url} did not answer ({type(error).__name__})") from error
        if answer.status >= 400:
            raise Refused(f"the gateway refused {method} {path}: {found.get('detail') or found.get('title')}")
        return found
