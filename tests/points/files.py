"""Files as evidence: good ones, bad ones, and what is in the store."""

import io
import zipfile
from pathlib import Path

from fleet import files as evidence_files

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
TALK = "A walk through the careers fair in the main hall."


def package(*names: str) -> bytes:
    """A ZIP archive with these entries."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return held.getvalue()


WORD = ("[Content_Types].xml", "word/document.xml")
GOOD = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0" + b"\x00" * 40,
    "image/gif": b"GIF89a" + b"\x00" * 40,
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 " + b"\x00" * 40,
    "application/pdf": b"%PDF-1.7\n" + b"\x00" * 40,
    evidence_files.DOC: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 99 + "WordDocument".encode("utf-16-le"),
    evidence_files.DOCX: package(*WORD),
}


BAD = {
    "text": b"hello there",
    "html": b"<!doctype html><script>alert(1)</script>",
    "html behind white space": b"\n\n<html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "program": b"\x7fELF" + b"\x00" * 60,
    "windows program": b"MZ" + b"\x00" * 60,
    "bitmap": b"BM" + b"\x00" * 60,
    "avi": b"RIFF\x24\x00\x00\x00AVI LIST",
    "zip": package("a.txt"),
    "spreadsheet": package("[Content_Types].xml", "xl/workbook.xml"),
    "macros": package(*WORD, "word/vbaProject.bin"),
    "half a zip": package(*WORD)[:40],
    "old spreadsheet": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 99,
    "a pdf later": b"x%PDF-1.7",
    "one byte": b"\xff",
}


def files(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file()]
