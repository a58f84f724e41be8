"""What several clients ask for at once, of processes that know nothing of each other, on both databases.

Each `Wire` has a database of its own opening, as a process has. Green threads take turns while PostgreSQL is waited
for; on SQLite one transaction runs after the other, and the same must come of it.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from typing import Any

import pytest

from naas_sdn import runtime
from tests.api.wire import Answer, Wire

Request = tuple[str, str, Any]


@pytest.fixture
def other(url: str, wire: Wire) -> Iterator[Wire]:
    """Another process on the same database."""
    with Wire(url, registered=True) as made:
        yield made


def at_once(wires: tuple[Wire, ...], requests: list[Request], who: str = "alice") -> list[Answer]:
    """Asked of the processes in turn."""
    for wire in wires:
        wire.token(who)
    threads = [runtime.spawn(partial(wire.ask, *request, who=who))
               for wire, request in zip(cycle(wires), requests, strict=False)]
    return [thread.wait() for thread in threads]


def outcomes(answers: list[Answer]) -> Counter[tuple[int, str]]:
    return Counter((answer.status, answer.error if answer.status >= 400 else "") for answer in answers)


def addresses(port: Any) -> list[str]:
    return [fixed["ip_address"] for fixed in port["fixed_ips"]]


def test_addresses_macs_and_numbers_are_given_once(wire: Wire, other: Wire) -> None:
    network = wire.network()
    answers = at_once((wire, other), [("POST", "ports", {"port": {"network_id": network["id"]}})] * 16)
    assert outcomes(answers) == {(201, ""): 16}
    ports = [answer.body["port"] for answer in answers]
    assert len({port["mac_address"] for port in ports}) == len({port["number"] for port in ports}) == 16
    assert len({address for port in ports for address in addresses(port)}) == 16


def test_the_last_addresses_of_a_subnet(wire: Wire, other: Wire) -> None:
    network = wire.network("10.0.0.0/29")
    answers = at_once((wire, other), [("POST", "ports", {"port": {"network_id": network["id"]}})] * 10)
    assert outcomes(answers) == {(201, ""): 5, (409, "IpAddressGenerationFailure"): 5}
    found = sorted(address for answer in answers if answer.status == 201 for address in addresses(answer.body["port"]))
    assert found == [f"10.0.0.{number}" for number in range(2, 7)]


@pytest.mark.parametrize(("wanted", "error"), [
    ({"fixed_ips": [{"ip_address": "10.0.0.9"}]}, "IpAddressAlreadyAllocated"),
    ({"mac_address": "02:00:00:00:00:09"}, "MacAddressInUse")])
def test_one_address_that_all_want(wire: Wire, other: Wire, wanted: dict[str, Any], error: str) -> None:
    network = wire.network()
    answers = at_once((wire, other), [("POST", "ports", {"port": {"network_id": network["id"], **wanted}})] * 6)
    assert outcomes(answers) == {(201, ""): 1, (409, error): 5}


def test_the_last_places_of_a_quota(wire: Wire, other: Wire) -> None:
    assert wire.ask("PUT", "quotas/alice", {"quota": {"network": 3}}, who="admin").status == 200
    answers = at_once((wire, other), [("POST", "networks", {"network": {}})] * 8)
    assert outcomes(answers) == {(201, ""): 3, (409, "OverQuota"): 5}
    assert len(wire.ask("GET", "networks").body["networks"]) == 3


def test_one_thing_is_deleted_once(wire: Wire, other: Wire) -> None:
    port = wire.make("ports", network_id=wire.network()["id"])
    answers = at_once((wire, other), [("DELETE", f"ports/{port['id']}", None)] * 6)
    assert outcomes(answers) == {(204, ""): 1, (404, "PortNotFound"): 5}


def test_an_interface_is_attached_once(wire: Wire, other: Wire) -> None:
    """To one router, and as one of a router's."""
    subnet = wire.network()["subnets"][0]
    routers = [wire.make("routers")["id"] for _ in range(2)]
    answers = at_once((wire, other), [("PUT", f"routers/{router}/add_router_interface", {"subnet_id": subnet})
                                      for router in routers * 3])
    assert Counter(answer.status for answer in answers)[200] == 1
    assert {answer.status for answer in answers} <= {200, 400, 409}
    ports = wire.ask("GET", "ports?device_owner=network:router_interface").body["ports"]
    assert [addresses(port) for port in ports] == [["10.0.0.1"]]


def test_an_interface_of_a_hypervisor_is_one_port_s(wire: Wire, other: Wire) -> None:
    network = wire.network()
    ports = [wire.make("ports", network_id=network["id"])["id"] for _ in range(6)]
    answers = at_once((wire, other), [("PUT", f"ports/{port}/plug", {"host": "hv1", "interface": "tap"})
                                      for port in ports], who="service")
    assert outcomes(answers) == {(200, ""): 1, (409, "InterfaceInUse"): 5}


def test_slots_of_a_hypervisor_are_given_once(wire: Wire, other: Wire) -> None:
    network = wire.network()
    ports = [wire.make("ports", network_id=network["id"])["id"] for _ in range(8)]
    answers = at_once((wire, other), [("PUT", f"ports/{port}/plug", {"host": "hv1", "interface": f"tap{number}"})
                                      for number, port in enumerate(ports)], who="service")
    assert outcomes(answers) == {(200, ""): 8}


