"""Settings: everything that is wrong is said at once, and no secret with it."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fleet import settings
from fleet.settings import DatabaseSettings, DatabaseUrl, ProgramSettings, SettingsError, parse, setting
from tests.conftest import ROOT


@dataclass(frozen=True)
class Sample:
    url: DatabaseUrl = setting("SAMPLE_URL", help="where the data are", secret=True)
    count: int = setting("SAMPLE_COUNT", help="how many")
    word: str = setting("SAMPLE_WORD", help="which word", secret=True)
    zone: ZoneInfo = setting("SAMPLE_ZONE", default=ZoneInfo("UTC"), help="which zone")
    path: Path = setting("SAMPLE_PATH", default=Path("/"), help="where")
    share: float = setting("SAMPLE_SHARE", default=0.5, help="how much")
    on: bool = setting("SAMPLE_ON", default=False, help="whether")
    maybe: int | None = setting("SAMPLE_MAYBE", default=None, help="perhaps")


GIVEN = {"SAMPLE_URL": "postgresql://me:pw@host/db", "SAMPLE_COUNT": "3", "SAMPLE_WORD": "tree"}


def problems_of(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as found:
        parse(Sample, environment)
    return found.value.problems


def test_what_is_given_is_typed():
    more = {"SAMPLE_ZONE": "Europe/Zurich", "SAMPLE_PATH": "/tmp", "SAMPLE_SHARE": "0.25", "SAMPLE_MAYBE": "7"}
    found = parse(Sample, GIVEN | more | {"SAMPLE_ON": "Yes"})
    assert (found.url, found.count, found.word) == ("postgresql+psycopg2://me:pw@host/db", 3, "tree")
    assert (found.zone, found.path, found.share) == (ZoneInfo("Europe/Zurich"), Path("/tmp"), 0.25)
    assert (found.on, found.maybe) == (True, 7)


def test_the_rest_has_its_defaults():
    found = parse(Sample, GIVEN)
    assert (found.zone, found.path, found.share, found.on) == (ZoneInfo("UTC"), Path("/"), 0.5, False)
    assert found.maybe is None


def test_all_that_is_missing_is_named_at_once():
    assert problems_of({}) == [
        "SAMPLE_URL is missing: where the data are",
        "SAMPLE_COUNT is missing: how many",
        "SAMPLE_WORD is missing: which word",
    ]


def test_an_empty_value_is_a_missing_one():
    assert problems_of(GIVEN | {"SAMPLE_WORD": ""}) == ["SAMPLE_WORD is missing: which word"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAMPLE_COUNT", "three"),
        ("SAMPLE_COUNT", "3.5"),
        ("SAMPLE_SHARE", "half"),
        ("SAMPLE_ZONE", "Mars/Olympus"),
        ("SAMPLE_ZONE", "../../etc/passwd"),
        ("SAMPLE_ZONE", "America"),
        ("SAMPLE_ON", "perhaps"),
        ("SAMPLE_URL", "mysql://me:pw@host/db"),
        ("SAMPLE_MAYBE", "x"),
    ],
)
def test_a_bad_value_is_named_with_what_it_is_for(name, value):
    [problem] = problems_of(GIVEN | {name: value})
    assert problem.startswith(f"{name} is not usable (")


def test_bad_and_missing_ones_are_listed_together():
    found = problems_of({"SAMPLE_URL": "nonsense", "SAMPLE_ZONE": "Mars"})
    assert [problem.split()[0] for problem in found] == ["SAMPLE_URL", "SAMPLE_COUNT", "SAMPLE_WORD", "SAMPLE_ZONE"]


def test_a_bad_address_is_not_repeated():
    assert "hunter2" not in str(problems_of(GIVEN | {"SAMPLE_URL": "mysql://me:hunter2@host/db"}))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql_names_our_driver(scheme):
    assert parse(Sample, GIVEN | {"SAMPLE_URL": f"{scheme}://h/d"}).url == "postgresql+psycopg2://h/d"


class TestFiles:
    def test_a_value_may_be_in_a_file(self, tmp_path):
        file = tmp_path / "word"
        file.write_text("  secret tree\n")
        given = {name: value for name, value in GIVEN.items() if name != "SAMPLE_WORD"}
        assert parse(Sample, given | {"SAMPLE_WORD_FILE": str(file)}).word == "secret tree"
        assert parse(Sample, given | {"SAMPLE_WORD": "", "SAMPLE_WORD_FILE": str(file)}).word == "secret tree"

    def test_the_variable_itself_comes_first(self, tmp_path):
        assert parse(Sample, GIVEN | {"SAMPLE_WORD_FILE": str(tmp_path / "none")}).word == "tree"

    @pytest.mark.parametrize("content", [b"", b" \n"])
    def test_an_empty_file_is_a_missing_value(self, content, tmp_path):
        file = tmp_path / "word"
        file.write_bytes(content)
        given = {"SAMPLE_WORD": "", "SAMPLE_WORD_FILE": str(file)}
        assert problems_of(GIVEN | given) == ["SAMPLE_WORD is missing: which word"]

    @pytest.mark.parametrize("kind", ["none", "directory", "bytes"])
    def test_a_file_that_cannot_be_read_is_named(self, kind, tmp_path):
        file = tmp_path / "word"
        if kind == "directory":
            file.mkdir()
        if kind == "bytes":
            file.write_bytes(b"\xff\xfe\xff")
        [problem] = problems_of(GIVEN | {"SAMPLE_WORD": "", "SAMPLE_WORD_FILE": str(file)})
        assert problem.startswith("SAMPLE_WORD is not usable (")


class TestProcesses:
    def test_one_that_lacks_settings_ends_with_status_2_and_all_names(self, monkeypatch, capsys):
        for name in GIVEN:
            monkeypatch.delenv(name, raising=False)
        settings.read.cache_clear()
        with pytest.raises(SystemExit) as ended:
            settings.read(Sample)
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert all(name in said for name in GIVEN)
        assert "Traceback" not in said

    def test_settings_are_read_once(self, monkeypatch):
        for name, value in GIVEN.items():
            monkeypatch.setenv(name, value)
        settings.read.cache_clear()
        first = settings.read(Sample)
        monkeypatch.setenv("SAMPLE_COUNT", "4")
        assert settings.read(Sample) is first
        settings.read.cache_clear()
        assert settings.read(Sample).count == 4
        settings.read.cache_clear()

    def test_as_a_program(self):
        code = "from fleet.settings import *; read(DatabaseSettings)"
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PATH": "/bin"}, capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.splitlines() == [
            "Propel cannot start, settings are missing or wrong:",
            "  DATABASE_URL is missing: postgresql://user:password@host/database of this service",
        ]


def test_the_fleets_own_have_sane_defaults():
    assert parse(ProgramSettings, {}).zone == ZoneInfo("UTC")
    assert parse(DatabaseSettings, {"DATABASE_URL": "postgresql://h/d"}).pool_size == 12
