"""Hypervisors as Neutron's agents, and their availability zones."""
from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from naas_sdn.db import status
from naas_sdn.db.rows import AgentRow
from naas_sdn.service import hypervisors
from tests.api.test_statements import statements
from tests.api.wire import GONE, Wire

AGENT = {"id", "agent_type", "binary", "topic", "host", "admin_state_up", "created_at", "started_at",
         "heartbeat_timestamp", "alive", "configurations", "description", "availability_zone", "resources_synced"}


def agents(wire: Wire, query: str = "", who: str = "admin") -> dict[str, dict[str, Any]]:
    """By host."""
    answer = wire.ask("GET", f"agents{query}", who=who)
    assert answer.status == 200, answer.body
    return {agent["host"]: agent for agent in answer.body["agents"]}


def alive(wire: Wire, host: str, *, there: bool) -> None:
    with wire.database.write() as session:
        status.set_alive(session, host, there)


def zones(wire: Wire, query: str = "", who: str = "alice") -> list[tuple[str, str, str]]:
    found = wire.ask("GET", f"availability_zones{query}", who=who)
    assert found.status == 200, found.body
    return [(zone["name"], zone["resource"], zone["state"]) for zone in found.body["availability_zones"]]


def test_each_hypervisor_is_an_agent_that_is_alive_with_its_switch(wire: Wire) -> None:
    assert {host: agent["alive"] for host, agent in agents(wire).items()} == {"hv1": False, "hv2": False}
    alive(wire, "hv1", there=True)
    agent = agents(wire)["hv1"]
    assert agent.keys() == AGENT
    assert (agent["agent_type"], agent["alive"], agent["admin_state_up"]) == ("Open vSwitch agent", True, True)
    assert agent["configurations"]["tunneling_ip"] == "192.0.2.1"
    assert len(agent["heartbeat_timestamp"]) == len("2026-11-26 02:00:00")
    shown = wire.ask("GET", f"agents/{agent['id']}", who="admin").body["agent"]
    assert {**shown, "heartbeat_timestamp": ""} == {**agent, "heartbeat_timestamp": ""}
    alive(wire, "hv1", there=False)
    assert agents(wire)["hv1"]["alive"] is False


@pytest.mark.parametrize(("query", "hosts"), [
    ("?host=hv2", {"hv2"}), ("?alive=True", {"hv1"}), ("?alive=0", {"hv2"}),
    ("?availability_zone=nova", {"hv1", "hv2"}), ("?availability_zone=x", set()),
    ("?agent_type=Open%20vSwitch%20agent", {"hv1", "hv2"}), ("?agent_type=L3", set()),
    ("?binary=neutron-openvswitch-agent&host=hv1&host=hv2", {"hv1", "hv2"}), ("?topic=x", set()),
    ("?admin_state_up=False", {"hv2"}), ("?limit=1&sort_key=host&sort_dir=desc", {"hv2"}),
])
def test_agents_are_filtered(wire: Wire, query: str, hosts: set[str]) -> None:
    alive(wire, "hv1", there=True)
    wire.ask("PUT", f"agents/{agents(wire)['hv2']['id']}", {"agent": {"admin_state_up": False}}, who="admin")
    assert agents(wire, query).keys() == hosts


def test_an_operator_changes_and_deletes_agents(wire: Wire) -> None:
    path = f"agents/{agents(wire)['hv1']['id']}"
    changed = wire.ask("PUT", path, {"agent": {"admin_state_up": False, "description": "rack 4"}}, who="admin")
    assert (changed.status, changed.body["agent"]["description"]) == (200, "rack 4")
    assert agents(wire)["hv1"]["admin_state_up"] is False
    for body in ({"host": "x"}, {"alive": True}, {"admin_state_up": "maybe"}, {"description": 5}):
        assert wire.ask("PUT", path, {"agent": body}, who="admin").status == 400
    assert wire.ask("POST", "agents", {"agent": {}}, who="admin").status == 405
    assert wire.ask("DELETE", path, who="admin").status == 204
    for method in ("GET", "DELETE"):
        answer = wire.ask(method, path, who="admin")
        assert (answer.status, answer.error) == (404, "AgentNotFound")
    assert agents(wire).keys() == {"hv2"}
    assert len(wire.ask("GET", "hypervisors", who="admin").body["hypervisors"]) == 2
    # Its switch comes again.
    alive(wire, "hv1", there=True)
    again = agents(wire)["hv1"]
    assert (again["admin_state_up"], again["description"], again["alive"]) == (True, None, True)