def test_vlans_are_given_once(url: str, wire: Wire) -> None:
    options = "[network]\nnetwork_vlan_ranges = public:100:104\nflat_networks = public"
    with Wire(url, registered=True, options=options) as one, Wire(url, registered=True, options=options) as other:
        vlan = {"network": {"provider:network_type": "vlan", "provider:physical_network": "public"}}
        answers = at_once((one, other), [("POST", "networks", vlan)] * 8, who="admin")
        assert outcomes(answers) == {(201, ""): 5, (409, "NoNetworkAvailable"): 3}
        assert sorted(answer.body["network"]["provider:segmentation_id"] for answer in answers
                      if answer.status == 201) == list(range(100, 105))
        for wanted, error in (({"network_type": "vlan", "physical_network": "public", "segmentation_id": 7},
                               "VlanIdInUse"),
                              ({"network_type": "flat", "physical_network": "public"}, "FlatNetworkInUse")):
            body = {"network": {f"provider:{name}": value for name, value in wanted.items()}}
            assert outcomes(at_once((one, other), [("POST", "networks", body)] * 4, who="admin")) == {
                (201, ""): 1, (409, error): 3}


def test_a_network_goes_or_gets_a_port(wire: Wire, other: Wire) -> None:
    """Whichever is first: a port without its network is never left."""
    for _ in range(4):
        network = wire.network(None)["id"]
        deleted, made = at_once((wire, other), [("DELETE", f"networks/{network}", None),
                                                ("POST", "ports", {"port": {"network_id": network}})])
        assert (deleted.status, made.status) in ((204, 404), (409, 201))


def test_ranges_of_a_network_do_not_overlap(wire: Wire, other: Wire) -> None:
    network = wire.network(None)["id"]
    body = {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"}}
    answers = at_once((wire, other), [("POST", "subnets", body)] * 6)
    assert Counter(answer.status for answer in answers)[201] == 1
    assert len(wire.ask("GET", f"networks/{network}").body["network"]["subnets"]) == 1


def test_one_pair_of_subnets_has_one_route(wire: Wire, other: Wire) -> None:
    one, two = (wire.network(cidr)["subnets"][0] for cidr in ("10.0.0.0/24", "10.1.0.0/24"))
    body = {"route": {"source_subnet_id": one, "destination_subnet_id": two}}
    answers = at_once((wire, other), [("POST", "routes", body)] * 6)
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 5}


def test_changes_of_one_revision_are_made_once(wire: Wire, other: Wire) -> None:
    network = wire.network(None)
    for made in (wire, other):
        made.token("alice")
    threads = [runtime.spawn(partial(
        made.ask, "PUT", f"networks/{network['id']}", {"network": {"name": name}},
        If_Match=f"revision_number={network['revision_number']}")) for made in (wire, other) for name in "ab"]
    assert sorted(thread.wait().status for thread in threads) == [200, 412, 412, 412]


SITE = {"type": "vxlan", "remote_endpoint": "198.51.100.7", "key": 77}


def test_one_tunnel_has_one_bridge(wire: Wire, other: Wire) -> None:
    body = {"bridge": {"network_id": wire.network(None)["id"], "plugged": True, **SITE}}
    answers = at_once((wire, other), [("POST", "bridges", body)] * 6)
    assert outcomes(answers) == {(201, ""): 1, (409, "BridgeExists"): 5}
    assert len(wire.ask("GET", "ports").body["ports"]) == 1


@pytest.mark.parametrize("rival", ["interface", "trunk"])
def test_a_bridge_has_its_port_alone(wire: Wire, other: Wire, rival: str) -> None:
    """Another bridge, and a machine's interface or a trunk, want it too."""
    network = wire.network(None)["id"]
    sites = [wire.make("bridges", network_id=network, **{**SITE, "key": key})["id"] for key in (1, 2)]
    for number in range(4):
        port = wire.make("ports", network_id=network)["id"]
        wanted = {"interface": ("PUT", f"ports/{port}/plug", {"host": "hv1", "interface": f"tap{number}"}),
                  "trunk": ("POST", "trunks", {"trunk": {"port_id": port, "project_id": "alice"}})}[rival]
        requests = [wanted, *(("PUT", f"bridges/{site}/plug_bridge", {"port_id": port}) for site in sites)]
        turned = requests[number % 3:] + requests[:number % 3]
        answers = at_once((wire, other), turned, who="admin")
        assert Counter(answer.status // 100 for answer in answers) == {2: 1, 4: 2}, outcomes(answers)
        for site in sites:
            wire.ask("PUT", f"bridges/{site}/unplug_bridge", {})


def test_a_bridge_never_loses_its_network(wire: Wire, other: Wire) -> None:
    for _ in range(4):
        network = wire.network(None)["id"]
        deleted, made = at_once((wire, other), [("DELETE", f"networks/{network}", None),
                                                ("POST", "bridges", {"bridge": {"network_id": network}})])
        assert (deleted.status, made.status) in ((204, 404), (409, 201))
