"""What one switch's machines are told by the clock: announcements when they are new, then again and again.

What is to be announced comes with the programs that the switch has acknowledged, so it is new after a change, a
reconnect and a restart alike, and what leaves the programs is bidden farewell.
"""
from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from naas_sdn.engine.groups import Change
from naas_sdn.pipeline.program import Announcement

INITIAL = 3
"""How often in short turn what is new is announced, and at most how many seconds apart (RFC 4861 section 10)."""
INITIAL_INTERVAL = 16.0

SHORTEST = 0.75
"""Of an interval; how much less than the whole is a matter of chance, or all switches would speak at once."""

_Place = tuple[str, str]
"""Network and name."""


@dataclass(slots=True)
class _Due:
    announcement: Announcement
    when: float
    sent: int = 0


class Announcements:
    """Of one switch. Moments are seconds of a clock that only goes on."""

    def __init__(self) -> None:
        self._due: dict[_Place, _Due] = {}
        self._next = float("inf")

    def follow(self, changes: Iterable[Change], now: float, *, whole: bool = False) -> list[Announcement]:
        """Take in acknowledged changes, or (`whole`) all that there is; whom to bid farewell.

        After a farewell all others of its network are new, for it may have ended what they have in common.
        """
        current: dict[_Place, Announcement] = {}
        gone: dict[_Place, Announcement] = {
            place: due.announcement for place, due in self._due.items()} if whole else {}
        for change in changes:
            for announcement in change.old.announcements if change.old is not None else ():
                gone[announcement.network_id, announcement.name] = announcement
            for announcement in change.new.announcements if change.new is not None else ():
                current[announcement.network_id, announcement.name] = announcement
        left = [announcement for place, announcement in gone.items()
                if place not in current and self._due.pop(place, None) is not None]
        for place, announcement in current.items():
            due = self._due.get(place)
            if due is None or due.announcement != announcement:
                self._due[place] = _Due(announcement, now)
        networks = {announcement.network_id for announcement in left if announcement.farewell}
        for (network_id, _), due in self._due.items() if networks else ():
            if network_id in networks:
                due.when, due.sent = now, 0
        self._next = min((due.when for due in self._due.values()), default=float("inf"))
        return left

    def due(self, now: float) -> Iterator[Announcement]:
        """What is to be sent now."""
        if now < self._next:
            return
        for due in self._due.values():
            if due.when <= now:
                due.sent += 1
                interval = due.announcement.interval
                if due.sent < INITIAL:
                    # The physical network must know at once where an address is, though a frame may be lost.
                    interval = min(interval, INITIAL_INTERVAL if due.announcement.uplink is None else 1.0)
                due.when = now + interval * random.uniform(SHORTEST, 1)
                yield due.announcement
        self._next = min((due.when for due in self._due.values()), default=float("inf"))
