"""Incremental equals full, order never matters, cost follows the change, a bad scope stays alone."""
from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Any

import pytest

from naas_sdn.apps.contract import Group, Scope
from naas_sdn.apps.l2switch import FLOOD_LIMIT, L2Switch
from naas_sdn.engine.compiler import SLICE, Compiler
from naas_sdn.engine.replica import Replica
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Fact, Hypervisor, Network, Port
from naas_sdn.pipeline.flow import Flow, match
from naas_sdn.pipeline.program import Compiled, Program
from naas_sdn.pipeline.tables import Table
from naas_sdn.southbound import codec
from tests.support import topologies
from tests.support.compiled import ReadableCompiler
from tests.support.topologies import ALL, apps, vm


def programs(compiler: Compiler) -> dict[Group, dict[Scope, Compiled]]:
    return {group: dict(compiler.group(group).programs) for group in compiler.known() if compiler.group(group).programs}


def compiled(facts: Iterable[tuple[Key, Fact]]) -> ReadableCompiler:
    compiler = ReadableCompiler(apps())
    compiler.apply(facts)
    programs(compiler)
    assert not compiler.faults
    return compiler


DERIVED = frozenset(("member", "wide", "exit", "landing", "outlet"))
"""Facts that the compiler makes itself."""


def own_facts(compiler: Compiler) -> list[tuple[Key, Fact]]:
    return [(key, fact) for key, fact in compiler.store.facts().items() if key.kind not in DERIVED]


@pytest.mark.parametrize("seed", range(60))
def test_incremental_equals_full_at_every_step(seed: int) -> None:
    chance = random.Random(seed)
    # Subnets that overlap are never on one router.
    apart = (topologies.two_tenants, topologies.behind)[seed % 2]
    pool: list[tuple[Key, Fact]] = [pair for topology in ALL.values() if topology is not apart for pair in topology()]
    compiler = ReadableCompiler(apps())
    for _ in range(40):
        batch = chance.sample(pool, chance.randint(1, 4))
        compiler.apply((key, fact if chance.random() < 0.7 else None) for key, fact in batch)
        fresh = ReadableCompiler(apps())
        fresh.apply(own_facts(compiler))
        assert programs(compiler) == programs(fresh)
        assert set(compiler.faults) == set(fresh.faults) == set()


@pytest.mark.parametrize("topology", ALL)
def test_order_and_repetition_never_matter(topology: str) -> None:
    facts = list(ALL[topology]())
    expected = programs(compiled(facts))
    shuffled = facts * 2
    random.Random(topology).shuffle(shuffled)
    compiler = ReadableCompiler(apps())
    for pair in shuffled:
        compiler.apply([pair])
    assert programs(compiler) == expected


def test_what_changes_nothing_touches_nothing() -> None:
    compiler = compiled(topologies.routed())
    hypervisors = [Replica(compiler, "hv1"), Replica(compiler, "hv2")]
    for replica in hypervisors:
        replica.groups()
    assert compiler.apply(topologies.routed()) == set()
    assert compiler.apply(vm(29, 2, 1)) == {"hv1", "hv2"}


class Counting(L2Switch):
    """The real app, counting what it is asked to compile."""

    def __init__(self) -> None:
        super().__init__("vxlan0", 1450, 100)
        self.compiled: list[Scope] = []

    def compile(self, view: View, scope: Scope) -> Program:
        self.compiled.append(scope)
        return super().compile(view, scope)


@pytest.mark.parametrize("size", [10, 400])
def test_one_more_port_compiles_a_number_of_scopes_that_does_not_depend_on_the_network(size: int) -> None:
    app = Counting()
    compiler = ReadableCompiler([app])
    compiler.apply([*topologies.hypervisor(1), *topologies.hypervisor(2), *topologies.network(1)])
    for number in range(size):
        compiler.apply(vm(number, 1, 1, ()))
    programs(compiler)
    app.compiled.clear()
    compiler.apply(vm(size, 1, 2, ()))
    programs(compiler)
    before = len(app.compiled)
    compiler.apply(vm(size + 1, 1, 2, ()))
    assert len(app.compiled) - before == 3  # the port, its neighbour entry, the copies on its hypervisor


