"""The running API against its own document: whatever is sent through the gateway, no server error, and no answer that the
document does not describe.

schemathesis makes requests out of the merged document, right ones and wrong ones, for every operation, as an admin and as a
student. EXAMPLES= for another number of each (3); SEED= repeats a run.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from functools import cache
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from gateway import documents
from tests.conftest import ROOT, SEED
from tests.e2e.conftest import Fleet, running

EXAMPLES = int(os.environ.get("EXAMPLES") or 3)
METHODS = ("get", "post", "put", "patch", "delete")
# It has no end; tests/integrations/test_stream.py listens to it.
ENDLESS = "GET /api/stream/"


@cache
def document() -> dict[str, Any]:
    """What the gateway serves at /api/openapi.json, put together from what the services have committed."""
    found = sorted((ROOT / "services").glob("*/openapi.json"))
    return documents.merged({path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in found})


OPERATIONS = [
    f"{method.upper()} {path}" for path, item in document()["paths"].items() for method in METHODS if method in item
]
OPERATIONS.remove(ENDLESS)


@cache
def schema() -> Any:
    """The document as schemathesis reads it. Imported here: it takes longer than all other tests to collect."""
    import schemathesis
    from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig

    # Who calls is said by the test.
    generation = GenerationConfig(with_security_parameters=False)
    config = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=generation)))
    return schemathesis.openapi.from_dict(document(), config=config)


def no_server_error(_context: Any, answer: Any, _case: Any) -> None:
    """503 is the word for what is not installed or not to be had now, and in the document; no other 5xx is."""
    assert answer.status_code < 500 or answer.status_code == 503, f"{answer.status_code}: {answer.text}"


def checks() -> list[Any]:
    """What must be true of each answer."""
    from schemathesis.specs.openapi import checks as conformance

    kinds = ("status_code", "content_type", "response_headers", "response_schema")
    return [no_server_error, *(getattr(conformance, f"{kind}_conformance") for kind in kinds)]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One of its own: an admin who does anything that can be done is no neighbour for other tests."""
    with running(tmp_path_factory.mktemp("conformance")) as started:
        yield started


@pytest.fixture(scope="module")
def admin(fleet: Fleet) -> Callable[[], str]:
    """Gives a token of the admin; another one when something ended its session."""
    tokens = [fleet.token("admin")]

    def token() -> str:
        if fleet.request("GET", "/api/users/profile/", tokens[-1]).status_code == 401:
            tokens.append(fleet.token("admin"))
        return tokens[-1]

    return token


@pytest.fixture(params=["admin", "student"])
def token(request: pytest.FixtureRequest, fleet: Fleet, admin: Callable[[], str], operation: str) -> str:
    """A token of the admin, or of a student of its own for each operation: some end what they are called with. Where an
    integrator is asked for, an API key in place of the admin."""
    method, path = operation.split()
    if request.param == "admin" and document()["paths"][path][method.lower()].get("security") == [{"api_key": []}]:
        words = {"name": "conformance", "scopes": ["events:read", "events:replay"], "integrator": "conformance"}
        return fleet.request("POST", "/api/keys/", admin(), json=words).json()["key"]
    student = request.param == "student"
    return fleet.register()["tokens"]["access"] if student else admin()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_answer_is_outside_of_the_document(fleet: Fleet, token: str, operation: str):
    from schemathesis import GenerationMode

    method, path = operation.split()
    headers, checked = {"Authorization": f"Bearer {token}"}, checks()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @hypothesis.seed(SEED)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=schema()[path][method].as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            case.call_and_validate(base_url=fleet.url, headers=headers, checks=checked, timeout=30)

        # Some operations have nothing that could be wrong.
        with suppress(hypothesis.errors.Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():
            send()
