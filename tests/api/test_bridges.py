"""Bridges: use case 3 step by step and by one call, who may have one, what is refused, and what they hold."""
from __future__ import annotations

from typing import Any

import pytest

from tests.api.wire import GONE, Answer, Wire

SITE = {"type": "vxlan", "remote_endpoint": "198.51.100.7", "key": 77}
CONFIGURATION = ("type", "remote_endpoint", "udp_port", "key")
NOTHING = dict.fromkeys(CONFIGURATION)


def act(wire: Wire, bridge: dict[str, Any], action: str, who: str = "alice", **body: Any) -> Answer:
    return wire.ask("PUT", f"bridges/{bridge['id']}/{action}", body, who=who)


def refused(wire: Wire, who: str = "alice", **attributes: Any) -> Answer:
    """POST that changes nothing."""
    before = wire.dump()
    answer = wire.ask("POST", "bridges", {"bridge": attributes}, who=who)
    assert wire.dump() == before
    return answer


def shown(wire: Wire, collection: str, identifier: str) -> dict[str, Any]:
    return dict(next(iter(wire.ask("GET", f"{collection}/{identifier}").body.values())))


def test_use_case_3_step_by_step(wire: Wire) -> None:
    network = wire.network()["id"]
    bridge = wire.make("bridges", network_id=network, name="site")
    assert ({name: bridge[name] for name in CONFIGURATION}, bridge["status"]) == (NOTHING, "registered")
    set_up = wire.ask("PUT", f"bridges/{bridge['id']}", {"bridge": SITE}).body["bridge"]
    assert {name: set_up[name] for name in CONFIGURATION} == {**SITE, "udp_port": 4789}
    assert (set_up["status"], set_up["plugged"]) == ("configured", False)
    assert set_up["revision_number"] > bridge["revision_number"]
    port = wire.make("ports", network_id=network)
    plugged = act(wire, bridge, "plug_bridge", port_id=port["id"]).body["bridge"]
    assert (plugged["status"], plugged["plugged"], plugged["port_id"]) == ("plugged", True, port["id"])
    assert shown(wire, "bridges", bridge["id"]) == plugged
    held = shown(wire, "ports", port["id"])
    assert (held["device_owner"], held["device_id"], held["status"]) == ("naas:bridge", bridge["id"], "DOWN")
    free = act(wire, bridge, "unplug_bridge").body["bridge"]
    assert (free["status"], free["port_id"]) == ("configured", None)
    assert shown(wire, "ports", port["id"])["device_owner"] == ""
    assert wire.ask("DELETE", f"ports/{port['id']}").status == 204
    assert wire.ask("DELETE", f"bridges/{bridge['id']}").status == 204


def test_one_call_does_it_all(wire: Wire) -> None:
    network = wire.network()["id"]
    bridge = wire.make("bridges", network_id=network, plugged=True, **SITE)
    port = shown(wire, "ports", bridge["port_id"])
    assert (bridge["status"], port["network_id"], port["fixed_ips"]) == ("plugged", network, [])
    assert wire.ask("DELETE", f"bridges/{bridge['id']}").status == 204
    assert wire.ask("GET", f"ports/{port['id']}").status == 404
    again = wire.make("bridges", network_id=network, plugged=True, **SITE)
    assert act(wire, again, "unplug_bridge").status == 200
    assert wire.ask("GET", f"ports/{again['port_id']}").status == 404
    port = wire.make("ports", network_id=network)
    assert act(wire, again, "plug_bridge", port_id=port["id"]).status == 200
    assert wire.ask("DELETE", f"bridges/{again['id']}").status == 204
    assert shown(wire, "ports", port["id"])["device_id"] == ""


