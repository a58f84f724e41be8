"""Every collection made, shown, listed, changed and deleted; and what Neutron's clients rely on in each."""
from __future__ import annotations

from typing import Any

import pytest

from tests.api.wire import GONE, Wire

STANDARD = {"id", "project_id", "tenant_id", "name", "description", "created_at", "updated_at", "revision_number"}


def needs(wire: Wire, collection: str) -> dict[str, Any]:
    """What a POST to the collection must have."""
    if collection == "subnets":
        return {"network_id": wire.network(None)["id"], "ip_version": 4, "cidr": "10.1.0.0/24"}
    if collection == "ports":
        return {"network_id": wire.network("10.2.0.0/24")["id"]}
    if collection == "routes":
        first, second = wire.network("10.3.0.0/24"), wire.network("10.4.0.0/24")
        return {"source_subnet_id": first["subnets"][0], "destination_subnet_id": second["subnets"][0]}
    return {}


@pytest.mark.parametrize(("collection", "member"), [
    ("networks", "network"), ("subnets", "subnet"), ("ports", "port"), ("routers", "router"), ("routes", "route"),
    ("qos/policies", "policy")])
def test_made_shown_changed_and_deleted(wire: Wire, collection: str, member: str) -> None:
    who = "admin" if collection == "qos/policies" else "alice"
    made = wire.make(collection, who, **needs(wire, collection), name="one", description="first")
    assert made.keys() >= STANDARD
    assert made["tenant_id"] == made["project_id"] == who
    path = f"{collection}/{made['id']}"
    assert wire.ask("GET", path, who=who).body == {member: made}
    assert wire.ask("GET", f"{collection}?name=one", who=who).body[collection.rsplit("/", 1)[-1]] == [made]
    changed = wire.ask("PUT", path, {member: {"name": "two"}}, who=who).body[member]
    assert changed["name"] == "two"
    assert changed["revision_number"] > made["revision_number"]
    unchanged = wire.ask("PUT", path, {member: {"name": "two"}}, who=who).body[member]
    assert {**unchanged, "updated_at": "", "revision_number": 0} == {**changed, "updated_at": "", "revision_number": 0}
    assert wire.ask("DELETE", path, who=who).status == 204
    for method in ("GET", "DELETE"):
        answer = wire.ask(method, path, who=who)
        assert answer.status == 404
        assert answer.error.endswith("NotFound")


def test_a_network_shows_what_clients_read(wire: Wire) -> None:
    network = wire.make("networks", name="n")
    assert network["status"] == "ACTIVE"
    assert network["mtu"] == 1450
    assert (network["shared"], network["router:external"], network["admin_state_up"]) == (False, False, True)
    assert "provider:segmentation_id" not in network
    shown = wire.ask("GET", f"networks/{network['id']}", who="admin").body["network"]
    assert shown["provider:network_type"] == "vxlan"
    assert 0 < shown["provider:segmentation_id"] < 1 << 24


def test_a_subnet_has_neutron_s_defaults(wire: Wire) -> None:
    network = wire.make("networks")
    subnet = wire.make("subnets", network_id=network["id"], ip_version="4", cidr="10.0.0.99/24")
    assert (subnet["cidr"], subnet["gateway_ip"], subnet["enable_dhcp"]) == ("10.0.0.0/24", "10.0.0.1", True)
    assert subnet["allocation_pools"] == [{"start": "10.0.0.2", "end": "10.0.0.254"}]
    middle = wire.make("subnets", network_id=network["id"], ip_version=4, cidr="10.0.1.0/24", gateway_ip="10.0.1.9")
    assert middle["allocation_pools"] == [{"start": "10.0.1.1", "end": "10.0.1.8"},
                                          {"start": "10.0.1.10", "end": "10.0.1.254"}]
    masked = wire.make("subnets", network_id=network["id"], ip_version=4, address="10.0.2.7", netmask="255.255.255.128")
    assert masked["cidr"] == "10.0.2.0/25"
    assert wire.ask("GET", f"networks/{network['id']}").body["network"]["subnets"] == [
        subnet["id"], middle["id"], masked["id"]]


