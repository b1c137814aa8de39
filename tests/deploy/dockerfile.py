"""Builds the tree of an image in a plain directory: the instructions of a Dockerfile, read and done, without an engine.

What is copied here is what an engine would copy: the same instructions, the same .dockerignore, the same commands. Not
done are those that change the base (apt-get, as whoever the build is): they are collected in `skipped` for the test to say.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.prepare import pip


@dataclass
class Stage:
    """A stage as it stands: its directory for `/`, and what it says about how it is run."""

    root: Path
    base: str
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "root"
    command: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """The working directory, on this machine."""
        return self.root / self.workdir.lstrip("/")


def instructions(path: Path) -> list[tuple[str, str]]:
    """(instruction, the rest) of each, continued lines joined and comments left out."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines() if line.strip()]


def expanded(text: str, values: dict[str, str]) -> str:
    """With ${NAME}, and ${NAME:+text} for when NAME is not empty."""
    text = re.sub(r"\$\{(\w+):\+((?:[^{}]|\$\{\w+\})*)\}", lambda found: found[2] if values.get(found[1]) else "", text)
    return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], ""), text)


def context_files(context: Path) -> set[str]:
    """Every file that reaches the engine, by .dockerignore: the last pattern that matches it or a folder above decides."""
    rules = []
    for line in (context / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = re.escape(line.lstrip("!")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
            rules.append((re.compile(f"^{pattern}(?:/.*)?$"), line.startswith("!")))
    found = set()
    listed = subprocess.run(["git", "ls-files", "-co"], cwd=context, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        verdict = True
        for pattern, again in rules:
            if pattern.match(name):
                verdict = again
        if verdict and (context / name).is_file():
            found.add(name)
    return found


class Build:
    """One build of a Dockerfile up to a stage."""

    def __init__(self, path: Path, context: Path, scratch: Path, arguments: dict[str, str]) -> None:
        self.path, self.context, self.scratch, self.arguments = path, context, scratch, arguments
        self.files = context_files(context)
        self.stages: dict[str, Stage] = {}
        self.tools = self._tools()

    def _tools(self) -> Path:
        """A `python` that sees no packages but those it is shown, and has pip."""
        folder = self.scratch / "tools"
        folder.mkdir(parents=True)
        # Not .venv's: whatever an image lacks would be found there.
        plain = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}"
        cached = [part for part in pip() if part != sys.executable]
        python = folder / "python"
        python.write_text(
            "#!/bin/sh\n"
            f'if [ "$1 $2" = "-m pip" ]; then shift 2; exec {shlex.join([sys.executable, *cached])} "$@"; fi\n'
            f'exec {plain} -S "$@"\n',
            encoding="utf-8",
        )
        python.chmod(0o755)
        return folder

    def run(self, target: str) -> Stage:
        """Do every instruction up to the end of the stage `target`."""
        values: dict[str, str] = {}
        stage: Stage | None = None
        for word, rest in instructions(self.path):
            if word == "ARG":
                name, _, default = rest.partition("=")
                # What was declared before the first stage counts again when a stage names it.
                values[name] = self.arguments.get(name, default or values.get(name, ""))
                continue
            if word == "FROM":
                if target in self.stages:
                    break
                base, name = re.fullmatch(r"(\S+) AS (\S+)", expanded(rest, values)).groups()
                stage = self._begin(base, name)
                continue
            assert stage is not None, f"{word} before FROM"
            getattr(self, f"_{word.lower()}")(stage, rest if word == "RUN" else expanded(rest, values), values)
        return self.stages[target]

    def _begin(self, base: str, name: str) -> Stage:
        root = self.scratch / name
        if base in self.stages:
            before = self.stages[base]
            shutil.copytree(before.root, root, symlinks=True)
            stage = Stage(root, before.base, before.workdir, dict(before.environment), before.user)
            stage.command, stage.entrypoint, stage.health = before.command, before.entrypoint, before.health
        else:
            root.mkdir()
            stage = Stage(root, base)
        self.stages[name] = stage
        return stage

    def _workdir(self, stage: Stage, rest: str, _values: dict[str, str]) -> None:
        stage.workdir = rest
        stage.home.mkdir(parents=True, exist_ok=True)

    def _copy(self, stage: Stage, rest: str, _values: dict[str, str]) -> None:
        words = shlex.split(rest)
        source, target = words[-2:]
        place = stage.root / target.lstrip("/") if target.startswith("/") else stage.home / target
        if before := next((word for word in words if word.startswith("--from=")), None):
            other = self.stages[before.removeprefix("--from=")]
            shutil.copytree(other.root / source.lstrip("/"), place, symlinks=True, dirs_exist_ok=True)
            return
        found = [name for name in self.files if name == source or name.startswith(f"{source}/")]
        assert found, f"COPY {rest}: nothing of that name reaches the engine (.dockerignore?)"
        for name in found:
            to = place / name.removeprefix(source).lstrip("/") if name != source else place
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.context / name, to)

    def _run(self, stage: Stage, rest: str, values: dict[str, str]) -> None:
        if "apt-get" in rest:
            stage.skipped.append(rest)
            return
        path = f"{self.tools}:{os.environ['PATH']}"
        environment = {"HOME": os.environ.get("HOME", "/"), **values, **stage.environment, "PATH": path}
        environment |= {name: text for name, text in os.environ.items() if name.startswith("PIP_")}
        # The only word that is not taken at its own: the cache is this machine's, not the image's.
        script = rest.replace(" --no-cache-dir", "")
        done = subprocess.run(
            ["sh", "-ec", script], cwd=stage.home, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"RUN {rest}\n{done.stdout}{done.stderr}"

    def _env(self, stage: Stage, rest: str, _values: dict[str, str]) -> None:
        stage.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))

    def _user(self, stage: Stage, rest: str, _values: dict[str, str]) -> None:
        stage.user = rest

    def _cmd(self, stage: Stage, rest: str, _values: dict[str, str]) -> None:
        stage.command = json.loads(rest)

    def _entrypoint(self, stage: Stage, rest: str, _values: dict[str, str]) -> None:
        stage.entrypoint = json.loads(rest)

    def _healthcheck(self, stage: Stage, rest: str, _values: dict[str, str]) -> None:
        stage.health = json.loads(rest[rest.index("CMD ") + 4 :])

    def _label(self, *_: object) -> None:
        """Says nothing about the tree."""

    def _expose(self, *_: object) -> None:
        """Says nothing about the tree."""

    def _stopsignal(self, *_: object) -> None:
        """Says nothing about the tree."""

    def environment(self, stage: Stage, **given: str) -> dict[str, str]:
        """What a container of the stage would have, `given` to it included; `/propel` is where the tree lies."""
        own = {name: text.replace("/propel", str(stage.home)) for name, text in stage.environment.items()}
        return {"PATH": f"{self.tools}:/usr/bin:/bin", "HOME": "/nonexistent", **own, **given}
