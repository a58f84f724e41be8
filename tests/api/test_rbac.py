"""RBAC policies: an owner lets another project use his object, and sees who may; nobody else learns of it."""
from __future__ import annotations

from typing import Any

import pytest

from naas_sdn.db.rbac_rows import RbacPolicyRow
from tests.api.wire import GONE, Answer, Wire
from tests.support.statements import statements

PATHS = {"network": "networks", "qos_policy": "qos/policies", "subnetpool": "subnetpools",
         "address_scope": "address_scopes", "address_group": "address_groups"}


def grant(wire: Wire, kind: str, identifier: str, target: str = "bob", who: str = "alice", **more: Any) -> Answer:
    body = {"object_type": kind, "object_id": identifier, "action": "access_as_shared", "target_tenant": target}
    return wire.ask("POST", "rbac-policies", {"rbac_policy": {**body, **more}}, who=who)


def granted(wire: Wire, *what: str, who: str = "alice") -> str:
    answer = grant(wire, *what, who=who)
    assert answer.status == 201, answer.body
    return str(answer.body["rbac_policy"]["id"])


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error


def things(wire: Wire) -> dict[str, str]:
    """One of each type of Alice's."""
    made = {"network": wire.network(), "qos_policy": wire.make("qos/policies", "admin", project_id="alice"),
            "subnetpool": wire.make("subnetpools", name="p", prefixes=["10.0.0.0/16"], default_prefixlen=24),
            "address_scope": wire.make("address_scopes", ip_version=4),
            "address_group": wire.make("address_groups", addresses=["192.0.2.0/24"])}
    return {kind: item["id"] for kind, item in made.items()}


def ids(wire: Wire, path: str, who: str) -> list[str]:
    return [item["id"] for item in next(iter(wire.ask("GET", path, who=who).body.values()))]


@pytest.mark.parametrize("kind", PATHS)
def test_what_is_granted_is_seen_by_its_target_alone_until_it_is_taken_back(wire: Wire, kind: str) -> None:
    path, identifier = PATHS[kind], things(wire)[kind]
    missing = refused(wire.ask("GET", f"{path}/{GONE}", who="bob"))
    assert refused(wire.ask("GET", f"{path}/{identifier}", who="bob")) == missing
    policy = granted(wire, kind, identifier)
    shown = next(iter(wire.ask("GET", f"{path}/{identifier}", who="bob").body.values()))
    assert shown["shared"] is True
    assert ids(wire, path, "bob") == ids(wire, f"{path}?shared=True", "bob") == [identifier]
    assert ids(wire, f"{path}?shared=False", "bob") == []
    # Whom it is shared with is his who shares it.
    assert next(iter(wire.ask("GET", f"{path}/{identifier}").body.values()))["shared"] is False
    assert ids(wire, f"{path}?shared=True", "alice") == []
    assert refused(wire.ask("GET", f"{path}/{identifier}", who="carol")) == missing
    assert ids(wire, path, "carol") == []
    member = next(iter(wire.ask("GET", f"{path}/{identifier}").body))
    for method, body in (("PUT", {member: {"name": "mine"}}), ("DELETE", None)):
        assert wire.ask(method, f"{path}/{identifier}", body, who="bob").status == 403
    assert wire.ask("DELETE", f"rbac-policies/{policy}").status == 204
    assert refused(wire.ask("GET", f"{path}/{identifier}", who="bob")) == missing
    assert ids(wire, path, "bob") == []


@pytest.mark.parametrize("kind", PATHS)
def test_shared_is_a_policy_for_everybody(wire: Wire, kind: str) -> None:
    path, identifier = PATHS[kind], things(wire)[kind]
    assert refused(grant(wire, kind, identifier, "*")) == (403, "PolicyNotAuthorized")
    policy = granted(wire, kind, identifier, "*", who="admin")
    for who in ("alice", "carol", "admin"):
        assert next(iter(wire.ask("GET", f"{path}/{identifier}", who=who).body.values()))["shared"] is True
    member = next(iter(wire.ask("GET", f"{path}/{identifier}").body))
    assert wire.ask("DELETE", f"rbac-policies/{policy}", who="admin").status == 204
    assert wire.ask("GET", f"{path}/{identifier}", who="carol").status == 404
    if kind not in ("subnetpool", "address_group"):
        # Neutron shares pools when they are made, or by policy.
        assert wire.ask("PUT", f"{path}/{identifier}", {member: {"shared": True}}).status == 403
        changed = wire.ask("PUT", f"{path}/{identifier}", {member: {"shared": True}}, who="admin")
        assert changed.body[member]["shared"] is True
        made = wire.ask("GET", f"rbac-policies?object_id={identifier}").body["rbac_policies"]
        assert [(item["target_tenant"], item["project_id"]) for item in made] == [("*", "alice")]
    if kind in ("network", "qos_policy"):
        changed = wire.ask("PUT", f"{path}/{identifier}", {member: {"shared": False}}, who="admin")
        assert changed.body[member]["shared"] is False
        assert wire.ask("GET", f"rbac-policies?object_id={identifier}").body == {"rbac_policies": []}


