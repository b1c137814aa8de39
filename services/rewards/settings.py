"""What rewards needs beyond the fleet's settings."""

from dataclasses import dataclass

from fleet.settings import setting


@dataclass(frozen=True)
class RefundSettings:
    """When one admin is not enough."""

    second_admin_above: int = setting(
        "REFUND_SECOND_ADMIN_ABOVE", default=1000, help="refunds of more points than this wait for a second admin"
    )


@dataclass(frozen=True)
class RedemptionSettings:
    """How long a redemption waits: for staff, for points, and in the request that made it."""

    expires_after_days: float = setting(
        "REWARDS_EXPIRE_AFTER_DAYS",
        default=14.0,
        help="days after which a redemption that staff did not decide expires",
    )
    resend_after_s: float = setting(
        "REWARDS_RESEND_AFTER_S", default=30.0, help="seconds without an answer of points until it is asked again"
    )
    wait_s: float = setting(
        "REWARDS_WAIT_S", default=3.0, help="seconds that POST /api/rewards/redeem/ waits for points"
    )
    waiters: int = setting(
        "REWARDS_WAITERS",
        default=8,
        help="requests of one process that wait for points at once; fewer than WEB_THREADS",
    )


@dataclass(frozen=True)
class ReconcileSettings:
    """How often redemptions are compared with what points holds."""

    every_s: float = setting(
        "REWARDS_RECONCILE_EVERY_S", default=3600.0, help="seconds between two comparisons of redemptions with holds"
    )


@dataclass(frozen=True)
class SiteSettings:
    """Where members find Propel, for the links in mail."""

    url: str = setting(
        "GATEWAY_URL", default="http://127.0.0.1:8080", help="address of the gateway as members reach it"
    )
