"""The script of the week: who takes part, and what they do, in the order in which it arrives.

Each line of `week.jsonl` is one JSON object:

    {"who": 7, "name": "..."}                                      a member (with "bot": true: another bot)
    {"who": 7, "n": 12, "day": 3, "at": "09:14:05", "say": "..."}    message number 12, written on the fourth day
    {"who": 7, "day": 3, "at": "09:14:05", "dm": "..."}              a direct message to the bot
    {"who": 9, "react": 12, "emoji": "..."}                          a reaction to message 12 ("undo": true takes it back)
    {"who": 9, "leaves": true}                                       leaves the server for good

Day 6 is the day on which the script is played, days 0 to 5 are the days before it; `at` is the time of day in the
programme's zone. Nothing may be dated in the future, so the hours of day 6 are squeezed into those that have passed.
"""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

WEEK = Path(__file__).with_name("week.jsonl")
LAST_DAY = 6
DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Member:
    """Somebody on the server."""

    number: int
    name: str
    bot: bool = False


@dataclass(frozen=True)
class Message:
    """A message; `number` is what reactions name it by, None for a direct message."""

    who: int
    number: int | None
    day: int
    second: int
    text: str

    @property
    def direct(self) -> bool:
        """True for a direct message to the bot."""
        return self.number is None


@dataclass(frozen=True)
class Reaction:
    """A reaction to a message, or its taking back."""

    who: int
    message: int
    emoji: str
    undo: bool = False


@dataclass(frozen=True)
class Leaving:
    """A member leaves the server."""

    who: int


Event = Message | Reaction | Leaving


@dataclass(frozen=True)
class Script:
    """A whole script."""

    members: list[Member]
    events: list[Event]

    @property
    def messages(self) -> list[Message]:
        """Its messages, direct ones among them."""
        return [event for event in self.events if isinstance(event, Message)]

    @property
    def reactions(self) -> list[Reaction]:
        """Its reactions, without those that take one back."""
        return [event for event in self.events if isinstance(event, Reaction) and not event.undo]


def read(text: str) -> Script:
    """The script that these lines are."""
    members: list[Member] = []
    events: list[Event] = []
    for line in text.splitlines():
        said = json.loads(line)
        who = said["who"]
        if "name" in said:
            members.append(Member(who, said["name"], said.get("bot", False)))
        elif "react" in said:
            events.append(Reaction(who, said["react"], said["emoji"], said.get("undo", False)))
        elif "leaves" in said:
            events.append(Leaving(who))
        else:
            text_said = said["say"] if "say" in said else said["dm"]
            events.append(Message(who, said.get("n"), said["day"], _second(said["at"]), text_said))
    return Script(members, events)


def _second(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)


def moment(message: Message, now: datetime, zone: ZoneInfo) -> datetime:
    """When the message was written, for a script that is played at `now`: never after it."""
    today = now.astimezone(zone).date()
    if message.day == LAST_DAY:
        midnight = datetime.combine(today, time(), zone).astimezone(UTC)
        return midnight + (now.astimezone(UTC) - midnight) * (message.second / DAY_SECONDS)
    day: date = today - timedelta(days=LAST_DAY - message.day)
    clock = time(message.second // 3600, message.second // 60 % 60, message.second % 60)
    return datetime.combine(day, clock, zone).astimezone(UTC)
