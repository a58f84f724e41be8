"""Subnet pools and address scopes: subnets that are cut from a range, and ranges in which nothing overlaps."""
from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import pytest

from naas_sdn.db import journal
from naas_sdn.service.subnet_pools import first_free
from tests.api.wire import GONE, Answer, Wire


def pool(wire: Wire, *prefixes: str, who: str = "alice", **attributes: Any) -> dict[str, Any]:
    return wire.make("subnetpools", who, **{"name": "pool", "prefixes": list(prefixes), **attributes})


def subnet(wire: Wire, network: str, who: str = "alice", **attributes: Any) -> Answer:
    return wire.ask("POST", "subnets", {"subnet": {"network_id": network, "ip_version": 4, **attributes}}, who=who)


def cut(wire: Wire, pool_id: str, **attributes: Any) -> Any:
    """The range of a subnet of the pool, on a network of its own."""
    answer = subnet(wire, wire.make("networks")["id"], subnetpool_id=pool_id, **attributes)
    assert answer.status == 201, answer.body
    assert answer.body["subnet"]["subnetpool_id"] == pool_id
    return answer.body["subnet"]["cidr"]


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error


def test_a_pool_has_neutron_s_defaults(wire: Wire) -> None:
    made = pool(wire, "10.8.0.0/17", "10.8.128.0/17")
    assert made["prefixes"] == ["10.8.0.0/16"]
    lengths = {"min_prefixlen": 8, "default_prefixlen": 8, "max_prefixlen": 32}
    assert made.items() >= {**lengths, "ip_version": 4, "shared": False, "is_default": False, "default_quota": None,
                            "address_scope_id": None}.items()
    assert wire.ask("GET", f"subnetpools/{made['id']}").body == {"subnetpool": made}
    assert pool(wire, "2001:db8::/32")["min_prefixlen"] == 64


def test_subnets_are_cut_one_after_another_and_a_freed_range_is_used_again(wire: Wire) -> None:
    made = pool(wire, "10.0.0.0/24", default_prefixlen="26", min_prefixlen="24")["id"]
    assert [cut(wire, made), cut(wire, made, prefixlen=28), cut(wire, made)] == [
        "10.0.0.0/26", "10.0.0.64/28", "10.0.0.128/26"]
    first = wire.ask("GET", f"subnets?subnetpool_id={made}&cidr=10.0.0.0/26").body["subnets"][0]
    assert wire.ask("DELETE", f"subnets/{first['id']}").status == 204
    assert cut(wire, made, cidr="10.0.0.16/28") == "10.0.0.16/28"
    assert cut(wire, made, prefixlen=28) == "10.0.0.0/28"
    network = wire.make("networks")["id"]
    assert refused(subnet(wire, network, subnetpool_id=made, prefixlen=25)) == (409, "SubnetAllocationError")
    assert refused(subnet(wire, network, subnetpool_id=made, cidr="10.0.0.128/28")) == (409, "SubnetAllocationError")
    assert refused(subnet(wire, network, subnetpool_id=made, cidr="10.9.0.0/28")) == (409, "SubnetAllocationError")
    assert wire.ask("GET", f"subnets?network_id={network}").body["subnets"] == []


def test_bounds_of_lengths_and_a_project_s_quota(wire: Wire) -> None:
    made = pool(wire, "10.0.0.0/16", min_prefixlen=24, max_prefixlen=28, default_quota=272)["id"]
    network = wire.make("networks")["id"]
    assert refused(subnet(wire, network, subnetpool_id=made, prefixlen=23)) == (400, "MinPrefixSubnetAllocationError")
    assert refused(subnet(wire, network, subnetpool_id=made, prefixlen=29)) == (400, "MaxPrefixSubnetAllocationError")
    assert cut(wire, made) == "10.0.0.0/24"
    assert cut(wire, made, prefixlen=28) == "10.0.1.0/28"
    assert refused(subnet(wire, network, subnetpool_id=made, prefixlen=28)) == (409, "SubnetPoolQuotaExceeded")
    for bounds in ({"min_prefixlen": 29}, {"max_prefixlen": 33}, {"default_prefixlen": 12}):
        answer = wire.ask("PUT", f"subnetpools/{made}", {"subnetpool": bounds})
        assert answer.status == 400, bounds
        assert "prefix" in answer.message
    assert wire.ask("PUT", f"subnetpools/{made}", {"subnetpool": {"default_prefixlen": 27}}).status == 200
    assert wire.ask("GET", f"subnetpools/{made}").body["subnetpool"]["default_prefixlen"] == 27