def test_a_policy_is_its_owner_s(wire: Wire) -> None:
    network = things(wire)["network"]
    policy = granted(wire, "network", network)
    shown = wire.ask("GET", f"rbac-policies/{policy}").body["rbac_policy"]
    assert shown == {"id": policy, "project_id": "alice", "tenant_id": "alice", "object_type": "network",
                     "object_id": network, "action": "access_as_shared", "target_tenant": "bob"}
    assert wire.ask("GET", f"rbac_policies?object_id={network}&object_type=network").body["rbac_policies"] == [shown]
    before = wire.dump()
    for who in ("bob", "carol"):
        assert wire.ask("GET", "rbac-policies", who=who).body == {"rbac_policies": []}
        for method, body in (("GET", None), ("DELETE", None), ("PUT", {"rbac_policy": {"target_tenant": who}})):
            answer = wire.ask(method, f"rbac-policies/{policy}", body, who=who)
            nothing = wire.ask(method, f"rbac-policies/{GONE}", body, who=who)
            assert refused(answer) == refused(nothing) == (404, "RbacPolicyNotFound")
    for method, body in (("DELETE", None), ("PUT", {"rbac_policy": {"target_tenant": "carol"}})):
        assert wire.ask(method, f"rbac-policies/{policy}", body, who="reader").status == 403
    assert grant(wire, "network", network, who="reader").status == 403
    assert wire.dump() == before


def test_what_is_not_one_s_own_cannot_be_granted_on(wire: Wire) -> None:
    made = things(wire)
    before = wire.dump()
    for kind, identifier in made.items():
        answer, nothing = (grant(wire, kind, i, "carol", who="bob") for i in (identifier, GONE))
        assert refused(answer) == refused(nothing) == (400, "InvalidInput")
        assert answer.message.replace(identifier, GONE) == nothing.message
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"object_type": "router"}, "InvalidInput"),
        ({"object_type": "qos_policy", "action": "access_as_external"}, "InvalidActionForType"),
        ({"object_type": "subnetpool"}, "InvalidInput"), ({"action": ""}, "InvalidActionForType"),
        ({"target_tenant": ""}, "HTTPBadRequest"), ({"target_tenant": None}, "HTTPBadRequest"),
        ({"target_tenant": "x" * 256}, "HTTPBadRequest"), ({"object_id": "x"}, "HTTPBadRequest"),
        ({"name": "x"}, "HTTPBadRequest"), ({"project_id": "bob"}, "HTTPBadRequest")]
    for more, error in wrong:
        assert refused(grant(wire, "network", made["network"], **more)) == (400, error), more
    assert wire.dump() == before
    granted(wire, "network", made["network"])
    assert refused(grant(wire, "network", made["network"], "carol", who="bob")) == (400, "InvalidInput")
    assert refused(grant(wire, "network", made["network"])) == (409, "DuplicateRbacPolicy")
    assert refused(grant(wire, "network", made["network"], who="admin")) == (409, "DuplicateRbacPolicy")


def test_an_operator_s_policy_of_somebody_else_s_object_is_not_the_project_s_to_turn(wire: Wire) -> None:
    network = things(wire)["network"]
    policy = grant(wire, "network", network, "carol", who="admin", project_id="bob").body["rbac_policy"]["id"]
    before = wire.dump()
    answer = wire.ask("PUT", f"rbac-policies/{policy}", {"rbac_policy": {"target_tenant": "bob"}}, who="bob")
    assert refused(answer) == (400, "InvalidInput")
    assert wire.dump() == before


