"""One network on many hypervisors: a broadcast reaches all of them, and what one hypervisor more costs.

A real Open vSwitch on the dummy datapath encapsulates and sends the copies, which are counted on its uplink. Arguments:
hypervisors (501: a list of 500).
"""
from __future__ import annotations

from naas_sdn import runtime

runtime.start()

import struct  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from ipaddress import IPv4Address  # noqa: E402
from pathlib import Path  # noqa: E402

from bench.api import Client  # noqa: E402
from bench.clouds import a_network, a_port  # noqa: E402
from bench.filling import Filling  # noqa: E402
from bench.fleet.process import Fleet  # noqa: E402
from bench.report import Row, cpu, machine, table, timed  # noqa: E402
from naas_sdn.apps import wire  # noqa: E402
from naas_sdn.apps.l2switch import FLOOD_LIMIT  # noqa: E402
from naas_sdn.engine.compiler import Compiler  # noqa: E402
from naas_sdn.engine.contract import Dump, Switch  # noqa: E402
from naas_sdn.engine.replica import Replica  # noqa: E402
from naas_sdn.model.store import Key  # noqa: E402
from naas_sdn.model.values import Fact, Hypervisor, Link  # noqa: E402
from naas_sdn.pipeline.program import Delta  # noqa: E402
from naas_sdn.southbound import codec  # noqa: E402
from tests.support.controller import Controller, free_port  # noqa: E402
from tests.support.fleet import southbound, until  # noqa: E402
from tests.support.ovs import DummySwitch  # noqa: E402
from tests.support.topologies import apps  # noqa: E402

VTEPS = IPv4Address("10.200.0.0")
BROADCASTS = 50
HEADER, RECORD = 24, struct.Struct("<8xI4x")
"""Of a capture file and of each packet in it: how many bytes of it are there."""


def a_hypervisor(number: int) -> Iterator[tuple[Key, Fact]]:
    """With a machine on the network."""
    name = f"hv{number}"
    yield Key("hypervisor", name), Hypervisor(name, number, number, VTEPS + number)
    yield Key("link", (name, "vxlan0")), Link(name, "vxlan0", 1)
    yield from a_port(number, 0, number, number)


def cable(ovs: DummySwitch, hypervisors: int, capture: Path) -> None:
    """Machine's interface, tunnel, and an uplink that reaches all hypervisors and writes down what leaves."""
    ovs.add_port("vxlan0", 1, type="vxlan", remote_ip="flow", key="flow")
    ovs.add_port("tap1", 11)
    ovs.vsctl("add-br", "br-up", "--", "set", "bridge", "br-up", "datapath_type=dummy", "fail_mode=standalone",
              "--", "add-port", "br-up", "up0", "--", "set", "interface", "up0", "type=dummy",
              f"options:tx_pcap={capture}")
    ovs.appctl("netdev-dummy/ip4addr", "br-up", f"{VTEPS + 1}/16")
    ovs.appctl("ovs/route/add", f"{VTEPS + 1}/16", "br-up")
    for number in range(2, hypervisors + 2):
        ovs.appctl("tnl/neigh/set", "br-up", str(VTEPS + number), f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}")


def captured(capture: Path) -> Counter[IPv4Address]:
    """Packets by the address that they are for."""
    data, offset, found = capture.read_bytes(), HEADER, Counter[IPv4Address]()
    while offset + RECORD.size <= len(data):
        (size,) = RECORD.unpack_from(data, offset)
        offset += RECORD.size
        if data[offset + 12:offset + 14] == b"\x08\x00":
            found[IPv4Address(data[offset + 30:offset + 34])] += 1
        offset += size
    return found


def broadcast() -> str:
    """Of the machine on hv1, in hex."""
    sender = wire.Station(0xFA163E000001, int(IPv4Address("10.0.0.3")))
    return wire.build_udp(sender, wire.Station(wire.BROADCAST_MAC, wire.BROADCAST_IP), 4000, 4000, bytes(64)).hex()


