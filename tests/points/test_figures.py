"""All figures beside one another, on books that the real functions wrote: what one says, the others say too."""

import random

from sqlalchemy import text

from fleet.database import transaction
from fleet.messages import new_id
from services.points import dashboard, feed, ledger, timeline
from services.points.analytics import points_log
from tests.points import books


def busy(member_id, rounds: int) -> None:
    """Awards, corrections, reversals and redemptions in every stage, as they come."""
    awards, held, captured = [books.earn(member_id, 500)], [], []
    for _ in range(rounds):
        match random.choice(["award", "adjust", "reverse", "hold", "release", "capture", "refund"]):
            case "award":
                awards.append(books.earn(member_id, random.randint(1, 60)))
            case "adjust":
                books.adjust(member_id, random.choice([-7, 9]))
            case "reverse" if len(awards) > 1:
                books.reverse(awards.pop())
            case "hold":
                hold = books.place(member_id, random.randint(1, 20))
                held.append(hold.redemption_id)
            case "release" if held:
                books.release(held.pop(), member_id)
            case "capture" if held:
                captured.append(held.pop())
                books.capture(captured[-1])
            case "refund" if captured:
                books.refund(captured.pop(), 1)


def test_dashboard_timeline_feed_log_and_balance_agree(member):
    ada, discord_born, eve = member("Ada"), new_id(), member("Eve")
    for who in (ada, discord_born, eve):
        busy(who, 40)
    books.link(discord_born, ada)
    busy(ada, 10)
    with transaction() as session:
        balance = ledger.balance_of(session, ada)
        found = dashboard.read(session, discord_born, "7days")
        months = timeline.read(session, ada, "monthly", 60)
        items = feed.page(session, ada, 100, None)[0]
        assert len(items) < 100
        log, cursor = points_log(session, ada, 1000, None)
        spending = "SELECT sum(CASE credit WHEN 'available' THEN -points ELSE points END) FROM transfers t"
        spending += " JOIN ledgers l ON l.id = t.ledger_id WHERE l.member_id = :ada"
        spending += " AND kind IN ('hold', 'release', 'refund')"
        spent = session.execute(text(spending), {"ada": ada}).scalar_one()
    assert found.current_period.total_points == balance.available
    assert found.current_period.points_earned == balance.lifetime
    assert found.current_period.points_redeemed == spent == balance.lifetime - balance.available
    assert months.items[-1].cumulative_points == balance.available
    assert sum(item.points_earned for item in months.items) == balance.lifetime
    assert sum(item.points_redeemed for item in months.items) == spent
    assert sum(item.points_change for item in items) == balance.available
    assert cursor is None
    assert [row.id for row in log] == [item.id for item in items]
    assert found.streak.current == 1
    books.assert_books_balance()
