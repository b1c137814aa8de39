"""Every path of the product and the service that owns it; nothing else is reachable."""

import pytest

from tests.gateway.fleet import Fleet

# In the order of the product's tables. {id} stands for any id.
ROUTES = """
users POST /api/users/register/
users POST /api/users/verify_email/
users POST /api/users/resend_verification/
users POST /api/users/login/
users POST /api/users/refresh/
users POST /api/users/logout/
users GET /api/users/profile/
users PUT /api/users/profile/
users PATCH /api/users/profile/
users DELETE /api/users/profile/
users POST /api/users/change_password/
users POST /api/users/reset_password/
users POST /api/users/reset_password/confirm/
users POST /api/users/consent/
users POST /api/users/complete_onboarding/
users GET /api/users/discord_verification/
users GET /api/users/export/
users GET /api/users/
users GET /api/users/{id}/
users PATCH /api/users/{id}/
users PATCH /api/users/{id}/update_track/
users POST /api/users/{id}/approve/
users POST /api/users/{id}/warn/
users POST /api/users/{id}/clear_warnings/
users POST /api/users/{id}/suspend/
users POST /api/users/{id}/unsuspend/
users GET /api/users/{id}/audit/
users POST /api/validate-discord-user/
users GET /api/user-preferences/
users PUT /api/user-preferences/
users PATCH /api/user-preferences/
users POST /api/link/start/
users POST /api/link/confirm/
users GET /api/link/status/
users DELETE /api/link/
users GET /api/oauth/google/start/
users GET /api/oauth/google/callback/
users GET /api/user-status/
users GET /api/tracks/
points POST /api/users/{id}/add_points/
points GET /api/users/{id}/add_points/
points GET /api/activities/
points POST /api/activities/
points GET /api/activities/{id}/
points PATCH /api/activities/{id}/
points POST /api/submissions/
points GET /api/submissions/
points POST /api/submissions/{id}/withdraw/
points POST /api/submissions/{id}/approve/
points POST /api/submissions/{id}/reject/
points POST /api/submissions/bulk/
points GET /api/points-logs/
points GET /api/points-logs/{id}/
points POST /api/points-logs/{id}/reverse/
points GET /api/activity/feed/
points GET /api/points/timeline/
points GET /api/points/balance/
points POST /api/points/adjust/
points POST /api/points/adjustments/{id}/confirm/
points POST /api/points/adjustments/{id}/refuse/
points POST /api/checkins/
points POST /api/checkins/{id}/revoke/
points POST /api/checkins/redeem/
points GET /api/dashboard/stats/
points GET /api/leaderboard/
points GET /api/analytics/programme/
points GET /api/analytics/cohorts/
points POST /api/evidence/
points GET /api/evidence/{id}/
rewards GET /api/rewards/available/
rewards POST /api/rewards/redeem/
rewards GET /api/redemptions/
rewards GET /api/redemptions/history/
rewards GET /api/redemptions/{id}/
rewards POST /api/redemptions/{id}/cancel/
rewards POST /api/redemptions/{id}/approve/
rewards POST /api/redemptions/{id}/reject/
rewards POST /api/redemptions/{id}/ship/
rewards POST /api/redemptions/{id}/deliver/
rewards POST /api/redemptions/{id}/refund/
rewards POST /api/redemptions/bulk/
rewards GET /api/redemptions/statistics/
rewards GET /api/incentives/
rewards POST /api/incentives/
rewards PATCH /api/incentives/{id}/
rewards POST /api/incentives/{id}/restock/
rewards POST /api/incentives/{id}/retire/
rewards GET /api/incentives/{id}/history/
reviews GET /api/professionals/
reviews POST /api/professionals/
reviews PATCH /api/professionals/{id}/
reviews GET /api/professionals/{id}/performance/
reviews POST /api/review-requests/
reviews GET /api/review-requests/{id}/
reviews POST /api/review-requests/{id}/cancel/
reviews POST /api/review-requests/{id}/match/
reviews POST /api/review-requests/{id}/feedback/
reviews GET /api/review-requests/{id}/suggestions/
reviews POST /api/review-requests/match-all/
reviews POST /api/sessions/schedule/
reviews GET /api/sessions/
reviews GET /api/sessions/{id}/
reviews POST /api/sessions/{id}/reschedule/
reviews POST /api/sessions/{id}/cancel/
reviews POST /api/sessions/{id}/complete/
reviews POST /api/sessions/{id}/no-show/
reviews GET /api/professional-availability/
reviews POST /api/professional-availability/
reviews POST /api/availability/parse/
reviews POST /api/form-submission/
reviews POST /api/forms/professional-availability/
reviews GET /api/reviews/statistics/
reviews POST /api/resumes/
reviews GET /api/resumes/{id}/
bot POST /api/bot/
integrations GET /api/webhooks/
integrations POST /api/webhooks/
integrations GET /api/webhooks/{id}/
integrations POST /api/webhooks/{id}/replay/
integrations GET /api/keys/
integrations POST /api/keys/
integrations-stream GET /api/events/
integrations-stream POST /api/events/replay/
users GET /api/dead-letters/users/
users POST /api/dead-letters/users/replay/
points GET /api/dead-letters/points/
points POST /api/dead-letters/points/replay/
rewards GET /api/dead-letters/rewards/
rewards POST /api/dead-letters/rewards/replay/
reviews GET /api/dead-letters/reviews/
reviews POST /api/dead-letters/reviews/replay/
integrations GET /api/dead-letters/integrations/
integrations POST /api/dead-letters/integrations/replay/
integrations-stream GET /api/stream/
"""
ROWS = [tuple(line.split()) for line in ROUTES.split("\n") if line]
MEMBER = "0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f"


