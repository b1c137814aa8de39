"""What can be refused: Discord's errors to the bot, plain sentences to whoever uses ``/local/``."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

JSON = dict[str, Any]


class DiscordError(Exception):
    """A refusal as Discord words it: status, numeric code, and for a bad form where it is bad."""

    def __init__(self, status: int, code: int, message: str, errors: JSON | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.errors = status, code, message, errors

    def response(self) -> web.Response:
        """The HTTP answer."""
        body: JSON = {"message": self.message, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        return answer(body, self.status)


class LocalError(Exception):
    """A refusal on ``/local/``: one sentence that says what to do instead."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence

    def response(self) -> web.Response:
        """The HTTP answer."""
        return answer({"error": self.sentence}, self.status)


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """JSON under exactly ``application/json``: nextcord compares the whole header and a charset would break it."""
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json", headers=headers)


_UNKNOWN = {
    "Channel": 10003,
    "Guild": 10004,
    "Member": 10007,
    "Message": 10008,
    "Role": 10011,
    "User": 10013,
    "Webhook": 10015,
    "Interaction": 10062,
    "application command": 10063,
}


def unknown(what: str) -> DiscordError:
    """404 for an id that names nothing."""
    return DiscordError(404, _UNKNOWN[what], f"Unknown {what}")


class FormErrors:
    """Collects everything wrong with one form, so that the bot's author reads it all at once."""

    def __init__(self) -> None:
        self.tree: JSON = {}

    def add(self, path: tuple[str | int, ...], code: str, message: str) -> None:
        """Files one error under the place in the form where it is."""
        node = self.tree
        for step in path:
            node = node.setdefault(str(step), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def length(self, path: tuple[str | int, ...], value: Any, low: int, high: int, *, required: bool = False) -> bool:
        """Checks a text and its length; True when it is there and fits."""
        if value is None:
            if required:
                self.add(path, "BASE_TYPE_REQUIRED", "This field is required")
            return False
        if not isinstance(value, str):
            self.add(path, "STRING_TYPE_CONVERT", f"Could not interpret {json.dumps(value)[:80]} as string.")
            return False
        if low <= len(value) <= high:
            return True
        if not value and required:
            self.add(path, "BASE_TYPE_REQUIRED", "This field is required")
        elif low:
            self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {low} and {high} in length.")
        else:
            self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {high} or fewer in length.")
        return False

    def objects(self, path: tuple[str | int, ...], value: Any, high: int, *, low: int = 0) -> list[JSON]:
        """Checks a list of objects and how many there are; what can be looked at further comes back."""
        if value is None:
            value = []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.add(path, "MODEL_TYPE_CONVERT", "Only a list of objects can be used here.")
            return []
        if not low <= len(value) <= high:
            self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {low} and {high} in length.")
            return []
        return value

    def settle(self) -> None:
        """Refuses the form when anything was filed."""
        if self.tree:
            raise DiscordError(400, 50035, "Invalid Form Body", self.tree)
