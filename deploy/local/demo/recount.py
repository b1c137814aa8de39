"""What must be on the boards, counted from the script alone: no code of Propel, of the player or of its reader is used."""

import json
from collections import Counter
from datetime import date, timedelta

PERIODS = ("all_time", "weekly", "monthly")


def recount(script: str, today: date) -> dict[str, Counter[str]]:
    """Points by name for each board, for a script that is played on the programme day `today`.

    The first message of a day on the server: 5 points. The first reaction to somebody else's message: 2, once, because
    a reaction counts when it arrives and the whole play arrives within an hour.
    """
    lines = [json.loads(line) for line in script.splitlines()]
    names = {line["who"]: line["name"] for line in lines if "name" in line and not line.get("bot")}
    author = {line["n"]: line["who"] for line in lines if "say" in line}
    # A set, so whatever was done twice is in it once: (who, on which day, worth what).
    deeds = {(line["who"], today - timedelta(days=6 - line["day"]), 5) for line in lines if "say" in line}
    deeds |= {(line["who"], today, 2) for line in lines if "react" in line and author[line["react"]] != line["who"]}
    monday, first = today - timedelta(days=today.weekday()), today.replace(day=1)
    boards: dict[str, Counter[str]] = {period: Counter() for period in PERIODS}
    for who, day, points in deeds:
        for period, since in (("all_time", date.min), ("weekly", monday), ("monthly", first)):
            if who in names and day >= since:
                boards[period][names[who]] += points
    return boards
