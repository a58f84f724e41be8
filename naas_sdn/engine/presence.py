"""Which hypervisors can be relied on to be there: that decides which of them has a router's gateway.

One that was lost is absent a while after, and present as soon as it is back. When all are lost at once it is the
controller that is cut off: their tables go on, and none of them is absent for that.
"""
from __future__ import annotations

from collections.abc import Iterable

PATIENCE = 3.0
"""Seconds that a switch may be away: as long as it takes to connect again."""

GRACE = 20.0
"""Seconds after which those who have come back say that one that has not is gone."""


class Presence:
    """Moments are seconds of a clock that only goes on."""

    def __init__(self, now: float) -> None:
        self._start = now
        self._since: dict[str, float] = {}
        self._lost: dict[str, float] = {}

    def came(self, host: str, now: float) -> None:
        self._since[host] = now
        self._lost.pop(host, None)

    def left(self, host: str, now: float) -> None:
        self._since.pop(host, None)
        self._lost[host] = now

    def absent(self, hosts: Iterable[str], now: float) -> set[str]:
        """Those of `hosts` that are not to be relied on."""
        return {host for host in hosts if host not in self._since and self._is_gone(self._lost.get(host), now)}

    def _is_gone(self, lost: float | None, now: float) -> bool:
        if lost is not None and now - lost >= PATIENCE and any(since < lost for since in self._since.values()):
            return True
        return now - (self._start if lost is None else lost) >= GRACE and any(
            now - since >= GRACE / 2 for since in self._since.values())
