"""The running API against its own document: whatever is sent through the gateway, no server error, and no answer that the
document does not describe.

schemathesis makes requests out of the merged document, right ones and wrong ones, for every operation, as an admin and as a
student. EXAMPLES= for another number of each (4); SEED= repeats a run.
"""

import json
import os
from functools import cache
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from gateway import documents
from tests.conftest import ROOT, SEED
from tests.e2e.conftest import Fleet

EXAMPLES = int(os.environ.get("EXAMPLES") or 4)
METHODS = ("get", "post", "put", "patch", "delete")


@cache
def document() -> dict[str, Any]:
    """What the gateway serves at /api/openapi.json, put together from what the services have committed."""
    found = sorted((ROOT / "services").glob("*/openapi.json"))
    return documents.merged({path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in found})


OPERATIONS = [
    f"{method.upper()} {path}" for path, item in document()["paths"].items() for method in METHODS if method in item
]


@cache
def schema() -> Any:
    """The document as schemathesis reads it. Imported here: it takes longer than all other tests to collect."""
    import schemathesis
    from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig

    # Who calls is said by the test.
    generation = GenerationConfig(with_security_parameters=False)
    config = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=generation)))
    return schemathesis.openapi.from_dict(document(), config=config)


def checks() -> list[Any]:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks as conformance

    kinds = ("status_code", "content_type", "response_headers", "response_schema")
    return [not_a_server_error, *(getattr(conformance, f"{kind}_conformance") for kind in kinds)]


@pytest.fixture(params=["admin", "student"])
def token(request: pytest.FixtureRequest, fleet: Fleet) -> str:
    """A session of its own for each operation: some end it."""
    if request.param == "admin":
        return fleet.token("admin")
    return fleet.register()["tokens"]["access"]


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

        send()
