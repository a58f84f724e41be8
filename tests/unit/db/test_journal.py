"""The journal: what data planes must look at again, once for each transaction that changed it, and nothing else."""
from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import naas_sdn
from naas_sdn.db import journal, status
from naas_sdn.db.load import load, load_all
from naas_sdn.db.rows import NetworkRow, Row
from naas_sdn.db.session import Database
from naas_sdn.errors import IpAddressAlreadyAllocated
from tests.support.database import Cloud

BULK = frozenset(("update", "delete", "insert"))


def entries(database: Database, operation: Callable[[], Any]) -> list[tuple[str, str]]:
    """(kind, id) that the operation journals."""
    with database.read() as session:
        before = journal.last(session)
    operation()
    with database.read() as session:
        return [(kind, identifier) for _, kind, identifier in journal.read(session, before)]


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
        (lambda: cloud_db.change("ports", port, port_security_enabled=False), {("port", port)}),
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
        assert {key.kind for key, _ in load_all(session)} == {"hypervisor"}


def test_one_by_one_is_all_at_once(cloud_db: Cloud, database: Database) -> None:
    network, subnet = cloud_db.network()
    _, far = cloud_db.network("10.1.0.0/24")
    cloud_db.port(network, "hv1")
    cloud_db.make("routes", source_subnet_id=subnet, destination_subnet_id=far)
    router = cloud_db.make("routers")["id"]
    cloud_db.act("routers", router, "add_router_interface", subnet_id=far)
    cloud_db.make("qos/policies")
    with database.read() as session:
        everything = dict(load_all(session))
        assert {key.kind for key in everything} == {"network", "subnet", "port", "vif", "hypervisor", "router",
                                                    "route", "qos_policy"}
        for key, fact in everything.items():
            assert load(session, key.kind, key.id) == fact
        assert load(session, "port", "nothing") is None


def test_migrations_make_what_the_models_say(database: Database) -> None:
    with database.write() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Row.metadata) == []


def bulk_statements(source: str) -> list[str]:
    """Calls of SQLAlchemy's update, delete and insert."""
    tree = ast.parse(source)
    names = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
             and node.module == "sqlalchemy" for alias in node.names if alias.name in BULK}
    return [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name) and node.func.id in names]


def test_no_bulk_statement_passes_the_journal_by() -> None:
    """An UPDATE in bulk fires no event of the mapper. Tables that are not journalled may have them."""
    assert bulk_statements("from sqlalchemy import update as change\nchange(PortRow)") == ["change(PortRow)"]
    journalled = [mapper.class_.__name__ for mapper in Row.registry.mappers
                  if journal.subject(mapper.class_(id="x") if "id" in mapper.columns else mapper.class_()) is not None]
    assert NetworkRow.__name__ in journalled
    assert "CounterRow" not in journalled
    found = [statement for path in Path(naas_sdn.__file__).parent.rglob("*.py")
             for statement in bulk_statements(path.read_text())]
    assert found
    assert not [statement for statement in found if any(name in statement for name in journalled)]
