"""In a wide network a hypervisor holds what its machines talk to; the switch's own table is the record of it."""
from __future__ import annotations

import random
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from naas_sdn.apps import wire, wire6
from naas_sdn.engine import groups, interest
from naas_sdn.engine.compiler import Compiler
from naas_sdn.engine.interest import target
from naas_sdn.engine.replica import Replica
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Fact, Port
from naas_sdn.pipeline.tables import Reason, Table
from tests.support import topologies
from tests.support.compiled import ReadableCompiler
from tests.support.topologies import apps, ip, ip6, mac, vm
from tests.unit.engine.test_replica import Table as Switch
from tests.unit.engine.test_replica import in_step, sync

WIDEST = 4
HOSTS = ("hv1", "hv2")


def port(compiler: Compiler, number: int) -> Port:
    found = compiler.store.fact(Key("port", f"port{number}"))
    assert isinstance(found, Port)
    return found


def remote(table: Switch, compiler: Compiler) -> set[int]:
    """The numbers of the ports whose L2 flow to another hypervisor the switch holds."""
    held = table.names()
    group = compiler.groups[next(group for group in compiler.groups if group.kind == "ports")]
    return {int(scope.id.removeprefix("port")) for scope, program in group.programs.items() if scope.remote
            for name in program.names() if name[0] == Table.L2 and name in held}


def facts(*numbers: int) -> Iterator[tuple[Key, Fact]]:
    """Machines 1, 2, ... of network 1: the odd ones on hv1, the even ones on hv2."""
    yield from topologies.hypervisor(1)
    yield from topologies.hypervisor(2)
    yield from topologies.network(1)
    yield from topologies.subnet(1)
    for number in numbers:
        yield from vm(number, 1, 2 - number % 2)


def made(*numbers: int) -> tuple[Compiler, Replica, Switch]:
    """hv1, in step."""
    compiler = ReadableCompiler(apps(), WIDEST)
    compiler.apply(facts(*numbers))
    replica, table = Replica(compiler, "hv1"), Switch()
    sync(replica, table)
    return compiler, replica, table


def test_a_narrow_network_is_held_whole() -> None:
    compiler, _, table = made(1, 2, 3, 4)
    assert remote(table, compiler) == {1, 2, 3, 4}


def test_a_wide_one_by_what_is_asked_for() -> None:
    compiler, replica, table = made(*range(1, 9))
    assert remote(table, compiler) == {1, 3, 5, 7}, "its own machines' addresses, and no others"
    replica.ask("port1", port(compiler, 2))
    assert len(sync(replica, table).delta.add) == 3     # L2, ARP, next hop
    assert remote(table, compiler) == {1, 2, 3, 5, 7}
    assert in_step(replica, table)


def test_a_restart_reads_it_back() -> None:
    compiler, replica, table = made(*range(1, 9))
    for number in (2, 6):
        replica.ask("port1", port(compiler, number))
    sync(replica, table)
    again = Replica(compiler, "hv1")
    assert not sync(again, table).delta
    assert remote(table, compiler) == {1, 2, 3, 5, 6, 7}


def test_what_becomes_wide_keeps_what_is_installed_and_returns_below_half() -> None:
    compiler, replica, table = made(1, 2, 3, 4)
    compiler.apply(vm(5, 1, 1))
    sync(replica, table)
    assert remote(table, compiler) == {1, 2, 3, 4, 5}
    compiler.apply(vm(6, 1, 2))
    sync(replica, table)
    assert remote(table, compiler) == {1, 2, 3, 4, 5}, "a new one is for those who ask"
    for number in (1, 3, 5):
        compiler.apply([(Key("vif", f"port{number}"), None)])
    compiler.apply(vm(1, 1, 1))
    sync(replica, table)
    assert 6 not in remote(table, compiler), "four of at most four, but it was wide"
    for number in (1, 4):
        compiler.apply([(Key("vif", f"port{number}"), None)])
    compiler.apply(vm(7, 1, 1))
    compiler.apply([(Key("vif", "port2"), None)])
    sync(replica, table)
    assert 6 in remote(table, compiler)
    assert in_step(replica, table)


