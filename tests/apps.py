"""The web applications of all services that have one, for tests that hold for every door."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

from fleet import topology
from fleet.web import ANYONE, INTEGRATOR, MEMBER, SIGNED, Operation
from tests.conftest import ROOT

WEB = [name for name in topology.SERVICES if (ROOT / "services" / name / "app.py").exists()]
# Webhooks of forms, beside what declares that it is signed: their own tests sign what they send.
FORMS = ("/api/form-submission/", "/api/forms/professional-availability/")
SOME_ID = "0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f"


def environment(signing_key: Path, folder: Path) -> dict[str, str]:
    """What any of the applications needs to be told; a setting that one of them must have is added here."""
    return {
        "USERS_JWT_KEY_FILE": str(signing_key),
        "JWKS_URL": "http://127.0.0.1:1/jwks.json",
        "EVIDENCE_DIR": str(folder),
        "MEMBER_NAMESPACE": "6f1f2a4e-6d3e-4d8e-9c55-2b9c2f6f0001",
        "REVIEWS_LINK_KEY": "a key of the tests that is long enough",
    }


def app_of(service: str, keys: Any) -> Flask:
    """The application of a service, in the environment of this process."""
    return importlib.import_module(f"services.{service}.app").create_app(keys=keys)


@dataclass(frozen=True)
class Route:
    """One method of one rule; `{name}` stands for its arguments."""

    service: str
    method: str
    rule: str
    operation: Operation

    @property
    def is_open(self) -> bool:
        return self.operation.who is ANYONE

    @property
    def is_signed(self) -> bool:
        """Whether it wants a signature before it looks at a body; what comes then is more than we ask for, by design."""
        return self.operation.who is SIGNED or self.rule in FORMS

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    def path(self, **arguments: Any) -> str:
        """The path with these arguments; ids that are not given are those of nothing."""
        filled = {name: SOME_ID if name.endswith("_id") else "unknown" for name in re.findall(r"{(\w+)}", self.rule)}
        return self.rule.format(**(filled | {name: str(value) for name, value in arguments.items()}))


def routes(app: Flask) -> Iterator[Route]:
    """Every route of an application; the probes of its process are none."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        declared = getattr(app.view_functions[rule.endpoint], "operation", None)
        if declared is not None:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Route(app.name, method, re.sub(r"<(?:[^<>:]+:)?(\w+)>", r"{\1}", rule.rule), declared)


def closed_door(app: Flask) -> str:
    """A path of the application that wants a token and answers at once: one that every member may read, where there is one."""
    closed = [
        route
        for route in routes(app)
        if route.method == "GET"
        and "{" not in route.rule
        and route.operation.who not in (ANYONE, INTEGRATOR, SIGNED)
        and not isinstance(route.operation.answers[200], str)
    ]
    return next((route.rule for route in closed if route.operation.who == MEMBER), closed[0].rule)
