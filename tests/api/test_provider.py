"""Provider networks: what operators may ask for, what becomes of their ports, and who is told."""
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from naas_sdn.db.load import load_all
from naas_sdn.model.values import Network, Uplink
from naas_sdn.service import hypervisors, uplinks
from tests.api.wire import Wire

OPTIONS = """[network]
flat_networks = public, lab
network_vlan_ranges = public:100:102, public:200:200, storage
physical_network_mtus = storage:9000
"""


@pytest.fixture
def wire(url: str) -> Iterator[Wire]:
    """hv1 is connected to the physical network "public", hv2 to none."""
    with Wire(url, options=OPTIONS) as made:
        with made.database.write() as session:
            uplinks.connect(session, hypervisors.by_name(session, "hv1"), {"public": "eth1"})
        yield made


def provider(kind: str | None = None, physical: str | None = None, number: int | None = None) -> dict[str, Any]:
    wanted = {"network_type": kind, "physical_network": physical, "segmentation_id": number}
    return {f"provider:{name}": value for name, value in wanted.items() if value is not None}


def made(wire: Wire, *what: Any, **more: Any) -> dict[str, Any]:
    answer = wire.ask("POST", "networks", {"network": {**provider(*what), **more}}, who="admin")
    assert answer.status == 201, answer.body
    network: dict[str, Any] = answer.body["network"]
    return network


