"""The address of the database: the password that is in its file now, and never less than the process started with."""

import pytest

from fleet import settings
from fleet.database import present_url


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The mounted file; the process has started with `first` in it."""
    path = tmp_path / "DATABASE_URL"
    path.write_text("postgresql://points:first@db/points\n")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL_FILE", str(path))
    settings.read.cache_clear()
    assert present_url().password == "first"
    yield path
    settings.read.cache_clear()


def test_a_changed_password_is_used_from_the_next_connection_on(file):
    file.write_text("postgresql://points:second@db/points")
    assert present_url().password == "second"


@pytest.mark.parametrize(
    "content", ["", "post", "postgresql://", "postgresql://points:", "postgresql://points@db", "é"]
)
def test_while_the_file_is_half_written_the_former_password_is_tried(file, content):
    file.write_text(content)
    assert present_url().password == "first"


def test_while_the_file_is_being_replaced_the_former_password_is_tried(file):
    file.unlink()
    assert present_url().password == "first"
