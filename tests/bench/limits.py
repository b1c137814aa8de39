"""What the machine can do at best, each measured right before a run: PostgreSQL, RabbitMQ and Flask without Propel."""

import re
import subprocess
import time
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from deploy.local import postgres
from tests.bench import load
from tests.bench.amqp import Wire
from tests.bench.stage import Stage

LIMIT4 = "4 writes"
BROKER = "confirmed publish"
FLASK = "plain Flask"
DATABASE = "bench_limit"
QUEUE = "bench.events"
WINDOW = 500

TABLES = """
    CREATE TABLE keys (key text PRIMARY KEY, request_hash bytea NOT NULL, status int, body bytea,
        created_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE entries (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), member int NOT NULL, debit text NOT NULL,
        credit text NOT NULL, points int NOT NULL CHECK (points > 0), kind text NOT NULL,
        occurred_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON entries (member, occurred_at);
    CREATE TABLE balances (member int PRIMARY KEY, available bigint NOT NULL CHECK (available >= 0),
        lifetime bigint NOT NULL);
    CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message_id uuid NOT NULL,
        routing_key text NOT NULL, body bytea NOT NULL, recorded_at timestamptz NOT NULL DEFAULT now());
"""
SCRIPT = r"""
\set member random(1, :members)
BEGIN;
INSERT INTO keys (key, request_hash, status, body) VALUES (gen_random_uuid()::text, '\x00112233445566778899aabbccddeeff', 201, '\x7b7d');
UPDATE balances SET available = available + 10, lifetime = lifetime + 10 WHERE member = :member;
INSERT INTO entries (member, debit, credit, points, kind) VALUES (:member, 'issued', 'available', 10, 'award');
INSERT INTO outbox (message_id, routing_key, body) VALUES (gen_random_uuid(), 'points.activity_logged.v1', convert_to(repeat('x', 600), 'UTF8'));
COMMIT;
"""


class FourWrites:
    """pgbench with the four writes of an award in one transaction, over the simple protocol, on the same server."""

    def __init__(self, stage: Stage, members: int, clients: int) -> None:
        self._stage, self._members, self._clients = stage, members, clients
        self._script = stage.home / "four_writes.sql"
        self._script.write_text(SCRIPT, encoding="utf-8")
        stage.sql(f"DROP DATABASE IF EXISTS {DATABASE}")
        stage.sql(f"CREATE DATABASE {DATABASE}")
        self._sql(TABLES)
        self._sql("INSERT INTO balances SELECT n, 0, 0 FROM generate_series(1, %s) n", members)
        self._sql("VACUUM ANALYZE")

    def _sql(self, statement: str, *values: Any) -> None:
        connection = self._stage.connect(DATABASE)
        connection.cursor().execute(statement, values)
        connection.close()

    def measure(self, seconds: float) -> float:
        """Transactions per second."""
        self._sql("TRUNCATE keys, entries, outbox")
        parts = urlsplit(self._stage.database)
        command = [
            str(postgres.binaries() / "pgbench"),
            "--no-vacuum",
            "--protocol=simple",
            f"--client={self._clients}",
        ]
        command += ["--jobs=2", f"--time={max(1, round(seconds))}", f"--define=members={self._members}"]
        command += [f"--file={self._script}", f"--host={parts.hostname}", f"--port={parts.port}", "--username=postgres"]
        environment = {"PGPASSWORD": parts.password or "", "PATH": "/usr/bin:/bin"}
        done = subprocess.run([*command, DATABASE], env=environment, capture_output=True, text=True, check=False)
        found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
        if done.returncode or not found:
            raise RuntimeError(f"pgbench failed: {done.stdout}{done.stderr}")
        return float(found[1])

    def close(self) -> None:
        self._stage.sql(f"DROP DATABASE IF EXISTS {DATABASE}")


def declare_sink(stage: Stage, routing_key: str) -> None:
    """A quorum queue that takes events of one type and that nobody reads; full is full, so that it stays small."""
    arguments = {"x-queue-type": "quorum", "x-max-length": 20_000}
    with stage.channel() as channel:
        channel.queue_declare(QUEUE, durable=True, arguments=arguments)
        channel.queue_bind(QUEUE, "propel.events", routing_key)


def delete_sink(stage: Stage) -> None:
    with stage.channel() as channel:
        channel.queue_delete(QUEUE)


def confirmed_publish(stage: Stage, routing_key: str, seconds: float) -> float:
    """Messages of 600 bytes per second into the quorum queue `declare_sink` made, in confirmed windows of 500."""
    wire = Wire(stage.rabbitmq.url("points"), "propel.events", routing_key)
    body, count = b"x" * 600, 0
    began = time.monotonic()
    try:
        while (spent := time.monotonic() - began) < seconds:
            wire.send((str(uuid4()), body) for _ in range(WINDOW))
            # Two windows are under way at once, so that the broker never waits for us.
            wire.settle(WINDOW)
            count += WINDOW
        wire.settle()
        spent = time.monotonic() - began
    finally:
        wire.close()
    return count / spent


def plain_flask() -> Any:
    """The application behind the limit of Flask: routing and a JSON answer, nothing else."""
    import orjson
    from flask import Flask, Response

    app = Flask("plain")

    @app.get("/")
    def hello() -> Response:
        return Response(orjson.dumps({"status": "ready", "items": [1, 2, 3]}), content_type="application/json")

    return app


def flask_limit(stage: Stage, seconds: float) -> float:
    """Answers per second of `plain_flask` under the same gunicorn settings, 32 clients, without nginx."""
    stage.start("plain-flask")
    port = stage.parts["plain-flask"].port
    found = load.run(port, [load.request("GET", "/")], clients=32, seconds=seconds)
    stage.stop("plain-flask")
    return float(found["rate"])
