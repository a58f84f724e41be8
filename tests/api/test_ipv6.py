"""IPv6 subnets: their plans and modes, and the addresses that ports get of them."""
from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from naas_sdn.db import journal
from naas_sdn.db.load import load, number_of
from naas_sdn.model.ip import eui64
from naas_sdn.model.store import Key
from naas_sdn.model.values import AddressPair, Port, Subnet
from tests.api.wire import Answer, Wire

PREFIX = "2001:db8:7::/64"
SLAAC = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
STATEFUL = {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}
MODES = (None, "slaac", "dhcpv6-stateful", "dhcpv6-stateless")


def subnet(wire: Wire, network: str, cidr: str = PREFIX, **attributes: Any) -> dict[str, Any]:
    return wire.make("subnets", network_id=network, ip_version=6, cidr=cidr, **attributes)


def ask(wire: Wire, network: str, cidr: str = PREFIX, **attributes: Any) -> Answer:
    return wire.ask("POST", "subnets", {"subnet": {"network_id": network, "ip_version": 6, "cidr": cidr, **attributes}})


def own(mac: str, prefix: str = PREFIX) -> str:
    return str(eui64(IPv6Network(prefix), number_of(mac)))


def held(wire: Wire, port: str) -> dict[str, str]:
    fixed = wire.ask("GET", f"ports/{port}").body["port"]["fixed_ips"]
    return {item["subnet_id"]: item["ip_address"] for item in fixed}


def fact(wire: Wire, kind: str, identifier: str) -> Any:
    with wire.database.read() as session:
        return load(session, [Key(kind, identifier)])[Key(kind, identifier)]


def test_a_plan_of_a_whole_range_costs_no_more_than_any(wire: Wire) -> None:
    network = wire.make("networks")["id"]
    made = subnet(wire, network, "2001:DB8:7:0:0::5/64", enable_dhcp=False,
                  host_routes=[{"destination": "2001:db8:9::1/48", "nexthop": "2001:db8:7::9"}],
                  dns_nameservers=["2001:DB8::53"])
    assert made["cidr"] == PREFIX
    assert (made["gateway_ip"], made["ipv6_ra_mode"], made["ipv6_address_mode"]) == ("2001:db8:7::1", None, None)
    assert made["allocation_pools"] == [{"start": "2001:db8:7::2", "end": "2001:db8:7:0:ffff:ffff:ffff:ffff"}]
    assert made["host_routes"] == [{"destination": "2001:db8:9::/48", "nexthop": "2001:db8:7::9"}]
    known = fact(wire, "subnet", made["id"])
    assert isinstance(known, Subnet)
    assert (known.cidr, known.gateway) == (IPv6Network(PREFIX), IPv6Address("2001:db8:7::1"))
    for expected in ("2001:db8:7::2", "2001:db8:7::3"):
        assert wire.make("ports", network_id=network)["fixed_ips"] == [
            {"subnet_id": made["id"], "ip_address": expected}]
    found = wire.ask("GET", f"network-ip-availabilities/{network}", who="service").body["network_ip_availability"]
    assert (found["total_ips"], found["used_ips"]) == (2**64 - 2, 2)
    changed = wire.ask("PUT", f"subnets/{made['id']}", {"subnet": {"gateway_ip": None}}).body["subnet"]
    assert changed["gateway_ip"] is None
    last = wire.make("ports", network_id=network, fixed_ips=[{"ip_address": "2001:db8:7:0:ffff:ffff:ffff:ffff"}])
    assert last["fixed_ips"][0]["subnet_id"] == made["id"]
    another = wire.make("ports", network_id=network)["fixed_ips"][0]["ip_address"]
    assert IPv6Address(another) in IPv6Network(PREFIX)


@pytest.mark.parametrize("ra", MODES)
@pytest.mark.parametrize("address", MODES)
def test_modes_go_together_as_in_neutron(wire: Wire, ra: str | None, address: str | None) -> None:
    network = wire.make("networks")["id"]
    answer = ask(wire, network, ipv6_ra_mode=ra, ipv6_address_mode=address)
    if ra is not None and address is not None and ra != address:
        assert (answer.status, answer.error) == (400, "InvalidInput")
        return
    made = answer.body["subnet"]
    assert (made["ipv6_ra_mode"], made["ipv6_address_mode"]) == (ra, address)
    port = wire.make("ports", network_id=network)
    automatic = {"slaac", "dhcpv6-stateless"} & {ra, address}
    assert port["fixed_ips"] == [{"subnet_id": made["id"], "ip_address": own(port["mac_address"]) if automatic
                                  else "2001:db8:7::2"}]
    for name in SLAAC:
        assert wire.ask("PUT", f"subnets/{made['id']}", {"subnet": {name: "slaac"}}).status == 400
    if ra or address:
        assert wire.ask("PUT", f"subnets/{made['id']}", {"subnet": {"enable_dhcp": False}}).error == "InvalidInput"
    known = fact(wire, "subnet", made["id"])
    assert (known.ra_mode, known.address_mode) == (ra, address)
    listed = wire.ask("GET", f"subnets?ipv6_ra_mode={ra or ''}&network_id={network}").body["subnets"]
    assert len(listed) == (ra is not None)


