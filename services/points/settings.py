"""What points needs beyond the fleet's settings."""

from dataclasses import dataclass

from fleet.settings import setting


@dataclass(frozen=True)
class CorrectionSettings:
    """When one admin is not enough."""

    second_admin_above: int = setting(
        "ADJUST_SECOND_ADMIN_ABOVE", default=1000, help="adjustments of more points than this wait for a second admin"
    )
