"""Bad input gets Neutron's status and body, changes nothing, and is never a 500."""
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from naas_sdn.rest.resources import COLLECTIONS, Collection
from tests.api.wire import GONE, Wire


@pytest.mark.parametrize("raw", [
    b"", b"{", b"nonsense", b"null", b"[]", b"1", b'"network"', b"{}", b'{"net": {}}', b'{"network": []}',
    b'{"network": null}', b'{"network": "x"}', b"\xff\xfe", b'{"network": {"name": "\\u0000"}}',
    b'{"network": {"name": "\\ud800"}}', b'{"network": {"mtu": NaN}}', b'{"network": {"mtu": 1e999}}',
    b'{"network": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", b"[" * 100_000, b'{"a":' * 50_000,
])
def test_malformed_bodies(wire: Wire, raw: bytes) -> None:
    network = wire.make("networks")
    before = wire.dump()
    for method, path in (("POST", "networks"), ("PUT", f"networks/{network['id']}")):
        answer = wire.ask(method, path, raw=raw)
        assert (answer.status, answer.error) == (400, "HTTPBadRequest"), answer.body
    assert wire.dump() == before


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
def test_numbers_that_json_has_not(wire: Wire, number: bytes) -> None:
    """In an attribute that takes any object."""
    network = wire.make("networks")["id"].encode()
    before = wire.dump()
    raw = b'{"port": {"network_id": "%s", "binding:profile": {"x": %s}}}' % (network, number)
    answer = wire.ask("POST", "ports", raw=raw, who="admin")
    assert (answer.status, answer.error) == (400, "HTTPBadRequest")
    assert wire.dump() == before
    assert wire.ask("POST", "ports", raw=raw.replace(number, b"1.5"), who="admin").status == 201


def test_a_body_too_large(wire: Wire) -> None:
    answer = wire.ask("POST", "networks", raw=b'{"network": {"name": "' + b"x" * (1 << 20) + b'"}}')
    assert answer.status == 413


@pytest.mark.parametrize(("collection", "attributes", "status", "kind"), [
    ("networks", {"name": 5}, 400, "HTTPBadRequest"),
    ("networks", {"name": "x" * 256}, 400, "HTTPBadRequest"),
    ("networks", {"name": None}, 400, "HTTPBadRequest"),
    ("networks", {"admin_state_up": "maybe"}, 400, None),
    ("networks", {"admin_state_up": None}, 400, None),
    ("networks", {"mtu": 9000}, 400, "InvalidInput"),
    ("networks", {"mtu": 100}, 400, "InvalidInput"),
    ("networks", {"mtu": -1}, 400, None),
    ("networks", {"mtu": True}, 400, None),
    ("networks", {"qos_policy_id": GONE}, 404, "QosPolicyNotFound"),
    ("networks", {"qos_policy_id": "x"}, 400, None),
    ("subnets", {"ip_version": 4}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "10.0.0.0"}, 400, None),
    ("subnets", {"ip_version": 4, "cidr": "10.0.0.0/33"}, 400, None),
    ("subnets", {"ip_version": 4, "cidr": "224.0.0.0/24"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "127.0.0.0/24"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "126.0.0.0/7"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "169.254.0.0/24"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "240.0.0.0/4"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "255.255.255.0/24"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "192.0.0.0/2"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "0.0.0.0/0"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 6, "cidr": "10.5.0.0/24"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "2001:db8::/64"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 5, "cidr": "10.5.0.0/24"}, 400, None),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/31"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "10.0.0.128/25"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "10.0.0.0/8"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "address": "10.5.0.0", "netmask": "255.0.255.0"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "address": "10.5.0.0"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "address": "10.6.0.0"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "netmask": "255.255.255.0"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "gateway_ip": "10.6.0.1"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "gateway_ip": "10.5.0.255"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "gateway_ip": "fe80::1"}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "gateway_ip": []}, 400, None),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "gateway_ip": 5}, 400, None),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "allocation_pools": [
        {"start": "10.5.0.1", "end": "10.5.0.9"}]}, 409, "GatewayConflictWithAllocationPools"),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "allocation_pools": [
        {"start": "10.5.0.9", "end": "10.5.0.2"}]}, 400, None),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "allocation_pools": [
        {"start": "10.5.0.2", "end": "10.6.0.2"}]}, 400, "OutOfBoundsAllocationPool"),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "allocation_pools": [
        {"start": "10.5.0.2", "end": "10.5.0.9"}, {"start": "10.5.0.9", "end": "10.5.0.12"}]}, 409,
     "OverlappingAllocationPools"),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "allocation_pools": [{"start": "10.5.0.2"}]}, 400, None),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "allocation_pools": [
        {"start": "10.5.0.2", "end": "::1"}]}, 400, "InvalidInput"),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "dns_nameservers": ["9.9.9.9", "9.9.9.9"]}, 400, None),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "dns_nameservers": ["nine"]}, 400, None),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "dns_nameservers": [f"9.9.9.{i}" for i in range(6)]}, 400,
     None),
    ("subnets", {"ip_version": 4, "cidr": "10.5.0.0/24", "host_routes": [
        {"destination": f"10.{i}.0.0/24", "nexthop": "10.5.0.9"} for i in range(21)]}, 400, None),
    ("ports", {"mac_address": "x"}, 400, None),
    ("ports", {"mac_address": "ff:ff:ff:ff:ff:ff"}, 400, None),
    ("ports", {"mac_address": "01:00:5e:00:00:01"}, 400, None),
    ("ports", {"fixed_ips": "10.0.0.5"}, 400, None),
    ("ports", {"fixed_ips": [{"ip_address": "10.1.0.5"}]}, 400, "InvalidIpForNetwork"),
    ("ports", {"fixed_ips": [{"ip_address": "10.0.0.255"}]}, 400, "InvalidIpForNetwork"),
    ("ports", {"fixed_ips": [{"ip_address": "10.0.0.0"}]}, 400, "InvalidIpForNetwork"),
    ("ports", {"fixed_ips": [{"ip_address": "2001:db8::1"}]}, 400, "InvalidIpForNetwork"),
    ("ports", {"fixed_ips": [{"ip_address": "10.0.0.7"}] * 2}, 400, None),
    ("ports", {"fixed_ips": [{"subnet_id": "x"}]}, 400, None),
    ("ports", {"fixed_ips": [{"ip": "10.0.0.7"}]}, 400, None),
    ("ports", {"fixed_ips": [{"ip_address": f"10.0.0.{i}"} for i in range(2, 30)]}, 400, None),
    ("ports", {"device_owner": "network:router_interface"}, 400, "BadRequest"),
    ("ports", {"device_owner": "network:dhcp"}, 400, "BadRequest"),
    ("routers", {"external_gateway_info": {"network_id": GONE}}, 404, "NetworkNotFound"),
    ("routers", {"external_gateway_info": {"network_id": "x"}}, 400, "HTTPBadRequest"),
    ("routers", {"external_gateway_info": {"enable_snat": True}}, 400, "BadRequest"),
])
def test_values_that_cannot_be_used(wire: Wire, collection: str, attributes: dict[str, Any], status: int,
                                    kind: str | None) -> None:
    member = collection.removesuffix("s")
    network = wire.network("10.0.0.0/24")
    if collection in ("subnets", "ports"):
        attributes = {"network_id": network["id"], **attributes}
    before = wire.dump()
    answer = wire.ask("POST", collection, {member: attributes})
    assert answer.status == status, answer.body
    assert kind in (None, answer.error)
    assert wire.dump() == before