def test_all_subnets_of_a_network_are_of_one_pool_or_none(wire: Wire) -> None:
    first, second = (pool(wire, "10.0.0.0/16", default_prefixlen=24)["id"] for _ in range(2))
    network = wire.make("networks")["id"]
    assert subnet(wire, network, subnetpool_id=first).status == 201
    for other in ({"subnetpool_id": second}, {"cidr": "192.0.2.0/24"}):
        assert refused(subnet(wire, network, **other)) == (400, "NetworkSubnetPoolAffinityError")
    assert subnet(wire, network, subnetpool_id=first).body["subnet"]["cidr"] == "10.0.1.0/24"


def test_the_default_pool_is_the_operator_s_and_one_a_version(wire: Wire) -> None:
    network = wire.make("networks")["id"]
    assert refused(subnet(wire, network, use_default_subnetpool=True)) == (400, "BadRequest")
    body = {"subnetpool": {"name": "d", "prefixes": ["10.0.0.0/16"], "default_prefixlen": 24, "is_default": True,
                           "shared": True}}
    assert refused(wire.ask("POST", "subnetpools", body)) == (403, "PolicyNotAuthorized")
    made = wire.ask("POST", "subnetpools", body, who="admin").body["subnetpool"]
    assert refused(wire.ask("POST", "subnetpools", body, who="admin")) == (400, "InvalidInput")
    pool(wire, "2001:db8::/32", who="admin", is_default=True)
    answer = subnet(wire, network, use_default_subnetpool=True)
    assert answer.body["subnet"].items() >= {"cidr": "10.0.0.0/24", "subnetpool_id": made["id"]}.items()
    both = subnet(wire, wire.make("networks")["id"], use_default_subnetpool=True, subnetpool_id=made["id"])
    assert refused(both) == (400, "BadRequest")
    assert subnet(wire, wire.make("networks")["id"], prefixlen=24).status == 400


def test_a_pool_in_use_stays_and_its_prefixes_only_grow(wire: Wire) -> None:
    made = pool(wire, "10.0.0.0/16", default_prefixlen=24)["id"]
    cut(wire, made)
    path = f"subnetpools/{made}"
    assert refused(wire.ask("DELETE", path)) == (400, "SubnetPoolDeleteError")
    smaller = wire.ask("PUT", path, {"subnetpool": {"prefixes": ["10.0.0.0/17"]}})
    assert refused(smaller) == (400, "IllegalSubnetPoolPrefixUpdate")
    larger = wire.ask("PUT", path, {"subnetpool": {"prefixes": ["10.0.0.0/15"]}}).body["subnetpool"]
    assert larger["prefixes"] == ["10.0.0.0/15"]
    added = wire.ask("PUT", f"{path}/add_prefixes", {"prefixes": ["192.168.0.0/24"]})
    assert added.body == {"prefixes": ["10.0.0.0/15", "192.168.0.0/24"]}
    assert refused(wire.ask("PUT", f"{path}/add_prefixes", {"prefixes": ["2001:db8::/64"]})) == (
        400, "PrefixVersionMismatch")
    used = wire.ask("PUT", f"{path}/remove_prefixes", {"prefixes": ["10.0.0.0/25"]})
    assert refused(used) == (400, "IllegalSubnetPoolPrefixUpdate")
    removed = wire.ask("PUT", f"{path}/remove_prefixes", {"prefixes": ["10.1.0.0/16", "192.168.0.0/24"]})
    assert removed.body == {"prefixes": ["10.0.0.0/16"]}
    shown = wire.ask("GET", path).body["subnetpool"]
    assert shown["prefixes"] == ["10.0.0.0/16"]
    assert shown["revision_number"] > larger["revision_number"]


