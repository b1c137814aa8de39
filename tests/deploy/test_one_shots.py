"""The jobs that run before the fleet, with what they are told in mounted files."""

import base64
import hashlib
import json
import subprocess
import sys
import threading

import psycopg2
import pytest

from fleet import migrate
from fleet.topology import SERVICES
from tests.conftest import ROOT


def run(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def fresh(postgres, passwords, tmp_path):
    """The addresses of a database of points that was never migrated, in files as a secret is mounted: owner and app."""
    connection = psycopg2.connect(postgres.server_url)
    connection.autocommit = True
    connection.cursor().execute("CREATE DATABASE fresh_points OWNER points_owner")
    files = {}
    for role in ("points_owner", "points"):
        files[role] = tmp_path / role
        files[role].write_text(postgres.url(role, passwords[role], "fresh_points") + "\n", encoding="utf-8")
    inside = psycopg2.connect(postgres.server_url.rsplit("/", 1)[0] + "/fresh_points")
    inside.autocommit = True
    inside.cursor().execute(
        "ALTER DEFAULT PRIVILEGES FOR ROLE points_owner GRANT SELECT ON TABLES TO points;"
        "ALTER SCHEMA public OWNER TO points_owner; GRANT USAGE ON SCHEMA public TO points"
    )
    inside.close()
    yield files
    connection.cursor().execute("DROP DATABASE fresh_points WITH (FORCE)")
    connection.close()


def test_new_code_waits_for_its_migrations_and_goes_on_when_they_are_done(fresh):
    done: list[subprocess.CompletedProcess[str]] = []
    waiting = threading.Thread(
        target=lambda: done.append(run("fleet.migrate", "points", "--wait", DATABASE_URL_FILE=str(fresh["points"])))
    )
    waiting.start()
    waiting.join(3)
    assert waiting.is_alive(), done
    migrated = run("fleet.migrate", "points", MIGRATION_DATABASE_URL_FILE=str(fresh["points_owner"]))
    assert migrated.returncode == 0, migrated.stderr
    waiting.join(30)
    assert done[0].returncode == 0, done[0].stderr


def test_waiting_ends_with_a_sentence_when_nobody_migrates(fresh):
    with pytest.raises(SystemExit, match=r"the database of points was not migrated within 1 s: .*alembic_version"):
        migrate.wait("points", fresh["points"].read_text(encoding="utf-8").strip(), seconds=0.6)


def test_an_older_database_is_waited_for_and_a_newer_one_is_not(fresh):
    owner, own = (fresh[role].read_text(encoding="utf-8").strip() for role in ("points_owner", "points"))
    migrate.upgrade("points", owner, "points_0002")
    assert not migrate.is_current("points", own)
    migrate.upgrade("points", owner)
    assert migrate.is_current("points", own)
    connection = psycopg2.connect(owner)
    connection.autocommit = True
    connection.cursor().execute("UPDATE alembic_version SET version_num = 'points_9999'")
    connection.close()
    assert migrate.is_current("points", own)


def test_the_brokers_definitions_come_from_a_folder_of_passwords(tmp_path):
    target = tmp_path / "definitions.json"
    (tmp_path / "users").mkdir()
    names = (*SERVICES, "topology")
    for name in names[1:]:
        (tmp_path / "users" / name).write_text(f"password of {name}\n", encoding="utf-8")
    given = {"BROKER_PASSWORDS_DIR": str(tmp_path / "users"), "BROKER_DEFINITIONS": str(target)}
    lacking = run("fleet.broker_definitions", **given)
    assert (lacking.returncode, target.exists()) == (1, False)
    assert f"has no password of {names[0]}" in lacking.stderr
    (tmp_path / "users" / names[0]).write_text("the last one", encoding="utf-8")
    assert run("fleet.broker_definitions", **given).returncode == 0
    users = {user["name"]: user for user in json.loads(target.read_text(encoding="utf-8"))["users"]}
    hashed = base64.b64decode(users["points"]["password_hash"])
    assert hashed[4:] == hashlib.sha256(hashed[:4] + b"password of points").digest()
    assert "password of" not in target.read_text(encoding="utf-8")


def test_databases_are_provisioned_from_mounted_files(postgres, passwords, tmp_path):
    (tmp_path / "superuser").write_text(postgres.server_url, encoding="utf-8")
    roles = " ".join(f"{name}={passwords[name]}" for service in SERVICES for name in (service, f"{service}_owner"))
    (tmp_path / "roles").write_text(roles, encoding="utf-8")
    given = {"SUPERUSER_URL_FILE": str(tmp_path / "superuser"), "ROLE_PASSWORDS_FILE": str(tmp_path / "roles")}
    done = run("fleet.provision", **given)
    assert done.returncode == 0, done.stderr
    psycopg2.connect(postgres.url("points", passwords["points"], "points")).close()


def test_a_mounted_file_that_is_missing_is_named():
    done = run("fleet.provision", SUPERUSER_URL_FILE="/nowhere/SUPERUSER_URL", ROLE_PASSWORDS="a=b")
    assert done.returncode == 2
    assert "SUPERUSER_URL is not usable" in done.stderr
    assert "/nowhere/SUPERUSER_URL" in done.stderr
