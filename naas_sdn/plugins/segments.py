"""What a network is on the wire, for the OpenFlow L2 plugin: a tunnel, or a physical network's, untagged or on a VLAN.

Asked for by Neutron's provider attributes, which operators may give, and refused in Neutron's words.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func as sql
from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import TunnelKeyRow
from naas_sdn.errors import (
    FlatNetworkInUse,
    InvalidInput,
    NetworkInUse,
    NoNetworkAvailable,
    TunnelIdInUse,
    VlanIdInUse,
)
from naas_sdn.model.physical import VLANS, PhysicalNetworks

LARGEST_KEY = (1 << 24) - 1
"""A VXLAN network identifier has 24 bits (RFC 7348 section 5)."""

UNTAGGED = 0
"""In the row's `vlan`."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The provider attributes of a request."""

    kind: str
    physical_network: str | None
    number: int | None

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Wish:
        """Raises InvalidInput for one without a type, or of a type that there is not."""
        kind, physical, number = (attributes.get(f"provider:{name}") for name in (
            "network_type", "physical_network", "segmentation_id"))
        if kind is None and (physical is not None or number is not None):
            raise InvalidInput("Invalid input for operation: network_type required.")
        if kind not in (None, "flat", "vlan", "vxlan"):
            raise InvalidInput(f"Invalid input for operation: network_type value '{kind}' not supported; flat, vlan "
                               f"and vxlan are.")
        return cls(kind or "vxlan", physical, number)


def segment(session: Session, network_id: str, attributes: Mapping[str, Any], there: PhysicalNetworks) -> TunnelKeyRow:
    """The row of a new network, not added yet.

    Raises InvalidInput, FlatNetworkInUse, VlanIdInUse, TunnelIdInUse or NoNetworkAvailable.
    """
    wish = Wish.of(attributes)
    if wish.kind == "flat":
        _flat(session, wish, there)
        return TunnelKeyRow(network_id=network_id, key=_free_key(session), physical_network=wish.physical_network,
                            vlan=UNTAGGED)
    if wish.kind == "vlan":
        physical, vlan = _vlan(session, wish, there)
        return TunnelKeyRow(network_id=network_id, key=_free_key(session), physical_network=physical, vlan=vlan)
    if wish.physical_network is not None:
        raise InvalidInput("Invalid input for operation: provider:physical_network specified for vxlan network.")
    if wish.number is None:
        return TunnelKeyRow(network_id=network_id, key=_free_key(session))
    if not 1 <= wish.number <= LARGEST_KEY:
        raise InvalidInput(f"Invalid input for operation: segmentation_id out of range (1 through {LARGEST_KEY}).")
    if session.scalar(select(TunnelKeyRow.key).where(TunnelKeyRow.key == wish.number)) is not None:
        raise TunnelIdInUse(f"Unable to create the network. The tunnel ID {wish.number} is in use.")
    return TunnelKeyRow(network_id=network_id, key=wish.number)


def shown(row: TunnelKeyRow) -> dict[str, Any]:
    """The provider attributes of a network."""
    kind = "vxlan" if row.physical_network is None else "vlan" if row.vlan else "flat"
    return {"provider:network_type": kind, "provider:physical_network": row.physical_network,
            "provider:segmentation_id": row.key if kind == "vxlan" else row.vlan or None}


def _flat(session: Session, wish: Wish, there: PhysicalNetworks) -> None:
    name = wish.physical_network
    if name is None:
        raise InvalidInput("Invalid input for operation: physical_network required for flat provider network.")
    if name not in there.flat:
        raise InvalidInput(f"Invalid input for operation: physical_network '{name}' unknown for flat provider network; "
                           f"the operator names those that are in flat_networks.")
    if wish.number is not None:
        raise InvalidInput("Invalid input for operation: segmentation_id prohibited for flat provider network.")
    if _in_use(session, name, UNTAGGED):
        raise FlatNetworkInUse(f"Unable to create the flat network. Physical network {name} is in use.")


def _vlan(session: Session, wish: Wish, there: PhysicalNetworks) -> tuple[str, int]:
    name = wish.physical_network
    if name is not None and name not in there.vlans:
        raise InvalidInput(f"Invalid input for operation: physical_network '{name}' unknown for VLAN provider network; "
                           f"the operator names those that are in network_vlan_ranges.")
    if wish.number is not None:
        if name is None:
            raise InvalidInput("Invalid input for operation: segmentation_id requires physical_network for VLAN "
                               "provider network.")
        if wish.number not in VLANS:
            raise InvalidInput(f"Invalid input for operation: segmentation_id out of range ({VLANS[0]} through "
                               f"{VLANS[-1]}).")
        if _in_use(session, name, wish.number):
            raise VlanIdInUse(f"Unable to create the network. The VLAN {wish.number} on physical network {name} is in "
                              f"use.")
        return name, wish.number
    if name is not None and not there.vlans[name]:
        raise InvalidInput(f"Invalid input for operation: Physical network {name} requires segmentation_id to be "
                           f"specified when creating a provider network.")
    for candidate in (name,) if name is not None else there.vlans:
        used = set(session.scalars(select(TunnelKeyRow.vlan).where(TunnelKeyRow.physical_network == candidate)))
        for vlans in there.vlans[candidate]:
            free = next((vlan for vlan in vlans if vlan not in used), None)
            if free is not None:
                return candidate, free
    raise NoNetworkAvailable("Unable to create the network. No tenant network is available for allocation: every VLAN "
                             "of network_vlan_ranges is in use.")


def _in_use(session: Session, physical_network: str, vlan: int) -> bool:
    return session.scalar(select(TunnelKeyRow.key).where(
        TunnelKeyRow.physical_network == physical_network, TunnelKeyRow.vlan == vlan)) is not None


def _free_key(session: Session) -> int:
    """One above the highest while there is one, so that a freed key rests; then the lowest gap."""
    highest = session.scalar(select(sql.max(TunnelKeyRow.key))) or 0
    if highest < LARGEST_KEY:
        return highest + 1
    following = TunnelKeyRow.key + 1
    used = select(TunnelKeyRow.key)
    gap = session.scalar(select(sql.min(following)).where(following.not_in(used), following <= LARGEST_KEY))
    if gap is None:
        raise NetworkInUse("All 16,777,215 tunnel keys are in use; delete a network first.")
    return gap