@pytest.mark.parametrize(("attributes", "error"), [
    ({"cidr": "2001:db8:7::/65", **SLAAC}, "InvalidInput"),
    ({"cidr": "2001:db8:7::/63", "ipv6_ra_mode": "dhcpv6-stateless"}, "InvalidInput"),
    ({"cidr": "2001:db8:7::/48", "ipv6_address_mode": "slaac"}, "InvalidInput"),
    ({"enable_dhcp": False, **STATEFUL}, "InvalidInput"),
    ({"ip_version": 4, "cidr": "10.0.0.0/24", **SLAAC}, "InvalidInput"),
    ({"ip_version": 4}, "InvalidInput"), ({"cidr": "10.0.0.0/24"}, "InvalidInput"),
    ({"ipv6_ra_mode": "sla"}, "HTTPBadRequest"), ({"ipv6_address_mode": 1}, "HTTPBadRequest"),
    ({"cidr": "fe80::/64"}, "InvalidInput"), ({"cidr": "ff05::/64"}, "InvalidInput"),
    ({"cidr": "::/64"}, "InvalidInput"),
    ({"cidr": "::/0"}, "InvalidInput"), ({"cidr": "::ffff:10.0.0.0/104"}, "InvalidInput"),
    ({"cidr": "2001:db8:7::/127"}, "InvalidInput"), ({"cidr": "2001:db8::%eth0/64"}, None),
    ({"gateway_ip": "2001:db8:7::"}, "InvalidInput"), ({"gateway_ip": "2001:db8:8::1"}, "InvalidInput"),
    ({"gateway_ip": "10.0.0.1"}, "InvalidInput"), ({"gateway_ip": "2001:db8:7::1%eth0"}, None),
    ({"allocation_pools": [{"start": "2001:db8:7::1", "end": "2001:db8:7::9"}]}, "GatewayConflictWithAllocationPools"),
    ({"allocation_pools": [{"start": "2001:db8:7::2", "end": "2001:db8:8::9"}]}, "OutOfBoundsAllocationPool"),
    ({"allocation_pools": [{"start": "2001:db8:7::", "end": "2001:db8:7::9"}], "gateway_ip": None},
     "OutOfBoundsAllocationPool"),
    ({"allocation_pools": [{"start": "10.0.0.2", "end": "2001:db8:7::9"}]}, "InvalidInput"),
    ({"allocation_pools": [{"start": "2001:db8:7::2", "end": "2001:db8:7::9"},
                           {"start": "2001:db8:7::9", "end": "2001:db8:7::b"}]}, "OverlappingAllocationPools"),
    ({"dns_nameservers": ["9.9.9.9"]}, "InvalidInput"),
    ({"host_routes": [{"destination": "10.0.0.0/8", "nexthop": "2001:db8:7::9"}]}, "InvalidInput"),
    ({"host_routes": [{"destination": "::/0", "nexthop": "10.0.0.1"}]}, "InvalidInput"),
])
def test_what_is_no_subnet(wire: Wire, attributes: dict[str, Any], error: str | None) -> None:
    network = wire.make("networks")["id"]
    before = wire.dump()
    answer = ask(wire, network, **attributes)
    assert answer.status in {400, 409}
    assert error is None or answer.error == error, answer.body
    assert wire.dump() == before


