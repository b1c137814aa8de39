"""The configuration itself: what `nginx -t` says, what is refused, and where it runs."""

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.binaries import Program
from gateway.render import SERVICES, SETTINGS, TEMPLATES, render
from tests.gateway.certificates import self_signed
from tests.gateway.fleet import Fleet, Gateway

ALL = {name: f"127.0.0.1:{17010 + number}" for number, name in enumerate(SERVICES)}


@pytest.mark.parametrize(
    ("listen", "upstreams", "settings"),
    [
        ("127.0.0.1:18080", ALL, {}),
        ("127.0.0.1:18080", {}, {}),
        ("[::1]:18080", {"users": "127.0.0.1:1 [::1]:2"}, {}),
        ("*:18080", ALL, {"CORS_ORIGINS": "https://a.example http://localhost:3000"}),
        ("127.0.0.1:18080", ALL, {"GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8 fd00::/8"}),
        ("127.0.0.1:18080", ALL, {"GATEWAY_ACCESS_LOG": "/dev/stdout", "GATEWAY_ERROR_LOG": "stderr"}),
        ("127.0.0.1:18080", ALL, {"tls": "yes"}),
        ("127.0.0.1:18080", ALL, {name: "1" for name, setting in SETTINGS.items() if setting.default.isdigit()}),
    ],
)
def test_nginx_takes_the_configuration(
    program: Program, tmp_path: Path, listen: str, upstreams: dict[str, str], settings: dict[str, str]
) -> None:
    if settings.get("tls"):
        certificate, key = self_signed(tmp_path)
        settings = {"GATEWAY_TLS_CERT": str(certificate), "GATEWAY_TLS_KEY": str(key)}
    main = render(
        tmp_path, listen=listen, upstreams=upstreams, settings=settings, probes={"users worker": "127.0.0.1:9"}
    )
    command = [str(program.path), "-p", str(tmp_path), "-c", str(main), "-e", "stderr", "-t"]
    done = subprocess.run(
        command, env={**os.environ, **program.environment}, capture_output=True, text=True, check=False
    )
    assert "test is successful" in done.stderr, done.stderr
    # Newer versions want http2 said in another way, which 1.22 does not know.
    warnings = [line for line in done.stderr.splitlines() if "[warn]" in line and "http2" not in line]
    assert warnings == []


def test_everything_wrong_is_named_at_once(tmp_path: Path) -> None:
    settings = {
        "GATEWAY_TOKEN_RATE": "many",
        "GATEWAY_LOGIN_PER_MINUTE": "0",
        "CORS_ORIGINS": "https://a.example *",
        "GATEWAY_TLS_CERT": "a.pem",
        "GATEWAY_TRUSTED_PROXIES": "everybody",
        "GATEWAY_ACCESS_LOG": "a; b",
        "GATEWAY_TOKN_RATE": "1",
    }
    with pytest.raises(ValueError) as wrong:
        render(tmp_path, listen="127.0.0.1:1", upstreams={}, settings=settings)
    said = str(wrong.value)
    assert all(name in said for name in settings)
    assert "GATEWAY_ADDRESS_RATE" not in said


@pytest.mark.parametrize(
    ("listen", "upstreams", "probes"),
    [
        ("8080; include /etc/passwd", {}, {}),
        ("127.0.0.1", {}, {}),
        ("127.0.0.1:1", {"users": "127.0.0.1"}, {}),
        ("127.0.0.1:1", {"users": ""}, {}),
        ("127.0.0.1:1", {"users": "a:1;b:2"}, {}),
        ("127.0.0.1:1", {}, {'x":"': "a:1"}),
    ],
)
def test_addresses_and_names_are_looked_at(tmp_path: Path, listen: str, upstreams: dict, probes: dict) -> None:
    with pytest.raises(ValueError):
        render(tmp_path, listen=listen, upstreams=upstreams, settings={}, probes=probes)


def test_names_without_a_snippet_are_left_out(tmp_path: Path) -> None:
    render(tmp_path, listen="127.0.0.1:1", upstreams={"users": "a:1", "chat": "elsewhere:2"}, settings={})
    assert "elsewhere" not in "".join(path.read_text() for path in tmp_path.rglob("*.conf"))