@pytest.mark.parametrize(("prefixes", "error"), [
    ([], "EmptySubnetPoolPrefixList"), (["10.0.0.0/8", "2001:db8::/32"], "PrefixVersionMismatch"),
    (["10.0.0.0"], "HTTPBadRequest"), ("10.0.0.0/8", "HTTPBadRequest")])
def test_prefixes_that_are_none(wire: Wire, prefixes: Any, error: str) -> None:
    before = wire.dump()
    answer = wire.ask("POST", "subnetpools", {"subnetpool": {"name": "p", "prefixes": prefixes}})
    assert refused(answer) == (400, error)
    assert wire.dump() == before


def test_another_project_s_pool_is_not_there_unless_shared(wire: Wire) -> None:
    own, shared = (pool(wire, "10.0.0.0/16", who="admin", default_prefixlen=24, shared=state)["id"]
                   for state in (False, True))
    assert [item["id"] for item in wire.ask("GET", "subnetpools").body["subnetpools"]] == [shared]
    network = wire.make("networks")["id"]
    for missing in (own, GONE):
        assert refused(subnet(wire, network, subnetpool_id=missing)) == (404, "SubnetPoolNotFound")
        assert refused(wire.ask("GET", f"subnetpools/{missing}")) == (404, "SubnetPoolNotFound")
    assert refused(wire.ask("DELETE", f"subnetpools/{shared}")) == (403, "PolicyNotAuthorized")
    assert refused(wire.ask("PUT", f"subnetpools/{shared}/add_prefixes", {"prefixes": ["10.5.0.0/16"]})) == (
        403, "PolicyNotAuthorized")
    assert subnet(wire, network, subnetpool_id=shared).status == 201


def test_an_address_scope_has_no_address_twice_and_shows_on_networks(wire: Wire) -> None:
    scope = wire.make("address_scopes", name="s", ip_version=4)
    assert wire.ask("GET", f"address-scopes/{scope['id']}").body == {"address_scope": scope}
    first = pool(wire, "10.0.0.0/16", address_scope_id=scope["id"], default_prefixlen=24)
    overlapping = {"subnetpool": {"name": "p", "prefixes": ["10.0.5.0/24"], "address_scope_id": scope["id"]}}
    assert refused(wire.ask("POST", "subnetpools", overlapping)) == (409, "AddressScopePrefixConflict")
    other = pool(wire, "10.1.0.0/16", address_scope_id=scope["id"])["id"]
    grown = {"subnetpool": {"prefixes": ["10.0.0.0/15"]}}
    assert refused(wire.ask("PUT", f"subnetpools/{other}", grown)) == (409, "AddressScopePrefixConflict")
    six = {"subnetpool": {"name": "p", "prefixes": ["2001:db8::/32"], "address_scope_id": scope["id"]}}
    assert refused(wire.ask("POST", "subnetpools", six)) == (
        400, "IllegalSubnetPoolIpVersionAssociationToAddressScope")
    assert refused(wire.ask("DELETE", f"address-scopes/{scope['id']}")) == (409, "AddressScopeInUse")
    network = wire.make("networks")["id"]
    subnet(wire, network, subnetpool_id=first["id"])
    shown = wire.ask("GET", f"networks/{network}").body["network"]
    assert (shown["ipv4_address_scope"], shown["ipv6_address_scope"]) == (scope["id"], None)
    assert wire.ask("GET", f"networks?id={network}").body["networks"] == [shown]


