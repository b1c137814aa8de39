"""End to end: the whole fleet as `make up` runs it, through nginx and through the real nextcord client."""