def test_empty_settings_are_the_defaults(tmp_path: Path) -> None:
    bare = render(tmp_path / "bare", listen="127.0.0.1:1", upstreams={}, settings={}).read_text()
    assert (
        render(tmp_path / "empty", listen="127.0.0.1:1", upstreams={}, settings=dict.fromkeys(SETTINGS, "")).read_text()
        == bare
    )
    assert all(setting.help for setting in SETTINGS.values())


def test_the_templates_use_every_setting_and_every_service_has_a_snippet() -> None:
    text = "".join(path.read_text() for path in TEMPLATES.rglob("*.conf"))
    unused = [name for name in SETTINGS if f"${{{name}}}" not in text]
    # These are turned into something else first.
    assert set(unused) == {"GATEWAY_TRUSTED_PROXIES", "GATEWAY_TLS_CERT", "GATEWAY_TLS_KEY"}
    assert {path.stem for path in TEMPLATES.glob("services/*.conf")} == set(SERVICES)
    assert set(re.findall(r"include services/(\w+)\.conf", text)) == set(SERVICES)


def test_the_command_line_takes_its_settings_from_the_environment(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway.render", "--target", str(tmp_path), "--listen", "0.0.0.0:8080"]
    command += ["--upstream", "users=users:8000", "--probe", "users worker=users-worker:9000"]
    root = TEMPLATES.parent
    good = subprocess.run(
        command, cwd=root, env={"GATEWAY_TOKEN_RATE": "7"}, capture_output=True, text=True, check=False
    )
    assert (good.returncode, good.stderr) == (0, "")
    assert "rate=7r/s" in (tmp_path / "nginx.conf").read_text()
    assert "http://users-worker:9000/readyz" in (tmp_path / "parts.conf").read_text()
    bad = subprocess.run(
        command, cwd=root, env={"GATEWAY_TOKEN_RATE": "x"}, capture_output=True, text=True, check=False
    )
    assert bad.returncode == 1
    assert bad.stderr.startswith("The gateway cannot be configured: GATEWAY_TOKEN_RATE=x")


def test_it_can_be_moved_and_mounted(program: Program, tmp_path: Path) -> None:
    """Nothing inside names the directory it was rendered into."""
    render(tmp_path / "here", listen="127.0.0.1:18080", upstreams=ALL, settings={})
    assert str(tmp_path) not in "".join(path.read_text() for path in (tmp_path / "here").rglob("*") if path.is_file())


def big_upload(gateway: Gateway, fleet: Fleet) -> None:
    assert gateway.ask("POST", "/api/evidence/", body=b"x" * 2_000_000).json["body"] == 2_000_000
    assert gateway.get("/health/").json["status"] == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_started_by_root_its_workers_are_nobody(
    start: Callable[..., Gateway], fleet: Fleet, open_directory: Path
) -> None:
    gateway = start(target=open_directory)
    assert "user nobody " in (open_directory / "nginx.conf").read_text()
    big_upload(gateway, fleet)
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()
    assert {Path(f"/proc/{child}").stat().st_uid for child in children} == {pwd.getpwnam("nobody").pw_uid}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_started_by_root_where_nobody_cannot_go_it_still_works(
    start: Callable[..., Gateway], fleet: Fleet, tmp_path: Path
) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    big_upload(start(target=tmp_path / "closed/deep"), fleet)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_can_run_it(program: Program, fleet: Fleet, open_directory: Path) -> None:
    own = shutil.copy(program.path, open_directory / "nginx")
    target = open_directory / "gateway"
    (target / "run").mkdir(parents=True)
    shutil.chown(target / "run", "nobody")
    addresses = {name: each.address for name, each in fleet.services.items()}
    gateway = Gateway(Program(Path(own), program.environment), target, addresses, user="nobody")
    try:
        big_upload(gateway, fleet)
        gateway.reload()
        big_upload(gateway, fleet)
    finally:
        gateway.stop()
