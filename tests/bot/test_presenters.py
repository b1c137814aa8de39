"""Every answer fits into Discord's limits, whatever people call themselves, and says only what its reader may know."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from fleet.contracts import points, reviews, users
from services.bot import presenters, refusals
from services.bot.cards import Button, Card, Lines, name_of, plain
from services.bot.cogs.general import WELCOME, help_page
from tests.bot import extremes

AT = datetime(2025, 12, 3, 12, tzinfo=UTC)
HOSTILE = [
    "@everyone <@101> <@&5> <#7>",
    "**bold** __x__ ~~y~~ ||z|| `code` ```block```",
    "[free points](https://evil.example)",
    "> quote\n# heading\n- list",
    "\u202eright to left\u202c",
    "مرحبا ١٢٣",
    "👩‍👩‍👧‍👦" * 30,
    "x" * 5000,
    "\\" * 300,
    "\u200b\u2066",
    "",
]
HUGE = 2**52


def check(card):
    """The limits of Discord's API on one message."""
    payload = card.payload()
    assert len(payload["content"]) <= 2000
    assert payload["allowed_mentions"] == {"parse": [], "replied_user": False}
    for embed in payload["embeds"]:
        fields = embed.get("fields", [])
        assert len(fields) <= 25
        assert len(embed["title"]) <= 256
        assert len(embed.get("description", "")) <= 4096
        assert all(1 <= len(one["name"]) <= 256 and 1 <= len(one["value"]) <= 1024 for one in fields)
        texts = [embed["title"], embed.get("description", ""), embed.get("footer", {}).get("text", "")]
        assert sum(map(len, texts)) + sum(len(one["name"]) + len(one["value"]) for one in fields) <= 6000
    for row in payload["components"]:
        assert 1 <= len(row["components"]) <= 5
        assert all(len(one["custom_id"]) <= 100 and 1 <= len(one["label"]) <= 80 for one in row["components"])
    assert len(payload["components"]) <= 5
    return payload


def place(rank, name, *, is_me=False):
    return points.Place(rank=rank, display_name=name, total_points=HUGE, points=HUGE, is_me=is_me)


def board(names, *, me=None, period="all_time", cursor=None):
    items = [place(rank, name) for rank, name in enumerate(names, 1)]
    return points.Leaderboard(period=period, items=items, total=HUGE, me=me, next_cursor=cursor)


ANSWERS = {
    "points": [
        points.Standing(HUGE, HUGE, HUGE, HUGE, None),
        points.Standing(0, 0, 0, 0, HUGE, AT, suspended=True),
        points.Standing(0, 0, 0, 0, 1, None, suspended=True),
    ],
    "history": [
        points.History([]),
        points.History([points.HistoryEntry("x", name, -HUGE, AT, HUGE) for name in HOSTILE * 3], "c" * 300),
    ],
    "values": [
        points.ActivityValues([]),
        points.ActivityValues(
            [
                points.ActivityValue(f"c{n}", name, f"k{n % 40}", name, HUGE, name, True)
                for n, name in enumerate(HOSTILE * 30)
            ]
        ),
    ],
    "leaderboard": [
        board([]),
        board(
            HOSTILE * 3,
            me=points.OwnPlace(HUGE, HUGE, HUGE, [], []),
            period="monthly",
            cursor="c" * 300,
        ),
    ],
    "own_rank": [
        board([]),
        board(
            [],
            me=points.OwnPlace(
                7, 1, 1, [place(5, name) for name in HOSTILE[:2]], [place(8, name) for name in HOSTILE[2:4]]
            ),
        ),
    ],
    "rank_of": [board(HOSTILE), board([])],
    "streak": [points.Streak(0, 0), points.Streak(HUGE, HUGE, date(1, 1, 1)), points.Streak(2, 9, date(2025, 12, 3))],
}


ANSWERS |= {
    "link_claim": [
        users.LinkClaim(),
        *(users.LinkClaim(users.LinkOffer(UUID(int=1), name, AT, AT, name)) for name in HOSTILE),
    ],
    "link_confirmation": [users.LinkConfirmation(state) for state in ("linked", "waiting_for_web", "declined")],
    "identity": [users.Identity(name, name, "suspended", AT, name, AT) for name in HOSTILE]
    + [users.Identity("Ada", "student", "active")],
}