def test_another_target_is_checked_as_a_new_policy_and_the_old_as_a_deleted_one(wire: Wire) -> None:
    network = things(wire)["network"]
    policy, other = granted(wire, "network", network), granted(wire, "network", network, "dave")

    def turn(target: str, who: str = "alice") -> Answer:
        return wire.ask("PUT", f"rbac-policies/{policy}", {"rbac_policy": {"target_tenant": target}}, who=who)

    assert refused(turn("*")) == (403, "PolicyNotAuthorized")
    assert refused(turn("dave")) == (409, "DuplicateRbacPolicy")
    for name in ("object_type", "object_id", "action"):
        assert wire.ask("PUT", f"rbac-policies/{policy}", {"rbac_policy": {name: "x"}}).status == 400
    assert turn("carol").body["rbac_policy"]["target_tenant"] == "carol"
    assert wire.ask("GET", f"networks/{network}", who="bob").status == 404
    wire.make("ports", "carol", network_id=network)
    assert refused(turn("bob")) == (409, "RbacPolicyInUse")
    assert turn("carol").status == 200
    assert turn("*", "admin").status == 409
    assert wire.ask("DELETE", f"rbac-policies/{other}").status == 204


def test_a_network_granted_is_used_as_a_shared_one(wire: Wire) -> None:
    network = wire.network()
    policy = granted(wire, "network", network["id"])
    assert [item["id"] for item in wire.ask("GET", "subnets?shared=True", who="bob").body["subnets"]] == (
        network["subnets"])
    assert ids(wire, "subnets?shared=True", "alice") == []
    port = wire.make("ports", "bob", network_id=network["id"])
    assert ids(wire, "ports", "alice") == [port["id"]]
    refusals = [{"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.0.0.77"}]}},
                {"port": {"network_id": network["id"], "device_owner": "network:dhcp"}}]
    for body in refusals:
        assert wire.ask("POST", "ports", body, who="bob").status == 403
    assert wire.ask("POST", "ports", {"port": {"network_id": network["id"]}}, who="carol").status == 404
    assert refused(wire.ask("DELETE", f"rbac-policies/{policy}")) == (409, "RbacPolicyInUse")
    # As long as everybody may use it, the single policy is not needed, and the other way round.
    everybody = granted(wire, "network", network["id"], "*", who="admin")
    assert wire.ask("DELETE", f"rbac-policies/{policy}").status == 204
    assert refused(wire.ask("DELETE", f"rbac-policies/{everybody}", who="admin")) == (409, "RbacPolicyInUse")
    unshared = wire.ask("PUT", f"networks/{network['id']}", {"network": {"shared": False}}, who="admin")
    assert refused(unshared) == (409, "InvalidSharedSetting")
    granted(wire, "network", network["id"])
    assert wire.ask("PUT", f"networks/{network['id']}", {"network": {"shared": False}}, who="admin").status == 200
    assert wire.ask("DELETE", f"ports/{port['id']}", who="bob").status == 204


def test_one_s_own_use_needs_no_policy(wire: Wire) -> None:
    network = things(wire)["network"]
    policy = granted(wire, "network", network, "alice")
    assert wire.ask("GET", f"networks/{network}").body["network"]["shared"] is True
    wire.make("ports", network_id=network)
    assert wire.ask("DELETE", f"rbac-policies/{policy}").status == 204


def test_a_qos_policy_granted_is_put_on_ports_and_networks(wire: Wire) -> None:
    made = things(wire)
    own = wire.network("10.7.0.0/24", "bob")
    port = wire.make("ports", "bob", network_id=own["id"])
    wanted = {"qos_policy_id": made["qos_policy"]}
    assert wire.ask("PUT", f"ports/{port['id']}", {"port": wanted}, who="bob").status == 404
    policy = granted(wire, "qos_policy", made["qos_policy"])
    rules = f"qos/policies/{made['qos_policy']}/bandwidth_limit_rules"
    made_rule = wire.ask("POST", rules, {"bandwidth_limit_rule": {"max_kbps": 1000}}, who="admin")
    rule = made_rule.body["bandwidth_limit_rule"]["id"]
    assert ids(wire, rules, "bob") == ids(wire, "qos/alias-bandwidth-limit-rules", "bob") == [rule]
    assert wire.ask("DELETE", f"{rules}/{rule}", who="bob").status == 403
    for path, member in ((f"ports/{port['id']}", "port"), (f"networks/{own['id']}", "network")):
        assert wire.ask("PUT", path, {member: wanted}, who="bob").status == 200
        assert refused(wire.ask("DELETE", f"rbac-policies/{policy}")) == (409, "RbacPolicyInUse")
        assert wire.ask("PUT", path, {member: {"qos_policy_id": None}}, who="bob").status == 200
    assert wire.ask("DELETE", f"rbac-policies/{policy}").status == 204


