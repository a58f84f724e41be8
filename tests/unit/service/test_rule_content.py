"""Rules of security groups: what they match, in one spelling."""
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naas_sdn.errors import BadRequest
from naas_sdn.service import rule_content

PORTS = st.none() | st.sampled_from([-1, 0, 1, 22, 80, 255, 256, 65535, 65536])
RULES = st.fixed_dictionaries({"direction": st.sampled_from(["ingress", "egress"])}, optional={
    "ethertype": st.sampled_from(["IPv4", "ipv6", "IPV6", "arp"]),
    "protocol": st.none() | st.sampled_from([*rule_content.PROTOCOLS, "any", "TCP", "006", "58", "256", "", "²"]),
    "port_range_min": PORTS, "port_range_max": PORTS,
    "remote_ip_prefix": st.none() | st.sampled_from(["10.1.2.3/8", "10.0.0.0/8", "0.0.0.0/0", "::/0", "fe80::1", "x"]),
    "remote_group_id": st.none() | st.sampled_from(["a", "b"]),
    "remote_address_group_id": st.none() | st.just("c"),
})


@settings(max_examples=500, deadline=None, database=None, derandomize=True)
@given(RULES)
def test_a_rule_is_refused_or_settled_once_for_all(rule: dict[str, Any]) -> None:
    try:
        settled = rule_content.settled(rule)
    except BadRequest:
        return
    assert rule_content.settled(settled) == settled
    assert len(settled["content"]) <= 160
    low, high = settled["port_range_min"], settled["port_range_max"]
    assert (low is None and high is None) or settled["protocol"] is not None
    assert sum(settled[name] is not None for name in rule_content.REMOTES) <= 1


@pytest.mark.parametrize("name", rule_content.PROTOCOLS)
def test_a_protocol_s_name_and_number_are_one(name: str) -> None:
    version = "IPv6" if name.startswith("ipv6-") or name == "icmpv6" else "IPv4"
    by_name, by_number = (rule_content.settled({"direction": "egress", "ethertype": version, "protocol": spelling})
                          for spelling in (name.upper(), str(rule_content.PROTOCOLS[name])))
    assert by_name["content"] == by_number["content"]


def test_what_differs_differs() -> None:
    rules: list[dict[str, Any]] = [
        {}, {"direction": "egress"}, {"ethertype": "IPv6"}, {"protocol": "tcp"}, {"protocol": "udp"}, {"protocol": "0"},
        {"protocol": "tcp", "port_range_min": 1, "port_range_max": 65534},
        {"protocol": "tcp", "port_range_min": 2, "port_range_max": 65535},
        {"protocol": "icmp"}, {"protocol": "icmp", "port_range_min": 1},
        {"protocol": "icmp", "port_range_min": 1, "port_range_max": 0}, {"remote_ip_prefix": "10.0.0.0/8"},
        {"remote_ip_prefix": "10.0.0.0/9"}, {"remote_group_id": "a"}, {"remote_group_id": "b"},
        {"remote_address_group_id": "c"}]
    contents = {rule_content.settled({"direction": "ingress", **rule})["content"] for rule in rules}
    assert len(contents) == len(rules)
