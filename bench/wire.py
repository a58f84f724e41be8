"""Wiring a port in a cloud of 500 hypervisors: from the request to the acknowledgement of the switches.

The controller is `naas-sdn serve` on SQLite, the hypervisors are simulated (bench/fleet), all on this machine's cores.
Arguments: hypervisors (500), ports a hypervisor (50), ports to wire (200), one of the shapes of bench/filling (all).
Each shape is measured with two ports a hypervisor first, for what a larger cloud costs.
"""
from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.api import Client
from bench.filling import SHAPES, Filling, place_of
from bench.fleet.process import Fleet
from bench.report import Row, cpu, machine, percentile, resident, table
from tests.support.controller import Controller, free_port

IDLE = 10.0
FEW = 2
"""Ports a hypervisor of the small cloud."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """So many hypervisors with so many ports each, and so many ports to wire."""

    shape: str
    hypervisors: int
    each: int
    count: int

    @property
    def ports(self) -> int:
        return self.hypervisors * self.each


def measure(cloud: Cloud) -> list[Row]:
    with tempfile.TemporaryDirectory() as directory:
        controller = Controller(Path(directory), ("127.0.0.1", free_port()), options={
            "OS_STATISTICS__INTERVAL": "100000", "OS_OPENFLOW__HALF_OPEN": "1000", "OS_OPENFLOW__ECHO_INTERVAL": "5",
            "OS_OPENFLOW__HANDSHAKE_TIMEOUT": "60"})
        filling = Filling(f"sqlite:///{directory}/naas.db", cloud.shape, cloud.hypervisors, cloud.ports)
        started = time.monotonic()
        controller.start()
        try:
            serving = time.monotonic() - started
            with Fleet(controller.openflow[1], cloud.hypervisors, cloud.each + 2 + cloud.count) as fleet:
                synced = fleet.settled(cloud.hypervisors, controller.pid) - started
                held = fleet.ask("state")
                before = cpu(controller.pid)
                time.sleep(IDLE)
                idle = 100 * (cpu(controller.pid) - before) / IDLE
                rows = [
                    Row("cold start to serving", f"{serving:.1f} s", "10 s"),
                    Row(f"to {held['connected']} switches in step, {held['flows']:,} flows", f"{synced:.1f} s"),
                    Row("idle, of a core", f"{idle:.1f} %", "3 %"),
                    Row("resident", f"{resident(controller.pid):.0f} MB", "400 MB"),
                ]
                return rows + _wired(cloud, controller, fleet, filling.ids)
        except BaseException:
            print(controller.tail(), file=sys.stderr)
            raise
        finally:
            controller.stop()


def _wired(cloud: Cloud, controller: Controller, fleet: Fleet, networks: Sequence[str]) -> list[Row]:
    client, pid, count = Client(controller), controller.pid, cloud.count
    place = place_of(cloud.shape, cloud.hypervisors, cloud.ports)
    own: dict[str, list[float]] = {"wire": [], "unwire": []}
    everywhere: dict[str, list[float]] = {"wire": [], "unwire": []}
    switches: dict[str, list[int]] = {"wire": [], "unwire": []}
    used = {"wire": 0.0, "unwire": 0.0}
    first = _first(cloud, client, fleet, networks[0])
    fleet.settled(0, pid)
    for number in range(count):
        network, host = place(number * (cloud.ports // count or 1) % cloud.ports)
        name = f"hv{host + 1}"
        made: dict[str, Any] = {}

        def wire(network: int = network, name: str = name, number: int = number,
                 made: dict[str, Any] = made) -> None:
            made.update(client.post("vifs", network_id=networks[network], host=name,
                                    interface=f"if{cloud.each + 2 + number}"))

        def unwire(made: dict[str, Any] = made) -> None:
            client.delete(f"ports/{made['port_id']}")

        for what, act in (("wire", wire), ("unwire", unwire)):
            fleet.quiet()
            before, started = cpu(pid), time.monotonic()
            act()
            events = fleet.quiet(name)
            used[what] += cpu(pid) - before
            at_home = [moment - started for moment, where, _ in events if where == name]
            if not at_home:
                raise SystemExit(f"{name} was not told")
            own[what].append(min(at_home))
            everywhere[what].append(max(moment - started for moment, _, _ in events))
            switches[what].append(len({where for _, where, _ in events}))
    return [first, *(row for what, goal in (("wire", "30 / 100 ms"), ("unwire", "30 / 100 ms")) for row in (
        Row(f"{what} a port, to its own switch, p50 / p99", _both(own[what]), goal),
        Row(f"{what} a port, to all {percentile(switches[what], 0.5)} concerned, p50 / p99", _both(everywhere[what])),
        Row(f"{what} a port, controller's CPU", f"{1000 * used[what] / count:.1f} ms"),
    ))]


def _first(cloud: Cloud, client: Client, fleet: Fleet, network: str) -> Row:
    """Of a port that is not among those counted: the thousand-and-first makes its networks wide, on all hypervisors."""
    fleet.quiet()
    started = time.monotonic()
    client.post("vifs", network_id=network, host="hv1", interface=f"if{cloud.each + 1}")
    own = min(moment for moment, where, _ in fleet.quiet("hv1") if where == "hv1") - started
    return Row("wire one port before those, to its own switch", f"{1000 * own:.1f} ms")


def _both(values: list[float]) -> str:
    return f"{1000 * percentile(values, 0.5):.1f} / {1000 * percentile(values, 0.99):.1f} ms"


def main() -> None:
    hypervisors, each, count = map(int, sys.argv[1:4]) if len(sys.argv) > 3 else (500, 50, 200)
    print(machine())
    for shape in sys.argv[4:] or SHAPES:
        for ports in (FEW, each):
            table(f"{hypervisors * ports:,} ports on {hypervisors} hypervisors: {shape}",
                  measure(Cloud(shape, hypervisors, ports, count)))


if __name__ == "__main__":
    main()