OUTCOMES = [
    points.SubmissionOutcome(UUID(int=1), UUID(int=2), "x", name, status, HUGE, evidence)
    for name in HOSTILE
    for status, evidence in (
        ("pending", "fetching"),
        ("approved", "kept"),
        ("rejected", "failed"),
        ("withdrawn", "none"),
    )
]
ENTRIES = [
    points.SubmissionEntry(
        *(UUID(int=1), UUID(int=2), name, "x", name, status, HUGE, name, name, "kept", name, AT),
        decided_at=AT,
        note=name,
    )
    for name in HOSTILE
    for status in ("pending", "approved", "rejected")
]
ANSWERS |= {
    "checkin": [points.CheckinOutcome(False, reason=name) for name in HOSTILE]
    + [points.CheckinOutcome(True, "x", name, name, HUGE, HUGE) for name in HOSTILE],
    "submitted": OUTCOMES,
    "withdrawn": OUTCOMES,
    "decided": OUTCOMES,
    "submissions": [points.Submissions([], 0), points.Submissions(ENTRIES[:25], HUGE, "c" * 300)],
}


ANSWERS |= extremes.members_answers(HOSTILE, HUGE, AT)
ANSWERS |= extremes.staff_answers(HOSTILE, HUGE, AT)


REVIEWS = [
    reviews.ReviewState(
        *(UUID(int=1), status, name, name, name * 20, AT, [name] * 9, name, UUID(int=4), AT, HUGE, name),
        resume=resume,
    )
    for name in HOSTILE
    for status, resume in (
        ("pending", "fetching"),
        ("matched", "kept"),
        ("scheduled", "failed"),
        ("completed", "none"),
        ("cancelled", "none"),
    )
]
SLOTS = [reviews.SuggestedSlot(UUID(int=2**128 - 1), name, AT, HUGE, 99.4, name) for name in HOSTILE[:10]]
SUGGESTED = [reviews.ReviewSuggestions(UUID(int=1), UUID(int=2**128 - 1), name, name, SLOTS) for name in HOSTILE] + [
    reviews.ReviewSuggestions(UUID(int=1), UUID(int=2), name, name, [], worst, {name: HUGE, "not_active": 1})
    for name in HOSTILE
    for worst in (None, "no_professionals", "unheard_of")
]
PROFESSIONALS = [
    reviews.ProfessionalEntry(UUID(int=1), name, name, name, [name] * 30, active, paused, HUGE, HUGE, HUGE, rating)
    for name in HOSTILE
    for active, paused, rating in ((True, False, 4.5), (True, True, None), (False, False, None))
]
ANSWERS |= {
    "resume_readback": [
        reviews.UnderstoodTimes([], "", [name] * 20, [reviews.Doubt(name, name, [name])] * 20) for name in HOSTILE
    ]
    + [reviews.UnderstoodTimes([reviews.Span(AT, AT)] * 200, "", [name], []) for name in HOSTILE],
    "review_asked": REVIEWS,
    "review_state": REVIEWS,
    "review_decided": REVIEWS,
    "review_queue": [
        reviews.ReviewQueue([], 0),
        reviews.ReviewQueue(
            [
                reviews.QueuedReview(UUID(int=1), UUID(int=2), name, "matched", name, name, name, name, AT, name)
                for name in HOSTILE
            ],
            HUGE,
            "c" * 300,
        ),
    ],
    "match_offer": SUGGESTED,
    "match_suggestions": SUGGESTED,
    "professionals": [reviews.Professionals([]), reviews.Professionals(PROFESSIONALS[:25], "c" * 300)],
    "professional_added": PROFESSIONALS,
    "review_statistics": [
        reviews.ReviewStatistics(
            {"pending": HUGE, "total": HUGE}, {"no_show": HUGE}, HUGE, HUGE, HUGE, HUGE, HUGE, 4.5, AT
        ),
        reviews.ReviewStatistics({}, {}, 0, 0, 0, 0, 0),
    ],
}


# A notice is shown by a button as it is told: its kinds are in test_notices.py.
@pytest.mark.parametrize("name", sorted(set(presenters.presenters) - {"notice"}))
@pytest.mark.parametrize("private", [True, False])
def test_every_answer_keeps_to_the_limits(name, private):
    for answer in ANSWERS[name]:
        for hostile in HOSTILE:
            arguments = {"private": private, "listing": "abcdefghijkl", "page": HUGE, "name": hostile}
            arguments |= {"draft": str(UUID(int=5)), "zone": hostile}
            arguments |= {"wish": "abcdefghijkl", "words": hostile, "argument": "a" * 36}
            rendered = presenters.presenters[name](answer, arguments)
            check(rendered.card)
            assert rendered.short is None or len(rendered.short) <= 300