def test_a_port_gets_an_address_of_each_version_and_of_each_automatic_subnet(wire: Wire) -> None:
    network = wire.network()
    first, second = subnet(wire, network["id"], **SLAAC), subnet(wire, network["id"], "2001:db8:8::/64",
                                                                 ipv6_address_mode="dhcpv6-stateless")
    planned = subnet(wire, network["id"], "2001:db8:9::/64", **STATEFUL)
    port = wire.make("ports", network_id=network["id"])
    mac = port["mac_address"]
    automatic = {first["id"]: own(mac), second["id"]: own(mac, "2001:db8:8::/64")}
    assert held(wire, port["id"]) == {network["subnets"][0]: "10.0.0.2", planned["id"]: "2001:db8:9::2", **automatic}
    one = wire.make("ports", network_id=network["id"], fixed_ips=[{"subnet_id": network["subnets"][0]}])
    assert set(held(wire, one["id"])) == {network["subnets"][0], *automatic}
    none = wire.make("ports", network_id=network["id"], fixed_ips=[])
    assert none["fixed_ips"] == []
    left = wire.ask("PUT", f"ports/{port['id']}", {"port": {"fixed_ips": [{"subnet_id": planned["id"]}]}}).body["port"]
    assert {item["subnet_id"]: item["ip_address"] for item in left["fixed_ips"]} == {
        planned["id"]: "2001:db8:9::2", **automatic}
    echoed = wire.ask("PUT", f"ports/{port['id']}", {"port": {"fixed_ips": left["fixed_ips"]}}).body["port"]
    assert sorted(map(str, echoed["fixed_ips"])) == sorted(map(str, left["fixed_ips"]))
    for body in ({"subnet_id": first["id"], "ip_address": "2001:db8:7::5"}, {"ip_address": "2001:db8:7::5"}):
        answer = wire.ask("PUT", f"ports/{port['id']}", {"port": {"fixed_ips": [body]}})
        assert (answer.status, answer.error) == (400, "AllocationOnAutoAddressSubnet")
    known = fact(wire, "port", port["id"])
    assert isinstance(known, Port)
    assert {str(address.ip) for address in known.addresses} == {"2001:db8:9::2", *automatic.values()}


def test_automatic_addresses_follow_subnets_and_macs(wire: Wire) -> None:
    network = wire.network()
    ports = [wire.make("ports", network_id=network["id"]) for _ in range(3)]
    router = wire.make("routers")["id"]
    wire.ask("PUT", f"routers/{router}/add_router_interface", {"subnet_id": network["subnets"][0]})
    [leg] = wire.ask("GET", f"ports?device_id={router}").body["ports"]
    with wire.database.read() as session:
        before = journal.last(session)
    made = subnet(wire, network["id"], **SLAAC)
    for port in ports:
        assert held(wire, port["id"])[made["id"]] == own(port["mac_address"])
    assert made["id"] not in held(wire, leg["id"])
    with wire.database.read() as session:
        told = {entry.object_id for entry in journal.read(session, before) if entry.kind == "port"}
    assert told == {port["id"] for port in ports}
    changed = wire.ask("PUT", f"ports/{ports[0]['id']}", {"port": {"mac_address": "02:00:00:00:00:77"}}).body["port"]
    assert {"subnet_id": made["id"], "ip_address": "2001:db8:7::ff:fe00:77"} in changed["fixed_ips"]
    assert wire.ask("DELETE", f"subnets/{made['id']}").status == 204
    for port in ports:
        assert set(held(wire, port["id"])) == {network["subnets"][0]}
    planned = subnet(wire, network["id"], "2001:db8:9::/64", **STATEFUL)
    wire.make("ports", network_id=network["id"])
    assert wire.ask("DELETE", f"subnets/{planned['id']}").error == "SubnetInUse"


def test_a_vif_is_attached_to_and_detached_from_subnets_of_both_versions(wire: Wire) -> None:
    network = wire.network()
    planned, automatic = subnet(wire, network["id"], "2001:db8:9::/64"), subnet(wire, network["id"], **SLAAC)
    port = wire.make("ports", network_id=network["id"], fixed_ips=[{"subnet_id": network["subnets"][0]}])
    vif = wire.make("vifs", "service", port_id=port["id"], host="hv1", interface="tap1")["id"]
    taken = wire.ask("PUT", f"vifs/{vif}/attach_subnet", {"subnet_id": planned["id"], "ip_address": "2001:db8:9::77"})
    assert {"subnet_id": planned["id"], "ip_address": "2001:db8:9::77"} in taken.body["vif"]["fixed_ips"]
    assert wire.ask("PUT", f"vifs/{vif}/attach_subnet", {"subnet_id": automatic["id"]}).error == "PortInUse"
    assert wire.ask("PUT", f"vifs/{vif}/detach_subnet", {"subnet_id": automatic["id"]}).error == "BadRequest"
    left = wire.ask("PUT", f"vifs/{vif}/detach_subnet", {"subnet_id": planned["id"]}).body["vif"]["fixed_ips"]
    assert {item["subnet_id"] for item in left} == {network["subnets"][0], automatic["id"]}


def act(wire: Wire, router: str, what: str, **body: str) -> Answer:
    return wire.ask("PUT", f"routers/{router}/{what}_router_interface", body)


