"""What is too large for a tunnel, counted frame by frame through the datapath of a real Open vSwitch."""
from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import pytest

from naas_sdn.apps import wire
from naas_sdn.pipeline.tables import Table
from tests.support.ovs import DummySwitch
from tests.support.topologies import ip, mac
from tests.trace.test_trace import Cloud

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
