"""The internal IPAM: addresses from the subnet's allocation pools, in the transaction that uses them."""
from __future__ import annotations

import random
from ipaddress import ip_address, ip_network

from oslo_config import cfg
from sqlalchemy import bindparam, select
from sqlalchemy import func as sql
from sqlalchemy.orm import Session

from naas_sdn.db.rows import AllocationRow, SubnetRow
from naas_sdn.errors import InvalidIpForSubnet, IpAddressAlreadyAllocated, IpAddressGenerationFailure
from naas_sdn.model.ip import Ip, is_host
from naas_sdn.plugins.contract import IpamPlugin

PROBES = 16

_HIGHEST = select(sql.max(AllocationRow.ip_number)).where(
    AllocationRow.subnet_id == bindparam("subnet_id"),
    AllocationRow.ip_number.between(bindparam("start"), bindparam("end")))


def sortable(ip: Ip) -> str:
    """As AllocationRow.ip_number holds it."""
    return f"{int(ip):032x}"


class InternalIpam(IpamPlugin):
    """The next address after the highest in use, so a freed one rests; then any free one.

    Two indexed queries whatever the pool holds, until it is nearly full.
    """

    name = "internal"

    def __init__(self, _: cfg.ConfigOpts) -> None:
        pass

    def allocate(self, session: Session, subnet: SubnetRow, wanted: Ip | None) -> Ip:
        if wanted is not None:
            return self._take(session, subnet, wanted)
        address = type(ip_network(subnet.cidr).network_address)
        pools = [(int(ip_address(pool["start"])), int(ip_address(pool["end"]))) for pool in subnet.allocation_pools]
        for start, end in pools:
            found = self._after_highest(session, subnet, start, end)
            if found is None:
                found = self._any(session, subnet, start, end)
            if found is not None:
                return address(found)
        raise IpAddressGenerationFailure(f"No more IP addresses available on subnet {subnet.id} ({subnet.cidr}).")

    def _take(self, session: Session, subnet: SubnetRow, wanted: Ip) -> Ip:
        if not is_host(ip_network(subnet.cidr), wanted):
            raise InvalidIpForSubnet(f"IP address {wanted} is not a valid IP for subnet {subnet.id} ({subnet.cidr}).")
        if self._used(session, subnet, [int(wanted)]):
            raise IpAddressAlreadyAllocated(f"IP address {wanted} already allocated in subnet {subnet.id}.")
        return wanted

    @staticmethod
    def _used(session: Session, subnet: SubnetRow, candidates: list[int]) -> set[int]:
        rows = session.scalars(select(AllocationRow.ip_number).where(
            AllocationRow.subnet_id == subnet.id,
            AllocationRow.ip_number.in_([f"{number:032x}" for number in candidates])))
        return {int(number, 16) for number in rows}

    @staticmethod
    def _after_highest(session: Session, subnet: SubnetRow, start: int, end: int) -> int | None:
        highest = session.scalar(_HIGHEST, {"subnet_id": subnet.id, "start": f"{start:032x}", "end": f"{end:032x}"})
        following = start if highest is None else int(highest, 16) + 1
        return following if following <= end else None

    def _any(self, session: Session, subnet: SubnetRow, start: int, end: int) -> int | None:
        probes = [random.randint(start, end) for _ in range(PROBES)]
        free = set(probes) - self._used(session, subnet, probes)
        if free:
            return min(free)
        taken = {int(number, 16) for number in session.scalars(
            select(AllocationRow.ip_number).where(AllocationRow.subnet_id == subnet.id))}
        return next((number for number in range(start, end + 1) if number not in taken), None)
