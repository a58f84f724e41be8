"""Trunks: parents and subports, who may have which port, what is refused, and which interface carries them."""
from __future__ import annotations

from typing import Any

import pytest

from naas_sdn import runtime
from naas_sdn.db import status
from tests.api.test_statements import statements
from tests.api.wire import GONE, Answer, Wire


def port(wire: Wire, who: str = "alice", **attributes: Any) -> str:
    return str(wire.make("ports", who, network_id=wire.make("networks", who)["id"], **attributes)["id"])


def sub_port(identifier: str, number: int = 10) -> dict[str, Any]:
    return {"port_id": identifier, "segmentation_type": "vlan", "segmentation_id": number}


def act(wire: Wire, trunk: dict[str, Any], action: str, *items: dict[str, Any], who: str = "alice") -> Answer:
    return wire.ask("PUT", f"trunks/{trunk['id']}/{action}", {"sub_ports": list(items)}, who=who)


def test_a_trunk_and_its_subports(wire: Wire) -> None:
    parent, first, second = port(wire), port(wire), port(wire)
    trunk = wire.make("trunks", port_id=parent, sub_ports=[sub_port(first, 20)], name="t", description="d")
    assert (trunk["port_id"], trunk["status"], trunk["admin_state_up"]) == (parent, "DOWN", True)
    assert trunk["sub_ports"] == [sub_port(first, 20)]
    assert wire.ask("GET", f"trunks/{trunk['id']}").body == {"trunk": trunk}
    assert wire.ask("PUT", f"trunks/{trunk['id']}/tags", {"tags": ["red"]}).status == 200
    added = act(wire, trunk, "add_subports", sub_port(second, 10))
    assert (added.status, added.body["sub_ports"], added.body["tags"]) == (
        200, [sub_port(second, 10), sub_port(first, 20)], ["red"])
    assert added.body["revision_number"] > trunk["revision_number"]
    assert wire.ask("GET", f"trunks/{trunk['id']}/get_subports").body == {"sub_ports": added.body["sub_ports"]}
    assert wire.ask("GET", f"trunks/{trunk['id']}").body == {"trunk": added.body}
    removed = act(wire, trunk, "remove_subports", {"port_id": first})
    assert removed.body["sub_ports"] == [sub_port(second, 10)]
    renamed = wire.ask("PUT", f"trunks/{trunk['id']}", {"trunk": {"name": "new"}}).body["trunk"]
    assert renamed["name"] == "new"
    for query, number in (("", 1), (f"port_id={parent}", 1), (f"port_id={first}", 0), ("status=DOWN", 1),
                          ("status=ACTIVE", 0), ("tags=red", 1), ("name=t", 0)):
        assert len(wire.ask("GET", f"trunks?{query}").body["trunks"]) == number, query
    assert wire.ask("DELETE", f"trunks/{trunk['id']}").status == 204
    for identifier in (parent, first, second):
        assert wire.ask("DELETE", f"ports/{identifier}").status == 204


def test_parents_show_their_trunk(wire: Wire) -> None:
    parent, first = port(wire), wire.make("ports", network_id=wire.make("networks")["id"])
    assert "trunk_details" not in wire.ask("GET", f"ports/{parent}").body["port"]
    trunk = wire.make("trunks", port_id=parent)
    assert wire.ask("GET", f"ports/{parent}").body["port"]["trunk_details"] == {"trunk_id": trunk["id"],
                                                                               "sub_ports": []}
    act(wire, trunk, "add_subports", sub_port(first["id"], 7))
    inner = {**sub_port(first["id"], 7), "mac_address": first["mac_address"]}
    details = {"trunk_id": trunk["id"], "sub_ports": [inner]}
    listed = {item["id"]: item.get("trunk_details") for item in wire.ask("GET", "ports").body["ports"]}
    assert listed == {parent: details, first["id"]: None}
    assert wire.ask("PUT", f"ports/{parent}", {"port": {"name": "x"}}).body["port"]["trunk_details"] == details


