"""The images: what is copied is what runs. No engine is needed; tests/deploy/dockerfile.py does the steps in a folder."""

import json
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from deploy.local import wheels
from deploy.local.backends import free_ports
from deploy.local.binaries import nginx
from deploy.local.children import wait_until
from deploy.local.debian import Unavailable
from deploy.local.prepare import IMAGES, PACKAGES
from deploy.local.probes import http_ok
from deploy.packages.choose import chosen
from fleet.topology import SERVICES
from tests.conftest import ROOT
from tests.conftest import SERVICES as PRESENT
from tests.deploy.dockerfile import Build, Stage, context_files, instructions

DOCKERFILES = {"service": ROOT / "deploy/Dockerfile", "gateway": ROOT / "deploy/gateway.Dockerfile"}

static = pytest.mark.static


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """`build("points")` is the tree of that image, made once for this file."""
    made: dict[str, Build] = {}

    def once(image: str, target: str | None = None) -> tuple[Build, Stage]:
        kind = "gateway" if image == "gateway" else "service"
        if image not in made:
            made[image] = Build(DOCKERFILES[kind], ROOT, tmp_path_factory.mktemp(f"image-{image}"), {"SERVICE": image})
            made[image].run("local-discord" if image == "bot" else kind)
        return made[image], made[image].stages[target or kind]

    return once


