"""Which role may do what: every role, one after the other, at every kind of thing."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.wire import Answer, Wire

OWN = ("admin", "manager", "member", "reader", "service", "stranger")
"""Roles in the project that owns what is asked for; `stranger` is a role that means nothing here."""

FOREIGN = ("manager", "member", "reader", "service")
"""Roles in another project, which has nothing."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request; {names} are ids of `things`. Its statuses are in the order of OWN, then of FOREIGN."""

    method: str
    path: str
    body: Any
    own: tuple[int, ...]
    foreign: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.body or ''}"


def case(method: str, path: str, body: Any, own: str, foreign: str) -> Case:
    return Case(method, path, body, *(tuple(int(status) for status in said.split()) for said in (own, foreign)))


def read(path: str) -> Case:
    """Of who has any role in the project, and of the compute service."""
    return case("GET", path, None, "200 200 200 200 200 403", "404 404 404 200")


def written(path: str, member: str) -> Case:
    """By members; who sees nothing is told nothing, and who sees that it is not his."""
    return case("PUT", path, {member: {"name": "x"}}, "200 200 200 403 403 403", "404 404 404 403")


CASES = (
    *(read(path) for path in ("networks/{network}", "subnets/{subnet}", "ports/{port}", "routers/{router}",
                              "routes/{route}", "vifs/{vif}", "qos/policies/{policy}", "subnetpools/{pool}",
                              "address-scopes/{scope}", "networks/{network}/statistics", "networks/{network}/tags")),
    written("networks/{network}", "network"), written("subnets/{subnet}", "subnet"),
    written("routers/{router}", "router"), written("routes/{route}", "route"),
    written("subnetpools/{pool}", "subnetpool"),
    written("address-scopes/{scope}", "address_scope"),
    case("POST", "networks", {"network": {}}, "201 201 201 403 403 403", "201 201 403 403"),
    case("POST", "routers", {"router": {}}, "201 201 201 403 403 403", "201 201 403 403"),
    case("POST", "subnetpools", {"subnetpool": {"name": "p", "prefixes": ["10.0.0.0/8"]}},
         "201 201 201 403 403 403", "201 201 403 403"),
    case("POST", "subnets", {"subnet": {"network_id": "{network}", "ip_version": 4, "cidr": "10.77.0.0/24"}},
         "201 400 400 403 403 403", "404 404 404 403"),
    case("PUT", "networks/{network}/tags/x", None, "201 201 201 403 403 403", "404 404 404 403"),
    case("POST", "networks", {"network": {"shared": True}}, "201 403 403 403 403 403", "403 403 403 403"),
    # What binds the others of a project is its manager's.
    case("POST", "qos/policies", {"policy": {"name": "p"}}, "201 201 403 403 403 403", "201 403 403 403"),
    case("PUT", "qos/policies/{policy}", {"policy": {"name": "x"}}, "200 200 403 403 403 403", "404 404 404 403"),
    case("POST", "qos/policies/{policy}/bandwidth_limit_rules", {"bandwidth_limit_rule": {"max_kbps": 1}},
         "201 409 403 403 403 403", "404 404 404 403"),
    case("POST", "qos/policies", {"policy": {"name": "p", "shared": True}}, "201 403 403 403 403 403",
         "403 403 403 403"),
    # The compute service's.
    case("POST", "ports", {"port": {"network_id": "{network}"}}, "201 201 201 403 201 403", "404 404 404 201"),
    case("PUT", "ports/{port}", {"port": {"name": "x"}}, "200 200 200 403 200 403", "404 404 404 200"),
    case("PUT", "ports/{port}/unplug", {}, "200 403 403 403 404 403", "404 404 404 404"),
    case("PUT", "ports/{port}", {"port": {"binding:host_id": "hv2"}}, "200 403 403 403 200 403", "404 404 404 200"),
    case("POST", "vifs", {"vif": {"network_id": "{network}", "host": "hv1", "interface": "{who}"}},
         "201 403 403 403 201 403", "403 403 403 201"),
    # The operator's.
    case("PUT", "quotas/alice", {"quota": {"port": 9}}, "200 403 403 403 403 403", "403 403 403 403"),
    case("GET", "quotas/alice", None, "200 200 200 200 200 403", "403 403 403 403"),
    case("GET", "quotas", None, "200 403 403 403 403 403", "403 403 403 403"),
    case("GET", "hypervisors/{hypervisor}", None, "200 404 404 404 200 403", "404 404 404 200"),
    case("GET", "extensions", None, "200 200 200 200 200 403", "200 200 200 200"),
    case("GET", "networks", None, "200 200 200 200 200 403", "200 200 200 200"),
)


