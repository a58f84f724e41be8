"""Subnet pools: ranges that subnets are cut from, so that those of one pool never overlap."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import collapse_addresses, ip_network
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import NetworkRow, SubnetPoolRow, SubnetRow, new_id
from naas_sdn.errors import (
    AddressScopePrefixConflict,
    BadRequest,
    EmptySubnetPoolPrefixList,
    IllegalSubnetPoolAssociationToAddressScope,
    IllegalSubnetPoolIpVersionAssociationToAddressScope,
    IllegalSubnetPoolPrefixBounds,
    IllegalSubnetPoolPrefixUpdate,
    IllegalSubnetPoolUpdate,
    InvalidInput,
    MaxPrefixSubnetAllocationError,
    MinPrefixSubnetAllocationError,
    NetworkSubnetPoolAffinityError,
    PrefixVersionMismatch,
    SubnetAllocationError,
    SubnetPoolDeleteError,
    SubnetPoolNotFound,
    SubnetPoolQuotaExceeded,
)
from naas_sdn.model.ip import Prefix
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.address_scopes import visible_scope
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.grants import covers, seen, settle, shared_with_reader
from naas_sdn.service.limits import Limits
from naas_sdn.service.networks import visible_network
from naas_sdn.service.rows import change, find_rows, standard, touch, visible

PLAIN = ("name", "description", "default_quota", "is_default", "address_scope_id")
LENGTHS = ("min_prefixlen", "default_prefixlen", "max_prefixlen")

SHORTEST = {4: 8, 6: 64}
"""The least min_prefixlen that is the default, by IP version; the longest is a host's."""

QUOTA_UNIT = {4: 32, 6: 64}
"""A default_quota counts prefixes of this length: IPv4 addresses, IPv6 /64s."""

SEEN = seen("subnetpool")
SHARED = shared_with_reader("subnetpool")


def visible_pool(session: Session, context: Context, identifier: str) -> SubnetPoolRow:
    """Raises SubnetPoolNotFound."""
    return visible(session, context, SubnetPoolRow, identifier, SubnetPoolNotFound, SEEN)


def pool_for(session: Session, context: Context, attributes: Attributes) -> SubnetPoolRow | None:
    """The pool that a new subnet names, or the default one that it asks for; None when it does neither.

    Its row is locked until the transaction ends, so that no two subnets get one prefix. Raises BadRequest,
    InvalidInput and SubnetPoolNotFound.
    """
    identifier, version = attributes.get("subnetpool_id"), attributes["ip_version"]
    if attributes.get("use_default_subnetpool"):
        if identifier is not None:
            raise BadRequest("subnetpool_id and use_default_subnetpool cannot both be specified.")
        identifier = session.scalar(select(SubnetPoolRow.id).where(
            SubnetPoolRow.is_default, SubnetPoolRow.ip_version == version))
        if identifier is None:
            raise BadRequest(f"No default subnetpool found for IPv{version}.")
    if identifier is None:
        if attributes.get("prefixlen") is not None:
            raise InvalidInput("Invalid input for prefixlen: it is the length of a prefix from a subnet pool, and no "
                               "subnetpool_id is given.")
        return None
    row = visible_pool(session, context, identifier)
    if row.ip_version != version:
        raise InvalidInput(f"Invalid input for operation: subnet pool {row.id} is of IPv{row.ip_version}, "
                           f"and the subnet's ip_version is {version}.")
    session.refresh(row, with_for_update=True)
    return row


def require_affinity(network: NetworkRow, pool: SubnetPoolRow | None, version: int) -> None:
    """Raises NetworkSubnetPoolAffinityError: all subnets of a network and version are of one pool, or of none."""
    wanted = pool.id if pool is not None else None
    for subnet in network.subnets:
        if subnet.ip_version == version and subnet.subnetpool_id != wanted:
            raise NetworkSubnetPoolAffinityError(
                f"Subnets hosted on the same network must be allocated from the same subnet pool: subnet {subnet.id} "
                f"is of {subnet.subnetpool_id or 'none'}.")


