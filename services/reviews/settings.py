"""What reviews needs beyond the fleet's settings."""

from dataclasses import dataclass

from fleet.settings import setting


@dataclass(frozen=True)
class BookingSettings:
    """The rules of booking."""

    buffer_minutes: int = setting(
        "REVIEWS_BUFFER_MINUTES",
        default=10,
        help="minutes kept free between two sessions of one professional; a multiple of 5",
    )
    notice_hours: int = setting(
        "REVIEWS_NOTICE_HOURS", default=12, help="a session begins at least so many hours from now"
    )
    horizon_days: int = setting(
        "REVIEWS_HORIZON_DAYS", default=30, help="a session begins at most so many days from now"
    )
    answer_days: int = setting(
        "REVIEWS_ANSWER_DAYS",
        default=3,
        help="a matched request without a session after so many days counts as unanswered",
    )


@dataclass(frozen=True)
class SiteSettings:
    """Where members and professionals find Propel on the web."""

    url: str = setting(
        "GATEWAY_URL", default="http://127.0.0.1:8080", help="address of the gateway as members reach it"
    )


@dataclass(frozen=True)
class FormSettings:
    """Forms that send what people answered."""

    secret: str = setting(
        "REVIEWS_FORM_SECRET",
        default="",
        help="secret that the forms' webhooks are signed with; empty: they are refused",
        secret=True,
    )


@dataclass(frozen=True)
class LinkSettings:
    """Links that professionals open without an account."""

    key: str = setting(
        "REVIEWS_LINK_KEY",
        help="random secret of at least 32 characters that the links in mails are signed with",
        secret=True,
    )
