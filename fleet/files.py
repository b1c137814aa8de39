"""Files that members hand in: what kind a file really is, a name that is safe to show, and the store they are kept in.

The store is content-addressed: a file's place is its SHA-256, so the same file is kept once, and what is read is what
was written. A file is complete and on disk before the row that names it commits.
"""

import os
import re
import secrets
import unicodedata
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.problems import Problem
from fleet.settings import read, setting


@dataclass(frozen=True)
class EvidenceSettings:
    """Where files are kept, and where they may be fetched from."""

    directory: Path = setting(
        "EVIDENCE_DIR",
        default=Path("/var/lib/propel/evidence"),
        help="folder that keeps uploaded files; shared by the web and consumer processes of a service",
    )
    hosts: str = setting(
        "ATTACHMENT_HOSTS",
        default="cdn.discordapp.com,media.discordapp.net",
        help="hosts (host or host:port, comma-separated) that attachments are fetched from; http for loopback ones only",
    )


MAX_BYTES = 8 * 1024 * 1024
MAX_NAME = 120
DOC = "application/msword"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
EXTENSIONS = {
    "image/jpeg": ("jpg", "jpeg"),
    "image/png": ("png",),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "application/pdf": ("pdf",),
    DOC: ("doc",),
    DOCX: ("docx",),
}
_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_UNSAFE = re.compile(r'[\\/:*?"<>|%;`]')


class WrongType(Problem):
    """The file is not one of the kinds that are taken, whatever its name says."""

    status, slug, title = 422, "wrong-file-type", "This kind of file is not taken"


class TooLarge(Problem):
    """The file is larger than 8 MB."""

    status, slug, title = 413, "content-too-large", "The file is too large"


@dataclass(frozen=True)
class Stored:
    """A file in the store."""

    sha256: str
    size: int
    content_type: str


def keep(data: bytes) -> Stored:
    """Put a file into the store and return once it is on disk; raises WrongType, TooLarge."""
    if len(data) > MAX_BYTES:
        raise TooLarge("Files may have up to 8 MB.")
    stored = Stored(sha256(data).hexdigest(), len(data), content_type(data))
    path = path_of(stored.sha256)
    if path.exists() and path.stat().st_size == stored.size:
        return stored
    path.parent.mkdir(parents=True, exist_ok=True)
    half_done = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with half_done.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        half_done.replace(path)
    finally:
        half_done.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return stored


def hold(session: Session, digest: str) -> None:
    """Lock a file until the transaction ends: who records it and who deletes it wait for each other."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(digest, 0))))


def hold_kept(session: Session, stored: Stored, data: bytes) -> None:
    """As `hold`, of a file that was just kept; it is put there again when its last owner was forgotten meanwhile."""
    hold(session, stored.sha256)
    if not path_of(stored.sha256).exists():
        keep(data)


def drop(session: Session, digest: str, named_by: Any) -> None:
    """Take a file, which the caller holds, out of the store unless some row names it in the column `named_by`."""
    if session.scalar(select(named_by).where(named_by == digest).limit(1)) is None:
        path_of(digest).unlink(missing_ok=True)


def path_of(digest: str) -> Path:
    """Where the file with this SHA-256 (hex) is kept."""
    return read(EvidenceSettings).directory / digest[:2] / digest


def _sync_folder(folder: Path) -> None:
    """A new name survives a power failure only when its folder is on disk too."""
    for place in (folder, folder.parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def content_type(data: bytes) -> str:
    """What the bytes are, by themselves; WrongType for anything that is not taken."""
    for magic, found in _MAGIC:
        if data.startswith(magic):
            return found
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    # An OLE file is a Word document when it has Word's stream; its name is in UTF-16 in the directory of the file.
    if data.startswith(_OLE) and "WordDocument".encode("utf-16-le") in data:
        return DOC
    if data.startswith(b"PK\x03\x04") and _is_docx(data):
        return DOCX
    raise WrongType("Images (JPEG, PNG, GIF, WebP) and documents (PDF, DOC, DOCX without macros) are taken.")


def _is_docx(data: bytes) -> bool:
    """True for a package with a Word document in it and no macros; only its table of contents is read."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as package:
            names = set(package.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, EOFError, IndexError):
        return False
    return {"[Content_Types].xml", "word/document.xml"} <= names and "word/vbaProject.bin" not in names


def safe_name(given: str, type_: str | None) -> str:
    """The last part of a file's name without what could mislead: no folders, no control or direction characters, an
    extension that fits its type (None: not known yet)."""
    name = unicodedata.normalize("NFC", given.encode("utf-8", "replace").decode("utf-8"))
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
    name = re.sub(r"\s+", " ", _UNSAFE.sub("_", name)).strip(" .")
    stem, dot, extension = name.rpartition(".")
    if type_ is None:
        return name[-MAX_NAME:] or "evidence"
    right = EXTENSIONS[type_]
    if not dot or extension.lower() not in right:
        stem, extension = name, right[0]
    return f"{stem[: MAX_NAME - 6].strip(' .') or 'evidence'}.{extension.lower()}"
