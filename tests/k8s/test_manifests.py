"""Both overlays keep every rule. `make k8s-render` shows what is looked at here."""

import re

import psycopg2
import pytest

from deploy.local import fleet, layout
from deploy.manifests.render import overlays
from fleet import migrate
from fleet.topology import SERVICES
from tests.k8s.reading import named, workloads
from tests.k8s.rules import PRODUCTION_ONLY, RULES

static = pytest.mark.static


CASES = [
    (overlay, name)
    for overlay in overlays()
    for name in RULES
    if overlay == "production" or name not in PRODUCTION_ONLY
]


@static
@pytest.mark.parametrize(("overlay", "name"), CASES)
def test_the_rule_holds(rendered, overlay, name):
    assert RULES[name](rendered(overlay)) == []


@static
def test_both_overlays_run_the_same_processes_but_for_consumers_and_relays(rendered):
    found = {
        overlay: {work.name for work in workloads(rendered(overlay)) if work.kind == "Deployment"}
        for overlay in overlays()
    }
    apart = {name.replace("-consumer", "-worker") for name in found["production"] if not name.endswith("-relay")}
    assert found["dev"] - {"discord"} == apart


@static
def test_every_process_of_local_mode_runs_in_the_cluster(rendered, monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "SECRETS", tmp_path)
    processes = fleet.Fleet(layout.Ports(gateway=8080, base=17000)).processes()
    services = {process.name.partition("-")[0] for process in processes} & set(SERVICES)
    there = {work.name for work in workloads(rendered("dev"))}
    for process in processes:
        name = process.name.replace("-consumer", "-worker").replace("-relay", "-worker")
        if name.partition("-")[0] in services and not name.startswith("account-"):
            assert name in there, f"{name} runs in local mode: give it a shape in k8s/base"


def test_a_database_made_by_the_operator_is_one_that_our_own_job_would_make(rendered, postgres, passwords):
    """The statements of the manifest, run on a real server; then migrations as owner and rows as the other role."""
    cluster = named(rendered("production"), "Cluster")["points-db"]["spec"]["bootstrap"]["initdb"]
    assert (cluster["database"], cluster["owner"]) == ("points", "points_owner")

    def own(statement: str) -> str:
        return re.sub(r"\bpoints(_owner)?\b", r"made_points\1", statement)

    server = psycopg2.connect(postgres.server_url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute("CREATE ROLE made_points_owner LOGIN PASSWORD 'owner'")
        cursor.execute("CREATE DATABASE made_points OWNER made_points_owner")
    try:
        inside = psycopg2.connect(postgres.server_url.rsplit("/", 1)[0] + "/made_points")
        inside.autocommit = True
        for statement in cluster["postInitApplicationSQL"]:
            inside.cursor().execute(own(statement))
        inside.cursor().execute("ALTER ROLE made_points PASSWORD 'app'")
        inside.close()
        migrate.upgrade("points", postgres.url("made_points_owner", "owner", "made_points"))
        app = psycopg2.connect(postgres.url("made_points", "app", "made_points"))
        app.autocommit = True
        with app.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM activity_types")
            assert cursor.fetchone()[0] > 0
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone()[0] == "30s"
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("CREATE TABLE mine (id int)")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("DROP TABLE balances")
        app.close()
        others = postgres.url("rewards", passwords["rewards"], "made_points")
        with pytest.raises(psycopg2.OperationalError, match="permission denied"):
            psycopg2.connect(others)
    finally:
        with server.cursor() as cursor:
            cursor.execute("DROP DATABASE made_points WITH (FORCE)")
            cursor.execute("DROP ROLE IF EXISTS made_points; DROP ROLE made_points_owner")
        server.close()
