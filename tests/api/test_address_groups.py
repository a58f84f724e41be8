"""Address groups: kept as lists of ranges, changed by adding and removing, named by rules of security groups."""
from __future__ import annotations

from typing import Any

import pytest

from tests.api.wire import GONE, Answer, Wire


def act(wire: Wire, group: str, action: str, *addresses: str, who: str = "alice") -> Answer:
    return wire.ask("PUT", f"address-groups/{group}/{action}_addresses", {"addresses": list(addresses)}, who=who)


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error


def test_a_group(wire: Wire) -> None:
    made = wire.make("address_groups", name="office", addresses=["2001:DB8::1/32", "10.1.2.3/24", "192.0.2.1",
                                                                 "10.1.2.0/24"])
    assert made.items() >= {"name": "office", "description": "", "project_id": "alice", "shared": False,
                            "revision_number": 1}.items()
    assert made["addresses"] == ["10.1.2.0/24", "192.0.2.1/32", "2001:db8::/32"]
    for path in ("address-groups", "address_groups"):
        assert wire.ask("GET", f"{path}/{made['id']}").body == {"address_group": made}
    body = {"address_group": {"name": "home", "description": "d"}}
    changed = wire.ask("PUT", f"address-groups/{made['id']}", body).body["address_group"]
    assert changed == {**made, "name": "home", "description": "d", "revision_number": 2,
                       "updated_at": changed["updated_at"]}
    assert wire.ask("DELETE", f"address-groups/{made['id']}").status == 204
    assert refused(wire.ask("GET", f"address-groups/{made['id']}")) == (404, "AddressGroupNotFound")
    assert wire.make("address_groups")["addresses"] == []


def test_addresses_are_added_and_removed(wire: Wire) -> None:
    group = wire.make("address_groups", addresses=["10.0.0.9"])["id"]
    answer = act(wire, group, "add", "10.0.0.1", "10.0.0.0/8", "10.0.0.1/32")
    assert answer.body["address_group"]["addresses"] == ["10.0.0.0/8", "10.0.0.1/32", "10.0.0.9/32"]
    assert answer.body["address_group"]["revision_number"] == 2
    answer = act(wire, group, "remove", "10.0.0.1", "10.9.9.9/8")
    assert answer.body["address_group"]["addresses"] == ["10.0.0.9/32"]
    before = wire.dump()
    assert refused(act(wire, group, "add", "10.0.0.2", "10.0.0.9")) == (400, "AddressesAlreadyExist")
    assert refused(act(wire, group, "remove", "10.0.0.2", "10.0.0.9")) == (404, "AddressesNotFound")
    assert act(wire, group, "add").body["address_group"]["addresses"] == ["10.0.0.9/32"]
    assert wire.dump() == before


@pytest.mark.parametrize("addresses", [
    ["10.0.0.0/33"], ["nowhere"], [""], [5], [None], "10.0.0.1", ["fe80::1%eth0"], ["10.0.0.1\0"], [["10.0.0.1"]],
    ["x" * 65], {"10.0.0.1": 1}, [f"10.0.0.{number}" for number in range(201)],
])
def test_what_no_addresses_are(wire: Wire, addresses: Any) -> None:
    group = wire.make("address_groups", addresses=["10.9.9.9"])["id"]
    before = wire.dump()
    assert wire.ask("POST", "address-groups", {"address_group": {"addresses": addresses}}).status == 400
    for action in ("add", "remove"):
        answer = wire.ask("PUT", f"address-groups/{group}/{action}_addresses", {"addresses": addresses})
        assert answer.status == 400
    body = {"address_group": {"addresses": addresses}}
    assert wire.ask("PUT", f"address-groups/{group}", body).status == 400
    assert wire.dump() == before


def test_a_group_has_a_thousand_and_no_more(wire: Wire) -> None:
    group = wire.make("address_groups")["id"]
    for third in range(5):
        assert act(wire, group, "add", *(f"10.0.{third}.{number}" for number in range(200))).status == 200
    assert refused(act(wire, group, "add", "10.1.0.0/16")) == (400, "BadRequest")
    assert act(wire, group, "remove", "10.0.0.0").status == 200
    assert act(wire, group, "add", "10.1.0.0/16").status == 200