def allocate(session: Session, pool: SubnetPoolRow, project_id: str, wanted: Prefix | None,
             prefixlen: int | None) -> Prefix:
    """The prefix of a new subnet: `wanted`, or the first that is free of `prefixlen` (the pool's default).

    Raises MinPrefixSubnetAllocationError, MaxPrefixSubnetAllocationError, SubnetAllocationError and
    SubnetPoolQuotaExceeded.
    """
    length = wanted.prefixlen if wanted is not None else pool.default_prefixlen if prefixlen is None else prefixlen
    if length < pool.min_prefixlen:
        raise MinPrefixSubnetAllocationError(f"Unable to allocate subnet with prefix length {length}, minimum allowed "
                                             f"prefix is {pool.min_prefixlen}.")
    if length > pool.max_prefixlen:
        raise MaxPrefixSubnetAllocationError(f"Unable to allocate subnet with prefix length {length}, maximum allowed "
                                             f"prefix is {pool.max_prefixlen}.")
    rows = session.execute(select(SubnetRow.cidr, SubnetRow.project_id).where(SubnetRow.subnetpool_id == pool.id))
    taken = [(ip_network(cidr), owner) for cidr, owner in rows]
    if pool.default_quota is not None:
        unit = QUOTA_UNIT[pool.ip_version]
        used = sum(_units(cidr.prefixlen, unit) for cidr, owner in taken if owner == project_id)
        if used + _units(length, unit) > pool.default_quota:
            raise SubnetPoolQuotaExceeded(f"Per-tenant subnet pool prefix quota exceeded: {used} of "
                                          f"{pool.default_quota} used in subnet pool {pool.id}.")
    prefixes = _networks(pool.prefixes)
    if wanted is not None:
        if not any(_within(wanted, prefix) for prefix in prefixes) or any(wanted.overlaps(cidr) for cidr, _ in taken):
            raise SubnetAllocationError(f"Failed to allocate subnet: {wanted} is not free in subnet pool {pool.id}.")
        return wanted
    found = first_free(prefixes, (cidr for cidr, _ in taken), length)
    if found is None:
        raise SubnetAllocationError(f"Failed to allocate subnet: Insufficient prefix space to allocate subnet size "
                                    f"/{length} in subnet pool {pool.id}.")
    return found


