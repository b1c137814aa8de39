"""Migrations: one shared Alembic environment for all services.

    python -m fleet.migrate users points        each to its newest revision, as the owner role
    python -m fleet.migrate points --wait         until somebody else has done it, as the service's own role
    python -m fleet.migrate points --new "keep receipts"

The owner's address comes from `<SERVICE>_MIGRATION_DATABASE_URL`, or from `MIGRATION_DATABASE_URL` when one service is
named; `_FILE` behind either name is a file that holds it. Revisions are `services/<service>/migrations/NNNN_words.py`,
contiguous, expanding before contracting.
"""

import argparse
import importlib
import re
import sys
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command, context, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from fleet.settings import DatabaseSettings, SettingsError, database_url, given, read

ROOT = Path(__file__).resolve().parent.parent
LOCK = 5_271_010
WAIT_S = 600.0


def config(service: str) -> Config:
    """The Alembic configuration of a service: its folder of revisions under the environment in this module."""
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
    found.set_main_option("version_locations", str(ROOT / "services" / service / "migrations"))
    found.set_main_option("path_separator", "os")
    return found


def metadata_of(service: str) -> list[sa.MetaData]:
    """All tables a service's database should have: its own and the fleet's."""
    for name in ("outbox", "inbox", "asking", "idempotency", "auth_state", "dead_letters"):
        importlib.import_module(f"fleet.{name}")
    from fleet.database import fleet_metadata

    models = importlib.import_module(f"services.{service}.models")
    return [models.Base.metadata, fleet_metadata]


def upgrade(service: str, url: str, revision: str = "head") -> None:
    """Bring the database of `service` to `revision`; concurrent callers wait for one another."""
    engine = create_engine(database_url(url))
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.execute(sa.text("SET lock_timeout = '5s'"))
        connection.commit()
        found = config(service)
        found.attributes["connection"] = connection
        found.attributes["metadata"] = metadata_of(service)
        command.upgrade(found, revision)
        connection.commit()
    engine.dispose()


def is_current(service: str, url: str) -> bool:
    """True when the database is at the newest revision of this code, or at one that only later code knows.

    The latter because code of before goes on while a release comes in, and its processes may start anew. Raises
    sqlalchemy's OperationalError while there is no database, ProgrammingError while it was never migrated.
    """
    engine = create_engine(database_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        there = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    known = [each.revision for each in ScriptDirectory.from_config(config(service)).walk_revisions()]
    return there is not None and (there == known[0] or there not in known)


def wait(service: str, url: str, seconds: float = WAIT_S) -> None:
    """Return when the database of `service` is current; ends the process with status 1 when it is not in time.

    New code starts behind it, so that the order of a rollout is kept whoever starts first.
    """
    deadline, said = time.monotonic() + seconds, ""
    while time.monotonic() < deadline:
        try:
            if is_current(service, url):
                return
            said = "it is at an older revision"
        except sa.exc.DBAPIError as error:
            said = str(error.orig).strip().partition("\n")[0]
        time.sleep(1)
    raise SystemExit(f"the database of {service} was not migrated within {seconds:.0f} s: {said}")


def run_environment() -> None:
    """What Alembic calls for each command: run within one transaction on the connection it was given."""
    connection = context.config.attributes["connection"]
    metadata = context.config.attributes["metadata"]
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def fleet_tables() -> None:
    """The tables every service has, as their first form was; later changes are revisions of each service."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.Column("exchange", sa.Text, nullable=False),
        sa.Column("routing_key", sa.Text, nullable=False),
        sa.Column("mandatory", sa.Boolean, nullable=False),
        sa.Column("ttl_ms", sa.Integer),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("retry_at", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    # Rows live for milliseconds: vacuum early and gently, and never give pages back that are needed a moment later.
    op.execute(
        "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, "
        "autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off)"
    )
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.Text, nullable=False),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("consumer", "message_id", name="pk_inbox"),
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"])
    op.create_table(
        "answers",
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.Column("body", sa.dialects.postgresql.JSONB, nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("message_id", name="pk_answers"),
    )
    op.create_index("ix_answers_arrived_at", "answers", ["arrived_at"])
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.LargeBinary),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_idempotency_keys"),
    )
    op.create_table(
        "auth_state",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("security_version", sa.BigInteger, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("suspended_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("member_id", name="pk_auth_state"),
    )


def dead_letters_table() -> None:
    """What a service could not apply (fleet/dead_letters.py)."""
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("message_key", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("died_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("replay_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
    )
    op.create_index("uq_dead_letters_queue_message_key", "dead_letters", ["queue", "message_key"], unique=True)
    op.create_index(
        "ix_dead_letters_replay_at", "dead_letters", ["replay_at"], postgresql_where=sa.text("replay_at IS NOT NULL")
    )


def mail_table() -> None:
    """The queue of a service that sends mail (fleet/mail.py)."""
    op.create_table(
        "mail_queue",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("text_body", sa.Text, nullable=False),
        sa.Column("html_body", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_mail_queue"),
    )
    op.create_index("ix_mail_queue_due_at", "mail_queue", ["due_at"], postgresql_where=sa.text("failed_at IS NULL"))


def trace_mail() -> None:
    """Mails know the trace they belong to (fleet/mail.py)."""
    op.add_column("mail_queue", sa.Column("traceparent", sa.Text))


def rates_table() -> None:
    """The windows of a service that limits rates by account (fleet/rates.py)."""
    op.create_table(
        "rate_windows",
        sa.Column("rate", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("rate", "key", name="pk_rate_windows"),
    )


def links_tables() -> None:
    """The order of links in a service that keeps rows of members (fleet/links.py)."""
    op.create_table(
        "links",
        sa.Column("discord_born_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("discord_born_id", name="pk_links"),
    )
    op.create_table(
        "waiting_link_changes",
        sa.Column("discord_born_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("member_id", sa.Uuid),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("discord_born_id", "version", name="pk_waiting_link_changes"),
    )


def new_revision(service: str, words: str) -> Path:
    """Write an empty, numbered revision file and return its path."""
    folder = ROOT / "services" / service / "migrations"
    number = len(list(folder.glob("[0-9]*.py"))) + 1
    previous = ScriptDirectory.from_config(config(service)).get_current_head()
    slug = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    path = folder / f"{number:04d}_{slug}.py"
    path.write_text(
        f'"""{words.capitalize()}."""\n\nrevision = "{service}_{number:04d}"\ndown_revision = {previous!r}\n\n\n'
        "def upgrade() -> None:\n    raise NotImplementedError\n",
        encoding="utf-8",
    )
    return path


def main() -> int:
    """Migrate the named services, or write a new revision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("services", nargs="+")
    parser.add_argument("--new", metavar="WORDS")
    parser.add_argument("--wait", action="store_true", help="until DATABASE_URL has been migrated by somebody else")
    arguments = parser.parse_args()
    for service in arguments.services:
        if arguments.new:
            sys.stdout.write(f"{new_revision(service, arguments.new)}\n")
            continue
        name = f"{service.upper()}_MIGRATION_DATABASE_URL"
        if arguments.wait:
            wait(service, read(DatabaseSettings).url)
            continue
        url: Any = given(name) or (given("MIGRATION_DATABASE_URL") if len(arguments.services) == 1 else None)
        if not url:
            raise SystemExit(
                str(SettingsError([f"{name} is missing: the owner role's address of the {service} database"]))
            )
        upgrade(service, url)
        sys.stdout.write(f"{service} is at its newest revision\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
