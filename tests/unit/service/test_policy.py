"""The policy language as it is compiled, and who may what by default."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from oslo_policy import policy as oslo

from naas_sdn.errors import ConfigurationError, PolicyNotAuthorized
from naas_sdn.service import policy, policy_rules
from naas_sdn.service.access import require, require_new
from naas_sdn.service.contract import Context

ALICE = policy.credentials("alice", "al", ["member"], [])


def allowed(text: str, target: Mapping[str, Any], credentials: policy.Credentials = ALICE, **others: str) -> bool:
    return policy.compiled({"x": text, **others}).allow("x", target, credentials)


@pytest.mark.parametrize(("text", "target", "expected"), [
    ("", {}, True), ("@", {}, True), ("!", {}, False),
    ("role:member", {}, True), ("role:MEMBER", {}, True), ("role:manager", {}, False), ("role:reader", {}, True),
    ("not role:member", {}, False), ("role:manager or role:member", {}, True),
    ("role:member and (role:admin or project_id:%(project_id)s)", {"project_id": "alice"}, True),
    ("role:member and (role:admin or project_id:%(project_id)s)", {"project_id": "bob"}, False),
    ("tenant_id:%(network:tenant_id)s", {"network:tenant_id": "alice"}, True),
    ("project_id:%(network:project_id)s", {"project_id": "alice"}, False),
    ("user_id:%(device_id)s", {"device_id": "al"}, True), ("'alice':%(project_id)s", {"project_id": "alice"}, True),
    ("user_id:%(device_id)s", {}, False), ("role:%(name)s", {"name": "member"}, True), ("colour:red", {}, False),
    ("field:networks:shared=True", {"shared": True}, True), ("field:networks:shared=true", {"shared": True}, True),
    ("field:networks:shared=True", {"shared": False}, False), ("field:networks:shared=True", {}, False),
    ("field:networks:router:external=True", {"router:external": True}, True),
    ("field:port:device_owner=~^network:", {"device_owner": "network:dhcp"}, True),
    ("field:port:device_owner=~^network:", {"device_owner": "compute:network:"}, False),
    ("not field:rbac_policy:target_tenant=*", {"target_tenant": "*"}, False),
    ("rule:other", {}, True),
])
def test_the_language(text: str, target: Mapping[str, Any], expected: bool) -> None:
    """Decided as oslo.policy's own Enforcer decides it."""
    assert allowed(text, target, other="role:member") is expected
    check = oslo.RuleDefault("x", text).check
    enforcer = type("Rules", (), {"rules": {"other": oslo.RuleDefault("other", "role:member").check}})()
    assert oslo._checks._check(check, target, dict(ALICE), enforcer, "x") is expected


@pytest.mark.parametrize(("text", "why"), [
    ("role:member and", "is not written as"), ("member", "is not written as"), ("member or role:admin", "not written"),
    ("rule:nowhere", "rule:nowhere, which is not there"), ("role:admin or rule:x", "needs itself: x -> x"),
    ("project_id:alice", "compares with no attribute"), ("field:networks", "is not field:RESOURCE"),
    ("field:port:name=~(", "no regular expression"), ("http://192.0.2.1/judge", "asks another server"),
])
def test_what_is_no_rule_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^Policy rule x") as caught:
        allowed(text, {})
    assert why in str(caught.value)


def test_rules_that_need_each_other_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="x -> y -> x"):
        policy.compiled({"x": "rule:y", "y": "role:admin or rule:x"})


SITUATIONS = {
    "admin": ("far", "admin"), "service": ("far", "service"), "stranger": ("far", "manager"),
    "manager": ("home", "manager"), "member": ("home", "member"), "reader": ("home", "reader"),
    "nobody": ("home", "gardener"), "network": ("net", "member"), "network reader": ("net", "reader"),
    "parent": ("up", "manager"), "parent member": ("up", "member"), "group": ("sg", "member"),
}
"""Who asks: his project and role. The object is of project `home`, its network of `net`, what it is part of of `up`,
its security group of `sg`."""
TARGET = {"project_id": "home", "tenant_id": "home", "network:project_id": "net", "ext_parent:project_id": "up",
          "security_group:project_id": "sg", "device_owner": "network:dhcp",
          "target_tenant": "*", "target_project": "*"}

