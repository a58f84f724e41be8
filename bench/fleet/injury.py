"""Faults done to simulated switches, one at a time each, and when they were healed."""
from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import Callable

from bench.fleet.switch import Switch
from bench.fleet.table import Held, Place

ADDED, DELETED, CHANGED = 0, 1, 2
RENAMED = 0.3
"""Seconds that a port has another name."""

UNSEEN = 2.0
"""Seconds after which a switch that is as it was has been left so."""

Healed = tuple[str, str, float, int]
"""The switch, the kind of fault, the seconds that it lasted, and the flows that were written and need not have been."""


class Injury:
    """Of one switch; `again` runs a callable after some seconds."""

    def __init__(self, switch: Switch, again: Callable[[float, Callable[[], object]], object]) -> None:
        self.kind: str | None = None
        self.healed: list[Healed] = []
        self._switch = switch
        self._again = again
        self._before = self._state()
        self._hurt: set[tuple[int, int]] = set()
        self._began = 0.0

    def inflict(self, kind: str, seed: int) -> None:
        """One fault. `told`: the flow monitor says so."""
        switch, chance = self._switch, random.Random(seed)
        table = switch.table
        self._before, self.kind, self._began = self._state(), kind, time.monotonic()
        switch.named.clear()
        place = chance.choice(list(table.flows))
        name = place[0], table.flows[place].cookie
        self._hurt = {name}
        match kind:
            case "flow deleted, told":
                table.forget(place)
                switch.tell(DELETED, [name])
            case "flow deleted, not told":
                table.forget(place)
            case "flow changed, told":
                table.change(place)
                switch.tell(CHANGED, [name])
            case "flow changed, not told":
                table.change(place)
            case "flow added, told" | "flow added, not told":
                self._hurt = {(60, chance.getrandbits(64))}
                self._add(*next(iter(self._hurt)))
                if kind == "flow added, told":
                    switch.tell(ADDED, self._hurt)
            case "meter altered":
                number = chance.choice(list(table.meters))
                table.meters[number] = table.meters[number][:8] + struct.pack("!HHII4x", 1, 16, 1, 1)
            case "barrier lied about":
                table.forget(place)
                switch.lies = chance.randint(1, 2)
                switch.tell(DELETED, [name])
            case "port renamed":
                self._hurt = set()
                number = chance.randrange(2, 2 + PORTS)
                name_before = switch.rename(number, f"other{number}")
                self._again(RENAMED, lambda: switch.rename(number, name_before))
                # No controller may have been there to see it.
                self._again(RENAMED + UNSEEN, self.look)

    def look(self) -> None:
        """Something was committed: is it as it was?"""
        if self.kind is None or self._state() != self._before:
            return
        if self.kind == "port renamed" and time.monotonic() - self._began < RENAMED:
            return
        needless = len(self._switch.named - self._hurt) if self._hurt else 0
        self.healed.append((self._switch.name, self.kind, time.monotonic() - self._began, needless))
        self.kind = None

    def _state(self) -> tuple[dict[Place, Held], dict[int, bytes]]:
        return dict(self._switch.table.flows), dict(self._switch.table.meters)

    def _add(self, table: int, cookie: int) -> None:
        match = struct.pack("!HHI", 1, 4, 0)
        head = struct.pack("!QQBBHHHIIIH2x", cookie, 0, table, 0, 0, 0, 999, *(3 * [0xFFFFFFFF]), 0)
        self._switch.table.flow_mod(head + match)


PORTS = 10
"""Of every switch; the first is its tunnel."""


def later(seconds: float, act: Callable[[], object]) -> object:
    return asyncio.get_running_loop().call_later(seconds, act)