def test_a_port_gets_an_address_a_mac_and_a_number(wire: Wire) -> None:
    network = wire.network()
    ports = [wire.make("ports", network_id=network["id"]) for _ in range(3)]
    assert [port["fixed_ips"] for port in ports] == [
        [{"subnet_id": network["subnets"][0], "ip_address": f"10.0.0.{number}"}] for number in (2, 3, 4)]
    assert len({port["mac_address"] for port in ports}) == 3
    assert len({port["number"] for port in ports}) == 3
    assert {port["status"] for port in ports} == {"DOWN"}
    chosen = wire.make("ports", network_id=network["id"], mac_address="02-00-00-AA-BB-CC",
                       fixed_ips=[{"ip_address": "10.0.0.77"}])
    assert chosen["mac_address"] == "02:00:00:aa:bb:cc"
    assert wire.ask("GET", "ports?fixed_ips=ip_address%3D10.0.0.77").body["ports"] == [chosen]
    assert wire.ask("GET", f"ports?mac_address={chosen['mac_address']}").body["ports"] == [chosen]


def test_a_port_is_plugged_and_unplugged(wire: Wire) -> None:
    network = wire.network()
    port = wire.make("ports", network_id=network["id"])
    vif = wire.make("vifs", "service", port_id=port["id"], host="hv1", interface="tap1")
    assert (vif["port_id"], vif["network_id"], vif["host"], vif["interface"]) == (
        port["id"], network["id"], "hv1", "tap1")
    shown = wire.ask("GET", f"ports/{port['id']}", who="admin").body["port"]
    assert shown["binding:host_id"] == "hv1"
    assert shown["vif_id"] == vif["id"]
    assert wire.ask("GET", f"ports/{port['id']}").body["port"].keys().isdisjoint({"binding:host_id"})
    again = wire.ask("POST", "vifs", {"vif": {"port_id": port["id"], "host": "hv2", "interface": "x"}}, who="service")
    assert (again.status, again.error) == (409, "PortInUse")
    other = wire.make("ports", network_id=network["id"])
    taken = wire.ask("PUT", f"ports/{other['id']}/plug", {"host": "hv1", "interface": "tap1"}, who="service")
    assert (taken.status, taken.error) == (409, "InterfaceInUse")
    assert wire.ask("PUT", f"ports/{port['id']}/unplug", {}, who="service").status == 200
    assert wire.ask("GET", f"vifs/{vif['id']}").status == 404
    assert wire.ask("PUT", f"ports/{port['id']}/unplug", {}, who="service").status == 404
    assert wire.ask("PUT", f"ports/{other['id']}/plug", {"host": "hv1", "interface": "tap1"},
                    who="service").status == 200


def test_a_plug_that_names_a_network_makes_the_port(wire: Wire) -> None:
    network = wire.network()
    vif = wire.make("vifs", "service", network_id=network["id"], host="hv1", interface="tap1", project_id="service")
    assert vif["fixed_ips"][0]["ip_address"] == "10.0.0.2"
    port = wire.ask("GET", f"ports/{vif['port_id']}", who="admin").body["port"]
    assert port["network_id"] == network["id"]


