"""The demo without a fleet: its script, the recount, playing it into local Discord, and the comparison."""

import asyncio
import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from deploy.local.demo import script, write_script
from deploy.local.demo.__main__ import naming, play_number, same_board
from deploy.local.demo.comparing import Row, chosen, equal, expected, left_out, pad, ranked, side_by_side, table, width
from deploy.local.demo.doors import next_button, rows_of
from deploy.local.demo.playing import LocalDiscord, Play, Refused
from deploy.local.demo.recount import recount
from deploy.local.discord.server import build
from deploy.local.discord.snowflakes import moment_of
from deploy.local.discord.world import World
from fleet.contracts.points import Leaderboard, OwnPlace, Place
from services.bot.presenters import show_leaderboard

TEXT = script.WEEK.read_text(encoding="utf-8")
WEEK = script.read(TEXT)
UTC_ZONE = ZoneInfo("UTC")
WEDNESDAY = date(2026, 11, 25)


def lines(*events):
    people = [{"who": 0, "name": "Ada"}, {"who": 1, "name": "Bo"}, {"who": 2, "name": "Feed", "bot": True}]
    return "".join(json.dumps(line) + "\n" for line in [*people, *events])


def said(who, n, day, at="12:00:00"):
    return {"who": who, "n": n, "day": day, "at": at, "say": "hello"}


# The script


def test_the_script_is_what_the_generator_writes():
    assert write_script.write() == TEXT, "run python -m deploy.local.demo.write_script"
    assert len(TEXT.encode()) < 1_000_000


def test_the_script_has_the_people_and_the_amounts_it_promises():
    assert [member.number for member in WEEK.members] == list(range(201))
    assert [member.bot for member in WEEK.members].count(True) == 1
    names = [member.name for member in WEEK.members]
    assert len(set(names)) == len(names)
    # Room for the number of a later class; Discord takes 32.
    assert max(map(len, names)) <= 28
    assert 4_900 <= len(WEEK.messages) <= 5_100
    assert len(WEEK.reactions) == 2_000
    assert sum(isinstance(event, script.Leaving) for event in WEEK.events) == 1
    assert all(0 < len(message.text) <= 2_000 for message in WEEK.messages)


def test_nobody_reacts_to_what_is_not_there_and_nobody_acts_after_leaving():
    seen, gone = set(), set()
    for event in WEEK.events:
        assert event.who not in gone
        if isinstance(event, script.Message):
            seen.add(event.number)
        elif isinstance(event, script.Leaving):
            gone.add(event.who)
        else:
            assert event.message in seen
    (leaver,) = gone
    assert recount(TEXT, WEDNESDAY)["all_time"][WEEK.members[leaver].name] > 0


def test_the_script_has_the_awkward_cases():
    public = [message for message in WEEK.messages if not message.direct]
    moments = [(message.day, message.second) for message in public]
    assert sum(later < earlier for earlier, later in pairwise(moments)) > 100, "out of order"
    together = Counter((message.who, message.day, message.second) for message in public)
    assert sum(count > 1 for count in together.values()) >= 30, "twice in a second"
    same = Counter((message.who, message.day, message.second, message.text) for message in public)
    assert sum(count > 1 for count in same.values()) >= 20, "the very same twice"
    assert sum(message.second == script.DAY_SECONDS - 1 for message in public) >= 10
    assert sum(message.second == 1 for message in public) >= 10
    authors = {message.number: message.who for message in public}
    assert sum(authors[reaction.message] == reaction.who for reaction in WEEK.reactions) >= 40, "to own messages"
    assert sum(reaction.who == 200 for reaction in WEEK.reactions) >= 30, "by the bot"
    assert any(isinstance(event, script.Reaction) and event.undo for event in WEEK.events)
    assert sum(message.direct for message in WEEK.messages) >= 40
    assert sum(message.text.startswith("!") for message in public) >= 20


@pytest.mark.parametrize(
    "zone", ["UTC", "America/New_York", "Pacific/Kiritimati", "America/Santiago", "Asia/Kathmandu"]
)
@pytest.mark.parametrize("now", ["2026-03-10T00:00:01+00:00", "2026-11-23T20:15:00+00:00", "2026-09-07T04:00:00+00:00"])
def test_every_message_is_dated_on_its_day_of_the_programme_and_never_in_the_future(zone, now):
    zone, now = ZoneInfo(zone), datetime.fromisoformat(now)
    today = now.astimezone(zone).date()
    for message in WEEK.messages:
        at = script.moment(message, now, zone)
        assert at <= now
        assert at.astimezone(zone).date() == today - timedelta(days=6 - message.day)


