"""Backups: which one is taken for an instant, what the server's shell commands do, and what is refused in one sentence."""

import io
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.local import backup, postgres
from deploy.local.backup import Backup, chosen
from deploy.local.restore import _why, instant
from deploy.local.running import Failed

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def taken(monkeypatch):
    """Base backups of 12:00 and 13:00."""
    found = [Backup(Path("one"), NOON), Backup(Path("two"), NOON + timedelta(hours=1))]
    monkeypatch.setattr(backup, "backups", lambda: found)
    return found


def test_the_newest_backup_before_the_instant_is_taken(taken):
    assert chosen(None) == taken[1]
    assert chosen(NOON + timedelta(minutes=59)) == taken[0]
    assert chosen(NOON + timedelta(hours=1)) == taken[1]
    assert chosen(NOON) == taken[0]


def test_what_no_backup_reaches_is_refused(taken, monkeypatch):
    with pytest.raises(Failed, match="when the oldest base backup was taken"):
        chosen(NOON - timedelta(seconds=1))
    with pytest.raises(Failed, match="has not come yet"):
        chosen(datetime.now(UTC) + timedelta(minutes=1))
    monkeypatch.setattr(backup, "backups", list)
    with pytest.raises(Failed, match="make backup"):
        chosen(None)


def test_an_instant_is_of_this_machine_unless_it_says_another():
    assert instant("") is None
    assert instant("2026-03-04T12:00:00+00:00") == NOON
    assert instant("2026-03-04T14:00:00+02:00") == NOON
    assert instant("2026-03-04T12:00:00") == datetime(2026, 3, 4, 12).astimezone(UTC)
    with pytest.raises(Failed, match="AT=yesterday is no instant"):
        instant("yesterday")


def test_a_log_that_ends_too_early_is_said_in_a_sentence():
    log = "FATAL:  recovery ended before configured recovery target was reached\n"
    assert "leave AT out" in _why(log, NOON)
    assert _why("one\nFATAL:  disk full\n", None) == "the log could not be applied: FATAL:  disk full"
    assert _why("", None).endswith("nothing was logged")


def test_the_first_segment_that_a_backup_needs_is_in_its_label(tmp_path):
    label = b"START WAL LOCATION: 0/4000028 (file 000000010000000000000004)\nCHECKPOINT LOCATION: 0/4000080\n"
    with tarfile.open(tmp_path / "base.tar.gz", "w:gz") as files:
        entry = tarfile.TarInfo("backup_label")
        entry.size = len(label)
        files.addfile(entry, io.BytesIO(label))
    assert Backup(tmp_path, NOON).first_segment == "000000010000000000000004"


def as_the_server_does(command: str, name: str, path: Path) -> int:
    """Run one of the server's commands: %p is a path, %f a name, %% a percent sign."""
    words = command.replace("%%", "\0").replace("%p", str(path)).replace("%f", name).replace("\0", "%")
    return subprocess.run(["sh", "-c", words], check=False, capture_output=True, cwd=path.parent).returncode


@pytest.fixture
def data(tmp_path):
    """The data in a directory with a name that a shell and PostgreSQL read otherwise."""
    found = tmp_path / "it's 100% %p" / "data"
    (found / "pg_wal").mkdir(parents=True)
    for name in ("archive", "backups"):
        (found.parent / name).mkdir()
    return found


def test_a_segment_comes_out_of_the_archive_as_it_went_in(data, tmp_path):
    segment, back = tmp_path / "segment", tmp_path / "back"
    segment.write_bytes(b"\0log\0" * 1000)
    assert as_the_server_does(postgres.archiving(data)["archive_command"], "0001", segment) == 0
    assert [path.name for path in (data.parent / "archive").iterdir()] == ["0001.gz"]
    restore = postgres.recovering(data.with_name("restored"), None)["restore_command"]
    assert as_the_server_does(restore, "0001", back) == 0
    assert back.read_bytes() == segment.read_bytes()


def test_what_was_not_archived_yet_is_taken_from_the_data_and_what_is_nowhere_fails(data, tmp_path):
    (data / "pg_wal/0002").write_bytes(b"newest")
    restore = postgres.recovering(data.with_name("restored"), None)["restore_command"]
    assert as_the_server_does(restore, "0002", tmp_path / "back") == 0
    assert (tmp_path / "back").read_bytes() == b"newest"
    assert as_the_server_does(restore, "0003", tmp_path / "other") != 0
    assert not (tmp_path / "other").exists()


def test_without_a_base_backup_no_segment_is_kept(data, tmp_path):
    (data.parent / "backups").rmdir()
    (tmp_path / "segment").write_bytes(b"x")
    assert as_the_server_does(postgres.archiving(data)["archive_command"], "0001", tmp_path / "segment") == 0
    assert list((data.parent / "archive").iterdir()) == []


def test_a_segment_that_cannot_be_kept_is_not_said_to_be(data, tmp_path):
    (data.parent / "archive").rmdir()
    segment = tmp_path / "segment"
    segment.write_bytes(b"x")
    assert as_the_server_does(postgres.archiving(data)["archive_command"], "0001", segment) != 0


@pytest.mark.parametrize("left", ["data.before", "backups/20260304T120000.000000Z"])
def test_where_there_is_something_to_restore_no_fresh_cluster_is_made(data, left):
    """A lost disk, or a restore killed between its two names: the next `make up` would show an empty Propel."""
    data.rename(data.with_name("gone"))
    (data.parent / left).mkdir()
    with pytest.raises(postgres.PostgresError, match="make restore"):
        postgres.init(data, "password", Path("/nowhere"))


def test_a_restore_that_is_given_up_leaves_nothing_in_the_archive(data, tmp_path):
    """Its new branch of the log would be followed by the next one, past all that was written since."""
    settings = postgres.recovering(data.with_name("restored"), None)
    (tmp_path / "segment").write_bytes(b"x")
    assert settings["archive_mode"] == "on"
    assert as_the_server_does(settings["archive_command"], "00000002.history", tmp_path / "segment") != 0
    assert list((data.parent / "archive").iterdir()) == []
