"""The HTTP door of resumes: files in; files out to their owner, to staff, and by a link that expires."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request, send_file

from fleet import files
from fleet.auth import caller
from fleet.database import transaction
from fleet.problems import Problem, invalid
from fleet.web import ANYONE, MEMBER, Answer, operation
from services.reviews import note_links, resumes, review_schemas, shown
from services.reviews.models import Resume
from services.reviews.requests_api import viewer

resumes_api = Blueprint("resumes_api", __name__)
# The file, and what multipart puts around it; the gateway lets as much through.
MAX_UPLOAD = files.MAX_BYTES + 65_536


@resumes_api.post("/api/resumes/")
@operation(who=MEMBER, answers={201: review_schemas.Resume, 413: None, 415: None, 422: None})
def upload_resume() -> Answer:
    """Upload one resume (PDF, DOC, DOCX or an image) of up to 8 MB as the one part `file` of multipart/form-data.

    Name the `id` in the answer as `resume_id` of a review request.
    """
    request.max_content_length = MAX_UPLOAD
    request.max_form_parts = 8
    if request.mimetype != "multipart/form-data":
        problem = Problem("Send the file as the part `file` of multipart/form-data.")
        problem.status, problem.slug, problem.title = 415, "unsupported-media-type", "Unsupported Media Type"
        raise problem
    given = request.files.getlist("file")
    if len(given) != 1 or len(request.files) != 1 or request.form:
        raise invalid("/file", "send exactly one file, as the part `file`, and nothing else")
    data = given[0].stream.read(files.MAX_BYTES + 1)
    if not data:
        raise invalid("/file", "is empty")
    stored = files.keep(data)
    with transaction() as session:
        row = resumes.record_upload(session, caller().member_id, given[0].filename or "", stored, data)
        return shown.resume(session, row), 201


@resumes_api.get("/api/resumes/<uuid:resume_id>/")
@operation(who=MEMBER, answers={200: review_schemas.Resume})
def get_resume(resume_id: UUID) -> Answer:
    """What is known of a resume, and who looked at it; for its owner and admins."""
    with transaction() as session:
        return shown.resume(session, resumes.get(session, resume_id, viewer()))


@resumes_api.get("/api/resumes/<uuid:resume_id>/file/")
@operation(who=MEMBER, answers={200: None, 409: None})
def get_resume_file(resume_id: UUID) -> Answer:
    """The file itself, for its owner and admins; a look of staff is written down."""
    with transaction() as session:
        row = resumes.get(session, resume_id, viewer())
        kind = "admin" if caller().role == "admin" else "owner"
        resumes.look(session, row, caller().member_id, kind)
    return _file(row)


@resumes_api.get("/api/resumes/shared/")
@operation(who=ANYONE, query=review_schemas.SharedQuery, answers={200: None, 404: None, 409: None})
def get_shared_resume(query: dict[str, Any]) -> Answer:
    """The file, for the professional who was sent the link; it expires, and the look is written down."""
    resume_id = note_links.open_one(query["token"], "resume")
    with transaction() as session:
        row = resumes.get(session, resume_id, None)
        resumes.look(session, row, resumes.reader_of(session, resume_id), "professional")
    return _file(row)


def _file(row: Resume) -> Response:
    answer = send_file(
        files.path_of(row.sha256 or ""), row.content_type, as_attachment=True, download_name=row.name, max_age=0
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
