"""Who subscribes to what: networks behind a router are weighed together, and any history ends where it should."""
from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from naas_sdn.apps.contract import Group
from naas_sdn.engine.compiler import Compiler
from naas_sdn.engine.replica import Replica
from naas_sdn.model.store import Key
from naas_sdn.model.values import Fact, Port
from tests.support import topologies
from tests.support.compiled import ReadableCompiler
from tests.support.topologies import apps, vm
from tests.unit.engine.test_replica import Table as Switch
from tests.unit.engine.test_replica import in_step, sync

WIDEST = 6
NETWORKS = (1, 2, 3, 4)


def ground() -> Iterator[tuple[Key, Fact]]:
    for number in (1, 2, 3):
        yield from topologies.hypervisor(number)
    for number in NETWORKS:
        yield from topologies.network(number)
        yield from topologies.subnet(number)


def behind_a_router(machines: int) -> Compiler:
    """So many on each of the four networks, one network on each of two hypervisors, two on the third."""
    compiler = ReadableCompiler(apps(), WIDEST)
    compiler.apply([*ground(), *topologies.router(1, *NETWORKS)])
    for network in NETWORKS:
        for number in range(machines):
            compiler.apply(vm(10 * network + number, network, min(network, 3)))
    return compiler


def test_a_hypervisor_holds_what_is_routed_to_while_that_is_little() -> None:
    groups = behind_a_router(1).reach.subscriptions("hv1")
    assert {Group("ports", f"net{number}") for number in NETWORKS} < groups
    assert {group.id for group in groups if group.kind == "network"} == {"net1"}
    assert {group.id for group in groups if group.kind == "members"} == {"net1", "router1"}
    assert {group.id for group in groups if group.kind == "router"} == {"router1"}


def test_the_networks_of_a_router_are_wide_together_and_held_by_demand() -> None:
    compiler = behind_a_router(2)
    replica, table = Replica(compiler, "hv1"), Switch()
    sync(replica, table)
    assert {group.id for group in replica.groups() if group.kind == "ports"} == {"net1"}
    known = compiler.store.fact(Key("port", "port20"))
    assert isinstance(known, Port)
    replica.ask("port10", known)
    assert len(sync(replica, table).delta.add) == 3     # L2, ARP, next hop
    assert {group.id for group in replica.groups() if group.kind == "ports"} == {"net1", "net2"}
    assert not sync(Replica(compiler, "hv1"), table).delta, "a restart reads it back"
    for number in (11, 21, 31, 40, 41):
        compiler.apply([(Key("vif", f"port{number}"), None)])
    sync(replica, table)
    assert replica.groups() == compiler.reach.subscriptions("hv1")
    assert {Group("ports", f"net{number}") for number in NETWORKS} < replica.groups()
    assert in_step(replica, table)


def test_one_port_more_costs_the_same_however_much_is_behind_the_router() -> None:
    """Nothing of the others' programs changes, and nobody else has to look."""
    compiler = behind_a_router(2)
    replicas = [Replica(compiler, f"hv{number}") for number in (1, 2, 3)]
    for replica in replicas:
        replica.desired()
    before = {group: kept.mark.version for group, kept in compiler.groups.items()}
    assert compiler.apply(vm(19, 1, 1)) == {"hv1"}
    assert {group for group, kept in compiler.groups.items() if kept.mark.version != before.get(group)} == {
        Group("host", "hv1"), Group("ports", "net1")}


@pytest.mark.parametrize("seed", range(40))
def test_any_history_of_routes_routers_and_plugs_ends_where_a_fresh_start_does(seed: int) -> None:
    chance = random.Random(seed)
    pool: list[tuple[Key, Fact]] = [
        *ground(), *topologies.route(1, 1, 2), *topologies.route(2, 2, 3), *topologies.router(1, 3, 4),
        *topologies.router(2, 1, 4),
        *(pair for network in NETWORKS for place in range(3)
          for pair in vm(10 * network + place, network, chance.randint(1, 3)))]
    compiler = ReadableCompiler(apps(), WIDEST)
    switches = {f"hv{number}": (Replica(compiler, f"hv{number}"), Switch()) for number in (1, 2, 3)}
    for _ in range(50):
        batch = chance.sample(pool, chance.randint(1, 6))
        compiler.apply((key, fact if chance.random() < 0.8 else None) for key, fact in batch)
        facts = compiler.store.facts()
        fresh = ReadableCompiler(apps(), WIDEST)
        fresh.apply([pair for pair in facts.items() if pair[0].kind not in ("member", "wide")])
        assert members(compiler) == members(fresh)
        # Between the limit and its half, what was wide stays so.
        assert {key for key in fresh.store.facts() if key.kind == "wide"} <= facts.keys()
        for host, (kept, table) in switches.items():
            replica = kept
            asked = facts.get(Key("port", f"port{chance.choice(NETWORKS)}{chance.randint(0, 2)}"))
            if isinstance(asked, Port) and chance.random() < 0.5:
                replica.ask("port10", asked)
            if chance.random() < 0.2:
                replica.age({})
            if chance.random() < 0.1:
                replica.close()
                replica = Replica(compiler, host)
                switches[host] = replica, table
            if chance.random() < 0.7:
                sync(replica, table)
                assert in_step(replica, table)
                assert replica.groups() >= compiler.reach.subscriptions(host)
                assert not sync(replica, table).delta


def members(compiler: Compiler) -> set[Key]:
    return {key for key in compiler.store.facts() if key.kind == "member"}
