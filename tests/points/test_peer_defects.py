"""How points were taken in other products of this kind, by the number of the defect; what the ledger itself refuses."""

from fleet.messages import new_id
from tests.answers import refused


def test_d12_nobody_awards_themselves(call, member, row_count):
    me = member()
    for role in ("student", "company", "university"):
        for whose in (me, new_id()):
            body = {"activity_type": "resource_share", "details": "mine"}
            refused(call("POST", f"/api/users/{whose}/add_points/", me, role=role, json=body), 403, "forbidden")
    assert row_count("transfers") == 0
