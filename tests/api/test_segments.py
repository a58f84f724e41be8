"""Segments: one a network, seen and named by operators."""
from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_statements import statements
from tests.api.wire import GONE, Wire


def listed(wire: Wire, query: str = "", who: str = "admin") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = wire.ask("GET", f"segments{query}", who=who).body["segments"]
    return found


def test_a_network_has_a_segment(wire: Wire) -> None:
    network = wire.make("networks", "admin", project_id="alice")
    other = wire.make("networks", "admin")
    [segment] = listed(wire, f"?network_id={network['id']}")
    assert {name: segment[name] for name in ("network_type", "physical_network", "segmentation_id", "name",
                                             "description", "revision_number")} == {
        "network_type": "vxlan", "physical_network": None, "name": None, "description": "", "revision_number": 1,
        "segmentation_id": network["provider:segmentation_id"]}
    assert segment["id"] not in (network["id"], other["id"])
    assert wire.ask("GET", f"segments/{segment['id']}", who="admin").body == {"segment": segment}
    assert len(listed(wire)) == 2
    key = network["provider:segmentation_id"]
    for query, number in ((f"segmentation_id={key}", 1), ("segmentation_id=9999", 0), ("network_type=vxlan", 2),
                          ("network_type=vlan", 0), ("physical_network=x", 0), ("name=x", 0),
                          (f"network_type=vxlan&segmentation_id={key}", 1)):
        assert len(listed(wire, f"?{query}")) == number, query
    assert wire.ask("DELETE", f"networks/{network['id']}").status == 204
    assert [item["network_id"] for item in listed(wire)] == [other["id"]]
    assert wire.ask("GET", f"segments/{segment['id']}", who="admin").error == "SegmentNotFound"


def test_operators_name_segments(wire: Wire) -> None:
    wire.make("networks")
    [segment] = listed(wire)
    path = f"segments/{segment['id']}"
    changed = wire.ask("PUT", path, {"segment": {"name": "rack", "description": "d"}}, who="admin",
                       If_Match="revision_number=1").body["segment"]
    assert (changed["name"], changed["description"], changed["revision_number"]) == ("rack", "d", 2)
    assert listed(wire, "?name=rack&sort_key=name") == [changed]
    assert wire.ask("PUT", path, {"segment": {"name": None}}, who="admin").body["segment"]["name"] is None
    before = wire.dump()
    for wrong in ({"segmentation_id": 5}, {"network_id": GONE}, {"network_type": "vlan"}, {"name": 5}, {"more": 1}):
        assert wire.ask("PUT", path, {"segment": wrong}, who="admin").status == 400
    for method, where, body in (("POST", "segments", {"segment": {"network_id": segment["network_id"]}}),
                                ("DELETE", path, None)):
        assert wire.ask(method, where, body, who="admin").status == 405
    assert wire.dump() == before


@pytest.mark.parametrize("who", ["alice", "bob", "reader", "service"])
def test_others_see_no_segments(wire: Wire, who: str) -> None:
    wire.make("networks")
    [segment] = listed(wire)
    assert listed(wire, who=who) == []
    for method, body in (("GET", None), ("PUT", {"segment": {"name": "x"}})):
        answer, nothing = (wire.ask(method, f"segments/{identifier}", body, who=who)
                           for identifier in (segment["id"], GONE))
        assert (answer.status, answer.message.replace(segment["id"], GONE)) == (404, nothing.message)
    assert wire.ask("DELETE", f"segments/{segment['id']}", who=who).status == 405


def test_subnets_are_of_the_whole_network(wire: Wire) -> None:
    network = wire.network()
    [segment] = listed(wire)
    [identifier] = network["subnets"]
    before = wire.dump()
    body = {"network_id": network["id"], "ip_version": 4, "cidr": "10.1.0.0/24", "segment_id": segment["id"]}
    for method, path, sent in (("POST", "subnets", body), ("PUT", f"subnets/{identifier}", {
            "segment_id": segment["id"]})):
        answer = wire.ask(method, path, {"subnet": sent}, who="admin")
        assert (answer.status, answer.error) == (400, "InvalidInput")
    assert wire.dump() == before
    assert wire.ask("PUT", f"subnets/{identifier}", {"subnet": {"segment_id": None}}).status == 200
    for query, number in (("segment_id=null", 1), (f"segment_id={segment['id']}", 0)):
        assert len(wire.ask("GET", f"subnets?{query}").body["subnets"]) == number


def test_a_list_costs_the_same_however_long(wire: Wire) -> None:
    wire.token("admin")
    costs = []
    for number in (1, 5):
        for _ in range(number):
            wire.make("networks")
        with statements() as heard:
            listed(wire)
        costs.append(len(heard))
    assert costs[0] == costs[1]
