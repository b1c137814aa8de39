"""The chat page of local Discord in a real browser, with real nextcord clients on the other side."""
