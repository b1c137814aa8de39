"""Commands and listeners, one subject per file. Importing this package fills the table of commands."""

from collections.abc import Coroutine
from typing import Any

from services.bot.client import PropelClient
from services.bot.cogs import (  # noqa: F401  they declare their commands on import
    catalogue,
    general,
    leaderboard,
    link,
    moderation,
    points,
    preferences,
    queue,
    review_desk,
    setup,
    shop,
    staff_points,
    submissions,
)
from services.bot.cogs.activity import Activity
from services.bot.cogs.approvals import Approvals
from services.bot.cogs.arrivals import Arrivals
from services.bot.cogs.leafing import Leafing
from services.bot.cogs.link import LinkButtons
from services.bot.cogs.notice_buttons import NoticeButtons
from services.bot.cogs.reviews import ReviewButtons
from services.bot.cogs.roll_call import RollCall
from services.bot.cogs.shop import ShopButtons
from services.bot.cogs.typed import Typed


def add_all(client: PropelClient) -> None:
    """Let every listener listen."""
    for cog in (
        Activity,
        Approvals,
        Arrivals,
        Leafing,
        LinkButtons,
        NoticeButtons,
        ReviewButtons,
        RollCall,
        ShopButtons,
        Typed,
    ):
        client.add_cog(cog(client))


def tasks(client: PropelClient) -> list[Coroutine[Any, Any, None]]:
    """What cogs do beside listening."""
    arrivals = client.get_cog("Arrivals")
    assert isinstance(arrivals, Arrivals)
    roll_call = client.get_cog("RollCall")
    assert isinstance(roll_call, RollCall)
    keep_current = submissions.keep_commands_current(client)
    return [arrivals.welcome_all(), keep_current, roll_call.call_rolls(), roll_call.keep()]