def test_who_may_share_an_address_scope(wire: Wire) -> None:
    body = {"address_scope": {"name": "s", "ip_version": 4, "shared": True}}
    assert refused(wire.ask("POST", "address-scopes", body)) == (403, "PolicyNotAuthorized")
    shared = wire.ask("POST", "address-scopes", body, who="admin").body["address_scope"]
    assert [item["id"] for item in wire.ask("GET", "address-scopes").body["address_scopes"]] == [shared["id"]]
    path = f"address-scopes/{shared['id']}"
    assert refused(wire.ask("PUT", path, {"address_scope": {"name": "mine"}})) == (403, "PolicyNotAuthorized")
    back = wire.ask("PUT", path, {"address_scope": {"shared": False}}, who="admin")
    assert refused(back) == (400, "InvalidInput")
    hidden = wire.make("address_scopes", "admin", ip_version=4)["id"]
    named = {"subnetpool": {"name": "p", "prefixes": ["10.0.0.0/8"], "address_scope_id": hidden}}
    assert refused(wire.ask("POST", "subnetpools", named)) == (404, "AddressScopeNotFound")


def test_pools_without_an_l3_plugin(url: str) -> None:
    with Wire(url, l3="") as wire:
        for path in ("subnetpools", "address-scopes"):
            assert wire.ask("GET", path).status == 501
        listed = wire.ask("GET", "extensions").body["extensions"]
        assert "subnet_allocation" not in {extension["alias"] for extension in listed}


def test_a_pool_is_nothing_that_flows_depend_on(wire: Wire) -> None:
    with wire.database.read() as session:
        before = journal.last(session)
    made = pool(wire, "10.0.0.0/16")
    wire.ask("PUT", f"subnetpools/{made['id']}", {"subnetpool": {"name": "other"}})
    with wire.database.read() as session:
        assert journal.read(session, before) == []


@pytest.mark.parametrize(("prefixes", "taken", "length", "found"), [
    (["10.0.0.0/30"], [], 30, "10.0.0.0/30"),
    (["10.0.0.0/30"], ["10.0.0.0/31"], 32, "10.0.0.2/32"),
    (["10.0.0.0/30"], ["10.0.0.0/32", "10.0.0.2/32"], 31, None),
    (["10.1.0.0/24", "10.0.0.0/28"], [], 24, "10.1.0.0/24"),
    (["10.0.0.0/24"], ["10.0.0.0/25", "10.0.0.192/26"], 26, "10.0.0.128/26"),
    (["10.0.0.0/24"], ["10.0.0.1/32"], 25, "10.0.0.128/25"),
    (["255.255.255.0/24"], ["255.255.255.0/25"], 25, "255.255.255.128/25"),
    (["2001:db8::/32"], ["2001:db8::/64"], 64, "2001:db8:0:1::/64"),
])
def test_the_first_free_prefix(prefixes: list[str], taken: list[str], length: int, found: str | None) -> None:
    networks: list[IPv4Network | IPv6Network] = [ip_network(prefix) for prefix in prefixes]
    free = first_free(networks, map(ip_network, taken), length)
    assert free == (ip_network(found) if found is not None else None)


def onboard(wire: Wire, pool_id: str, network_id: str, who: str = "alice") -> Answer:
    return wire.ask("PUT", f"subnetpools/{pool_id}/onboard_network_subnets", {"network_id": network_id}, who=who)