ADMIN, OPERATORS = ["admin"], ["admin", "service"]
MEMBERS = ["admin", "manager", "member"]
PORT_MEMBERS = [*MEMBERS, "service"]
ON_NETWORK = ["admin", "network", "service"]
QOS_KINDS = ("bandwidth_limit", "dscp_marking", "packet_rate_limit", "minimum_bandwidth", "minimum_packet_rate")
EXPECTED: Mapping[tuple[str, ...], list[str]] = {
    tuple(f"{verb}_{member}" for verb in ("create", "update", "delete") for member in (
        "network", "subnetpool", "address_scope", "address_group", "rbac_policy", "router", "floatingip", "route",
        "trunk", "bridge", "security_group")): MEMBERS,
    tuple(f"{verb}_{member}:tags" for verb in ("create", "update", "delete") for member in (
        "network", "subnet", "subnetpool", "router", "floatingip", "route", "trunk", "bridge", "security_group",
        "security_group_rule", "vif", "policy")): MEMBERS,
    ("create_floatingip:floating_ip_address",): ["admin", "manager"],
    ("add_prefixes", "remove_prefixes", "onboard_network_subnets", "add_addresses", "remove_addresses",
     "add_router_interface", "remove_router_interface", "add_extraroutes", "remove_extraroutes", "attach_subnet",
     "detach_subnet", "add_subports", "remove_subports", "plug_bridge", "unplug_bridge",
     "create_network:port_security_enabled", "update_network:port_security_enabled"): MEMBERS,
    tuple(f"{verb}_router:external_gateway_info{part}" for verb in ("create", "update") for part in (
        "", ":network_id")): MEMBERS,
    tuple(f"{verb}_{name}" for verb in ("create", "update") for name in (
        "network:shared", "network:router:external", "network:is_default", "network:isolated",
        "subnet:service_types", "subnetpool:shared", "subnetpool:is_default",
        "router:external_gateway_info:enable_snat", "router:external_gateway_info:external_fixed_ips",
        "address_scope:shared", "address_group:shared", "policy:shared", "security_group:shared",
        "rbac_policy:target_tenant", "rbac_policy:target_project")): ADMIN,
    tuple(f"{verb}_network:provider:{name}" for verb in ("create", "get") for name in (
        "network_type", "physical_network", "segmentation_id")): ADMIN,
    ("get_segment", "update_segment", "get_agent", "update_agent", "delete_agent", "get_quotas", "update_quota",
     "delete_quota", "create_default_security_group_rule", "delete_default_security_group_rule"): ADMIN,
    ("plug", "unplug", "create_vif", "delete_vif", "get_port_binding", "create_port_binding", "delete_port_binding",
     "activate", "get_hypervisor", "get_network_ip_availability"): OPERATORS,
    tuple(f"{verb}_port:binding:{name}" for verb in ("create", "update", "get") for name in (
        "host_id", "profile")): OPERATORS,
    ("get_port:binding:vif_type", "get_port:binding:vif_details", "get_vif:host", "get_vif:interface", "get_vif:source",
     "get_vif:refusal"): OPERATORS,
    ("create_port", "update_port", "create_port:tags", "update_port:tags", "delete_port:tags"): PORT_MEMBERS,
    tuple(f"{verb}_port:{name}" for verb in ("create", "update") for name in (
        "device_id", "binding:vnic_type")): PORT_MEMBERS,
    ("delete_port",): [*PORT_MEMBERS, "network"],
    tuple(f"{verb}_port:{name}" for verb in ("create", "update") for name in (
        "device_owner", "mac_address", "port_security_enabled", "fixed_ips:ip_address", "allowed_address_pairs",
        "allowed_address_pairs:ip_address", "allowed_address_pairs:mac_address")): ON_NETWORK,
    ("attach_subnet:ip_address",): ON_NETWORK,
    tuple(f"{verb}_port:{name}" for verb in ("create", "update") for name in (
        "fixed_ips", "fixed_ips:subnet_id")): list(SITUATIONS),
    ("create_subnet",): ["admin", "network"],
    ("update_subnet", "delete_subnet"): [*MEMBERS, "network"],
    ("create_security_group_rule",): ["admin", "group"],
    ("delete_security_group_rule",): [*MEMBERS, "group"],
    ("delete_auto_allocated_topology",): MEMBERS,
    ("get_network_statistics", "get_auto_allocated_topology"): [*MEMBERS, "service", "reader"],
    tuple(f"get_{member}" for member in (
        "network", "floatingip", "subnetpool", "address_scope", "address_group", "rbac_policy", "router", "route",
        "trunk", "bridge", "security_group", "policy")): [*MEMBERS, "service", "reader"],
    ("get_subnet", "get_port", "get_vif"): [*MEMBERS, "service", "reader", "network", "network reader"],
    ("get_security_group_rule",): [*MEMBERS, "service", "reader", "group"],
    ("get_default_security_group_rule", "get_statistic", "get_rule_type", "get_availability_zone"): list(SITUATIONS),
    tuple(f"get_{of}_{kind}_rule" for of in ("policy", "alias") for kind in QOS_KINDS): list(SITUATIONS),
    ("get_subports",): [*MEMBERS, "service", "reader"],
    ("get_quota",): [*MEMBERS, "reader", "nobody"],
    tuple(f"{verb}_policy" for verb in ("create", "update", "delete")): ["admin", "manager"],
    tuple(f"{verb}_policy_{kind}_rule" for verb in ("create", "update", "delete") for kind in QOS_KINDS): [
        "admin", "parent"],
}
"""Which of SITUATIONS may, by default; what is not here is what rules are made of."""


