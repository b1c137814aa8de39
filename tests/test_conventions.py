"""The codebase about itself: rules that no linter knows. Each failure says what to do.

The part that needs no server is also run by `make check` (marker: `static`).
"""

import ast
import importlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from fleet import migrate, openapi, settings_reference, topology
from fleet.contracts import by_type
from fleet.contracts.codec import json_schema
from fleet.messages import to_json
from fleet.web import ANYONE
from tests import apps, matrix
from tests.apps import WEB, routes
from tests.conftest import ROOT, SERVICES
from tests.mutations import MUTATIONS
from tests.signing import TestKey

HEARING = [name for name in topology.SERVICES if (ROOT / "services" / name / "subscriptions.py").exists()]
GOLDEN = ROOT / "tests" / "contracts"
LONGEST = 400

static = pytest.mark.static


def app_of(service: str, monkeypatch: pytest.MonkeyPatch, signing_key: Path):
    for name, value in apps.environment(signing_key, signing_key.parent).items():
        monkeypatch.setenv(name, value)
    return apps.app_of(service, TestKey())


def python_files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return [path for path in found if "__pycache__" not in path.parts]


@static
@pytest.mark.parametrize("service", WEB)
def test_every_route_refuses_without_a_token_unless_it_is_listed_public(service, monkeypatch, signing_key):
    app = app_of(service, monkeypatch, signing_key)
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        if operation is None or operation.who is ANYONE:
            continue
        path = re.sub(r"<[^>]*uuid:\w+>", "00000000-0000-4000-8000-000000000000", rule.rule)
        path = re.sub(r"<\w+>", "x", path)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            status = client.open(path, method=method, json={}).status_code
            assert status == 401, f"{method} {rule.rule} answers {status} without a token"


@static
@pytest.mark.parametrize("service", WEB)
def test_every_route_has_its_row_in_the_matrix_of_rights(service, monkeypatch, signing_key):
    there = {(route.service, route.method, route.rule) for route in routes(app_of(service, monkeypatch, signing_key))}
    rows = {key for key in matrix.read() if key[0] == service}
    assert there == rows, (
        f"tests/matrix/routes.txt: add {sorted(there - rows)}, take away {sorted(rows - there)}; "
        "the statuses can be put down as 000, then tests/matrix prints what they are"
    )


@static
@pytest.mark.parametrize("service", WEB)
def test_every_route_that_takes_a_body_has_a_right_one_in_the_matrix(service, monkeypatch, signing_key):
    for route in routes(app_of(service, monkeypatch, signing_key)):
        body = matrix.row_of(route).body()
        assert (body is None) == (route.operation.body is None), (
            f"{route.method} {route.rule} in tests/matrix/routes.txt"
        )
        if route.operation.body is not None:
            assert route.operation.body().validate(body) == {}, f"{route.method} {route.rule}: {body}"


@static
@pytest.mark.parametrize("service", WEB)
def test_every_view_says_what_it_answers_and_what_it_is_for(service, monkeypatch, signing_key):
    app = app_of(service, monkeypatch, signing_key)
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if operation := getattr(view, "operation", None):
            assert view.__doc__, f"{rule.rule}: give the view a docstring; it becomes its text in the API documentation"
            assert any(status < 400 for status in operation.answers), f"{rule.rule}: name its successful answer"


@static
@pytest.mark.parametrize("service", WEB)
def test_the_committed_openapi_document_is_current(service, monkeypatch, signing_key):
    document = openapi.render(app_of(service, monkeypatch, signing_key))
    committed = openapi.path_of(service).read_bytes() if openapi.path_of(service).exists() else b""
    assert committed == document, f"the API of {service} changed: run `make openapi` and read the difference"


@static
@pytest.mark.parametrize("type_", sorted(by_type))
def test_every_message_has_a_golden_file_that_it_still_reads(type_):
    path = GOLDEN / f"{type_}.json"
    assert path.exists(), (
        f"{type_} has no golden file: add {path.relative_to(ROOT)} with a sample of its data (see CONTRIBUTING)"
    )
    sample = json.loads(path.read_text(encoding="utf-8"))
    message = by_type[type_].decode(sample)
    written = to_json(message)
    assert {key: written[key] for key in sample} == sample, (
        f"{type_} no longer carries what {path.name} holds: make it a .v2"
    )
    unknown = set(written) - set(json_schema(by_type[type_].message)["properties"])
    assert not unknown


