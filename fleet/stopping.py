"""Whether this process is told to stop: what has no end by itself (a stream, a wait) asks, and ends in good order."""

from collections.abc import Callable

_asked: Callable[[], bool] = bool


def watch(asked: Callable[[], bool]) -> None:
    """Let `asked()` decide from now on; the server that runs the application says it."""
    global _asked
    _asked = asked


def is_asked() -> bool:
    """True once the process is to end."""
    return _asked()
