"""What the bot says and hears. It publishes no events: what happens in Discord reaches the owners as commands."""
