"""The bindings of a port, as Nova uses them for live migration."""
from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_binding import DETAILS
from tests.api.test_statements import statements
from tests.api.wire import GONE, Answer, Wire


def machine(wire: Wire, host: str | None = "hv1", **attributes: Any) -> str:
    """The id of a machine's port, bound to `host`."""
    attributes = {"device_owner": "compute:nova", "binding__profile": {"from": "nova"}, **attributes}
    port = wire.make("ports", "service", network_id=wire.network()["id"], project_id="alice", binding__host_id=host,
                     **attributes)
    return str(port["id"])


def prepare(wire: Wire, port: str, host: str, who: str = "service", **attributes: Any) -> Answer:
    return wire.ask("POST", f"ports/{port}/bindings", {"binding": {"host": host, **attributes}}, who=who)


def hosts(wire: Wire, port: str, query: str = "") -> dict[str, tuple[str, str]]:
    """{host: (status, vif_type)}, in the order shown."""
    answer = wire.ask("GET", f"ports/{port}/bindings{query}", who="service")
    assert answer.status == 200, answer.body
    return {item["host"]: (item["status"], item["vif_type"]) for item in answer.body["bindings"]}


def test_a_port_moves_and_comes_back(wire: Wire) -> None:
    port = machine(wire)
    vif = wire.make("vifs", "service", port_id=port, host="hv1", interface="tap1")
    made = prepare(wire, port, "hv2", profile={"slot": 1})
    assert made.status == 201
    binding = made.body["binding"]
    assert binding == {"host": "hv2", "vnic_type": "normal", "profile": {"slot": 1}, "status": "INACTIVE",
                       "vif_type": "ovs", "vif_details": DETAILS}
    assert wire.ask("GET", f"ports/{port}/bindings/hv2", who="service").body == {"binding": binding}
    assert list(hosts(wire, port).items()) == [("hv1", ("ACTIVE", "ovs")), ("hv2", ("INACTIVE", "ovs"))]
    assert wire.ask("GET", f"vifs/{vif['id']}").status == 200
    moved = wire.ask("PUT", f"ports/{port}/bindings/hv2/activate", who="service")
    assert (moved.status, moved.body) == (200, {**binding, "status": "ACTIVE"})
    assert list(hosts(wire, port).items()) == [("hv2", ("ACTIVE", "ovs")), ("hv1", ("INACTIVE", "unbound"))]
    shown = wire.ask("GET", f"ports/{port}", who="service").body["port"]
    assert (shown["binding:host_id"], shown["binding:profile"], shown["vif_id"]) == ("hv2", {"slot": 1}, None)
    left = wire.ask("GET", f"ports/{port}/bindings/hv1", who="service").body["binding"]
    assert (left["profile"], left["vif_details"]) == ({"from": "nova"}, {})
    assert wire.ask("PUT", f"ports/{port}/bindings/hv1/activate", {}, who="admin").status == 200
    assert hosts(wire, port) == {"hv1": ("ACTIVE", "ovs"), "hv2": ("INACTIVE", "unbound")}
    assert wire.ask("DELETE", f"ports/{port}/bindings/hv2", who="service").status == 204
    assert hosts(wire, port) == {"hv1": ("ACTIVE", "ovs")}


def test_what_has_no_such_binding(wire: Wire) -> None:
    port = machine(wire)
    before = wire.dump()
    for method, path in (("GET", "hv2"), ("DELETE", "hv2"), ("PUT", "hv2/activate")):
        answer = wire.ask(method, f"ports/{port}/bindings/{path}", who="service")
        assert (answer.status, answer.error) == (404, "PortBindingNotFound"), method
        answer = wire.ask(method, f"ports/{GONE}/bindings/{path}", who="service")
        assert (answer.status, answer.error) == (404, "PortNotFound"), method
    assert wire.ask("GET", f"ports/{GONE}/bindings", who="service").error == "PortNotFound"
    active = wire.ask("PUT", f"ports/{port}/bindings/hv1/activate", who="service")
    assert (active.status, active.error) == (409, "PortBindingAlreadyActive")
    for method, path in (("PUT", "hv1"), ("GET", "hv1/activate"), ("POST", "hv1/activate")):
        body = {"binding": {}} if method != "GET" else None
        assert wire.ask(method, f"ports/{port}/bindings/{path}", body, who="service").status == 405
    assert wire.ask("PUT", f"ports/{port}/bindings/hv1/nothing", {}, who="service").status == 404
    assert wire.dump() == before


