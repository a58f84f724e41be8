"""Plans bring any switch in step, and push twice is push once."""
from __future__ import annotations

import random
import struct
from collections import Counter

import pytest

from naas_sdn.engine import groups
from naas_sdn.engine.contract import Dump
from naas_sdn.engine.difference import Fault, What
from naas_sdn.engine.replica import Plan, Replica
from naas_sdn.model.store import Key
from naas_sdn.model.values import Fact
from naas_sdn.pipeline.program import Compiled, Delta, Meter, Name
from tests.support import topologies
from tests.support.compiled import ReadableCompiler
from tests.support.topologies import ALL, apps

METER = 6
"""The type of the meter instruction."""


def place_and_meter(wire: bytes) -> tuple[bytes, int | None]:
    """Table, priority and match of a flow-mod, and the meter that it sends packets through."""
    (length,) = struct.unpack_from("!H", wire, 50)
    end = 48 + (length + 7) // 8 * 8
    meter = struct.unpack_from("!HHI", wire, end) if len(wire) > end else (0, 0, 0)
    return wire[24:25] + wire[30:32] + wire[48:end], meter[2] if meter[0] == METER else None


class Table:
    """A switch's tables by OpenFlow's rules: an add replaces table, priority and match; a delete names a cookie."""

    def __init__(self) -> None:
        self.flows: dict[object, tuple[Name, int]] = {}
        self.meters: dict[int, Meter] = {}

    def push(self, delta: Delta) -> None:
        self.meters.update((meter.number, meter) for meter in delta.meters)
        for sent in delta.add:
            # The meter instruction comes first; it and the match are where they are in every flow-mod.
            place, meter = place_and_meter(sent.wire)
            assert meter is None or meter in self.meters, "a flow names a meter that is not there"
            [self.flows[place]] = Compiled(sent.wire).fingerprints()
        gone = set(delta.remove)
        self.flows = {place: flow for place, flow in self.flows.items() if flow[0] not in gone}
        for number in delta.drop_meters:
            del self.meters[number]

    def names(self) -> Counter[Name]:
        return Counter(name for name, _ in self.flows.values())

    def dump(self) -> Dump:
        return Dump(dict(self.flows.values()), {name for name, count in self.names().items() if count > 1})


def in_step(replica: Replica, table: Table) -> bool:
    flows, meters = replica.desired()
    return (table.names() == Counter(flows.keys()) and table.meters == meters == replica.meters
            and replica.tables == Counter(table for table, _ in flows)
            and not replica.compare(table.dump(), table.meters))


def sync(replica: Replica, table: Table) -> Plan:
    plan = replica.plan() if replica.synced else None
    plan = plan or replica.plan_from_dump(table.dump(), table.meters)
    table.push(plan.delta)
    replica.acknowledge(plan)
    return plan


@pytest.mark.parametrize("seed", range(40))
def test_any_history_ends_in_step_with_the_desired_state(seed: int) -> None:
    chance = random.Random(seed)
    pool: list[tuple[Key, Fact]] = [pair for topology in ALL.values() for pair in topology()]
    compiler = ReadableCompiler(apps())
    compiler.apply([*topologies.hypervisor(1), *topologies.hypervisor(2)])
    switches = {host: (Replica(compiler, host), Table()) for host in ("hv1", "hv2")}
    for _ in range(40):
        compiler.apply((key, fact if chance.random() < 0.7 else None)
                       for key, fact in chance.sample(pool, chance.randint(1, 5)) if key.kind != "hypervisor")
        for host, (kept, table) in switches.items():
            restarted = chance.random() < 0.2
            replica = Replica(compiler, host) if restarted else kept
            switches[host] = replica, table
            if chance.random() < 0.7:
                sync(replica, table)
                assert in_step(replica, table)
                assert not sync(replica, table).delta


def test_a_restarted_controller_finds_nothing_to_do() -> None:
    compiler = ReadableCompiler(apps())
    compiler.apply(topologies.routed())
    table = Table()
    sync(Replica(compiler, "hv1"), table)
    again = ReadableCompiler(apps())
    again.apply(reversed(list(topologies.routed())))
    assert not sync(Replica(again, "hv1"), table).delta