def test_routers_take_interfaces_by_subnet_and_by_port(wire: Wire) -> None:
    first, second = wire.network("10.1.0.0/24"), wire.network("10.2.0.0/24")
    router = wire.make("routers", name="r")
    added = wire.ask("PUT", f"routers/{router['id']}/add_router_interface", {"subnet_id": first["subnets"][0]})
    assert added.status == 200
    assert added.body.keys() >= {"id", "subnet_id", "subnet_ids", "port_id", "network_id", "tenant_id", "project_id"}
    gateway = wire.ask("GET", f"ports/{added.body['port_id']}").body["port"]
    assert (gateway["device_owner"], gateway["device_id"], gateway["status"]) == (
        "network:router_interface", router["id"], "ACTIVE")
    assert gateway["fixed_ips"][0]["ip_address"] == "10.1.0.1"
    port = wire.make("ports", network_id=second["id"], fixed_ips=[{"ip_address": "10.2.0.9"}])
    assert wire.ask("PUT", f"routers/{router['id']}/add_router_interface", {"port_id": port["id"]}).status == 200
    assert wire.ask("DELETE", f"routers/{router['id']}").error == "RouterInUse"
    assert wire.ask("DELETE", f"ports/{port['id']}").error == "ServicePortInUse"
    assert wire.ask("DELETE", f"networks/{first['id']}").error == "NetworkInUse"
    for body in ({"subnet_id": first["subnets"][0]}, {"port_id": port["id"]}):
        assert wire.ask("PUT", f"routers/{router['id']}/remove_router_interface", body).status == 200
    assert wire.ask("GET", f"ports/{port['id']}").status == 404
    assert wire.ask("DELETE", f"routers/{router['id']}").status == 204


def test_a_gateway_keeps_its_mac_when_a_router_takes_it(wire: Wire) -> None:
    """And no port may take a gateway's."""
    network = wire.network()
    macs = set()
    for _ in range(2):
        router = wire.make("routers")
        added = wire.ask("PUT", f"routers/{router['id']}/add_router_interface", {"subnet_id": network["subnets"][0]})
        macs.add(wire.ask("GET", f"ports/{added.body['port_id']}").body["port"]["mac_address"])
        wire.ask("PUT", f"routers/{router['id']}/remove_router_interface", {"subnet_id": network["subnets"][0]})
    assert len(macs) == 1
    refused = wire.ask("POST", "ports", {"port": {"network_id": network["id"], "mac_address": macs.pop()}})
    assert (refused.status, refused.error) == (409, "MacAddressInUse")


def test_routes_are_pairwise_and_show_what_they_do(wire: Wire) -> None:
    first, second = wire.network("10.1.0.0/24"), wire.network("10.2.0.0/24")
    ends = {"source_subnet_id": first["subnets"][0], "destination_subnet_id": second["subnets"][0]}
    route = wire.make("routes", **ends)
    assert {(leg["destination"], leg["nexthop"]) for leg in route["routes"]} == {
        ("10.2.0.0/24", "10.1.0.1"), ("10.1.0.0/24", "10.2.0.1")}
    swapped = {"source_subnet_id": ends["destination_subnet_id"], "destination_subnet_id": ends["source_subnet_id"]}
    assert wire.ask("POST", "routes", {"route": swapped}).error == "RouteExists"
    assert wire.ask("DELETE", f"subnets/{first['subnets'][0]}").error == "SubnetInUse"


def test_statistics_of_what_never_sent_are_zero(wire: Wire) -> None:
    network = wire.network()
    port = wire.make("ports", network_id=network["id"])
    vif = wire.make("vifs", "service", port_id=port["id"], host="hv1", interface="tap1")
    for path in (f"networks/{network['id']}", f"ports/{port['id']}", f"vifs/{vif['id']}"):
        [(_, numbers)] = wire.ask("GET", f"{path}/statistics").body.items()
        assert {numbers[name] for name in ("bytes_in", "bytes_out", "packets_in", "packets_out")} == {0}


def test_several_are_made_all_or_none(wire: Wire) -> None:
    answer = wire.ask("POST", "networks", {"networks": [{"name": "a"}, {"name": "b"}]})
    assert [network["name"] for network in answer.body["networks"]] == ["a", "b"]
    before = wire.dump()
    network = answer.body["networks"][0]["id"]
    answer = wire.ask("POST", "ports", {"ports": [{"network_id": network}, {"network_id": GONE}]})
    assert (answer.status, answer.error) == (404, "NetworkNotFound")
    assert wire.dump() == before
    assert wire.ask("POST", "networks", {"networks": []}).status == 400
    assert wire.ask("PUT", f"networks/{network}", {"networks": [{}]}).status == 400


