"""The web application of a service: `create_app(...)` and what a view declares about itself.

    @api.post("/api/users/login/")
    @operation(who=ANYONE, body=Credentials, answers={200: Session})
    def login(body: dict) -> Answer: ...

Every route is closed unless the application lists it as public *and* its operation says `who=ANYONE`; the two must
agree or the application does not start. Every error, also Flask's own, is application/problem+json.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, wraps
from http import HTTPStatus
from typing import Any

import marshmallow
import orjson
from flask import Blueprint, Flask, Response, g, request
from flask.json.provider import JSONProvider
from sqlalchemy import text
from werkzeug.exceptions import HTTPException

from fleet import auth, logs, metrics, observing, tracing
from fleet.database import is_outage, transaction
from fleet.messages import new_id
from fleet.observing import PROBES
from fleet.problems import InvalidFields, NotFound, Problem, Unavailable
from fleet.reading import read_json

log = logs.get(__name__)

MAX_BODY = 1024 * 1024
_REQUEST_ID = re.compile(r"^[A-Za-z0-9-]{8,64}$")
# Phrases that differ between Python versions.
_SLUGS = {413: "content-too-large", 422: "unprocessable-content", 416: "range-not-satisfiable"}

ANYONE: tuple[str, ...] = ("anyone",)
MEMBER: tuple[str, ...] = ("student", "company", "university", "admin")
ADMIN: tuple[str, ...] = ("admin",)
# Other systems: no member's token, but an API key, which the application looks at by itself.
INTEGRATOR: tuple[str, ...] = ("integrator",)
# Other programs of ours, which sign each request; the application looks at the signature by itself.
SIGNED: tuple[str, ...] = ("signed",)

Answer = dict[str, Any] | tuple[dict[str, Any], int] | Response


@dataclass(frozen=True)
class Operation:
    """What a route declares: who may call it, what it takes, what it answers (a schema, or a media type that is not JSON)."""

    who: tuple[str, ...]
    body: type[marshmallow.Schema] | None = None
    query: type[marshmallow.Schema] | None = None
    answers: dict[int, type[marshmallow.Schema] | str | None] = field(default_factory=dict)
    idempotent: bool = False
    while_awaiting: bool = False


def operation(
    *,
    who: tuple[str, ...],
    body: type[marshmallow.Schema] | None = None,
    query: type[marshmallow.Schema] | None = None,
    answers: dict[int, type[marshmallow.Schema] | str | None],
    idempotent: bool = False,
    while_awaiting: bool = False,
) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Declare a view. It is called with `body=` and `query=` as loaded by their schemas, when it declares them.

    `while_awaiting` opens it to accounts that no admin has approved yet: only what concerns the account itself.
    """
    declared = Operation(who, body, query, answers, idempotent, while_awaiting)

    def decorate(view: Callable[..., Answer]) -> Callable[..., Answer]:
        @wraps(view)
        def guarded(**arguments: Any) -> Answer:
            if who not in (ANYONE, INTEGRATOR, SIGNED):
                if not while_awaiting:
                    auth.require_approved()
                auth.require_role(*who)
            if query is not None:
                arguments["query"] = load(query, _parameters())
            if body is not None:
                arguments["body"] = load(body, read_json())
            return view(**arguments)

        guarded.operation = declared  # type: ignore[attr-defined]
        return guarded

    return decorate


class Schema(marshmallow.Schema):
    """Base of all request and answer schemas: unknown fields are refused, answers keep the order of declaration."""

    class Meta:
        unknown = marshmallow.RAISE


class Text(marshmallow.fields.String):
    """Text without NUL (PostgreSQL cannot hold it) and without other control characters but newline and tab."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        if any(ord(character) < 32 and character not in "\n\t" for character in found):
            raise marshmallow.ValidationError("must not hold control characters")
        return found


class Whole(marshmallow.fields.Integer):
    """A whole number: neither "5" nor 5.0 nor true."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if type(value) is not int:
            raise marshmallow.ValidationError("must be a whole number")
        return super()._deserialize(value, attr, data, **kwargs)


