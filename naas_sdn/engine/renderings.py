"""How a switch shows each flow: learned at the first dump that has it; a later one that differs is drift.

A cookie stays when somebody changes a flow's actions, so names alone do not tell. Two arrays, not a dict: a fleet has
millions of flows, and this is looked at once in minutes.
"""
from __future__ import annotations

from array import array
from collections.abc import Collection

from naas_sdn.engine.contract import FlowCount


class Renderings:
    """Of one switch."""

    def __init__(self) -> None:
        self._cookies = array("Q")
        self._seen = array("Q")

    def drifted(self, dump: Collection[FlowCount], suspects: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
        """The flows, by table and cookie, that look otherwise than before, and the suspects; both are forgotten."""
        before = dict(zip(self._cookies, self._seen, strict=True))
        found = set(suspects)
        self._cookies, self._seen = array("Q"), array("Q")
        for count in dump:
            if before.get(count.cookie, count.rendering) != count.rendering:
                found.add((count.table, count.cookie))
            elif (count.table, count.cookie) not in found:
                self._cookies.append(count.cookie)
                self._seen.append(count.rendering)
        return found
