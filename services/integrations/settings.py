"""What integrations needs beyond the fleet's settings."""

from dataclasses import dataclass

from fleet.settings import setting


@dataclass(frozen=True)
class FeedSettings:
    """How long events are kept, and how many may wait for new ones."""

    keep_days: int = setting("INTEGRATIONS_KEEP_DAYS", default=30, help="days that events can be read and replayed")
    listeners: int = setting(
        "INTEGRATIONS_LISTENERS",
        default=100,
        help="streams and waiting readers of one process at once; fewer than WEB_THREADS",
    )


@dataclass(frozen=True)
class WebhookSettings:
    """Where webhooks may go, and for how long they are tried."""

    allowed: str = setting(
        "INTEGRATIONS_ALLOWED_NETWORKS",
        default="",
        help="private networks that webhooks may go to, also by http; separated by commas",
    )
    give_up_hours: float = setting(
        "INTEGRATIONS_GIVE_UP_HOURS", default=72.0, help="hours after which a webhook's event is not tried any more"
    )
    senders: int = setting("INTEGRATIONS_SENDERS", default=4, help="webhook requests that one worker sends at once")


@dataclass(frozen=True)
class SiteSettings:
    """Where admins find Propel, for the links in mail."""

    url: str = setting(
        "GATEWAY_URL", default="http://127.0.0.1:8080", help="address of the gateway as members reach it"
    )
