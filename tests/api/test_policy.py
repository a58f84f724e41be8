"""A tenant sees and changes his own: the rest is not there, or not his, and errors do not tell which."""
from __future__ import annotations

from typing import Any

import pytest

from tests.api.wire import GONE, Wire


def furnish(wire: Wire, who: str = "alice") -> dict[str, str]:
    """One of each, by path -> id."""
    first, second = wire.network("10.1.0.0/24", who), wire.network("10.2.0.0/24", who)
    port = wire.make("ports", who, network_id=first["id"])
    router = wire.make("routers", who)
    wire.ask("PUT", f"routers/{router['id']}/add_router_interface", {"subnet_id": second["subnets"][0]}, who=who)
    route = wire.make("routes", who, source_subnet_id=first["subnets"][0], destination_subnet_id=second["subnets"][0])
    vif = wire.make("vifs", "service", port_id=port["id"], host="hv1", interface="tap1")
    policy = wire.make("qos/policies", "admin", project_id=who)
    trunk = wire.make("trunks", who, port_id=wire.make("ports", who, network_id=first["id"])["id"])
    return {"networks": first["id"], "subnets": first["subnets"][0], "ports": port["id"], "routers": router["id"],
            "routes": route["id"], "vifs": vif["id"], "qos/policies": policy["id"],
            "trunks": trunk["id"],
            "bridges": wire.make("bridges", who, network_id=first["id"])["id"]}


MEMBERS = {"networks": "network", "subnets": "subnet", "ports": "port", "routers": "router", "routes": "route",
           "qos/policies": "policy", "trunks": "trunk", "bridges": "bridge"}


def test_another_tenant_s_things_are_not_there(wire: Wire) -> None:
    """The very same answer as for an id that nothing has."""
    things = furnish(wire)
    before = wire.dump()
    for path, identifier in things.items():
        assert next(iter(wire.ask("GET", path, who="bob").body.values())) == []
        for method in ("GET", "PUT", "DELETE"):
            body = {MEMBERS[path]: {"name": "mine"}} if method == "PUT" and path in MEMBERS else None
            if method == "PUT" and body is None:
                continue
            answer, nothing = (wire.ask(method, f"{path}/{i}", body, who="bob") for i in (identifier, GONE))
            assert (answer.status, answer.error) == (404, nothing.error), (method, path)
            assert answer.message.replace(identifier, GONE) == nothing.message
        answer, nothing = (wire.ask("GET", f"{path}?marker={i}", who="bob") for i in (identifier, GONE))
        assert (answer.status, answer.message.replace(identifier, GONE)) == (404, nothing.message), path
    for path in ("networks", "ports", "vifs"):
        assert wire.ask("GET", f"{path}/{things[path]}/statistics", who="bob").status == 404
    for path, body in ((f"routers/{things['routers']}/add_router_interface", {"subnet_id": things["subnets"]}),
                       (f"vifs/{things['vifs']}/attach_subnet", {"subnet_id": things["subnets"]})):
        assert wire.ask("PUT", path, body, who="bob").status == 404
    assert wire.dump() == before


def test_foreign_ids_in_a_body_are_not_there_either(wire: Wire) -> None:
    theirs, own = furnish(wire), wire.network("10.9.0.0/24", "bob")
    port = wire.make("ports", "bob", network_id=own["id"])
    router = wire.make("routers", "bob")
    before = wire.dump()
    attempts: list[tuple[str, str, Any]] = [
        ("POST", "ports", {"port": {"network_id": theirs["networks"]}}),
        ("POST", "subnets", {"subnet": {"network_id": theirs["networks"], "ip_version": 4, "cidr": "10.3.0.0/24"}}),
        ("POST", "ports", {"port": {"network_id": own["id"], "qos_policy_id": theirs["qos/policies"]}}),
        ("PUT", f"ports/{port['id']}", {"port": {"qos_policy_id": theirs["qos/policies"]}}),
        ("PUT", f"networks/{own['id']}", {"network": {"qos_policy_id": theirs["qos/policies"]}}),
        ("PUT", f"ports/{port['id']}", {"port": {"fixed_ips": [{"subnet_id": theirs["subnets"]}]}}),
        ("PUT", f"routers/{router['id']}/add_router_interface", {"subnet_id": theirs["subnets"]}),
        ("PUT", f"routers/{router['id']}/add_router_interface", {"port_id": theirs["ports"]}),
        ("POST", "bridges", {"bridge": {"network_id": theirs["networks"]}}),
        ("POST", "routes", {"route": {"source_subnet_id": own["subnets"][0],
                                      "destination_subnet_id": theirs["subnets"]}}),
    ]
    for method, path, body in attempts:
        answer = wire.ask(method, path, body, who="bob")
        assert answer.status in (400, 404), (path, body, answer.body)
        assert answer.status == 404 or "invalid subnet" in answer.message
    assert wire.dump() == before


