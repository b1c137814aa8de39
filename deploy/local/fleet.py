"""The fleet on one page: every process of local mode with its command, environment, needs and readiness.

Nobody gets a secret it does not use: web processes and the Discord client never see the broker, the topology job never
sees a database, and only migrations see the owner roles.
"""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local import postgres, rabbitmq
from deploy.local.layout import (
    MAIL,
    OFFSETS,
    PORTS,
    ROOT,
    RUN,
    SECRETS,
    Ports,
    secret,
    settings,
    signing_key,
    write_private,
)
from deploy.local.probes import http_ok
from deploy.local.supervisor import Process

DATABASES = ("users", "points", "rewards", "reviews", "bot", "integrations")
BROKER_USERS = (*DATABASES, "topology")


@dataclass(frozen=True)
class Service:
    """A service as it runs here: its web door, its workers with the options of `fleet.worker`, and whether what has no
    quick answer (streams, long waits) has a second web process of the same application."""

    name: str
    workers: Mapping[str, tuple[str, ...]]
    web: bool = True
    stream: bool = False

    @property
    def present(self) -> bool:
        """True when this tree has the service's code."""
        return any((ROOT / "services" / self.name / door).exists() for door in ("app.py", "__main__.py"))


SERVICES = (
    Service("users", {"users-worker": ()}),
    # Apart: one Python core is saturated by consuming alone.
    Service("points", {"points-consumer": ("--only", "consumer"), "points-relay": ("--only", "relay")}),
    Service("rewards", {"rewards-worker": ()}),
    Service("reviews", {"reviews-worker": ()}),
    Service("integrations", {"integrations-worker": ()}, stream=True),
    Service("bot", {"bot-worker": ()}),
)
# What a process may inherit from whoever called make. Everything else is named below or in `.env`.
INHERITED = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TZDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("PROPEL_RUN", "PROPEL_CACHE", "XDG_CACHE_HOME", "PG_BIN", "RABBITMQ_SERVER", "NGINX"),
)
# Settings every service of ours understands.
SHARED = (
    "LOG_LEVEL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "DATABASE_POOL_SIZE",
    "ADJUST_SECOND_ADMIN_ABOVE",
    "REFUND_SECOND_ADMIN_ABOVE",
)
ACCOUNTS = RUN / "accounts.json"
PYTHON = sys.executable


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-m", name, *arguments)


