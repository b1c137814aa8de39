"""Sightings gathered between two transactions: a burst of thousands of messages costs a few of them.

What was seen is written down a few milliseconds later, and kept until the database has taken it, however long that is
away. What the table is known to hold already is not even gathered.
"""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fleet import logs
from fleet.database import is_outage
from fleet.messages import now
from services.bot.earning import DAYS_KEPT, DayOf, Liked, Sightings, programme_day, write_down
from services.bot.off_loop import transact
from services.bot.people import Person

log = logs.get(__name__)

GATHER_S = 0.02
PAUSE_S = (0.2, 3.0)
AT_MOST = 500
KNOWN_AT_MOST = 200_000


class Gathering:
    """Takes sightings from the event loop and writes them down until closed."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._waiting = Sightings()
        self._underway = Sightings()
        self._something = asyncio.Event()
        # What is in the tables already. All three are only shortcuts: losing them costs a statement, never a point.
        self._known: dict[str, Person] = {}
        self._written: set[DayOf] = set()
        self._closed_until: dict[str, datetime] = {}
        # Whose reaction is on its way to the table; until then no other of theirs can count.
        self._liking: set[str] = set()

    def saw(self, person: Person, *, joined: bool = False, by_command: bool = False) -> None:
        """Somebody is there (joined, wrote, reacted, called a command in the server)."""
        if by_command:
            self._waiting.commanded.add(person.discord_id)
            self._begin_anew(person.discord_id)
        elif joined:
            self._waiting.joined.add(person.discord_id)
        elif self._known.get(person.discord_id) == person:
            return
        self._waiting.people[person.discord_id] = person
        self._something.set()

    def _begin_anew(self, discord_id: str) -> None:
        """Drop the shortcuts of somebody who may have been erased meanwhile: a new beginning earns like any other."""
        today = programme_day(now(), self._zone)
        self._written -= {(discord_id, today), (discord_id, today - timedelta(days=1))}
        self._closed_until.pop(discord_id, None)

    def wrote(self, person: Person, at: datetime) -> None:
        """Somebody wrote a message at that time; the first of their day counts, whenever it arrives."""
        self.saw(person)
        key = (person.discord_id, programme_day(at, self._zone))
        if key in self._written or key in self._waiting.messages or key in self._underway.messages:
            return
        self._waiting.messages[key] = at
        self._waiting.people[person.discord_id] = person
        self._something.set()

    def may_like(self, discord_id: str, at: datetime) -> bool:
        """True when a reaction at that time is worth looking at, as far as this process knows."""
        return discord_id not in self._liking and at >= self._closed_until.get(discord_id, at)

    def liked(self, person: Person, message_id: str, at: datetime) -> None:
        """Somebody reacted to what another person wrote."""
        self._liking.add(person.discord_id)
        self._waiting.likes.append(Liked(person.discord_id, message_id, at))
        self._waiting.people[person.discord_id] = person
        self._something.set()

    async def run(self) -> None:
        """Write down what is gathered, again and again, until cancelled."""
        while True:
            await self._something.wait()
            await asyncio.sleep(GATHER_S)
            await self.write()

    async def write(self) -> None:
        """Write down everything gathered so far."""
        while self._waiting or self._underway:
            if not self._underway:
                self._underway, self._waiting = self._waiting, Sightings()
                self._something.clear()
            for part in _parts(self._underway):
                await self._write(part)
            self._remember(self._underway)
            self._underway = Sightings()

    async def close(self, seconds: float) -> bool:
        """Write down the rest; False when the database did not take it within `seconds`."""
        try:
            await asyncio.wait_for(self.write(), seconds)
        except TimeoutError:
            rest = len(self._waiting.messages) + len(self._underway.messages)
            log.error("sightings_lost", messages=rest, reactions=len(self._waiting.likes) + len(self._underway.likes))
            return False
        return True

    async def _write(self, part: Sightings) -> None:
        pause = PAUSE_S[0]
        while True:
            try:
                self._closed_until |= await transact(write_down, part)
                return
            except Exception as error:
                if not is_outage(error):
                    await self._write_one_by_one(part)
                    return
                log.warning("sightings_held", messages=len(part.messages), pause_s=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, PAUSE_S[1])

    async def _write_one_by_one(self, part: Sightings) -> None:
        """One of them cannot be written; the others must not suffer for it."""
        for person in part.people.values():
            single = _of(part, [person])
            try:
                self._closed_until |= await transact(write_down, single)
            except Exception as error:
                if is_outage(error):
                    await self._write(single)
                else:
                    log.exception("sighting_not_written")

    def _remember(self, written: Sightings) -> None:
        if len(self._known) + len(self._written) > KNOWN_AT_MOST:
            self._known.clear()
            self._written.clear()
        self._known |= written.people
        self._written |= written.messages.keys()
        self._liking -= {like.discord_id for like in written.likes}

    def forget_old(self) -> None:
        """Drop shortcuts that can no longer be taken."""
        if self._written:
            oldest = max(day for _, day in self._written) - DAYS_KEPT
            self._written = {key for key in self._written if key[1] >= oldest}
        present = now()
        self._closed_until = {who: until for who, until in self._closed_until.items() if until > present}


def _parts(seen: Sightings) -> Iterator[Sightings]:
    everybody = list(seen.people.values())
    for start in range(0, len(everybody), AT_MOST):
        yield _of(seen, everybody[start : start + AT_MOST])


def _of(seen: Sightings, chosen: list[Person]) -> Sightings:
    ids = {person.discord_id for person in chosen}
    return Sightings(
        people={person.discord_id: person for person in chosen},
        joined=seen.joined & ids,
        commanded=seen.commanded & ids,
        messages={key: at for key, at in seen.messages.items() if key[0] in ids},
        likes=[like for like in seen.likes if like.discord_id in ids],
    )
