"""Security groups, their rules, the default group of each project, and the ports in them."""
from __future__ import annotations

import threading
from typing import Any

import pytest

from naas_sdn import runtime
from naas_sdn.db.session import Database
from naas_sdn.service.security_groups import default_group, make_default
from tests.api.wire import GONE, Answer, Wire
from tests.support.statements import statements


def groups(wire: Wire, query: str = "", who: str = "alice") -> list[dict[str, Any]]:
    answer = wire.ask("GET", f"security-groups?{query}", who=who)
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.body["security_groups"]
    return found


def default(wire: Wire, who: str = "alice") -> dict[str, Any]:
    [group] = groups(wire, f"name=default&project_id={who}", who)
    return group


def rule(wire: Wire, group: str, who: str = "alice", **attributes: Any) -> Answer:
    body = {"security_group_rule": {"security_group_id": group, "direction": "ingress", **attributes}}
    return wire.ask("POST", "security-group-rules", body, who=who)


def made(wire: Wire, group: str, who: str = "alice", **attributes: Any) -> dict[str, Any]:
    answer = rule(wire, group, who, **attributes)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.body["security_group_rule"]
    return found


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error


def empty_list(wire: Wire) -> int:
    """What a list costs whose only statement is the list's own."""
    with statements() as heard:
        assert wire.ask("GET", "qos/policies").body == {"policies": []}
    return len(heard)


