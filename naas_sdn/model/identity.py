"""What identifies a hypervisor, as operators and switches write it: its name, its datapath ID, its tunnel's address."""
from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address

from naas_sdn.errors import InvalidInput

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
DATAPATH_ID = re.compile(r"(0x)?[0-9a-fA-F]{1,16}")


def host_name(text: str) -> str:
    """Raises InvalidInput."""
    if not NAME.fullmatch(text):
        raise InvalidInput(f"{text!r} is not a host name: use letters, digits, dots, hyphens; at most 64.")
    return text


def datapath_id(text: str) -> int:
    """64 bits, not 0, from hexadecimal. Raises InvalidInput."""
    number = int(text, 16) if DATAPATH_ID.fullmatch(text) else 0
    if not number:
        raise InvalidInput(f"Datapath ID {text!r} is not 1 to 16 hexadecimal digits, not all zero.")
    return number


def vtep(text: str) -> IPv4Address:
    """The address of a tunnel's end. Raises InvalidInput."""
    try:
        address = IPv4Address(text)
    except AddressValueError as error:
        raise InvalidInput(f"VTEP {text!r} is not an IPv4 address such as 192.0.2.1.") from error
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        raise InvalidInput(f"VTEP {text} cannot be a tunnel's end: give an address of the host's underlay.")
    return address