def test_a_pool_granted_gives_subnets_and_its_scope_must_be_granted_first(wire: Wire) -> None:
    made = things(wire)
    pool, scope = made["subnetpool"], made["address_scope"]
    network = wire.make("networks", "bob")["id"]

    def cut() -> Answer:
        return wire.ask("POST", "subnets", {"subnet": {"network_id": network, "ip_version": 4, "subnetpool_id": pool}},
                        who="bob")

    assert cut().status == 404
    wire.ask("PUT", f"subnetpools/{pool}", {"subnetpool": {"address_scope_id": scope}})
    unscoped = (400, "IllegalSubnetPoolAssociationToAddressScope")
    assert refused(grant(wire, "subnetpool", pool)) == unscoped
    assert wire.ask("GET", f"subnetpools/{pool}", who="bob").status == 404
    of_scope = granted(wire, "address_scope", scope)
    of_pool = granted(wire, "subnetpool", pool)
    subnet = cut()
    assert subnet.status == 201
    assert refused(wire.ask("DELETE", f"rbac-policies/{of_pool}")) == (409, "RbacPolicyInUse")
    assert wire.ask("DELETE", f"subnets/{subnet.body['subnet']['id']}", who="bob").status == 204
    for policy in (of_pool, of_scope):
        assert wire.ask("DELETE", f"rbac-policies/{policy}").status == 204
    wire.ask("PUT", f"subnetpools/{pool}", {"subnetpool": {"address_scope_id": None}})
    granted(wire, "subnetpool", pool)
    answer = wire.ask("PUT", f"subnetpools/{pool}", {"subnetpool": {"address_scope_id": scope}})
    assert refused(answer) == unscoped


def test_a_scope_granted_takes_pools(wire: Wire) -> None:
    scope = things(wire)["address_scope"]
    wanted = {"subnetpool": {"name": "p", "prefixes": ["10.9.0.0/16"], "address_scope_id": scope}}
    assert refused(wire.ask("POST", "subnetpools", wanted, who="bob")) == (404, "AddressScopeNotFound")
    of_another = {"subnetpool": {**wanted["subnetpool"], "project_id": "carol"}}
    policy = granted(wire, "address_scope", scope)
    assert refused(wire.ask("POST", "subnetpools", of_another, who="admin")) == (
        400, "IllegalSubnetPoolAssociationToAddressScope")
    pool = wire.ask("POST", "subnetpools", wanted, who="bob").body["subnetpool"]["id"]
    assert refused(wire.ask("DELETE", f"rbac-policies/{policy}")) == (409, "RbacPolicyInUse")
    assert wire.ask("DELETE", f"subnetpools/{pool}", who="bob").status == 204
    assert wire.ask("DELETE", f"rbac-policies/{policy}").status == 204


def test_a_security_group_granted_is_put_on_ports_and_named_by_rules(wire: Wire) -> None:
    group = wire.make("security_groups", name="web")["id"]
    default = ids(wire, "security-groups", "bob")
    assert ids(wire, "security-groups?shared=True", "bob") == []
    network = wire.network("10.7.0.0/24", "bob")["id"]
    missing = (404, "SecurityGroupNotFound")
    new = {"port": {"network_id": network, "security_groups": [group]}}
    rule = {"security_group_rule": {"security_group_id": default[0], "direction": "ingress", "remote_group_id": group}}
    foreign = {"security_group_rule": {"security_group_id": group, "direction": "ingress"}}
    assert refused(wire.ask("POST", "ports", new, who="bob")) == missing
    assert refused(wire.ask("POST", "security-group-rules", rule, who="bob")) == missing
    assert refused(wire.ask("POST", "security-group-rules", foreign, who="bob")) == missing
    policy = granted(wire, "security_group", group)
    assert ids(wire, "security-groups?shared=True", "bob") == [group]
    assert ids(wire, "security-groups?shared=False", "bob") == default
    shown = wire.ask("GET", f"security-groups/{group}", who="bob").body["security_group"]
    assert shown["shared"] is True
    held = [item["id"] for item in shown["security_group_rules"]]
    assert set(ids(wire, f"security-group-rules?security_group_id={group}", "bob")) == set(held)
    before = wire.dump()
    for answer in (wire.ask("PUT", f"security-groups/{group}", {"security_group": {"name": "x"}}, who="bob"),
                   wire.ask("DELETE", f"security-groups/{group}", who="bob"),
                   wire.ask("DELETE", f"security-group-rules/{held[0]}", who="bob"),
                   wire.ask("POST", "security-group-rules", foreign, who="bob")):
        assert refused(answer) == (403, "PolicyNotAuthorized")
    assert wire.dump() == before
    assert refused(wire.ask("GET", f"security-groups/{group}", who="carol")) == missing
    port = wire.ask("POST", "ports", new, who="bob").body["port"]["id"]
    assert refused(wire.ask("DELETE", f"rbac-policies/{policy}")) == (409, "RbacPolicyInUse")
    assert wire.ask("DELETE", f"ports/{port}", who="bob").status == 204
    named = wire.ask("POST", "security-group-rules", rule, who="bob").body["security_group_rule"]["id"]
    assert refused(wire.ask("DELETE", f"rbac-policies/{policy}")) == (409, "RbacPolicyInUse")
    assert wire.ask("DELETE", f"security-group-rules/{named}", who="bob").status == 204
    # Its owner's own ports stand on no policy.
    wire.make("ports", network_id=wire.network()["id"], security_groups=[group])
    assert wire.ask("DELETE", f"rbac-policies/{policy}").status == 204
    assert refused(wire.ask("POST", "ports", new, who="bob")) == missing