@pytest.mark.parametrize("hosts", [2, 50])
def test_a_neighbour_s_flow_is_encoded_once_however_many_hypervisors_hold_it(hosts: int) -> None:
    """Only what is a hypervisor's own is encoded for it."""
    encoded: Counter[Flow] = Counter()

    def encode(flow: Flow) -> bytes:
        encoded[flow] += 1
        return codec.add_flow(flow)

    compiler = Compiler([L2Switch("vxlan0", 1450, 100)], encode)
    compiler.apply(topologies.network(1))
    for number in range(1, hosts + 1):
        compiler.apply([*topologies.hypervisor(number), *vm(number, 1, number, ())])
    replicas = [Replica(compiler, f"hv{number}") for number in range(1, hosts + 1)]

    def times(number: int) -> tuple[set[int], set[int]]:
        """How often the flows of a neighbour were encoded, and how many hypervisors are to hold each."""
        held = Counter(name for replica in replicas for name in replica.desired()[0])
        program = compiler.group(Group("ports", "net1")).programs[Scope("neighbour", f"port{number}", remote=True)]
        return ({count for flow, count in encoded.items() if codec.add_flow(flow) in program.wire},
                {held[name] for name in program.names()})

    assert times(1) == ({1}, {hosts})
    before = encoded.copy()
    compiler.apply(vm(hosts + 1, 1, 1, ()))
    assert times(hosts + 1) == ({1}, {hosts})
    assert (encoded - before).total() < 20, "one port more costs the same on any number of hypervisors"


def test_a_hypervisor_is_interested_in_what_it_hosts_and_routes_to_and_in_nothing_else() -> None:
    compiler = compiled([*topologies.routed(), *topologies.network(9), *topologies.subnet(9), *vm(91, 9, 2)])
    assert compiler.reach.reached("hv1") == {"net1", "net2", "net3", "net4"}
    compiler.apply([(Key("vif", "port41"), None)])
    assert compiler.reach.reached("hv1") == {"net1", "net2", "net3"}
    assert "net9" in compiler.reach.reached("hv2")


class Rogue:
    """Writes what it is told to."""

    name = "rogue"
    tables = frozenset((Table.SERVICES,))
    kinds = frozenset(("port",))
    reasons: frozenset[Any] = frozenset()

    def __init__(self, flows: dict[str, tuple[Flow, ...]]) -> None:
        self.flows = flows

    def place(self, key: Key, fact: Fact) -> Any:
        if isinstance(fact, Port) and fact.owner:
            yield Group("host", fact.owner), Scope("port", fact.id, fact.owner)
        elif isinstance(fact, Port):
            yield Group("network", fact.network_id), Scope("port", fact.id)

    def compile(self, view: View, scope: Scope) -> Program:
        port = view.port(scope.id)
        if port is not None and port.hostname == "raise":
            raise RuntimeError("no such thing")
        return Program(self.flows[port.hostname] if port is not None else ())

    def packet_in(self, view: View, packet: Any) -> list[bytes]:
        return []


def port(name: str, what: str, host: str = "") -> tuple[Key, Fact]:
    return Key("port", name), Port(name, "net1", 1, 1, hostname=what, owner=host)


def test_a_scope_that_fails_keeps_its_last_program_and_others_go_on() -> None:
    good, other = (Flow(Table.SERVICES, 7, match(reg1=number)) for number in (1, 2))
    foreign = Flow(Table.L2, 7, match(reg1=3))
    rogue = Rogue({"good": (good,), "other": (other,), "same place": (Flow(Table.SERVICES, 7, match(reg1=1)),),
                   "foreign": (foreign,), "twice": (good, good), "": ()})
    compiler = ReadableCompiler([rogue])
    compiler.apply([(Key("network", "net1"), Network("net1", 1, 1450)), port("a", "good"), port("b", "other")])
    mine = compiler.group(Group("network", "net1")).programs
    for bad in ("raise", "foreign", "twice"):
        compiler.apply([port("a", bad)])
        assert list(compiler.faults) == [Scope("port", "a")]
        assert compiler.flows(mine[Scope("port", "a")]) == [good]
    compiler.apply([port("a", "good")])
    assert not compiler.faults
    compiler.apply([port("b", "same place")])
    assert list(compiler.faults) == [Scope("port", "b")]
    assert compiler.flows(mine[Scope("port", "b")]) == [other]
    compiler.apply([port("a", "")])
    assert not compiler.faults, "what blocked it is gone"