@static
def test_no_golden_file_is_left_over_and_none_was_ever_edited():
    names = {path.stem for path in GOLDEN.glob("*.json")}
    assert names == set(by_type), f"golden files without a message: {sorted(names - set(by_type))}"
    log = ["git", "log", "--format=", "--name-only", "--diff-filter=M", "--", "tests/contracts/*.json"]
    edited = subprocess.run(log, cwd=ROOT, capture_output=True, text=True, check=False)
    assert edited.stdout.strip() == "", "golden files are history and never edited; a changed message is a new .v2"


@static
@pytest.mark.parametrize("service", HEARING)
def test_the_queue_of_a_service_is_bound_to_just_what_it_handles(service):
    subscriptions = importlib.import_module(f"services.{service}.subscriptions").subscriptions
    heard = {type_ for type_ in subscriptions.handlers if by_type[type_].kind == "event"}
    assert heard == set(topology.HEARS[service]), (
        f"topology.HEARS[{service!r}] and services/{service}/subscriptions.py differ"
    )
    asked = {type_ for type_, contract in by_type.items() if contract.kind != "event" and contract.owner == service}
    assert asked <= set(subscriptions.handlers), f"nobody handles {sorted(asked - set(subscriptions.handlers))}"


@static
def test_every_event_is_heard_by_services_other_than_its_owner():
    for service, heard in topology.HEARS.items():
        for type_ in heard:
            assert type_ in by_type, f"{service} hears {type_}, which is declared nowhere in fleet/contracts"
            assert by_type[type_].owner != service, (
                f"{service} subscribes to its own {type_}; call the function instead"
            )


@static
@pytest.mark.parametrize("service", SERVICES)
def test_migrations_are_numbered_without_gaps_and_have_one_head(service):
    files = sorted((ROOT / "services" / service / "migrations").glob("[0-9]*.py"))
    numbers = [int(path.name[:4]) for path in files]
    assert numbers == list(range(1, len(files) + 1)), f"{service}: number migrations 0001, 0002 ... without gaps"
    heads = ScriptDirectory.from_config(migrate.config(service)).get_heads()
    assert heads == [f"{service}_{len(files):04d}"], f"{service} has the heads {heads}; each migration follows the last"


@pytest.mark.parametrize("service", SERVICES)
def test_the_migrated_database_is_what_the_models_say(service, postgres, passwords):
    url = postgres.url(f"{service}_owner", passwords[f"{service}_owner"], service)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), migrate.metadata_of(service))
    engine.dispose()
    assert differences == [], f"write a migration: python -m fleet.migrate {service} --new 'what changes'"


@static
def test_services_never_commit_by_themselves():
    for path in python_files("services"):
        text = path.read_text(encoding="utf-8")
        assert ".commit(" not in text, f"{path.relative_to(ROOT)}: leaving `with transaction()` commits"
        assert ".rollback(" not in text, f"{path.relative_to(ROOT)}: raise a Problem; transaction() rolls back"


# gunicorn and Alembic are configured before any of our settings could be read.
MAY_READ_THE_ENVIRONMENT = {"fleet/settings.py", "fleet/gunicorn_conf.py", "fleet/metrics.py"}


@static
def test_the_environment_is_read_in_settings_only():
    for path in python_files("fleet", "services"):
        name = path.relative_to(ROOT).as_posix()
        if name not in MAY_READ_THE_ENVIRONMENT:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"os\.(environ|getenv)", text), f"{name}: declare a setting(...) and read() it"


@static
def test_the_example_of_settings_is_current():
    assert settings_reference.PATH.read_text(encoding="utf-8") == settings_reference.render(), (
        "the settings changed: run `make settings`"
    )


@static
def test_no_module_outgrows_one_room():
    for path in python_files("fleet", "services", "deploy", "gateway"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= LONGEST, f"{path.relative_to(ROOT)} has {lines} lines: split it by what it is about"


@static
def test_every_guard_that_is_taken_out_is_where_it_is_said_to_be():
    for mutation in MUTATIONS:
        place = ROOT / mutation.file
        found = not mutation.old or mutation.old in place.read_text(encoding="utf-8")
        assert found, (
            f"{mutation.guard}: its place in {mutation.file} is not found; bring tests/mutations.py up to date"
        )


@static
def test_no_name_says_nothing():
    banned = {"utils", "helpers", "manager", "service", "common", "misc"}
    for path in python_files("fleet", "services", "deploy", "gateway"):
        assert path.stem not in banned, f"{path.relative_to(ROOT)}: name it by what is in it"


@static
def test_public_functions_say_what_they_do():
    for path in python_files("fleet", "services"):
        if "migrations" in path.parts or "alembic" in path.parts:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith(
                "_"
            ):
                assert ast.get_docstring(node), f"{path.relative_to(ROOT)}: {node.name} has no docstring"


@static
def test_no_lock_file_names_where_packages_came_from():
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not (ROOT / "uv.lock").exists()