# The recount


def test_the_first_message_of_a_day_earns_and_the_second_does_not():
    counted = recount(lines(said(0, 1, 6), said(0, 2, 6), said(0, 3, 5, "23:59:59"), said(1, 4, 2)), WEDNESDAY)
    assert counted["all_time"] == {"Ada": 10, "Bo": 5}


def test_one_reaction_to_somebody_else_earns_and_those_to_oneself_and_those_of_bots_do_not():
    reactions = [{"who": who, "react": n, "emoji": "👍"} for who, n in ((0, 1), (0, 2), (0, 3), (1, 2), (2, 1))]
    counted = recount(lines(said(0, 1, 6), said(1, 2, 6), said(2, 3, 6), *reactions), WEDNESDAY)
    assert counted["all_time"] == {"Ada": 7, "Bo": 5}


def test_direct_messages_earn_nothing():
    assert recount(lines({"who": 0, "day": 6, "at": "10:00:00", "dm": "hi"}), WEDNESDAY)["all_time"] == {}


def test_weeks_begin_on_monday_and_months_on_the_first():
    days = [said(0, n, n) for n in range(7)]
    wednesday, second = (recount(lines(*days), day) for day in (WEDNESDAY, date(2026, 12, 2)))
    assert (wednesday["all_time"], wednesday["weekly"], wednesday["monthly"]) == ({"Ada": 35}, {"Ada": 15}, {"Ada": 35})
    assert (second["weekly"], second["monthly"]) == ({"Ada": 15}, {"Ada": 10})


def test_the_recount_agrees_with_a_slower_one_that_goes_by_instants():
    now, zone = datetime(2026, 11, 25, 20, 15, tzinfo=UTC), ZoneInfo("Asia/Kathmandu")
    today, names = (
        now.astimezone(zone).date(),
        {member.number: member.name for member in WEEK.members if not member.bot},
    )
    days, authors, points = defaultdict(set), {}, Counter()
    for message in WEEK.messages:
        if not message.direct:
            authors[message.number] = message.who
            days[message.who].add(script.moment(message, now, zone).astimezone(zone).date())
    for who, name in names.items():
        liked = any(each.who == who != authors[each.message] for each in WEEK.reactions)
        points[name] = 5 * len(days[who]) + 2 * liked
    assert recount(TEXT, today)["all_time"] == +points


# Playing


def test_playing_puts_everything_into_local_discord_as_the_script_says():
    events = [
        said(0, 1, 0, "23:59:59"),
        said(1, 2, 6),
        {"who": 0, "react": 2, "emoji": "👍"},
        {"who": 0, "react": 2, "emoji": "👍", "undo": True},
        {"who": 1, "react": 1, "emoji": "🎉"},
        {"who": 1, "day": 6, "at": "11:00:00", "dm": "psst"},
        {"who": 1, "leaves": True},
    ]
    played, now, world = script.read(lines(*events)), datetime.now(UTC), World()
    steps = []

    async def play():
        world.found()
        async with TestServer(build(world, "token")) as server, aiohttp.ClientSession() as session:
            discord = LocalDiscord(session, str(server.make_url("")).rstrip("/"))
            one = Play(discord, played, now, UTC_ZONE)
            await one.join(lambda member: f"{member.name} 2", lambda: steps.append("joined"))
            await one.play(lambda: steps.append("played"))
            with pytest.raises(Refused, match="not in the guild"):
                await discord.post("messages", user=one.people[1], content="still here?")

    asyncio.run(play())
    assert Counter(steps) == {"joined": 3, "played": 7}
    users = {user.name: user for user in world.users.values()}
    assert users["Feed 2"].bot and users["Ada 2"].in_guild and not users["Bo 2"].in_guild
    first, second, direct = sorted(world.messages.values(), key=lambda message: (message.content == "psst", message.id))
    assert moment_of(first.id).date() == (now - timedelta(days=6)).date()
    assert moment_of(second.id) <= now
    assert (first.reactions, second.reactions) == ({"🎉": [users["Bo 2"].id]}, {})
    assert world.channels[direct.channel_id].recipient == users["Bo 2"].id


def test_a_second_play_gets_new_people_and_a_third_too():
    assert play_number(WEEK, {"Somebody Else"}) == 1
    assert play_number(WEEK, {naming(1)(WEEK.members[3].name)}) == 2
    assert play_number(WEEK, {naming(number)(WEEK.members[9].name) for number in (1, 2)}) == 3


