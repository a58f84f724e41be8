"""The journal: what data planes must look at again, once for each transaction that changed it, and nothing else."""
from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from naas_sdn.db import journal, status, user_rows  # noqa: F401 - its tables are part of the schema
from naas_sdn.db.load import load, load_all, security_rule
from naas_sdn.db.rows import AllocationRow, CounterRow, NetworkRow, PortRow, Row, TunnelKeyRow, VifRow
from naas_sdn.db.session import Database, Session
from naas_sdn.errors import IpAddressAlreadyAllocated
from naas_sdn.model.store import Key
from naas_sdn.model.values import AddressGroup, Port, SecurityGroup, SecurityRule
from naas_sdn.service import rule_content
from tests.support.database import Cloud
from tests.support.statements import statements


def entries(database: Database, operation: Callable[[], Any]) -> list[tuple[str, str]]:
    """(kind, id) that the operation journals."""
    with database.read() as session:
        before = journal.last(session)
    operation()
    with database.read() as session:
        return [(kind, identifier) for _, kind, identifier, _ in journal.read(session, before)]


def test_each_change_is_there_once(cloud_db: Cloud, database: Database) -> None:
    network, subnet = cloud_db.network()
    other, far = cloud_db.network("10.1.0.0/24")
    port = cloud_db.port(network)
    policy = cloud_db.make("qos/policies")["id"]
    router = cloud_db.make("routers")["id"]
    route = cloud_db.make("routes", source_subnet_id=subnet, destination_subnet_id=far)["id"]
    cases: list[tuple[Callable[[], Any], set[tuple[str, str]]]] = [
        (lambda: cloud_db.change("networks", network, admin_state_up=False), {("network", network)}),
        (lambda: cloud_db.change("networks", other, mtu=1400), {("network", other)}),
        (lambda: cloud_db.change("subnets", subnet, dns_nameservers=["9.9.9.9"]), {("subnet", subnet)}),
        (lambda: cloud_db.change("ports", port, port_security_enabled=False, security_groups=[]), {("port", port)}),
        (lambda: cloud_db.change("ports", port, qos_policy_id=policy), {("port", port)}),
        (lambda: cloud_db.change("ports", port, fixed_ips=[{"ip_address": "10.0.0.9"}]), {("port", port)}),
        (lambda: cloud_db.act("ports", port, "plug", host="hv1", interface="tap1"), {("vif", port)}),
        (lambda: cloud_db.act("ports", port, "unplug"), {("vif", port)}),
        (lambda: cloud_db.change("ports", port, fixed_ips=[]), {("port", port)}),
        (lambda: cloud_db.change("routers", router, admin_state_up=False), {("router", router)}),
        (lambda: cloud_db.delete("routes", route), {("route", route)}),
    ]
    for operation, expected in cases:
        found = entries(database, operation)
        assert set(found) == expected
        assert len(found) == len(set(found))


def test_groups_go_with_their_rules_and_ports_with_their_groups(cloud_db: Cloud, database: Database) -> None:
    port = cloud_db.port(cloud_db.network()[0])
    group = cloud_db.make("security_groups", name="web")["id"]
    about = cloud_db.make("security_groups", name="peers")["id"]
    addresses = cloud_db.make("address_groups", addresses=["192.0.2.0/24"])["id"]
    rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp", "port_range_min": 80,
            "port_range_max": 81}
    made: list[str] = []

    def add(**attributes: Any) -> None:
        made.append(cloud_db.make("security_group_rules", **rule, **attributes)["id"])

    for attributes in ({}, {"remote_group_id": about}):
        found = entries(database, partial(add, **attributes))
        assert found == [("security_rule", made[-1])]
    cases: list[tuple[Callable[[], Any], set[tuple[str, str]]]] = [
        (lambda: cloud_db.change("security_groups", group, stateful=False), {("security_group", group)}),
        (lambda: cloud_db.change("security_groups", group, name="www", description="other"), set()),
        (lambda: cloud_db.change("ports", port, security_groups=[group]), {("port", port)}),
        (lambda: cloud_db.act("address_groups", addresses, "add_addresses", addresses=["2001:db8::/64"]),
         {("address_group", addresses)}),
    ]
    for operation, expected in cases:
        assert set(entries(database, operation)) == expected
    ended = entries(database, lambda: cloud_db.delete("security_groups", about))
    assert {("security_group", about), ("security_rule", made[1])} <= set(ended)
    assert ("security_group", group) not in ended
    keys = (Key("security_group", group), Key("security_rule", made[0]), Key("port", port),
            Key("address_group", addresses), Key("security_rule", made[1]))
    with database.read() as session:
        fact, first, held, listed, second = load(session, keys).values()
    assert isinstance(fact, SecurityGroup) and isinstance(held, Port) and isinstance(listed, AddressGroup)
    assert (first, second) == (SecurityRule(group, True, 4, 6, 80, 81), None) and not fact.stateful
    assert held.groups == (group,)
    assert [str(cidr) for cidr in listed.cidrs] == ["192.0.2.0/24", "2001:db8::/64"]
    assert len({fact.key, listed.key, held.key}) == 3
    cloud_db.change("ports", port, port_security_enabled=False, security_groups=[])
    with database.read() as session:
        [held] = load(session, (Key("port", port),)).values()
    assert isinstance(held, Port) and held.groups is None


