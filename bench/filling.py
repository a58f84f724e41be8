"""Databases with clouds in them, written as rows: filling them through the API would take longer than measuring.

Three shapes of the same number of ports: one big network, one network a hypervisor behind one router, or many small
tenants. Port P of hypervisor H is plugged to its interface ifP.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network

from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session

from bench.fleet.__main__ import vtep
from naas_sdn.db.load import gateway_mac, mac_of
from naas_sdn.db.migrations import migrate
from naas_sdn.db.rows import (
    AllocationRow,
    HypervisorRow,
    KeyRow,
    NetworkRow,
    PortRow,
    RouterInterfaceRow,
    RouterRow,
    Row,
    SubnetRow,
    TunnelKeyRow,
    VifRow,
    new_id,
    now,
)

TENANTS = 1000
SHAPES = ("one network", "one router", "tenants")


def networks(shape: str, hypervisors: int, ports: int) -> int:
    return {"one network": 1, "one router": hypervisors, "tenants": max(1, TENANTS * ports // 25_000)}[shape]


def place_of(shape: str, hypervisors: int, ports: int) -> Callable[[int], tuple[int, int]]:
    """Number of a port, from 0 -> (its network, its hypervisor), both from 0."""
    count = networks(shape, hypervisors, ports)
    if shape == "one router":
        return lambda number: (number % hypervisors, number % hypervisors)
    # A tenant's machines lie on neighbouring hypervisors.
    each = -(-ports // count)
    return lambda number: (number // each, number % hypervisors)


class Filling:
    """Makes the database at `url`; `ids` are those of its networks."""

    def __init__(self, url: str, shape: str, hypervisors: int, ports: int) -> None:
        migrate(url)
        self.ids = [new_id() for _ in range(networks(shape, hypervisors, ports))]
        self._subnets = [new_id() for _ in self.ids]
        self._keys = 0
        self._when = {"created_at": now(), "updated_at": now()}
        engine = create_engine(url)
        with Session(engine) as session, session.begin():
            for row, values in self._rows(shape, hypervisors, ports):
                if values:
                    session.execute(insert(row), values)
            session.execute(insert(KeyRow), [{"id": self._keys}])
        engine.dispose()

    def _key(self) -> int:
        self._keys += 1
        return self._keys

    def _rows(self, shape: str, hypervisors: int, ports: int) -> Iterator[tuple[type[Row], list[dict[str, object]]]]:
        wide = shape == "one network"
        owned = {"project_id": "bench", "revision_number": 1, "description": "", **self._when}
        yield HypervisorRow, [{"id": new_id(), "name": f"hv{n}", "datapath_id": f"{n:016x}", "vtep": vtep(n),
                               "key": self._key(), "alive": False, **self._when} for n in range(1, hypervisors + 1)]
        yield NetworkRow, [{"id": identifier, "name": f"net{n}", "mtu": 1450, "next_number": ports + 2, **owned}
                           for n, identifier in enumerate(self.ids)]
        yield TunnelKeyRow, [{"network_id": identifier, "key": n} for n, identifier in enumerate(self.ids, 1)]
        cidrs = [IPv4Network("10.0.0.0/9") if wide else IPv4Network((0x0A000000 + (n << 12), 20))
                 for n in range(len(self.ids))]
        keys = [self._key() for _ in self.ids]
        yield SubnetRow, [{"id": self._subnets[n], "network_id": self.ids[n], "name": "", "cidr": str(cidr),
                           "gateway_ip": str(cidr[1]), "allocation_pools": [{"start": str(cidr[2]),
                                                                             "end": str(cidr[-2])}],
                           "dns_nameservers": [], "host_routes": [], "key": keys[n], **owned}
                          for n, cidr in enumerate(cidrs)]
        if shape == "one router":
            yield from self._router(owned, cidrs, keys)
        place = place_of(shape, hypervisors, ports)
        made: dict[type[Row], list[dict[str, object]]] = {PortRow: [], AllocationRow: [], VifRow: []}
        for number in range(ports):
            network, host = place(number)
            identifier, slot = new_id(), number // hypervisors + 1
            made[PortRow].append(self._port(identifier, network, number + 2, f"hv{host + 1}", owned))
            made[AllocationRow].append(self._allocation(identifier, network, cidrs[network][
                (number if wide else number // len(self.ids) if shape == "one router" else number % 4000) + 2]))
            made[VifRow].append({"id": new_id(), "port_id": identifier, "host": f"hv{host + 1}",
                                 "interface": f"if{slot}", "slot": slot, "source": "api", "plugging": 1,
                                 "acknowledged": 1, **self._when})
        yield from made.items()

    def _port(self, identifier: str, network: int, number: int, host: str, owned: dict[str, object],
              **more: object) -> dict[str, object]:
        key = self._key()
        return {"id": identifier, "network_id": self.ids[network], "name": "", "number": number, "key": key,
                "mac_address": mac_of(0xFA163E000000 | key), "host_id": host, "device_owner": "", "profile": {},
                **owned, **more}

    def _allocation(self, port_id: str, network: int, ip: IPv4Address) -> dict[str, object]:
        return {"port_id": port_id, "subnet_id": self._subnets[network], "ip_address": str(ip),
                "ip_number": f"{int(ip):032x}"}

    def _router(self, owned: dict[str, object], cidrs: list[IPv4Network],
                keys: list[int]) -> Iterator[tuple[type[Row], list[dict[str, object]]]]:
        router, legs = new_id(), [new_id() for _ in self.ids]
        yield RouterRow, [{"id": router, "name": "all", "key": self._key(), **owned}]
        yield PortRow, [self._port(leg, n, 1, "", owned, device_owner="network:router_interface", device_id=router,
                                   mac_address=mac_of(gateway_mac(keys[n]))) for n, leg in enumerate(legs)]
        yield AllocationRow, [self._allocation(leg, n, cidrs[n][1]) for n, leg in enumerate(legs)]
        yield RouterInterfaceRow, [{"router_id": router, "port_id": leg, "subnet_id": self._subnets[n]}
                                   for n, leg in enumerate(legs)]
