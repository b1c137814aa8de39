"""What every projection must be, derived from the transfers alone, as SQL: `verify` compares with it, `rebuild` restores it.

`:members` limits a query to some members (null: all), `:zone` is the programme's zone. A reversal counts when the award
that it undoes did. What an admin awarded uses up no allowance and starts no cooldown, all other awards do.
"""

_COUNTED = """
    counted AS (
        SELECT l.member_id, t.debit, t.credit, t.points, t.kind, t.activity, t.rule_version, t.idempotency_key,
            t.occurred_at, coalesce(undone.occurred_at, t.occurred_at) AS counts_at,
            CASE WHEN t.debit = 'issued' THEN t.points WHEN t.credit = 'issued' THEN -t.points ELSE 0 END AS earned
        FROM transfers t JOIN ledgers l ON l.id = t.ledger_id
        LEFT JOIN transfers undone ON undone.id =
            CASE WHEN t.kind = 'reversal' THEN CAST(substr(t.idempotency_key, length('reversal:') + 1) AS uuid) END
        WHERE CAST(:members AS uuid[]) IS NULL OR l.member_id = ANY(CAST(:members AS uuid[]))
    )"""


def _derived(query: str) -> str:
    return f"(WITH {_COUNTED} {query})"


BALANCES = _derived(
    """
    SELECT member_id,
        coalesce(sum(points) FILTER (WHERE credit = 'available'), 0)
            - coalesce(sum(points) FILTER (WHERE debit = 'available'), 0) AS available,
        coalesce(sum(points) FILTER (WHERE credit = 'reserved'), 0)
            - coalesce(sum(points) FILTER (WHERE debit = 'reserved'), 0) AS reserved,
        coalesce(sum(points) FILTER (WHERE credit = 'redeemed'), 0)
            - coalesce(sum(points) FILTER (WHERE debit = 'redeemed'), 0) AS redeemed,
        sum(earned) AS lifetime
    FROM counted GROUP BY member_id"""
)

SCORES = _derived(
    """
    SELECT board, counted.member_id, sum(earned) AS points, max(counts_at) AS reached_at,
        bool_and(m.show_in_leaderboard AND m.role = 'student' AND m.display_name IS NOT NULL) AS shown
    FROM counted JOIN members m ON m.id = counted.member_id CROSS JOIN LATERAL (VALUES ('all_time'),
        ('week:' || to_char(date_trunc('week', counts_at AT TIME ZONE :zone), 'YYYY-MM-DD')),
        ('month:' || to_char(date_trunc('month', counts_at AT TIME ZONE :zone), 'YYYY-MM-DD'))) AS boards (board)
    WHERE 'issued' IN (debit, credit) GROUP BY board, counted.member_id"""
)

ACTIVE_DAYS = _derived(
    """
    SELECT DISTINCT member_id, CAST(occurred_at AT TIME ZONE :zone AS date) AS day FROM counted WHERE kind = 'award'"""
)

# By the rules of today: `same_rule` says whether every one of the awards was made under today's version of its rule.
ALLOWANCES = _derived(
    """
    SELECT member_id, activity, CASE a.cap_period WHEN 'lifetime' THEN 'lifetime' ELSE a.cap_period || ':'
            || to_char(date_trunc(a.cap_period, occurred_at AT TIME ZONE :zone), 'YYYY-MM-DD') END AS period,
        count(*) AS used, bool_and(rule_version = a.version) AS same_rule
    FROM counted JOIN activity_types a ON a.code = activity
    WHERE kind = 'award' AND a.cap_count IS NOT NULL AND idempotency_key NOT LIKE 'admin:%'
    GROUP BY 1, 2, 3"""
)

COOLDOWNS = _derived(
    """
    SELECT member_id, activity, max(occurred_at) AS last_at, bool_and(rule_version = a.version) AS same_rule
    FROM counted JOIN activity_types a ON a.code = activity
    WHERE kind = 'award' AND a.cooldown_seconds > 0 AND idempotency_key NOT LIKE 'admin:%' GROUP BY 1, 2"""
)