@pytest.mark.parametrize(("attributes", "expected"), [
    ({}, SecurityRule("g", True, 4)), ({"protocol": "any", "ethertype": "IPv6"}, SecurityRule("g", True, 6)),
    ({"protocol": "icmp", "ethertype": "ipv6"}, SecurityRule("g", True, 6, 58)),
    ({"protocol": "0"}, SecurityRule("g", True, 4)),
    ({"protocol": "icmp", "port_range_min": 8}, SecurityRule("g", True, 4, 1, 8)),
    ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535}, SecurityRule("g", True, 4, 6)),
    ({"remote_ip_prefix": "10.0.0.9"}, SecurityRule("g", True, 4, cidr=ip_network("10.0.0.9/32"))),
    ({"remote_ip_prefix": "0.0.0.0/0"}, SecurityRule("g", True, 4)),
    ({"remote_group_id": "abc"}, SecurityRule("g", True, 4, remote="abc")),
])
def test_rules_as_the_data_plane_has_them(attributes: dict[str, Any], expected: SecurityRule) -> None:
    assert security_rule("g", rule_content.settled({"direction": "ingress", **attributes})["content"]) == expected


def test_what_no_flow_depends_on_is_not(cloud_db: Cloud, database: Database) -> None:
    network, subnet = cloud_db.network()
    port = cloud_db.port(network, "hv1")
    router = cloud_db.make("routers")["id"]
    for collection, identifier in (("networks", network), ("subnets", subnet), ("ports", port), ("routers", router)):
        assert entries(database, lambda c=collection, i=identifier: cloud_db.change(  # type: ignore[misc]
            c, i, name="other", description="other")) == []
        assert entries(database, lambda c=collection, i=identifier: cloud_db.change(  # type: ignore[misc]
            c, i, name="other")) == []

    def report() -> None:
        with database.write() as session:
            status.set_alive(session, "hv1", True)
            status.acknowledge(session, {port: 1})
            status.report_error(session, "port", port, "tests", "broken")

    assert entries(database, report) == []


def test_a_transaction_that_fails_leaves_nothing(cloud_db: Cloud, database: Database) -> None:
    network, _ = cloud_db.network()
    cloud_db.make("ports", network_id=network, fixed_ips=[{"ip_address": "10.0.0.9"}])
    nudges: list[int] = []
    database.on_commit.append(lambda: nudges.append(1))

    def fail() -> None:
        with pytest.raises(IpAddressAlreadyAllocated):
            cloud_db.make("ports", network_id=network, fixed_ips=[{"ip_address": "10.0.0.9"}])

    assert entries(database, fail) == []
    assert nudges == []
    cloud_db.change("networks", network, admin_state_up=False)
    assert nudges == [1]


def test_deleting_takes_everything_with_it(cloud_db: Cloud, database: Database) -> None:
    """Each fact that a delete ends is named, so that it is compiled away."""
    network, _ = cloud_db.network()
    port = cloud_db.port(network, "hv1")
    assert set(entries(database, lambda: cloud_db.delete("ports", port))) == {("port", port), ("vif", port)}
    found = set(entries(database, lambda: cloud_db.delete("networks", network)))
    assert {kind for kind, _ in found} == {"network", "subnet"}
    with database.read() as session:
        assert {key.kind for key, _ in load_all(session)} == {"hypervisor", "security_group", "security_rule"}