def test_a_shared_network_is_seen_and_used_but_not_changed(wire: Wire) -> None:
    shared = wire.network("10.1.0.0/24", "admin", shared=True)
    assert [network["id"] for network in wire.ask("GET", "networks").body["networks"]] == [shared["id"]]
    assert [subnet["id"] for subnet in wire.ask("GET", "subnets").body["subnets"]] == shared["subnets"]
    port = wire.make("ports", network_id=shared["id"])
    other = wire.make("ports", "bob", network_id=shared["id"])
    assert [port["id"]] == [item["id"] for item in wire.ask("GET", "ports").body["ports"]]
    assert wire.ask("GET", f"ports/{other['id']}").status == 404
    refusals: list[tuple[str, str, Any]] = [
        ("PUT", f"networks/{shared['id']}", {"network": {"name": "mine"}}),
        ("DELETE", f"networks/{shared['id']}", None),
        ("POST", "subnets", {"subnet": {"network_id": shared["id"], "ip_version": 4, "cidr": "10.8.0.0/24"}}),
        ("DELETE", f"subnets/{shared['subnets'][0]}", None),
        ("POST", "ports", {"port": {"network_id": shared["id"], "fixed_ips": [{"ip_address": "10.1.0.77"}]}}),
        ("POST", "ports", {"port": {"network_id": shared["id"], "mac_address": "02:00:00:00:00:01"}}),
        ("PUT", f"ports/{port['id']}", {"port": {"port_security_enabled": False}}),
        ("POST", "ports", {"port": {"network_id": shared["id"], "device_owner": "network:dhcp"}}),
        ("GET", f"networks/{shared['id']}/statistics", None),
    ]
    second = wire.make("subnets", "admin", network_id=shared["id"], ip_version=4, cidr="10.2.0.0/24")
    vif = wire.make("vifs", "service", port_id=port["id"], host="hv1", interface="tap1")
    attach = f"vifs/{vif['id']}/attach_subnet"
    refusals.append(("PUT", attach, {"subnet_id": second["id"], "ip_address": second["gateway_ip"]}))
    before = wire.dump()
    for method, path, body in refusals:
        answer = wire.ask(method, path, body)
        assert (answer.status, answer.error) == (403, "PolicyNotAuthorized"), (method, path, body, answer.body)
    assert wire.dump() == before
    assert wire.ask("PUT", attach, {"subnet_id": second["id"]}).status == 200
    unshared = wire.ask("PUT", f"networks/{shared['id']}", {"network": {"shared": False}}, who="admin")
    assert (unshared.status, unshared.error) == (409, "InvalidSharedSetting")


def test_what_only_an_operator_or_the_compute_service_may_say(wire: Wire) -> None:
    network = wire.network()
    port = wire.make("ports", network_id=network["id"])
    for method, path, body, status in (
            ("POST", "networks", {"network": {"shared": True}}, 403),
            ("POST", "networks", {"network": {"isolated": True}}, 403),
            ("POST", "networks", {"network": {"project_id": "bob"}}, 400),
            ("POST", "networks", {"network": {"project_id": "alice", "tenant_id": "bob"}}, 400),
            ("POST", "ports", {"port": {"network_id": network["id"], "binding:host_id": "hv1"}}, 403),
            ("POST", "vifs", {"vif": {"port_id": port["id"], "host": "hv1", "interface": "tap1"}}, 403),
            ("PUT", f"ports/{port['id']}/plug", {"host": "hv1", "interface": "tap1"}, 403),
            ("POST", "qos/policies", {"policy": {"shared": True}}, 403),
    ):
        assert wire.ask(method, path, body).status == status, (method, path, body)
    assert wire.ask("GET", "hypervisors").body == {"hypervisors": []}
    assert len(wire.ask("GET", "hypervisors", who="service").body["hypervisors"]) == 2
    bound = wire.make("ports", "service", network_id=network["id"], project_id="alice", binding__host_id="hv1")
    assert bound["project_id"] == "alice"
    wire.ask("PUT", f"ports/{bound['id']}", {"port": {"binding:profile": {"slot": 1}}}, who="service")
    before = wire.dump()
    for name, values in (("binding:host_id", (None, "", "hv1")), ("binding:profile", (None, {}, {"slot": 1}))):
        for value in values:
            assert wire.ask("PUT", f"ports/{bound['id']}", {"port": {name: value}}).status == 403, (name, value)
    assert wire.dump() == before
    assert wire.make("ports", network_id=network["id"], binding__host_id=None, binding__profile={})["status"] == "DOWN"
    assert wire.ask("PUT", f"ports/{bound['id']}", {"port": {"binding:host_id": None}}, who="service").status == 200


