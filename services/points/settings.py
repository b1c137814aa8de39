"""What points needs beyond the fleet's settings."""

from dataclasses import dataclass
from pathlib import Path

from fleet.settings import setting


@dataclass(frozen=True)
class EvidenceSettings:
    """Where evidence is kept, and where it may be fetched from."""

    directory: Path = setting(
        "EVIDENCE_DIR",
        default=Path("/var/lib/propel/evidence"),
        help="folder that keeps uploaded files; shared by the web and consumer processes of a service",
    )
    hosts: str = setting(
        "ATTACHMENT_HOSTS",
        default="cdn.discordapp.com,media.discordapp.net",
        help="hosts (host or host:port, comma-separated) that attachments are fetched from; http for loopback ones only",
    )


@dataclass(frozen=True)
class CorrectionSettings:
    """When one admin is not enough."""

    second_admin_above: int = setting(
        "ADJUST_SECOND_ADMIN_ABOVE", default=1000, help="adjustments of more points than this wait for a second admin"
    )