@pytest.mark.parametrize("who", ["alice", "reader", "service"])
def test_agents_are_the_operator_s(wire: Wire, who: str) -> None:
    path = f"agents/{agents(wire)['hv1']['id']}"
    assert agents(wire, who=who) == {}
    for method, body in (("GET", None), ("PUT", {"agent": {"admin_state_up": False}}), ("DELETE", None)):
        nothing = wire.ask(method, f"agents/{GONE}", body, who=who)
        answer = wire.ask(method, path, body, who=who)
        assert (answer.status, answer.error) == (nothing.status, nothing.error) == (404, "AgentNotFound")


def test_an_agent_ends_with_its_hypervisor(wire: Wire) -> None:
    with wire.database.write() as session:
        hypervisors.remove(session, "hv1")
    with wire.database.read() as session:
        assert [row.host for row in session.scalars(select(AgentRow))] == ["hv2"]


def test_zones_are_the_hypervisors_and_open_while_one_of_them_is(wire: Wire) -> None:
    with wire.database.write() as session:
        hypervisors.register(session, "hv3", "3", "192.0.2.3", None, "east")
    every = [("east", "network", "available"), ("east", "router", "available"),
             ("nova", "network", "available"), ("nova", "router", "available")]
    assert zones(wire) == every
    assert zones(wire, who="reader") == every
    assert zones(wire, "?name=east&resource=router") == [("east", "router", "available")]
    for host in ("hv1", "hv3"):
        wire.ask("PUT", f"agents/{agents(wire)[host]['id']}", {"agent": {"admin_state_up": False}}, who="admin")
    assert zones(wire, "?state=unavailable") == [("east", "network", "unavailable"), ("east", "router", "unavailable")]
    assert zones(wire, "?limit=2") == zones(wire)[:2]
    assert wire.ask("GET", "availability_zones?bogus=1").status == 400
    for method, path in (("POST", "availability_zones"), ("PUT", "availability_zones/nova"),
                         ("DELETE", "availability_zones/nova")):
        body = None if method == "DELETE" else {"availability_zone": {}}
        assert wire.ask(method, path, body, who="admin").status == 405


def test_without_layer_3_no_zones_of_routers(bare: Wire) -> None:
    assert zones(bare) == [("nova", "network", "available")]


@pytest.mark.parametrize(("collection", "member"), [("networks", "network"), ("routers", "router")])
def test_hints_at_zones_are_kept(wire: Wire, collection: str, member: str) -> None:
    made = wire.make(collection, availability_zone_hints=["nova"])
    assert (made["availability_zone_hints"], made["availability_zones"]) == (["nova"], ["nova"])
    assert wire.ask("GET", f"{collection}/{made['id']}").body == {member: made}
    before = wire.dump()
    refused = wire.ask("POST", collection, {member: {"availability_zone_hints": ["nova", "nowhere"]}})
    assert (refused.status, refused.error) == (404, "AvailabilityZoneNotFound")
    assert "nowhere" in refused.message
    for method, path, hints in (("POST", collection, "nova"), ("POST", collection, [5]),
                                ("PUT", f"{collection}/{made['id']}", ["nova"])):
        assert wire.ask(method, path, {member: {"availability_zone_hints": hints}}).status == 400
    assert wire.dump() == before


@pytest.mark.parametrize("collection", ["agents", "availability_zones", "networks", "routers"])
def test_a_list_costs_the_same_with_more_hypervisors(wire: Wire, collection: str) -> None:
    def cost() -> int:
        with statements() as heard:
            wire.ask("GET", collection, who="admin")
        return len(heard)

    # An empty list is not asked for its tags.
    wire.make("networks")
    wire.make("routers")
    before = (wire.token("admin"), cost())[1]
    with wire.database.write() as session:
        for number in range(3, 6):
            hypervisors.register(session, f"hv{number}", f"{number}", f"192.0.2.{number}", None)
    wire.make("networks")
    wire.make("routers")
    assert cost() == before
