"""Did the API change in a way that breaks its clients? A step of `make check`.

Each services/*/openapi.json is compared with its last committed form (or, when it is that, with the form before). What a
client could do and cannot any more is printed, a sentence each. Where that is wanted, the sentence goes, as it stands, into
services/<service>/breaking_changes.txt: the list of what clients had to follow.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
Document = dict[str, Any]

# Whichever way a bound goes that lets less in: (keyword, is the new value narrower than the old?).
_NARROWER = {
    "maxLength": lambda old, new: new < old,
    "maximum": lambda old, new: new < old,
    "maxItems": lambda old, new: new < old,
    "minLength": lambda old, new: new > old,
    "minimum": lambda old, new: new > old,
    "minItems": lambda old, new: new > old,
}
_OPEN_END = {"maxLength": float("inf"), "maximum": float("inf"), "maxItems": float("inf")}


def breaking(old: Document, new: Document) -> list[str]:
    """What a client of `old` cannot do any more, or must do differently, in `new`."""
    return sorted({sentence for path in old["paths"] for sentence in _path(old, new, path)})


def _path(old: Document, new: Document, path: str) -> Iterator[str]:
    for method, before in old["paths"][path].items():
        name = f"{method.upper()} {path}"
        after = new["paths"].get(path, {}).get(method)
        if after is None:
            yield f"{name} is gone"
            continue
        if after.get("security") and not before.get("security"):
            yield f"{name} asks for a token now"
        yield from _parameters(name, before.get("parameters", []), after.get("parameters", []))
        yield from _bodies(name, old, new, before, after)
        for status, answer in before["responses"].items():
            if int(status) >= 400:
                continue
            if status not in after["responses"]:
                yield f"{name} does not answer {status} any more"
                continue
            theirs = [
                each.get("content", {}).get("application/json", {}).get("schema")
                for each in (answer, after["responses"][status])
            ]
            if theirs[0] is not None:
                yield from _answer(f"{name} {status}", old, new, theirs[0], theirs[1] or {}, ())


def _parameters(name: str, before: list[Any], after: list[Any]) -> Iterator[str]:
    known = {(each["in"], each["name"]): each for each in before}
    now = {(each["in"], each["name"]): each for each in after}
    for (place, word), parameter in known.items():
        if (place, word) not in now:
            yield f"{name}: the {place} parameter {word} is gone"
        else:
            yield from _input(f"{name}: the {place} parameter {word}", parameter["schema"], now[place, word]["schema"])
    for (place, word), parameter in now.items():
        if parameter.get("required") and not known.get((place, word), {}).get("required"):
            yield f"{name}: the {place} parameter {word} is required now"


def _bodies(name: str, old: Document, new: Document, before: Document, after: Document) -> Iterator[str]:
    schemas = [
        each.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        for each in (before, after)
    ]
    if schemas[1] is None:
        if schemas[0] is not None:
            yield f"{name} takes no body any more"
    elif schemas[0] is None:
        yield f"{name} asks for a body now"
    else:
        yield from _body(name, old, new, schemas[0], schemas[1], ())


def _resolved(document: Document, schema: Any) -> Any:
    """The schema that a reference, or the one that may also be null, leads to."""
    for key in ("anyOf", "allOf", "oneOf"):
        if key in schema:
            return _resolved(document, schema[key][0])
    if "$ref" in schema:
        return document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def _body(name: str, old: Document, new: Document, before: Any, after: Any, seen: tuple[int, ...]) -> Iterator[str]:
    before, after = _resolved(old, before), _resolved(new, after)
    if id(before) in seen:
        return
    known, now = before.get("properties", {}), after.get("properties", {})
    for word in sorted(set(after.get("required", [])) - set(before.get("required", []))):
        yield f"{name}: {word} is required now"
    for word, schema in known.items():
        if word not in now:
            yield f"{name}: {word} is not taken any more"
            continue
        yield from _input(f"{name}: {word}", _resolved(old, schema), _resolved(new, now[word]))
        yield from _body(f"{name}: {word}", old, new, schema, now[word], (*seen, id(before)))


def _input(name: str, before: Document, after: Document) -> Iterator[str]:
    """What was taken and is not any more."""
    lost = _types(before) - _types(after)
    if lost and _types(after):
        yield f"{name} may not be {' or '.join(sorted(lost))} any more"
    if "enum" in after:
        gone = [value for value in before.get("enum", []) if value not in after["enum"]]
        if "enum" not in before or gone:
            yield f"{name} does not take {', '.join(map(str, gone)) or 'just anything'} any more"
    # The two ways to write the ends of a text in a pattern say the same.
    if after.get("pattern") not in (None, before.get("pattern", "").replace(r"\A", "^").replace(r"\Z", "$")):
        yield f"{name} must look like {after['pattern']} now"
    for keyword, narrower in _NARROWER.items():
        if keyword in after and narrower(before.get(keyword, _OPEN_END.get(keyword, float("-inf"))), after[keyword]):
            yield f"{name} has {keyword} {after[keyword]} now"


def _answer(name: str, old: Document, new: Document, before: Any, after: Any, seen: tuple[int, ...]) -> Iterator[str]:
    before, after = _resolved(old, before), _resolved(new, after)
    if id(before) in seen:
        return
    if before.get("type") == "array" and "items" in after:
        yield from _answer(name, old, new, before["items"], after["items"], (*seen, id(before)))
    for word, schema in before.get("properties", {}).items():
        now = after.get("properties", {}).get(word)
        if now is None:
            yield f"{name}: {word} is not answered any more"
            continue
        extra = _types(_resolved(new, now)) - _types(_resolved(old, schema))
        if extra and _types(_resolved(old, schema)):
            yield f"{name}: {word} may be {' or '.join(sorted(extra))} now"
        yield from _answer(f"{name}: {word}", old, new, schema, now, (*seen, id(before)))


def _types(schema: Document) -> set[str]:
    found = schema.get("type", [])
    return {found} if isinstance(found, str) else set(found)


def before_of(path: Path) -> Document | None:
    """The last committed form that differs from the file; None when there is none to be had (a first form, a shallow clone)."""
    name = path.relative_to(ROOT).as_posix()
    revisions = _git("log", "-2", "--format=%H", "--", name).split()
    for revision in ["HEAD", *(f"{each}^" for each in revisions[:1])]:
        text = _git("show", f"{revision}:{name}")
        if text and text != path.read_text(encoding="utf-8"):
            found: Document = json.loads(text)
            return found
    return None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def main() -> int:
    """1 when a change breaks clients and is not declared."""
    undeclared = 0
    for path in sorted(ROOT.glob("services/*/openapi.json")):
        before = before_of(path)
        if before is None:
            continue
        list_of_declared = path.with_name("breaking_changes.txt")
        declared = list_of_declared.read_text(encoding="utf-8").splitlines() if list_of_declared.exists() else []
        for sentence in breaking(before, json.loads(path.read_bytes())):
            if sentence not in declared:
                undeclared += 1
                sys.stdout.write(f"{path.parent.name}: {sentence}\n")
    return 1 if undeclared else 0


if __name__ == "__main__":
    raise SystemExit(main())
