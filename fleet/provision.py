"""The databases and roles of the fleet, made or brought up to date: `python -m fleet.provision`, once at the start.

A database for each service, and two roles: `<service>_owner` owns it and migrates it, `<service>` may use the rows.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg2
from psycopg2.sql import SQL, Identifier, Literal

from fleet.settings import read, setting


@dataclass(frozen=True)
class ProvisionSettings:
    """Nobody but this job knows the superuser."""

    superuser_url: str = setting(
        "SUPERUSER_URL",
        help="postgresql://superuser:password@host/postgres, for the job that makes databases",
        secret=True,
    )
    roles: str = setting(
        "ROLE_PASSWORDS", help="role=password of every service and its owner, separated by spaces", secret=True
    )


def provision(server: str, passwords: Mapping[str, str]) -> None:
    """Give every service its database and two roles; running it again changes nothing.

    `server` is the superuser's address of the database `postgres`; `passwords` maps `<service>_owner` (owns database and
    schema, for migrations) and `<service>` (data only).
    """

    def connect(database: str) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(server, dbname=database)
        connection.autocommit = True
        return connection

    services = [name for name in passwords if not name.endswith("_owner")]
    connection = connect("postgres")
    cursor = connection.cursor()
    cursor.execute("SELECT rolname FROM pg_roles")
    roles = {name for (name,) in cursor}
    cursor.execute("SELECT datname FROM pg_database")
    databases = {name for (name,) in cursor}
    for role, password in passwords.items():
        verb = SQL("ALTER" if role in roles else "CREATE")
        cursor.execute(SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, Identifier(role), Literal(password)))
        if role in services:
            # A forgotten transaction would hold back vacuum and locks for everybody else.
            for setting, value in (("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "60s")):
                cursor.execute(SQL("ALTER ROLE {} SET {} = {}").format(Identifier(role), SQL(setting), Literal(value)))
    for common in ("postgres", "template1"):
        cursor.execute(SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(Identifier(common)))
    for service in services:
        database, app, owner = Identifier(service), Identifier(service), Identifier(f"{service}_owner")
        if service not in databases:
            cursor.execute(SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
        cursor.execute(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        cursor.execute(SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, app))
        inside = connect(service)
        statements = (
            "ALTER SCHEMA public OWNER TO {owner}",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            "GRANT USAGE ON SCHEMA public TO {app}",
            "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public"
            " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
            "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {app}",
        )
        inside.cursor().execute(SQL("; ").join(SQL(text).format(owner=owner, app=app) for text in statements))
        inside.close()
    connection.close()


def main() -> int:
    """Provision the server of SUPERUSER_URL."""
    settings = read(ProvisionSettings)
    pairs = (pair.partition("=") for pair in settings.roles.split())
    provision(settings.superuser_url, {role: password for role, _, password in pairs})
    sys.stdout.write("databases and roles are as they should be\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
