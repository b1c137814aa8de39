"""Forms (Discord's modals) that are found by their id when they come back, whatever process opened them."""

from typing import Any

import nextcord
from nextcord.webhook.async_ import async_context

SHORT, PARAGRAPH = 1, 2
_MODAL = 9


def form(custom_id: str, title: str, *inputs: dict[str, Any]) -> dict[str, Any]:
    """A modal as Discord takes it."""
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
    """Show the form to whoever pressed the button of `interaction`."""
    # nextcord's own forms live in memory until they are sent back; ours are found by their id.
    session = getattr(client.http, "_HTTPClient__session")  # noqa: B009 its one connection, under a private name
    await async_context.get().create_interaction_response(
        interaction.id, interaction.token, session=session, type=_MODAL, data=modal
    )
