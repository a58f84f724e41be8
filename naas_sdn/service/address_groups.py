"""Address groups: lists of addresses that rules of security groups name together."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from sqlalchemy import bindparam, select, union_all
from sqlalchemy.orm import Session

from naas_sdn.db.security_group_rows import AddressGroupRow, DefaultSecurityGroupRuleRow, SecurityGroupRuleRow
from naas_sdn.errors import (
    AddressesAlreadyExist,
    AddressesNotFound,
    AddressGroupInUse,
    AddressGroupNotFound,
    BadRequest,
)
from naas_sdn.service import rule_content
from naas_sdn.service.access import require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.grants import seen, shared_with_reader
from naas_sdn.service.limits import Limits
from naas_sdn.service.rows import change, find_rows, new_key, standard, touch, visible

MOST = 1000
"""Addresses of one group."""

SEEN = seen("address_group")
SHARED = shared_with_reader("address_group")

_USERS = union_all(*(select(row.id).where(row.remote_address_group_id == bindparam("address_group_id"))
                     for row in (SecurityGroupRuleRow, DefaultSecurityGroupRuleRow))).limit(1)


def visible_address_group(session: Session, context: Context, identifier: str) -> AddressGroupRow:
    """Raises AddressGroupNotFound."""
    return visible(session, context, AddressGroupRow, identifier, AddressGroupNotFound, SEEN)


@dataclass(frozen=True, slots=True)
class AddressGroups:
    limits: Limits

    @property
    def actions(self) -> Mapping[str, Action]:
        return {"add_addresses": self.add_addresses, "remove_addresses": self.remove_addresses}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_new(context, attributes, "create_address_group")
        self.limits.charge(session, "address_group", attributes["project_id"])
        row = AddressGroupRow(key=new_key(session), addresses=_listed(_networks(attributes.get("addresses", ()))), **{
            name: attributes[name] for name in ("project_id", "name", "description") if name in attributes})
        session.add(row)
        session.flush()
        return _show(row)

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = self._owned(session, context, identifier, "update_address_group")
        change(row, attributes, ("name", "description"))
        session.flush()
        return _show(row)

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = self._owned(session, context, identifier, "delete_address_group")
        if session.scalar(_USERS, {"address_group_id": row.id}) is not None:
            raise AddressGroupInUse(f"Address group {row.id} is in use on one or more security group rules.")
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _show(visible_address_group(session, context, identifier))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        rows = find_rows(session, context, AddressGroupRow, query, AddressGroupNotFound,
                         clause=SEEN, columns={"shared": SHARED})
        return [_show(row) for row in rows]

    def add_addresses(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        """Raises AddressesAlreadyExist when one is there."""
        row = self._owned(session, context, identifier, "add_addresses")
        held, wanted = _networks(row.addresses), _networks(body["addresses"])
        if held & wanted:
            raise AddressesAlreadyExist(f"Addresses {_listed(held & wanted)} already exist in the address group "
                                        f"{row.id}.")
        return self._set(session, row, held | wanted)

    def remove_addresses(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        """Raises AddressesNotFound when one is not there."""
        row = self._owned(session, context, identifier, "remove_addresses")
        held, wanted = _networks(row.addresses), _networks(body["addresses"])
        if wanted - held:
            raise AddressesNotFound(f"{', '.join(_listed(wanted - held))} of address group {row.id}")
        return self._set(session, row, held - wanted)

    @staticmethod
    def _set(session: Session, row: AddressGroupRow, addresses: set[IPv4Network | IPv6Network]) -> Attributes:
        listed = _listed(addresses)
        if listed != row.addresses:
            row.addresses = listed
            touch(row)
            session.flush()
        return {"address_group": _show(row)}

    @staticmethod
    def _owned(session: Session, context: Context, identifier: str, action: str) -> AddressGroupRow:
        row = visible_address_group(session, context, identifier)
        require_owner(context, row, action)
        return row


def _networks(addresses: Iterable[str]) -> set[IPv4Network | IPv6Network]:
    """Raises InvalidCIDR."""
    return {rule_content.prefix(text).network for text in addresses}


def _listed(networks: set[IPv4Network | IPv6Network]) -> list[str]:
    """IPv4 first, in order. Raises BadRequest when they are too many for one group."""
    if len(networks) > MOST:
        raise BadRequest(f"Invalid input for addresses. Reason: an address group has at most {MOST} addresses, not "
                         f"{len(networks)}.")
    ordered = sorted(networks, key=lambda net: (net.version, int(net.network_address), net.prefixlen))
    return [str(network) for network in ordered]


def _show(row: AddressGroupRow) -> Attributes:
    shown = {**standard(row), "addresses": row.addresses}
    del shown["tags"]
    return shown
