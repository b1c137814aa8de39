"""Servers of their own with fsync on, and the processes of points in front of them, each started when it is wanted."""

import contextlib
import http.server
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pika
import psycopg2
from jwt.algorithms import OKPAlgorithm

from deploy.local.backends import Postgres, RabbitMQ, free_ports, private_postgres, private_rabbitmq
from deploy.local.children import kill_group, spawn, wait_until
from deploy.local.fleet import INHERITED, SERVICES
from deploy.local.layout import ROOT
from deploy.local.probes import Probe, http_ok, listens
from fleet import topology
from tests.bench.machine import cpu_below
from tests.bench.options import Options
from tests.signing import TestKey

EVENT = "points.activity_logged.v1"
START_SECONDS = 60
# Nobody measures the limits of the gateway here.
GATEWAY = {
    "GATEWAY_TOKEN_RATE": "500000",
    "GATEWAY_TOKEN_BURST": "500000",
    "GATEWAY_ADDRESS_RATE": "500000",
    "GATEWAY_ADDRESS_BURST": "500000",
}


@dataclass
class Part:
    """One process of the fleet as it may be started here."""

    command: list[str]
    environment: dict[str, str]
    ready: Probe
    port: int


def _ready(part: Part, process: subprocess.Popen[bytes]) -> bool:
    """True once the part answers; False when its process ended or the time is over."""
    wait_until(lambda: part.ready() or process.poll() is not None, START_SECONDS)
    return process.poll() is None and part.ready()


class Stage:
    """Everything a work needs: `sql`, `token`, and `start` / `stop` for the parts of points."""

    def __init__(self, home: Path, postgres: Postgres, rabbitmq: RabbitMQ, passwords: dict[str, str]) -> None:
        self.home, self.postgres, self.rabbitmq, self.passwords = home, postgres, rabbitmq, passwords
        self.keys = TestKey()
        self.parts: dict[str, Part] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.database = postgres.server_url.rsplit("/", 1)[0] + "/points"
        self._connection: Any = None
        self._emptied: list[str] = []

    def connect(self, database: str = "points") -> Any:
        """A connection of the superuser, committing by itself."""
        connection = psycopg2.connect(self.database.rsplit("/", 1)[0] + f"/{database}")
        connection.autocommit = True
        return connection

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = self.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def token(self, member: uuid.UUID, role: str = "student") -> str:
        return self.keys.token(member, role)

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """A channel of the user that may declare and purge."""
        connection = pika.BlockingConnection(pika.URLParameters(self.rabbitmq.url("topology")))
        try:
            yield connection.channel()
        finally:
            connection.close()

    def purge(self) -> None:
        """Empty every queue and the outbox."""
        with self.channel() as channel:
            for name in topology.queues():
                channel.queue_purge(name)
        self.sql("TRUNCATE outbox")

    def empty(self) -> None:
        """Empty all tables of points but those that migrations filled."""
        if not self._emptied:
            names = self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            self._emptied = [name for (name,) in names if not self.sql(f"SELECT 1 FROM {name} LIMIT 1")]
        self.sql(f"TRUNCATE {', '.join(self._emptied)}")

    # Parts

    def start(self, *names: str) -> None:
        """Start parts that do not run, and return when all of them are ready."""
        for name in names:
            if name in self._running:
                continue
            part = self.parts[name]
            with (self.home / f"{name}.log").open("ab") as log:
                self._running[name] = spawn(part.command, environment=part.environment, output=log, directory=ROOT)
        for name in names:
            part, process = self.parts[name], self._running[name]
            if not _ready(part, process):
                end = (self.home / f"{name}.log").read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"{name} did not start; the end of its log:\n{end}")

    def settle(self, seconds: float = 20) -> None:
        """Wait until nothing of ours works: workers import after the first of them answers, vacuum follows a load."""
        deadline = time.monotonic() + seconds
        before = cpu_below(self.roots.values())
        while time.monotonic() < deadline:
            time.sleep(0.25)
            now = cpu_below(self.roots.values())
            if now - before < 0.05:
                return
            before = now

    def stop(self, *names: str) -> None:
        """Stop parts in good order; all when none is named."""
        ending = [self._running.pop(name) for name in names or list(self._running) if name in self._running]
        for process in ending:
            process.terminate()
        for process in ending:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            kill_group(process.pid)
            process.wait()

    @property
    def roots(self) -> dict[str, int]:
        """The process under which each part runs, for accounting."""
        servers = {"postgres": self.postgres, "rabbitmq": self.rabbitmq}
        return {name: handle._part.guard.pid for name, handle in servers.items()} | {
            name: process.pid for name, process in self._running.items()
        }

    def counter(self, part: str, name: str, **labels: str) -> float:
        """The value of a counter on a part's /metrics, 0 when it never counted."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.parts[part].port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        found = (line for line in lines if line.split("{")[0].split(" ")[0] == name and all(w in line for w in wanted))
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def drained(self, seconds: float = 60) -> bool:
        """True once the outbox is empty."""
        return wait_until(lambda: not self.sql("SELECT 1 FROM outbox LIMIT 1"), seconds, 0.1)

    def close(self) -> None:
        self.stop()
        if self._connection is not None:
            self._connection.close()


def subscribers() -> list[str]:
    """The services whose workers have something to do when points awards: those that hear of it, and the bot."""
    heard = [name for name, types in topology.HEARS.items() if EVENT in types and name != "points"]
    present = {service.name for service in SERVICES if service.present}
    return [name for name in dict.fromkeys(["bot", *heard]) if name in present]


def _describe(stage: Stage, options: Options, jwks: str) -> None:
    """Fill `stage.parts`, named as in local mode."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    inherited |= {"TMPDIR": str(stage.home), "JWKS_URL": jwks, "PROGRAM_TIMEZONE": "UTC"}
    inherited |= {"EVIDENCE_DIR": str(stage.home / "evidence"), "MEMBER_NAMESPACE": str(uuid.uuid4())}
    inherited |= {"BOT_SHARED_SECRET": secrets.token_urlsafe(24)}
    workers = [(service.name, *worker) for service in SERVICES for worker in service.workers.items()]
    workers = [worker for worker in workers if worker[0] in ("points", *subscribers())]
    web_port, shop_port, gateway_port, *ports = free_ports(3 + len(workers))
    inherited["GATEWAY_URL"] = f"http://127.0.0.1:{gateway_port}"

    def environment(service: str, **more: str) -> dict[str, str]:
        return inherited | {"DATABASE_URL": stage.postgres.url(service, stage.passwords[service], service)} | more

    for (service, name, arguments), port in zip(workers, ports, strict=True):
        values = environment(service, AMQP_URL=stage.rabbitmq.url(service), METRICS_PORT=str(port))
        command = [sys.executable, "-m", "fleet.worker", service, *arguments]
        stage.parts[name] = Part(command, values, http_ok(f"http://127.0.0.1:{port}/readyz"), port)
    web = environment("points", BIND=f"127.0.0.1:{web_port}")
    web |= {"WEB_WORKERS": str(options.web_workers), "WEB_THREADS": str(options.web_threads)}
    for service, port in (("points", web_port), ("rewards", shop_port)):
        values = web | environment(service, BIND=f"127.0.0.1:{port}")
        door = f"services.{service}.app:create_app()"
        command = [sys.executable, "-m", "gunicorn", "-c", "fleet/gunicorn_conf.py", door]
        stage.parts[f"{service}-web"] = Part(command, values, http_ok(f"http://127.0.0.1:{port}/readyz"), port)
    # The shop runs as in local mode: one process that waits for points in a few of its threads.
    stage.parts["rewards-web"].environment |= {"WEB_WORKERS": "1", "WEB_THREADS": "32", "REWARDS_WAITERS": "24"}
    command = [sys.executable, "-m", "deploy.local.nginx", "--target", str(stage.home / "nginx")]
    command += ["--listen", f"127.0.0.1:{gateway_port}", "--upstream", f"points=127.0.0.1:{web_port}"]
    command += ["--upstream", f"rewards=127.0.0.1:{shop_port}"]
    stage.parts["gateway"] = Part(command, inherited | GATEWAY, listens(gateway_port), gateway_port)
    plain = environment("points", BIND=f"127.0.0.1:{free_ports(1)[0]}")
    plain |= {name: web[name] for name in ("WEB_WORKERS", "WEB_THREADS")}
    port = int(plain["BIND"].rpartition(":")[2])
    command = [sys.executable, "-m", "gunicorn", "-c", "fleet/gunicorn_conf.py", "tests.bench.limits:plain_flask()"]
    stage.parts["plain-flask"] = Part(command, plain, http_ok(f"http://127.0.0.1:{port}/"), port)