class Flag(marshmallow.fields.Boolean):
    """true or false: neither "yes" nor 1."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if type(value) is not bool:
            raise marshmallow.ValidationError("must be true or false")
        return value


class QueryWhole(marshmallow.fields.Integer):
    """A whole number in a query string: ASCII digits, with at most a minus sign before them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not re.fullmatch(r"-?[0-9]{1,15}", str(value), re.ASCII):
            raise marshmallow.ValidationError("must be a whole number")
        return super()._deserialize(value, attr, data, **kwargs)


class Instant(marshmallow.fields.AwareDateTime):
    """A UTC instant, written with `Z`; read with any offset, of which PostgreSQL takes only those under sixteen hours."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        found: datetime = super()._deserialize(value, attr, data, **kwargs)
        try:
            return found.astimezone(UTC)
        except OverflowError as error:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from error

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else value.isoformat().replace("+00:00", "Z")


class Derived(marshmallow.fields.Function):
    """What `how` makes of the object, described by `kind`: `Derived(fields.Boolean(), lambda m: m.at is not None)`."""

    def __init__(self, kind: marshmallow.fields.Field, how: Callable[[Any], Any]) -> None:
        super().__init__(how)
        self.kind = kind


class PageQuery(Schema):
    """The parameters of every list."""

    limit = QueryWhole(load_default=50, validate=marshmallow.validate.Range(1, 100))
    cursor = marshmallow.fields.String(load_default=None)


# Making a schema copies all its fields and costs several times as much as a load, which changes nothing about it.
_made = cache(lambda schema: schema())


def load(schema: type[marshmallow.Schema], data: Any) -> Any:
    """What `schema` makes of `data`; InvalidFields names everything that is wrong by pointer."""
    try:
        return _made(schema).load(data)
    except marshmallow.ValidationError as error:
        raise InvalidFields(list(_pointers(error.messages, ""))) from error


def _pointers(messages: Any, path: str) -> Iterable[dict[str, str]]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            yield from _pointers(inner, path if key == "_schema" else f"{path}/{escaped}")
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield {"pointer": path or "/", "detail": str(message)}


def _parameters() -> dict[str, str]:
    repeated = [name for name in request.args if len(request.args.getlist(name)) > 1]
    if repeated:
        raise InvalidFields([{"pointer": f"/{name}", "detail": "given more than once"} for name in repeated])
    for name, value in request.args.items():
        if "\x00" in value or "\x00" in name or "\ufffd" in value:
            raise InvalidFields([{"pointer": f"/{name}", "detail": "holds characters that are not allowed"}])
    return request.args.to_dict()


def to_bytes(answer: Any) -> bytes:
    """An answer as it goes out: instants with `Z`, ids as text, dataclasses as objects."""
    return orjson.dumps(answer, option=orjson.OPT_UTC_Z)


class _Json(JSONProvider):
    """orjson in and out."""

    def dumps(self, obj: Any, **_kwargs: Any) -> str:
        return to_bytes(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        return Response(to_bytes(self._prepare_response_obj(args, kwargs)), content_type="application/json")


def problem_response(problem: Problem) -> Response:
    """A problem as application/problem+json, completed with this request's path and id."""
    body = problem.to_dict() | {"instance": request.path, "request_id": g.get("request_id")}
    found = Response(orjson.dumps(body, default=str), problem.status, content_type="application/problem+json")
    found.headers.update(problem.headers)
    return found