def test_a_port_is_of_one_trunk(wire: Wire) -> None:
    parent, first, free, other = port(wire), port(wire), port(wire), port(wire)
    trunk = wire.make("trunks", port_id=parent, sub_ports=[sub_port(first)])
    second = wire.make("trunks", port_id=other)
    before = wire.dump()

    def refused(answer: Answer) -> str:
        assert answer.status == 409
        assert wire.dump() == before
        return answer.error

    def made(identifier: str, *items: dict[str, Any]) -> Answer:
        return wire.ask("POST", "trunks", {"trunk": {"port_id": identifier, "sub_ports": list(items)}})

    assert refused(made(parent)) == "ParentPortInUse"
    assert refused(made(first)) == "TrunkPortInUse"
    assert refused(made(free, sub_port(free))) == "TrunkPortInUse"
    assert refused(made(free, sub_port(first))) == "TrunkPortInUse"
    assert refused(made(free, sub_port(parent))) == "ParentPortInUse"
    assert refused(act(wire, second, "add_subports", sub_port(first))) == "TrunkPortInUse"
    assert refused(act(wire, second, "add_subports", sub_port(other))) == "ParentPortInUse"
    assert refused(act(wire, second, "add_subports", sub_port(free, 1), sub_port(free, 2))) == "TrunkPortInUse"
    assert refused(act(wire, trunk, "add_subports", sub_port(free))) == "DuplicateSubPort"
    assert refused(wire.ask("DELETE", f"ports/{parent}")) == "PortInUseAsTrunkParent"
    assert refused(wire.ask("DELETE", f"ports/{first}")) == "PortInUseAsSubPort"
    gone = act(wire, second, "remove_subports", {"port_id": first})
    assert (gone.status, gone.error) == (404, "SubPortNotFound")
    several = act(wire, trunk, "remove_subports", {"port_id": first}, {"port_id": free})
    assert several.status == 404
    assert wire.dump() == before


def test_ports_that_no_trunk_can_have(wire: Wire) -> None:
    network = wire.network()
    router = wire.make("routers")
    leg = wire.ask("PUT", f"routers/{router['id']}/add_router_interface",
                   {"subnet_id": network["subnets"][0]}).body["port_id"]
    plugged, bound, used = (wire.make("ports", network_id=network["id"])["id"] for _ in range(3))
    wire.make("vifs", "service", port_id=plugged, host="hv1", interface="tap1")
    wire.ask("PUT", f"ports/{bound}", {"port": {"binding:host_id": "hv1"}}, who="service")
    wire.ask("PUT", f"ports/{used}", {"port": {"device_id": "machine"}})
    parent = wire.make("trunks", port_id=port(wire))
    before = wire.dump()
    for identifier, as_parent in ((leg, "PortInUse"), (plugged, "ParentPortInUse"), (bound, "ParentPortInUse")):
        answer = wire.ask("POST", "trunks", {"trunk": {"port_id": identifier}})
        assert (answer.status, answer.error) == (409, as_parent)
    for identifier in (leg, plugged, bound, used):
        answer = act(wire, parent, "add_subports", sub_port(identifier))
        assert (answer.status, answer.error) == (409, "PortInUse")
    assert wire.dump() == before


def test_a_trunk_s_port_becomes_no_router_s(wire: Wire) -> None:
    """Whose interface's removal would delete it."""
    network = wire.network()
    inner = wire.make("ports", network_id=network["id"])["id"]
    wire.make("trunks", port_id=port(wire), sub_ports=[sub_port(inner)])
    router = wire.make("routers")
    answer = wire.ask("PUT", f"routers/{router['id']}/add_router_interface", {"port_id": inner})
    assert (answer.status, answer.error) == (409, "PortInUseAsSubPort")


def test_a_trunk_whose_parent_is_bound_stays(wire: Wire) -> None:
    parent = port(wire)
    trunk = wire.make("trunks", port_id=parent)
    wire.make("vifs", "service", port_id=parent, host="hv1", interface="tap1")
    answer = wire.ask("DELETE", f"trunks/{trunk['id']}")
    assert (answer.status, answer.error) == (409, "TrunkInUse")
    assert act(wire, trunk, "add_subports", sub_port(port(wire))).status == 200
    assert wire.ask("PUT", f"ports/{parent}/unplug", {}, who="service").status == 200
    assert wire.ask("DELETE", f"trunks/{trunk['id']}").status == 204


def vifs(wire: Wire) -> dict[str, tuple[str, str, int | None, str]]:
    """{port: where it is plugged, and by whom}."""
    return {vif["port_id"]: (vif["host"], vif["interface"], vif["vlan"], vif["source"])
            for vif in wire.ask("GET", "vifs", who="admin").body["vifs"]}