def test_an_exhausted_subnet(wire: Wire) -> None:
    network = wire.network("10.0.0.0/29")
    for _ in range(5):
        wire.make("ports", network_id=network["id"])
    before = wire.dump()
    answer = wire.ask("POST", "ports", {"port": {"network_id": network["id"]}})
    assert (answer.status, answer.error) == (409, "IpAddressGenerationFailure")
    taken = wire.ask("POST", "ports", {"port": {"network_id": network["id"], "fixed_ips": [
        {"ip_address": "10.0.0.3"}]}})
    assert (taken.status, taken.error) == (409, "IpAddressAlreadyAllocated")
    assert wire.dump() == before


def test_what_is_in_use_stays(wire: Wire) -> None:
    network = wire.network()
    port = wire.make("ports", network_id=network["id"])
    wire.make("vifs", "service", port_id=port["id"], host="hv1", interface="tap1")
    before = wire.dump()
    for method, path, body, kind in (
            ("DELETE", f"networks/{network['id']}", None, "NetworkInUse"),
            ("DELETE", f"subnets/{network['subnets'][0]}", None, "SubnetInUse"),
            ("PUT", f"ports/{port['id']}", {"port": {"mac_address": "02:00:00:00:00:01"}}, "PortBound"),
    ):
        answer = wire.ask(method, path, body)
        assert (answer.status, answer.error) == (409, kind)
    same = wire.ask("POST", "ports", {"port": {"network_id": network["id"], "mac_address": port["mac_address"]}})
    assert (same.status, same.error) == (409, "MacAddressInUse")
    assert wire.dump() == before