def test_the_standing_texts_keep_to_the_limits():
    problem = {"status": 409, "title": "t" * 3000, "detail": "d" * 9000}
    for card in (
        WELCOME,
        help_page("help", 1),
        refusals.broken(),
        refusals.not_answering(),
        refusals.received(),
        refusals.refused(problem),
    ):
        check(card)


def test_a_card_cuts_what_is_too_long():
    fields = [("n" * 300, "v" * 2000)] * 40
    buttons = [Button("l" * 90, f"b{number}") for number in range(9)]
    words = {"title": "t" * 400, "text": "x" * 9000, "footer": "f" * 3000, "content": "c" * 3000}
    check(Card(fields=fields, buttons=buttons, choices=buttons * 4, **words))


def test_lines_stay_whole_across_fields():
    fields = list(Lines("Ways", [f"{number}:" + "x" * 90 for number in range(40)]).fields())
    assert sum(value.count("\n") + 1 for _, value in fields) == 40
    assert all(len(value) <= 1024 for _, value in fields)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_has_no_power_over_the_message(name):
    shown = name_of(name)
    inner = shown[1:-1]
    assert "\n" not in shown
    assert not any("\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069" for character in inner)
    unescaped = inner.replace("\\\\", "")
    for sign in "*_~`|<[":
        assert all(unescaped[index - 1] == "\\" for index, one in enumerate(unescaped) if one == sign)


def test_the_available_points_come_first():
    payload = check(presenters.show_points(points.Standing(120, 30, 0, 150, 4), {}).card)
    (embed,) = payload["embeds"]
    assert embed["title"] == "120 points available"
    assert [(one["name"].split()[0], one["value"]) for one in embed["fields"][:3]] == [
        ("Rank", "#4"),
        ("Reserved", "30 points"),
        ("Earned", "150 points"),
    ]


def test_a_suspension_says_until_when_in_the_readers_own_time():
    card = presenters.show_points(points.Standing(1, 0, 0, 1, 4, AT, suspended=True), {}).card
    assert f"<t:{int(AT.timestamp())}:f>" in dict(card.fields)["Standing"]


def test_negative_entries_have_one_sign():
    entry = points.HistoryEntry("x", "Correction", -5, AT, 10)
    assert "**−5** Correction" in presenters.show_history(points.History([entry]), {}).card.text


def test_only_the_viewer_reads_their_own_place():
    shown = board(["Asha"], me=points.OwnPlace(17, 5, 5, [], []))
    assert "#17" in presenters.show_leaderboard(shown, {"private": True}).card.text
    assert "#17" not in presenters.show_leaderboard(shown, {"private": False}).card.text


def test_the_rank_of_a_hidden_member_is_told_to_nobody():
    hidden = board(["Asha", "Ben"], me=points.OwnPlace(17, 5, 5, [], []))
    assert "17" not in str(presenters.show_rank_of(hidden, {"name": "Cem"}).card.payload())


def test_the_rank_of_a_shown_member_is_that_of_the_board():
    shown = points.Leaderboard("all_time", [place(1, "Asha"), place(2, "Ben", is_me=True)], 2)
    assert "**#2**" in presenters.show_rank_of(shown, {"name": "Ben"}).card.text


def test_pages_can_be_leafed_through():
    first = presenters.show_leaderboard(board(["Asha"], cursor="next"), {"listing": "abc"})
    assert [(one.label, one.enabled, one.custom_id) for one in first.card.buttons] == [
        ("Previous", False, "page:leaderboard:all_time:abc:0"),
        ("Next", True, "page:leaderboard:all_time:abc:2"),
    ]
    last = presenters.show_leaderboard(board(["Asha"]), {"listing": "abc", "page": 2})
    assert [one.enabled for one in last.card.buttons] == [True, False]
    assert not presenters.show_leaderboard(board(["Asha"]), {"listing": "abc"}).card.buttons


def test_foreign_text_is_cut_before_it_is_escaped():
    assert plain("*" * 10, 3) == "\\*\\*…"