def test_a_network_s_subnets_become_a_pool_s(wire: Wire) -> None:
    made, network = pool(wire, "10.8.0.0/16"), wire.network("10.9.0.0/24")
    second = subnet(wire, network["id"], cidr="10.10.0.0/24").body["subnet"]["id"]
    with wire.database.read() as session:
        last = journal.last(session)
    answer = onboard(wire, made["id"], network["id"])
    assert answer.status == 200
    expected = [(network["subnets"][0], "10.9.0.0/24"), (second, "10.10.0.0/24")]
    assert sorted((item["id"], item["cidr"]) for item in answer.body) == sorted(expected)
    shown = wire.ask("GET", f"subnetpools/{made['id']}").body["subnetpool"]
    assert shown["prefixes"] == ["10.8.0.0/16", "10.9.0.0/24", "10.10.0.0/24"]
    assert shown["revision_number"] > made["revision_number"]
    for identifier, _ in expected:
        changed = wire.ask("GET", f"subnets/{identifier}").body["subnet"]
        assert (changed["subnetpool_id"], changed["revision_number"] > 1) == (made["id"], True)
    with wire.database.read() as session:
        assert journal.read(session, last) == [], "no flow depends on it"
    assert refused(onboard(wire, made["id"], network["id"])) == (400, "IllegalSubnetPoolUpdate")
    assert cut(wire, made["id"], prefixlen=24) == "10.8.0.0/24"
    assert refused(subnet(wire, wire.make("networks")["id"], subnetpool_id=made["id"], cidr="10.9.0.0/25")) == (
        409, "SubnetAllocationError")
    assert refused(subnet(wire, network["id"], cidr="10.11.0.0/24")) == (400, "NetworkSubnetPoolAffinityError")
    empty = wire.make("networks")["id"]
    assert onboard(wire, made["id"], empty).body == []


def test_subnets_that_no_pool_takes(wire: Wire) -> None:
    made, other = pool(wire, "10.8.0.0/16"), pool(wire, "10.20.0.0/16")
    inside, foreign = wire.make("networks")["id"], wire.make("networks")["id"]
    assert subnet(wire, inside, subnetpool_id=made["id"], prefixlen=24).status == 201
    assert subnet(wire, foreign, subnetpool_id=other["id"], prefixlen=24).status == 201
    overlapping = wire.network("10.30.0.0/24")["id"]
    assert subnet(wire, overlapping, cidr="10.8.0.128/25").status == 201
    scope = wire.make("address_scopes", ip_version=4)["id"]
    for identifier in (made["id"], other["id"]):
        assert wire.ask("PUT", f"subnetpools/{identifier}", {"subnetpool": {"address_scope_id": scope}}).status == 200
    in_scope = wire.network("10.20.5.0/24")["id"]
    before = wire.dump()
    for network in (inside, foreign, overlapping):
        assert refused(onboard(wire, made["id"], network)) == (400, "IllegalSubnetPoolUpdate")
    assert refused(onboard(wire, made["id"], in_scope)) == (409, "AddressScopePrefixConflict")
    assert refused(onboard(wire, made["id"], GONE)) == (404, "NetworkNotFound")
    assert refused(onboard(wire, GONE, in_scope)) == (404, "SubnetPoolNotFound")
    for body in ({}, {"network_id": None}, {"network_id": "x"}, {"network_id": in_scope, "more": 1}):
        assert wire.ask("PUT", f"subnetpools/{made['id']}/onboard_network_subnets", body).status == 400
    assert wire.dump() == before


def test_only_own_subnets_become_an_own_pool_s(wire: Wire) -> None:
    own, network = pool(wire, "10.8.0.0/16"), wire.network("10.9.0.0/24")["id"]
    shared_pool = pool(wire, "10.50.0.0/16", who="admin", shared=True)["id"]
    shared_network = wire.network("10.60.0.0/24", "admin", shared=True)["id"]
    hidden = wire.network("10.61.0.0/24", "bob")["id"]
    before = wire.dump()
    for pool_id, network_id, who, status in (
            (own["id"], network, "bob", 404), (own["id"], network, "reader", 403), (shared_pool, network, "alice", 403),
            (own["id"], shared_network, "alice", 403), (own["id"], hidden, "alice", 404)):
        assert onboard(wire, pool_id, network_id, who).status == status
    assert wire.dump() == before
    assert onboard(wire, shared_pool, network, "admin").status == 200
