"""The catalogue through its HTTP door: who may do what, what is refused, and that nothing is forgotten."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fleet.database import transaction
from tests.rewards.conftest import BOSS, stock, told

PATH = "/api/incentives/"
PLAIN = {"name": "Sticker pack", "points_required": 50, "stock": 100}


@pytest.fixture
def admin(call, incentive):
    """`admin("POST", path, json)` as an admin; the fixture of incentives takes away what is made."""

    def send(method, path, json=None, **words):
        return call(method, path, BOSS, role="admin", json={} if json is None and method != "GET" else json, **words)

    return send


def test_the_seeded_catalogue_is_there(admin):
    """The four base rewards, and the four tiers: unlimited ones without a stock, those without any switched off."""
    items, cursor = [], ""
    while cursor is not None:
        page = admin("GET", f"{PATH}?is_active=any&limit=10" + (f"&cursor={cursor}" if cursor else "")).json
        items, cursor = items + page["items"], page["next_cursor"]
    found = {item["name"]: item for item in items}
    base = {
        "Azure E-Learning": (50, 999),
        "Azure Exam Vouchers": (100, 50),
        "Resume Template Bundle": (150, 999),
        "1:1 Career Coaching Sessions": (500, 50),
    }
    assert {name: (found[name]["points_required"], found[name]["stock"]) for name in base} == base
    assert all(found[name]["is_active"] for name in base)
    assert [sum(item["tier"] == tier for item in items) for tier in (1, 2, 3, 4)] == [12, 9, 5, 2]
    assert {item["name"] for item in items if item["stock"] == 0} == {
        item["name"] for item in items if not item["is_active"]
    }
    assert found["ATS Optimisation Guide"]["stock"] is None
    assert [item["points_required"] for item in items] == sorted(item["points_required"] for item in items)


def test_an_admin_adds_and_everybody_sees_it(admin, call):
    body = PLAIN | {"category": "merchandise", "tier": 1, "sponsor": "Propel", "per_member_limit": 2}
    body |= {"min_lifetime_points": 100, "image_url": "https://example.org/a.png", "description": "Twelve"}
    made = admin("POST", PATH, body)
    assert made.status_code == 201
    assert made.headers["Location"] == f"{PATH}{made.json['id']}/"
    assert body.items() <= made.json.items()
    assert call("GET", f"{PATH}{made.json['id']}/").json == made.json
    assert [(event.data.change, event.sequence) for event in told("incentive_changed")] == [("created", 1)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "\u200b"),
        ("name", "x" * 121),
        ("name", None),
        ("points_required", 0),
        ("points_required", -5),
        ("points_required", "50"),
        ("points_required", 1.5),
        ("points_required", True),
        ("points_required", 10**12),
        ("stock", -1),
        ("stock", "many"),
        ("category", "food"),
        ("tier", 5),
        ("tier", 0),
        ("per_member_limit", 0),
        ("min_lifetime_points", -1),
        ("image_url", "javascript:alert(1)"),
        ("is_active", "yes"),
        ("id", "0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f"),
        ("supplied", 5),
        ("version", 7),
    ],
)
def test_a_wrong_field_is_named_and_changes_nothing(field, value, admin, incentive, row_count):
    reward = incentive()
    before = row_count("incentive_changes")
    for method, path, body in (("POST", PATH, PLAIN), ("PATCH", f"{PATH}{reward}/", {})):
        refused = admin(method, path, body | {field: value})
        assert refused.status_code == 422, (method, refused.json)
        assert refused.json["errors"][0]["pointer"] == f"/{field}"
    assert row_count("incentive_changes") == before


@pytest.mark.parametrize("missing", ["name", "points_required", "stock"])
def test_what_a_reward_needs_is_asked_for(missing, admin):
    refused = admin("POST", PATH, {name: value for name, value in PLAIN.items() if name != missing})
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, f"/{missing}")


def test_members_look_and_admins_change(call, incentive):
    reward = incentive()
    retired = incentive(is_active=False)
    for role in ("student", "company", "university"):
        assert call("GET", PATH, role=role).status_code == 200
        assert call("GET", f"{PATH}{retired}/", role=role).json["is_active"] is False
        assert call("GET", f"{PATH}?is_active=any", role=role).status_code == 403
        for method, path in (
            ("POST", PATH),
            ("PATCH", f"{PATH}{reward}/"),
            ("POST", f"{PATH}{reward}/restock/"),
            ("POST", f"{PATH}{reward}/retire/"),
        ):
            assert call(method, path, role=role, json={}).status_code == 403
    assert call("DELETE", f"{PATH}{reward}/", role="admin").status_code == 405


def test_a_name_is_unique_among_active_rewards(admin, incentive):
    """Compared without case, width and spaces; a retired one makes room, and does not come back beside another."""
    first = incentive(name="Sticker Pack")
    assert admin("POST", PATH, PLAIN | {"name": "  ｓｔｉｃｋｅｒ  pack"}).json["type"].endswith("/name-taken")
    admin("POST", f"{PATH}{first}/retire/")
    second = admin("POST", PATH, PLAIN)
    assert second.status_code == 201
    back = admin("PATCH", f"{PATH}{first}/", {"is_active": True})
    assert (back.status_code, back.json["type"].rsplit("/", 1)[-1]) == (409, "name-taken")
    assert admin("PATCH", f"{PATH}{first}/", {"name": "Other pack", "is_active": True}).status_code == 200


def test_of_ten_of_one_name_at_once_one_is_added(admin):
    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda _: admin("POST", PATH, PLAIN).status_code, range(10)))
    assert sorted(statuses) == [201] + [409] * 9


def test_every_change_is_a_version_with_its_history(admin, call, incentive):
    reward = incentive(points=60, stock=3)
    assert admin("PATCH", f"{PATH}{reward}/", {"points_required": 70, "note": "dearer"}).json["version"] == 2
    assert admin("PATCH", f"{PATH}{reward}/", {"points_required": 70}).json["version"] == 2
    assert admin("POST", f"{PATH}{reward}/restock/", {"quantity": 2}).json["stock"] == 5
    assert admin("POST", f"{PATH}{reward}/retire/", {"note": "gone"}).json["is_active"] is False
    assert admin("POST", f"{PATH}{reward}/retire/").json["version"] == 4
    assert admin("PATCH", f"{PATH}{reward}/", {"is_active": True}).json["version"] == 5
    history = admin("GET", f"{PATH}{reward}/history/").json["items"]
    assert [(item["version"], item["change"]) for item in history] == [
        (5, "reactivated"),
        (4, "retired"),
        (3, "restocked"),
        (2, "changed"),
        (1, "created"),
    ]
    assert (history[3]["before"], history[3]["after"]) == ({"points_required": 60}, {"points_required": 70})
    assert (history[3]["actor_id"], history[3]["note"]) == (str(BOSS), "dearer")
    seen = call("GET", f"{PATH}{reward}/history/?limit=2").json
    assert [(item["version"], item["actor_id"]) for item in seen["items"]] == [(5, None), (4, None)]
    assert call("GET", f"{PATH}{reward}/history/?limit=2&cursor={seen['next_cursor']}").json["items"][0]["version"] == 3
    assert [(event.data.change, event.sequence) for event in told("incentive_changed")][-1] == ("reactivated", 5)


def test_restocking_twice_with_one_key_restocks_once(admin, incentive):
    reward = incentive(stock=3)
    for _ in range(3):
        answer = admin("POST", f"{PATH}{reward}/restock/", {"quantity": 2}, headers={"Idempotency-Key": "one"})
        assert answer.json["stock"] == 5
    assert stock(reward) == 5


def test_parallel_restocks_and_requests_lose_nothing(admin, incentive, member, request_):
    reward = incentive(stock=20)

    def act(number):
        if number % 2:
            admin("POST", f"{PATH}{reward}/restock/", {"quantity": 1})
        else:
            request_(reward)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(40)))
    assert stock(reward) == 20
    with transaction() as session:
        supplied = session.execute(text("SELECT supplied FROM incentives WHERE id = :id"), {"id": reward}).scalar_one()
    assert supplied == 40


def test_the_uncounted_is_not_restocked_and_a_shelf_has_an_end(admin, incentive):
    assert admin("POST", f"{PATH}{incentive(stock=None)}/restock/", {"quantity": 1}).status_code == 409
    assert admin("POST", f"{PATH}{incentive(stock=999_999)}/restock/", {"quantity": 2}).status_code == 409
    for quantity in (0, -1, "2"):
        assert admin("POST", f"{PATH}{incentive()}/restock/", {"quantity": quantity}).status_code == 422


def test_the_database_refuses_a_stock_below_nothing_and_items_from_nowhere(incentive):
    reward = incentive(stock=0)
    for change in ("stock = -1, supplied = -1", "stock = 5", "supplied = NULL", "points_required = 0", "tier = 5"):
        with pytest.raises(IntegrityError), transaction() as session:
            session.execute(text(f"UPDATE incentives SET {change} WHERE id = :id"), {"id": reward})


class TestShop:
    """GET /api/rewards/available/: what each member can redeem, and what is missing."""

    def offer(self, call, who, reward):
        cursor = ""
        while cursor is not None:
            page = call("GET", "/api/rewards/available/?limit=100" + (f"&cursor={cursor}" if cursor else ""), who).json
            for item in page["items"]:
                if item["id"] == str(reward):
                    return item | {"points": page["available_points"]}
            cursor = page["next_cursor"]
        return None

    def test_it_says_what_stands_in_the_way(self, call, incentive, member, pending):
        ada = member(available=100, lifetime=400)
        expected = {
            incentive(points=100): (True, None, 0, None),
            incentive(points=130): (False, "insufficient-points", 30, None),
            incentive(points=100, stock=0): (False, "out-of-stock", 0, None),
            incentive(points=100, min_lifetime_points=500): (False, "locked", 0, "Reach 500 lifetime points"),
            incentive(points=100, min_lifetime_points=400): (True, None, 0, None),
        }
        for reward, said in expected.items():
            found = self.offer(call, ada, reward)
            assert (
                found["can_redeem"],
                found["reason"],
                found["points_missing"],
                found["locked_reason"],
            ) == said
            assert found["points"] == 100

    def test_it_counts_the_limit_down(self, call, incentive, member, request_):
        ada, reward = member(available=500), incentive(per_member_limit=2)
        for left, reason in ((2, None), (1, None), (0, "limit-reached")):
            found = self.offer(call, ada, reward)
            assert (found["limit_left"], found["reason"]) == (left, reason)
            if left:
                request_(reward, ada)
        assert self.offer(call, member(), reward)["limit_left"] == 2

    def test_retired_rewards_are_not_in_it_and_filters_narrow_it(self, call, incentive):
        retired, merchandise = incentive(is_active=False), incentive(category="merchandise", tier=3, name="Zebra mug")
        assert self.offer(call, None, retired) is None
        for query in ("category=merchandise&tier=3", "q=zEBRA"):
            items = call("GET", f"/api/rewards/available/?{query}").json["items"]
            assert [item["id"] for item in items] == [str(merchandise)]
        assert call("GET", "/api/rewards/available/?q=%25").json["items"] == []
        for wrong in ("limit=0", "limit=101", "tier=9", "category=food", "cursor=x", "stock=1"):
            assert call("GET", f"/api/rewards/available/?{wrong}").status_code == 422