def test_some_are_as_all_are(cloud_db: Cloud, database: Database) -> None:
    network, subnet = cloud_db.network()
    _, far = cloud_db.network("10.1.0.0/24")
    cloud_db.port(network, "hv1")
    cloud_db.make("routes", source_subnet_id=subnet, destination_subnet_id=far)
    router = cloud_db.make("routers")["id"]
    cloud_db.act("routers", router, "add_router_interface", subnet_id=far)
    cloud_db.make("qos/policies")
    cloud_db.make("address_groups", addresses=["192.0.2.0/24", "2001:db8::/64"])
    with database.read() as session:
        everything = dict(load_all(session))
        assert {key.kind for key in everything} == {"network", "subnet", "port", "vif", "hypervisor", "router",
                                                    "route", "qos_policy", "security_group", "security_rule",
                                                    "address_group"}
        for key, fact in everything.items():
            assert load(session, (key, key)) == {key: fact}
        gone = Key("port", "nothing")
        assert load(session, (gone, *everything)) == {gone: None, **everything}


def test_many_cost_the_statements_of_one(cloud_db: Cloud, database: Database) -> None:
    network, _ = cloud_db.network()
    keys = [Key(kind, port) for port in (cloud_db.port(network, "hv1", f"tap{number}") for number in range(3))
            for kind in ("port", "vif")]

    def sent(keys: list[Key]) -> int:
        with statements() as heard, database.read() as session:
            load(session, keys)
        return len(heard)

    assert sent(keys) == sent(keys[:2])


def test_migrations_make_what_the_models_say(database: Database) -> None:
    with database.write() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Row.metadata) == []


BULK: dict[str, Callable[[Session], Any]] = {
    "update": lambda session: session.execute(sqlalchemy.update(PortRow).values(mac_address="02:00:00:00:00:01")),
    "delete": lambda session: session.execute(sqlalchemy.delete(VifRow)),
    "insert": lambda session: session.execute(sqlalchemy.insert(TunnelKeyRow), [{"network_id": "x", "key": 9}]),
    "insert select": lambda session: session.execute(sqlalchemy.insert(TunnelKeyRow).from_select(
        ["network_id", "key"], sqlalchemy.select(NetworkRow.id, sqlalchemy.literal(7)))),
    "query update": lambda session: session.query(NetworkRow).update({"mtu": 1300}),
    "query delete": lambda session: session.query(AllocationRow).delete(),
    "mappings": lambda session: session.bulk_update_mappings(
        sqlalchemy.inspect(NetworkRow), [{"id": session.scalar(sqlalchemy.select(NetworkRow.id)), "mtu": 1300}]),
    "core": lambda session: session.connection().execute(sqlalchemy.update(PortRow.__table__).values(number=9)),
    "text": lambda session: session.execute(sqlalchemy.text("UPDATE networks SET mtu = 1300")),
    "lower case": lambda session: session.execute(sqlalchemy.text(" update or ignore 'networks' set mtu = 1300")),
    "replace": lambda session: session.execute(sqlalchemy.text("REPLACE INTO keys SELECT 7; "
                                                               "REPLACE INTO networks SELECT * FROM networks")),
}


@pytest.mark.parametrize("statement", BULK)
def test_no_bulk_statement_passes_the_journal_by(cloud_db: Cloud, database: Database, statement: str) -> None:
    """An UPDATE in bulk fires no event of the mapper. A flush before it opens no door."""
    network, _ = cloud_db.network()
    port = cloud_db.port(network, "hv1")
    with database.read() as session:
        before = dict(load_all(session))

    def attempt() -> None:
        with pytest.raises(RuntimeError, match="journal"), database.write() as session:
            row = session.get(PortRow, port)
            assert row is not None
            row.mac_address = "02:00:00:00:00:02"
            session.flush()
            BULK[statement](session)

    assert entries(database, attempt) == []
    with database.read() as session:
        assert dict(load_all(session)) == before


def test_tables_that_are_not_journalled_may_be_written_in_bulk(database: Database) -> None:
    with database.write() as session:
        session.execute(sqlalchemy.insert(CounterRow), [{"port_id": "x", "host": "hv1", "metric": "in"}])
        session.execute(sqlalchemy.delete(CounterRow))


@pytest.mark.parametrize("module", ["rows", "security_group_rows", "load"])
def test_tables_are_whole_whichever_is_imported_first(module: str) -> None:
    code = f"import naas_sdn.db.{module}\nfrom sqlalchemy.orm import configure_mappers\nconfigure_mappers()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
