"""The HTTP door of evidence: files in, files out to their owner and admins."""

from uuid import UUID

from flask import Blueprint, request, send_file

from fleet.auth import caller
from fleet.database import transaction
from fleet.problems import Problem, invalid
from fleet.web import MEMBER, Answer, operation
from services.points import evidence, evidence_files, submissions_schemas

evidence_api = Blueprint("evidence_api", __name__)

# The file, and what multipart puts around it; the gateway lets as much through.
MAX_UPLOAD = evidence_files.MAX_BYTES + 65_536


@evidence_api.post("/api/evidence/")
@operation(who=MEMBER, answers={201: submissions_schemas.EvidenceFile, 413: None, 415: None, 422: None})
def upload_evidence() -> Answer:
    """Upload one image (JPEG, PNG, GIF, WebP) or document (PDF, DOC, DOCX) of up to 8 MB.

    multipart/form-data with the one part `file`. What the file is, is read from its bytes. Name the `id` in the answer
    as `evidence_id` of a submission.
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
    data = given[0].stream.read(evidence_files.MAX_BYTES + 1)
    if not data:
        raise invalid("/file", "is empty")
    stored = evidence_files.keep(data)
    with transaction() as session:
        row = evidence.record_upload(session, caller().member_id, given[0].filename or "", stored, data)
        return dict(submissions_schemas.EvidenceFile().dump(row)), 201


@evidence_api.get("/api/evidence/<uuid:evidence_id>/")
@operation(who=MEMBER, answers={200: None, 409: None})
def get_evidence(evidence_id: UUID) -> Answer:
    """The file itself, for its owner and admins; always as a download, never shown as a page."""
    viewer = None if caller().role == "admin" else caller().member_id
    with transaction() as session:
        row = evidence.get(session, evidence_id, viewer)
        evidence.require_kept(row)
    path = evidence_files.path_of(row.sha256 or "")
    answer = send_file(path, row.content_type, as_attachment=True, download_name=row.name, max_age=0)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
