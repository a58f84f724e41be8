"""A port's allowed address pairs: what its machine may send as, besides its own addresses."""
from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from naas_sdn.db.rows import PortRow
from naas_sdn.errors import (
    AddressPairAndPortSecurityRequired,
    AllowedAddressPairExhausted,
    DuplicateAddressPairInRequest,
    InvalidInput,
)
from naas_sdn.service.contract import Attributes

MOST = 10


def shown(row: PortRow, pairs: list[Any]) -> list[Attributes]:
    """As the API tells them. A pair without a MAC is of the port's, whatever that becomes."""
    return [{"ip_address": pair["ip_address"], "mac_address": pair["mac_address"] or row.mac_address}
            for pair in pairs]


def set_pairs(row: PortRow, wanted: list[Attributes]) -> None:
    """Give the port these pairs ([{ip_address, mac_address?}], addresses or ranges) and no others.

    Raises AllowedAddressPairExhausted, DuplicateAddressPairInRequest and InvalidInput.
    """
    if len(wanted) > MOST:
        raise AllowedAddressPairExhausted(f"The number of allowed address pairs exceeds the maximum {MOST}.")
    pairs = [{"ip_address": pair["ip_address"], "mac_address": pair.get("mac_address")} for pair in wanted]
    for pair in pairs:
        if ip_network(pair["ip_address"]).is_multicast:
            raise InvalidInput(f"Invalid input for allowed_address_pairs: {pair['ip_address']} is multicast, which "
                               f"nothing sends from.")
        if pair["mac_address"] == row.mac_address:
            pair["mac_address"] = None
    known = {(str(ip_network(pair["ip_address"])), pair["mac_address"]) for pair in pairs}
    if len(known) < len(pairs):
        raise DuplicateAddressPairInRequest("Request contains a duplicate address pair: each is of another address "
                                            "or another MAC.")
    row.allowed_address_pairs = pairs


def require_security(row: PortRow) -> None:
    """Raises AddressPairAndPortSecurityRequired: what a port without port security sends is not looked at."""
    if row.allowed_address_pairs and not row.port_security_enabled:
        raise AddressPairAndPortSecurityRequired(
            f"Port security must be enabled in order to have allowed address pairs on a port; port {row.id} has "
            f"{len(row.allowed_address_pairs)}.")
