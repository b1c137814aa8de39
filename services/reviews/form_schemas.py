"""What forms send. They hold more than we use: the rest is left alone."""

import marshmallow
from marshmallow import fields, validate

from fleet.web import Flag, Schema, Text

ID = validate.Length(min=1, max=200)


class StudentForm(Schema):
    """A response to the students' form."""

    class Meta:
        """Forms grow questions."""

        unknown = marshmallow.EXCLUDE

    response_id = Text(required=True, validate=ID)
    student_email = Text(required=True, validate=validate.Length(min=3, max=254))
    responses = fields.Dict(keys=Text(), required=True)


class ProfessionalForm(Schema):
    """A response to the professionals' form."""

    class Meta:
        """Forms grow questions."""

        unknown = marshmallow.EXCLUDE

    response_id = Text(required=True, validate=ID)
    respondent_email = Text(load_default="", validate=validate.Length(max=254))
    parsed_data = fields.Dict(keys=Text(), required=True)


class Applied(Schema):
    """What became of the response."""

    id = fields.UUID(allow_none=True)
    applied = Flag()
    reason = Text(allow_none=True)
    repeated = Flag()