def test_changes_can_be_conditional_on_a_revision(wire: Wire) -> None:
    network = wire.make("networks")
    path = f"networks/{network['id']}"
    wrong = f"revision_number={network['revision_number'] + 7}"
    for method, body in (("PUT", {"network": {"name": "x"}}), ("DELETE", None)):
        answer = wire.ask(method, path, body, If_Match=wrong)
        assert (answer.status, answer.error) == (412, "RevisionNumberConstraintFailed")
    right = f"revision_number={network['revision_number']}"
    assert wire.ask("PUT", path, {"network": {"name": "x"}}, If_Match=right).status == 200
    assert wire.ask("PUT", path, {"network": {"name": "y"}}, If_Match=right).status == 412
    assert wire.ask("DELETE", path, If_Match="revision_number=abc").status == 400


def test_the_service_address_comes_and_goes(wire: Wire) -> None:
    """DHCP answers from the gateway; where there is none, from a port of its own."""
    network = wire.network()
    subnet = f"subnets/{network['subnets'][0]}"

    def services() -> list[Any]:
        found: list[Any] = wire.ask("GET", "ports?device_owner=network:dhcp", who="admin").body["ports"]
        return found

    assert services() == []
    wire.ask("PUT", subnet, {"subnet": {"gateway_ip": None}})
    [service] = services()
    assert service["fixed_ips"][0]["subnet_id"] == network["subnets"][0]
    wire.ask("PUT", subnet, {"subnet": {"enable_dhcp": False}})
    assert services() == []
    wire.ask("PUT", subnet, {"subnet": {"enable_dhcp": True, "gateway_ip": "10.0.0.1"}})
    assert services() == []
    # A machine that takes the gateway's address routes itself, and cannot be the DHCP server's.
    port = wire.make("ports", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.1"}])
    assert len(services()) == 1
    wire.ask("DELETE", f"ports/{port['id']}")
    assert services() == []


def test_without_a_layer_3_plugin(bare: Wire) -> None:
    """Subnets, routers and routes answer 501, whatever is asked; networks and ports go on."""
    for collection, member in (("subnets", "subnet"), ("routers", "router"), ("routes", "route")):
        for method, path, body in (("GET", collection, None), ("GET", f"{collection}/{GONE}", None),
                                   ("GET", f"{collection}?bogus=1", None), ("POST", collection, {}),
                                   ("POST", collection, {"x": 1}), ("PUT", f"{collection}/{GONE}", {"x": 1}),
                                   ("PUT", f"{collection}/{GONE}", {member: {"name": "x"}}),
                                   ("DELETE", f"{collection}/{GONE}", None)):
            answer = bare.ask(method, path, body)
            assert answer.status == 501
            assert answer.body.keys() == {"NotImplementedError"}
    posts: dict[str, dict[str, Any]] = {
        "subnets": {"subnet": {"network_id": GONE, "ip_version": 4, "cidr": "10.0.0.0/24"}},
        "routers": {"router": {"name": "r"}},
        "routes": {"route": {"source_subnet_id": GONE, "destination_subnet_id": GONE}},
        f"routers/{GONE}/add_router_interface": {"subnet_id": GONE},
        f"routers/{GONE}/remove_router_interface": {},
    }
    for path, body in posts.items():
        assert bare.ask("PUT" if "/" in path else "POST", path, body).status == 501
    network = bare.make("networks")
    port = bare.make("ports", network_id=network["id"])
    assert port["fixed_ips"] == []
    wanted = {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.0.0.1"}]}}
    assert bare.ask("POST", "ports", wanted).status == 501
    vif = bare.make("vifs", "service", port_id=port["id"], host="hv1", interface="tap1")
    for action in ("attach_subnet", "detach_subnet"):
        for body in ({"subnet_id": GONE}, {}, {"x": 1}):
            assert bare.ask("PUT", f"vifs/{vif['id']}/{action}", body).status == 501
    assert bare.ask("DELETE", f"ports/{port['id']}").status == 204
