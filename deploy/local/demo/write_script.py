"""Writes `week.jsonl`, always the same: python -m deploy.local.demo.write_script [--seed N] [--to FILE]."""

import argparse
import json
import random
import tomllib
from pathlib import Path
from typing import Any

from deploy.local.demo.script import DAY_SECONDS, WEEK

SEED = 20
PEOPLE, MESSAGES, REACTIONS = 200, 5000, 2000
# Who is special, by number; everybody else is ordinary.
SILENT, ONLY_DIRECT, ONLY_REACTS, ONLY_SELF = 190, 191, 192, 193
LEAVER, LEAVES_ON_DAY = 194, 3
MIDNIGHT = range(20, 32)
BOT = PEOPLE
QUIET = {SILENT, ONLY_DIRECT, ONLY_REACTS}
# How busy the hours are: mornings, lunch, evenings, a few at night.
HOURS = ((9.5, 1.5), (12.7, 0.8), (16.0, 1.7), (20.5, 1.6))

Line = dict[str, Any]

PHRASES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))


class Writer:
    """Collects what happens, each with the moment of its arrival in seconds since the week began."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.arrivals: list[tuple[float, Line]] = []
        # How much each one writes, and on which days.
        self.weights = [self.random.lognormvariate(0, 0.9) for _ in range(PEOPLE)]
        self.days = [
            sorted(self.random.sample(range(7), self.random.choice((1, 2, 3, 4, 5, 5, 6, 7, 7)))) for _ in range(PEOPLE)
        ]
        self.days[LEAVER] = list(range(LEAVES_ON_DAY))

    # Texts and times

    def text(self, templates: list[str]) -> str:
        """One of the templates, filled in."""
        choose = self.random.choice
        return choose(templates).format(
            company=choose(PHRASES["companies"]),
            role=choose(PHRASES["roles"]),
            skill=choose(PHRASES["skills"]),
            topic=choose(PHRASES["topics"]),
            place=choose(PHRASES["places"]),
            time=choose(PHRASES["times"]),
            number=self.random.randint(2, 40),
        )

    def in_style(self) -> str:
        """Something a student writes."""
        names = list(PHRASES["styles"])
        return self.text(PHRASES["styles"][self.random.choices(names, (4, 4, 4, 3, 6, 4, 2, 1))[0]])

    def clock(self) -> int:
        """A second of a day, when students are awake mostly."""
        if self.random.random() < 0.06:
            return self.random.randrange(DAY_SECONDS)
        middle, spread = self.random.choice(HOURS)
        return int(self.random.gauss(middle, spread) * 3600) % DAY_SECONDS

    # What happens

    def say(self, who: int, day: int, second: int, text: str, delay: float = 0.0, door: str = "say") -> None:
        """A message, which arrives `delay` seconds after it was written."""
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        arrival = day * DAY_SECONDS + second + self.random.random() + delay
        self.arrivals.append((arrival, {"who": who, "day": day, "at": clock, door: text}))

    def late(self) -> float:
        """Most messages arrive at once, some hours or days after they were written."""
        if self.random.random() > 0.05:
            return 0.0
        return self.random.choice((60.0, 3600.0, 6 * 3600.0, 26 * 3600.0, 3 * DAY_SECONDS * 1.0))

    def every_day(self) -> None:
        """Everybody's first message of each of their days, and the two seconds around midnight."""
        for who in set(range(PEOPLE)) - QUIET:
            if who in MIDNIGHT:
                # Nothing else on these two days, so that a wrong day costs points; every other pair arrives reversed.
                day = who % 6
                late = 40.0 if who % 2 else 0.0
                self.say(who, day, DAY_SECONDS - 1, self.in_style(), late)
                self.say(who, day + 1, 1, self.in_style())
                self.days[who] = [each for each in self.days[who] if each not in (day, day + 1)]
            for day in self.days[who]:
                self.say(who, day, self.clock(), self.in_style(), 0.0 if who == LEAVER else self.late())

    def extras(self) -> None:
        """The other bot, direct messages, commands, the same member twice in a second, the same text twice."""
        for number in range(63):
            self.say(BOT, number % 7, self.clock(), self.text(PHRASES["feed"]))
        for number in range(45):
            who = ONLY_DIRECT if number < 6 else self.random.randrange(SILENT)
            self.say(who, self.random.randrange(7), self.clock(), self.text(PHRASES["direct"]), door="dm")
        for number in range(32):
            who, day = self.speaker()
            self.say(who, day, self.clock(), PHRASES["commands"][number % len(PHRASES["commands"])])
        for number in range(60):
            (who, day), second, text = self.speaker(), self.clock(), self.in_style()
            again = text if number % 2 else self.in_style()
            self.say(who, day, second, text, self.late())
            self.say(who, day, second, again)

    def speaker(self) -> tuple[int, int]:
        """An ordinary member and one of the days they are there."""
        while True:
            who = self.random.choices(range(SILENT), self.weights[:SILENT])[0]
            if self.days[who]:
                return who, self.random.choice(self.days[who])

    def bursts(self) -> None:
        """Conversations: a handful of people, two dozen messages within two minutes."""
        for _ in range(30):
            day, start = self.random.randrange(7), self.clock() % (DAY_SECONDS - 200)
            talking = self.random.sample([who for who in range(SILENT) if day in self.days[who]], 6)
            for _ in range(self.random.randint(15, 35)):
                self.say(self.random.choice(talking), day, start + self.random.randrange(120), self.in_style())

    def fill(self) -> None:
        """Ordinary messages until there are enough of all."""
        while sum("say" in line for _, line in self.arrivals) < MESSAGES:
            who, day = self.speaker()
            for _ in range(min(self.random.choice((1, 1, 2, 3)), MESSAGES)):
                self.say(who, day, self.clock(), self.in_style(), self.late())

    def leave(self) -> None:
        """One member goes, after everything they wrote."""
        self.arrivals.append((LEAVES_ON_DAY * DAY_SECONDS + 43_200.0, {"who": LEAVER, "leaves": True}))

    def react(self) -> None:
        """Reactions, each some time after its message: to others, to oneself, repeated, taken back, by the bot."""
        said = [(arrival, line) for arrival, line in self.arrivals if "say" in line]
        own = [(arrival, line) for arrival, line in said if line["who"] == ONLY_SELF]
        early = [(arrival, line) for arrival, line in said if arrival < (LEAVES_ON_DAY - 1) * DAY_SECONDS]
        liking = [who for who in range(SILENT) if who % 9]
        made = 0
        while made < REACTIONS:
            arrival, line = self.random.choice(said)
            who = self.random.choices(liking, [self.weights[each] for each in liking])[0]
            if made % 31 == 0:
                who = line["who"]
            elif made % 37 == 0:
                who = BOT
            elif made % 97 == 0:
                who = ONLY_REACTS
            elif made % 150 == 0:
                who, (arrival, line) = ONLY_SELF, self.random.choice(own)
            elif made % 301 == 0:
                who, (arrival, line) = LEAVER, self.random.choice(early)
            if (who in (ONLY_SELF, LEAVER)) and made % 150 and made % 301:
                continue
            arrival += self.random.expovariate(1 / 1800)
            reaction = {"who": who, "react": line, "emoji": self.random.choice(PHRASES["emoji"])}
            again = [reaction] if made % 50 == 0 else []
            taken_back = [reaction | {"undo": True}, reaction] if made % 101 == 0 else []
            for step, each in enumerate([reaction, *again, *taken_back]):
                self.arrivals.append((arrival + step, each))
                made += not each.get("undo", False)

    def lines(self) -> list[Line]:
        """The script: the members, then what happens, by arrival; messages numbered so that reactions can name them."""
        names = list(PHRASES["special"])
        while len(names) < PEOPLE:
            name = f"{self.random.choice(PHRASES['given'])} {self.random.choice(PHRASES['family'])}"
            names += [name] if name not in names else []
        members: list[Line] = [{"who": who, "name": name} for who, name in enumerate(names)]
        members.append({"who": BOT, "name": "Career Feed", "bot": True})
        happened = [line for _, line in sorted(self.arrivals, key=lambda each: each[0])]
        numbers = {id(line): number for number, line in enumerate((one for one in happened if "say" in one), 1)}
        return members + [self._numbered(line, numbers) for line in happened]

    @staticmethod
    def _numbered(line: Line, numbers: dict[int, int]) -> Line:
        if "say" in line:
            return {"who": line["who"], "n": numbers[id(line)], **line}
        return {**line, "react": numbers[id(line["react"])]} if "react" in line else line


def write(seed: int = SEED) -> str:
    """The text of the script."""
    writer = Writer(seed)
    writer.every_day()
    writer.extras()
    writer.bursts()
    writer.fill()
    writer.leave()
    writer.react()
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in writer.lines())


def main() -> None:
    """Write it where the demo reads it."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.demo.write_script", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--to", type=Path, default=WEEK)
    given = parser.parse_args()
    given.to.write_text(write(given.seed), encoding="utf-8")


if __name__ == "__main__":
    main()
