"""What clients send and get about exports and erasures."""

from typing import Any

from marshmallow import ValidationError, fields, validate

from fleet.web import Derived, Flag, Instant, Schema


def _progress(tasks: list[Any], finished: str, going_on: str, done: str) -> dict[str, str]:
    return {task.service: done if getattr(task, finished) else going_on for task in tasks}


class ExportState(Schema):
    """An export that is being collected: which services have shown everything."""

    state = fields.String(required=True, validate=validate.OneOf(["collecting"]))
    requested_at = Instant(required=True)
    services = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class ExportDocument(Schema):
    """Everything held on the member: for each service, lists of rows by their kind."""

    member_id = fields.UUID(required=True)
    requested_at = Instant(required=True)
    services = fields.Dict(keys=fields.String(), values=fields.Dict(), required=True)


class ErasureRequest(Schema):
    """The present password, once more."""

    password = fields.String(required=True, validate=validate.Length(1, 1000))


def _true(value: bool) -> None:
    if not value:
        raise ValidationError("must be true: an erasure cannot be undone")


class ErasureConfirmation(Schema):
    """The admin's word that this is meant."""

    confirm = Flag(required=True, validate=_true)


class ErasureState(Schema):
    """How far an erasure has come: `erasing` until every service has forgotten and the last letter is sent."""

    state = Derived(fields.String(), lambda s: "erasing" if s.erasure.finished_at is None else "erased")
    requested_at = Derived(fields.DateTime(), lambda s: _instant(s.erasure.requested_at))
    finished_at = Derived(fields.DateTime(allow_none=True), lambda s: _instant(s.erasure.finished_at))
    services = Derived(
        fields.Dict(keys=fields.String(), values=fields.String()),
        lambda s: _progress(s.tasks, "answered_at", "waiting", "erased"),
    )


class ErasureReceipt(ErasureState):
    """An erasure that has begun, and where its state can be read without an account."""

    receipt = fields.String(required=True)
    location = fields.String(required=True)


class ErasureByAdmin(ErasureReceipt):
    """An erasure by an admin; the audit trail and the books go on under the pseudonym."""

    pseudonym = fields.UUID(required=True)


def _instant(value: Any) -> str | None:
    return None if value is None else str(value.isoformat().replace("+00:00", "Z"))


def progress_of(export: Any, tasks: list[Any]) -> dict[str, Any]:
    """The state of an export that is being collected."""
    services = _progress(tasks, "done_at", "collecting", "collected")
    return dict(ExportState().dump({"state": "collecting", "requested_at": export.requested_at, "services": services}))