def test_what_nothing_is_sent_to_is_forgotten() -> None:
    compiler, replica, table = made(*range(1, 9))
    for number in (2, 4):
        replica.ask("port1", port(compiler, number))
    sync(replica, table)
    cookies = {number: cookie for number in (2, 4) for group in compiler.groups.values()
               for scope, program in group.programs.items() if scope.id == f"port{number}" and scope.remote
               for table, cookie in program.names() if table == Table.L2}
    replica.age({cookies[2]: 10, cookies[4]: 10})
    assert not sync(replica, table).delta, "a first look has nothing to compare with"
    replica.age({cookies[2]: 11, cookies[4]: 10})
    sync(replica, table)
    assert remote(table, compiler) == {1, 2, 3, 5, 7}


def test_one_asker_keeps_a_limited_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan pushes out what the scanner asked for, nothing of others."""
    monkeypatch.setattr(interest, "PER_PORT", 2)
    compiler, replica, table = made(*range(1, 13))
    replica.ask("port3", port(compiler, 12))
    for number in (2, 4, 2, 6, 8):
        replica.ask("port1", port(compiler, number))
    sync(replica, table)
    assert remote(table, compiler) - {1, 3, 5, 7, 9, 11} == {6, 8, 12}


def test_only_what_exists_and_is_plugged_can_be_meant() -> None:
    compiler, _, _ = made(*range(1, 9))
    compiler.apply([(Key("vif", "port4"), None)])
    view = View(compiler.store, "hv1")
    arp = bytes.fromhex("ffffffffffff") + bytes(6) + bytes.fromhex("0806 0001 0800 0604 0001") + bytes(16)

    def meant(reason: Reason, frame: bytes, network: int = 101) -> str | None:
        found = target(view, reason, network, frame)
        return found.id if found is not None else None

    assert meant(Reason.UNKNOWN_MAC, mac(2).to_bytes(6) + bytes(54)) == "port2"
    assert meant(Reason.UNKNOWN_MAC, mac(4).to_bytes(6) + bytes(54)) is None
    assert meant(Reason.UNKNOWN_MAC, mac(2).to_bytes(6) + bytes(54), 999) is None
    assert meant(Reason.UNKNOWN_ARP, arp + ip(1, 2).packed) == "port2"
    assert meant(Reason.UNKNOWN_ARP, arp + ip(1, 99).packed) is None
    for nothing in (b"", b"x", bytes(60)):
        for reason in interest.RESUME:
            assert meant(reason, nothing) is None


@pytest.mark.parametrize("seed", range(25))
def test_any_history_ends_in_step(seed: int) -> None:
    """Plugs, unplugs, questions, idleness, restarts: plans and dumps agree, and nothing is held that nobody wants."""
    chance = random.Random(seed)
    compiler = ReadableCompiler(apps(), WIDEST)
    compiler.apply(facts())
    switches = {host: (Replica(compiler, host), Switch()) for host in HOSTS}
    for _ in range(60):
        number = chance.randint(1, 10)
        if chance.random() < 0.6:
            compiler.apply(vm(number, 1, 2 - number % 2))
        else:
            compiler.apply([(Key("vif", f"port{number}"), None)])
        for host in HOSTS:
            replica, table = switches[host]
            known = compiler.store.fact(Key("port", f"port{chance.randint(1, 10)}"))
            if isinstance(known, Port) and replica.synced:
                replica.ask(f"port{chance.randint(1, 10)}", known)
            if chance.random() < 0.2:
                replica.age({})
            if chance.random() < 0.1:
                replica = Replica(compiler, host)
                switches[host] = replica, table
            if chance.random() < 0.8:
                sync(replica, table)
                assert in_step(replica, table)
                assert not sync(replica, table).delta


def test_a_port_in_a_wide_network_concerns_its_own_hypervisor_and_who_asked_for_it(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come and go, the others neither look nor fall behind."""
    monkeypatch.setattr(groups, "HISTORY", 8)
    compiler, here, table = made(1, 2, 3, 4, 5, 6)
    there, far = Replica(compiler, "hv2"), Switch()
    sync(there, far)
    for number in range(8, 40, 2):
        assert compiler.apply(vm(number, 1, 2)) == {"hv2"}
        sync(there, far)
    here.ask("port1", port(compiler, 8))
    assert here.plan() is not None
    sync(here, table)
    assert remote(table, compiler) == {1, 3, 5, 8}
    assert compiler.apply([(Key("vif", "port8"), None)]) == {"hv1", "hv2"}
    sync(there, far)
    assert compiler.apply(vm(7, 1, 1)) == {"hv1"}
    assert here.plan() is not None
    sync(here, table)
    assert in_step(here, table)
    assert in_step(there, far)


