"""The laboratory itself, by flows written by hand: hypervisors, tunnel, machines and their tools work."""
from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mininet.lab import VM, LabFailed, Topology
from tests.mininet.lab.machine import read_pings
from tests.support.openvswitch import CommandFailed


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with Topology(hypervisors=2) as made:
        yield made


@pytest.fixture(scope="module")
def machines(topology: Topology) -> list[VM]:
    """a on hv1 and b on hv2, joined by tunnel ID 7."""
    made = []
    for number, hypervisor in enumerate(topology.hypervisors, 1):
        machine = topology.add_machine("ab"[number - 1], hypervisor, f"tap-{number}", f"02:00:00:00:00:{number:02x}")
        hypervisor.attach(machine.interface)
        machine.static(f"10.1.0.{number}", 24)
        tap, tunnel = hypervisor.port_number(machine.interface), hypervisor.port_number("vxlan0")
        hypervisor.set_flows(
            f"in_port={tap},actions=set_field:7->tun_id,set_field:10.200.0.{3 - number}->tun_dst,output:{tunnel}",
            f"in_port={tunnel},tun_id=7,tun_src=10.200.0.{3 - number},actions=output:{tap}")
        made.append(machine)
    return made


def test_machines_ping_through_the_tunnel(machines: list[VM]) -> None:
    a, b = machines
    pings = a.ping(b.ip, 20)
    assert (pings.sent, pings.lost) == (20, 0)


def test_a_capture_sees_what_arrives_and_what_does_not(machines: list[VM]) -> None:
    a, b = machines
    with b.capture("icmp") as heard:
        a.ping(b.ip, 3)
        a.send([bytes.fromhex("020000000002020000000001") + b"\x88\xb5" + bytes(46)])
    assert len(heard.matching("echo request")) == 3
    assert heard.matching("0x88b5") == []

    with b.capture("ether proto 0x88b5") as heard:
        a.send([bytes.fromhex("020000000002020000000001") + b"\x88\xb5" + bytes(46)])
    assert len(heard.lines) == 1


def test_tcp_and_udp_pass(machines: list[VM]) -> None:
    a, b = machines
    assert a.iperf(b, seconds=1) > 5
    assert 3 < a.iperf(b, rate="5M", seconds=1) < 6
    assert 3 < a.iperf(b, rate="5M", seconds=1, reverse=True) < 6


def test_without_a_flow_nothing_passes(topology: Topology, machines: list[VM]) -> None:
    a, b = machines
    hypervisor = topology.hypervisors[1]
    before = list(hypervisor.flows())
    assert len(before) == 2
    hypervisor.ovs.ofctl("del-flows", "br-int")
    try:
        assert a.hears_nothing_from(b.ip)
    finally:
        hypervisor.set_flows(*(flow.split(", ", 2)[2].replace(" actions", ",actions") for flow in before))
    assert a.reaches(b.ip)


def test_preparing_again_changes_nothing(topology: Topology) -> None:
    assert not any(hypervisor.prepare() for hypervisor in topology.hypervisors)


def test_a_second_lab_stands_beside_the_first_and_leaves_nothing(topology: Topology) -> None:
    with Topology(hypervisors=1) as other:
        machine = other.add_machine("late", other.hypervisors[0], "tap-late", "02:00:00:00:00:09")
        other.hypervisors[0].attach("tap-late")
        intruder = other.add_underlay_host("intruder", "10.200.0.99")
        assert intruder.reaches(other.hypervisors[0].vtep)
        assert other.management != topology.management
        pids, bridge, directory = [other.hypervisors[0].pid, machine.pid], other.bridge, other.directory
    assert bridge not in subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    assert not directory.exists()
    # A zombie that its parent has yet to reap has no command line.
    left = [Path(f"/proc/{pid}/cmdline") for pid in pids]
    assert not [file for file in left if file.exists() and file.read_text()]


def test_a_machine_without_a_route_is_told_apart_from_silence(machines: list[VM]) -> None:
    with pytest.raises(CommandFailed, match="unreachable"):
        machines[0].ping("192.0.2.1", 1)
    with pytest.raises(CommandFailed):
        read_pings("")


def test_not_being_root_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabFailed, match="run as root"):
        Topology()
