"""The switches of one process, and what they can be told by lines."""
from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from bench.fleet.injury import Healed, Injury, later
from bench.fleet.switch import Switch

AGAIN = 0.5
"""Seconds between attempts to connect."""


class Fleet:
    """They connect to 127.0.0.1:`port`, again whenever they have lost it. Each command returns what JSON can say."""

    def __init__(self, port: int, make: Callable[[Callable[[Switch, int], None]], list[Switch]]) -> None:
        """`make` gives the switches, which tell what they are given here of every bundle."""
        self._port = port
        self._events: list[tuple[float, str, int]] = []
        self._switches = {switch.name: switch for switch in make(self._committed)}
        self._injuries = {name: Injury(switch, later) for name, switch in self._switches.items()}
        self.commands: Mapping[str, Callable[..., Any]] = {
            "events": self.events, "state": self.state, "connected": self.connected, "flows": self.flows,
            "interfaces": self.interfaces, "drop": self.drop, "plug": self.plug, "unplug": self.unplug,
            "punt": self.punt, "sent": self.sent, "hurt": self.hurt,
        }

    def keep(self) -> list[asyncio.Task[None]]:
        """Tasks that keep every switch connected."""
        return [asyncio.create_task(self._keep(switch)) for switch in self._switches.values()]

    def events(self) -> list[tuple[float, str, int]]:
        """[moment, hypervisor, flow-mods] of every bundle committed since it was last asked (CLOCK_MONOTONIC)."""
        events, self._events = self._events, []
        return events

    def state(self) -> dict[str, int]:
        """What the fleet holds."""
        sizes = [len(switch.table.flows) for switch in self._switches.values()]
        return {"connected": sum(switch.is_connected for switch in self._switches.values()), "flows": sum(sizes),
                "most": max(sizes), "mods": sum(switch.mods for switch in self._switches.values())}

    def connected(self) -> list[str]:
        """The hypervisors whose switches have a connection."""
        return [switch.name for switch in self._switches.values() if switch.is_connected]

    def interfaces(self, name: str) -> dict[str, int]:
        """OpenFlow port by interface of a hypervisor."""
        return self._switches[name].interfaces

    def flows(self, name: str) -> list[tuple[int, int]]:
        """[table, cookie] of each flow of a hypervisor."""
        return [(place[0], held.cookie) for place, held in self._switches[name].table.flows.items()]

    def drop(self, name: str, seconds: str = "0") -> bool:
        """Cut a hypervisor's connection; it stays away for so long. Whether it was connected."""
        switch = self._switches[name]
        was = switch.is_connected
        switch.drop(float(seconds))
        return was

    def plug(self, name: str, interface: str, number: str | None = None) -> int:
        """A hypervisor has a new interface; its OpenFlow port."""
        return self._switches[name].add_port(interface, None if number is None else int(number))

    def unplug(self, name: str, interface: str) -> bool:
        """An interface is gone. Whether it was there."""
        was = interface in self._switches[name].interfaces
        if was:
            self._switches[name].remove_port(interface)
        return was

    def punt(self, name: str, reason: str, sender: str, network: str, frame: str) -> None:
        """A packet-in for `reason` (reg6) of the port with key `sender` (reg1) in `network` (metadata)."""
        self._switches[name].punt({1: int(sender), 6: int(reason)}, int(network), bytes.fromhex(frame))

    def sent(self, name: str) -> list[tuple[int, str, str]]:
        """[in-port, actions, frame] of every packet-out since it was last asked."""
        switch = self._switches[name]
        sent, switch.sent = switch.sent, []
        return sent

    def hurt(self, faults: str) -> tuple[list[Healed], dict[str, str]]:
        """Do faults, `{"HYPERVISOR": [KIND, SEED], ...}`: which were healed since, and which are not yet."""
        for name, (kind, seed) in json.loads(faults).items():
            self._injuries[name].inflict(kind, seed)
        healed = [healed for injury in self._injuries.values() for healed in injury.healed]
        for injury in self._injuries.values():
            injury.healed.clear()
        return healed, {name: injury.kind for name, injury in self._injuries.items() if injury.kind}

    def _committed(self, switch: Switch, size: int) -> None:
        self._events.append((time.monotonic(), switch.name, size))
        self._injuries[switch.name].look()

    async def _keep(self, switch: Switch) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not switch.is_connected and time.monotonic() >= switch.away_until:
                with suppress(OSError):
                    await loop.create_connection(lambda: switch, "127.0.0.1", self._port)
            await asyncio.sleep(AGAIN)