def test_what_a_router_s_own_route_leads_to_is_its_next_hop() -> None:
    compiler = ReadableCompiler(apps(), WIDEST)
    compiler.apply(topologies.behind())
    view = View(compiler.store)
    for destination, number in (("10.50.1.1", 21), ("192.0.2.1", 21), ("10.60.0.1", None)):
        frame = wire.build_udp(wire.Station(mac(11), int(ip(1, 11))),
                               wire.Station(mac(0xF011), int(IPv4Address(destination))), 1, 2, b"")
        found = target(view, Reason.UNKNOWN_HOP, 102, frame)
        assert (found.id if found is not None else None) == (None if number is None else f"port{number}")
        assert target(view, Reason.UNKNOWN_MAC, 102, frame) is None


def test_who_is_asked_for_or_routed_to_by_ipv6() -> None:
    compiler = ReadableCompiler(apps(), WIDEST)
    compiler.apply(topologies.dual_stack())
    view = View(compiler.store)
    asker, group = wire.Station(mac(11), int(ip6(1, 11))), wire.Station(0x3333FF000013, int(ip6(1, 1)))

    def meant(reason: Reason, network: int, frame: bytes) -> str | None:
        found = target(view, reason, network, frame)
        return found.id if found is not None else None

    for address, expected in ((ip6(1, 13), "port13"), (ip6(1, 99), None), (ip6(2, 21), None)):
        asked = wire6.build_icmpv6(asker, group, bytes((135, 0)) + bytes(6) + address.packed)
        assert meant(Reason.UNKNOWN_ND, 101, asked) == expected
    for address, expected in ((ip6(2, 21), "port21"), (ip6(50, 7), "port21"), (ip6(9, 9), None)):
        sent = wire6.build_icmpv6(asker, wire.Station(mac(0xE011), int(address)), bytes((128, 0)) + bytes(6))
        assert meant(Reason.UNKNOWN_HOP, 102, sent) == expected


def test_what_a_wide_network_lacks_is_asked_for_by_neighbour_discovery_too() -> None:
    compiler = ReadableCompiler(apps(), WIDEST)
    compiler.apply([*topologies.hypervisor(1), *topologies.hypervisor(2), *topologies.network(1),
                    *topologies.subnet(1), *topologies.subnet6(61, 1)])
    for number in range(1, 9):
        compiler.apply(topologies.dual(number, 1, 2 - number % 2))
    held = [compiler.flow(sent) for sent in Replica(compiler, "hv1").desired()[0].values()]
    asking = [flow for flow in held if flow.table == Table.ARP and f":{int(Reason.UNKNOWN_ND):#x}->reg6" in str(flow)]
    assert [{name: value for name, value, _ in flow.match}["nd_target"] for flow in asking] == [int(ip6(1, 0))]
