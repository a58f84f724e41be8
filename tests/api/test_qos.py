"""QoS policies and rules of every type: shapes, conflicts, who sees and changes them, what is enforced."""
from __future__ import annotations

from typing import Any

import pytest

from naas_sdn.db.counters import Metric, Reading, book
from naas_sdn.db.load import load
from naas_sdn.model.store import Key
from naas_sdn.model.values import QosPolicy, RateLimit
from naas_sdn.service.qos_kinds import KINDS, Kind
from tests.api.wire import GONE, Answer, Wire

KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
VALUE = {"bandwidth_limit": 1000, "dscp_marking": 26, "minimum_bandwidth": 100, "minimum_packet_rate": 2,
         "packet_rate_limit": 3}
OTHER = {"bandwidth_limit": 2000, "dscp_marking": 46, "minimum_bandwidth": 0, "minimum_packet_rate": 0,
         "packet_rate_limit": 4}


def post(wire: Wire, policy: dict[str, Any], kind: Kind, who: str = "admin", **attributes: Any) -> Answer:
    body = {kind.value: VALUE[kind.name], **attributes}
    return wire.ask("POST", f"qos/policies/{policy['id']}/{kind.member}s", {kind.member: body}, who=who)


def rules(wire: Wire, policy: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = wire.ask("GET", f"qos/policies/{policy['id']}", who="admin").body["policy"]["rules"]
    return found


def test_qos_policies_and_their_rules(wire: Wire) -> None:
    policy = wire.make("qos/policies", "admin", name="slow", shared=True)
    path = f"qos/policies/{policy['id']}/bandwidth_limit_rules"
    rule = wire.ask("POST", path, {"bandwidth_limit_rule": {"max_kbps": "1000"}}, who="admin")
    assert rule.status == 201
    made = rule.body["bandwidth_limit_rule"]
    assert (made["max_kbps"], made["max_burst_kbps"], made["direction"]) == (1000, 0, "egress")
    again = wire.ask("POST", path, {"bandwidth_limit_rule": {"max_kbps": 1}}, who="admin")
    assert (again.status, again.error) == (409, "QoSRulesConflict")
    other = wire.make("qos/policies", "admin")
    astray = f"qos/policies/{other['id']}/bandwidth_limit_rules/{made['id']}"
    for method, body in (("GET", None), ("PUT", {"bandwidth_limit_rule": {"max_kbps": 5}}), ("DELETE", None)):
        assert wire.ask(method, astray, body, who="admin").status == 404
    port = wire.make("ports", network_id=wire.network()["id"], qos_policy_id=policy["id"])
    assert port["qos_policy_id"] == policy["id"]
    assert wire.ask("DELETE", f"qos/policies/{policy['id']}", who="admin").error == "QosPolicyInUse"
    assert wire.ask("PUT", f"ports/{port['id']}", {"port": {"qos_policy_id": None}}).status == 200
    assert wire.ask("DELETE", f"{path}/{made['id']}", who="admin").status == 204
    assert wire.ask("DELETE", f"qos/policies/{policy['id']}", who="admin").status == 204


def test_a_rule_by_its_own_id(wire: Wire) -> None:
    """Seen and changed as through its policy, by nobody else."""
    policy = wire.make("qos/policies", "admin")
    rule = wire.ask("POST", f"qos/policies/{policy['id']}/bandwidth_limit_rules",
                    {"bandwidth_limit_rule": {"max_kbps": 1000}}, who="admin").body["bandwidth_limit_rule"]
    for path in (f"qos/alias_bandwidth_limit_rules/{rule['id']}", f"qos/alias-bandwidth-limit-rules/{rule['id']}"):
        assert wire.ask("GET", path, who="admin").body == {"alias_bandwidth_limit_rule": rule}
        change = {"alias_bandwidth_limit_rule": {"max_kbps": 2000}}
        for method, body in (("GET", None), ("PUT", change), ("DELETE", None)):
            answer = wire.ask(method, path, body)
            assert (answer.status, answer.error) == (404, "QosRuleNotFound")
    assert wire.ask("PUT", path, change, who="admin").body == {"alias_bandwidth_limit_rule": {**rule, "max_kbps": 2000}}
    shown = wire.ask("GET", f"qos/policies/{policy['id']}", who="admin").body["policy"]
    assert [item["max_kbps"] for item in shown["rules"]] == [2000]
    assert shown["revision_number"] > policy["revision_number"]
    assert wire.ask("GET", "qos/alias_bandwidth_limit_rules").body == {"alias_bandwidth_limit_rules": []}
    assert wire.ask("DELETE", path, who="admin").status == 204
    assert wire.ask("GET", f"qos/policies/{policy['id']}", who="admin").body["policy"]["rules"] == []


@KIND
def test_rules_of_every_type(wire: Wire, kind: Kind) -> None:
    policy = wire.make("qos/policies", "admin")
    value = VALUE[kind.name]
    answer = post(wire, policy, kind, **{kind.value: str(value)})
    assert answer.status == 201
    made = answer.body[kind.member]
    assert made == {"id": made["id"], kind.value: value, **({kind.burst: 0} if kind.burst else {}),
                    **({"direction": "egress"} if kind.directions else {})}
    assert rules(wire, policy) == [{**made, "type": kind.name, "qos_policy_id": policy["id"]}]
    url = f"qos/policies/{policy['id']}/{kind.member}s"
    for path, member in ((f"{url}/{made['id']}", kind.member),
                         (f"qos/alias_{kind.member}s/{made['id']}", f"alias_{kind.member}"),
                         (f"qos/alias-{kind.member.replace('_', '-')}s/{made['id']}", f"alias_{kind.member}")):
        assert wire.ask("GET", path, who="admin").body == {member: made}
        for new in (OTHER[kind.name], value):
            changed = wire.ask("PUT", path, {member: {kind.value: new}}, who="admin")
            assert (changed.status, changed.body) == (200, {member: {**made, kind.value: new}})
    for listed in (url, f"qos/alias_{kind.member}s"):
        for query, number in (("", 1), (f"?{kind.value}={value}", 1), (f"?{kind.value}={OTHER[kind.name]}", 0)):
            [found] = wire.ask("GET", listed + query, who="admin").body.values()
            assert found == [made][:number]
    for other in KINDS.values():
        if other is not kind:
            for path in (f"qos/policies/{policy['id']}/{other.member}s", f"qos/alias_{other.member}s"):
                assert [*wire.ask("GET", path, who="admin").body.values()] == [[]]
                assert wire.ask("GET", f"{path}/{made['id']}", who="admin").error == "QosRuleNotFound"
                assert wire.ask("DELETE", f"{path}/{made['id']}", who="admin").error == "QosRuleNotFound"
    assert wire.ask("POST", f"qos/alias_{kind.member}s", {f"alias_{kind.member}": {kind.value: 1}},
                    who="admin").status == 405
    assert wire.ask("DELETE", f"{url}/{made['id']}", who="admin").status == 204
    assert rules(wire, policy) == []


@KIND
def test_one_rule_of_a_type_and_direction(wire: Wire, kind: Kind) -> None:
    policy = wire.make("qos/policies", "admin")
    first = post(wire, policy, kind).body[kind.member]
    before = wire.dump()
    assert (post(wire, policy, kind).status, post(wire, policy, kind).error) == (409, "QoSRulesConflict")
    assert wire.dump() == before
    if kind.directions:
        second = post(wire, policy, kind, direction="ingress")
        assert second.status == 201
        path = f"qos/policies/{policy['id']}/{kind.member}s/{first['id']}"
        before = wire.dump()
        turned = wire.ask("PUT", path, {kind.member: {"direction": "ingress"}}, who="admin")
        assert (turned.status, turned.error) == (409, "QoSRulesConflict")
        assert wire.dump() == before


def test_any_direction_is_both(wire: Wire) -> None:
    policy, kind = wire.make("qos/policies", "admin"), KINDS["minimum_packet_rate"]
    assert post(wire, policy, kind, direction="any").status == 201
    for direction in kind.directions:
        assert post(wire, policy, kind, direction=direction).error == "QoSRulesConflict"


@pytest.mark.parametrize(("most", "least"), [("bandwidth_limit", "minimum_bandwidth"),
                                             ("packet_rate_limit", "minimum_packet_rate")])
def test_a_minimum_is_at_most_the_limit(wire: Wire, most: str, least: str) -> None:
    high, low = KINDS[most], KINDS[least]
    policy = wire.make("qos/policies", "admin")
    limit = post(wire, policy, high, **{high.value: 5}).body[high.member]
    before = wire.dump()
    refused = post(wire, policy, low, **{low.value: 6})
    assert (refused.status, refused.error) == (409, "QoSRuleParameterConflict")
    assert wire.dump() == before
    assert post(wire, policy, low, direction="ingress", **{low.value: 6}).status == 201
    assert post(wire, policy, low, **{low.value: 5}).status == 201
    before = wire.dump()
    path = f"qos/policies/{policy['id']}/{high.member}s/{limit['id']}"
    refused = wire.ask("PUT", path, {high.member: {high.value: 4}}, who="admin")
    assert (refused.status, refused.error) == (409, "QoSRuleParameterConflict")
    assert wire.dump() == before


@KIND
@pytest.mark.parametrize("wrong", [None, -1, 2**31, "x", True, 1.5, [], {}, ""])
def test_values_that_no_rule_has(wire: Wire, kind: Kind, wrong: Any) -> None:
    policy = wire.make("qos/policies", "admin")
    before = wire.dump()
    assert post(wire, policy, kind, **{kind.value: wrong}).status == 400
    if kind.directions:
        assert post(wire, policy, kind, direction=wrong).status == 400
        assert post(wire, policy, kind, direction="sideways").status == 400
    assert wire.dump() == before


def test_marks_are_the_known_ones(wire: Wire) -> None:
    policy = wire.make("qos/policies", "admin")
    assert post(wire, policy, KINDS["dscp_marking"], dscp_mark=1).status == 400
    assert post(wire, policy, KINDS["dscp_marking"], direction="egress").status == 400


@KIND
def test_rules_are_their_policy_s_owner_s(wire: Wire, kind: Kind) -> None:
    """Others see those of shared policies, and change none."""
    hidden, shared = (wire.make("qos/policies", "admin", shared=share) for share in (False, True))
    before = {}
    for policy, status in ((hidden, 404), (shared, 403)):
        made = post(wire, policy, kind).body[kind.member]
        before[policy["id"]] = made
        assert post(wire, policy, kind, "alice").status == status
        for path, member in ((f"qos/policies/{policy['id']}/{kind.member}s/{made['id']}", kind.member),
                             (f"qos/alias_{kind.member}s/{made['id']}", f"alias_{kind.member}")):
            assert wire.ask("GET", path).status == (404 if status == 404 else 200)
            assert wire.ask("PUT", path, {member: {kind.value: OTHER[kind.name]}}).status == status
            assert wire.ask("DELETE", path).status == status
        assert wire.ask("GET", f"qos/policies/{policy['id']}/{kind.member}s").status == (404 if status == 404 else 200)
    assert [*wire.ask("GET", f"qos/alias_{kind.member}s").body.values()] == [[before[shared["id"]]]]
    assert rules(wire, hidden)[0][kind.value] == VALUE[kind.name]
    assert wire.ask("GET", f"qos/policies/{GONE}/{kind.member}s").error == "QosPolicyNotFound"


def test_a_policy_goes_with_its_rules(wire: Wire) -> None:
    policy = wire.make("qos/policies", "admin")
    for kind in KINDS.values():
        assert post(wire, policy, kind).status == 201
    assert [rule["type"] for rule in rules(wire, policy)] == sorted(KINDS)
    assert wire.ask("DELETE", f"qos/policies/{policy['id']}", who="admin").status == 204
    for kind in KINDS.values():
        assert [*wire.ask("GET", f"qos/alias_{kind.member}s", who="admin").body.values()] == [[]]


def test_what_the_data_plane_is_told(wire: Wire) -> None:
    """kbit/s and packets a second, the burst a part of a second's where none is given; what is too much is cut."""
    policy = wire.make("qos/policies", "admin")
    for name, rule in (("bandwidth_limit", {"max_kbps": 1000, "max_burst_kbps": 50}),
                       ("bandwidth_limit", {"max_kbps": 1000, "direction": "ingress"}),
                       ("packet_rate_limit", {"max_kpps": 2, "max_burst_kpps": 1}),
                       ("packet_rate_limit", {"max_kpps": 2**31 - 1, "direction": "ingress"}),
                       ("dscp_marking", {"dscp_mark": 46}), ("minimum_bandwidth", {"min_kbps": 5})):
        assert post(wire, policy, KINDS[name], **rule).status == 201
    key = Key("qos_policy", policy["id"])
    with wire.database.read() as session:
        assert load(session, [key]) == {key: QosPolicy(
            policy["id"], RateLimit(1000, 50), RateLimit(1000, 300), RateLimit(2000, 1000),
            RateLimit(2**32 - 1, 2**32 - 1), 46)}


def test_both_limits_are_one_number_of_drops(wire: Wire) -> None:
    port = wire.make("ports", network_id=wire.network()["id"])["id"]
    with wire.database.write() as session:
        book(session, [Reading(port, "hv1", Metric.LIMIT_OUT, 0, 5), Reading(port, "hv1", Metric.LIMIT_PPS_OUT, 0, 7),
                       Reading(port, "hv1", Metric.LIMIT_PPS_IN, 0, 2)])
    dropped = wire.ask("GET", f"ports/{port}/statistics").body["statistics"]["dropped_packets"]
    assert (dropped["rate_limit_out"], dropped["rate_limit_in"]) == (12, 2)


def test_the_types_of_rules(wire: Wire) -> None:
    """What is enforced, unless all are asked for."""
    enforced = [name for name, kind in KINDS.items() if kind.enforced]
    assert "bandwidth_limit" in enforced
    assert "minimum_bandwidth" not in enforced
    for query, expected in (("", enforced), ("?all_supported=true", enforced), ("?all_rules=True&limit=1", [*KINDS]),
                            ("?all_rules=false", enforced), ("?type=minimum_bandwidth", []),
                            ("?type=minimum_bandwidth&all_rules=1", ["minimum_bandwidth"])):
        assert wire.ask("GET", f"qos/rule-types{query}").body == {"rule_types": [{"type": name} for name in expected]}
    assert wire.ask("GET", "qos/rule_types/bandwidth_limit").body == {"rule_type": {"type": "bandwidth_limit"}}
    assert wire.ask("GET", "qos/rule-types/nothing").error == "QosRuleTypeNotFound"
    assert wire.ask("POST", "qos/rule-types", {"rule_type": {"type": "mine"}}).status == 405


@KIND
def test_the_parameters_of_a_type(wire: Wire, kind: Kind) -> None:
    drivers = wire.ask("GET", f"qos/rule-types/{kind.name}", who="admin").body["rule_type"]["drivers"]
    assert [driver["name"] for driver in drivers] == (["openflow"] if kind.enforced else [])
    for driver in drivers:
        assert {item["parameter_name"] for item in driver["supported_parameters"]} == {*kind.columns}
