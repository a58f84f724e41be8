"""What is too large for a tunnel, counted frame by frame through the datapath of a real Open vSwitch."""
from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import pytest

from naas_sdn.apps import wire
from naas_sdn.model.values import Attachment
from naas_sdn.pipeline.program import Meter, Police
from naas_sdn.pipeline.tables import Table
from tests.support.ovs import DummySwitch
from tests.support.topologies import Key, ip, mac
from tests.trace.test_trace import Cloud, gateway_mac

ALL = (1 << 48) - 1
MTU = 1450
"""Of tests/support/topologies.py."""


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    made = Cloud(request.param)
    yield made
    made.stop()


def frame(target: int, size: int) -> bytes:
    """From port 11, an IPv4 packet of `size` octets."""
    return wire.build_ipv4(wire.Station(mac(11), int(ip(1, 11))), wire.Station(target, int(ip(1, 13))), wire.ICMP,
                           bytes(size - 20))


def too_large(switch: DummySwitch) -> int:
    switch.appctl("revalidator/purge")
    [counted] = re.findall(r"n_packets=(\d+)", switch.ofctl("dump-flows", f"table={int(Table.TOO_LARGE)}"))
    return int(counted)


@pytest.mark.parametrize("cloud", ["one_network"], indirect=True)
@pytest.mark.parametrize(("target", "dropped", "copied"), [(mac(13), 3, 0), (ALL, 3, 7), (mac(12), 0, 7)])
def test_only_what_is_too_large_for_a_tunnel_is_counted_as_that(cloud: Cloud, target: int, dropped: int,
                                                                copied: int) -> None:
    """To another hypervisor, to all, and to a port beside, which gets whatever size."""
    for size in (MTU, 100, MTU, 100, MTU + 1, MTU + 20, MTU + 50):
        cloud.switches["hv1"].appctl("netdev-dummy/receive", "tap11", frame(target, size).hex())
    assert too_large(cloud.switches["hv1"]) == dropped
    assert f"tx pkts={copied}," in cloud.switches["hv1"].ofctl("dump-ports", "tap12")


@pytest.mark.parametrize("cloud", ["layer2"], indirect=True)
@pytest.mark.parametrize("target", [ALL, mac(13)])
def test_a_frame_of_any_type_is_counted(cloud: Cloud, target: int) -> None:
    switch = cloud.switches["hv1"]
    ipv6 = struct.pack("!IHBB32x", 6 << 28, MTU + 1 - 40, 59, 64).ljust(MTU + 1, b"\0")
    for kind in (0x86DD, 0x88A2, 0x1234):
        whole = target.to_bytes(6) + mac(11).to_bytes(6) + kind.to_bytes(2) + ipv6
        switch.appctl("netdev-dummy/receive", "tap11", whole.hex())
    assert too_large(switch) == 3


def punted(switch: DummySwitch, slot: int) -> int:
    """Packets of a port that went to the controller: its meter is part of that way alone."""
    switch.appctl("revalidator/purge")
    stats = switch.ofctl("meter-stats", f"meter={Meter.numbered(slot, Police.PUNT)}")
    [counted] = re.findall(r"packet_in_count:(\d+)", stats)
    return int(counted)


@pytest.mark.parametrize("cloud", ["routed"], indirect=True)
def test_what_is_too_large_for_where_it_is_routed_goes_to_the_controller(cloud: Cloud) -> None:
    switch = cloud.switches["hv1"]
    attachment = cloud.compiler.store.fact(Key("vif", "port21"))
    assert isinstance(attachment, Attachment)
    gateway = int(gateway_mac(cloud, 2).replace(":", ""), 16)
    for size in (MTU, 100, MTU + 1, MTU + 20, MTU):
        whole = wire.build_ipv4(wire.Station(mac(21), int(ip(2, 21))), wire.Station(gateway, int(ip(3, 31))), wire.ICMP,
                                bytes(size - 20))
        switch.appctl("netdev-dummy/receive", "tap21", whole.hex())
    assert punted(switch, attachment.slot) == 2
    assert too_large(switch) == 0
