"""What the configuration says of physical networks."""
from __future__ import annotations

import pytest

from naas_sdn import config
from naas_sdn.errors import ConfigurationError
from naas_sdn.model.physical import PhysicalNetworks, physical_networks


def read(**options: list[str]) -> PhysicalNetworks:
    conf = config.load(files=[])
    for name, value in options.items():
        conf.set_override(name, value, "network")
    return physical_networks(conf)


def test_ranges_of_one_network_add_up() -> None:
    found = read(network_vlan_ranges=["public:100:102", "storage", "public:4094:4094"])
    assert found.vlans == {"public": (range(100, 103), range(4094, 4095)), "storage": ()}


def test_the_largest_mtu() -> None:
    found = read(network_vlan_ranges=["public", "storage"], physical_network_mtus=["storage:1400"])
    assert [found.mtu(name) for name in ("storage", "public", None)] == [1400, 1500, 1400]
    assert read().mtu(None) == 1500


@pytest.mark.parametrize(("option", "value"), [
    ("network_vlan_ranges", "public:0:5"), ("network_vlan_ranges", "public:5"), ("network_vlan_ranges", "public:9:5"),
    ("network_vlan_ranges", "public:1:4095"), ("network_vlan_ranges", ":1:5"), ("network_vlan_ranges", "public:a:5"),
    ("network_vlan_ranges", "public:1:2:3"), ("physical_network_mtus", "public"),
    ("physical_network_mtus", "public:575"), ("physical_network_mtus", "public:65536"),
    ("physical_network_mtus", ":1500"), ("flat_networks", "a:b"), ("flat_networks", ""), ("flat_networks", "a b"),
])
def test_what_is_wrong_is_said(option: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{option}: "):
        read(**{option: [value]})
