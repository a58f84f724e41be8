"""How many of each a project may have: told, set, and kept, also when two ask at once for the last one."""
from __future__ import annotations

from typing import Any

import pytest

from naas_sdn import runtime
from naas_sdn.config import QUOTAS
from tests.api.test_statements import statements
from tests.api.wire import Answer, Wire

NONE_LEFT = dict.fromkeys(QUOTAS, 0)


def limit(wire: Wire, project: str = "alice", **limits: Any) -> Answer:
    return wire.ask("PUT", f"quotas/{project}", {"quota": limits}, who="admin")


def test_limits_are_read_set_and_reset(wire: Wire) -> None:
    assert wire.ask("GET", "quotas/alice").body == {"quota": QUOTAS}
    assert wire.ask("GET", "quotas", who="admin").body == {"quotas": []}
    made = limit(wire, network="7", port=-1)
    assert (made.status, made.body) == (200, {"quota": {**QUOTAS, "network": 7, "port": -1}})
    assert wire.ask("GET", "quotas/alice").body == made.body
    assert limit(wire, network=8).body["quota"]["port"] == -1
    assert wire.ask("GET", "quotas/alice/default.json").body == {"quota": QUOTAS}
    assert wire.ask("GET", "quotas", who="admin").body == {
        "quotas": [{**QUOTAS, "network": 8, "port": -1, "project_id": "alice", "tenant_id": "alice"}]}
    assert wire.ask("DELETE", "quotas/alice", who="admin").status == 204
    again = wire.ask("DELETE", "quotas/alice", who="admin")
    assert (again.status, again.error) == (404, "TenantQuotaNotFound")
    assert wire.ask("GET", "quotas/alice").body == {"quota": QUOTAS}


def test_pages_of_quotas(wire: Wire) -> None:
    for project in ("c", "a", "b"):
        limit(wire, project, port=1)
    page = wire.ask("GET", "quotas?limit=2", who="admin").body
    assert [item["project_id"] for item in page["quotas"]] == ["a", "b"]
    assert page["quotas_links"][0]["href"].endswith("/v2.0/quotas?limit=2&marker=b")
    rest = wire.ask("GET", "quotas?limit=2&marker=b", who="admin").body["quotas"]
    assert [item["project_id"] for item in rest] == ["c"]
    back = wire.ask("GET", "quotas?limit=1&marker=c&page_reverse=True", who="admin").body["quotas"]
    assert [item["project_id"] for item in back] == ["b"]
    assert len(wire.ask("GET", "quotas?project_id=c", who="admin").body["quotas"]) == 1
    with statements() as heard:
        wire.ask("GET", "quotas", who="admin")
    assert len(heard) == 3, heard       # the token, the projects, their limits


def test_details_count_what_there_is(wire: Wire) -> None:
    network = wire.network()
    wire.make("ports", network_id=network["id"])
    wire.make("vifs", "admin", network_id=network["id"], project_id="alice", host="hv1", interface="tap")
    details = wire.ask("GET", "quotas/alice/details").body["quota"]
    assert {name: detail["used"] for name, detail in details.items()} == {
        "network": 1, "subnet": 1, "port": 2, "router": 0, "vif": 1, "route": 0, "trunk": 0, "security_group": 1,
        "security_group_rule": 4, "rbac_policy": 0, "floatingip": 0,
        "subnetpool": 0, "address_scope": 0, "address_group": 0, "bridge": 0}
    assert details["port"] == {"limit": 500, "used": 2, "reserved": 0}


def test_whose_quota_it_is(wire: Wire) -> None:
    assert wire.ask("GET", "quotas/tenant").body == {"tenant": {"tenant_id": "alice"}}
    assert wire.ask("GET", "quotas/project").body == {"project": {"project_id": "alice"}}
    for method, path, who, status in (
            ("GET", "quotas/alice", "reader", 200), ("GET", "quotas/alice/details", "reader", 200),
            ("GET", "quotas/alice", "admin", 200), ("GET", "quotas/alice/details", "admin", 200),
            ("GET", "quotas/alice", "bob", 403), ("GET", "quotas/alice/details", "bob", 403),
            ("GET", "quotas/alice/default", "bob", 403), ("GET", "quotas", "alice", 403),
            ("PUT", "quotas/alice", "alice", 403), ("DELETE", "quotas/alice", "alice", 403),
            ("PUT", "quotas/alice", "service", 403), ("POST", "quotas", "admin", 405)):
        body = {"PUT": {"quota": {"network": 5}}, "POST": {"quota": {}}}.get(method)
        assert wire.ask(method, path, body, who=who).status == status, (method, path, who)


@pytest.mark.parametrize("limits", [{"network": -2}, {"network": "x"}, {"network": None}, {"network": 2**31},
                                    {"bogus": 1}, {"project_id": "bob"}, {"force": "perhaps"}])
def test_what_is_no_limit(wire: Wire, limits: dict[str, Any]) -> None:
    answer = limit(wire, **limits)
    assert (answer.status, answer.error) == (400, "HTTPBadRequest")


