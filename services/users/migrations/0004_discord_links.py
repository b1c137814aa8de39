"""Links to Discord accounts, and the codes that make them."""

import sqlalchemy as sa
from alembic import op

revision = "users_0004"
down_revision = "users_0003"


def upgrade() -> None:
    op.create_table(
        "discord_links",
        sa.Column("born_id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, sa.ForeignKey("members.id", name="fk_discord_links_member_id_members")),
        sa.Column("linked_at", sa.DateTime(timezone=True)),
        sa.Column("link_version", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("born_version", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("born_security_version", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("born_id", name="pk_discord_links"),
        sa.UniqueConstraint("member_id", name="uq_discord_links_member_id"),
        sa.CheckConstraint("(member_id IS NULL) = (linked_at IS NULL)", name="ck_discord_links_linked_since"),
        sa.CheckConstraint("born_id <> member_id", name="ck_discord_links_leads_elsewhere"),
    )
    op.create_table(
        "link_codes",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column(
            "member_id", sa.Uuid, sa.ForeignKey("members.id", name="fk_link_codes_member_id_members"), nullable=False
        ),
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("code_digest", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_by", sa.Text),
        sa.Column("claimed_born_id", sa.Uuid),
        sa.Column("claimed_username", sa.Text),
        sa.Column("claimed_display_name", sa.Text),
        sa.Column("claimed_at", sa.DateTime(timezone=True)),
        sa.Column("discord_confirmed_at", sa.DateTime(timezone=True)),
        sa.Column("web_confirmed_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_link_codes"),
        sa.UniqueConstraint("code_digest", name="uq_link_codes_code_digest"),
        sa.CheckConstraint("outcome IN ('linked', 'declined', 'cancelled', 'replaced')", name="ck_link_codes_outcome"),
        sa.CheckConstraint(
            "(claimed_by IS NULL) = (claimed_at IS NULL) AND (claimed_by IS NULL) = (claimed_born_id IS NULL)"
            " AND (claimed_by IS NULL) = (claimed_username IS NULL)"
            " AND (claimed_by IS NULL) = (claimed_display_name IS NULL)",
            name="ck_link_codes_claimed_by_somebody",
        ),
        sa.CheckConstraint(
            "claimed_by IS NOT NULL OR (discord_confirmed_at IS NULL AND web_confirmed_at IS NULL)",
            name="ck_link_codes_confirmed_after_the_claim",
        ),
        sa.CheckConstraint(
            "outcome <> 'linked' OR (discord_confirmed_at IS NOT NULL AND web_confirmed_at IS NOT NULL)",
            name="ck_link_codes_linked_by_both",
        ),
    )
    op.create_index(
        "uq_link_codes_open", "link_codes", ["member_id"], unique=True, postgresql_where=sa.text("outcome IS NULL")
    )
    op.create_index("ix_link_codes_expires_at", "link_codes", ["expires_at"])
