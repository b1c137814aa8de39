"""How points were taken in other products of this kind, by the number of the defect; what the ledger itself refuses."""

import dataclasses

from fleet.contracts import points
from fleet.database import transaction
from fleet.messages import new_id
from services.points import activities
from tests.answers import refused
from tests.points.claims import MENTORED


def test_d12_nobody_awards_themselves(call, member, row_count):
    me = member()
    for role in ("student", "company", "university"):
        for whose in (me, new_id()):
            body = {"activity_type": "resource_share", "details": "mine"}
            refused(call("POST", f"/api/users/{whose}/add_points/", me, role=role, json=body), 403, "forbidden")
    assert row_count("transfers") == 0


def test_d62_every_type_is_approved_and_rejected_by_the_same_two_messages(hear, member):
    """Theirs sent four of the types to methods that did not exist."""
    boss = member("Boss", role="admin")
    with transaction() as session:
        codes = [each.code for each in activities.active(session) if each.requires_approval]
    assert {"mini_event_organize", "professional_referral", "exclusive_resource", "external_workshop"} <= set(codes)
    for number, code in enumerate(codes):
        for decision in ("approve", "reject"):
            attachment = points.Attachment("https://cdn.discordapp.com/x.png", "x.png", 100, "image/png")
            url = f"https://www.linkedin.com/posts/{number}-{decision}"
            claim = points.Submit(new_id(), code, f"{code} {decision}", MENTORED, url)
            if code == "event_attendance":
                if decision == "approve":
                    # Approved only once its photo is in the store: tests/points/test_evidence.py.
                    continue
                claim = dataclasses.replace(claim, url=None, attachment=attachment)
            made = hear(claim)
            done = hear(points.DecideSubmission(made.submission_id, decision, boss, note="seen"))
            assert done.status == {"approve": "approved", "reject": "rejected"}[decision], code