@pytest.mark.parametrize(("attributes", "status", "kind"), [
    ({"host": "hv1"}, 409, "PortBindingAlreadyExists"), ({"host": "elsewhere"}, 409, "PortBindingError"),
    ({"host": "hv2", "vnic_type": "direct"}, 409, "PortBindingError"), ({"host": "hv2", "vnic_type": "x"}, 400, None),
    ({}, 400, None), ({"host": None}, 400, None), ({"host": ""}, 400, None), ({"host": "hv2", "profile": 5}, 400, None),
    ({"host": "hv2", "status": "ACTIVE"}, 400, None),
])
def test_bindings_that_are_refused(wire: Wire, attributes: dict[str, Any], status: int, kind: str | None) -> None:
    port = machine(wire)
    before = wire.dump()
    answer = wire.ask("POST", f"ports/{port}/bindings", {"binding": attributes}, who="service")
    assert (answer.status, answer.error) == (status, kind or "HTTPBadRequest")
    assert wire.dump() == before


def test_only_machines_move_and_each_host_has_one_binding(wire: Wire) -> None:
    other = prepare(wire, machine(wire, device_owner="", binding__profile={}), "hv2")
    assert (other.status, other.error) == (400, "BadRequest")
    port = machine(wire)
    assert prepare(wire, port, "hv2").status == 201
    twice = prepare(wire, port, "hv2")
    assert (twice.status, twice.error) == (409, "PortBindingAlreadyExists")


@pytest.mark.parametrize("who", ["alice", "bob", "reader"])
def test_bindings_are_the_compute_service_s(wire: Wire, who: str) -> None:
    port = machine(wire)
    prepare(wire, port, "hv2")
    seen = who != "bob"
    before = wire.dump()
    listed = wire.ask("GET", f"ports/{port}/bindings", who=who)
    assert (listed.status, listed.body.get("bindings")) == ((200, []) if seen else (404, None))
    for host in ("hv1", "hv2"):
        assert wire.ask("GET", f"ports/{port}/bindings/{host}", who=who).status == 404
        assert wire.ask("DELETE", f"ports/{port}/bindings/{host}", who=who).status == (403 if seen else 404)
        assert wire.ask("PUT", f"ports/{port}/bindings/{host}/activate", who=who).status == (403 if seen else 404)
    assert prepare(wire, port, "hv3", who).status == (403 if seen else 404)
    assert wire.dump() == before


def test_a_binding_goes_where_its_port_goes(wire: Wire) -> None:
    """Bound to the host by PUT, or plugged there, it is no other binding; deleted while active, the port is unbound."""
    port = machine(wire)
    prepare(wire, port, "hv2")
    wire.ask("PUT", f"ports/{port}", {"port": {"binding:host_id": "hv2"}}, who="service")
    assert hosts(wire, port) == {"hv2": ("ACTIVE", "ovs")}
    prepare(wire, port, "hv1")
    wire.make("vifs", "service", port_id=port, host="hv1", interface="tap1")
    assert hosts(wire, port) == {"hv1": ("ACTIVE", "ovs")}
    prepare(wire, port, "hv2")
    assert wire.ask("PUT", f"ports/{port}/bindings/hv2/activate", who="service").status == 200
    assert hosts(wire, port) == {"hv2": ("ACTIVE", "ovs"), "hv1": ("INACTIVE", "unbound")}
    assert wire.ask("DELETE", f"ports/{port}/bindings/hv2", who="service").status == 204
    shown = wire.ask("GET", f"ports/{port}", who="service").body["port"]
    assert (shown["binding:host_id"], shown["binding:vif_type"]) == ("", "unbound")
    assert wire.ask("DELETE", f"ports/{port}", who="service").status == 204


def test_a_port_that_is_bound_nowhere_takes_a_binding(wire: Wire) -> None:
    port = machine(wire, None)
    assert hosts(wire, port) == {}
    assert prepare(wire, port, "hv1").status == 201
    assert wire.ask("PUT", f"ports/{port}/bindings/hv1/activate", who="service").status == 200
    assert hosts(wire, port) == {"hv1": ("ACTIVE", "ovs")}


def test_bindings_are_filtered_and_cost_the_same_however_many(wire: Wire) -> None:
    port = machine(wire)

    def cost() -> int:
        with statements() as heard:
            hosts(wire, port)
        return len(heard)

    one = cost()
    prepare(wire, port, "hv2")
    assert cost() == one
    assert hosts(wire, port, "?status=INACTIVE").keys() == hosts(wire, port, "?host=hv2").keys() == {"hv2"}
    assert hosts(wire, port, "?vif_type=unbound") == {}
    assert hosts(wire, port, "?limit=1").keys() == {"hv1"}
    assert wire.ask("GET", f"ports/{port}/bindings?bogus=1", who="service").status == 400