def test_a_board_is_only_compared_while_its_week_and_month_last():
    sunday, monday, first = date(2026, 11, 29), date(2026, 11, 30), date(2026, 12, 1)
    assert [same_board(period, sunday, monday) for period in ("all_time", "weekly", "monthly")] == [True, False, True]
    assert [same_board(period, monday, first) for period in ("all_time", "weekly", "monthly")] == [True, True, False]


# Reading and comparing


def test_what_leaderboard_shows_is_read_back_whatever_the_names():
    names = ["*Starling*", "pixel_otter", "ليلى القيسي 🌙", "Søren (he/him)", "a: 5 points", "\\backslash\\", "x ← you"]
    places = [Place(rank, name, 1_240 - rank, 1_240 - rank, rank == 2) for rank, name in enumerate(names, 1)]
    places += [Place(1_001, "Zed", 1, 1, False)]
    board = Leaderboard("all_time", places, 1_001, OwnPlace(2, 7, 7, [], []), "cursor")
    shown = show_leaderboard(board, {"private": True, "listing": "abc", "page": 2}).card.payload()
    assert rows_of(shown["embeds"][0]) == [Row(place.rank, place.display_name, place.points) for place in places]
    assert next_button(shown) == "page:leaderboard:all_time:abc:3"
    last = show_leaderboard(Leaderboard("all_time", places, 8, None, None), {"listing": "abc", "page": 2})
    assert next_button(last.card.payload()) is None


def test_equal_points_share_a_rank_and_their_order_does_not_matter():
    board = ranked([("Bo", 7), ("Ada", 12), ("Cy", 7), ("Di", 2)])
    assert board == [Row(1, "Ada", 12), Row(2, "Bo", 7), Row(2, "Cy", 7), Row(4, "Di", 2)]
    assert equal(board, [board[0], board[2], board[1], board[3]])
    assert not equal(board, [board[1], board[0], board[2], board[3]])


@pytest.mark.parametrize(
    "wrong",
    [
        [Row(1, "Ada", 12)],
        [Row(1, "Ada", 12), Row(2, "Bo", 5)],
        [Row(1, "Ada", 12), Row(3, "Bo", 7)],
        [Row(1, "Ada", 12), Row(2, "Be", 7)],
        [Row(1, "Ada", 12), Row(2, "Bo", 7), Row(2, "Bo", 7)],
    ],
)
def test_a_missing_row_wrong_points_a_wrong_rank_a_wrong_name_and_a_doubled_row_differ(wrong):
    right = [Row(1, "Ada", 12), Row(2, "Bo", 7)]
    assert equal(right, right) and not equal(right, wrong)
    assert any(line.differs for line in side_by_side([right, wrong]))


def test_whoever_was_on_the_board_before_stays_on_it():
    before = [Row(1, "Old", 40), Row(2, "Ada", 7)]
    assert expected(before, {"Ada": 7, "Bo": 45}) == [
        Row(1, "Bo", 45),
        Row(2, "Old", 40),
        Row(3, "Ada", 7),
        Row(3, "Ada", 7),
    ]


def test_the_table_is_aligned_by_what_names_take_on_a_screen_and_keeps_what_differs():
    assert [width(text) for text in ("abc", "小林", "🦊 נועה", "é", "e\u0301")] == [3, 4, 7, 1, 1]
    assert pad("נועה", 6) == "\u2068נועה\u2069  "
    right = ranked([("小林", 9), ("🦊 נועה", 8), ("Ada", 7), ("Bo", 6)])
    wrong = [*right[:3], Row(4, "Bo", 5)]
    found = side_by_side([right, wrong])
    assert [line.name for line in chosen(found, 1, ["Ada"])] == ["小林", "Ada", "Bo"]
    texts = table(found, ["left", "right"])
    assert len({width(text.removesuffix("   differs")) for text in texts}) == 1
    assert [text.endswith("differs") for text in texts] == [False, False, False, False, True]


def test_one_wrong_number_is_not_buried_under_the_ranks_that_follow_from_it():
    right = ranked([("Ada", 9), ("Bo", 7), ("Cy", 7), ("Di", 7), ("Ed", 1)])
    wrong = ranked([("Ada", 9), ("Bo", 7), ("Cy", 7), ("Di", 12), ("Ed", 1)])
    found = side_by_side([right, wrong])
    assert [line.name for line in chosen(found, 0, [])] == ["Di"]
    assert left_out(found, chosen(found, 0, [])) == (
        "... and 1 more, on which all agree, and 3 more whose rank differs in consequence"
    )
    assert left_out(found, found) == ""
