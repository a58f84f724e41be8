"""What a packet notices of it when something dies: 30,000 packets 1 ms apart and a TCP stream across each disturbance.

Arguments: packets (30000), unrelated changes (10000), seconds that the database is held (60), flows of the hypervisor
whose vswitchd is restarted (10000).
"""
from __future__ import annotations

import sys
import time
from collections.abc import Callable

from bench.report import Row, machine, table
from tests.mininet.continuity import Cloud, add_others, change_others, compare, hold_database, upgrade
from tests.mininet.lab import VM, Hypervisor, Lab, Passed, eventually, flowing
from tests.support.openvswitch import Saved

KILLS = 3
SEVERAL = 3
"""Restarts of a vswitchd, of which the median is told."""
BULK = 100


def told(passed: Passed) -> str:
    return f"{passed.lost} of {passed.sent:,} lost, {1000 * passed.gap:.0f} ms, TCP {passed.broken or 'whole'}"


def measure(packets: int, changes: int, seconds: float) -> list[Row]:
    """Each disturbance in turn, for packets that are routed and packets that are bridged to another hypervisor."""
    rows: list[Row] = []
    with Lab(hypervisors=2, tenants=("alice",)) as lab:
        cloud = Cloud(lab)
        add_others(lab)

        def across(what: str, disturb: Callable[[], object]) -> None:
            one, *others = cloud.machines
            with flowing(one, others, packets) as results:
                disturb()
            for way, passed in zip(("routed", "bridged"), results, strict=True):
                rows.append(Row(f"{what}, {way}", told(passed), "0 lost, TCP whole"))
                print(f"  {rows[-1].what}: {rows[-1].result}", flush=True)

        across("nothing", lambda: None)
        across(f"{KILLS} x SIGKILL and start", lambda: kill(lab))
        across(f"database held for {seconds:g} s", lambda: hold_database(lab, seconds))
        across(f"{changes:,} unrelated changes", lambda: change_others(lab, changes))
        across("upgrade: other tables, another schema", lambda: upgrade(lab))
        compare(lab)
        for port in cloud.ports:
            lab.wait_status(port, "ACTIVE")
        assert lab.controller.complaints() == []
    return rows


def measure_vswitchd(flows: int) -> list[Row]:
    """A vswitchd killed and started, between two machines of its hypervisor: as long as no packet passes.

    Its own part is the same with the flows put back by ovs-ofctl, from a file, as soon as it takes them.
    """
    with Lab(hypervisors=1, tenants=("alice",), options={"OS_OPENFLOW__WIDE_NETWORK": "1000000"}) as lab:
        [hypervisor] = lab.hypervisors
        one, other = fill(lab, flows)
        count = len(hypervisor.flows())
        ours = [gap(one, other, lambda: restart(hypervisor)) for _ in range(SEVERAL)]
        eventually(lambda: len(hypervisor.flows()) == count, "all flows are back", seconds=30)
        lab.controller.stop()
        saved = hypervisor.ovs.saved()
        bare = [gap(one, other, lambda: restart(hypervisor, saved)) for _ in range(SEVERAL)]
        assert len(hypervisor.flows()) == count
    by_hand, by_us = sorted(bare)[SEVERAL // 2], sorted(ours)[SEVERAL // 2]
    return [
        Row(f"flows put back by ovs-ofctl ({count:,})", f"{by_hand:.2f} s"),
        Row("put back by the controller", f"{by_us:.2f} s"),
        Row("beyond Open vSwitch's own", f"{by_us - by_hand:+.2f} s", "0.5 s"),
    ]


def fill(lab: Lab, flows: int) -> tuple[VM, VM]:
    """Two machines, and ports elsewhere until their hypervisor has so many flows."""
    [hypervisor] = lab.hypervisors
    lab.controller.command("hypervisor", "add", "elsewhere", "--datapath-id", "ffff", "--vtep", "10.200.0.99")
    alice = lab.tenant("alice")
    network = alice.post("networks", {"name": "large"})
    alice.post("subnets", {"network_id": network["id"], "ip_version": 4, "cidr": "10.16.0.0/16"})
    one, other = (lab.vm(f"m{number}", alice.post("ports", {"network_id": network["id"]}), hypervisor)
                  for number in range(2))
    number = 0
    while len(hypervisor.flows()) < flows:
        for _ in range(BULK):
            port = lab.operator.post("ports", {"network_id": network["id"]})
            lab.operator.post("vifs", {"port_id": port["id"], "host": "elsewhere", "interface": f"if{number}"})
            number += 1
    eventually(lambda: one.ping(other.ip, 1).received, "they talk")
    return one, other


def kill(lab: Lab) -> None:
    for _ in range(KILLS):
        compare(lab)


def restart(hypervisor: Hypervisor, saved: Saved | None = None) -> None:
    """Kill and start its vswitchd, and put back what was saved."""
    hypervisor.ovs.kill_vswitchd()
    hypervisor.ovs.start_vswitchd()
    if saved is not None:
        hypervisor.ovs.restore(saved)


def gap(one: VM, other: VM, disturb: Callable[[], object]) -> float:
    """Seconds without a packet while `disturb` does its work."""
    with flowing(one, [other]) as results:
        time.sleep(0.5)
        disturb()
        eventually(lambda: one.ping(other.ip, 1).received, "they talk again", seconds=60)
    return results[0].gap


def main() -> None:
    given = [int(argument) for argument in sys.argv[1:]]
    packets, changes, seconds, flows = [*given, *(30_000, 10_000, 60, 10_000)[len(given):]]
    print(machine())
    table("Packets 1 ms apart, longest time between two, and a TCP stream", measure(packets, changes, seconds))
    table("No packet while ovs-vswitchd is killed and started", measure_vswitchd(flows))


if __name__ == "__main__":
    main()
