"""Filters, fields, order, pages; and that a list's cost is not its length's in statements."""
from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.api.wire import GONE, Wire
from tests.support.statements import statements


def names(wire: Wire, query: str) -> list[str]:
    answer = wire.ask("GET", f"networks?{query}")
    assert answer.status == 200, answer.body
    return [network["name"] for network in answer.body["networks"]]


def test_filters_are_any_of_and_all_of(wire: Wire) -> None:
    for name in ("a", "b", "c"):
        wire.make("networks", name=name, admin_state_up=name != "c")
    assert sorted(names(wire, "name=a&name=c")) == ["a", "c"]
    assert names(wire, "name=a&name=c&admin_state_up=no") == ["c"]
    assert names(wire, "admin_state_up=False&tenant_id=alice") == ["c"]
    assert names(wire, "tenant_id=bob") == []
    assert names(wire, "status=ACTIVE&name=b") == ["b"]
    assert names(wire, "status=DOWN") == []


def test_fields_are_what_is_asked_for(wire: Wire) -> None:
    network = wire.make("networks", name="a")
    assert wire.ask("GET", "networks?fields=id&fields=name").body["networks"] == [{"id": network["id"], "name": "a"}]
    assert wire.ask("GET", f"networks/{network['id']}?fields=name").body == {"network": {"name": "a"}}


def test_order(wire: Wire) -> None:
    for name, up in (("b", True), ("a", False), ("c", False)):
        wire.make("networks", name=name, admin_state_up=up)
    assert names(wire, "sort_key=name") == ["a", "b", "c"]
    assert names(wire, "sort_key=name&sort_dir=desc") == ["c", "b", "a"]
    assert names(wire, "sort_key=admin_state_up&sort_dir=desc&sort_key=name&sort_dir=desc") == ["b", "c", "a"]


@pytest.mark.parametrize("order", ["", "sort_key=name&sort_dir=desc", "sort_key=admin_state_up&sort_key=mtu"])
def test_pages_cover_all_once_both_ways(wire: Wire, order: str) -> None:
    for number in range(7):
        wire.make("networks", name=f"n{number % 3}", admin_state_up=bool(number % 2))
    whole = [network["id"] for network in wire.ask("GET", f"networks?{order}").body["networks"]]
    assert len(whole) == 7

    def page(query: str) -> tuple[list[str], dict[str, str]]:
        body = wire.ask("GET", f"networks?{query}").body
        links = {link["rel"]: urlsplit(link["href"]).query for link in body.get("networks_links", [])}
        return [network["id"] for network in body["networks"]], links

    seen: list[str] = []
    query: str | None = f"{order}&limit=3".lstrip("&")
    last = ""
    while query is not None:
        found, links = page(query)
        seen += found
        last, query = query, links.get("next")
    assert seen == whole
    back, links = page(last)
    seen = back
    while "previous" in links:
        found, links = page(links["previous"])
        seen = found + seen
    assert seen == whole


def test_vifs_are_ordered_and_filtered_by_whose_port_they_plug(wire: Wire) -> None:
    network = wire.network(who="admin", shared=True)
    vifs = {}
    for who in ("carol", "alice", "bob"):
        port = wire.make("ports", who, network_id=network["id"])
        vifs[who] = wire.make("vifs", "service", port_id=port["id"], host="hv1", interface=f"tap-{who}")["id"]
    for name in ("tenant_id", "project_id"):
        def found(query: str, name: str = name) -> list[str]:
            return [vif[name] for vif in wire.ask("GET", f"vifs?{query}", who="service").body["vifs"]]

        assert found(f"sort_key={name}") == ["alice", "bob", "carol"]
        assert found(f"sort_key={name}&sort_dir=desc&limit=1&marker={vifs['bob']}") == ["alice"]
        assert found(f"{name}=bob&{name}=alice&sort_key={name}") == ["alice", "bob"]


@pytest.mark.parametrize("order", ["sort_key=alive&sort_key=alive", "sort_key=name&sort_key=name", "sort_key=alive"])
def test_an_order_said_twice(wire: Wire, order: str) -> None:
    first, second = (hypervisor["id"] for hypervisor in
                     wire.ask("GET", f"hypervisors?{order}", who="admin").body["hypervisors"])
    rest = wire.ask("GET", f"hypervisors?{order}&marker={first}", who="admin").body["hypervisors"]
    assert [hypervisor["id"] for hypervisor in rest] == [second]