def create_app(
    service: str,
    blueprints: Sequence[Blueprint],
    public: Iterable[str],
    keys: Any = None,
    by_key: Callable[[], None] | None = None,
) -> Flask:
    """Assemble the application of `service`.

    `public` are the endpoints ("api.login") that need no token; every other route refuses without one. `keys` gives
    public keys by `kid`; by default they come from JWKS_URL. `by_key` lets in, or refuses by a Problem, whoever asks for
    what is `who=INTEGRATOR` or `who=SIGNED`. Raises ValueError when `public` and the operations of the views disagree, or a view
    declares no operation.
    """
    logs.configure(service, "web")
    tracing.start(service, "web")
    app = Flask(service, static_folder=None)
    app.json = _Json(app)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.wsgi_app = _with_slash(app.wsgi_app)  # type: ignore[method-assign]
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    from fleet import desk_api

    for blueprint in (*blueprints, desk_api.blueprint(service)):
        app.register_blueprint(blueprint)
    _install_probes(app)
    auth.install(app, auth.KeySet(auth.settings().jwks_url) if keys is None else keys, problem_response)
    _install_hooks(app, frozenset(public), by_key)
    _install_errors(app)
    _check_decisions(app, frozenset(public))
    return app


def _with_slash(application: Any) -> Any:
    """A trailing slash may be left out: from here on it is there, so that one resource has one path for all that asks."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/api/") and not path.endswith("/"):
            environ["PATH_INFO"] = f"{path}/"
        return application(environ, start_response)

    return answer


def _check_decisions(app: Flask, public: frozenset[str]) -> None:
    for rule in app.url_map.iter_rules():
        if rule.rule in PROBES:
            continue
        declared = getattr(app.view_functions[rule.endpoint], "operation", None)
        if declared is None:
            raise ValueError(f"{rule.rule}: say who may call it with @operation(who=...)")
        if (declared.who is ANYONE) != (rule.endpoint in public):
            raise ValueError(f"{rule.rule}: who=ANYONE and the list of public endpoints in app.py disagree")


def _install_hooks(app: Flask, public: frozenset[str], by_key: Callable[[], None] | None) -> None:
    with_key = {
        endpoint
        for endpoint, view in app.view_functions.items()
        if getattr(getattr(view, "operation", None), "who", None) in (INTEGRATOR, SIGNED)
    }

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if _REQUEST_ID.match(given) else str(new_id())
        logs.request_id.set(g.request_id)
        observing.begin()
        if request.endpoint in with_key and by_key:
            by_key()
        elif request.path not in PROBES and request.endpoint not in public:
            auth.authenticate()
        if "\x00" in request.path:
            # PostgreSQL cannot hold it, so nothing can have such a name.
            raise NotFound()

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        observing.end(response)
        return response


def _install_errors(app: Flask) -> None:
    @app.errorhandler(Problem)
    def on_problem(problem: Problem) -> Response:
        return problem_response(problem)

    @app.errorhandler(HTTPException)
    def on_http(error: HTTPException) -> Response:
        status = error.code or 500
        if status < 400:
            return Response(status=status, headers=error.get_headers())
        problem = Problem(error.description or "")
        problem.status = status
        # Python 3.13 renamed some phrases; slugs are the same wherever we run.
        problem.title = "Content Too Large" if status == 413 else HTTPStatus(status).phrase
        problem.slug = _SLUGS.get(status) or problem.title.lower().replace(" ", "-")
        if allowed := getattr(error, "valid_methods", None):
            problem.headers = {"Allow": ", ".join(sorted(allowed))}
        return problem_response(problem)

    @app.errorhandler(Exception)
    def on_fault(error: Exception) -> Response:
        if is_outage(error):
            log.warning("database_away")
            return problem_response(Unavailable("The database does not answer at the moment. Try again shortly."))
        log.exception("request_failed", route=request.path)
        problem = Problem("This is our fault and was recorded. Quote the request_id when you report it.")
        problem.status, problem.slug, problem.title = 500, "internal-error", "Something went wrong"
        return problem_response(problem)


def _install_probes(app: Flask) -> None:
    @app.get("/healthz")
    def healthz() -> Answer:
        return {"status": "alive"}

    @app.get("/readyz")
    def readyz() -> Answer:
        with transaction() as session:
            session.execute(text("SELECT 1"))
        return {"status": "ready"}

    @app.get("/metrics")
    def metrics_page() -> Answer:
        body, content_type = metrics.exposition()
        return Response(body, content_type=content_type)