def seen(network: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(network[f"provider:{name}"] for name in ("network_type", "physical_network", "segmentation_id"))


def test_operators_choose_what_a_network_is(wire: Wire) -> None:
    assert seen(made(wire, "flat", "public")) == ("flat", "public", None)
    assert seen(made(wire, "vlan", "public", 7)) == ("vlan", "public", 7)
    assert seen(made(wire, "vlan", "storage", 7)) == ("vlan", "storage", 7)
    assert seen(made(wire, "vxlan", None, 5000)) == ("vxlan", None, 5000)
    assert seen(made(wire))[:2] == ("vxlan", None)
    with wire.database.read() as session:
        facts = {(fact.physical_network, fact.vlan) for _, fact in load_all(session) if isinstance(fact, Network)}
    assert facts == {("public", None), ("public", 7), ("storage", 7), (None, None)}


def test_vlans_are_given_out_from_the_ranges_and_come_back(wire: Wire) -> None:
    made(wire, "vlan", "public", 101)
    networks = [made(wire, "vlan", *where) for where in (("public",), (), ("public",))]
    assert [network["provider:segmentation_id"] for network in networks] == [100, 102, 200]
    assert wire.ask("POST", "networks", {"network": provider("vlan")}, who="admin").error == "NoNetworkAvailable"
    assert wire.ask("DELETE", f"networks/{networks[1]['id']}", who="admin").status == 204
    assert made(wire, "vlan")["provider:segmentation_id"] == 102


@pytest.mark.parametrize(("what", "status", "error", "text"), [
    ((None, "public"), 400, "InvalidInput", "network_type required"),
    ((None, None, 5), 400, "InvalidInput", "network_type required"),
    (("local",), 400, "InvalidInput", "network_type value 'local' not supported"),
    (("flat",), 400, "InvalidInput", "physical_network required for flat provider network"),
    (("flat", "storage"), 400, "InvalidInput", "physical_network 'storage' unknown for flat provider network"),
    (("flat", "lab", 5), 400, "InvalidInput", "segmentation_id prohibited for flat provider network"),
    (("flat", "public"), 409, "FlatNetworkInUse", "Physical network public is in use"),
    (("vlan", "lab", 5), 400, "InvalidInput", "physical_network 'lab' unknown for VLAN provider network"),
    (("vlan", None, 5), 400, "InvalidInput", "segmentation_id requires physical_network"),
    (("vlan", "public", 4095), 400, "InvalidInput", r"segmentation_id out of range \(1 through 4094\)"),
    (("vlan", "storage"), 400, "InvalidInput", "Physical network storage requires segmentation_id"),
    (("vlan", "public", 7), 409, "VlanIdInUse", "The VLAN 7 on physical network public is in use"),
    (("vxlan", "public"), 400, "InvalidInput", "physical_network specified for vxlan network"),
    (("vxlan", None, 5000), 409, "TunnelIdInUse", "The tunnel ID 5000 is in use"),
])
def test_what_cannot_be_is_refused_as_neutron_refuses_it(wire: Wire, what: tuple[Any, ...], status: int, error: str,
                                                          text: str) -> None:
    for taken in (("flat", "public"), ("vlan", "public", 7), ("vxlan", None, 5000)):
        made(wire, *taken)
    before = wire.dump()
    answer = wire.ask("POST", "networks", {"network": provider(*what)}, who="admin")
    assert (answer.status, answer.error) == (status, error)
    assert re.search(text, answer.message)
    assert wire.dump() == before


def test_others_neither_choose_nor_see_it(wire: Wire) -> None:
    for name, value in (("network_type", "vxlan"), ("physical_network", "public"), ("segmentation_id", 5)):
        answer = wire.ask("POST", "networks", {"network": {f"provider:{name}": value}})
        assert (answer.status, answer.error) == (403, "PolicyNotAuthorized")
    network = made(wire, "flat", "public", shared=True)
    assert "provider:network_type" not in wire.ask("GET", f"networks/{network['id']}").body["network"]
    assert wire.ask("PUT", f"networks/{network['id']}", {"network": provider("vxlan")}, who="admin").status == 400


def test_lists_are_filtered_by_it(wire: Wire) -> None:
    flat, vlan, tunnel = made(wire, "flat", "public"), made(wire, "vlan", "public", 7), made(wire, "vxlan", None, 9)
    for query, found in (("network_type=flat", [flat]), ("network_type=vlan", [vlan]), ("network_type=vxlan", [tunnel]),
                         ("network_type=gre", []), ("physical_network=public", [flat, vlan]),
                         ("segmentation_id=7", [vlan]), ("segmentation_id=9", [tunnel]),
                         ("physical_network=public&segmentation_id=7", [vlan])):
        ids = sorted(network["id"] for network in found)
        full = "&".join(f"provider:{part}" for part in query.split("&"))
        assert sorted(item["id"] for item in wire.ask("GET", f"networks?{full}", who="admin").body["networks"]) == ids
        segments = wire.ask("GET", f"segments?{query}", who="admin").body["segments"]
        assert sorted(item["network_id"] for item in segments) == ids, query
    [segment] = wire.ask("GET", f"segments?network_id={vlan['id']}", who="admin").body["segments"]
    assert (segment["network_type"], segment["physical_network"], segment["segmentation_id"]) == ("vlan", "public", 7)


def test_a_network_s_mtu_is_its_physical_network_s(wire: Wire) -> None:
    assert made(wire)["mtu"] == 1450
    assert made(wire, "flat", "public")["mtu"] == 1500
    jumbo = made(wire, "vlan", "storage", 7)
    assert jumbo["mtu"] == 9000
    assert made(wire, "vlan", "storage", 8, mtu=8000)["mtu"] == 8000
    path = f"networks/{jumbo['id']}"
    assert wire.ask("PUT", path, {"network": {"mtu": 9001}}, who="admin").error == "InvalidInput"
    assert wire.ask("PUT", path, {"network": {"mtu": 8999}}, who="admin").body["network"]["mtu"] == 8999
    assert wire.ask("POST", "networks", {"network": {**provider("flat", "lab"), "mtu": 1501}},
                    who="admin").error == "InvalidInput"


def test_ports_are_where_the_physical_network_is(wire: Wire) -> None:
    network = made(wire, "flat", "public")
    port = wire.make("ports", "admin", network_id=network["id"], binding__host_id="hv1")
    lost = wire.make("ports", "admin", network_id=network["id"], binding__host_id="hv2")
    plain = wire.make("ports", "admin", network_id=made(wire)["id"], binding__host_id="hv2")
    shown = {item["id"]: item["binding:vif_type"] for item in wire.ask("GET", "ports", who="admin").body["ports"]}
    assert shown == {port["id"]: "ovs", lost["id"]: "binding_failed", plain["id"]: "ovs"}
    before = wire.dump()
    refused = wire.ask("POST", "vifs", {"vif": {"port_id": lost["id"], "host": "hv2", "interface": "tap1"}},
                       who="admin")
    assert (refused.status, refused.error) == (400, "InvalidInput")
    assert "hypervisor hv2 has no uplink to physical network public" in refused.message
    uplink = wire.ask("POST", "vifs", {"vif": {"port_id": plain["id"], "host": "hv1", "interface": "eth1"}},
                      who="admin")
    assert (uplink.status, uplink.error) == (409, "InterfaceInUse")
    answer = wire.ask("PUT", f"ports/{lost['id']}/plug", {"host": "hv2", "interface": "tap1"}, who="admin")
    assert answer.status == 400
    assert wire.dump() == before
    wire.make("vifs", "admin", port_id=port["id"], host="hv1", interface="tap1")
    wire.make("vifs", "admin", port_id=plain["id"], host="hv2", interface="tap1")


def test_uplinks_are_facts_and_shown(wire: Wire) -> None:
    def facts() -> set[Uplink]:
        with wire.database.read() as session:
            return {fact for _, fact in load_all(session) if isinstance(fact, Uplink)}

    agents = wire.ask("GET", "agents", who="admin").body["agents"]
    assert {agent["host"]: agent["configurations"]["bridge_mappings"] for agent in agents} == {
        "hv1": {"public": "eth1"}, "hv2": {}}
    found = wire.ask("GET", "hypervisors", who="admin").body["hypervisors"]
    assert {item["name"]: item["physical_networks"] for item in found} == {"hv1": {"public": "eth1"}, "hv2": {}}
    assert facts() == {Uplink("hv1", "public", "eth1")}
    with wire.database.write() as session:
        uplinks.connect(session, hypervisors.by_name(session, "hv1"), {"storage": "eth1", "public": "eth2"})
    assert facts() == {Uplink("hv1", "storage", "eth1"), Uplink("hv1", "public", "eth2")}
    with wire.database.write() as session:
        hypervisors.remove(session, "hv1")
    assert facts() == set()


def test_routing_there_is_the_physical_network_s(wire: Wire) -> None:
    network = made(wire, "flat", "public")
    subnet = wire.make("subnets", "admin", network_id=network["id"], ip_version=4, cidr="192.0.2.0/24")
    other = wire.network(who="admin")["subnets"][0]
    router = wire.make("routers", "admin")
    before = wire.dump()
    answer = wire.ask("PUT", f"routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]}, who="admin")
    assert answer.status == 501
    assert "is on physical network public, whose own gateways route" in answer.message
    route = wire.ask("POST", "routes", {"route": {"source_subnet_id": other, "destination_subnet_id": subnet["id"]}},
                     who="admin")
    assert route.status == 501
    assert wire.dump() == before