@contextmanager
def running(command: list[str], home: Path, environment: dict[str, str]):
    """The process of a container, without the container."""
    process = subprocess.Popen(
        command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@static
@pytest.mark.parametrize("image", IMAGES)
def test_the_packages_of_an_image_have_hashes_in_the_lock(image):
    names = set((PACKAGES / f"{image}.txt").read_text(encoding="utf-8").split())
    entries = chosen((ROOT / "requirements.lock").read_text(encoding="utf-8"), names)
    assert entries.count("--hash=sha256:") >= len(names)
    assert {re.match(r"[a-z0-9-]+", line)[0] for line in entries.splitlines() if line[:1].isalnum()} == names


@static
def test_every_service_has_its_list_of_packages():
    assert set(SERVICES) | {"gateway"} == set(IMAGES)


@static
def test_only_what_runs_reaches_the_engine():
    found = context_files(ROOT)
    tops = {name.split("/")[0] for name in found}
    assert tops == {"requirements.lock", "fleet", "services", "gateway", "deploy"}
    ours = {name for name in found if name.startswith("deploy/local/") and "/discord/" not in name}
    assert ours == {"deploy/local/__init__.py"}
    assert not [name for name in found if name.endswith((".pyc", ".env", ".pem"))]


@static
@pytest.mark.parametrize("kind", DOCKERFILES)
def test_a_base_is_taken_by_an_argument_with_its_digest(kind):
    bases = [rest.split()[0] for word, rest in instructions(DOCKERFILES[kind]) if word == "FROM"]
    own = {rest.split(" AS ")[1] for word, rest in instructions(DOCKERFILES[kind]) if word == "FROM"}
    assert [base for base in bases if base not in own] == ["${BASE}${BASE_DIGEST:+@${BASE_DIGEST}}"] * 2


@pytest.mark.parametrize("kind", DOCKERFILES)
def test_hadolint_finds_nothing(kind):
    try:
        program = wheels.hadolint()
    except Unavailable as reason:
        pytest.skip(str(reason))
    done = subprocess.run([program, DOCKERFILES[kind]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("service", PRESENT)
def test_an_image_holds_one_service_and_all_that_it_imports(build, service):
    work, stage = build(service)
    assert (stage.user, stage.workdir) == ("10001:10001", "/propel")
    assert stage.skipped == []
    assert {path.name for path in (stage.home / "services").iterdir() if path.is_dir()} - {"__pycache__"} == {service}
    assert {path.name for path in stage.home.iterdir()} == {"packages", "fleet", "services"}
    # Everything, not just what starts: a module that is imported at the first use would fail then.
    script = (
        "import importlib, pkgutil, sys\n"
        "for name in ('fleet', 'services'):\n"
        "    for info in pkgutil.walk_packages(importlib.import_module(name).__path__, name + '.'):\n"
        "        if not info.name.endswith(('__main__', 'gunicorn_conf', 'alembic.env')) and '.migrations' not in info.name:\n"
        "            importlib.import_module(info.name)\n"
        "outside = [m.__file__ for m in sys.modules.values() if 'site-packages' in (getattr(m, '__file__', None) or '')]\n"
        "assert not outside, outside[:3]\n"
    )
    done = subprocess.run(
        ["python", "-c", script],
        cwd=stage.home,
        env=work.environment(stage),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Compiled once and for all: the image is read-only where it runs.
    assert list((stage.home / "services" / service).glob("__pycache__/models.*.pyc"))


def test_no_compiler_and_no_tool_of_ours_is_left_in_an_image(build):
    _work, stage = build("points")
    assert not [
        name for name in files(stage.home) if name.startswith("packages/") and re.search(r"(^|/)(pip|uv)/", name)
    ]
    assert not (stage.home / "packing").exists()
    assert "apt-get" not in DOCKERFILES["service"].read_text(encoding="utf-8")


def test_points_runs_from_its_image_and_writes_nothing_into_it(build, postgres, passwords):
    work, stage = build("points")
    owner = postgres.url("points_owner", passwords["points_owner"], "points")
    own = postgres.url("points", passwords["points"], "points")
    before = files(stage.home)
    for command, given in (
        (["python", "-m", "fleet.migrate", "points"], {"MIGRATION_DATABASE_URL": owner}),
        (["python", "-m", "fleet.migrate", "points", "--wait"], {"DATABASE_URL": own}),
    ):
        done = subprocess.run(
            command, cwd=stage.home, env=work.environment(stage, **given), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}/readyz"
    given = {"DATABASE_URL": own, "JWKS_URL": "http://127.0.0.1:1/jwks.json", "BIND": f"127.0.0.1:{port}"}
    environment = work.environment(stage, HEALTH_URL=url, **given)
    with running(stage.command, stage.home, environment) as process:
        assert wait_until(http_ok(url), 30), process.communicate(process.terminate())[0]
        with urlopen(f"http://127.0.0.1:{port}/api/activities/") as answer:
            assert json.load(answer)["items"]
        health = subprocess.run(stage.health, cwd=stage.home, env=environment, check=False)
        assert health.returncode == 0
    away = subprocess.run(stage.health, cwd=stage.home, env=environment, capture_output=True, check=False)
    assert away.returncode == 1
    assert files(stage.home) == before


def test_the_gateway_runs_from_its_image(build, tmp_path):
    work, stage = build("gateway")
    assert stage.user == "10001:10001"
    # The one step that is not done here: nginx is this machine's own.
    assert [step for step in stage.skipped if "nginx" not in step] == []
    documents = {path.parent.name for path in stage.home.glob("services/*/openapi.json")}
    assert documents == {path.parent.name for path in ROOT.glob("services/*/openapi.json")}
    port = free_ports(1)[0]
    try:
        program = nginx()
    except Unavailable as reason:
        pytest.skip(str(reason))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/nginx").symlink_to(program.path)
    environment = work.environment(stage, **program.environment)
    environment |= {"PATH": f"{tmp_path}/bin:{environment['PATH']}", "GATEWAY_ACCESS_LOG": "run/access.log"}
    places = {"/tmp/gateway": str(tmp_path / "rendered"), "0.0.0.0:8080": f"127.0.0.1:{port}"}
    command = [places.get(word, word) for word in stage.entrypoint]
    command += ["--upstream=points=127.0.0.1:1", "--probe=points-worker=127.0.0.1:1"]
    with running(command, stage.home, environment) as process:
        there = wait_until(http_ok(f"http://127.0.0.1:{port}/health/"), 15)
        assert there, process.communicate(process.terminate())[0]
        with urlopen(f"http://127.0.0.1:{port}/health/") as answer:
            assert json.load(answer)["parts"] == {
                "points": {"status": "down"},
                "points-worker": {"status": "down"},
            }
        with urlopen(f"http://127.0.0.1:{port}/api/openapi.json") as answer:
            assert "/api/leaderboard/" in json.load(answer)["paths"]


def test_local_discord_runs_from_its_image_and_knows_the_name_it_is_called_by(build):
    work, stage = build("bot", "local-discord")
    port = free_ports(1)[0]
    command = [{"0.0.0.0": "127.0.0.1", "17100": str(port)}.get(word, word) for word in stage.command]
    command += ["--origin", "http://discord:17100"]
    with running(command, stage.home, work.environment(stage, DISCORD_TOKEN="any")) as process:
        there = wait_until(http_ok(f"http://127.0.0.1:{port}/local/state"), 15)
        assert there, process.communicate(process.terminate())[0]
        headers = {"Host": "discord:17100", "Authorization": "Bot any"}
        with urlopen(Request(f"http://127.0.0.1:{port}/api/v10/gateway", headers=headers)) as answer:
            assert json.load(answer)["url"] == "ws://discord:17100/gateway"
        with pytest.raises(HTTPError, match="403"):
            urlopen(Request(f"http://127.0.0.1:{port}/local/state", headers={"Host": "elsewhere.example"}))


def test_an_image_that_lacks_a_package_is_noticed(build, tmp_path):
    _work, stage = build("points")
    for name in ("fleet", "services"):
        (tmp_path / name).symlink_to(stage.home / name)
    (tmp_path / "packages").mkdir()
    for path in (stage.home / "packages").iterdir():
        if not path.name.startswith("marshmallow"):
            (tmp_path / "packages" / path.name).symlink_to(path)
    work, _ = build("points")
    environment = work.environment(stage, PYTHONPATH=str(tmp_path / "packages"))
    command = ["python", "-c", "import services.points.app"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "No module named 'marshmallow'" in done.stderr