def test_subports_are_plugged_where_their_parent_is(wire: Wire) -> None:
    parent, first, second = port(wire), port(wire), port(wire)
    trunk = wire.make("trunks", port_id=parent, sub_ports=[sub_port(first, 20)])
    assert vifs(wire) == {}
    wire.make("vifs", "service", port_id=parent, host="hv1", interface="tap1")
    assert vifs(wire) == {parent: ("hv1", "tap1", None, "api"), first: ("hv1", "tap1", 20, "trunk")}
    assert act(wire, trunk, "add_subports", sub_port(second, 30)).status == 200
    assert vifs(wire)[second] == ("hv1", "tap1", 30, "trunk")
    assert act(wire, trunk, "remove_subports", {"port_id": first}).status == 200
    assert set(vifs(wire)) == {parent, second}
    assert wire.ask("PUT", f"ports/{parent}/unplug", {}, who="service").status == 200
    assert vifs(wire) == {}
    wire.ask("PUT", f"ports/{parent}/plug", {"host": "hv2", "interface": "tap9"}, who="service")
    assert vifs(wire) == {parent: ("hv2", "tap9", None, "api"), second: ("hv2", "tap9", 30, "trunk")}
    wire.ask("PUT", f"ports/{parent}", {"port": {"binding:host_id": "hv1"}}, who="service")
    assert vifs(wire) == {}, "what is plugged elsewhere is not this port any more"


def test_a_subport_has_no_interface_of_its_own(wire: Wire) -> None:
    parent, inner = port(wire), port(wire)
    wire.make("trunks", port_id=parent, sub_ports=[sub_port(inner, 20)])
    answer = wire.ask("POST", "vifs", {"vif": {"port_id": inner, "host": "hv1", "interface": "x"}}, who="service")
    assert (answer.status, answer.error) == (409, "PortInUse")
    wire.make("vifs", "service", port_id=parent, host="hv1", interface="tap1")
    [vif] = [vif for vif in wire.ask("GET", "vifs").body["vifs"] if vif["port_id"] == inner]
    for answer in (wire.ask("DELETE", f"vifs/{vif['id']}", who="service"),
                   wire.ask("PUT", f"ports/{inner}/unplug", {}, who="service")):
        assert (answer.status, answer.error) == (409, "PortInUse")
    assert set(vifs(wire)) == {parent, inner}


def test_a_parent_is_not_plugged_where_a_vlan_of_its_trunk_is_taken(wire: Wire) -> None:
    other, parent, inner = port(wire), port(wire), port(wire)
    wire.make("vifs", "service", port_id=other, host="hv1", interface="eth7", vlan=20)
    wire.make("trunks", port_id=parent, sub_ports=[sub_port(inner, 20)])
    before = wire.dump()
    answer = wire.ask("POST", "vifs", {"vif": {"port_id": parent, "host": "hv1", "interface": "eth7"}}, who="service")
    assert (answer.status, answer.error) == (409, "InterfaceInUse")
    assert "VLAN 20 of interface eth7" in answer.body["NeutronError"]["message"]
    assert wire.dump() == before


def test_a_trunk_is_active_when_all_that_it_carries_is(wire: Wire) -> None:
    parent, inner = port(wire), port(wire)
    trunk = wire.make("trunks", port_id=parent, sub_ports=[sub_port(inner, 20)])

    def forwards(identifier: str) -> None:
        """As its switch says."""
        with wire.database.write() as session:
            status.set_alive(session, "hv1", True)
            status.acknowledge(session, {identifier: 1})

    def shown() -> str:
        return str(wire.ask("GET", f"trunks/{trunk['id']}").body["trunk"]["status"])

    wire.make("vifs", "service", port_id=parent, host="hv1", interface="tap1")
    assert shown() == "DOWN"
    forwards(parent)
    assert shown() == "BUILD"
    assert len(wire.ask("GET", "trunks?status=BUILD").body["trunks"]) == 1
    forwards(inner)
    assert shown() == "ACTIVE"
    assert [len(wire.ask("GET", f"trunks?status={wanted}&limit=1").body["trunks"])
            for wanted in ("ACTIVE", "BUILD")] == [1, 0]


def test_a_disabled_trunk_is_only_enabled(wire: Wire) -> None:
    inner = port(wire)
    trunk = wire.make("trunks", port_id=port(wire), sub_ports=[sub_port(inner)], admin_state_up=False)
    for answer in (act(wire, trunk, "add_subports", sub_port(port(wire), 3)),
                   act(wire, trunk, "remove_subports", {"port_id": inner}),
                   wire.ask("DELETE", f"trunks/{trunk['id']}")):
        assert (answer.status, answer.error) == (409, "TrunkDisabled")
    assert wire.ask("PUT", f"trunks/{trunk['id']}", {"trunk": {"admin_state_up": True}}).status == 200
    assert act(wire, trunk, "remove_subports", {"port_id": inner}).status == 200


