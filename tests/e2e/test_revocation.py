"""How long an access token lives after it was ended, at every service: through the real relay, broker and consumers.

REVOCATIONS=1000 sets how many; each kind of ending takes its turn. The promise is two seconds.
"""

import itertools
import os
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.apps import WEB, app_of, closed_door
from tests.e2e.conftest import Fleet, eventually
from tests.signing import TestKey

REVOCATIONS = int(os.environ.get("REVOCATIONS", "20"))
AT_ONCE = 6
# Let in, or told that it is for admins: whose token it is was found out.
KNOWN = (200, 403)
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, signing_key: Any) -> dict[str, str]:
    """A closed path of every service there is."""
    from tests.apps import environment

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(signing_key, tmp_path_factory.mktemp("evidence")).items():
            patch.setenv(name, value)
        return {service: closed_door(app_of(service, TestKey())) for service in WEB}


class Admin:
    """An administrator whose token is made new before it expires."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.made, self.lock = fleet, float("-inf"), threading.Lock()
        self.token = ""

    def post(self, method: str, path: str, **body: Any) -> None:
        with self.lock:
            if time.monotonic() - self.made > 600:
                self.token, self.made = self.fleet.token("admin"), time.monotonic()
        answer = self.fleet.request(method, path, self.token, json=body)
        assert answer.status_code == 200, answer.text


def suspend(fleet: Fleet, admin: Admin, member: dict[str, Any]) -> None:
    admin.post("POST", f"/api/users/{member['user']['id']}/suspend/", minutes=5, reason="test")


def change_role(fleet: Fleet, admin: Admin, member: dict[str, Any]) -> None:
    admin.post("PATCH", f"/api/users/{member['user']['id']}/", role="university")


def log_out(fleet: Fleet, admin: Admin, member: dict[str, Any]) -> None:
    answer = fleet.request("POST", "/api/users/logout/", json={"refresh": member["tokens"]["refresh"]})
    assert answer.status_code == 200


def change_password(fleet: Fleet, admin: Admin, member: dict[str, Any]) -> None:
    body = {"current_password": PASSWORD, "new_password": "another horse battery"}
    answer = fleet.request("POST", "/api/users/change_password/", member["tokens"]["access"], json=body)
    assert answer.status_code == 200, answer.text


ENDINGS: tuple[Callable[[Fleet, Admin, dict[str, Any]], None], ...] = (suspend, change_role, log_out, change_password)


@pytest.mark.timeout(240 + 2 * REVOCATIONS)
def test_an_ended_token_is_refused_by_every_service(fleet: Fleet, doors: dict[str, str]):
    admin = Admin(fleet)
    seconds: dict[str, list[float]] = {f"{how.__name__} {service}": [] for how in ENDINGS for service in doors}

    def end_one(how: Callable[[Fleet, Admin, dict[str, Any]], None]) -> None:
        member = fleet.register(password=PASSWORD)
        access = member["tokens"]["access"]
        for path in doors.values():
            # Every service knows the token well, and has looked up its standing a moment ago.
            eventually(lambda: fleet.request("GET", path, access).status_code in KNOWN, f"{path} lets in")  # noqa: B023
        how(fleet, admin, member)
        began = time.perf_counter()
        open_still = dict(doors)
        while open_still:
            for service, path in list(open_still.items()):
                status = fleet.request("GET", path, access).status_code
                if status == 401:
                    seconds[f"{how.__name__} {service}"].append(time.perf_counter() - began)
                    del open_still[service]
                else:
                    assert status in KNOWN
            assert time.perf_counter() - began < 15, f"{open_still} still let in after {how.__name__}"
            time.sleep(0.01)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(end_one, itertools.islice(itertools.cycle(ENDINGS), REVOCATIONS)))
    every = sorted(itertools.chain.from_iterable(seconds.values()))
    assert len(every) == REVOCATIONS * len(doors)
    for name, found in [*seconds.items(), ("all", every)]:
        if found:
            p99 = sorted(found)[min(len(found) - 1, int(len(found) * 0.99))]
            print(
                f"\nFIGURES revoked_to_refused {name}: n={len(found)} p50_s={statistics.median(found):.3f} "
                f"p99_s={p99:.3f} max_s={max(found):.3f}"
            )
