"""The lengths and shapes Discord accepts in messages, embeds, components and modals."""

from __future__ import annotations

import re
from typing import Any

from .problems import JSON, DiscordError, FormErrors

Path = tuple[str | int, ...]

CONTENT = 2000
EMBEDS = 10
EMBED_TOTAL = 6000
_EMBED_TEXTS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("title",), 256),
    (("description",), 4096),
    (("footer", "text"), 2048),
    (("author", "name"), 256),
)
_EMBED_LINKS: tuple[tuple[str, ...], ...] = (("url",), ("image", "url"), ("thumbnail", "url"), ("author", "url"))
_LINK = re.compile(r"(https?|attachment)://\S+")

ROW, BUTTON, STRING_SELECT, TEXT_INPUT, LABEL = 1, 2, 3, 4, 18
AUTO_SELECTS = (5, 6, 7, 8)
_LINK_STYLE = 5


def check_message(body: JSON, files: int = 0, before: JSON | None = None) -> None:
    """Refuses a message that Discord would refuse; ``before`` is what an edit leaves as it was."""
    errors = FormErrors()
    errors.length(("content",), body.get("content"), 0, CONTENT)
    embeds = errors.objects(("embeds",), body.get("embeds"), EMBEDS)
    total = sum(_embed(errors, ("embeds", index), embed) for index, embed in enumerate(embeds))
    if total > EMBED_TOTAL:
        errors.add(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {EMBED_TOTAL}")
    _rows(errors, body.get("components"))
    nonce = body.get("nonce")
    if nonce is not None and len(str(nonce)) > 25:
        errors.add(("nonce",), "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    errors.objects(("attachments",), body.get("attachments"), 10)
    if not isinstance(body.get("flags") or 0, int):
        errors.add(("flags",), "NUMBER_TYPE_COERCE", "Value is not an int.")
    errors.settle()
    whole = {**(before or {}), **{key: body[key] for key in _CARRIERS if key in body}}
    if not files and not any(whole.values()):
        raise DiscordError(400, 50006, "Cannot send an empty message")


# Any one of these makes a message, and so does a file. Components alone do: a row of buttons is something to see.
_CARRIERS = ("content", "embeds", "components")


def _embed(errors: FormErrors, path: Path, embed: JSON) -> int:
    """Checks one embed and counts its characters towards the total of the message."""
    count = 0
    for keys, limit in _EMBED_TEXTS:
        value = _dig(embed, keys)
        if errors.length((*path, *keys), value, 0, limit):
            count += len(value)
    for keys in _EMBED_LINKS:
        value = _dig(embed, keys)
        if value is not None and not (isinstance(value, str) and _LINK.fullmatch(value) and len(value) <= 2048):
            errors.add((*path, *keys), "URL_TYPE_INVALID_URL", "Not a well formed URL.")
    for index, field in enumerate(errors.objects((*path, "fields"), embed.get("fields"), 25)):
        for key, limit in (("name", 256), ("value", 1024)):
            if errors.length((*path, "fields", index, key), field.get(key), 1, limit, required=True):
                count += len(field[key])
    return count


def _dig(tree: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _rows(errors: FormErrors, components: Any) -> None:
    seen: set[str] = set()
    for index, row in enumerate(errors.objects(("components",), components, 5)):
        path: Path = ("components", index)
        if row.get("type") != ROW:
            errors.add((*path, "type"), "UNION_TYPE_CHOICES", 'Value of field "type" must be one of (1,).')
            continue
        items = errors.objects((*path, "components"), row.get("components"), 5, low=1)
        if len(items) > 1 and any(item.get("type") != BUTTON for item in items):
            errors.add((*path, "components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "A select fills its row.")
        for place, item in enumerate(items):
            _control(errors, (*path, "components", place), item, seen)


def _control(errors: FormErrors, path: Path, item: JSON, seen: set[str]) -> None:
    kind = item.get("type")
    if kind == BUTTON:
        _button(errors, path, item)
        if item.get("style") == _LINK_STYLE:
            return
    elif kind == STRING_SELECT or kind in AUTO_SELECTS:
        _select(errors, path, item, options=kind == STRING_SELECT)
    else:
        choices = ", ".join(map(str, (BUTTON, STRING_SELECT, *AUTO_SELECTS)))
        errors.add((*path, "type"), "UNION_TYPE_CHOICES", f'Value of field "type" must be one of ({choices}).')
        return
    _custom_id(errors, path, item, seen)


def _custom_id(errors: FormErrors, path: Path, item: JSON, seen: set[str]) -> None:
    custom_id = item.get("custom_id")
    if errors.length((*path, "custom_id"), custom_id, 1, 100, required=True):
        if custom_id in seen:
            errors.add(
                (*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
            )
        seen.add(str(custom_id))


def _button(errors: FormErrors, path: Path, item: JSON) -> None:
    style = item.get("style")
    if style not in (1, 2, 3, 4, _LINK_STYLE):
        errors.add((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, 3, 4, 5).")
    errors.length((*path, "label"), item.get("label"), 0, 80)
    if not item.get("label") and not item.get("emoji"):
        errors.add((*path, "label"), "BUTTON_COMPONENT_INVALID", "A button needs a label or an emoji.")
    if style == _LINK_STYLE:
        errors.length((*path, "url"), item.get("url"), 1, 512, required=True)
        if item.get("custom_id"):
            errors.add((*path, "custom_id"), "BUTTON_COMPONENT_CUSTOM_ID_URL", "A link button has no custom id.")


def _select(errors: FormErrors, path: Path, item: JSON, *, options: bool) -> None:
    errors.length((*path, "placeholder"), item.get("placeholder"), 0, 150)
    for key, low in (("min_values", 0), ("max_values", 1)):
        value = item.get(key, 1)
        if type(value) is not int or not low <= value <= 25:
            errors.add((*path, key), "NUMBER_TYPE_RANGE", f"int value should be between {low} and 25.")
    if not options:
        return
    values: set[str] = set()
    for index, option in enumerate(errors.objects((*path, "options"), item.get("options"), 25, low=1)):
        place: Path = (*path, "options", index)
        errors.length((*place, "label"), option.get("label"), 1, 100, required=True)
        errors.length((*place, "description"), option.get("description"), 0, 100)
        if errors.length((*place, "value"), option.get("value"), 1, 100, required=True):
            if option["value"] in values:
                errors.add((*place, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "Value is used twice.")
            values.add(option["value"])


def check_modal(data: JSON) -> None:
    """Refuses a modal that Discord would refuse."""
    errors = FormErrors()
    errors.length(("data", "title"), data.get("title"), 1, 45, required=True)
    errors.length(("data", "custom_id"), data.get("custom_id"), 1, 100, required=True)
    holders = errors.objects(("data", "components"), data.get("components"), 5, low=1)
    seen: set[str] = set()
    if len(text_inputs(data)) != len(holders):
        errors.add(("data", "components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "A text input fills its row.")
    for index, field in enumerate(text_inputs(data)):
        path: Path = ("data", "components", index)
        if field.get("type") != TEXT_INPUT:
            errors.add((*path, "type"), "UNION_TYPE_CHOICES", "Local Discord's modals hold text inputs (type 4) only.")
            continue
        _custom_id(errors, path, field, seen)
        if not field.get("labelled"):
            errors.length((*path, "label"), field.get("label"), 1, 45, required=True)
        errors.length((*path, "placeholder"), field.get("placeholder"), 0, 100)
        errors.length((*path, "value"), field.get("value"), 0, 4000)
        if field.get("style") not in (1, 2):
            errors.add((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2).")
    errors.settle()


def text_inputs(modal: JSON) -> list[JSON]:
    """The fields of a modal, whether they stand in rows (the old shape) or under labels (the new one)."""
    found: list[JSON] = []
    for holder in modal.get("components") or []:
        if not isinstance(holder, dict):
            continue
        if holder.get("type") == LABEL:
            inner = holder.get("component")
            found.append({**inner, "labelled": True} if isinstance(inner, dict) else {})
        else:
            inside = holder.get("components")
            found += [item for item in inside if isinstance(item, dict)] if isinstance(inside, list) else [{}]
    return found
