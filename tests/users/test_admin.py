"""`make admin`: an account is made or reset from the command line."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from fleet import settings
from services.users import admin
from tests.answers import refused
from tests.conftest import ROOT
from tests.users.conftest import PASSWORD

SECRET = "a password of its own"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`run("ada", "ada@example.org")` gives the exit status and both outputs."""

    def call(*arguments: str, password: str = SECRET) -> tuple[int, str, str]:
        monkeypatch.setenv("ADMIN_PASSWORD", password)
        monkeypatch.setattr(sys, "argv", ["admin", *arguments])
        settings.read.cache_clear()
        capsys.readouterr()
        status = admin.main()
        found = capsys.readouterr()
        return status, found.out, found.err

    return call


def test_it_creates_an_admin(run, post, told):
    assert run("root", "root@example.org") == (0, "created admin root\n", "")
    user = post("login", username="root", password=SECRET).json["user"]
    assert (user["role"], user["status"]) == ("admin", "active")
    assert [event.type for event in told()] == ["users.user_registered.v1", "users.user_updated.v1"]


def test_it_creates_a_student_when_asked(run, post):
    assert run("sam", "sam@example.org", "--role", "student") == (0, "created student sam\n", "")


def test_a_reset_ends_everything_that_was_open(run, post, register, client, told):
    before = register("ada")["tokens"]
    bearer = {"Authorization": f"Bearer {before['access']}"}
    assert run("ADA", "new@example.org") == (0, "reset admin ada\n", "")
    refused(post("login", username="ada", password=PASSWORD), 401)
    refused(post("refresh", refresh=before["refresh"]), 401)
    refused(client.get("/api/users/profile/", headers=bearer), 401)
    after = post("login", username="new@example.org", password=SECRET).json
    assert (after["user"]["role"], after["user"]["email"]) == ("admin", "new@example.org")
    [ended] = told("users.auth_state_changed.v1")
    assert (ended.sequence, ended.data.role) == (2, "admin")
    assert [event.sequence for event in told("users.user_updated.v1")] == [1, 2]


def test_a_reset_lifts_a_suspension(run, register, post):
    from sqlalchemy import text

    from fleet.database import transaction

    register("ada")
    with transaction() as session:
        session.execute(text("UPDATE members SET status = 'suspended', suspended_until = now() + interval '1 day'"))
    run("ada", "ada@example.org")
    assert post("login", username="ada", password=SECRET).json["user"]["status"] == "active"


@pytest.mark.parametrize(
    ("name", "address", "password", "words"),
    [
        ("root", "root@example.org", "short", "/password: must have at least 10 characters"),
        ("root", "root@example.org", "password123", "/password: is one of the most common"),
        ("rootrootroot", "root@example.org", "rootrootroot", "/password: must not be the username"),
        ("ro ot", "root@example.org", SECRET, "/username: must be 3 to 32 letters"),
        ("root", "nowhere", SECRET, "/email: is not an e-mail address"),
        ("root", "taken@example.org", SECRET, "This e-mail address is taken"),
    ],
)
def test_what_it_refuses_it_says_in_one_sentence(name, address, password, words, run, register, row_count):
    register("other", email="taken@example.org")
    status, out, err = run(name, address, password=password)
    assert (status, out) == (1, "")
    assert words in err
    assert err.count("\n") == 1
    assert row_count("members") == 1


def test_an_address_of_somebody_else_is_not_taken_over_by_a_reset(run, register, post):
    register("other", email="taken@example.org")
    register("ada")
    assert run("ada", "TAKEN@example.org")[0] == 1
    assert post("login", username="ada", password=PASSWORD).status_code == 200


def test_as_a_program(on):
    command = [sys.executable, "-m", "services.users.admin", "root", "root@example.org"]
    environment = {name: value for name, value in os.environ.items() if name != "ADMIN_PASSWORD"}

    def call(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=ROOT, env=environment | more, capture_output=True, text=True, check=False)

    missing = call()
    assert missing.returncode == 2
    assert "ADMIN_PASSWORD is missing" in missing.stderr
    weak = call(ADMIN_PASSWORD="short")
    assert (weak.returncode, weak.stdout) == (1, "")
    assert "Traceback" not in weak.stderr
    made = call(ADMIN_PASSWORD=SECRET)
    assert (made.returncode, made.stdout) == (0, "created admin root\n")
