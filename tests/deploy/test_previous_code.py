"""While a release comes in, code of before runs on the schema of now: migrations expand first and contract a release later.

The newest migration is found in the history; the code before it is taken out of the history, given the migrations of now,
and has to pass its own tests on them.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Of each service the tests that read and write most of its tables, without a broker or a browser.
SUITES = {
    "users": ("tests/users/test_link_codes.py", "tests/users/test_moderation.py"),
    "points": ("tests/points/test_ledger.py", "tests/points/test_deeds.py", "tests/points/test_holds.py"),
    "rewards": ("tests/rewards/test_redemptions.py", "tests/rewards/test_catalog.py"),
    "reviews": ("tests/reviews/test_assignment.py", "tests/reviews/test_sessions.py"),
    "bot": ("tests/bot/test_people.py", "tests/bot/test_earning.py", "tests/bot/test_answers.py"),
    "integrations": ("tests/integrations/test_feed.py", "tests/integrations/test_keys.py"),
}
MIGRATION = re.compile(r"services/(\w+)/migrations/\d{4}_\w+\.py")


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the history cannot be read: {done.stderr.strip()}")
    return done.stdout


def newest() -> tuple[str, set[str]]:
    """The commit whose code knows nothing of the newest migration, and the services that it belongs to."""
    unknown = git("ls-files", "--others", "--modified", "--exclude-standard", "services").split()
    if services := {found[1] for name in unknown if (found := MIGRATION.fullmatch(name))}:
        return "HEAD", services
    log = git("log", "-1", "--format=%H", "--diff-filter=A", "--name-only", "--", "services/*/migrations/*.py").split()
    if not log:
        pytest.skip("the history holds no migration")
    return f"{log[0]}^", {found[1] for name in log[1:] if (found := MIGRATION.fullmatch(name))}


@pytest.mark.timeout(400)
def test_code_of_before_passes_its_tests_on_the_schema_of_now(tmp_path: Path):
    before, services = newest()
    archive = subprocess.run(["git", "archive", before], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("the history does not reach back to the code of before")
    tree = tmp_path / "before"
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as content:
        content.extractall(tree, filter="data")
    known = [path for service in services for path in (tree / "services" / service).glob("migrations/0*.py")]
    # How migrations are run belongs to them.
    shutil.copy(ROOT / "fleet/migrate.py", tree / "fleet/migrate.py")
    shutil.copytree(ROOT / "fleet/alembic", tree / "fleet/alembic", dirs_exist_ok=True)
    for service in services:
        shutil.copytree(
            ROOT / "services" / service / "migrations", tree / f"services/{service}/migrations", dirs_exist_ok=True
        )
    present = [path for service in services for path in (tree / "services" / service).glob("migrations/0*.py")]
    assert len(present) > len(known), "there is a migration that the code of before does not know"
    suites = [name for service in sorted(services) for name in SUITES[service] if (tree / name).exists()]
    assert suites, f"say in SUITES which tests of {', '.join(services)} read and write its tables"
    values = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PROPEL_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", *suites]
    done = subprocess.run(command, cwd=tree, env=values, capture_output=True, text=True, check=False, timeout=380)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
