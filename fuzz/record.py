"""`python -m fuzz.record` writes openflow.hex: what a real Open vSwitch sends in a session, one frame a line, in order.

A session has a handshake, a bundle with meters, dumps, counters, a refused flow, a packet-in, changed ports and flows.
"""
from __future__ import annotations

from contextlib import suppress

from fuzz.recorded import FRAMES
from naas_sdn.engine.contract import Refused
from naas_sdn.engine.replica import Replica
from naas_sdn.pipeline.flow import Controller, Flow, match
from naas_sdn.pipeline.program import Delta
from naas_sdn.pipeline.tables import Table
from naas_sdn.southbound import guard
from naas_sdn.southbound.connection import Connection
from tests.support import topologies
from tests.support.compiled import ReadableCompiler, flow_mod
from tests.support.fleet import southbound, until
from tests.support.ovs import DummySwitch


class Heard:
    """Every frame that a connection handles."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self._handle = Connection._handle

    def __enter__(self) -> Heard:
        def handle(connection: Connection, frame: bytes) -> None:
            self.frames.append(frame)
            self._handle(connection, frame)

        Connection._handle = handle  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *error: object) -> None:
        Connection._handle = self._handle  # type: ignore[method-assign]


def session() -> list[bytes]:
    compiler = ReadableCompiler(topologies.apps())
    compiler.apply(topologies.limited())
    flows, meters = Replica(compiler, "hv1").desired()
    with (Heard() as heard, southbound(echo_interval=0.2) as (south, fleet),
          DummySwitch(1, "hv1;vtep=10.200.0.1") as ovs):
        ovs.add_port("tap11", 21)
        ovs.set_controller(f"tcp:127.0.0.1:{south.port}")
        switch = until(lambda: fleet.switches.get("hv1"))
        switch.push(Delta(add=tuple(flows.values()), meters=tuple(meters.values())))
        switch.dump()
        switch.meters()
        switch.meter_drops()
        switch.port_drops()
        switch.table_counts()
        switch.read_links()
        switch.push(Delta(add=(flow_mod(Flow(Table.CLASSIFY, 9999, match(eth_type=0x88B5), (Controller(),))),)))
        ovs.appctl("netdev-dummy/receive", "tap11", f"{'ff' * 6}020000000001 88b5 {'5a' * 46}".replace(" ", ""))
        until(lambda: fleet.punts)
        ovs.add_port("tap12", 22)
        ovs.vsctl("del-port", "br-int", "tap12")
        ovs.ofctl("mod-flows", "table=60,actions=drop")
        until(lambda: fleet.foreign)
        with suppress(Refused):
            switch.push(Delta(add=(flow_mod(Flow(Table.L2, 1, match(), meter=4711)),)))
        until(lambda: {frame[1] for frame in heard.frames} >= guard.TYPES & SPOKEN)
    return heard.frames


SPOKEN = frozenset((1, 3, 4, 10, 12, 19, 21))
"""Of the messages that the guard lets through, those that Open vSwitch sends here; it probes after a minute only."""

if __name__ == "__main__":
    FRAMES.write_text("".join(f"{frame.hex()}\n" for frame in dict.fromkeys(session())))
