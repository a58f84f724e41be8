"""DHCP options of both IP versions, by dnsmasq's names, which Neutron's clients know, and their values as bytes."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address

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


def domain_name(name: str) -> bytes:
    """As DNS writes it (RFC 1035 section 3.1)."""
    return b"".join(bytes((len(label),)) + label.encode("ascii") for label in name.split(".")) + b"\0"


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


def _addresses6(value: str) -> bytes:
    try:
        return b"".join(IPv6Address(part.strip().strip("[]")).packed for part in value.split(","))
    except AddressValueError as error:
        raise ValueError(f"'{value}' is no IPv6 address, nor several with commas between") from error


def _names(value: str) -> bytes:
    return b"".join(domain_name(_name(part.strip()).decode()) for part in value.split(","))


def _seconds(value: str) -> bytes:
    if not re.fullmatch("[0-9]{1,10}", value) or not 600 <= int(value) <= 0xFFFFFFFF:
        raise ValueError(f"'{value}' is not 600 to 4294967295 seconds (RFC 8415 section 21.23)")
    return int(value).to_bytes(4)


def _ntp(value: str) -> bytes:
    """RFC 5908: each server's address is an option within the option."""
    packed = _addresses6(value)
    return b"".join(b"\0\1\0\x10" + packed[at:at + 16] for at in range(0, len(packed), 16))


def _parameters(value: str) -> bytes:
    """RFC 5970 section 3.2: each with its length."""
    return b"".join(len(text).to_bytes(2) + text for text in (_text(part.strip()) for part in value.split(",")))


def _any6(value: str) -> bytes:
    """What it looks like: addresses, bytes in hexadecimal with colons, or else text."""
    try:
        return _addresses6(value)
    except ValueError:
        return bytes(int(part, 16) for part in value.split(":")) if _BYTES.match(value) else _text(value)


_NAMED6: Mapping[str, tuple[int, Callable[[str], bytes]]] = {
    "sip-server-domain": (21, _names), "sip-server": (22, _addresses6), "dns-server": (23, _addresses6),
    "domain-search": (24, _names), "nis-server": (27, _addresses6), "nis+-server": (28, _addresses6),
    "nis-domain": (29, _names), "nis+-domain": (30, _names), "sntp-server": (31, _addresses6),
    "information-refresh-time": (32, _seconds), "posix-timezone": (41, _text), "ntp-server": (56, _ntp),
    "bootfile-url": (59, _text), "bootfile-param": (60, _parameters),
}
_BY_CODE6 = dict(_NAMED6.values())

RESERVED6 = frozenset((*range(10), *range(11, 15), 18, 19, 20, 25, 26, 39))
"""What the protocol says itself."""


def encoded(name: str, value: str, version: int = 4) -> tuple[int, bytes] | None:
    """The code (NEXT_SERVER for the header's field) and the value of an option; None for a name not known.

    `name` may be the code's number. Raises ValueError, which says why the value, or the option, cannot be told.
    """
    known = _NAMED if version == 4 else _NAMED6
    if name in known:
        code, convert = known[name]
        return code, convert(value)
    if not re.fullmatch("[0-9]{1,5}", name):
        return None
    code = int(name)
    reserved, largest = (RESERVED, 255) if version == 4 else (RESERVED6, 0xFFFF)
    if code in reserved or code > largest:
        raise ValueError(f"option {code} is not given by ports")
    by_code = _BY_CODE if version == 4 else _BY_CODE6
    return code, by_code.get(code, _any if version == 4 else _any6)(value)
