"""Does the safety net hold? `make mutations` takes each guard out of a copy of the code and expects its test to fail.

A suite that has never failed proves nothing. Each row names the guard, where it is, what it is replaced by, and the test
that must notice. The last rows plant what `make check` forbids.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = (sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider")
CHECK = (sys.executable, "-m", "tests.check")


@dataclass(frozen=True)
class Mutation:
    """`old` in `file` becomes `new` (an empty `old` appends); then `command` must fail and say `saying`."""

    guard: str
    file: str
    old: str
    new: str
    command: tuple[str, ...]
    saying: str = ""


def test(path: str) -> tuple[str, ...]:
    """The command that runs one test."""
    return (*PYTEST, path)


MUTATIONS = [
    Mutation(
        "guard of the rate",
        "fleet/rates.py",
        "    WHERE w.used < :limit OR w.ends_at <= clock_timestamp()\n",
        "",
        test("tests/fleet/test_rates.py::test_fifty_at_once_get_exactly_the_rate"),
    ),
    Mutation(
        "one use of a mailed token",
        "services/users/one_time.py",
        "OneTimeToken.used_at.is_(None), ",
        "",
        test("tests/users/test_recovery.py::TestVerification::test_of_twenty_at_once_one_is_told_it_worked"),
    ),
    Mutation(
        "one change of roles at a time",
        "services/users/moderation.py",
        "    session.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME)))\n",
        "",
        test("tests/users/test_moderation.py::TestRoles::test_admins_who_demote_one_another_leave_one"),
    ),
    Mutation(
        "lease of a mail",
        "fleet/mail.py",
        "due_at = now() + make_interval(secs => :lease) ",
        "due_at = now() + make_interval(secs => :lease * 0) ",
        test("tests/fleet/test_mail.py::test_several_senders_send_each_mail_once"),
    ),
    Mutation(
        "inbox check",
        "fleet/queue_worker.py",
        "if envelope.id in fresh:",
        "if envelope:",
        test("tests/faults/test_consumer.py::test_every_message_twice_and_shuffled_is_applied_once"),
    ),
    Mutation(
        "acknowledge after commit",
        "fleet/queue_worker.py",
        '                    self._apply(group)\n                self._settle(group, "applied")',
        '                    self._settle(group, "applied")\n                    self._apply(group)',
        test("tests/faults/test_consumer.py::test_killed_again_and_again_it_loses_nothing_and_doubles_nothing"),
    ),
    Mutation(
        "mandatory",
        "fleet/publisher.py",
        "self._properties(outgoing), outgoing.mandatory",
        "self._properties(outgoing), False",
        test("tests/faults/test_relay.py::test_a_message_nobody_is_bound_to_waits_and_does_not_hold_up_the_rest"),
    ),
    Mutation(
        "row lock on the balance",
        "services/points/ledger.py",
        "    .with_for_update(of=Balance)\n",
        "",
        test("tests/points/test_ledger.py::test_two_awards_at_once_both_count"),
    ),
    Mutation(
        "advisory lock of the relay",
        "fleet/relay.py",
        "return bool(cursor.fetchone()[0])",
        "return True",
        test("tests/faults/test_relay.py::test_only_one_of_two_relays_publishes_and_the_other_takes_over"),
    ),
    Mutation(
        "idempotency key",
        "fleet/idempotency.py",
        "    if first is not None:\n        repeated",
        "    if first is not None and session.info.get('never'):\n        repeated",
        test("tests/points/test_api.py"),
    ),
    Mutation(
        "import from one service into another",
        "services/points/boards.py",
        "",
        "\nfrom services.users import accounts  # noqa\n",
        (*CHECK, "imports"),
        "Services never import one another",
    ),
    Mutation(
        "pika reachable from a domain module",
        "services/points/calendar.py",
        "",
        "\nfrom fleet import publisher  # noqa\n",
        (*CHECK, "imports"),
        "reach neither Flask nor pika",
    ),
    Mutation(
        "a route without a decision about who may call it",
        "services/points/api.py",
        "",
        '\n\n@api.get("/api/points/secret/")\ndef secret() -> Answer:\n    """Nobody said who may read this."""\n    return {}\n',
        (*CHECK, "conventions"),
        "say who may call it",
    ),
    Mutation(
        "an event without a golden file",
        "fleet/contracts/points.py",
        "",
        '\n\n@event("points.forgotten.v1")\n@dataclass(frozen=True)\nclass Forgotten:\n    """Nobody wrote its sample."""\n\n    member_id: UUID\n',
        (*CHECK, "conventions"),
        "has no golden file",
    ),
    Mutation(
        "a module nobody planned",
        "services/points/extras.py",
        "",
        '"""Nobody said in which layer this lives."""\n',
        (*CHECK, "imports"),
        "extras",
    ),
]


def copy_of_the_code(target: Path) -> None:
    """The tree as git would see it, with its history: one of the checks reads the log."""
    ignore = shutil.ignore_patterns(
        ".run", ".venv", ".venv.lock", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"
    )
    shutil.copytree(ROOT, target, ignore=ignore, symlinks=True)


def survives(mutation: Mutation, tree: Path) -> str | None:
    """None when the guard's absence is noticed as it should be, else what went wrong."""
    path = tree / mutation.file
    original = path.read_text(encoding="utf-8") if path.exists() else None
    if mutation.old and mutation.old not in (original or ""):
        return "its place in the code was not found: bring tests/mutations.py up to date"
    path.write_text(
        (original or "").replace(mutation.old, mutation.new, 1) if mutation.old else (original or "") + mutation.new
    )
    done = subprocess.run(mutation.command, cwd=tree, capture_output=True, text=True, check=False, timeout=600)
    if original is None:
        path.unlink()
    else:
        path.write_text(original, encoding="utf-8")
    if done.returncode == 0:
        return "nothing noticed that it is gone"
    words = " ".join((done.stdout + done.stderr).split())
    return None if mutation.saying in words else f"it failed without saying {mutation.saying!r}: {words[-300:]}"


def main() -> int:
    """Try every mutation (or those whose guard contains an argument); 1 when one survives."""
    wanted = sys.argv[1:]
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="propel-mutations-") as folder:
        tree = Path(folder) / "propel"
        copy_of_the_code(tree)
        for mutation in MUTATIONS:
            if wanted and not any(word in mutation.guard for word in wanted):
                continue
            wrong = survives(mutation, tree)
            survivors += wrong is not None
            sys.stdout.write(
                f"{'NOT CAUGHT' if wrong else 'caught    '}  {mutation.guard}{': ' + wrong if wrong else ''}\n"
            )
            sys.stdout.flush()
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
