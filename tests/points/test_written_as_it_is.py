"""Answers that go past their schemas, because taking hundreds of fields through them costs more than reading the rows."""

from typing import Any

import marshmallow
import pytest

from fleet.messages import new_id
from services.points import schemas


def whole(schema: marshmallow.Schema, found: dict[str, Any]) -> None:
    """Every field that the schema declares is there, in its order, and no other; values are what it says."""
    assert list(found) == list(schema.fields)
    assert not schema.validate(found)
    for name, field in schema.fields.items():
        inner = field.inner if isinstance(field, marshmallow.fields.List) else field
        values = found[name] if isinstance(field, marshmallow.fields.List) else [found[name]]
        if isinstance(inner, marshmallow.fields.Nested):
            for value in values:
                if value is not None:
                    whole(inner.schema, value)


@pytest.fixture
def ada(member, award):
    found = member("Ada")
    for points in (5, 7):
        award(found, points=points, details="Well done")
    for name in ("Ben", "Cy", "Di"):
        award(member(name), points=6)
    return found


def test_an_award(ada, award):
    whole(schemas.Awarded(), award(ada, points=3, details="Again").json)


@pytest.mark.parametrize("query", [{}, {"limit": 2}, {"period": "weekly"}, {"track": "tech"}])
def test_the_leaderboard(query, ada, get):
    whole(schemas.Leaderboard(), get("/api/leaderboard/", ada, **query).json)


def test_a_leaderboard_without_an_own_place(ada, get):
    found = get("/api/leaderboard/", new_id(), "admin").json
    assert found["me"] is None
    whole(schemas.Leaderboard(), found)


def test_the_points_log_and_one_of_it(ada, get):
    found = get("/api/points-logs/", ada).json
    assert len(found["items"]) == 2
    whole(schemas.PointsLogs(), found)
    whole(schemas.PointsLog(), get(f"/api/points-logs/{found['items'][0]['id']}/", ada).json)
