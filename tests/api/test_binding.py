"""Where ports are bound: what Nova says and reads of them."""
from __future__ import annotations

from typing import Any

import pytest

from tests.api.wire import Wire

DETAILS = {"connectivity": "l2", "port_filter": True, "ovs_hybrid_plug": False, "ovs_create_tap": True,
           "datapath_type": "system", "bridge_name": "br-int", "bound_drivers": {"0": "openvswitch"}}
HIDDEN = {"binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details"}


def change(wire: Wire, port: dict[str, Any], who: str = "service", **attributes: Any) -> dict[str, Any]:
    """The port, after a PUT; names may spell a colon as two underscores."""
    named = {name.replace("__", ":"): value for name, value in attributes.items()}
    answer = wire.ask("PUT", f"ports/{port['id']}", {"port": named}, who=who)
    assert answer.status == 200, answer.body
    changed: dict[str, Any] = answer.body["port"]
    return changed


@pytest.mark.parametrize(("host", "vnic_type", "vif_type"), [
    ("hv1", "normal", "ovs"), ("elsewhere", "normal", "binding_failed"), ("", "normal", "unbound"),
    (None, "direct", "unbound"), ("hv1", "direct", "binding_failed")])
def test_a_port_is_bound_where_a_hypervisor_is(wire: Wire, host: str | None, vnic_type: str, vif_type: str) -> None:
    port = wire.make("ports", network_id=wire.network()["id"], binding__vnic_type=vnic_type)
    assert (port["binding:vnic_type"], port.keys() & HIDDEN) == (vnic_type, set())
    bound = change(wire, port, binding__host_id=host)
    assert (bound["binding:host_id"], bound["binding:vif_type"]) == (host or "", vif_type)
    assert bound["binding:vif_details"] == (DETAILS if vif_type == "ovs" else {})
    assert wire.ask("GET", f"ports/{port['id']}", who="admin").body["port"] == bound
    assert not wire.ask("GET", f"ports/{port['id']}").body["port"].keys() & HIDDEN
    assert change(wire, port, binding__host_id=None)["binding:vif_type"] == "unbound"


def test_bridge_and_datapath_are_the_operator_s_to_say(url: str) -> None:
    with Wire(url, openflow={"bridge": "br-data", "datapath_type": "netdev"}) as wire:
        port = wire.make("ports", "admin", network_id=wire.network()["id"], binding__host_id="hv1")
        assert port["binding:vif_details"] == {**DETAILS, "bridge_name": "br-data", "datapath_type": "netdev"}
        refused = wire.ask("PUT", f"ports/{port['id']}/plug", {"host": "hv1", "interface": "br-data"}, who="admin")
        assert (refused.status, refused.error) == (400, "InvalidInput")


def test_a_bound_port_keeps_its_vnic_type_and_only_normal_ones_are_plugged(wire: Wire) -> None:
    port = wire.make("ports", "admin", network_id=wire.network()["id"], binding__host_id="hv1")
    refused = wire.ask("PUT", f"ports/{port['id']}", {"port": {"binding:vnic_type": "direct"}}, who="admin")
    assert (refused.status, refused.error) == (409, "PortInUse")
    assert change(wire, port, binding__vnic_type="normal")["binding:vif_type"] == "ovs"
    change(wire, port, binding__host_id=None)
    change(wire, port, binding__vnic_type="direct")
    plugged = wire.ask("PUT", f"ports/{port['id']}/plug", {"host": "hv1", "interface": "tap1"}, who="admin")
    assert (plugged.status, plugged.error) == (400, "InvalidInput")


def test_nova_finds_its_user_s_ports_by_host_with_his_token(wire: Wire) -> None:
    network = wire.network()
    here, there = (wire.make("ports", "service", network_id=network["id"], project_id="alice", device_id="vm",
                             binding__host_id=host) for host in ("hv1", "hv2"))
    query = "ports?device_id=vm&tenant_id=alice&binding:host_id="
    for who in ("alice", "service"):
        for host, port in (("hv1", here), ("hv2", there)):
            assert [found["id"] for found in wire.ask("GET", query + host, who=who).body["ports"]] == [port["id"]]
    assert wire.ask("GET", query + "hv1", who="bob").body["ports"] == []


@pytest.mark.parametrize("owner", ["compute:nova", "baremetal:none", "manila:share"])
def test_a_machine_s_port_is_deleted_through_its_service(wire: Wire, owner: str) -> None:
    network = wire.network(who="alice")
    paths = [f"ports/{wire.make('ports', network_id=network['id'], device_owner=owner)['id']}" for _ in range(3)]
    refused = wire.ask("DELETE", paths[0])
    assert (refused.status, refused.error) == (403, "PolicyNotAuthorized")
    assert wire.ask("DELETE", paths[0], X_Service_Token=wire.token("bob")).status == 403
    assert wire.ask("DELETE", paths[0], X_Service_Token="wrong").status == 401
    assert wire.ask("DELETE", paths[0], who="bob", X_Service_Token=wire.token("service")).status == 404
    assert wire.ask("DELETE", paths[0], who="reader", X_Service_Token=wire.token("service")).status == 403
    assert wire.ask("DELETE", paths[0], X_Service_Token=wire.token("service")).status == 204
    for who, path in (("service", paths[1]), ("admin", paths[2])):
        assert wire.ask("DELETE", path, who=who).status == 204


def test_a_router_s_port_keeps_its_router(wire: Wire) -> None:
    network, router = wire.network(), wire.make("routers")
    added = wire.ask("PUT", f"routers/{router['id']}/add_router_interface", {"subnet_id": network["subnets"][0]})
    path = f"ports/{added.body['port_id']}"
    refused = wire.ask("PUT", path, {"port": {"device_id": "other"}}, who="admin")
    assert (refused.status, refused.error) == (409, "ServicePortInUse")
    assert wire.ask("PUT", path, {"port": {"device_id": router["id"], "name": "x"}}).status == 200
