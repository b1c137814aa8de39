"""What `make up` and its relatives print: colours on a terminal only, marks that any encoding can show."""

import os
import sys

COLOUR = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and "NO_COLOR" not in os.environ
_CODES = {"green": "32", "red": "31", "yellow": "33", "dim": "2", "bold": "1"}


def paint(text: str, colour: str) -> str:
    """`text` in a colour, where there are colours."""
    return f"\033[{_CODES[colour]}m{text}\033[0m" if COLOUR else text


def _print(text: str) -> None:
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        # The reader has seen enough (`make status | head -3`); the work itself goes on.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def line(text: str = "") -> None:
    """Print one line over whatever `passing` left."""
    _print(("\r\033[K" if COLOUR else "") + text + "\n")


def passing(text: str) -> None:
    """A line that the next one replaces; nothing where output is kept."""
    if COLOUR:
        _print(f"\r\033[K{paint(text[:110], 'dim')}")


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 3 min, 2 h 05, 4 d."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60:02}"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"