def test_an_address_group_granted_is_named_by_rules(wire: Wire) -> None:
    group = things(wire)["address_group"]
    own = wire.make("security_groups", "bob", name="web")["id"]
    rule = {"security_group_rule": {"security_group_id": own, "direction": "ingress", "remote_address_group_id": group}}
    assert refused(wire.ask("POST", "security-group-rules", rule, who="bob")) == (404, "AddressGroupNotFound")
    policy = granted(wire, "address_group", group)
    changed = wire.ask("PUT", f"address-groups/{group}/add_addresses", {"addresses": ["10.0.0.0/8"]})
    assert changed.body["address_group"]["shared"] is False
    named = wire.ask("POST", "security-group-rules", rule, who="bob").body["security_group_rule"]["id"]
    assert refused(wire.ask("DELETE", f"rbac-policies/{policy}")) == (409, "RbacPolicyInUse")
    assert wire.ask("DELETE", f"security-group-rules/{named}", who="bob").status == 204
    assert wire.ask("DELETE", f"rbac-policies/{policy}").status == 204


def test_policies_end_with_their_object_and_are_revisions_of_it(wire: Wire) -> None:
    made = things(wire)
    before = wire.ask("GET", f"networks/{made['network']}").body["network"]["revision_number"]
    policies = [granted(wire, kind, identifier) for kind, identifier in made.items()]
    after = wire.ask("GET", f"networks/{made['network']}").body["network"]["revision_number"]
    assert after == before + 1
    for kind, identifier in made.items():
        assert wire.ask("DELETE", f"{PATHS[kind]}/{identifier}", who="admin").status == 204
    assert [wire.ask("GET", f"rbac-policies/{policy}").status for policy in policies] == [404] * len(made)
    with wire.database.read() as session:
        assert session.query(RbacPolicyRow).count() == 0


def test_how_many_policies_a_project_may_have(wire: Wire) -> None:
    network = things(wire)["network"]
    for number in range(10):
        granted(wire, "network", network, f"p{number}")
    before = wire.dump()
    assert refused(grant(wire, "network", network, "p10")) == (409, "OverQuota")
    assert wire.dump() == before


@pytest.mark.parametrize("kind", PATHS)
def test_lists_cost_the_same_statements_and_read_no_others_policies(wire: Wire, kind: str) -> None:
    wire.token("bob")

    def cost() -> int:
        with statements() as heard:
            wire.ask("GET", PATHS[kind], who="bob")
        return len(heard)

    first = things(wire)[kind]
    granted(wire, kind, first)
    few = cost()
    for _ in range(3):
        identifier = wire.make(PATHS[kind], "admin", project_id="alice", **{
            "subnetpool": {"name": "p", "prefixes": ["10.0.0.0/16"]}, "address_scope": {"ip_version": 4}}.get(kind, {}))
        granted(wire, kind, identifier["id"])
        granted(wire, kind, identifier["id"], "carol")
    assert cost() == few
    with statements() as heard:
        wire.ask("GET", PATHS[kind], who="bob")
    [listed] = [statement for statement in heard if "rbac_policies.target_tenant IN" in statement
                and "project_id" in statement]
    with wire.database.read() as session:
        if session.get_bind().dialect.name != "sqlite":
            # PostgreSQL reads so small a table whole, whatever indexes it has.
            return
        plan = [row[3] for row in session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {listed}", ("",) * listed.count("?")).all()]
    assert any("ix_rbac_policies_target (target_tenant=?" in step for step in plan), plan
    assert not any(step.startswith("SCAN") and "CONSTANT" not in step for step in plan), plan
