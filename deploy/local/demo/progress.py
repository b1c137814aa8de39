"""How far it is: a bar that moves on a terminal, a plain line now and then elsewhere."""

import time

from deploy.local import console

WIDTH = 30
# On a terminal ten times a second; where every line is kept, every five seconds.
OFTEN_S, SELDOM_S = 0.1, 5.0


class Progress:
    """One thing that takes a while, out of `total`."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.began = self._shown = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self.began

    def step(self, count: int = 1) -> None:
        """So much more is done."""
        self.reach(self.done + count)

    def reach(self, done: int) -> None:
        """So much is done in all."""
        self.done = done
        present = time.monotonic()
        if present - self._shown >= (OFTEN_S if console.COLOUR else SELDOM_S):
            self._shown = present
            self._show()

    def _show(self) -> None:
        share = min(max(self.done / self.total, 0.0), 1.0) if self.total else 1.0
        if console.COLOUR:
            bar = "#" * round(share * WIDTH)
            console.passing(f"  {self.what:<28} [{bar:<{WIDTH}}] {self.done:,} of {self.total:,}  {self.seconds:.0f} s")
        else:
            console.line(f"  {self.what}: {self.done:,} of {self.total:,} after {self.seconds:.0f} s")

    def end(self, note: str = "") -> float:
        """It is over; leaves one line and returns the seconds it took."""
        seconds = self.seconds
        console.line(f"  {self.what:<28} {self.done:>6,} of {self.total:,} in {seconds:.1f} s{note}")
        return seconds
