"""What others have costs a project nothing: how the databases find the rows of the calls that are made most.

On SQLite no plan reads a whole table or index. On PostgreSQL, which tells it, no look-up reads more rows than a few
times what the project has.
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from bench.projects import Projects
from naas_sdn.db.rows import Row
from tests.api.wire import Wire

PROJECTS, EACH, POLICIES = 200, 25, 1000
OF_THE_CLOUD = frozenset(("hypervisors", "agents", "heartbeats"))
"""Tables that do not grow with what projects have."""

READ = 4 * EACH
"""Rows that one look-up of a table may read for who has EACH; each table has more."""

LISTS = ("ports", "ports?limit=10&sort_key=name", "ports?name=port7", "ports?device_owner=compute:nova",
         "ports?network_id={network}", "ports?fixed_ips=subnet_id={subnet}", "ports?security_groups={group}",
         "networks", "networks?shared=true", "subnets", "vifs", "security-groups", "security-group-rules",
         "rbac-policies", "routers", "routes", "trunks", "qos/policies", "subnetpools", "address-scopes",
         "address-groups", "bridges", "quotas/p7/details.json")


@pytest.fixture
def many(url: str) -> Iterator[tuple[Wire, Projects]]:
    """Asked as p7."""
    made = Projects(PROJECTS, PROJECTS * EACH, POLICIES)
    made.fill(url)
    with Wire(url, registered=True) as wire:
        wire.token("p7")
        yield wire, made


def test_lists_read_what_is_seen(many: tuple[Wire, Projects]) -> None:
    """And no more, for each reason to see it; all pages and one by one."""
    wire, made = many
    network = made.networks[7][0]
    [group] = wire.ask("GET", "security-groups?fields=id", who="p7").body["security_groups"]
    subnet = wire.ask("GET", f"subnets?network_id={network}", who="p7").body["subnets"][0]["id"]
    with plans() as faults:
        for path in LISTS:
            answer = wire.ask("GET", path.format(network=network, group=group["id"], subnet=subnet), who="p7")
            assert answer.status == 200, answer.body
        page = wire.ask("GET", "ports?limit=10", who="p7").body["ports"]
        assert len(page) == 10
        assert len(wire.ask("GET", f"ports?limit=24&marker={page[-1]['id']}", who="p7").body["ports"]) == EACH - 10
        for port in page[:2]:
            assert wire.ask("GET", f"ports/{port['id']}", who="p7").status == 200
        assert wire.ask("GET", f"networks/{network}", who="p7").status == 200
        assert wire.ask("GET", f"networks/{made.networks[3][1]}", who="p5").status == 200, "is shared with p5"
    assert not faults, "\n\n".join(faults)


def test_changes_read_what_they_concern(many: tuple[Wire, Projects]) -> None:
    wire, made = many
    with plans() as faults:
        port = wire.make("ports", "p7", network_id=made.networks[7][0])
        assert wire.ask("PUT", f"ports/{port['id']}", {"port": {"name": "other"}}, who="p7").status == 200
        wire.make("vifs", "admin", port_id=port["id"], host="hv1", interface="tap")
        assert wire.ask("DELETE", f"ports/{port['id']}", who="p7").status == 204
        network = wire.make("networks", "p7")
        wire.make("subnets", "p7", network_id=network["id"], ip_version=4, cidr="10.1.0.0/24")
        policy = wire.make("rbac_policies", "p7", object_type="network", object_id=network["id"],
                           action="access_as_shared", target_tenant="p8")
        assert wire.ask("DELETE", f"rbac-policies/{policy['id']}", who="p7").status == 204
        assert wire.ask("DELETE", f"networks/{network['id']}", who="p7").status == 204
    assert not faults, "\n\n".join(faults)


def test_an_operators_page_is_read_in_order(many: tuple[Wire, Projects]) -> None:
    """Not sorted from all that there is."""
    wire, _ = many
    with plans(whole=True) as faults:
        page = wire.ask("GET", "ports?limit=50", who="admin").body["ports"]
        assert len(wire.ask("GET", f"ports?limit=50&marker={page[-1]['id']}", who="admin").body["ports"]) == 50
    assert not faults, "\n\n".join(faults)


@contextmanager
def plans(*, whole: bool = False) -> Iterator[list[str]]:
    """What is wrong with the plans of the statements that are executed. `whole`: of pages of all that there is."""
    faults: list[str] = []

    def explain(connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith("SELECT"):
            return
        asking = cursor.connection.cursor()
        if connection.dialect.name == "sqlite":
            asking.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [str(step[-1]) for step in asking.fetchall()]
            wrong = [step for step in steps if (_sorts(step) and "LIMIT" in statement if whole else _scans(step))]
        else:
            asking.execute(f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {statement}", parameters)
            [[answer]] = asking.fetchall()
            steps = [json.dumps(answer, indent=1)]
            wrong = list(_greedy(answer[0]["Plan"]))
        if wrong:
            faults.append("\n".join((statement, *wrong, *steps)))

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield faults
    finally:
        event.remove(Engine, "before_cursor_execute", explain)


def _scans(step: str) -> bool:
    """Of SQLite: a whole table or a whole index."""
    found = re.match(r"SCAN (\w+)", step)
    return found is not None and _grows(found[1])


def _sorts(step: str) -> bool:
    """Of SQLite: rows that are read before any is told."""
    return step == "USE TEMP B-TREE FOR ORDER BY"


def _greedy(node: dict[str, Any]) -> Iterator[str]:
    """Of PostgreSQL: nodes that read too much of a table."""
    table = node.get("Relation Name", "")
    read = node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                                   + node.get("Rows Removed by Index Recheck", 0))
    if read > READ and _grows(table):
        yield f"{node['Node Type']} of {table} read {read} rows"
    for child in node.get("Plans", ()):
        yield from _greedy(child)


def _grows(table: str) -> bool:
    name = re.sub(r"_\d+$", "", table)
    return name in Row.metadata.tables and name not in OF_THE_CLOUD