@pytest.mark.parametrize(("site", "word"), [
    ({"remote_endpoint": "198.51.100.7", "key": 1}, "type"),
    ({"type": "vxlan", "key": 1}, "remote_endpoint"),
    *(({"type": "vxlan", "remote_endpoint": address, "key": 1}, "remote_endpoint") for address in (
        "127.0.0.1", "224.0.0.5", "0.0.0.0", "0.1.2.3", "169.254.1.1", "255.255.255.255", "250.0.0.1", "2001:db8::1",
        "192.0.2.1")),
    ({"type": "vxlan", "remote_endpoint": "198.51.100.7"}, "key"),
    ({"type": "vxlan", "remote_endpoint": "198.51.100.7", "key": 0}, "key"),
    ({"type": "vxlan", "remote_endpoint": "198.51.100.7", "key": 1 << 24}, "key"),
    ({"type": "gre", "remote_endpoint": "198.51.100.7", "key": 1, "udp_port": 4789}, "udp_port"),
])
def test_what_no_bridge_can_be(wire: Wire, site: dict[str, Any], word: str) -> None:
    answer = refused(wire, network_id=wire.network()["id"], **site)
    assert (answer.status, answer.error) == (400, "InvalidInput")
    assert answer.message.startswith(f"Invalid input for {word}: ")


def test_the_cloud_s_own_tunnel_ends_are_not_told_from_others(wire: Wire) -> None:
    network = wire.network()["id"]
    own, nobodys = (refused(wire, network_id=network, type="gre", remote_endpoint=address, key=1)
                    for address in ("192.0.2.1", "224.0.0.5"))
    assert own.message.replace("192.0.2.1", "224.0.0.5") == nobodys.message


def test_types_without_a_plugin(wire: Wire, url: str) -> None:
    network = wire.network()["id"]
    answer = refused(wire, network_id=network, **{**SITE, "type": "evpn"})
    assert (answer.status, answer.message) == (501, "Bridges of type evpn need a bridge plugin that is not configured; "
                                                    "there are: gre, vxlan.")
    bridge = wire.make("bridges", network_id=network)
    assert wire.ask("PUT", f"bridges/{bridge['id']}", {"bridge": {"type": "evpn"}}).status == 501
    with Wire(url, registered=True, bridge=[]) as none:
        for method, path, body in (("GET", "bridges", None), ("GET", f"bridges/{bridge['id']}", None),
                                   ("POST", "bridges", {"bridge": {"network_id": network}}),
                                   ("DELETE", f"bridges/{bridge['id']}", None)):
            assert none.ask(method, path, body).status == 501


def test_one_tunnel_has_one_bridge(wire: Wire) -> None:
    """Of whichever project, for who it comes from is all that tells a frame's network."""
    wire.make("bridges", network_id=wire.network()["id"], **SITE)
    network = wire.network(who="bob")["id"]
    taken = refused(wire, "bob", network_id=network, udp_port=4789, **SITE)
    assert (taken.status, taken.error) == (409, "BridgeExists")
    other = wire.make("bridges", "bob", network_id=network, **{**SITE, "key": 78})
    for change in ({"key": 77}, {"key": 77, "udp_port": 4789}):
        assert wire.ask("PUT", f"bridges/{other['id']}", {"bridge": change}, who="bob").error == "BridgeExists"
    assert wire.ask("PUT", f"bridges/{other['id']}", {"bridge": {"key": 77, "udp_port": 4790}}, who="bob").status == 200
    moved = wire.ask("PUT", f"bridges/{other['id']}", {"bridge": {"type": "gre"}}, who="bob").body["bridge"]
    assert (moved["type"], moved["udp_port"], moved["key"]) == ("gre", None, 77)


def test_a_bridge_is_for_the_network_s_owner(wire: Wire) -> None:
    shared = wire.network(who="admin", shared=True)["id"]
    theirs, nothing = refused(wire, network_id=shared), refused(wire, network_id=GONE)
    assert (theirs.status, theirs.error) == (404, "NetworkNotFound")
    assert theirs.message.replace(shared, GONE) == nothing.message
    own = wire.network()["id"]
    assert refused(wire, "reader", network_id=own).status == 403
    bridge = wire.make("bridges", network_id=own, **SITE)
    port = wire.make("ports", "admin", network_id=own)
    assert act(wire, bridge, "plug_bridge", port_id=port["id"]).status == 404
    for action in ("plug_bridge", "unplug_bridge"):
        assert act(wire, bridge, action, "reader").status == 403
        assert act(wire, bridge, action, "bob").status == 404