def measure(hypervisors: int) -> list[Row]:
    compiler = Compiler(apps(), codec.add_flow)
    compiler.apply(a_network(0))
    for number in range(1, hypervisors):
        compiler.apply(a_hypervisor(number))
    replica = Replica(compiler, "hv1")
    with tempfile.TemporaryDirectory() as directory, southbound() as (south, fleet), \
            DummySwitch(1, "hv1;vtep=10.200.0.1", tunnels=True) as ovs:
        capture = Path(directory) / "up.pcap"
        cable(ovs, hypervisors, capture)
        ovs.set_controller(f"tcp:127.0.0.1:{south.port}")
        until(lambda: "hv1" in fleet.switches)
        switch = fleet.switches["hv1"]
        plan = replica.plan_from_dump(Dump(), switch.meters())
        switch.push(plan.delta)
        replica.acknowledge(plan)
        _, compiling = timed(lambda: compiler.apply(a_hypervisor(hypervisors)))
        more, pushing = timed(lambda: step(replica, switch))
        others = {VTEPS + number for number in range(2, hypervisors + 1)}
        frame = broadcast()

        def arrived(count: int) -> bool:
            return sum(captured(capture).values()) >= count * len(others)

        _, first = timed(lambda: (ovs.appctl("netdev-dummy/receive", "tap1", frame), until(lambda: arrived(1))))
        before = cpu(ovs.pid())
        for _ in range(BROADCASTS):
            ovs.appctl("netdev-dummy/receive", "tap1", frame)
        until(lambda: arrived(1 + BROADCASTS))
        used = cpu(ovs.pid()) - before
        copies = captured(capture)
        complete = copies == Counter(dict.fromkeys(others, 1 + BROADCASTS))
    octets = sum(len(flow.wire) for flow in more.add)
    faulty = list(compiler.faults.values())
    for number in range(hypervisors + 1, FLOOD_LIMIT + 3):
        compiler.apply(a_hypervisor(number))
        faulty = list(compiler.faults.values())
    return [
        Row(f"hypervisors that heard each of {1 + BROADCASTS} broadcasts, just once", str(len(copies) if complete else
            f"not all: {len(copies)}"), str(len(others))),
        Row("the first broadcast, until its last copy has left", f"{1000 * first:.0f} ms"),
        Row("the switch's CPU for each further one", f"{1000 * used / BROADCASTS:.1f} ms"),
        Row("one hypervisor more: compiling, once for all switches", f"{1000 * compiling:.1f} ms"),
        Row("one hypervisor more: on each switch",
            f"{len(more.add)} + {len(more.remove)} flow-mods, {octets:,} bytes, {1000 * pushing:.1f} ms"),
        Row(f"a list of more than {FLOOD_LIMIT}", faulty[0] if faulty else "taken", "refused"),
        *(Row("as the API shows it", text, "ERROR") for text in (shown_beyond(),)),
    ]


def step(replica: Replica, switch: Switch) -> Delta:
    """Bring the switch in step with what has changed."""
    plan = replica.plan()
    assert plan is not None
    switch.push(plan.delta)
    replica.acknowledge(plan)
    return plan.delta


def shown_beyond() -> str:
    """The network's status and reason, one hypervisor beyond the limit."""
    most = FLOOD_LIMIT + 2
    with tempfile.TemporaryDirectory() as directory:
        controller = Controller(Path(directory), ("127.0.0.1", free_port()))
        filling = Filling(f"sqlite:///{directory}/naas.db", "one network", most, most - 1)
        controller.start()
        try:
            with Fleet(controller.openflow[1], 1, 3):
                client = Client(controller)
                where = f"networks/{filling.ids[0]}"
                until(lambda: client.get("hypervisors?name=hv1")[0]["alive"])
                if client.get(where)["status"] != "ACTIVE":
                    return "an error before the limit"
                client.post("vifs", network_id=filling.ids[0], host=f"hv{most}", interface="if1")
                end = time.monotonic() + 20
                while client.get(where)["status"] == "ACTIVE" and time.monotonic() < end:
                    time.sleep(0.05)
                network = client.get(where)
                return f"{network['status']}: {network.get('error')}"
        finally:
            controller.stop()


def main() -> None:
    hypervisors = int(sys.argv[1]) if len(sys.argv) > 1 else FLOOD_LIMIT + 1
    print(machine())
    table(f"One network on {hypervisors} hypervisors", measure(hypervisors))


if __name__ == "__main__":
    main()