def test_foreign_flows_and_doubles_are_removed() -> None:
    compiler = ReadableCompiler(apps())
    compiler.apply(topologies.one_network())
    table, replica = Table(), Replica(compiler, "hv1")
    sync(replica, table)
    table.flows["a stranger's"] = ((0, 0), 0)
    table.flows["a copy of ours"] = next(iter(table.flows.values()))
    replica = Replica(compiler, "hv1")
    sync(replica, table)
    sync(replica, table)
    assert in_step(replica, table)


def test_far_behind_is_told_by_a_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "HISTORY", 2)
    compiler = ReadableCompiler(apps())
    compiler.apply(topologies.one_network())
    table, replica = Table(), Replica(compiler, "hv1")
    sync(replica, table)
    compiler.apply([*topologies.vm(14, 1, 1), *topologies.vm(15, 1, 1), *topologies.vm(16, 1, 2)])
    assert replica.plan() is None
    sync(replica, table)
    assert in_step(replica, table)


@pytest.mark.parametrize("by_dump", [False, True])
def test_a_refused_program_leaves_the_last_good_one_until_it_changes(*, by_dump: bool) -> None:
    compiler = ReadableCompiler(apps())
    compiler.apply(topologies.limited())
    table, replica = Table(), Replica(compiler, "hv1")
    sync(replica, table)
    good = table.names()
    facts = dict(topologies.vm(11, 1, 1, qos=None))
    compiler.apply([(Key("port", "port11"), facts[Key("port", "port11")]), *topologies.vm(14, 1, 1)])
    plan = replica.plan()
    assert plan is not None
    refused = [sent for sent in plan.delta.add if "reg1=0x3f6" in str(compiler.flow(sent))][:1]  # one of port 14's
    guilty = plan.blame(refused)
    assert guilty and all(change.scope.id == "port14" for change in guilty)
    for change in guilty:
        replica.quarantine(change)
    sync(replica, table)
    assert in_step(replica, table)
    assert not any(flow in table.names() for flow in ((f.table, f.cookie) for f in refused))
    assert table.names() != good, "the others went on"
    replica.synced = not by_dump
    compiler.apply([(Key("vif", "port14"), None)])
    sync(replica, table)
    assert not replica.stuck
    assert in_step(replica, table)


def test_each_fault_is_named_with_the_scope_that_it_hurts() -> None:
    compiler = ReadableCompiler(apps())
    compiler.apply(topologies.limited())
    table, replica = Table(), Replica(compiler, "hv1")
    sync(replica, table)
    (first, (lost, _)), (second, (changed, _)), (third, (twice, _)) = list(table.flows.items())[:3]
    del table.flows[first]
    table.flows[second] = (changed, 0)
    table.flows["a copy"] = table.flows[third]
    table.flows["a stranger's"] = ((60, 1), 0)
    number, meter = next(iter(table.meters.items()))
    table.meters[number] = Meter(number, meter.rate + 1, meter.burst, meter.packets)
    table.meters[99] = Meter(99, 1, 1)
    difference = replica.compare(table.dump(), table.meters)
    faults = list(difference.faults())
    assert {(fault.what, fault.table, fault.number) for fault in faults} == {
        (What.MISSING, *lost), (What.CHANGED, *changed), (What.DOUBLED, *twice), (What.FOREIGN, 60, 1),
        (What.METER, None, number), (What.FOREIGN_METER, None, 99)}
    assert all(fault.scope for fault in faults if fault.what in (What.MISSING, What.CHANGED, What.METER))
    coming = next(flow for flow in replica.desired()[0].values() if flow[:2] == lost)
    assert Fault(What.MISSING, *lost) not in {
        fault._replace(scope=None) for fault in difference.faults(Delta(add=(coming,)))}, "about to be added anyway"
    replica.synced = False
    while not replica.synced:
        sync(replica, table)
    assert in_step(replica, table)
