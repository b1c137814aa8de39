"""What clients may send to the doors of integrations, and what they get."""

from marshmallow import fields, validate

from fleet.web import Derived, Instant, PageQuery, QueryWhole, Schema, Text, Whole
from services.integrations import keys

_SOMETHING = validate.Regexp(r"(?s).*\S", error="must not be blank")
INTEGRATOR = validate.Regexp(r"\A[a-z][a-z0-9-]{1,31}\Z", error="2 to 32 small letters, digits and hyphens")
LONGEST_WAIT_S = 25


def _types(**words: object) -> fields.List:
    return fields.List(fields.String(), **words)  # type: ignore[arg-type]


class Event(Schema):
    """A public event (CloudEvents 1.0) as it was published, with its `position` in the feed."""

    specversion = fields.String(required=True)
    id = fields.UUID(required=True)
    source = fields.String(required=True)
    type = fields.String(required=True)
    subject = fields.String()
    time = Instant(required=True)
    datacontenttype = fields.String(required=True)
    dataschema = fields.String(required=True)
    sequence = fields.Integer()
    correlationid = fields.String()
    causationid = fields.String()
    traceparent = fields.String()
    data = fields.Dict(required=True)
    position = fields.Integer(required=True)


class FeedQuery(Schema):
    """From where on, of which types (separated by commas), how many, and how long to wait when there is nothing new."""

    after = QueryWhole(load_default=0, validate=validate.Range(0, 2**53))
    type = Text(load_default=None, validate=validate.Length(1, 2000))
    limit = QueryWhole(load_default=50, validate=validate.Range(1, 100))
    wait = QueryWhole(load_default=0, validate=validate.Range(0, LONGEST_WAIT_S))


class Feed(Schema):
    """Events in their order. Go on with `after` = `next_after`, also when `items` is empty."""

    items = fields.List(fields.Nested(Event), required=True)
    next_after = fields.Integer(required=True)


class Window(Schema):
    """What to replay: what was stored from `since` to `until` (now), of these types (all)."""

    since = Instant(required=True)
    until = Instant(load_default=None, allow_none=True)
    types = _types(load_default=None, allow_none=True)


class Replayed(Schema):
    """How many events are on their way once more."""

    events = fields.Integer(required=True)


class Key(Schema):
    """An API key without its secret."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    integrator = fields.String(allow_none=True, required=True)
    created_at = Instant(required=True)
    created_by = fields.UUID(required=True)
    expires_at = Instant(allow_none=True, required=True)
    revoked_at = Instant(allow_none=True, required=True)
    last_used_at = Instant(allow_none=True, required=True)


class Keys(Schema):
    """A page of API keys, newest first."""

    items = fields.List(fields.Nested(Key), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class NewKey(Schema):
    """A key to make. `integrator` is needed for `events:replay`: whose queue events are replayed to."""

    name = Text(required=True, validate=[validate.Length(1, 120), _SOMETHING])
    scopes = fields.List(
        fields.String(validate=validate.OneOf(keys.SCOPES)), required=True, validate=validate.Length(1, 10)
    )
    integrator = fields.String(load_default=None, allow_none=True, validate=INTEGRATOR)
    expires_at = Instant(load_default=None, allow_none=True)


class MadeKey(Key):
    """A key that was just made; `key` is shown this once."""

    key = fields.String(required=True)


class Webhook(Schema):
    """An address that events are posted to. `types` null: all public events."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    url = fields.String(required=True)
    types = _types(allow_none=True, required=True)
    contact = fields.String(required=True)
    status = fields.String(required=True)
    disabled_at = Instant(allow_none=True, required=True)
    disabled_because = fields.String(allow_none=True, required=True)
    last_success_at = Instant(allow_none=True, required=True)
    previous_secret_until = Instant(attribute="previous_until", allow_none=True, required=True)
    created_at = Instant(required=True)
    created_by = fields.UUID(required=True)


class Webhooks(Schema):
    """A page of webhooks, newest first."""

    items = fields.List(fields.Nested(Webhook), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class ChangedWebhook(Schema):
    """Fields of a webhook; what is left out stays as it is. `types` null: all public events."""

    name = Text(validate=[validate.Length(1, 120), _SOMETHING])
    url = fields.String(validate=validate.Length(1, 2048))
    types = _types(allow_none=True)
    contact = fields.Email(validate=validate.Length(max=254))


class NewWebhook(ChangedWebhook):
    """A webhook to make. `contact` is written to when it is switched off."""

    name = Text(required=True, validate=[validate.Length(1, 120), _SOMETHING])
    url = fields.String(required=True, validate=validate.Length(1, 2048))
    types = _types(load_default=None, allow_none=True)
    contact = fields.Email(required=True, validate=validate.Length(max=254))


class MadeWebhook(Webhook):
    """A webhook with its secret (Standard Webhooks), which is shown this once."""

    secret = fields.String(required=True)


class Rotation(Schema):
    """How long the old secret goes on signing beside the new one."""

    overlap_hours = Whole(load_default=24, validate=validate.Range(0, 168))


class Attempt(Schema):
    """One request: `status` when it was answered, `error` when it was not taken."""

    tried_at = Instant(required=True)
    milliseconds = fields.Integer(required=True)
    status = fields.Integer(allow_none=True, required=True)
    error = fields.String(allow_none=True, required=True)


class Delivery(Schema):
    """One event on its way to a webhook, with its last attempts, newest first."""

    id = fields.UUID(attribute="delivery.id", required=True)
    event_id = fields.UUID(required=True)
    type = fields.String(required=True)
    position = fields.Integer(attribute="delivery.position", required=True)
    status = fields.String(attribute="delivery.status", required=True)
    attempts_made = fields.Integer(attribute="delivery.attempts", required=True)
    next_attempt_at = Derived(
        fields.AwareDateTime(allow_none=True, required=True),
        lambda listed: listed.delivery.due_at if listed.delivery.status == "waiting" else None,
    )
    done_at = Instant(attribute="delivery.done_at", allow_none=True, required=True)
    attempts = fields.List(fields.Nested(Attempt), required=True)


class DeliveriesQuery(PageQuery):
    """Which deliveries."""

    status = fields.String(load_default=None, validate=validate.OneOf(["waiting", "delivered", "given_up"]))


class Deliveries(Schema):
    """A page of deliveries, newest event first."""

    items = fields.List(fields.Nested(Delivery), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
