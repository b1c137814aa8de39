"""Who gets what: the fleet's page as data."""

import pytest

from deploy.local import fleet, layout


@pytest.fixture
def processes(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "SECRETS", tmp_path / "secrets")
    monkeypatch.setattr(fleet.Service, "present", True)
    monkeypatch.setattr(layout, "settings", dict)
    monkeypatch.setattr(fleet, "settings", lambda: {"PATH": "/usr/bin", "UNRELATED_TOKEN": "x", "POINTS_LIMIT": "5"})
    made = fleet.Fleet(layout.Ports(gateway=8080, base=17000)).processes()
    return {process.name: process for process in made}


def test_web_processes_and_the_discord_client_never_see_the_broker(processes):
    for name, process in processes.items():
        if name.endswith("-web") or name in ("bot-client", "gateway", "discord", "migrations", "databases"):
            assert "AMQP_URL" not in process.environment, name


def test_nobody_but_migrations_and_the_provisioning_sees_an_owner_role(processes):
    for name, process in processes.items():
        if name not in ("migrations", "databases"):
            assert not [key for key, value in process.environment.items() if "_owner" in value], name


def test_the_topology_job_sees_no_database(processes):
    assert not [name for name in processes["topology"].environment if "DATABASE" in name]


def test_the_signing_key_is_for_users_alone(processes):
    having = {name for name, process in processes.items() if "USERS_JWT_KEY_FILE" in process.environment}
    assert having <= {"users-web", "account-admin", "account-student"}


def test_only_named_settings_are_handed_on(processes):
    assert processes["points-web"].environment["POINTS_LIMIT"] == "5"
    for name, process in processes.items():
        assert "UNRELATED_TOKEN" not in process.environment
        assert "POINTS_LIMIT" not in process.environment or name.startswith("points"), name


def test_everything_that_is_needed_exists_and_comes_up_without_a_circle(processes):
    started: set[str] = set()
    while len(started) < len(processes):
        able = {
            name for name, process in processes.items() if name not in started and started.issuperset(process.needs)
        }
        assert able, set(processes) - started
        started |= able


def test_no_two_processes_share_a_port(processes):
    ports = [process.port for process in processes.values() if process.port]
    assert len(set(ports)) == len(ports)