def shape(rules: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {(item["direction"], item["ethertype"], item["remote_group_id"]) for item in rules}


# The default group.


@pytest.mark.parametrize("first", ["list", "reader's list", "group", "port", "VIF"])
def test_a_project_has_a_default_group_when_it_first_needs_one(wire: Wire, first: str) -> None:
    network = wire.network()["id"]
    match first:
        case "list":
            groups(wire)
        case "reader's list":
            groups(wire, who="reader")
        case "group":
            wire.make("security_groups", name="web")
        case "port":
            wire.make("ports", network_id=network)
        case _:
            wire.make("vifs", "service", network_id=network, project_id="alice", host="hv1", interface="tap")
    [before] = [line for line in wire.dump() if "Default security group" in line]
    group = default(wire)
    assert [line for line in wire.dump() if "Default security group" in line] == [before]
    assert group["description"] == "Default security group"
    assert shape(group["security_group_rules"]) == {
        ("egress", "IPv4", None), ("egress", "IPv6", None), ("ingress", "IPv4", group["id"]),
        ("ingress", "IPv6", group["id"])}
    assert all(item["belongs_to_default_sg"] for item in group["security_group_rules"])


def test_no_list_makes_a_group_of_somebody_else_s_project(wire: Wire) -> None:
    assert groups(wire, "project_id=bob") == groups(wire, "tenant_id=bob", "service") == []
    assert not any("'bob'" in line for line in wire.dump())
    [group] = groups(wire, "tenant_id=bob", "admin")
    assert (group["name"], group["project_id"]) == ("default", "bob")
    assert [item["id"] for item in groups(wire, who="bob")] == [group["id"]]
    for nobody in ("", "x" * 256):
        assert groups(wire, f"tenant_id={nobody}", "admin") == []


def test_two_at_once_make_one(wire: Wire) -> None:
    wire.token("alice")
    network = wire.network()["id"]
    asked = [runtime.spawn(wire.ask, method, path, body) for method, path, body in (
        ("GET", "security-groups", None), ("POST", "ports", {"port": {"network_id": network}}),
        ("POST", "security-groups", {"security_group": {"name": "web"}}), ("GET", "security-groups", None)) * 2]
    assert sorted(thread.wait().status for thread in asked) == [200] * 4 + [201] * 4
    assert len(groups(wire, "name=default")) == 1


def test_two_databases_at_once_make_one(wire: Wire) -> None:
    """Processes of the API have one each."""
    ids: list[str] = []

    def ask() -> None:
        database = Database(wire.database.url)
        try:
            ids.append(database.transact(lambda session: default_group(session, "alice")))
        finally:
            database.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids == [default(wire)["id"]] * 4


def test_who_loses_the_race_gets_the_winner_s(wire: Wire) -> None:
    """As where readers do not wait for a writer: it was not there when asked for, and is when it is made."""
    wire.make("networks", name="kept")
    first = default(wire)["id"]
    with wire.database.write() as session:
        assert make_default(session, "alice") == first
        assert make_default(session, "bob") == make_default(session, "bob")
    assert len(groups(wire, "name=default")) == 1
    assert len(groups(wire, "", "bob")) == 1


def test_a_default_group_keeps_its_name_and_its_place(wire: Wire) -> None:
    url = f"security-groups/{default(wire)['id']}"
    renamed = wire.ask("PUT", url, {"security_group": {"name": "mine"}})
    assert refused(renamed) == (409, "SecurityGroupCannotUpdateDefault")
    assert refused(wire.ask("DELETE", url)) == (409, "SecurityGroupCannotRemoveDefault")
    same = {"security_group": {"name": "default", "description": "ours"}}
    assert wire.ask("PUT", url, same).body["security_group"]["description"] == "ours"
    for name in ("default", "Default", "DEFAULT"):
        answer = wire.ask("POST", "security-groups", {"security_group": {"name": name}})
        assert refused(answer) == (409, "SecurityGroupDefaultAlreadyExists")
    other = wire.make("security_groups", name="web")["id"]
    answer = wire.ask("PUT", f"security-groups/{other}", {"security_group": {"name": "dEFAULT"}})
    assert refused(answer) == (409, "SecurityGroupDefaultAlreadyExists")


def test_an_operator_removes_it_and_there_is_another(wire: Wire) -> None:
    first = default(wire)["id"]
    port = wire.make("ports", network_id=wire.network()["id"])
    assert port["security_groups"] == [first]
    for who in ("alice", "admin"):
        assert refused(wire.ask("DELETE", f"security-groups/{first}", who=who)) == (409, "SecurityGroupInUse")
    assert wire.ask("DELETE", f"ports/{port['id']}").status == 204
    assert wire.ask("DELETE", f"security-groups/{first}", who="admin").status == 204
    second = default(wire)["id"]
    assert second != first


# Groups.


def test_a_group(wire: Wire) -> None:
    group = wire.make("security_groups", name="web", description="of the web")
    assert group.items() >= {"name": "web", "description": "of the web", "stateful": True, "shared": False,
                             "project_id": "alice", "tenant_id": "alice", "tags": [], "revision_number": 1}.items()
    assert shape(group["security_group_rules"]) == {("egress", "IPv4", None), ("egress", "IPv6", None)}
    assert not any(item["belongs_to_default_sg"] for item in group["security_group_rules"])
    for path in ("security-groups", "security_groups"):
        assert wire.ask("GET", f"{path}/{group['id']}").body == {"security_group": group}
    body = {"security_group": {"name": "www", "description": "", "stateful": "false"}}
    changed = wire.ask("PUT", f"security-groups/{group['id']}", body).body["security_group"]
    assert changed.items() >= {"name": "www", "description": "", "stateful": False, "revision_number": 2}.items()
    assert wire.ask("DELETE", f"security-groups/{group['id']}", If_Match="revision_number=1").status == 412
    assert wire.ask("DELETE", f"security-groups/{group['id']}").status == 204
    answer = wire.ask("GET", f"security-groups/{group['id']}")
    assert refused(answer) == (404, "SecurityGroupNotFound")
    assert wire.ask("GET", f"security-group-rules?security_group_id={group['id']}").body["security_group_rules"] == []


def test_names_are_not_unique_and_any_text(wire: Wire) -> None:
    for _ in range(2):
        wire.make("security_groups", name="Żółw 🐢 defaults")
    assert len(groups(wire, "name=%C5%BB%C3%B3%C5%82w%20%F0%9F%90%A2%20defaults")) == 2
    assert wire.make("security_groups")["name"] == ""
    assert len(groups(wire, "name=")) == 1


def test_lists_of_groups(wire: Wire) -> None:
    ids = {name: wire.make("security_groups", name=name, stateful=name != "b")["id"] for name in ("b", "c", "a")}
    assert [item["name"] for item in groups(wire, "sort_key=name")] == ["a", "b", "c", "default"]
    assert [item["name"] for item in groups(wire, "sort_key=name&sort_dir=desc&limit=2")] == ["default", "c"]
    assert [item["name"] for item in groups(wire, f"sort_key=name&marker={ids['a']}&limit=1")] == ["b"]
    assert groups(wire, "fields=id&fields=name&name=a&tenant_id=alice") == [{"id": ids["a"], "name": "a"}]
    assert [item["name"] for item in groups(wire, "stateful=false")] == ["b"]
    assert [item["name"] for item in groups(wire, "name=a&name=b&stateful=True")] == ["a"]
    assert groups(wire, "shared=True") == []
    assert len(groups(wire, "shared=False")) == len(groups(wire, "shared=False&shared=True")) == 4
    wire.ask("PUT", f"security-groups/{ids['a']}/tags/red")
    assert [item["id"] for item in groups(wire, "tags=red")] == [ids["a"]]
    for bad in ("bogus=1", "security_group_rules=1", "stateful=perhaps", "sort_key=stateful", "default_of=alice"):
        assert wire.ask("GET", f"security-groups?{bad}").status == 400, bad
    assert refused(wire.ask("GET", f"security-groups?marker={GONE}")) == (404, "SecurityGroupNotFound")


@pytest.mark.parametrize("number", [1, 6])
def test_what_lists_cost(wire: Wire, number: int) -> None:
    """Whose default group it is, the groups, their rules, whether they are shared, their tags; the rules with their
    groups, their tags."""
    for _ in range(number):
        wire.make("security_groups")
    for path, cost in (("security-groups", 5), ("security-group-rules", 2)):
        with statements() as heard:
            assert wire.ask("GET", path).status == 200
        assert len(heard) == empty_list(wire) + cost - 1, heard


@pytest.mark.parametrize("attributes", [
    {"name": "x" * 256}, {"name": None}, {"name": "a\0"}, {"name": "\ud800"}, {"name": 5}, {"description": None},
    {"stateful": None}, {"stateful": "perhaps"}, {"shared": True}, {"security_group_rules": []}, {"bogus": 1},
    {"tags": ["a"]}, {"project_id": "bob"}, {"default_of": "alice"}, {"id": GONE},
])
def test_what_no_group_can_be(wire: Wire, attributes: dict[str, Any]) -> None:
    group = wire.make("security_groups")["id"]
    before = wire.dump()
    assert wire.ask("POST", "security-groups", {"security_group": attributes}).status == 400
    assert wire.ask("PUT", f"security-groups/{group}", {"security_group": attributes}).status == 400
    assert wire.dump() == before


def test_several_groups_are_made_all_or_none(wire: Wire) -> None:
    default(wire)
    before = wire.dump()
    body = {"security_groups": [{"name": "a"}, {"name": "default"}]}
    assert wire.ask("POST", "security-groups", body).status == 409
    assert wire.dump() == before
    answer = wire.ask("POST", "security-groups", {"security_groups": [{"name": "a"}, {"name": "b"}]})
    assert [item["name"] for item in answer.body["security_groups"]] == ["a", "b"]


def test_the_quota_counts_the_default_group_and_its_rules(wire: Wire) -> None:
    wire.ask("PUT", "quotas/alice", {"quota": {"security_group": 2, "security_group_rule": 7}}, who="admin")
    group = wire.make("security_groups")["id"]
    assert refused(wire.ask("POST", "security-groups", {"security_group": {}})) == (409, "OverQuota")
    made(wire, group, protocol="tcp")
    assert refused(rule(wire, group, protocol="udp")) == (409, "OverQuota")
    details = wire.ask("GET", "quotas/alice/details").body["quota"]
    assert (details["security_group"]["used"], details["security_group_rule"]["used"]) == (2, 7)
    assert details["security_group"]["limit"] == 2
    usual = wire.ask("GET", "quotas/bob/default", who="bob").body["quota"]
    assert (usual["security_group"], usual["security_group_rule"]) == (10, 100)


def test_a_quota_of_nothing_leaves_a_default_group_and_ports(wire: Wire) -> None:
    wire.ask("PUT", "quotas/alice", {"quota": {"security_group": 0, "security_group_rule": 0}}, who="admin")
    port = wire.make("ports", network_id=wire.network()["id"])
    assert port["security_groups"] == [default(wire)["id"]]


def test_another_tenant_s_groups_and_rules_are_not_there(wire: Wire) -> None:
    group = wire.make("security_groups", name="web")["id"]
    item = made(wire, group, protocol="tcp")["id"]
    own = default(wire, "bob")["id"]
    before = wire.dump()
    for path, identifier, kind in (("security-groups", group, "SecurityGroupNotFound"),
                                   ("security-group-rules", item, "SecurityGroupRuleNotFound")):
        for method, body in (("GET", None), ("DELETE", None), ("PUT", {"security_group": {"name": "mine"}})):
            if method == "PUT" and path == "security-group-rules":
                continue
            answer, nothing = (wire.ask(method, f"{path}/{i}", body, who="bob") for i in (identifier, GONE))
            assert refused(answer) == refused(nothing) == (404, kind)
            assert answer.message.replace(identifier, GONE) == nothing.message
        assert refused(wire.ask("GET", f"{path}?marker={identifier}", who="bob")) == (404, kind)
        assert refused(wire.ask("GET", f"{path}?marker={GONE}", who="bob")) == (404, kind)
    assert wire.ask("GET", f"security-group-rules?security_group_id={group}", who="bob").body == {
        "security_group_rules": []}
    for attributes in ({"security_group_id": group}, {"remote_group_id": group}):
        answer = wire.ask("POST", "security-group-rules", {"security_group_rule": {
            "security_group_id": own, "direction": "ingress", **attributes}}, who="bob")
        assert refused(answer) == (404, "SecurityGroupNotFound")
    assert wire.dump() == before
    assert [item["id"] for item in groups(wire, who="bob")] == [own]
    assert len(groups(wire, who="admin")) == 4


def test_who_only_reads_changes_nothing(wire: Wire) -> None:
    group = wire.make("security_groups")["id"]
    item = made(wire, group, protocol="tcp")["id"]
    before = wire.dump()
    for who in ("reader", "service"):
        for method, path, body in (
                ("POST", "security-groups", {"security_group": {"project_id": "alice"}}),
                ("PUT", f"security-groups/{group}", {"security_group": {"name": "b"}}),
                ("DELETE", f"security-groups/{group}", None), ("DELETE", f"security-group-rules/{item}", None),
                ("POST", "security-group-rules", {"security_group_rule": {
                    "security_group_id": group, "direction": "egress", "protocol": "tcp"}})):
            answer = wire.ask(method, path, body, who=who)
            assert refused(answer) == (403, "PolicyNotAuthorized"), (who, method, path)
    assert wire.dump() == before


# Rules.


def test_a_rule(wire: Wire) -> None:
    group = wire.make("security_groups")
    item = made(wire, group["id"], protocol="TCP", port_range_min="80", port_range_max=443,
                remote_ip_prefix="10.1.2.3/24", description="web")
    assert item.items() >= {
        "security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 80, "port_range_max": 443, "remote_ip_prefix": "10.1.2.3/24",
        "normalized_cidr": "10.1.2.0/24", "remote_group_id": None, "description": "web", "project_id": "alice",
        "tenant_id": "alice", "belongs_to_default_sg": False, "revision_number": 1, "tags": []}.items()
    for path in ("security-group-rules", "security_group_rules"):
        assert wire.ask("GET", f"{path}/{item['id']}").body == {"security_group_rule": item}
    shown = wire.ask("GET", f"security-groups/{group['id']}").body["security_group"]
    assert {**next(of for of in shown["security_group_rules"] if of["id"] == item["id"]), "tags": []} == item
    assert shown["revision_number"] == group["revision_number"] + 1
    assert wire.ask("DELETE", f"security-group-rules/{item['id']}").status == 204
    shown = wire.ask("GET", f"security-groups/{group['id']}").body["security_group"]
    assert (len(shown["security_group_rules"]), shown["revision_number"]) == (2, group["revision_number"] + 2)
    assert refused(wire.ask("GET", f"security-group-rules/{item['id']}")) == (404, "SecurityGroupRuleNotFound")


SPELLINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"protocol": None, "ethertype": "IPv4", "description": ""}),
    ({"ethertype": "ipv6"}, {"ethertype": "IPv6"}),
    ({"protocol": None}, {"protocol": None}), ({"protocol": "any"}, {"protocol": None}),
    ({"protocol": 6}, {"protocol": "6"}), ({"protocol": "255"}, {"protocol": "255"}),
    ({"protocol": "icmpv6", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp"}),
    ({"protocol": "icmp", "port_range_min": 8}, {"port_range_min": 8, "port_range_max": None}),
    ({"protocol": "icmp", "port_range_min": 0, "port_range_max": 255}, {"port_range_min": 0}),
    ({"protocol": "1", "port_range_min": 3, "port_range_max": 4}, {"protocol": "1"}),
    ({"protocol": "udp", "port_range_min": 1, "port_range_max": 65535}, {"port_range_min": 1, "port_range_max": 65535}),
    ({"protocol": "132", "port_range_min": 9, "port_range_max": 9}, {"protocol": "132"}),
    ({"protocol": "vrrp"}, {"protocol": "vrrp"}),
    ({"remote_ip_prefix": "192.0.2.1"}, {"remote_ip_prefix": "192.0.2.1/32", "normalized_cidr": "192.0.2.1/32"}),
    ({"remote_ip_prefix": "0.0.0.0/0"}, {"remote_ip_prefix": "0.0.0.0/0", "normalized_cidr": "0.0.0.0/0"}),
    ({"remote_ip_prefix": "2001:DB8:0::1/32", "ethertype": "IPv6"},
     {"remote_ip_prefix": "2001:db8::1/32", "normalized_cidr": "2001:db8::/32"}),
]


def test_spellings(wire: Wire) -> None:
    wire.ask("PUT", "quotas/alice", {"quota": {"security_group": -1}}, who="admin")
    for given, shown in SPELLINGS:
        assert made(wire, wire.make("security_groups")["id"], **given).items() >= shown.items(), given


BAD_RULES: list[tuple[dict[str, Any], str]] = [
    ({"direction": "sideways"}, "HTTPBadRequest"), ({"direction": None}, "HTTPBadRequest"),
    ({"ethertype": "IPv5"}, "SecurityGroupRuleInvalidEtherType"), ({"ethertype": None}, "HTTPBadRequest"),
    ({"ethertype": ""}, "SecurityGroupRuleInvalidEtherType"),
    ({"protocol": "nonsense"}, "SecurityGroupRuleInvalidProtocol"),
    ({"protocol": ""}, "SecurityGroupRuleInvalidProtocol"),
    ({"protocol": "256"}, "SecurityGroupRuleInvalidProtocol"), ({"protocol": 256}, "SecurityGroupRuleInvalidProtocol"),
    ({"protocol": -1}, "SecurityGroupRuleInvalidProtocol"), ({"protocol": "٦"}, "SecurityGroupRuleInvalidProtocol"),
    ({"protocol": "6 "}, "SecurityGroupRuleInvalidProtocol"), ({"protocol": 10**30}, "HTTPBadRequest"),
    ({"protocol": True}, "HTTPBadRequest"), ({"protocol": ["tcp"]}, "HTTPBadRequest"),
    ({"protocol": "tcp\0"}, "HTTPBadRequest"), ({"protocol": "x" * 41}, "HTTPBadRequest"),
    ({"protocol": "icmpv6"}, "SecurityGroupEthertypeConflictWithProtocol"),
    ({"protocol": "ipv6-nonxt"}, "SecurityGroupEthertypeConflictWithProtocol"),
    ({"protocol": 58}, "SecurityGroupEthertypeConflictWithProtocol"),
    ({"port_range_min": 80, "port_range_max": 80}, "SecurityGroupProtocolRequiredWithPorts"),
    ({"protocol": "any", "port_range_max": 80}, "SecurityGroupProtocolRequiredWithPorts"),
    ({"protocol": "gre", "port_range_min": 1, "port_range_max": 2}, "SecurityGroupInvalidProtocolForPort"),
    ({"protocol": "tcp", "port_range_min": 80}, "SecurityGroupInvalidPortRange"),
    ({"protocol": "tcp", "port_range_max": 80}, "SecurityGroupInvalidPortRange"),
    ({"protocol": "tcp", "port_range_min": 81, "port_range_max": 80}, "SecurityGroupInvalidPortRange"),
    ({"protocol": "17", "port_range_min": 0, "port_range_max": 80}, "SecurityGroupInvalidPortValue"),
    ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65536}, "SecurityGroupInvalidPortValue"),
    ({"protocol": "tcp", "port_range_min": -1, "port_range_max": -1}, "SecurityGroupInvalidPortValue"),
    ({"protocol": "tcp", "port_range_min": 10**19, "port_range_max": 10**19}, "HTTPBadRequest"),
    ({"protocol": "tcp", "port_range_min": "٣", "port_range_max": 80}, "HTTPBadRequest"),
    ({"protocol": "tcp", "port_range_min": 1.5, "port_range_max": 80}, "HTTPBadRequest"),
    ({"protocol": "tcp", "port_range_min": {}, "port_range_max": 80}, "HTTPBadRequest"),
    ({"protocol": "icmp", "port_range_min": 256}, "SecurityGroupInvalidIcmpValue"),
    ({"protocol": "icmp", "port_range_min": 0, "port_range_max": 256}, "SecurityGroupInvalidIcmpValue"),
    ({"protocol": "icmp", "port_range_max": 0}, "SecurityGroupMissingIcmpType"),
    ({"remote_ip_prefix": "10.0.0.0/33"}, "InvalidCIDR"), ({"remote_ip_prefix": "nowhere"}, "InvalidCIDR"),
    ({"remote_ip_prefix": ""}, "InvalidCIDR"), ({"remote_ip_prefix": 5}, "HTTPBadRequest"),
    ({"remote_ip_prefix": "fe80::1%eth0/64", "ethertype": "IPv6"}, "InvalidCIDR"),
    ({"remote_ip_prefix": "2001:db8::/32"}, "SecurityGroupRuleParameterConflict"),
    ({"remote_ip_prefix": "10.0.0.0/8", "ethertype": "IPv6"}, "SecurityGroupRuleParameterConflict"),
    ({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": GONE}, "SecurityGroupMultipleRemoteEntites"),
    ({"remote_group_id": "x"}, "HTTPBadRequest"), ({"security_group_id": "x"}, "HTTPBadRequest"),
    ({"security_group_id": None}, "HTTPBadRequest"), ({"description": "x" * 256}, "HTTPBadRequest"),
    ({"description": "\0"}, "HTTPBadRequest"), ({"normalized_cidr": "10.0.0.0/8"}, "HTTPBadRequest"),
    ({"belongs_to_default_sg": True}, "HTTPBadRequest"), ({"name": "n"}, "HTTPBadRequest"),
    ({"content": "x"}, "HTTPBadRequest"), ({"project_id": "bob"}, "HTTPBadRequest"),
]


def test_what_no_rule_can_be(wire: Wire) -> None:
    group = wire.make("security_groups")["id"]
    before = wire.dump()
    for attributes, kind in BAD_RULES:
        assert refused(rule(wire, group, **attributes)) == (400, kind), attributes
    assert wire.dump() == before


@pytest.mark.parametrize("missing", ["security_group_id", "direction"])
def test_what_a_rule_must_say(wire: Wire, missing: str) -> None:
    body = {"security_group_id": default(wire)["id"], "direction": "egress", "protocol": "tcp"}
    del body[missing]
    assert wire.ask("POST", "security-group-rules", {"security_group_rule": body}).status == 400


def test_groups_that_a_rule_names_are_there(wire: Wire) -> None:
    group = default(wire)["id"]
    for attributes in ({"security_group_id": GONE}, {"remote_group_id": GONE}):
        answer = wire.ask("POST", "security-group-rules", {"security_group_rule": {
            "security_group_id": group, "direction": "ingress", **attributes}})
        assert refused(answer) == (404, "SecurityGroupNotFound")


@pytest.mark.parametrize(("first", "second"), [
    ({"protocol": "tcp"}, {"protocol": "6"}), ({"protocol": "tcp"}, {"protocol": 6, "description": "other"}),
    ({"protocol": "udp"}, {"protocol": "udp", "port_range_min": 1, "port_range_max": 65535}),
    ({"protocol": "udp"}, {"protocol": "udp", "remote_ip_prefix": "0.0.0.0/0"}),
    ({"ethertype": "IPv6", "protocol": "tcp"}, {"ethertype": "ipv6", "protocol": "tcp", "remote_ip_prefix": "::/0"}),
    ({"ethertype": "IPv6", "protocol": "icmp"}, {"ethertype": "IPv6", "protocol": "icmpv6"}),
    ({"remote_ip_prefix": "10.0.0.1/8"}, {"remote_ip_prefix": "10.0.0.2/8"}),
    ({"direction": "egress"}, {"direction": "egress"}),
])
def test_the_same_rule_twice(wire: Wire, first: dict[str, Any], second: dict[str, Any]) -> None:
    group = wire.make("security_groups")["id"]
    if first != {"direction": "egress"}:
        made(wire, group, **first)
    before = wire.dump()
    assert refused(rule(wire, group, **second)) == (409, "SecurityGroupRuleExists")
    answer = wire.ask("POST", "security-group-rules", {"security_group_rules": [
        {"security_group_id": group, "direction": "ingress", **item}
        for item in ({"protocol": "esp"}, second, {"protocol": "50"})]})
    assert refused(answer) == (409, "SecurityGroupRuleExists")
    assert wire.dump() == before
    made(wire, wire.make("security_groups")["id"], **{"protocol": "ah", **second})


def test_several_rules_as_nova_makes_them(wire: Wire) -> None:
    group = wire.make("security_groups")["id"]
    rules = [{"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
              "port_range_min": port, "port_range_max": port, "remote_ip_prefix": "0.0.0.0/0"} for port in (22, 80)]
    answer = wire.ask("POST", "security-group-rules", {"security_group_rules": rules})
    assert (answer.status, [item["port_range_min"] for item in answer.body["security_group_rules"]]) == (201, [22, 80])
    other = {**rules[0], "security_group_id": wire.make("security_groups")["id"]}
    before = wire.dump()
    across = {"security_group_rules": [{**rules[0], "protocol": "udp"}, other]}
    answer = wire.ask("POST", "security-group-rules", across)
    assert refused(answer) == (400, "SecurityGroupNotSingleGroupRules")
    for body in ({"security_group_rules": []}, {"security_group_rules": [{}]}, {"security_group_rules": {}}):
        assert wire.ask("POST", "security-group-rules", body).status == 400
    assert wire.dump() == before


def test_a_rule_stays_as_it_is(wire: Wire) -> None:
    """Where Neutron answers 500."""
    item = made(wire, default(wire)["id"], protocol="tcp")
    answer = wire.ask("PUT", f"security-group-rules/{item['id']}", {"security_group_rule": {"description": "d"}})
    assert refused(answer) == (405, "HTTPMethodNotAllowed")
    assert wire.ask("GET", f"security-group-rules/{item['id']}").body["security_group_rule"] == item


def test_rules_about_a_group_end_with_it(wire: Wire) -> None:
    web, database = (wire.make("security_groups", name=name)["id"] for name in ("web", "database"))
    about = made(wire, database, protocol="tcp", remote_group_id=web)
    own = made(wire, web, remote_group_id=web)
    revision = wire.ask("GET", f"security-groups/{database}").body["security_group"]["revision_number"]
    wire.ask("PUT", f"security-group-rules/{about['id']}/tags/fleeting")
    assert wire.ask("DELETE", f"security-groups/{web}").status == 204
    for item in (about, own):
        assert wire.ask("GET", f"security-group-rules/{item['id']}").status == 404
    shown = wire.ask("GET", f"security-groups/{database}").body["security_group"]
    assert (len(shown["security_group_rules"]), shown["revision_number"]) == (2, revision + 1)
    assert not any("fleeting" in line for line in wire.dump())


def test_an_operator_s_rule_is_its_group_s_project_s(wire: Wire) -> None:
    group = wire.make("security_groups")["id"]
    item = made(wire, group, "admin", protocol="tcp")
    assert item["project_id"] == "alice"
    assert wire.ask("DELETE", f"security-group-rules/{item['id']}").status == 204


def test_lists_of_rules(wire: Wire) -> None:
    group = wire.make("security_groups")["id"]
    web = made(wire, group, protocol="tcp", port_range_min=80, port_range_max=80, remote_ip_prefix="10.0.0.1/8",
               description="web")["id"]
    ping = made(wire, group, protocol="icmpv6", ethertype="IPv6")["id"]
    peers = made(wire, group, remote_group_id=group)["id"]

    def found(query: str) -> set[str]:
        answer = wire.ask("GET", f"security-group-rules?{query}")
        assert answer.status == 200, answer.body
        return {item["id"] for item in answer.body["security_group_rules"]}

    ingress = f"security_group_id={group}&direction=ingress"
    assert found(ingress) == {web, ping, peers}
    assert found("protocol=TCP") == found("port_range_min=80") == found("description=web") == {web}
    assert found("remote_ip_prefix=10.0.0.1/8") == {web}
    assert found("protocol=icmpv6") == found(f"{ingress}&ethertype=ipv6") == {ping}
    assert found(f"remote_group_id={group}") == found(f"{ingress}&protocol=null") == {peers}
    assert found(f"{ingress}&protocol=any&protocol=tcp") == {web, peers}
    assert found(f"{ingress}&port_range_min=null") == {ping, peers}
    assert found("protocol=bogus") == found("remote_ip_prefix=bogus") == found("port_range_min=99999999999999999999") \
        == found("ethertype=bogus") == found("port_range_max=-1") == set()
    everything = found("")
    of_default = found("belongs_to_default_sg=True")
    assert (len(everything), len(of_default)) == (9, 4)
    assert found("belongs_to_default_sg=no") == everything - of_default
    assert found("belongs_to_default_sg=no&belongs_to_default_sg=yes") == everything
    wire.ask("PUT", f"security-group-rules/{web}/tags/red")
    assert found("tags=red") == {web}
    for bad in ("normalized_cidr=10.0.0.0/8", "bogus=1", "belongs_to_default_sg=perhaps", "content=x",
                "sort_key=normalized_cidr"):
        assert wire.ask("GET", f"security-group-rules?{bad}").status == 400, bad


def test_pages_of_rules_ordered_by_what_may_be_null(wire: Wire) -> None:
    group = wire.make("security_groups")["id"]
    for port in (80, 22, 443):
        made(wire, group, protocol="tcp", port_range_min=port, port_range_max=port)
    for key in ("port_range_min", "protocol", "remote_group_id"):
        order = f"sort_key={key}&sort_dir=desc"
        whole = wire.ask("GET", f"security-group-rules?{order}").body["security_group_rules"]
        pages, marker = [], ""
        for _ in range(3):
            page = wire.ask("GET", f"security-group-rules?{order}&limit=3{marker}").body["security_group_rules"]
            pages += page
            marker = f"&marker={page[-1]['id']}"
        assert pages == whole
        assert len(pages) == 9


# Ports.


def put(wire: Wire, port: str, who: str = "alice", **attributes: Any) -> Answer:
    return wire.ask("PUT", f"ports/{port}", {"port": attributes}, who=who)


def test_groups_of_a_port(wire: Wire) -> None:
    network = wire.network()["id"]
    usual = default(wire)["id"]
    web, database = (wire.make("security_groups", name=name)["id"] for name in ("web", "database"))
    port = wire.make("ports", network_id=network)
    assert port["security_groups"] == [usual]
    assert wire.ask("GET", f"ports/{port['id']}").body == {"port": port}
    for given, shown in (([web, database, web.upper()], sorted((web, database))), ([], []), (None, [])):
        other = wire.make("ports", network_id=network, security_groups=given)
        assert other["security_groups"] == shown
        assert wire.ask("GET", f"ports/{other['id']}").body["port"] == other
    for given, shown in (([web], [web]), ([web, usual], sorted((web, usual))), ([database], [database]), (None, []),
                         ([usual], [usual]), ([], [])):
        answer = put(wire, port["id"], security_groups=given)
        assert answer.body["port"]["security_groups"] == shown
        assert wire.ask("GET", f"ports/{port['id']}").body["port"]["security_groups"] == shown
    put(wire, port["id"], security_groups=[web])
    assert put(wire, port["id"], name="n").body["port"]["security_groups"] == [web]


def test_groups_that_no_port_can_have(wire: Wire) -> None:
    network = wire.network()["id"]
    port = wire.make("ports", network_id=network)["id"]
    theirs = wire.make("security_groups", "bob")["id"]
    before = wire.dump()
    for given, status, kind in (([theirs], 404, "SecurityGroupNotFound"), ([GONE], 404, "SecurityGroupNotFound"),
                                (["x"], 400, "HTTPBadRequest"), ("x", 400, "HTTPBadRequest"),
                                ([None], 400, "HTTPBadRequest"), ([{"id": GONE}], 400, "HTTPBadRequest"),
                                ([f"{number:08x}{GONE[8:]}" for number in range(51)], 400, "BadRequest")):
        answer = wire.ask("POST", "ports", {"port": {"network_id": network, "security_groups": given}})
        assert refused(answer) == (status, kind), given
        assert refused(put(wire, port, security_groups=given)) == (status, kind), given
        assert wire.ask("POST", "ports", {"ports": [{"network_id": network}, {
            "network_id": network, "security_groups": given}]}).status == status
    answer, nothing = (put(wire, port, security_groups=[group]) for group in (theirs, GONE))
    assert answer.message.replace(theirs, GONE) == nothing.message
    assert wire.dump() == before


def test_a_service_gives_a_port_groups_of_its_own_project(wire: Wire) -> None:
    network = wire.network()["id"]
    web, theirs = wire.make("security_groups")["id"], wire.make("security_groups", "bob")["id"]
    port = wire.make("ports", "service", network_id=network, project_id="alice")
    assert port["security_groups"] == [default(wire)["id"]]
    assert put(wire, port["id"], "service", security_groups=[web]).body["port"]["security_groups"] == [web]
    assert refused(put(wire, port["id"], "service", security_groups=[theirs])) == (404, "SecurityGroupNotFound")


def test_what_an_operator_put_there_may_stay_there(wire: Wire) -> None:
    port = wire.make("ports", network_id=wire.network()["id"])
    theirs = wire.make("security_groups", "bob")["id"]
    both = sorted([*port["security_groups"], theirs])
    assert put(wire, port["id"], "admin", security_groups=both).body["port"]["security_groups"] == both
    assert put(wire, port["id"], security_groups=both).status == 200
    assert put(wire, port["id"], security_groups=[theirs]).body["port"]["security_groups"] == [theirs]
    assert refused(wire.ask("DELETE", f"security-groups/{theirs}", who="bob")) == (409, "SecurityGroupInUse")
    assert put(wire, port["id"], security_groups=[]).status == 200
    assert refused(put(wire, port["id"], security_groups=[theirs])) == (404, "SecurityGroupNotFound")


def test_groups_on_another_project_s_network(wire: Wire) -> None:
    shared = wire.network(who="admin", shared=True)["id"]
    port = wire.make("ports", network_id=shared)
    assert port["security_groups"] == [default(wire)["id"]]
    web = wire.make("security_groups")["id"]
    assert put(wire, port["id"], security_groups=[web]).status == 200


def test_a_group_in_use_stays(wire: Wire) -> None:
    web = wire.make("security_groups")["id"]
    port = wire.make("ports", network_id=wire.network()["id"], security_groups=[web])["id"]
    before = wire.dump()
    assert refused(wire.ask("DELETE", f"security-groups/{web}")) == (409, "SecurityGroupInUse")
    changed = wire.ask("PUT", f"security-groups/{web}", {"security_group": {"stateful": False}})
    assert refused(changed) == (409, "SecurityGroupInUse")
    assert wire.dump() == before
    assert wire.ask("PUT", f"security-groups/{web}", {"security_group": {"stateful": True, "name": "w"}}).status == 200
    assert wire.ask("DELETE", f"ports/{port}").status == 204
    assert wire.ask("DELETE", f"security-groups/{web}").status == 204


def test_port_security_and_groups(wire: Wire) -> None:
    network = wire.network()["id"]
    web = wire.make("security_groups")["id"]
    answer = wire.ask("POST", "ports", {"port": {"network_id": network, "port_security_enabled": False,
                                                 "security_groups": [web]}})
    assert refused(answer) == (400, "PortSecurityAndIPRequiredForSecurityGroups")
    for given in ({}, {"security_groups": []}, {"security_groups": None}):
        made = wire.make("ports", network_id=network, port_security_enabled=False, **given)
        assert made["security_groups"] == []
    port = wire.make("ports", network_id=network)["id"]
    before = wire.dump()
    assert refused(put(wire, port, port_security_enabled=False)) == (409, "PortSecurityPortHasSecurityGroup")
    answer = put(wire, port, port_security_enabled=False, security_groups=[web])
    assert refused(answer) == (400, "PortSecurityAndIPRequiredForSecurityGroups")
    assert wire.dump() == before
    answer = put(wire, port, port_security_enabled=False, security_groups=[])
    assert answer.body["port"]["security_groups"] == []
    assert refused(put(wire, port, security_groups=[web])) == (400, "PortSecurityAndIPRequiredForSecurityGroups")
    answer = put(wire, port, port_security_enabled=True, security_groups=[web])
    assert answer.body["port"]["security_groups"] == [web]


def test_ports_on_a_network_without_port_security_get_none(wire: Wire) -> None:
    network = wire.network(port_security_enabled=False)["id"]
    assert wire.make("ports", network_id=network)["security_groups"] == []
    web = wire.make("security_groups")["id"]
    answer = wire.ask("POST", "ports", {"port": {"network_id": network, "security_groups": [web]}})
    assert refused(answer) == (400, "PortSecurityAndIPRequiredForSecurityGroups")
    secure = wire.make("ports", network_id=network, port_security_enabled=True)
    assert secure["security_groups"] == [default(wire)["id"]]


def test_ports_of_the_cloud_get_none(wire: Wire) -> None:
    network = wire.network()
    web = wire.make("security_groups")["id"]
    for given in ({}, {"security_groups": [web]}):
        port = wire.make("ports", network_id=network["id"], device_owner="network:vpn", **given)
        assert port["security_groups"] == []
    assert put(wire, port["id"], security_groups=[web]).body["port"]["security_groups"] == []
    router = wire.make("routers")["id"]
    subnet = {"subnet_id": network["subnets"][0]}
    interface = wire.ask("PUT", f"routers/{router}/add_router_interface", subnet).body["port_id"]
    assert wire.ask("GET", f"ports/{interface}").body["port"]["security_groups"] == []


def test_a_router_takes_a_port_out_of_its_groups(wire: Wire) -> None:
    web = wire.make("security_groups")["id"]
    port = wire.make("ports", network_id=wire.network()["id"], security_groups=[web])["id"]
    router = wire.make("routers")["id"]
    assert wire.ask("PUT", f"routers/{router}/add_router_interface", {"port_id": port}).status == 200
    assert put(wire, port, name="leg").body["port"]["security_groups"] == []
    assert wire.ask("DELETE", f"security-groups/{web}").status == 204


def test_ports_are_found_by_group(wire: Wire) -> None:
    network = wire.network()["id"]
    web, database = (wire.make("security_groups")["id"] for _ in range(2))
    ids = [wire.make("ports", network_id=network, security_groups=given, device_id=f"vm{index}")["id"]
           for index, given in enumerate(([web], [web, database], [], [database]))]

    def found(query: str, who: str = "alice") -> set[int]:
        answer = wire.ask("GET", f"ports?{query}", who=who)
        assert answer.status == 200, answer.body
        return {ids.index(item["id"]) for item in answer.body["ports"]}

    assert found(f"security_groups={web}") == {0, 1}
    assert found(f"security_groups={web}&security_groups={database}") == {0, 1, 3}
    assert found(f"security_groups={web}&device_id=vm1&device_id=vm3") == {1}
    assert found(f"security_groups={GONE}") == found("security_groups=x") == found("security_groups=") \
        == found("security_groups=null") == found(f"security_groups={web}", "bob") == set()
    asked = wire.ask("GET", "ports?device_id=vm0&device_id=vm2&fields=security_groups&fields=device_id").body["ports"]
    assert sorted(asked, key=lambda item: str(item["device_id"])) == [
        {"security_groups": [web], "device_id": "vm0"}, {"security_groups": [], "device_id": "vm2"}]


@pytest.mark.parametrize("number", [1, 5])
def test_what_ports_with_groups_cost(wire: Wire, number: int) -> None:
    """Two statements of a POST, whoever names the groups; one of a list; of a PUT two that add, one that removes, one
    for the journal."""
    network = wire.network()["id"]
    ids = [wire.make("security_groups")["id"] for _ in range(5)]

    def cost(method: str, path: str, body: Any = None) -> int:
        with statements() as heard:
            assert wire.ask(method, path, body).status < 300
        return len(heard)

    def create(**attributes: Any) -> int:
        return cost("POST", "ports", {"port": {"network_id": network, **attributes}})

    assert create() == create(security_groups=ids[:number]) == create(security_groups=[]) + 2
    for _ in range(number):
        create(security_groups=ids[:number])
    assert cost("GET", "ports") == empty_list(wire) + 5     # addresses, groups, errors, trunks, tags
    port = wire.make("ports", network_id=network, security_groups=[])["id"]
    plain = cost("PUT", f"ports/{port}", {"port": {"name": ""}})
    assert cost("PUT", f"ports/{port}", {"port": {"security_groups": ids[:number]}}) == plain + 3
    assert cost("PUT", f"ports/{port}", {"port": {"security_groups": ids[:number]}}) == plain
    assert cost("PUT", f"ports/{port}", {"port": {"security_groups": []}}) == plain + 2


# The rules that new groups begin with.


def begin_with(wire: Wire, **attributes: Any) -> Answer:
    body = {"default_security_group_rule": {"direction": "ingress", **attributes}}
    return wire.ask("POST", "default-security-group-rules", body, who="admin")


def test_the_first_rules_are_read_by_all(wire: Wire) -> None:
    for who in ("alice", "reader", "admin", "service"):
        rules = wire.ask("GET", "default-security-group-rules", who=who).body["default_security_group_rules"]
        assert shape(rules) == {("egress", "IPv4", None), ("egress", "IPv6", None), ("ingress", "IPv4", "PARENT"),
                                ("ingress", "IPv6", "PARENT")}
        assert all(item["used_in_default_sg"] for item in rules)
        assert {item["direction"] for item in rules if item["used_in_non_default_sg"]} == {"egress"}
    shown = wire.ask("GET", f"default-security-group-rules/{rules[0]['id']}").body
    assert shown == {"default_security_group_rule": rules[0]}


def test_operators_say_what_new_groups_begin_with(wire: Wire) -> None:
    old = wire.make("security_groups")["id"]
    item = begin_with(wire, protocol="TCP", port_range_min=22, port_range_max=22, remote_ip_prefix="10.0.0.1/8",
                      description="ssh").body["default_security_group_rule"]
    assert item.items() >= {"protocol": "tcp", "remote_ip_prefix": "10.0.0.1/8", "used_in_default_sg": False,
                            "used_in_non_default_sg": True, "remote_group_id": None}.items()
    begin_with(wire, protocol="esp", remote_group_id="PARENT", used_in_default_sg=True, used_in_non_default_sg=False)
    egress = wire.ask("GET", "default-security-group-rules?direction=egress").body["default_security_group_rules"]
    for first in egress:
        assert wire.ask("DELETE", f"default-security-group-rules/{first['id']}", who="admin").status == 204
    group = wire.make("security_groups")
    [only] = group["security_group_rules"]
    assert only.items() >= {"protocol": "tcp", "port_range_min": 22, "remote_ip_prefix": "10.0.0.1/8",
                            "normalized_cidr": "10.0.0.0/8", "description": "ssh"}.items()
    assert refused(rule(wire, group["id"], protocol=6, port_range_min=22, port_range_max=22,
                        remote_ip_prefix="10.0.0.0/8")) == (409, "SecurityGroupRuleExists")
    assert len(wire.ask("GET", f"security-groups/{old}").body["security_group"]["security_group_rules"]) == 2
    other = default(wire, "bob")
    assert {(of["ethertype"], of["protocol"], of["remote_group_id"]) for of in other["security_group_rules"]} == {
        ("IPv4", "esp", other["id"]), ("IPv4", None, other["id"]), ("IPv6", None, other["id"])}


def test_who_else_may_not(wire: Wire) -> None:
    [first, *_] = wire.ask("GET", "default-security-group-rules").body["default_security_group_rules"]
    before = wire.dump()
    body = {"default_security_group_rule": {"direction": "ingress", "protocol": "tcp"}}
    for who in ("alice", "reader", "service"):
        assert refused(wire.ask("POST", "default-security-group-rules", body, who=who)) == (403, "PolicyNotAuthorized")
        answer = wire.ask("DELETE", f"default-security-group-rules/{first['id']}", who=who)
        assert refused(answer) == (403, "PolicyNotAuthorized")
    assert wire.ask("PUT", f"default-security-group-rules/{first['id']}", body, who="admin").status == 405
    for method in ("GET", "DELETE"):
        answer = wire.ask(method, f"default-security-group-rules/{GONE}", who="admin")
        assert refused(answer) == (404, "DefaultSecurityGroupRuleNotFound")
    for attributes, status in (({"remote_group_id": GONE}, 400), ({"direction": "egress"}, 409), ({}, 201),
                               ({"remote_ip_prefix": "0.0.0.0/0"}, 409), ({"protocol": "nonsense"}, 400),
                               ({"protocol": "tcp", "port_range_min": 99999}, 400), ({"used_in_default_sg": None}, 400),
                               ({"security_group_id": GONE}, 400), ({"description": "\0"}, 400)):
        if status == 201:
            assert wire.dump() == before
        assert begin_with(wire, **attributes).status == status, attributes


def test_lists_of_first_rules(wire: Wire) -> None:
    tcp = begin_with(wire, protocol="tcp").body["default_security_group_rule"]["id"]

    def found(query: str) -> list[str]:
        answer = wire.ask("GET", f"default-security-group-rules?{query}")
        assert answer.status == 200, answer.body
        return [item["id"] for item in answer.body["default_security_group_rules"]]

    assert found("protocol=TCP") == found("used_in_default_sg=false") == [tcp]
    assert len(found("used_in_non_default_sg=True")) == 3
    assert len(found("remote_group_id=PARENT")) == 2
    assert found("sort_key=protocol&sort_dir=desc&limit=1") == [tcp]
    assert wire.ask("GET", "default-security-group-rules?content=x").status == 400