def test_what_a_route_leads_through_stays(wire: Wire) -> None:
    first, second = wire.network("10.1.0.0/24"), wire.network("10.2.0.0/24")
    wire.make("routes", source_subnet_id=first["subnets"][0], destination_subnet_id=second["subnets"][0])
    port = wire.make("ports", network_id=first["id"])
    vif = wire.make("vifs", "service", port_id=wire.make("ports", network_id=first["id"], fixed_ips=[])["id"],
                    host="hv1", interface="tap1")
    gateway = [{"ip_address": "10.1.0.1"}]
    before = wire.dump()
    for method, path, body, kind in (
            ("DELETE", f"networks/{second['id']}", None, "NetworkInUse"),
            ("DELETE", f"subnets/{second['subnets'][0]}", None, "SubnetInUse"),
            ("PUT", f"subnets/{second['subnets'][0]}", {"subnet": {"gateway_ip": None}}, "GatewayIpInUse"),
            ("POST", "ports", {"port": {"network_id": first["id"], "fixed_ips": gateway}}, "GatewayIpInUse"),
            ("PUT", f"ports/{port['id']}", {"port": {"fixed_ips": gateway}}, "GatewayIpInUse"),
            ("PUT", f"vifs/{vif['id']}/attach_subnet", {"subnet_id": first["subnets"][0], **gateway[0]},
             "GatewayIpInUse"),
    ):
        answer = wire.ask(method, path, body)
        assert (answer.status, answer.error) == (409, kind), (method, path, body)
    assert wire.dump() == before
    router = wire.make("routers")
    assert wire.ask("PUT", f"routers/{router['id']}/add_router_interface",
                    {"subnet_id": first["subnets"][0]}).status == 200


@pytest.mark.parametrize("case", ["overlap", "same", "no gateway", "gateway is a machine's"])
def test_routes_that_cannot_be(wire: Wire, case: str) -> None:
    first = wire.network("10.1.0.0/24")
    second = wire.network("10.1.0.128/25" if case == "overlap" else "10.2.0.0/24")
    ends = [first["subnets"][0], first["subnets"][0] if case == "same" else second["subnets"][0]]
    if case == "no gateway":
        wire.ask("PUT", f"subnets/{ends[1]}", {"subnet": {"gateway_ip": None}})
    if case == "gateway is a machine's":
        wire.make("ports", network_id=second["id"], fixed_ips=[{"ip_address": "10.2.0.1"}])
    before = wire.dump()
    answer = wire.ask("POST", "routes", {"route": {"source_subnet_id": ends[0], "destination_subnet_id": ends[1]}})
    assert (answer.status, answer.error) == (400, "InvalidInput")
    assert wire.dump() == before


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
    | st.sampled_from(["10.0.0.0/24", "10.0.0.5", "fe80::1", GONE, "tap1", "hv1", "02:00:00:00:00:01", "0", "4"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6)


def bodies(collection: Collection) -> st.SearchStrategy[Any]:
    """Anything at all, or anything in the attributes that the collection has."""
    known = st.dictionaries(st.sampled_from([attribute.name for attribute in collection.attributes]), ANY_JSON,
                            max_size=6)
    return ANY_JSON | st.fixed_dictionaries({collection.member: known | ANY_JSON})


@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda collection: collection.path)
def test_no_json_is_a_500(wire: Wire, collection: Collection) -> None:
    network = wire.network(who="admin")
    ids = {"networks": network["id"], "subnets": network["subnets"][0],
           "ports": wire.make("ports", "admin", network_id=network["id"])["id"],
           "routers": wire.make("routers", "admin")["id"], "qos/policies": wire.make("qos/policies", "admin")["id"]}
    path = collection.path
    if collection.parent:
        path = f"qos/policies/{ids['qos/policies']}/bandwidth_limit_rules"
    one = f"{path}/{ids.get(collection.path, GONE)}"
    targets = [("POST", path), ("PUT", one), *(("PUT", f"{one}/{action}") for action in collection.actions)]

    # The same inputs in every run; another seed is a search, not a test.
    @settings(max_examples=40, deadline=None, database=None, derandomize=True,
              suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.sampled_from(targets), bodies(collection))
    def never(target: tuple[str, str], body: Any) -> None:
        answer = wire.ask(*target, body, who="admin")
        assert answer.status < 500, answer.body

    never()
