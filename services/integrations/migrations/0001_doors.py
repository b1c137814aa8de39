"""The feed with its head, webhooks with their deliveries, API keys, mail, and the tables every service has."""

import sqlalchemy as sa
from alembic import op

from fleet.migrate import fleet_tables, mail_table, trace_mail

revision = "integrations_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    fleet_tables()
    mail_table()
    trace_mail()
    _feed()
    _keys()
    _webhooks()


def _feed() -> None:
    op.create_table(
        "feed_head",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="ck_feed_head_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_feed_head"),
    )
    op.create_table(
        "feed_events",
        sa.Column("position", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("member_id", sa.Uuid),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("stored_at", MOMENT, nullable=False, server_default=NOW),
        sa.CheckConstraint("position > 0", name="ck_feed_events_position"),
        sa.PrimaryKeyConstraint("position", name="pk_feed_events"),
    )
    op.create_index("uq_feed_events_event_id", "feed_events", ["event_id"], unique=True)
    op.create_index(
        "ix_feed_events_member_id_position",
        "feed_events",
        ["member_id", "position"],
        postgresql_where=sa.text("member_id IS NOT NULL"),
    )
    op.create_index("ix_feed_events_stored_at", "feed_events", ["stored_at"])
    op.create_table(
        "forgotten",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("pseudonym", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("member_id", name="pk_forgotten"),
    )


def _keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("integrator", sa.Text),
        sa.Column("created_by", sa.Uuid, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("last_used_at", MOMENT),
        sa.CheckConstraint("cardinality(scopes) > 0", name="ck_api_keys_scopes"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("uq_api_keys_prefix", "api_keys", ["prefix"], unique=True)


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("types", sa.ARRAY(sa.Text)),
        sa.Column("contact", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("previous_secret", sa.Text),
        sa.Column("previous_until", MOMENT),
        sa.Column("status", sa.Text, nullable=False, server_default="active"),
        sa.Column("disabled_at", MOMENT),
        sa.Column("disabled_because", sa.Text),
        sa.Column("last_success_at", MOMENT),
        sa.Column("created_by", sa.Uuid, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.CheckConstraint("status IN ('active', 'disabled')", name="ck_webhooks_status"),
        sa.CheckConstraint("(status = 'disabled') = (disabled_at IS NOT NULL)", name="ck_webhooks_disabled"),
        sa.CheckConstraint("(previous_secret IS NULL) = (previous_until IS NULL)", name="ck_webhooks_previous"),
        sa.CheckConstraint("cardinality(types) > 0", name="ck_webhooks_types"),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid, nullable=False, server_default=sa.text("gen_random_uuid()")),
        sa.Column("webhook_id", sa.Uuid, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default="waiting"),
        sa.Column("due_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("begun_at", MOMENT),
        sa.Column("done_at", MOMENT),
        sa.Column("traceparent", sa.Text),
        sa.CheckConstraint("status IN ('waiting', 'delivered', 'given_up')", name="ck_deliveries_status"),
        sa.CheckConstraint("(status = 'waiting') = (done_at IS NULL)", name="ck_deliveries_done"),
        sa.CheckConstraint("attempts >= 0", name="ck_deliveries_attempts"),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name="fk_deliveries_webhook_id_webhooks", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["position"], ["feed_events.position"], name="fk_deliveries_position_feed_events", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
    )
    op.create_index("uq_deliveries_webhook_id_position", "deliveries", ["webhook_id", "position"], unique=True)
    op.create_index("ix_deliveries_due_at", "deliveries", ["due_at"], postgresql_where=sa.text("status = 'waiting'"))
    op.create_index("ix_deliveries_position", "deliveries", ["position"])
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("delivery_id", sa.Uuid, nullable=False),
        sa.Column("tried_at", MOMENT, nullable=False),
        sa.Column("milliseconds", sa.Integer, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name="fk_attempts_delivery_id_deliveries", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_delivery_id", "attempts", ["delivery_id", "id"])
