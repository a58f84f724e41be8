"""The internal IPAM against a set: never twice, never outside the pools, exhausted exactly when they are full."""
from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv4Network

import pytest

from naas_sdn.db.session import Database
from naas_sdn.errors import IpAddressAlreadyAllocated, IpAddressGenerationFailure
from tests.support.database import Cloud


@pytest.mark.parametrize("seed", range(6))
def test_any_history(cloud_db: Cloud, database: Database, seed: int) -> None:
    chance = random.Random(seed)
    network = cloud_db.make("networks")["id"]
    prefix = IPv4Network("10.0.0.0/27")
    pools = [{"start": "10.0.0.4", "end": "10.0.0.9"}, {"start": "10.0.0.20", "end": "10.0.0.23"}]
    cloud_db.make("subnets", network_id=network, ip_version=4, cidr=str(prefix), allocation_pools=pools)
    pool = {IPv4Address(f"10.0.0.{number}") for number in (*range(4, 10), *range(20, 24))}
    held: dict[IPv4Address, str] = {}
    for _ in range(120):
        if held and chance.random() < 0.35:
            ip = chance.choice(sorted(held))
            cloud_db.delete("ports", held.pop(ip))
            continue
        wanted = IPv4Address(f"10.0.0.{chance.randint(2, 30)}") if chance.random() < 0.2 else None
        try:
            port = cloud_db.make("ports", network_id=network,
                                 **({"fixed_ips": [{"ip_address": str(wanted)}]} if wanted else {}))
        except IpAddressAlreadyAllocated:
            assert wanted in held
        except IpAddressGenerationFailure:
            assert wanted is None
            assert pool <= held.keys()
        else:
            [fixed] = port["fixed_ips"]
            ip = IPv4Address(fixed["ip_address"])
            assert ip not in held
            assert ip == wanted if wanted else ip in pool
            held[ip] = port["id"]
    assert held


def test_a_freed_address_rests(cloud_db: Cloud) -> None:
    """The next machine does not get the one that a neighbour may still have in its cache."""
    network, _ = cloud_db.network()
    first = cloud_db.make("ports", network_id=network)
    cloud_db.make("ports", network_id=network)
    cloud_db.delete("ports", first["id"])
    third = cloud_db.make("ports", network_id=network)
    assert third["fixed_ips"][0]["ip_address"] != first["fixed_ips"][0]["ip_address"]
