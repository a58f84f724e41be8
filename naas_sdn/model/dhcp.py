"""DHCPv4 options by the names that Neutron's clients know them by (dnsmasq's), and their values as bytes."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address

from naas_sdn.errors import ConfigurationError

SERVER_IP_ADDRESS = "server-ip-address"
"""No option, but the header's field `siaddr`: where the next server of a boot is."""

NEXT_SERVER = 0
"""Stands for it among codes; option 0 is padding, which nobody asks for."""

_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\Z")
"""RFC 1123 section 2.1. Clients pass names to shell scripts, so no other text is told as one."""

def require_domain(name: str) -> None:
    """Raises ConfigurationError unless it is empty, for none, or a domain name."""
    if name and not HOST_NAME.match(name):
        raise ConfigurationError(f"Domain {name!r} to hand out is not a domain name (RFC 1123).")


_TEXT = re.compile(r"[\x20-\x7e]{1,255}\Z")
_BYTES = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2})+\Z")


def _addresses(value: str) -> bytes:
    try:
        return b"".join(IPv4Address(part.strip()).packed for part in value.split(","))
    except AddressValueError as error:
        raise ValueError(f"'{value}' is no IPv4 address, nor several with commas between") from error


def _one_address(value: str) -> bytes:
    packed = _addresses(value)
    if len(packed) != 4:
        raise ValueError(f"'{value}' is more than one address")
    return packed


def _text(value: str) -> bytes:
    if not _TEXT.match(value):
        raise ValueError("it is not 1 to 255 printable ASCII characters")
    return value.encode("ascii")


def _name(value: str) -> bytes:
    if not HOST_NAME.match(value):
        raise ValueError(f"'{value}' is not a host name (RFC 1123)")
    return value.encode("ascii")


def _mtu(value: str) -> bytes:
    if not re.fullmatch("[0-9]{2,5}", value) or not 68 <= int(value) <= 0xFFFF:
        raise ValueError(f"'{value}' is not 68 to 65535 (RFC 2132 section 5.1)")
    return int(value).to_bytes(2)


def _any(value: str) -> bytes:
    """What it looks like: addresses, bytes in hexadecimal with colons, or else text."""
    if _BYTES.match(value):
        return bytes(int(part, 16) for part in value.split(":"))
    try:
        return _addresses(value)
    except ValueError:
        return _text(value)


_NAMED: Mapping[str, tuple[int, Callable[[str], bytes]]] = {
    SERVER_IP_ADDRESS: (NEXT_SERVER, _one_address),
    "router": (3, _addresses), "time-server": (4, _addresses), "dns-server": (6, _addresses),
    "log-server": (7, _addresses), "lpr-server": (9, _addresses), "hostname": (12, _name), "domain-name": (15, _name),
    "root-path": (17, _text), "extension-path": (18, _text), "mtu": (26, _mtu), "nis-domain": (40, _text),
    "nis-server": (41, _addresses), "ntp-server": (42, _addresses), "vendor-encap": (43, _any),
    "netbios-ns": (44, _addresses), "vendor-class": (60, _text), "tftp-server": (66, _text),
    "bootfile-name": (67, _text), "smtp-server": (69, _addresses), "tftp-server-address": (150, _addresses),
}
_BY_CODE = {code: value for code, value in _NAMED.values() if code != NEXT_SERVER}

RESERVED = frozenset((0, 1, *range(50, 60), 61, 82, 121, 249, 255))
"""What the protocol says itself, or the subnet: its mask and routes."""


def encoded(name: str, value: str) -> tuple[int, bytes] | None:
    """The code (NEXT_SERVER for the header's field) and the value of a DHCPv4 option; None for a name not known.

    `name` may be the code's number. Raises ValueError, which says why the value, or the option, cannot be told.
    """
    if name in _NAMED:
        code, convert = _NAMED[name]
        return code, convert(value)
    if not re.fullmatch("[0-9]{1,3}", name):
        return None
    code = int(name)
    if code in RESERVED or code > 255:
        raise ValueError(f"option {code} is not given by ports")
    return code, _BY_CODE.get(code, _any)(value)
