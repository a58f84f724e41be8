"""A database of many projects, each with networks, ports and things that it shares, written as rows.

Project N is `pN`, from 0. Its networks are shared with the projects after it, a few with everybody.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from sqlalchemy import create_engine, insert, text
from sqlalchemy.orm import Session

from bench.fleet.__main__ import vtep
from naas_sdn.db.load import mac_of
from naas_sdn.db.rbac_rows import EVERYBODY, RbacPolicyRow
from naas_sdn.db.rows import (
    AllocationRow,
    HypervisorRow,
    KeyRow,
    NetworkRow,
    PortRow,
    Row,
    SubnetRow,
    TunnelKeyRow,
    VifRow,
    new_id,
    now,
)
from naas_sdn.db.security_group_rows import PortSecurityGroupRow, SecurityGroupRow, SecurityGroupRuleRow
from naas_sdn.db.segment_rows import SegmentRow
from naas_sdn.service import rule_content

HYPERVISORS = 100
CIDR = IPv4Network("10.0.0.0/16")
"""Of every subnet: ranges of different networks overlap."""

NETWORKS = 2
"""Of each project."""

PUBLIC = 5
"""So many policies are for everybody, however many there are: a project sees as many networks in a small cloud."""

AT_ONCE = 5_000
"""Ports whose rows are held in memory."""

Rows = dict[type[Row], list[dict[str, object]]]


@dataclass
class Projects:
    """The networks of each project. `ports`, `policies`: of all together, spread evenly."""

    projects: int
    ports: int
    policies: int
    networks: list[list[str]] = field(default_factory=list)
    _subnets: dict[str, str] = field(default_factory=dict)
    _groups: list[str] = field(default_factory=list)
    _key: int = 0

    def fill(self, url: str) -> None:
        """A database that has the schema and nothing else."""
        engine = create_engine(url)
        with Session(engine) as session, session.begin():
            for rows in self._rows():
                for row, values in rows.items():
                    if values:
                        session.execute(insert(row), values)
            if engine.dialect.name == "postgresql":
                # Its sequences do not hear of numbers that are given.
                session.execute(text("SELECT setval(pg_get_serial_sequence('keys', 'id'), :last)"), {"last": self._key})
                # As its autovacuum would, sooner or later. Nothing does it on SQLite.
                session.execute(text("ANALYZE"))
        engine.dispose()

    def _next(self) -> int:
        self._key += 1
        return self._key

    def _rows(self) -> Iterator[Rows]:
        when: dict[str, object] = {"created_at": now(), "updated_at": now()}
        yield {HypervisorRow: [{"id": new_id(), "name": f"hv{n}", "datapath_id": f"{n:016x}", "vtep": vtep(n),
                                "key": self._next(), "alive": False, **when} for n in range(1, HYPERVISORS + 1)]}
        for project in range(self.projects):
            yield self._project(f"p{project}", {**when, "revision_number": 1, "description": ""})
        each = -(-self.ports // self.projects)
        for start in range(0, self.ports, AT_ONCE):
            yield self._some(range(start, min(self.ports, start + AT_ONCE)), each, when)
        yield {RbacPolicyRow: [self._policy(number) for number in range(self.policies)]}
        yield {KeyRow: [{"id": self._key}]}

    def _project(self, project: str, common: dict[str, object]) -> Rows:
        owned = {**common, "project_id": project}
        networks, group = [new_id() for _ in range(NETWORKS)], new_id()
        self.networks.append(networks)
        self._groups.append(group)
        first = len(self._subnets)
        self._subnets.update({network: new_id() for network in networks})
        return {
            NetworkRow: [{"id": network, "name": f"net{n}", "mtu": 1450, "next_number": 1_000_000, **owned}
                         for n, network in enumerate(networks)],
            SegmentRow: [{"network_id": network} for network in networks],
            TunnelKeyRow: [{"network_id": network, "key": first + n} for n, network in enumerate(networks, 1)],
            SubnetRow: [{"id": self._subnets[network], "network_id": network, "name": "", "cidr": str(CIDR),
                         "gateway_ip": str(CIDR[1]), "dns_nameservers": [], "host_routes": [], "key": self._next(),
                         "allocation_pools": [{"start": str(CIDR[2]), "end": str(CIDR[-2])}], **owned}
                        for network in networks],
            SecurityGroupRow: [{"id": group, "name": "default", "default_of": project, "key": self._next(), **owned}],
            SecurityGroupRuleRow: [{
                "id": new_id(), "security_group_id": group, **owned, **rule_content.settled({
                    "direction": direction, "ethertype": ethertype,
                    "remote_group_id": group if direction == "ingress" else None})}
                for direction in ("ingress", "egress") for ethertype in ("IPv4", "IPv6")],
        }

    def _some(self, numbers: range, each: int, when: dict[str, object]) -> Rows:
        """These ports, and what is theirs."""
        rows: Rows = {PortRow: [], AllocationRow: [], VifRow: [], PortSecurityGroupRow: []}
        for number in numbers:
            project, place = divmod(number, each)
            identifier, network, key = new_id(), self.networks[project][place % NETWORKS], self._next()
            address: IPv4Address = CIDR[2 + place // NETWORKS]
            rows[PortRow].append({
                "id": identifier, "network_id": network, "project_id": f"p{project}", "name": f"port{place}",
                "description": "", "revision_number": 1, "number": place + 1, "key": key, "profile": {},
                "mac_address": mac_of(0xFA163E000000 | key), "host_id": f"hv{number % HYPERVISORS + 1}",
                "device_owner": "compute:nova", "device_id": new_id(), **when})
            rows[AllocationRow].append({"port_id": identifier, "subnet_id": self._subnets[network],
                                        "ip_address": str(address), "ip_number": f"{int(address):032x}"})
            rows[VifRow].append({"id": new_id(), "port_id": identifier, "host": f"hv{number % HYPERVISORS + 1}",
                                 "interface": f"if{number // HYPERVISORS + 1}", "slot": number // HYPERVISORS + 1,
                                 "source": "api", "plugging": 1, "acknowledged": 1, **when})
            rows[PortSecurityGroupRow].append({"port_id": identifier, "security_group_id": self._groups[project]})
        return rows

    def _policy(self, number: int) -> dict[str, object]:
        owner, turn = number % self.projects, number // self.projects
        target = EVERYBODY if number < PUBLIC else f"p{(owner + 1 + turn) % self.projects}"
        return {"id": new_id(), "project_id": f"p{owner}", "object_type": "network", "action": "access_as_shared",
                "object_id": self.networks[owner][turn % NETWORKS], "target_tenant": target}