def test_ports_that_no_bridge_gets(wire: Wire) -> None:
    network, other = wire.network()["id"], wire.network("10.1.0.0/24")["id"]
    bridge = wire.make("bridges", network_id=network)
    free, elsewhere, used, parent = (wire.make("ports", network_id=where, **more)["id"] for where, more in (
        (network, {}), (other, {}), (network, {"device_id": "vm"}), (network, {})))
    assert act(wire, bridge, "plug_bridge", port_id=free).error == "InvalidInput"
    wire.ask("PUT", f"bridges/{bridge['id']}", {"bridge": SITE})
    wire.make("trunks", port_id=parent)
    assert act(wire, bridge, "plug_bridge", port_id=elsewhere).error == "InvalidInput"
    assert act(wire, bridge, "plug_bridge", port_id=used).error == "PortInUse"
    assert act(wire, bridge, "plug_bridge", port_id=parent).error == "PortInUseAsTrunkParent"
    assert act(wire, bridge, "plug_bridge", port_id=GONE).error == "PortNotFound"
    assert act(wire, bridge, "unplug_bridge").status == 404
    assert act(wire, bridge, "plug_bridge", port_id=free).status == 200
    assert act(wire, bridge, "plug_bridge").error == "BridgeInUse"


def test_what_a_bridge_holds_stays(wire: Wire) -> None:
    network = wire.network()["id"]
    bridge = wire.make("bridges", network_id=network, plugged=True, **SITE)
    port = bridge["port_id"]
    before = wire.dump()
    assert wire.ask("DELETE", f"ports/{port}").error == "ServicePortInUse"
    for change in ({"device_owner": ""}, {"device_id": "vm"}, {"mac_address": "02:00:00:00:00:01"}):
        assert wire.ask("PUT", f"ports/{port}", {"port": change}).status in (400, 403, 409), change
    plug = wire.ask("PUT", f"ports/{port}/plug", {"host": "hv1", "interface": "tap9"}, who="service")
    assert plug.error == "InvalidInput"
    assert wire.ask("POST", "trunks", {"trunk": {"port_id": port}}).error == "PortInUse"
    assert wire.ask("DELETE", f"networks/{network}").error == "NetworkInUse"
    assert wire.ask("PUT", f"bridges/{bridge['id']}", {"bridge": NOTHING}).error == "BridgeInUse"
    assert wire.dump() == before
    assert act(wire, bridge, "unplug_bridge").status == 200
    assert wire.ask("DELETE", f"networks/{network}").error == "NetworkInUse"
    assert wire.ask("PUT", f"bridges/{bridge['id']}", {"bridge": NOTHING}).body["bridge"]["status"] == "registered"
    assert wire.ask("DELETE", f"bridges/{bridge['id']}").status == 204
    assert wire.ask("DELETE", f"networks/{network}").status == 204


@pytest.mark.parametrize(("query", "number"), [
    ("", 2), ("type=vxlan", 1), ("plugged=true", 1), ("plugged=false", 1), ("key=77", 1), ("udp_port=4789", 1),
    ("remote_endpoint=198.51.100.7", 1), ("name=second", 1), ("sort_key=remote_endpoint&limit=1", 1)])
def test_lists(wire: Wire, query: str, number: int) -> None:
    network = wire.network()["id"]
    wire.make("bridges", network_id=network, plugged=True, **SITE)
    wire.make("bridges", network_id=network, name="second")
    assert len(wire.ask("GET", f"bridges?{query}").body["bridges"]) == number