@pytest.mark.parametrize(("service", "method", "path"), ROWS, ids=[" ".join(row[1:]) for row in ROWS])
def test_a_path_leads_to_its_owner_with_and_without_the_slash(
    fleet: Fleet, service: str, method: str, path: str
) -> None:
    path = path.replace("{id}", MEMBER)
    body = b'{"a": 1}' if method in ("POST", "PUT", "PATCH", "DELETE") else None
    for asked in (path.rstrip("/"), path.rstrip("/") + "?limit=3&cursor=a%2Fb", path):
        answer = fleet.gateway.ask(method, asked, body=body)
        assert answer.status == 200
        assert (answer.json["service"], answer.json["method"], answer.json["path"]) == (service, method, asked)
        assert answer.json["body"] == len(body or b"")


def test_public_keys_come_from_users(fleet: Fleet) -> None:
    assert fleet.gateway.get("/.well-known/jwks.json").json["service"] == "users"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/",
        "/api/unknown/",
        "/api/tracksuits/",
        "/api/users-of/",
        "/API/users/",
        "//api/users/",
        "/api//users/",
        "/metrics",
        "/metrics/",
        "/healthz",
        "/readyz",
        "/api/users/../../readyz",
        "/api/users/..%2f..%2freadyz",
        "/api/tracks/%2e%2e/%2e%2e/metrics",
        "/readyz/../metrics",
        "/_problem/not-found",
        "/_part/0",
        "/_state/down",
        "/health.json",
        "/pages/health.json",
        "/nginx.conf",
        "/local/state",
        "/.well-known/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_named_is_not_there(fleet: Fleet, method: str, path: str) -> None:
    answer = fleet.gateway.ask(method, path, body=b"{}" if method == "POST" else None)
    assert answer.status == 404
    assert answer.json["type"].endswith("/not-found")
    assert fleet.hits() == {}


@pytest.mark.parametrize("path", ["/api/users;/", "/api/users%00/", "/api/tracks/../users/login/"])
def test_odd_spellings_are_never_another_path_for_the_service(fleet: Fleet, path: str) -> None:
    """Either the gateway refuses, or the service sees the very same letters."""
    answer = fleet.gateway.get(path)
    assert answer.status in (400, 404) or answer.json["path"] == path


def test_a_service_that_is_not_installed_says_so(start, fleet: Fleet) -> None:
    gateway = start({"users": fleet.services["users"].address})
    assert gateway.get("/api/tracks/").status == 200
    for method, path in (
        ("GET", "/api/rewards/available"),
        ("POST", f"/api/users/{MEMBER}/add_points/"),
        ("POST", "/api/bot/"),
    ):
        answer = gateway.ask(method, path, body=b"{}" if method == "POST" else None)
        assert answer.status == 503
        assert answer.header("Content-Type") == "application/problem+json"
        assert answer.json["title"] == "Not part of this installation yet"
        assert answer.json["instance"] == path
        # Waiting would not help.
        assert answer.header("Retry-After") is None
