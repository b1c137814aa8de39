"""What comes back from another provider through a person's browser."""

from marshmallow import EXCLUDE, fields, validate

from fleet.web import Schema

_TEXT = validate.Length(1, 2048)


class Callback(Schema):
    """The query of the way back: `state`, and `code` or `error`. Providers add words of their own, which are ignored."""

    class Meta:
        unknown = EXCLUDE

    state = fields.String(required=True, validate=_TEXT)
    code = fields.String(load_default=None, validate=_TEXT)
    error = fields.String(load_default=None, validate=_TEXT)
