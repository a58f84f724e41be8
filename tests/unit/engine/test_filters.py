"""Security groups on hypervisors: each holds those of its own ports, at a cost that follows them and their changes."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network

import pytest

from naas_sdn.apps.contract import Scope
from naas_sdn.apps.security_groups import SecurityGroups
from naas_sdn.engine.contract import Dump
from naas_sdn.engine.replica import Plan, Replica
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Attachment, Fact, Port, SecurityRule
from naas_sdn.pipeline.program import Program
from naas_sdn.pipeline.tables import Table
from tests.support.compiled import ReadableCompiler
from tests.support.topologies import OUT, Facts, apps, filtered, group, hypervisor, network, rule, subnet, vm, within

OF_GROUPS = range(Table.GROUPS, Table.RULES + 1)
OF_PORTS = (*range(Table.FROM_PORT, Table.FROM_COMMIT + 1), *range(Table.TO_PORT, Table.TO_COMMIT + 1))


def flows(compiler: ReadableCompiler, host: str) -> int:
    """Of security groups alone; not those that every hypervisor has."""
    return sum(table in OF_GROUPS or table in OF_PORTS for table, _ in Replica(compiler, host).desired()[0])


def cloud(rules: int, members: int, local: int) -> Facts:
    """A group with `rules` rules and `local` ports on hv1, about another with `members` ports on hv2."""
    for number in (1, 2):
        yield from hypervisor(number)
    yield from network(1)
    yield from subnet(1)
    kinds = [rule(True, 4, 6, port, port, remote="peers") for port in range(1, rules // 2 + 1)]
    kinds += [rule(False, 6, 17, port, port, ip_network(f"2001:db8:{port}::/48"))
              for port in range(1, rules - rules // 2 + 1)]
    yield from group("web", 4001, *kinds)
    yield from group("peers", 4002, OUT)
    for number in range(members):
        yield from within(vm(100 + number, 1, 2), "peers")
    for number in range(local):
        yield from within(vm(20 + number, 1, 1), "web")


@pytest.mark.parametrize(("rules", "members", "local"), [(2, 1, 1), (40, 1, 1), (2, 100, 1), (2, 1, 50), (30, 60, 20)])
def test_a_group_costs_what_its_rules_members_and_ports_are(rules: int, members: int, local: int) -> None:
    compiler = ReadableCompiler(apps())
    compiler.apply(hypervisor(1))
    shared = flows(compiler, "hv1")
    compiler.apply(cloud(rules, members, local))
    assert not compiler.faults
    assert flows(compiler, "hv1") - shared <= 3 * (rules + members + local)


def test_a_hypervisor_holds_the_groups_of_its_own_ports_and_no_others() -> None:
    compiler = ReadableCompiler(apps())
    compiler.apply(filtered())
    held = {group for group in compiler.reach.subscriptions("hv2") if group.kind in ("rules", "remote")}
    assert held == {("rules", "peers"), ("remote", "peers")}
    compiler.apply([(Key("vif", "port13"), None)])
    assert not {scope.kind for scope in compiler.reach.subscriptions("hv2")} & {"rules", "remote"}


class Switch:
    """What a switch would be sent."""

    def __init__(self, compiler: ReadableCompiler, host: str) -> None:
        self.replica = Replica(compiler, host)
        self.replica.acknowledge(self.replica.plan_from_dump(Dump(), {}))

    def step(self) -> Plan:
        plan = self.replica.plan()
        assert plan is not None
        self.replica.acknowledge(plan)
        return plan


def facts(compiler: ReadableCompiler, **changes: tuple[str, ...]) -> Iterator[tuple[Key, Fact]]:
    for name, groups in changes.items():
        port = compiler.store.fact(Key("port", name))
        assert isinstance(port, Port)
        yield Key("port", name), replace(port, groups=groups)


def test_a_member_s_coming_and_going_is_one_flow_on_each_hypervisor_concerned() -> None:
    compiler = ReadableCompiler(apps())
    compiler.apply(cloud(10, 150, 5))
    switch = Switch(compiler, "hv1")
    compiler.apply(facts(compiler, port100=()))
    delta = switch.step().delta
    assert (len(delta.add), [table for table, _ in delta.remove], delta.flush) == (0, [Table.MEMBERS], ())
    compiler.apply(facts(compiler, port100=("peers",)))
    delta = switch.step().delta
    assert ([flow.table for flow in delta.add], delta.remove) == ([Table.MEMBERS], ())


def test_a_rule_is_one_flow_and_a_rule_about_a_new_group_brings_its_members() -> None:
    compiler = ReadableCompiler(apps())
    compiler.apply(cloud(10, 20, 5))
    switch = Switch(compiler, "hv1")

    def of_web(name: str, fact: SecurityRule) -> tuple[Key, Fact]:
        return Key("security_rule", name), replace(fact, group_id="web")

    compiler.apply([of_web("one", rule(True, 4, 6, 443, 443))])
    delta = switch.step().delta
    assert ([flow.table for flow in delta.add], delta.remove) == ([Table.RULES], ())
    # Two rules that overlap share what they have in common, and each may go alone.
    compiler.apply([of_web("two", rule(True, 4, 6, 442, 443)), of_web("three", rule(True, 4, 6, 442, 444))])
    delta = switch.step().delta
    assert [flow.table for flow in delta.add] == [Table.RULES] * 2
    compiler.apply([(Key("security_rule", "two"), None)])
    assert not switch.step().delta
    compiler.apply([of_web("two", rule(True, 4, remote="web"))])
    delta = switch.step().delta
    assert sum(flow.table == Table.MEMBERS for flow in delta.add) == 5, "those of web"
    compiler.apply([(Key("security_group", "peers"), None)])
    assert not compiler.faults


class Counting(SecurityGroups):
    """The real app, counting what it is asked to compile."""

    def __init__(self) -> None:
        self.compiled: list[Scope] = []

    def compile(self, view: View, scope: Scope) -> Program:
        self.compiled.append(scope)
        return super().compile(view, scope)


def test_one_rule_more_compiles_itself_alone_however_many_there_are() -> None:
    app = Counting()
    compiler = ReadableCompiler([app])
    compiler.apply(cloud(200, 1, 5))
    Replica(compiler, "hv1").desired()
    app.compiled.clear()
    compiler.apply([(Key("security_rule", "one"), replace(rule(True, 4, 6, 443, 443), group_id="web"))])
    assert [scope.kind for scope in app.compiled] == ["rule"]


def test_a_zone_is_flushed_when_it_gets_another_port_and_not_otherwise() -> None:
    compiler = ReadableCompiler(apps())
    compiler.apply(cloud(2, 1, 2))
    switch = Switch(compiler, "hv1")
    vif = compiler.store.fact(Key("vif", "port20"))
    assert isinstance(vif, Attachment)
    compiler.apply([(Key("vif", "port20"), None)])
    assert switch.step().delta.flush == ()
    compiler.apply([*within(vm(30, 1, 1), "web"), (Key("vif", "port30"), replace(vif, port_id="port30"))])
    assert switch.step().delta.flush == (vif.slot + 1,)
    compiler.apply(facts(compiler, port30=("web", "peers")))
    assert switch.step().delta.flush == ()
    held, meters = switch.replica.desired()
    dump = Dump()
    dump.flows.update((name, fingerprint) for _, program in switch.replica._kept()
                      for name, fingerprint in program.fingerprints())
    again = Replica(compiler, "hv1")
    assert not again.plan_from_dump(dump, meters).delta, "a restart flushes nothing"
    for name in [name for name in held if name[0] == Table.FROM_PORT]:
        del dump.flows[name]
    assert sorted(again.plan_from_dump(dump, meters).delta.flush) == [vif.slot + 1, vif.slot + 2]
    compiler.apply([(Key("vif", "port30"), replace(vif, port_id="port30", settled=True))])
    assert again.plan_from_dump(dump, meters).delta.flush == (vif.slot + 2,), "other tables, but the port was here"


def test_more_look_ups_than_open_vswitch_does_are_refused_loudly() -> None:
    compiler = ReadableCompiler(apps())
    compiler.apply(cloud(2, 1, 1))
    rules = [rule(True, 4, remote=f"group{number}") for number in range(2000)]
    compiler.apply(group("web", 4001, *rules))
    assert [scope.id for scope in compiler.faults if scope.host] == []
    compiler.group(next(group for group in compiler.known() if group.kind == "host" and group.id == "hv1"))
    assert {scope.id for scope in compiler.faults} == {"port20"}
    assert "at most 2000" in next(iter(compiler.faults.values()))
