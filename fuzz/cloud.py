"""The engine with a small cloud behind what is fuzzed: routers, routes, a wide network, two switches that obey."""
from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from naas_sdn import runtime
from naas_sdn.engine.contract import Dump, FlowCount, Punt
from naas_sdn.engine.engine import Engine
from naas_sdn.pipeline.program import Delta, Meter, Name
from naas_sdn.southbound import codec
from tests.support import topologies
from tests.support.database import made

WIDEST = 2
"""Ports above which a network is wide here."""


class Obedient:
    """A switch that takes everything, says that it has nothing but what it was given, and counts what it is sent."""

    def __init__(self, host: str, links: dict[str, int] | None = None) -> None:
        self.host = host
        self._links = links or {}
        self.counted: Counter[str] = Counter()
        self._flows: dict[Name, int] = {}
        self._meters: dict[int, Meter] = {}

    def read_links(self) -> dict[str, int]:
        return dict(self._links)

    def dump(self) -> Dump:
        return Dump(dict(self._flows))

    def counts(self, tables: Collection[int]) -> list[FlowCount]:
        return [FlowCount(table, cookie, 0, 0) for table, cookie in self._flows if table in tables]

    def table_counts(self) -> dict[int, int]:
        return Counter(table for table, _ in self._flows)

    def meters(self) -> dict[int, Meter]:
        return dict(self._meters)

    def meter_drops(self) -> dict[int, tuple[int, int]]:
        return {}

    def port_drops(self) -> dict[int, tuple[int, int]]:
        return {}

    def push(self, delta: Delta) -> None:
        for flow in delta.add:
            # As Compiled.fingerprints has it.
            self._flows[flow.table, flow.cookie] = hash((flow.wire[30:32], flow.wire[48:]))
        for name in delta.remove:
            self._flows.pop(name, None)
        self._meters.update((meter.number, meter) for meter in delta.meters)

    def send(self, ports: Sequence[int], frame: bytes) -> None:
        self.counted["sent"] += 1

    def resume(self, port: int, table: int, punt: Punt) -> None:
        self.counted["resumed"] += 1

    def close(self, reason: str) -> None:
        raise AssertionError(f"{self.host} was closed: {reason}")


def facts() -> topologies.Facts:
    """Machines 11, 12 (hv1), 13 (hv2) on wide network 1; routes and a router between networks 1 to 4."""
    yield from topologies.routed()
    yield from topologies.vm(12, 1, 1)
    yield from topologies.vm(13, 1, 2)
    yield from topologies.subnet6(61, 1, "dhcpv6-stateful")


@contextmanager
def running() -> Iterator[Engine]:
    """hv1 and hv2 are connected."""
    with tempfile.TemporaryDirectory() as directory, made(Path(directory) / "naas.db") as database:
        engine = Engine(database, topologies.apps(), codec.add_flow, widest=WIDEST)
        engine.apply(facts())
        links = {"vxlan0": topologies.TUNNEL_PORT, **{f"tap{n}": 10 + n for n in (11, 12, 13, 21, 31, 41)}}
        switches = [Obedient(host, links) for host in ("hv1", "hv2")]
        for switch in switches:
            engine.connected(switch, links)
        runtime.sleep(0.2)
        try:
            yield engine
        finally:
            for switch in switches:
                engine.disconnected(switch)
            runtime.sleep(0.1)