def test_what_belongs_to_the_cloud_is_given_and_taken_by_it_alone(wire: Wire) -> None:
    network = wire.network()
    router = wire.make("routers")
    added = wire.ask("PUT", f"routers/{router['id']}/add_router_interface", {"subnet_id": network["subnets"][0]})
    interface, port = added.body["port_id"], wire.make("ports", network_id=network["id"])["id"]
    before = wire.dump()
    for who in ("alice", "service", "admin"):
        for identifier, owner in ((port, "network:dhcp"), (port, "network:router_interface"), (interface, ""),
                                  (interface, "network:dhcp")):
            answer = wire.ask("PUT", f"ports/{identifier}", {"port": {"device_owner": owner}}, who=who)
            assert (answer.status, answer.error) == (400, "BadRequest"), (who, owner)
    assert wire.dump() == before


def test_a_router_s_and_dhcp_s_ports_keep_their_addresses(wire: Wire) -> None:
    network, open_network = wire.network(), wire.network(None)
    wire.make("subnets", network_id=open_network["id"], ip_version=4, cidr="10.9.0.0/24", gateway_ip=None)
    router = wire.make("routers")
    added = wire.ask("PUT", f"routers/{router['id']}/add_router_interface", {"subnet_id": network["subnets"][0]})
    [service] = wire.ask("GET", f"ports?network_id={open_network['id']}").body["ports"]
    assert service["device_owner"] == "network:dhcp"
    before = wire.dump()
    for identifier in (added.body["port_id"], service["id"]):
        for change in ({"fixed_ips": []}, {"fixed_ips": None}, {"fixed_ips": [{"ip_address": "10.0.0.77"}]},
                       {"fixed_ips": [{"ip_address": "10.9.0.77"}]}, {"mac_address": "02:00:00:00:00:01"}):
            answer = wire.ask("PUT", f"ports/{identifier}", {"port": change}, who="admin")
            assert (answer.status, answer.error) == (409, "ServicePortInUse"), change
    assert wire.dump() == before
    for said in (service["fixed_ips"], [{"subnet_id": service["fixed_ips"][0]["subnet_id"]}]):
        body = {"port": {"fixed_ips": said, "mac_address": service["mac_address"], "name": "x"}}
        answer = wire.ask("PUT", f"ports/{service['id']}", body)
        assert (answer.status, answer.body["port"]["fixed_ips"]) == (200, service["fixed_ips"])


def test_a_port_of_a_shared_network_is_told_back_as_it_is(wire: Wire) -> None:
    """Clients send what they read with what they change."""
    shared = wire.network(who="admin", shared=True)
    port = wire.make("ports", network_id=shared["id"], device_owner="compute:nova")
    path = f"ports/{port['id']}"
    same = {name: port[name] for name in ("device_owner", "mac_address", "port_security_enabled")}
    assert wire.ask("PUT", path, {"port": {**same, "name": "x"}}).status == 200
    for name, value in (("mac_address", None), ("port_security_enabled", False), ("device_owner", "network:x")):
        assert wire.ask("PUT", path, {"port": {name: value}}).status == 403, name


def test_a_reader_reads(wire: Wire) -> None:
    things = furnish(wire)
    before = wire.dump()
    for path, identifier in things.items():
        assert wire.ask("GET", f"{path}/{identifier}", who="reader").status == 200
        assert wire.ask("DELETE", f"{path}/{identifier}", who="reader").status == 403
    for path in ("networks", "ports", "vifs"):
        for who in ("reader", "service"):
            assert wire.ask("GET", f"{path}/{things[path]}/statistics", who=who).status == 200, (path, who)
    for path, member in MEMBERS.items():
        answer = wire.ask("PUT", f"{path}/{things[path]}", {member: {"name": "x"}}, who="reader")
        assert answer.status == 403
    assert wire.ask("POST", "networks", {"network": {}}, who="reader").status == 403
    assert wire.dump() == before


@pytest.mark.parametrize("attribute", ["id", "status", "created_at", "revision_number", "subnets",
                                       "l2_adjacency", "plugging", "acknowledged", "key", "__class__"])
def test_nothing_else_can_be_assigned(wire: Wire, attribute: str) -> None:
    network = wire.make("networks")
    before = wire.dump()
    for answer in (wire.ask("POST", "networks", {"network": {attribute: "x"}}),
                   wire.ask("PUT", f"networks/{network['id']}", {"network": {attribute: "x"}})):
        assert (answer.status, answer.error) == (400, "HTTPBadRequest")
    assert wire.dump() == before
