"""The tests' own servers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg2
import pytest

from deploy.local import postgres
from deploy.local.backends import private_postgres
from deploy.local.children import wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with private_postgres(tmp_path_factory.mktemp("server"), durable=True) as handle:
        handle.provision({"points": "app-password", "points_owner": "owner-password"})
        yield handle


def run(url: str, statement: str) -> list[tuple]:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        found = cursor.fetchall() if cursor.description else []
    connection.close()
    return found


def test_the_app_role_works_with_rows_of_the_owners_tables_and_cannot_make_any(server):
    owner = server.url("points_owner", "owner-password", "points")
    app = server.url("points", "app-password", "points")
    run(owner, "CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY, body text)")
    run(app, "INSERT INTO notes (body) VALUES ('kept')")
    assert run(app, "SELECT body FROM notes") == [("kept",)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(app, "CREATE TABLE mine (id int)")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(app, "TRUNCATE notes")
    assert run(app, "SHOW statement_timeout") == [("30s",)]


def test_no_role_may_enter_a_database_that_is_not_its_own(server):
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        run(server.url("points", "app-password", "postgres"), "SELECT 1")


def test_provisioning_again_changes_nothing(server):
    server.provision({"points": "app-password", "points_owner": "owner-password"})
    assert run(server.url("points", "app-password", "points"), "SELECT 1") == [(1,)]


def test_data_survives_a_crash_on_the_same_port(server):
    before = server.server_url
    run(before, "CREATE TABLE IF NOT EXISTS survivors AS SELECT 7 AS number")
    server.kill()
    with pytest.raises(psycopg2.OperationalError):
        run(before, "SELECT 1")
    server.start()
    assert run(server.server_url, "SELECT number FROM survivors") == [(7,)]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_nothing_is_left_when_the_test_run_is_killed(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from deploy.local.backends import private_postgres\n"
        "with private_postgres(Path(sys.argv[1])) as server:\n"
        "    print(server.server_url, flush=True); time.sleep(300)"
    )
    run_ = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert run_.stdout.readline().startswith("postgresql://")
    below = psutil.Process(run_.pid).children(recursive=True)
    assert any("postgres" in process.name() for process in below)
    data = postgres.place(next(tmp_path.glob("postgres-*")) / "server/data")
    assert data.exists()
    os.kill(run_.pid, signal.SIGKILL)
    run_.wait(5)
    run_.stdout.close()
    gone = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    assert wait_until(lambda: not [p for p in below if p.is_running() and p.status() not in gone], 20)
    assert wait_until(lambda: not data.exists() and not list(tmp_path.iterdir()), 10)
