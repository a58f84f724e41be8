"""The types of QoS rules as data: their attributes, what these may be, and whether the data plane enforces them."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MOST = 2**31 - 1
BOTH = ("egress", "ingress")


@dataclass(frozen=True, slots=True)
class Kind:
    """`value` names the attribute that a rule must have, `low` and `high` are its range, or `values` all there are.

    `burst` names the one that may come with it; empty: none. `directions`: the first is the default; empty: none.
    `enforced`: the data plane does it; else it is kept and shown only.
    """

    name: str
    value: str
    low: int = 0
    high: int = MOST
    values: tuple[int, ...] = ()
    burst: str = ""
    directions: tuple[str, ...] = ()
    enforced: bool = False

    @property
    def member(self) -> str:
        return f"{self.name}_rule"

    @property
    def columns(self) -> Mapping[str, str]:
        """{attribute: column of QosRuleRow}."""
        return {self.value: "value", **({self.burst: "burst"} if self.burst else {}),
                **({"direction": "direction"} if self.directions else {})}


KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (
    Kind("bandwidth_limit", "max_kbps", low=1, burst="max_burst_kbps", directions=BOTH, enforced=True),
    Kind("dscp_marking", "dscp_mark", values=(
        0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56), enforced=True),
    Kind("minimum_bandwidth", "min_kbps", directions=BOTH),
    Kind("minimum_packet_rate", "min_kpps", directions=(*BOTH, "any")),
    Kind("packet_rate_limit", "max_kpps", low=1, burst="max_burst_kpps", directions=BOTH, enforced=True),
)}
"""By name, as /qos/rule-types shows them. DSCP marks: those that RFC 2474, 2597, 3246 and 5865 name."""

BOUNDS = {"bandwidth_limit": "minimum_bandwidth", "packet_rate_limit": "minimum_packet_rate"}
"""What is promised at least must fit into what is let through at most, in the same direction."""