def test_a_limit_below_what_is_used(wire: Wire) -> None:
    wire.make("networks")
    refused = limit(wire, network=0, port=3, check_limit=True)
    assert (refused.status, refused.error) == (400, "HTTPBadRequest")
    assert "network 0, used 1" in refused.message
    assert wire.ask("GET", "quotas/alice").body == {"quota": QUOTAS}
    assert limit(wire, network=1, check_limit=True).status == 200
    assert limit(wire, network=0, check_limit=True, force=True).status == 200
    assert wire.ask("GET", "quotas/alice/details").body["quota"]["network"] == {"limit": 0, "used": 1, "reserved": 0}


def test_everything_is_limited(wire: Wire) -> None:
    first, second = wire.network("10.1.0.0/24"), wire.network("10.2.0.0/24")
    port = wire.make("ports", network_id=first["id"])
    [group] = port["security_groups"]
    assert limit(wire, **NONE_LEFT).status == 200
    before = wire.dump()
    for path, who, body in (
            ("networks", "alice", {"network": {}}),
            ("subnets", "alice", {"subnet": {"network_id": first["id"], "ip_version": 4, "cidr": "10.3.0.0/24"}}),
            ("ports", "alice", {"port": {"network_id": first["id"]}}),
            ("ports", "admin", {"port": {"network_id": first["id"], "project_id": "alice"}}),
            ("routers", "alice", {"router": {}}),
            ("routes", "alice", {"route": {"source_subnet_id": first["subnets"][0],
                                           "destination_subnet_id": second["subnets"][0]}}),
            ("trunks", "alice", {"trunk": {"port_id": port["id"]}}),
            ("bridges", "alice", {"bridge": {"network_id": first["id"]}}),
            ("security-groups", "alice", {"security_group": {"name": "web"}}),
            ("security-group-rules", "alice", {"security_group_rule": {"security_group_id": group,
                                                                       "direction": "ingress", "protocol": "tcp"}}),
            ("rbac-policies", "alice", {"rbac_policy": {
                "object_type": "network", "object_id": first["id"], "action": "access_as_shared",
                "target_tenant": "bob"}}),
            ("subnetpools", "alice", {"subnetpool": {"name": "p", "prefixes": ["10.9.0.0/16"]}}),
            ("address-scopes", "alice", {"address_scope": {"name": "s", "ip_version": 4}}),
            ("address-groups", "alice", {"address_group": {"name": "g"}}),
            ("vifs", "service", {"vif": {"port_id": port["id"], "host": "hv1", "interface": "tap"}})):
        answer = wire.ask("POST", path, body, who=who)
        [resource] = body
        assert (answer.status, answer.error) == (409, "OverQuota"), path
        assert answer.message == f"Quota exceeded for resources: ['{resource}']."
    plugged = wire.ask("PUT", f"ports/{port['id']}/plug", {"host": "hv1", "interface": "tap"}, who="service")
    assert plugged.error == "OverQuota"
    assert wire.dump() == before
    assert wire.ask("POST", "networks", {"network": {}}, who="reader").status == 403
    assert wire.ask("POST", "networks", {"network": {}}, who="bob").status == 201


def test_several_at_once_are_made_all_or_none(wire: Wire) -> None:
    network = wire.network()
    limit(wire, port=3)
    answer = wire.ask("POST", "ports", {"ports": [{"network_id": network["id"]}] * 4})
    assert (answer.status, answer.error) == (409, "OverQuota")
    assert wire.ask("GET", "ports").body["ports"] == []
    assert wire.ask("POST", "ports", {"ports": [{"network_id": network["id"]}] * 3}).status == 201
    assert wire.ask("DELETE", f"ports/{wire.ask('GET', 'ports').body['ports'][0]['id']}").status == 204
    assert wire.ask("POST", "ports", {"port": {"network_id": network["id"]}}).status == 201


def test_two_who_ask_for_the_last_one(wire: Wire) -> None:
    network = wire.network()
    limit(wire, port=1)
    asked = [runtime.spawn(wire.ask, "POST", "ports", {"port": {"network_id": network["id"]}}) for _ in range(4)]
    assert sorted(thread.wait().status for thread in asked) == [201, 409, 409, 409]


@pytest.mark.parametrize(("port", "many", "turns"), [(500, 1, 0), (500, 5, 1), (102, 1, 0), (101, 1, 0), (100, 1, 1),
                                                     (-1, 5, 0)])
def test_turns_are_taken_near_the_limit_and_by_those_who_make_several(wire: Wire, port: int, many: int,
                                                                      turns: int) -> None:
    """They are what another database than SQLite needs: a row that the next one waits for."""
    network = wire.network()
    limit(wire, port=port)
    with statements() as heard:
        wire.ask("POST", "ports", {"ports": [{"network_id": network["id"]}] * many})
    assert sum("quota_turns" in statement for statement in heard) == turns


def test_the_count_is_of_an_index(sqlite_wire: Wire) -> None:
    """And of no more rows than the limit."""
    wire = sqlite_wire
    network = wire.network()
    with statements() as heard:
        wire.make("ports", network_id=network["id"])
    [counted] = [statement for statement in heard if "quotas" in statement]
    with wire.database.read() as session:
        driver = session.connection().connection.driver_connection
        assert driver is not None
        plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {counted}", ("alice",) * counted.count("?"))]
    assert [step for step in plan if "ports" in step] == [
        "SEARCH ports USING COVERING INDEX ix_ports_project_id (project_id=?)"]
    assert not [step for step in plan if step.startswith("SCAN ports")]
