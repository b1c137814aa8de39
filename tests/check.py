"""`make check`: everything that can be said without a server. Each step says how to mend what it finds."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTEST = (sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "--durations=0")
STATIC = (*PYTEST, "-m", "static")

STEPS: list[tuple[str, list[str], str]] = [
    (
        "lint",
        [str(BIN / "ruff"), "check", "."],
        "`ruff check --fix .` mends most; a rule's reason is beside it in pyproject.toml",
    ),
    ("format", [str(BIN / "ruff"), "format", "--check", "."], "run `make format`"),
    ("types", [str(BIN / "mypy"), "fleet", "services", "deploy", "gateway"], "say what goes in and out; see the line"),
    (
        "imports",
        [str(BIN / "lint-imports")],
        "the name of the broken contract is the rule; the modules are planned in pyproject.toml",
    ),
    (
        "api",
        [sys.executable, "-m", "tests.api_changes"],
        "keep what clients rely on, or add the sentence to services/<service>/breaking_changes.txt",
    ),
    (
        "conventions",
        [*STATIC, "tests/test_conventions.py"],
        "the assertion says what to do",
    ),
    (
        "manifests",
        [*STATIC, "tests/k8s", "tests/deploy"],
        "each sentence is one object and what is wrong with it; `make k8s-render OVERLAY=production` shows them",
    ),
]


def main() -> int:
    """Run every step (or those named on the command line); 1 when any failed, after all have been run."""
    wanted = set(sys.argv[1:])
    failed = []
    for name, command, advice in STEPS:
        if wanted and name not in wanted:
            continue
        started = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        sys.stdout.write(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {name:<12} {seconds:5.1f} s\n")
        sys.stdout.flush()
        if done.returncode != 0:
            failed.append(name)
            sys.stdout.write(done.stdout + done.stderr + f"  -> {advice}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