def test_a_subport_sends_no_larger_packets_than_its_parent(wire: Wire) -> None:
    small = wire.make("ports", network_id=wire.make("networks", mtu=1000)["id"])["id"]
    answer = wire.ask("POST", "trunks", {"trunk": {"port_id": small, "sub_ports": [sub_port(port(wire))]}})
    assert (answer.status, answer.error) == (409, "SubPortMtuGreaterThanTrunkPortMtu")
    assert wire.make("trunks", port_id=port(wire), sub_ports=[sub_port(small)])["sub_ports"]


@pytest.mark.parametrize("wrong", [
    {}, {"port_id": GONE}, {"port_id": GONE, "segmentation_type": "vlan"}, sub_port(GONE, 0), sub_port(GONE, 4095),
    {**sub_port(GONE), "segmentation_type": "vxlan"}, {**sub_port(GONE), "more": 1}, sub_port("x"), None, "x"])
def test_what_is_no_subport(wire: Wire, wrong: Any) -> None:
    trunk = wire.make("trunks", port_id=port(wire))
    before = wire.dump()
    assert wire.ask("PUT", f"trunks/{trunk['id']}/add_subports", {"sub_ports": [wrong]}).status == 400
    assert wire.ask("PUT", f"trunks/{trunk['id']}/add_subports", {"trunk": {}}).status == 400
    assert wire.ask("POST", "trunks", {"trunk": {"port_id": port(wire), "sub_ports": [wrong]}}).status == 400
    assert wire.ask("PUT", f"trunks/{trunk['id']}", {"trunk": {"sub_ports": []}}).status == 400
    assert wire.ask("GET", f"trunks/{trunk['id']}").body["trunk"]["sub_ports"] == []
    assert [line for line in wire.dump() if "trunks" in line] == [line for line in before if "trunks" in line]


def test_trunks_are_of_own_ports(wire: Wire) -> None:
    """Others' are not there; of those on an own network one sees, but has none."""
    theirs = port(wire, "bob")
    shared = wire.make("networks", "admin", shared=True, project_id="alice")
    guest = wire.make("ports", "bob", network_id=shared["id"])["id"]
    trunk = wire.make("trunks", port_id=port(wire))
    before = wire.dump()
    for identifier, code, error in ((theirs, 404, "PortNotFound"), (GONE, 404, "PortNotFound"),
                                    (guest, 403, "PolicyNotAuthorized")):
        made = wire.ask("POST", "trunks", {"trunk": {"port_id": identifier}})
        added = act(wire, trunk, "add_subports", sub_port(identifier))
        assert (made.status, made.error) == (added.status, added.error) == (code, error)
    for action in ("add_subports", "remove_subports"):
        assert act(wire, trunk, action, sub_port(theirs), who="bob").error == "TrunkNotFound"
        assert act(wire, trunk, action, sub_port(theirs), who="reader").status == 403
    assert wire.ask("GET", f"trunks/{trunk['id']}/get_subports", who="bob").status == 404
    assert wire.ask("POST", "trunks", {"trunk": {"port_id": port(wire)}}, who="reader").status == 403
    assert [line for line in wire.dump() if "trunk" in line] == [line for line in before if "trunk" in line]


def test_one_of_those_who_ask_at_once_has_the_port(wire: Wire) -> None:
    parents, inner = [port(wire) for _ in range(4)], port(wire)
    body = [{"trunk": {"port_id": parent, "sub_ports": [sub_port(inner)]}} for parent in parents]
    asked = [runtime.spawn(wire.ask, "POST", "trunks", item) for item in body]
    assert sorted(thread.wait().status for thread in asked) == [201, 409, 409, 409]


def test_many_subports_cost_the_questions_of_one(wire: Wire) -> None:
    network = wire.make("networks")["id"]
    made = wire.ask("POST", "ports", {"ports": [{"network_id": network}] * 8}).body["ports"]
    trunk = wire.make("trunks", port_id=made[0]["id"])
    costs = []
    for some in (made[1:2], made[2:]):
        with statements() as heard:
            assert act(wire, trunk, "add_subports", *(
                sub_port(item["id"], item["number"]) for item in some)).status == 200
        costs.append(len(heard))
    assert costs[0] == costs[1], costs
