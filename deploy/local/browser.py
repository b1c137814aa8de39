"""Finds a Chromium for the tests of the chat page, or unpacks Debian's into the cache. `python -m deploy.local.browser`.

Order: named by CHROMIUM, on the machine, in the cache; fetched only when somebody asks for that (`make test-browser`),
because it is some 400 MB and nothing but those tests needs it.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from deploy.local.binaries import Program, cached, named, unpacking, which
from deploy.local.debian import Unavailable, has_apt, release
from deploy.local.prepare import cache

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# Emoji are half of what one sees in a chat. Of the rest only libraries and fonts: no desktop, no system service.
PACKAGES = ["chromium", "chromium-common", "fonts-noto-color-emoji", "fonts-open-sans"]
FILES = r"^(chromium.*|lib.*|fonts-.*|fontconfig.*)$"
# What makes a browser of the tests quiet and alike everywhere. Its sandbox needs an ordinary user, and tests may be root.
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def _home() -> Path:
    return cache() / release() / "chromium"


def _unpacked(home: Path) -> Program:
    folders = {str(path.parent) for top in ("lib", "usr/lib") for path in (home / top).rglob("lib*.so*")}
    # Fonts are looked for below XDG_DATA_HOME too; the settings come along only where the system has none.
    environment = {"LD_LIBRARY_PATH": ":".join(sorted(folders)), "XDG_DATA_HOME": str(home / "usr/share")}
    if (home / "etc/fonts/fonts.conf").exists():
        environment["FONTCONFIG_PATH"] = str(home / "etc/fonts")
    return Program(home / "usr/lib/chromium/chromium", environment)


def found() -> Program | None:
    """A browser that is already here; None when there is none. Raises Unavailable for a wrong CHROMIUM."""
    path = named("CHROMIUM") or next(filter(None, map(which, NAMES)), None)
    path = path or next((Path(name) for name in APPLICATIONS if Path(name).exists()), None)
    if path is not None:
        return Program(path)
    return _unpacked(_home()) if has_apt() and _home().exists() else None


def fetched(say: Callable[[str], None] = print) -> Program:
    """A browser, from the distribution's packages when there is none yet. Raises Unavailable."""
    if program := found():
        return program
    if not has_apt():
        raise Unavailable(
            "no Chromium or Chrome was found, and there is no apt to fetch one: install it, or name it with CHROMIUM="
        )
    return _unpacked(cached(f"{release()}/chromium", unpacking(PACKAGES, FILES), say))


def main() -> int:
    """Say which browser the tests will use, fetching one when needed."""
    try:
        print(f"Browser: {fetched().path}")
    except Unavailable as reason:
        print(f"No browser: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
