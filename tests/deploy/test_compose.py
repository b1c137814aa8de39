"""deploy/compose.yaml, as Compose itself reads it. No engine is needed for that, and nothing of it is started here."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from deploy import mounted
from deploy.local import compose, fleet, layout, wheels
from deploy.local.debian import Unavailable
from fleet.settings_reference import entries
from tests.conftest import ROOT
from tests.deploy import needs

OTHERS = {"postgres", "rabbitmq", "prometheus", "grafana"}
# Read by gunicorn's configuration and by libraries, not by settings of ours.
BESIDE = {"WEB_WORKERS", "WEB_THREADS", "BIND", "OTEL_EXPORTER_OTLP_ENDPOINT"}


@pytest.fixture(scope="module")
def secret_files(tmp_path_factory):
    """The folder of secrets as `make up` writes it."""
    folder = tmp_path_factory.mktemp("handed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "SECRETS", tmp_path_factory.mktemp("secrets"))
        mounted.write(folder)
    return folder


@pytest.fixture(scope="module")
def page(secret_files):
    """The whole page with everything filled in; Compose's own complaints are failures."""
    try:
        command = wheels.compose()
    except Unavailable as reason:
        pytest.skip(str(reason))
    command = [*command, "--file", str(compose.FILE), "--profile", "observability", "config", "--format", "json"]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PROPEL_SECRETS": str(secret_files)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def ours(page):
    return {name: each for name, each in page["services"].items() if name not in OTHERS}


def command_of(each) -> list[str]:
    """The words after `python -m`; those of the image when the page does not say."""
    words = each.get("command") or ["python", "-m", "gunicorn"]
    return words[words.index("-m") + 1 :]


def service_of(each) -> str:
    return each["build"]["args"].get("SERVICE", "gateway")


def of_services(ours):
    """The processes that read settings: all but nginx and local Discord."""
    return {name: each for name, each in ours.items() if name not in ("gateway", "discord")}


def test_nothing_of_ours_can_gain_rights_or_write_to_its_image(ours):
    for name, each in ours.items():
        assert each["read_only"], name
        assert each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert int(each["mem_limit"]) <= 512 * 2**20, name
        assert each["pids_limit"], name
        assert not each.get("privileged") and "user" not in each, name


def test_everything_published_listens_on_loopback(page):
    for name, each in page["services"].items():
        for port in each.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", name


def test_only_who_speaks_amqp_is_on_the_brokers_network(page):
    there = {name for name, each in page["services"].items() if "broker" in (each.get("networks") or {})}
    speaking = {name for name, each in page["services"].items() if "fleet.worker" in (each.get("command") or [])}
    assert there == speaking | {"rabbitmq", "topology"}
    assert not [name for name in there if name.endswith(("-web", "-client"))]
    assert {name for name, network in page["networks"].items() if not network.get("internal")} == {"outside"}


def test_every_process_of_local_mode_is_there_with_its_command(ours, monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "SECRETS", tmp_path)
    processes = fleet.Fleet(layout.Ports(gateway=8080, base=17000)).processes()
    there = {"epmd", "rabbitmq", "postgres", "databases", "topology", "migrations", "gateway", "discord"}
    for process in processes:
        if process.name.startswith("account-") or process.name in there:
            continue
        assert process.name in ours, f"{process.name} runs in local mode: add it to deploy/compose.yaml"
        words = list(process.command)
        if "gunicorn" not in words[0] and "gunicorn" not in words:
            assert command_of(ours[process.name]) == words[words.index("-m") + 1 :], process.name
    gateway = next(process for process in processes if process.name == "gateway")

    def parts(words) -> set[str]:
        return {word.rpartition("=")[0] for word in words if word.startswith(("--upstream", "--probe"))}

    assert parts(ours["gateway"]["command"]) == parts(gateway.command)


