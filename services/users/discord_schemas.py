"""What clients may ask about the Discord server, and what they get."""

from marshmallow import fields, validate

from fleet.web import Schema, Text


class NameToCheck(Schema):
    """A Discord user name, with or without `@`."""

    discord_username = Text(required=True, validate=(validate.Length(max=40), validate.Regexp(r"\s*\S")))


class NameChecked(Schema):
    """Whether the name is a member of the server, in a word and in a sentence; never who."""

    valid = fields.Boolean(required=True)
    message = fields.String(required=True)
