"""Forms (Discord calls them modals): made as plain data, and found by their ids when they come back, after any restart."""

from typing import Any

import nextcord
from nextcord.webhook.async_ import async_context

_MODAL = 9
SHORT, PARAGRAPH = 1, 2


def form(custom_id: str, title: str, *inputs: dict[str, Any]) -> dict[str, Any]:
    """A form as Discord takes it."""
    rows = [{"type": 1, "components": [{"type": 4, **one}]} for one in inputs]
    return {"custom_id": custom_id, "title": title, "components": rows}


def filled_in(data: Any) -> dict[str, str]:
    """The fields of a submitted form by their ids."""
    found: dict[str, str] = {}
    for row in data.get("components", []):
        for one in row.get("components") or [row.get("component") or {}]:
            if one.get("custom_id"):
                found[one["custom_id"]] = str(one.get("value") or "")
    return found


async def open_form(client: nextcord.Client, interaction: nextcord.Interaction[Any], modal: dict[str, Any]) -> None:
    """Answer an interaction by a form. nextcord's own forms live in memory until they are sent back; ours need not."""
    session = getattr(client.http, "_HTTPClient__session")  # noqa: B009 its one connection, under a private name
    await async_context.get().create_interaction_response(
        interaction.id, interaction.token, session=session, type=_MODAL, data=modal
    )