@pytest.mark.parametrize("hosts", [("hv1", ""), ("", "hv1"), ("hv1", "hv1"), ("", "")])
def test_what_all_share_and_what_one_hypervisor_has_may_not_clash_in_either_order(hosts: tuple[str, str]) -> None:
    compiler = ReadableCompiler([Rogue({"good": (Flow(Table.SERVICES, 7, match(reg1=1)),)})])
    compiler.apply([(Key("network", "net1"), Network("net1", 1, 1450)), port("a", "good", hosts[0])])
    programs(compiler)
    compiler.apply([port("b", "good", hosts[1])])
    programs(compiler)
    assert [scope.id for scope in compiler.faults] == ["b"]
    compiler.apply([(Key("port", "a"), None)])
    assert not compiler.faults


def test_two_hypervisors_may_have_the_same_place() -> None:
    compiler = ReadableCompiler([Rogue({"good": (Flow(Table.SERVICES, 7, match(reg1=1)),)})])
    compiler.apply([port("a", "good", "hv1"), port("b", "good", "hv2")])
    assert programs(compiler)
    assert not compiler.faults


def test_only_what_somebody_asks_for_is_compiled_and_in_slices() -> None:
    app = Counting()
    compiler = ReadableCompiler([app])
    compiler.apply([*topologies.hypervisor(1), *topologies.network(1)])
    compiler.apply([pair for number in range(2 * SLICE) for pair in vm(number, 1, 1, ())])
    app.compiled.clear()
    assert not compiler.advance(Group("ports", "net1"))
    assert len(app.compiled) == SLICE
    compiler.apply(vm(0, 1, 1, ()))
    assert compiler.apply([(Key("vif", "port0"), None)]) == set()
    assert compiler.advance(Group("ports", "net1"))
    assert {scope.kind for scope in app.compiled} == {"neighbour"}
    kept = compiler.group(Group("ports", "net1"))
    assert len(kept.programs) == 2 * SLICE
    assert not kept.programs[Scope("neighbour", "port0", remote=True)].wire


def test_a_flood_list_that_the_switch_would_cut_short_is_refused_loudly() -> None:
    """The network's last list stays, and the fault says how many are too many."""
    compiler = compiled(topologies.network(1))
    facts = [[(Key("hypervisor", f"hv{number}"), Hypervisor(f"hv{number}", number, number, IPv4Address(number))),
              *vm(number, 1, number, ())] for number in range(1, FLOOD_LIMIT + 3)]
    compiler.apply([pair for machine in facts[:-1] for pair in machine])
    assert not compiler.faults
    compiler.apply(facts[-1])
    assert {scope.kind for scope in compiler.faults} == {"flood"}
    assert f"on {FLOOD_LIMIT + 2} hypervisors" in next(iter(compiler.faults.values()))
    kept = compiler.group(Group("network", "net1")).programs[Scope("flood", "net1")]
    assert any(len(flow.actions) >= 2 * FLOOD_LIMIT for flow in compiler.flows(kept))


def test_two_ports_may_swap_addresses_in_one_change() -> None:
    compiler = compiled(topologies.one_network())
    facts = dict(own_facts(compiler))
    first, second = facts[Key("port", "port11")], facts[Key("port", "port12")]
    assert isinstance(first, Port) and isinstance(second, Port)
    swapped = [
        (Key("port", a.id), Port(a.id, a.network_id, a.key, b.mac, b.addresses))
        for a, b in ((first, second), (second, first))
    ]
    compiler.apply(swapped)
    assert not compiler.faults
    facts.update(swapped)
    assert programs(compiler) == programs(compiled(facts.items()))


def test_a_renamed_hypervisor_key_is_followed_everywhere() -> None:
    compiler = compiled(topologies.one_network())
    flows, _ = Replica(compiler, "hv1").desired()
    assert any("set_field:0x2->reg2" in str(compiler.flow(sent)) for sent in flows.values())


def test_places_of_programs_are_those_of_their_flows() -> None:
    compiler = compiled(topologies.routed())
    seen: dict[int, tuple[int, int, Any]] = {}
    for group in compiler.known():
        for program in compiler.group(group).programs.values():
            flows = compiler.flows(program)
            assert len(flows) == len(list(program.places()))
            for flow, place in zip(flows, program.places(), strict=True):
                assert seen.setdefault(place, flow.place) == flow.place
    assert len(seen) == len(set(seen.values())) > 50