def test_every_process_is_told_what_it_reads_and_nothing_else(ours, page):
    known = {entry.name for entry in entries()} | {"MIGRATION_DATABASE_URL"} | BESIDE
    for name, each in of_services(ours).items():
        wanted = needs.of(*needs.entry(service_of(each), command_of(each)))
        if command_of(each)[0] == "fleet.migrate":
            wanted = {"MIGRATION_DATABASE_URL": needs.Need("MIGRATION_DATABASE_URL", required=True, secret=True)}
        told = {key if key in known else key.removesuffix("_FILE") for key, text in each["environment"].items() if text}
        assert told <= known, f"{name}: {told - known} is no setting"
        lacking = {need.name for need in wanted.values() if need.required} - told
        assert not lacking, f"{name} is not told {lacking}"
        handed = {secret["target"].rpartition("/")[2] for secret in each.get("secrets", [])}
        if command_of(each)[0] != "fleet.broker_definitions":
            assert handed <= set(wanted) | {"key.pem"}, f"{name} has no use for {handed - set(wanted)}"


def test_secrets_are_files_that_make_up_writes(ours, page, secret_files):
    secret = {entry.name for entry in entries() if entry.secret} | {"MIGRATION_DATABASE_URL", "POSTGRES_PASSWORD"}
    for name, each in page["services"].items():
        for key in each.get("environment") or {}:
            assert key not in secret, f"{name}: {key} belongs in a file, by {key}_FILE"
        targets = {f"/run/secrets/{secret['target'].rpartition('/')[2]}" for secret in each.get("secrets", [])}
        read = {text for text in (each.get("environment") or {}).values() if text and text.startswith("/run/secrets/")}
        assert read <= targets, f"{name} reads {read - targets}, which nobody mounts"
    for name, each in page["secrets"].items():
        path = Path(each["file"])
        assert path.is_relative_to(secret_files) and path.is_file(), name


def test_the_files_are_readable_for_the_containers_user_and_their_folder_for_nobody_else(secret_files):
    assert secret_files.stat().st_mode & 0o777 == 0o700
    for path in secret_files.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o777 == 0o444, path


def test_what_is_kept_lies_in_volumes_that_the_image_prepares(ours):
    text = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    for name, each in ours.items():
        for volume in each.get("volumes", []):
            if volume["type"] == "volume":
                folder = volume["target"].removeprefix("/var/lib/propel/")
                assert f"WORKDIR /writable/{folder}\n" in text, f"{name}: {volume['target']} would belong to root"


def test_whoever_waits_waits_for_something_that_can_be_seen(page):
    one_shots = {name for name, each in page["services"].items() if (each.get("healthcheck") or {}).get("disable")}
    for name, each in page["services"].items():
        for other, how in (each.get("depends_on") or {}).items():
            wanted = "service_completed_successfully" if other in one_shots else "service_healthy"
            assert how["condition"] == wanted, f"{name} waits for {other}"
    waited = {other for each in page["services"].values() for other in each.get("depends_on") or {}}
    # `up --wait` takes a job that ended for a failure unless something waits for its end.
    assert one_shots <= waited


def test_the_commands_of_make_find_ports_and_secrets(monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "PORTS", tmp_path / "ports.json")
    found = compose.environment({"PATH": "/bin", "PORT_BASE": "18000", "GATEWAY_PORT": "8090"})
    assert (found["GATEWAY_PORT"], found["DISCORD_PORT"]) == ("8090", "18100")
    assert found["GATEWAY_URL"] == "http://127.0.0.1:8090"
    assert "BOT_DISCORD_API" not in found
    assert compose.environment({"DISCORD_TOKEN": "x"})["BOT_DISCORD_API"] == ""


def test_make_up_takes_containers_only_where_an_engine_answers(monkeypatch, tmp_path):
    monkeypatch.delenv("PROPEL_MODE", raising=False)
    monkeypatch.setattr(compose, "MARK", tmp_path / "containers")
    for answers in (True, False):
        monkeypatch.setattr(compose, "docker_answers", lambda answers=answers: answers)
        assert compose.in_charge("up", False) is answers
        assert compose.in_charge("up", True) is False
    assert compose.in_charge("down", False) is False
    compose.MARK.touch()
    assert compose.in_charge("down", False) is True
    monkeypatch.setenv("PROPEL_MODE", "local")
    assert compose.in_charge("down", False) is False
