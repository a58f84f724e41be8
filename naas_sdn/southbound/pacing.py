"""How often one peer may be heard: what comes often is told seldom."""
from __future__ import annotations

import time
from collections.abc import Callable

from naas_sdn import runtime


class Bucket:
    """Fills by `rate` a second up to `size`; one that was drawn below zero is empty until it has filled again."""

    def __init__(self, rate: float, size: float) -> None:
        self._rate = rate
        self._size = size
        self._level = size
        self._when = time.monotonic()

    def draw(self, amount: float) -> None:
        self._fill()
        # What is owed is bounded too: after a burst, good behaviour counts again soon.
        self._level = max(self._level - amount, -self._size)

    @property
    def wait(self) -> float:
        """Seconds until it is no longer empty."""
        self._fill()
        return max(0.0, -self._level / self._rate)

    def _fill(self) -> None:
        now = time.monotonic()
        self._level = min(self._size, self._level + (now - self._when) * self._rate)
        self._when = now


class News:
    """Calls `tell` for one or many `note()`s: at once while they are few, then `rate` times a second at most."""

    def __init__(self, tell: Callable[[], None], rate: float, burst: float) -> None:
        self._tell = tell
        self._bucket = Bucket(rate, burst)
        self._is_due = False

    def note(self) -> None:
        if self._is_due:
            return
        self._bucket.draw(1)
        wait = self._bucket.wait
        if wait:
            self._is_due = True
            runtime.spawn(self._later, wait)
        else:
            self._tell()

    def _later(self, seconds: float) -> None:
        runtime.sleep(seconds)
        self._is_due = False
        self._tell()
