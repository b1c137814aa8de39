"""Is the process beside this one ready? `python -m fleet.alive` is the health check of the images; 0 when it is."""

import sys
import urllib.request
from dataclasses import dataclass

from fleet.settings import read, setting


@dataclass(frozen=True)
class HealthSettings:
    """Where the process answers for itself."""

    url: str = setting(
        "HEALTH_URL", default="http://127.0.0.1:8000/readyz", help="what the health check of an image asks"
    )


def main() -> int:
    """Ask once."""
    url = read(HealthSettings).url
    try:
        with urllib.request.urlopen(url, timeout=3):  # noqa: S310 our own setting, not user input
            return 0
    except OSError as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