@contextmanager
def _key_server(keys: TestKey) -> Iterator[str]:
    """Gives the public key of our tokens to whoever asks, as users does."""
    key = json.loads(OKPAlgorithm.to_jwk(keys.private.public_key())) | {"kid": keys.kid, "alg": "EdDSA", "use": "sig"}
    body = json.dumps({"keys": [key]}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Nothing to tell."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
    finally:
        server.shutdown()
        server.server_close()


def _migrate(stage: Stage) -> None:
    names = ["points", *subscribers()]
    owners = {
        f"{name.upper()}_MIGRATION_DATABASE_URL": stage.postgres.url(
            f"{name}_owner", stage.passwords[f"{name}_owner"], name
        )
        for name in names
    }
    done = subprocess.run(
        [sys.executable, "-m", "fleet.migrate", *names],
        cwd=ROOT,
        env=os.environ | owners,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the migrations failed:\n{done.stdout}{done.stderr}")


@contextmanager
def stage(options: Options, say: Callable[[str], None]) -> Iterator[Stage]:
    """The servers, migrated and empty; everything is ended and removed afterwards."""
    began = time.monotonic()
    # Not /tmp, which is memory on many machines: there fsync costs nothing.
    home = Path(tempfile.mkdtemp(prefix="propel-bench-", dir="/var/tmp" if Path("/var/tmp").is_dir() else None))
    home.chmod(0o755)
    roles = [role for service in topology.SERVICES for role in (service, f"{service}_owner")]
    passwords = {name: secrets.token_urlsafe(16) for name in (*roles, "topology")}
    users = {name: passwords[name] for name in (*topology.SERVICES, "topology")}
    try:
        with private_postgres(home, durable=True) as postgres, private_rabbitmq(home, users) as rabbitmq:
            postgres.provision({name: passwords[name] for name in roles})
            found = Stage(home, postgres, rabbitmq, passwords)
            _migrate(found)
            with found.channel() as channel:
                topology.declare(channel)
            with _key_server(found.keys) as jwks:
                _describe(found, options, jwks)
                say(f"servers are up, {time.monotonic() - began:.0f} s")
                try:
                    yield found
                finally:
                    found.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)