def test_a_router_has_one_interface_on_the_ipv6_subnets_of_a_network(wire: Wire) -> None:
    network = wire.network()
    first, second = subnet(wire, network["id"], **SLAAC), subnet(wire, network["id"], "2001:db8:8::/64")
    router = wire.make("routers")["id"]
    four = act(wire, router, "add", subnet_id=network["subnets"][0]).body["port_id"]
    port = act(wire, router, "add", subnet_id=first["id"]).body["port_id"]
    assert port != four
    assert act(wire, router, "add", subnet_id=second["id"]).body["port_id"] == port
    assert held(wire, port) == {first["id"]: "2001:db8:7::1", second["id"]: "2001:db8:8::1"}
    assert act(wire, router, "add", subnet_id=second["id"]).error == "BadRequest"
    known = fact(wire, "router", router)
    assert {(leg.port_id, leg.subnet_id) for leg in known.legs} == {
        (four, network["subnets"][0]), (port, first["id"]), (port, second["id"])}
    assert wire.ask("PUT", f"routers/{router}", {"router": {"routes": [
        {"destination": "2001:db8:50::/48", "nexthop": "2001:db8:8::9"}]}}).status == 200
    assert act(wire, router, "remove", subnet_id=second["id"]).error == "RouterInterfaceInUseByRoute"
    for bad in ({"destination": "fe80::/64", "nexthop": "2001:db8:8::9"},
                {"destination": "2001:db8:50::/48", "nexthop": "10.0.0.9"},
                {"destination": "2001:db8:50::/48", "nexthop": "fe80::9"},
                {"destination": "2001:db8:50::/48", "nexthop": "2001:db8:8::1"}):
        assert wire.ask("PUT", f"routers/{router}", {"router": {"routes": [bad]}}).error == "InvalidRoutes"
    wire.ask("PUT", f"routers/{router}", {"router": {"routes": []}})
    assert act(wire, router, "remove", subnet_id=second["id"]).body["subnet_ids"] == [second["id"]]
    assert held(wire, port) == {first["id"]: "2001:db8:7::1"}
    assert act(wire, router, "add", subnet_id=second["id"]).status == 200
    gone = act(wire, router, "remove", port_id=port).body["subnet_ids"]
    assert sorted(gone) == sorted([first["id"], second["id"]])
    assert wire.ask("GET", f"ports/{port}").status == 404
    assert wire.ask("GET", f"ports/{four}").status == 200


def test_a_naas_route_is_of_one_version(wire: Wire) -> None:
    network = wire.network()
    ends = [subnet(wire, network["id"])["id"],
            subnet(wire, wire.make("networks")["id"], "2001:db8:8::/64", **SLAAC)["id"]]
    made = wire.make("routes", source_subnet_id=ends[0], destination_subnet_id=ends[1])
    assert made["routes"] == [
        {"subnet_id": ends[0], "destination": "2001:db8:8::/64", "nexthop": "2001:db8:7::1"},
        {"subnet_id": ends[1], "destination": PREFIX, "nexthop": "2001:db8:8::1"}]
    mixed = wire.ask("POST", "routes", {"route": {
        "source_subnet_id": ends[0], "destination_subnet_id": network["subnets"][0]}})
    assert mixed.error == "InvalidInput"


def test_pairs_options_and_pools_of_ipv6(wire: Wire) -> None:
    network = wire.make("networks")["id"]
    pool = wire.make("subnetpools", name="six", prefixes=["2001:db8::/32"])
    assert (pool["ip_version"], pool["default_prefixlen"]) == (6, 64)
    made = wire.make("subnets", network_id=network, ip_version=6, subnetpool_id=pool["id"], **SLAAC)
    assert (made["cidr"], made["subnetpool_id"]) == ("2001:db8::/64", pool["id"])
    short = wire.ask("POST", "subnets", {"subnet": {
        "network_id": network, "ip_version": 6, "subnetpool_id": pool["id"], "prefixlen": 80, **SLAAC}})
    assert short.error == "InvalidInput"
    port = wire.make("ports", network_id=network, allowed_address_pairs=[{"ip_address": "2001:db8:0:0:5::/80"}],
                     extra_dhcp_opts=[{"opt_name": "dns-server", "opt_value": "2001:db8::53", "ip_version": 6}])
    assert port["extra_dhcp_opts"][0]["ip_version"] == 6
    known = fact(wire, "port", port["id"])
    assert known.pairs == (AddressPair(known.mac, IPv6Network("2001:db8:0:0:5::/80")),)
    assert known.dhcp_options == ()
    answer = wire.ask("PUT", f"ports/{port['id']}", {"port": {"allowed_address_pairs": [{"ip_address": "ff02::/16"}]}})
    assert answer.error == "InvalidInput"