def test_rules_are_listed_as_all_else(wire: Wire) -> None:
    policies = [wire.make("qos/policies", "manager")["id"] for _ in range(2)]
    for policy in policies:
        for direction, speed in (("egress", 2000), ("ingress", 1000)):
            wire.ask("POST", f"qos/policies/{policy}/bandwidth_limit_rules",
                     {"bandwidth_limit_rule": {"direction": direction, "max_kbps": speed}}, who="manager")

    def found(query: str, policy: str = policies[0]) -> list[dict[str, str]]:
        answer = wire.ask("GET", f"qos/policies/{policy}/bandwidth_limit_rules?{query}")
        assert answer.status == 200, answer.body
        rules: list[dict[str, str]] = answer.body["bandwidth_limit_rules"]
        return rules

    slow, fast = found("sort_key=max_kbps")
    assert (slow["direction"], fast["direction"]) == ("ingress", "egress")
    assert found("sort_key=max_kbps&sort_dir=desc") == [fast, slow]
    assert found("sort_key=max_kbps&limit=1") == [slow]
    assert found(f"sort_key=max_kbps&limit=1&marker={slow['id']}") == [fast]
    assert found("direction=egress") == found("max_kbps=2000") == [fast]
    for marker in (GONE, found("", policies[1])[0]["id"]):
        answer = wire.ask("GET", f"qos/policies/{policies[0]}/bandwidth_limit_rules?marker={marker}")
        assert (answer.status, answer.error) == (404, "QosRuleNotFound")


@pytest.mark.parametrize(("query", "status", "kind"), [
    ("bogus=1", 400, "HTTPBadRequest"), ("subnets=1", 400, "HTTPBadRequest"), ("admin_state_up=maybe", 400, None),
    ("sort_key=subnets", 400, None), ("sort_key=name&sort_dir=up", 400, None),
    ("sort_key=name&sort_dir=asc&sort_dir=asc", 400, None),
    ("limit=x", 400, "BadRequest"), ("limit=-1", 400, "BadRequest"), (f"marker={GONE}", 404, "NetworkNotFound"),
    ("page_reverse=maybe", 400, None), ("name=%00", 400, None), ("name=%ff", 400, None),
    ("limit=" + "9" * 30, 400, None),
])
def test_bad_queries(wire: Wire, query: str, status: int, kind: str | None) -> None:
    answer = wire.ask("GET", f"networks?{query}")
    assert answer.status == status
    assert kind in (None, answer.error)


@pytest.mark.parametrize("collection", ["networks", "subnets", "ports", "routers", "routes", "vifs", "hypervisors",
                                        "qos/policies", "trunks", "bridges"])
def test_a_list_costs_the_same_statements_however_long(wire: Wire, collection: str) -> None:
    def furnish(number: int) -> None:
        first = wire.network(f"10.{number}.0.0/24", "admin")
        second = wire.network(f"10.{number}.1.0/24", "admin")
        wire.make("routes", "admin", source_subnet_id=first["subnets"][0], destination_subnet_id=second["subnets"][0])
        router = wire.make("routers", "admin")
        wire.ask("PUT", f"routers/{router['id']}/add_router_interface", {"subnet_id": first["subnets"][0]}, who="admin")
        policy = wire.make("qos/policies", "admin")
        for direction in ("egress", "ingress"):
            wire.ask("POST", f"qos/policies/{policy['id']}/bandwidth_limit_rules",
                     {"bandwidth_limit_rule": {"max_kbps": 1000, "direction": direction}}, who="admin")
        port = wire.make("ports", "admin", network_id=first["id"], qos_policy_id=policy["id"])
        wire.make("trunks", "admin", port_id=port["id"], sub_ports=[{
            "port_id": wire.make("ports", "admin", network_id=second["id"])["id"], "segmentation_type": "vlan",
            "segmentation_id": number}])
        wire.make("vifs", "admin", port_id=port["id"], host="hv1", interface=f"tap{number}")
        wire.make("bridges", "admin", network_id=first["id"], type="gre", remote_endpoint="198.51.100.9", key=number,
                  plugged=True)

    def cost() -> tuple[int, int]:
        with statements() as heard:
            answer = wire.ask("GET", collection, who="admin")
        return len(next(iter(answer.body.values()))), len(heard)

    furnish(1)
    few, cheap = cost()
    for number in range(2, 8):
        furnish(number)
    many, dear = cost()
    assert collection == "hypervisors" or many > few
    assert dear == cheap


def test_text_sorts_by_its_bytes_on_every_database(wire: Wire) -> None:
    names = ["B", "a", "Z", "é", "_", "10", "9", "a b", "ab", ""]
    for name in names:
        wire.make("networks", name=name)
    listed: list[str] = []
    marker = ""
    while page := wire.ask("GET", f"networks?sort_key=name&limit=3{marker}").body["networks"]:
        listed += [network["name"] for network in page]
        marker = f"&marker={page[-1]['id']}"
    assert listed == sorted(names, key=str.encode)


def test_what_is_unknown_sorts_first_on_every_database(wire: Wire) -> None:
    quotas = [5, None, 0, None, 12]
    for quota in quotas:
        wire.make("subnetpools", name="p", prefixes=["10.0.0.0/8"], default_quota=quota)
    listed: list[int | None] = []
    marker = ""
    while page := wire.ask("GET", f"subnetpools?sort_key=default_quota&limit=2{marker}").body["subnetpools"]:
        listed += [pool["default_quota"] for pool in page]
        marker = f"&marker={page[-1]['id']}"
    assert listed == [None, None, 0, 5, 12]