def first_free(prefixes: Iterable[Prefix], taken: Iterable[Prefix], length: int) -> Prefix | None:
    """The first prefix of this length in `prefixes` that overlaps none of `taken`. All are of one IP version."""
    used = sorted((int(network.network_address), int(network.broadcast_address)) for network in taken)
    for prefix in sorted(prefixes, key=lambda network: int(network.network_address)):
        size = 1 << prefix.max_prefixlen - length
        candidate, last = int(prefix.network_address), int(prefix.broadcast_address)
        for start, end in used:
            if end < candidate:
                continue
            if candidate + size <= start:
                break
            candidate = (end // size + 1) * size
        if prefix.prefixlen <= length and candidate + size - 1 <= last:
            return type(prefix)((candidate, length))
    return None


@dataclass(frozen=True, slots=True)
class SubnetPools:
    limits: Limits

    @property
    def actions(self) -> Mapping[str, Action]:
        return {"add_prefixes": self.add_prefixes, "remove_prefixes": self.remove_prefixes,
                "onboard_network_subnets": self.onboard}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_new(context, attributes, "create_subnetpool")
        self.limits.charge(session, "subnetpool", attributes["project_id"])
        prefixes = _compact(attributes["prefixes"])
        version = prefixes[0].version
        lengths = _lengths(version, {name: attributes.get(name) for name in LENGTHS})
        row = SubnetPoolRow(
            id=new_id(), project_id=attributes["project_id"], ip_version=version,
            prefixes=list(map(str, prefixes)), **lengths,
            **{name: attributes[name] for name in PLAIN if name in attributes})
        self._settle(session, context, row)
        session.add(row)
        session.flush()
        return self._show(row)

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = self._owned(session, context, identifier, "update_subnetpool")
        require_change(context, row, attributes, "update_subnetpool", {"is_default": row.is_default})
        new = dict(attributes)
        if "prefixes" in new:
            prefixes = _compact(new["prefixes"])
            if not all(any(_within(old, prefix) for prefix in prefixes) for old in _networks(row.prefixes)):
                raise IllegalSubnetPoolPrefixUpdate(
                    f"Illegal update to prefixes: existing prefixes {', '.join(row.prefixes)} must be kept; "
                    f"remove_prefixes takes away what no subnet uses.")
            new["prefixes"] = list(map(str, prefixes))
        new.update(_lengths(row.ip_version, {name: new.get(name, getattr(row, name)) for name in LENGTHS}))
        with session.no_autoflush:
            if change(row, new, (*PLAIN, *LENGTHS, "prefixes")):
                self._settle(session, context, row)
        session.flush()
        return self._show(row)

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = self._owned(session, context, identifier, "delete_subnetpool")
        user = session.scalar(select(SubnetRow.id).where(SubnetRow.subnetpool_id == row.id).limit(1))
        if user is not None:
            raise SubnetPoolDeleteError(f"Unable to delete subnet pool: Subnet pool has existing allocations, "
                                        f"for example subnet {user}.")
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self._show(visible_pool(session, context, identifier))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        return [self._show(row) for row in find_rows(session, context, SubnetPoolRow, query, SubnetPoolNotFound,
                                                     clause=SEEN, columns={"shared": SHARED})]

    def add_prefixes(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        row = self._owned(session, context, identifier, "add_prefixes")
        with session.no_autoflush:
            row.prefixes = list(map(str, _compact([*row.prefixes, *body["prefixes"]])))
            self._settle(session, context, row)
        return self._prefixes_changed(session, row)

    def remove_prefixes(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        row = self._owned(session, context, identifier, "remove_prefixes")
        left = _without(_networks(row.prefixes), _networks(body["prefixes"]))
        for cidr in session.scalars(select(SubnetRow.cidr).where(SubnetRow.subnetpool_id == row.id)):
            if not any(_within(ip_network(cidr), prefix) for prefix in left):
                raise IllegalSubnetPoolPrefixUpdate(f"Illegal update to prefixes: subnet {cidr} is of this pool.")
        if not left:
            raise EmptySubnetPoolPrefixList("Empty subnet pool prefix list: a pool keeps one at least.")
        row.prefixes = list(map(str, left))
        return self._prefixes_changed(session, row)

    def onboard(self, session: Session, context: Context, identifier: str, body: Attributes) -> list[Attributes]:
        """The network's subnets of the pool's IP version become the pool's, all or none, with their prefixes."""
        row = self._owned(session, context, identifier, "onboard_network_subnets")
        network = visible_network(session, context, body["network_id"])
        require_owner(context, network, "onboard_network_subnets")
        subnets = [subnet for subnet in network.subnets if subnet.ip_version == row.ip_version]
        if not subnets:
            return []
        taken = _networks(session.scalars(select(SubnetRow.cidr).where(SubnetRow.subnetpool_id == row.id)))
        with session.no_autoflush:
            for subnet in subnets:
                if subnet.subnetpool_id is not None:
                    raise IllegalSubnetPoolUpdate(f"Illegal subnetpool update: subnet {subnet.id} is of subnet pool "
                                                  f"{subnet.subnetpool_id} already.")
                if any(cidr.overlaps(ip_network(subnet.cidr)) for cidr in taken):
                    raise IllegalSubnetPoolUpdate(f"Illegal subnetpool update: Onboarding subnet {subnet.id}: "
                                                  f"{subnet.cidr} conflicts with allocated prefixes in subnet pool "
                                                  f"{row.id}.")
                subnet.subnetpool_id = row.id
                touch(subnet)
            row.prefixes = list(map(str, _compact([*row.prefixes, *(subnet.cidr for subnet in subnets)])))
            self._settle(session, context, row)
        self._prefixes_changed(session, row)
        return [{"id": subnet.id, "cidr": subnet.cidr} for subnet in subnets]

    @staticmethod
    def _prefixes_changed(session: Session, row: SubnetPoolRow) -> Attributes:
        touch(row)
        session.flush()
        return {"prefixes": row.prefixes}

    @staticmethod
    def _owned(session: Session, context: Context, identifier: str, what: str) -> SubnetPoolRow:
        row = visible_pool(session, context, identifier)
        require_owner(context, row, what)
        session.refresh(row, with_for_update=True)
        return row

    @staticmethod
    def _settle(session: Session, context: Context, row: SubnetPoolRow) -> None:
        """What concerns other pools: one default an IP version, and no address twice in an address scope."""
        if _networks(row.prefixes)[0].version != row.ip_version:
            raise PrefixVersionMismatch(f"Cannot mix IPv4 and IPv6 prefixes in a subnet pool; {row.id} is of "
                                        f"IPv{row.ip_version}.")
        if row.is_default:
            other = session.scalar(select(SubnetPoolRow.id).where(
                SubnetPoolRow.is_default, SubnetPoolRow.ip_version == row.ip_version, SubnetPoolRow.id != row.id))
            if other is not None:
                raise InvalidInput(f"Invalid input for operation: A default subnetpool for this IP family has already "
                                   f"been set: {other}. Only one default may exist per IP family.")
        if row.address_scope_id is None:
            return
        scope = visible_scope(session, context, row.address_scope_id)
        session.refresh(scope, with_for_update=True)
        if scope.project_id != row.project_id and not covers(session, scope.id, row.project_id):
            raise IllegalSubnetPoolAssociationToAddressScope(
                f"Illegal subnetpool association: subnetpool {row.id} cannot be associated with address scope "
                f"{scope.id}, which is another project's.")
        settle(session, row)
        if scope.ip_version != row.ip_version:
            raise IllegalSubnetPoolIpVersionAssociationToAddressScope(
                f"Illegal subnetpool association: subnetpool {row.id} is of IPv{row.ip_version}, and address scope "
                f"{scope.id} of IPv{scope.ip_version}.")
        own = _networks(row.prefixes)
        for other_id, prefixes in session.execute(select(SubnetPoolRow.id, SubnetPoolRow.prefixes).where(
                SubnetPoolRow.address_scope_id == scope.id, SubnetPoolRow.id != row.id)):
            if any(mine.overlaps(theirs) for mine in own for theirs in _networks(prefixes)):
                raise AddressScopePrefixConflict(f"Failed to associate address scope {scope.id}: subnetpool "
                                                 f"{other_id} has prefixes in it that overlap.")

    @staticmethod
    def _show(row: SubnetPoolRow) -> Attributes:
        return {**standard(row), "prefixes": row.prefixes, "ip_version": row.ip_version,
                "is_default": row.is_default, "default_quota": row.default_quota,
                "address_scope_id": row.address_scope_id, **{name: getattr(row, name) for name in LENGTHS}}


def _networks(prefixes: Iterable[str]) -> list[Any]:
    """Any, for of one version only: the two have no operation between them."""
    return [ip_network(prefix) for prefix in prefixes]


def _compact(prefixes: Iterable[str]) -> list[Any]:
    """Merged where they touch, in order. Raises EmptySubnetPoolPrefixList and PrefixVersionMismatch."""
    networks = _networks(prefixes)
    if not networks:
        raise EmptySubnetPoolPrefixList("Empty subnet pool prefix list: a pool needs one at least.")
    if len({network.version for network in networks}) > 1:
        raise PrefixVersionMismatch("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.")
    return list(collapse_addresses(networks))


def _within(inner: Any, outer: Any) -> bool:
    return inner.version == outer.version and bool(inner.subnet_of(outer))


def _without(networks: Iterable[Any], removed: Iterable[Any]) -> list[Any]:
    left = list(networks)
    for gone in removed:
        parts: list[Any] = []
        for network in left:
            if _within(network, gone):
                continue
            parts += network.address_exclude(gone) if _within(gone, network) else [network]
        left = parts
    return list(collapse_addresses(left))


def _units(length: int, unit: int) -> int:
    """How much a prefix of this length takes of a quota; a part of a unit counts as one."""
    return 1 << max(0, unit - length)


def _lengths(version: int, given: Mapping[str, int | None]) -> dict[str, int]:
    """Raises IllegalSubnetPoolPrefixBounds."""
    longest = 32 if version == 4 else 128
    low = given["min_prefixlen"] if given["min_prefixlen"] is not None else SHORTEST[version]
    high = given["max_prefixlen"] if given["max_prefixlen"] is not None else longest
    default = given["default_prefixlen"] if given["default_prefixlen"] is not None else low
    if not 1 <= low <= default <= high <= longest:
        raise IllegalSubnetPoolPrefixBounds(
            f"Illegal prefix bounds: min_prefixlen {low} <= default_prefixlen {default} <= max_prefixlen {high} "
            f"must hold, between 1 and {longest}.")
    return {"min_prefixlen": low, "default_prefixlen": default, "max_prefixlen": high}
