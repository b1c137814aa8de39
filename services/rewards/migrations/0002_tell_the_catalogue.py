"""The rewards that a new shop begins with are told, as if an admin had made them: others show what is in reach."""

import sqlalchemy as sa
from alembic import op

from fleet import topology
from fleet.contracts.rewards import IncentiveChanged
from fleet.messages import encode, envelope_for

revision = "rewards_0002"
down_revision = "rewards_0001"

CATALOGUE = """
SELECT id, points_required, category, is_active, changed_at, stock, tier, version FROM incentives ORDER BY id
"""
TELL = """
INSERT INTO outbox (message_id, exchange, routing_key, mandatory, body) VALUES (:id, :exchange, :key, true, :body)
"""


def upgrade() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.text(CATALOGUE)).mappings().all():
        told = {name: value for name, value in row.items() if name not in ("id", "version")}
        event = IncentiveChanged(incentive_id=row["id"], change="created", **told)
        envelope = envelope_for(event, source="rewards", subject=str(row["id"]), sequence=row["version"])
        values = {"id": envelope.id, "exchange": topology.EVENTS, "key": envelope.type, "body": encode(envelope)}
        connection.execute(sa.text(TELL), values)
