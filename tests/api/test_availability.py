"""How many addresses networks have and use."""
from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.api.test_statements import statements
from tests.api.wire import GONE, Wire

PATH = "network-ip-availabilities"


def test_addresses_are_counted(wire: Wire) -> None:
    network = wire.network("10.0.0.0/24", name="n")
    small = wire.make("subnets", network_id=network["id"], ip_version=4, cidr="10.1.0.0/24", name="small",
                      allocation_pools=[{"start": "10.1.0.10", "end": "10.1.0.11"}, {"start": "10.1.0.20",
                                                                                    "end": "10.1.0.20"}])["id"]
    large = network["subnets"][0]
    wire.make("ports", network_id=network["id"], fixed_ips=[{"subnet_id": large}, {"ip_address": "10.1.0.99"}])
    wire.make("ports", network_id=network["id"], fixed_ips=[{"subnet_id": large}])
    parts = {part["subnet_id"]: part for part in
             wire.ask("GET", f"{PATH}/{network['id']}", who="admin").body["network_ip_availability"].pop(
                 "subnet_ip_availability")}
    assert parts == {
        large: {"subnet_id": large, "cidr": "10.0.0.0/24", "subnet_name": "", "ip_version": 4, "total_ips": 253,
                "used_ips": 2},
        small: {"subnet_id": small, "cidr": "10.1.0.0/24", "subnet_name": "small", "ip_version": 4, "total_ips": 3,
                "used_ips": 1}}
    [listed] = wire.ask("GET", f"{PATH}?ip_version=4", who="service").body["network_ip_availabilities"]
    assert listed == wire.ask("GET", f"{PATH}/{network['id']}", who="admin").body["network_ip_availability"]
    del listed["subnet_ip_availability"]
    assert listed == {"network_id": network["id"], "network_name": "n", "project_id": "alice", "tenant_id": "alice",
                      "total_ips": 256, "used_ips": 3}


def test_only_operators_are_told(wire: Wire) -> None:
    network = wire.network()["id"]
    assert wire.ask("GET", PATH).body == {"network_ip_availabilities": []}
    for who, identifier in (("alice", network), ("admin", GONE)):
        answer = wire.ask("GET", f"{PATH}/{identifier}", who=who)
        assert (answer.status, answer.error) == (404, "NetworkNotFound")


def test_filters_and_pages(wire: Wire) -> None:
    full = wire.network(name="full")["id"]
    empty = wire.network(None, name="empty")["id"]
    foreign = wire.network(who="bob")["id"]

    def found(query: str) -> list[str]:
        answer = wire.ask("GET", f"{PATH}?{query}", who="admin")
        assert answer.status == 200, answer.body
        return [item["network_id"] for item in answer.body["network_ip_availabilities"]]

    everything = sorted([full, empty, foreign])
    assert found("") == everything
    assert found("ip_version=4") == sorted([full, foreign])
    assert found("ip_version=6") == found("ip_version=x") == []
    assert found("network_name=empty") == found(f"network_id={empty}") == [empty]
    assert found("tenant_id=bob") == found("project_id=bob&ip_version=4") == [foreign]
    assert found("sort_key=network_name&tenant_id=alice") == [empty, full]
    body = wire.ask("GET", f"{PATH}?limit=2&fields=network_id", who="admin").body
    [link] = [link["href"] for link in body["network_ip_availabilities_links"] if link["rel"] == "next"]
    first = [item["network_id"] for item in body["network_ip_availabilities"]]
    assert first + found(urlsplit(link).query) == everything


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_is_only_read(wire: Wire, method: str) -> None:
    url = PATH if method == "POST" else f"{PATH}/{wire.network()['id']}"
    body = None if method == "DELETE" else {"network_ip_availability": {}}
    assert wire.ask(method, url, body, who="admin").status == 403


def test_networks_more_cost_no_statement_more(wire: Wire) -> None:
    def cost() -> int:
        with statements() as heard:
            assert wire.ask("GET", PATH, who="admin").status == 200
        return len(heard)

    wire.make("ports", network_id=wire.network()["id"])
    wire.token("admin")
    few = cost()
    for _ in range(3):
        wire.make("ports", network_id=wire.network()["id"])
    assert cost() == few


def test_there_are_none_without_layer_3(bare: Wire) -> None:
    assert bare.ask("GET", PATH, who="admin").status == 501