def test_every_default_by_role() -> None:
    rules = policy_rules.defaults()
    expected = {name: sorted(who) for names, who in EXPECTED.items() for name in names}
    found = {name: sorted(who for who, (project, role) in SITUATIONS.items() if rules.allow(
        name, TARGET, policy.credentials(project, "u", [role], []))) for name in rules.texts
        if name not in policy_rules.BASE}
    assert found == expected


def test_what_no_rule_is_about_nobody_may() -> None:
    admin = Context("far", "u", frozenset(("admin",)), rules=policy_rules.defaults())
    assert not admin.may("create_castle")
    with pytest.raises(PolicyNotAuthorized, match=r"^rule:create_castle is disallowed by policy: there is no"):
        require(admin, "create_castle", TARGET)
    assert not Context("far", "u", frozenset(("admin",))).may("create_network")


def test_roles_that_no_rule_names_are_nobody_s() -> None:
    def of(*roles: str) -> Context:
        return Context("home", "u", frozenset(roles), rules=policy_rules.defaults())

    assert [of(role).is_somebody for role in ("admin", "Manager", "member", "reader", "service", "gardener", "")] == [
        True, True, True, True, True, False, False]
    assert not of().is_somebody


def test_attributes_have_rules_of_their_own() -> None:
    """What a client does not say, or says as it is, is not asked about."""
    member = Context("home", "u", frozenset(("member",)), rules=policy.compiled({
        "create_thing": "", "create_thing:name": "role:admin", "create_thing:fixed_ips:ip_address": "role:admin",
        "create_thing:binding:host_id": "role:admin"}))
    for said, refused in (({"name": ""}, None), ({"name": "x"}, "create_thing:name"), ({"other": "x"}, None),
                          ({"fixed_ips": [{"subnet_id": "s"}]}, None), ({"fixed_ips": None}, None),
                          ({"fixed_ips": [{"subnet_id": "s"}, {"ip_address": "192.0.2.1"}]},
                           "create_thing:fixed_ips:ip_address"),
                          ({"binding:host_id": "hv1"}, "create_thing:binding:host_id"),
                          ({"binding:host_id": ""}, None)):
        if refused is None:
            require_new(member, said, "create_thing")
            continue
        with pytest.raises(PolicyNotAuthorized, match=f"^rule:{refused} is disallowed by policy: it takes role:admin"):
            require_new(member, said, "create_thing")


def test_what_a_rule_needs() -> None:
    usual = {"x": "rule:y or role:a", "y": "project_id:%(project_id)s", "z": "role:a"}
    rules = policy.compiled(usual)
    assert (rules.looking, rules.changed) == ({"x", "y"}, set())
    rules = policy.compiled({**usual, "y": "role:b", "own": "rule:x"}, usual)
    assert (rules.looking, rules.changed) == (set(), {"x", "y", "own"})


def test_the_tools_of_oslo_policy_list_every_default() -> None:
    listed = policy_rules.listed()
    assert {rule.name: rule.check_str for rule in listed} == policy_rules.texts()
    for rule in listed:
        if isinstance(rule, oslo.DocumentedRuleDefault):
            assert rule.description and rule.operations and all(
                place["path"].startswith("/v2.0/") for place in rule.operations), rule.name
