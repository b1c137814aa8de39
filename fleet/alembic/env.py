"""Alembic's entry point; everything is in fleet/migrate.py."""

from fleet.migrate import run_environment

run_environment()