def test_rules_about_an_address_group(wire: Wire) -> None:
    office = wire.make("address_groups", addresses=["10.0.0.0/8"])["id"]
    group = wire.make("security_groups")["id"]

    def rule(**attributes: Any) -> Answer:
        return wire.ask("POST", "security-group-rules", {"security_group_rule": {
            "security_group_id": group, "direction": "ingress", **attributes}})

    made = rule(remote_address_group_id=office).body["security_group_rule"]
    assert made["remote_address_group_id"] == office
    listed = wire.ask("GET", f"security-group-rules?remote_address_group_id={office}").body["security_group_rules"]
    assert listed == [made]
    assert refused(rule(remote_address_group_id=office)) == (409, "SecurityGroupRuleExists")
    assert refused(rule(remote_address_group_id=GONE)) == (404, "AddressGroupNotFound")
    for other in ({"remote_ip_prefix": "10.0.0.0/8"}, {"remote_group_id": group}):
        answer = rule(remote_address_group_id=office, **other)
        assert refused(answer) == (400, "SecurityGroupMultipleRemoteEntites")
    assert refused(wire.ask("DELETE", f"address-groups/{office}")) == (409, "AddressGroupInUse")
    assert wire.ask("DELETE", f"security-groups/{group}").status == 204
    assert wire.ask("DELETE", f"address-groups/{office}").status == 204


def test_an_address_group_that_new_groups_begin_with(wire: Wire) -> None:
    office = wire.make("address_groups", "admin", addresses=["10.0.0.0/8"])["id"]

    def begin(identifier: str) -> Answer:
        return wire.ask("POST", "default-security-group-rules", {"default_security_group_rule": {
            "direction": "ingress", "remote_address_group_id": identifier}}, who="admin")

    assert refused(begin(GONE)) == (404, "AddressGroupNotFound")
    assert begin(office).status == 201
    assert refused(wire.ask("DELETE", f"address-groups/{office}", who="admin")) == (409, "AddressGroupInUse")
    rules = wire.make("security_groups")["security_group_rules"]
    assert [item["remote_address_group_id"] for item in rules if item["direction"] == "ingress"] == [office]


def test_another_tenant_s_are_not_there(wire: Wire) -> None:
    office = wire.make("address_groups", addresses=["10.0.0.0/8"])["id"]
    [own] = wire.ask("GET", "security-groups", who="bob").body["security_groups"]
    before = wire.dump()
    assert wire.ask("GET", "address-groups", who="bob").body["address_groups"] == []
    for method, path, body in (("GET", "", None), ("DELETE", "", None), ("PUT", "", {"address_group": {"name": "n"}}),
                               ("PUT", "/add_addresses", {"addresses": ["10.0.0.1"]}),
                               ("PUT", "/remove_addresses", {"addresses": ["10.0.0.0/8"]})):
        answer, nothing = (wire.ask(method, f"address-groups/{i}{path}", body, who="bob") for i in (office, GONE))
        assert refused(answer) == refused(nothing) == (404, "AddressGroupNotFound")
        assert answer.message.replace(office, GONE) == nothing.message
    answer = wire.ask("POST", "security-group-rules", {"security_group_rule": {
        "security_group_id": own["id"], "direction": "ingress", "remote_address_group_id": office}}, who="bob")
    assert refused(answer) == (404, "AddressGroupNotFound")
    for method, path, body in (("POST", "", {"address_group": {}}), ("DELETE", f"/{office}", None),
                               ("PUT", f"/{office}", {"address_group": {"name": "n"}}),
                               ("PUT", f"/{office}/add_addresses", {"addresses": ["10.0.0.1"]})):
        assert refused(wire.ask(method, f"address-groups{path}", body, who="reader")) == (403, "PolicyNotAuthorized")
    assert wire.dump() == before


def test_lists(wire: Wire) -> None:
    ids = {name: wire.make("address_groups", name=name)["id"] for name in ("b", "a")}

    def found(query: str) -> list[str]:
        answer = wire.ask("GET", f"address-groups?{query}")
        assert answer.status == 200, answer.body
        return [item["name"] for item in answer.body["address_groups"]]

    assert found("sort_key=name") == ["a", "b"]
    assert found(f"sort_key=name&marker={ids['a']}") == found("name=b&shared=False&tenant_id=alice") == ["b"]
    assert found("shared=True") == []
    assert wire.ask("GET", "address-groups?addresses=10.0.0.1").status == 400