def ask(lab: Wire, project: str, roles: str, *request: Any) -> Answer:
    return lab.ask(*request, X_Project_Id=project, X_User_Id=roles, X_Roles=roles)


@pytest.fixture
def lab(sqlite_url: str) -> Iterator[Wire]:
    """Where whoever asks says what his roles are."""
    with Wire(sqlite_url, options="[api]\nauth = noauth\n") as made:
        yield made


def furnish(lab: Wire) -> dict[str, str]:
    """One of each, of project alice."""
    def make(collection: str, member: str, **attributes: Any) -> str:
        answer = ask(lab, "alice", "admin", "POST", collection, {member: attributes})
        assert answer.status == 201, answer.body
        return str(answer.body[member]["id"])

    network, other = make("networks", "network"), make("networks", "network")
    subnet, far = (make("subnets", "subnet", network_id=where, ip_version=4, cidr=cidr)
                   for where, cidr in ((network, "10.1.0.0/24"), (other, "10.2.0.0/24")))
    port = make("ports", "port", network_id=network)
    return {"network": network, "subnet": subnet, "port": port, "router": make("routers", "router"),
            "route": make("routes", "route", source_subnet_id=subnet, destination_subnet_id=far),
            "vif": make("vifs", "vif", port_id=port, host="hv1", interface="tap1"),
            "policy": make("qos/policies", "policy", name="q"),
            "scope": make("address-scopes", "address_scope", name="s", ip_version=4),
            "pool": make("subnetpools", "subnetpool", name="p", prefixes=["10.8.0.0/16"]),
            "hypervisor": ask(lab, "alice", "admin", "GET", "hypervisors").body["hypervisors"][0]["id"]}


def filled(value: Any, things: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(item, things) for name, item in value.items()}
    return value.format(**things) if isinstance(value, str) else value


def test_every_role_at_everything(lab: Wire) -> None:
    """Whoever is refused has changed nothing."""
    things = furnish(lab)
    wrong = []
    for each in CASES:
        for project, roles, statuses in (("alice", OWN, each.own), ("bob", FOREIGN, each.foreign)):
            for role, status in zip(roles, statuses, strict=True):
                before = lab.dump()
                answer = ask(lab, project, role, each.method, each.path.format(**things),
                             filled(each.body, {**things, "who": f"{project}-{role}"}))
                if answer.status != status:
                    wrong.append(f"{each}: {project} {role}: {answer.status}, not {status}")
                assert answer.status < 400 or lab.dump() == before, (str(each), role)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("collection", ["networks", "subnets", "ports", "routers", "routes", "vifs", "qos/policies",
                                        "subnetpools", "address-scopes"])
def test_lists_have_what_a_role_sees(lab: Wire, collection: str) -> None:
    furnish(lab)
    member = collection.rsplit("/", maxsplit=1)[-1].replace("-", "_")
    counts = {(project, role): len(ask(lab, project, role, "GET", collection).body[member])
              for project in ("alice", "bob") for role in ("admin", "manager", "member", "reader", "service")}
    everything = counts.pop(("alice", "admin"))
    assert everything > 0
    assert {who for who, number in counts.items() if number == 0} == {
        ("bob", role) for role in ("manager", "member", "reader")}


@pytest.mark.parametrize("collection", ["networks", "subnets", "ports", "routers", "routes", "vifs", "qos/policies",
                                        "subnetpools", "address-scopes"])
def test_nobody_deletes_who_only_reads(lab: Wire, collection: str) -> None:
    """Nor the compute service, but ports and VIFs."""
    furnish(lab)
    member = collection.rsplit("/", maxsplit=1)[-1].replace("-", "_")
    found = ask(lab, "alice", "admin", "GET", collection).body[member]
    path = f"{collection}/{next(item['id'] for item in found if item.get('device_owner', '') == '')}"
    before = lab.dump()
    for project, role, status in (("alice", "reader", 403), ("bob", "member", 404), ("bob", "manager", 404),
                                  ("alice", "stranger", 403)):
        assert ask(lab, project, role, "DELETE", path).status == status, role
    if collection not in ("ports", "vifs"):
        assert ask(lab, "alice", "service", "DELETE", path).status == 403
    assert lab.dump() == before


def test_roles_add_up(lab: Wire) -> None:
    for roles, status in (("reader,stranger", 403), ("reader,member", 201), ("service,member", 201),
                          ("service,reader", 403), ("", 403)):
        assert ask(lab, "alice", roles, "POST", "networks", {"network": {}}).status == status, roles