class Fleet:
    """Builds the processes out of the ports and of what the operator set."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.settings = settings()
        self.base = {name: self.settings[name] for name in INHERITED if name in self.settings}
        self.services = [service for service in SERVICES if service.present]
        self.local_discord = not self.settings.get("DISCORD_TOKEN")

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.gateway}"

    def port_names(self) -> list[str]:
        """Everything that is going to listen, for the check before anything starts."""
        return [
            "gateway",
            "epmd",
            "erlang",
            *sorted({p.name for p in self.processes() if p.name in OFFSETS}, key=OFFSETS.__getitem__),
        ]

    def database_url(self, role: str) -> str:
        database = role.removesuffix("_owner")
        return postgres.url(role, secret(f"pg_{role}"), self.ports["postgres"], database)

    def amqp_url(self, user: str) -> str:
        return rabbitmq.url(user, secret(f"amqp_{user}"), self.ports["rabbitmq"])

    def environment(self, service: str) -> dict[str, str]:
        """What every process of one service gets."""
        given = {
            name: value
            for name, value in self.settings.items()
            if name in SHARED or name.startswith(f"{service.upper()}_")
        }
        values = {
            **self.base,
            **given,
            "DATABASE_URL": self.database_url(service),
            "JWKS_URL": f"http://127.0.0.1:{self.ports['users-web']}/.well-known/jwks.json",
            "PROGRAM_TIMEZONE": self.settings.get("PROGRAM_TIMEZONE") or "UTC",
            "GATEWAY_URL": self.gateway_url,
        }
        if service in ("users", "rewards", "reviews", "integrations"):
            values |= (
                {"SMTP_URL": self.settings["SMTP_URL"]} if self.settings.get("SMTP_URL") else {"MAIL_SPOOL": str(MAIL)}
            )
        if service in ("points", "reviews"):
            own = {"EVIDENCE_DIR": str(RUN / "evidence" / service)}
            if self.local_discord:
                # Attachments of local Discord lie on this machine.
                own["ATTACHMENT_HOSTS"] = f"127.0.0.1:{self.ports['discord']}"
            values = {**own, **values}
        if service == "integrations":
            # Here a webhook may lead to whoever tries it on this machine.
            values.setdefault("INTEGRATIONS_ALLOWED_NETWORKS", "127.0.0.0/8")
        if service == "reviews":
            values.setdefault("REVIEWS_LINK_KEY", secret("reviews_link_key"))
        if service == "bot":
            values.setdefault("BOT_SHARED_SECRET", secret("bot_shared_secret"))
        if service in ("users", "bot"):
            values["MEMBER_NAMESPACE"] = secret("member_namespace")
        return values

    def processes(self) -> list[Process]:
        """The whole fleet; what takes longest to start comes first."""
        return [
            *self._parts(),
            *self._one_shots(),
            *self._accounts(),
            *self._of_services(),
            *self._discord(),
            *self._gateway(),
        ]

    def _parts(self) -> list[Process]:
        ports = self.ports
        node = ["--home", str(RUN / "rabbitmq"), "--port", str(ports["rabbitmq"]), "--dist-port", str(ports["erlang"])]
        names = ["--epmd-port", str(ports["epmd"])]
        cluster = ["--data", str(RUN / "postgres/data"), "--port", str(ports["postgres"])]
        for user in BROKER_USERS:
            secret(f"amqp_{user}")
        secret("postgres")
        return [
            Process(
                "epmd",
                _module("deploy.local.rabbitmq", "epmd", *names),
                self.base,
                ready=rabbitmq.epmd_ready(ports["epmd"]),
                port=ports["epmd"],
            ),
            Process(
                "rabbitmq",
                _module("deploy.local.rabbitmq", "serve", *node, *names, "--passwords", str(SECRETS)),
                self.base,
                needs=("epmd",),
                ready=rabbitmq.ready(ports["rabbitmq"]),
                port=ports["rabbitmq"],
                stop_seconds=20,
            ),
            Process(
                "postgres",
                _module(
                    "deploy.local.postgres",
                    "serve",
                    *cluster,
                    "--password-file",
                    str(SECRETS / "postgres"),
                    "--archive",
                ),
                self.base,
                ready=postgres.ready(ports["postgres"]),
                port=ports["postgres"],
                stop_signal=postgres.STOP_SIGNAL,
                stop_seconds=20,
            ),
        ]

    def _one_shots(self) -> list[Process]:
        roles = [name for database in DATABASES for name in (database, f"{database}_owner")]
        provision = {
            "SUPERUSER_URL": postgres.url("postgres", secret("postgres"), self.ports["postgres"], "postgres"),
            "ROLE_PASSWORDS": " ".join(f"{role}={secret(f'pg_{role}')}" for role in roles),
        }
        names = [service.name for service in self.services]
        owners = {f"{name.upper()}_MIGRATION_DATABASE_URL": self.database_url(f"{name}_owner") for name in names}
        jobs = [
            Process(
                "databases",
                _module("fleet.provision"),
                {**self.base, **provision},
                needs=("postgres",),
            ),
            Process(
                "topology",
                _module("fleet.topology_job"),
                {**self.base, "AMQP_URL": self.amqp_url("topology")},
                needs=("rabbitmq",),
            ),
        ]
        # One process for all: starting Python with SQLAlchemy costs more than most migrations.
        migrations = Process(
            "migrations", _module("fleet.migrate", *names), {**self.base, **owners}, needs=("databases",)
        )
        return [*jobs, migrations] if names else jobs

    def _of_services(self) -> list[Process]:
        found = []
        for service in self.services:
            name, values = service.name, self.environment(service.name)
            if service.web:
                found.append(self._web(name, f"{name}-web", values))
            if service.stream:
                found.append(self._web(name, f"{name}-stream", values))
            for worker, options in service.workers.items():
                port = self.ports[worker]
                extra = {"AMQP_URL": self.amqp_url(name), "METRICS_PORT": str(port)}
                found.append(
                    Process(
                        worker,
                        _module("fleet.worker", name, *options),
                        {**values, **extra},
                        needs=("migrations", "topology"),
                        ready=http_ok(f"http://127.0.0.1:{port}/readyz"),
                        port=port,
                        stop_seconds=20,
                    )
                )
        return found

    def _web(self, name: str, process: str, values: dict[str, str]) -> Process:
        port = self.ports[process]
        extra = {"BIND": f"127.0.0.1:{port}", "WEB_WORKERS": self.settings.get("WEB_WORKERS") or "1"}
        if name == "bot":
            # Every request waits for an answer of another service.
            extra |= {"WEB_THREADS": "16"}
        if name == "rewards":
            # Requests wait for points in threads, without a connection: three out of four may.
            extra |= {"WEB_THREADS": "32", "REWARDS_WAITERS": self.settings.get("REWARDS_WAITERS") or "24"}
        if process == "integrations-stream":
            # A listener is a thread that waits, without a connection.
            extra |= {"WEB_THREADS": "128", "WEB_WORKERS": "1"}
        if name == "users":
            extra["USERS_JWT_KEY_FILE"] = str(signing_key())
        return Process(
            process,
            _module("gunicorn", "-c", "fleet/gunicorn_conf.py", f"services.{name}.app:create_app()"),
            {**values, **extra},
            needs=("migrations",),
            ready=http_ok(f"http://127.0.0.1:{port}/readyz"),
            port=port,
            stop_seconds=10,
        )

    def _discord(self) -> list[Process]:
        if not any(service.name == "bot" for service in self.services):
            return []
        port, metrics = self.ports["discord"], self.ports["bot-client"]
        token = secret("discord_token") if self.local_discord else self.settings["DISCORD_TOKEN"]
        values = {**self.environment("bot"), "DISCORD_TOKEN": token, "METRICS_PORT": str(metrics)}
        found, needs = [], ["migrations"]
        if self.local_discord:
            values["BOT_DISCORD_API"] = f"http://127.0.0.1:{port}/api/v10"
            needs.append("discord")
            found.append(
                Process(
                    "discord",
                    _module("deploy.local.discord", "--port", str(port), "--state", str(RUN / "discord.json")),
                    {**self.base, "DISCORD_TOKEN": token},
                    ready=http_ok(f"http://127.0.0.1:{port}/local/state"),
                    port=port,
                )
            )
        client = Process(
            "bot-client",
            _module("services.bot"),
            values,
            needs=tuple(needs),
            ready=http_ok(f"http://127.0.0.1:{metrics}/readyz"),
            port=metrics,
        )
        return [*found, client]

    def _gateway(self) -> list[Process]:
        if not (ROOT / "gateway/render.py").exists():
            return []
        webs = [f"{service.name}-web" for service in self.services if service.web]
        webs += [f"{service.name}-stream" for service in self.services if service.stream]
        workers = [worker for service in self.services for worker in service.workers]
        others = [*workers, *(process.name for process in self._discord() if process.name == "bot-client")]
        upstreams = [f"--upstream={name.removesuffix('-web')}=127.0.0.1:{self.ports[name]}" for name in webs]
        probes = [f"--probe={name}=127.0.0.1:{self.ports[name]}" for name in others]
        listen = f"127.0.0.1:{self.ports.gateway}"
        given = {
            name: self.settings[name] for name in self.settings if name.startswith("GATEWAY_") or name == "CORS_ORIGINS"
        }
        return [
            Process(
                "gateway",
                _module("deploy.local.nginx", "--target", str(RUN / "nginx"), "--listen", listen, *upstreams, *probes),
                {**self.base, **given},
                # The last one up and the first one down: it counts as ready when every part behind it does.
                needs=(*webs, *others),
                ready=http_ok(f"{self.gateway_url}/health/", containing=b'"status":"ok"'),
                port=self.ports.gateway,
                # nginx ends gracefully on QUIT, and cuts its connections on TERM.
                stop_signal=signal.SIGQUIT,
            )
        ]

    def accounts(self) -> dict[str, dict[str, str]]:
        """The two accounts a fresh fleet has: username, email and password of each."""
        return {
            role: {"username": role, "email": f"{role}@propel.test", "password": secret(f"account_{role}")}
            for role in ("admin", "student")
        }

    def account_job(self, name: str, username: str, email: str, password: str, role: str) -> Process:
        """A one-shot that makes one account."""
        options = ("--role", role) if role != "admin" else ()
        values = {**self.environment("users"), "ADMIN_PASSWORD": password}
        return Process(name, _module("services.users.admin", username, email, *options), values, needs=("migrations",))

    def _accounts(self) -> list[Process]:
        if ACCOUNTS.exists() or not (ROOT / "services/users/admin.py").exists():
            return []
        return [
            self.account_job(f"account-{role}", each["username"], each["email"], each["password"], role)
            for role, each in self.accounts().items()
        ]


def record_ports(ports: Ports) -> None:
    """Write the ports down for every other target."""
    RUN.mkdir(exist_ok=True)
    write_private(PORTS, f'{{"gateway": {ports.gateway}, "base": {ports.base}}}\n')


def tidy_environment() -> None:
    """Let this process and its children compile modules, whatever the calling shell says: it halves a warm start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
