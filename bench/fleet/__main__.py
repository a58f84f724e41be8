"""A fleet in a process of its own: `python -m bench.fleet PORT COUNT INTERFACES [FIRST]`.

Switches hv1, hv2, ... connect to the controller on 127.0.0.1:PORT, and again whenever they have lost it. Told a line,
it answers with one: `events` gives [moment, hypervisor, flow-mods] of every bundle committed since it was last asked
(moments of CLOCK_MONOTONIC), `state` what the fleet holds, `{"HYPERVISOR": [KIND, SEED], ...}` does faults and gives
which were healed since, and which are not yet (bench/fleet/injury.py).
"""
from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from ipaddress import IPv4Address

from bench.fleet.injury import Injury, later
from bench.fleet.switch import Switch

AGAIN = 0.5
"""Seconds between attempts to connect."""


def vtep(number: int) -> str:
    return str(IPv4Address("10.200.0.0") + number)


async def run(port: int, count: int, interfaces: int, first: int) -> None:
    events: list[tuple[float, str, int]] = []

    def committed(switch: Switch, size: int) -> None:
        events.append((time.monotonic(), switch.name, size))
        injuries[switch.name].look()

    names = ["vxlan0", *(f"if{number}" for number in range(1, interfaces + 1))]
    switches = [Switch(number, f"hv{number}", vtep(number), names, committed) for number in range(first, first + count)]
    injuries = {switch.name: Injury(switch, later) for switch in switches}
    keeping = [asyncio.create_task(_keep(switch, port)) for switch in switches]
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line.strip() == b"events":
            print(json.dumps(events), flush=True)
            events.clear()
        elif line.startswith(b"{"):
            for name, (kind, seed) in json.loads(line).items():
                injuries[name].inflict(kind, seed)
            print(json.dumps([[healed for injury in injuries.values() for healed in injury.healed],
                              {name: injury.kind for name, injury in injuries.items() if injury.kind}]), flush=True)
            for injury in injuries.values():
                injury.healed.clear()
        else:
            print(json.dumps({"connected": sum(switch.is_connected for switch in switches),
                              "flows": sum(len(switch.table.flows) for switch in switches),
                              "most": max(len(switch.table.flows) for switch in switches),
                              "mods": sum(switch.mods for switch in switches)}), flush=True)
    for task in keeping:
        task.cancel()


async def _keep(switch: Switch, port: int) -> None:
    loop = asyncio.get_running_loop()
    while True:
        if not switch.is_connected:
            with suppress(OSError):
                await loop.create_connection(lambda: switch, "127.0.0.1", port)
        await asyncio.sleep(AGAIN)


if __name__ == "__main__":
    asyncio.run(run(*map(int, (*sys.argv[1:4], *(sys.argv[4:] or ["1"])))))
