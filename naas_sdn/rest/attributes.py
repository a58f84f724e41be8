"""The types of attributes: each converts what a client sends, or says what is wrong with it.

A type is a function value -> value that raises Invalid. Neutron's conversions hold: booleans in words, integers in
strings, addresses in any spelling, canonical on the way out. Beside it stands the same in JSON Schema, for the API's
description (rest/openapi.py): what it accepts, and what is shown of it.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from netaddr import EUI, AddrFormatError, mac_unix_expanded

Type = Callable[[Any], Any]
Schema = Mapping[str, Any]
"""JSON Schema 2020-12."""

TRUE = frozenset(("true", "t", "1", "yes", "on", "y"))
FALSE = frozenset(("false", "f", "0", "no", "off", "n"))
WORDS = r"^([Tt]([Rr][Uu][Ee])?|[Ff]([Aa][Ll][Ss][Ee])?|[Yy]([Ee][Ss])?|[Nn][Oo]?|[Oo][Nn]|[Oo][Ff][Ff]|[01])$"
"""TRUE and FALSE as ECMA 262, and so JSON Schema, spells it."""
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LARGEST_LIST = 200
SOME_ID = "3d8f9c1e-6a27-4b0e-9f4d-2c5b7a1e8d60"
"""In examples."""


class Invalid(ValueError):
    """What is wrong, to be told after "Invalid input for ATTRIBUTE. Reason: "."""


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A type with its schemas. `accepts` may be wider than `convert`, never narrower."""

    convert: Type
    accepts: Schema
    shows: Schema

    def __call__(self, value: Any) -> Any:
        return self.convert(value)


def described(accepts: Schema, shows: Schema) -> Callable[[Type], Described]:
    return lambda convert: Described(convert, accepts, shows)


def accepts(of: Type) -> Schema:
    """What a client may send; anything, of a type that does not say."""
    return of.accepts if isinstance(of, Described) else {}


def shows(of: Type) -> Schema:
    """What a client gets."""
    return of.shows if isinstance(of, Described) else {}


def shown(value: Any) -> str:
    """A client's value in an error message, cut to a line."""
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def string(limit: int = 255, *, empty: bool = True) -> Type:
    @described({"type": "string", "maxLength": limit, **({} if empty else {"minLength": 1})}, {"type": "string"})
    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise Invalid(f"{shown(value)} is not a valid string")
        if len(value) > limit:
            raise Invalid(f"{shown(value)} exceeds maximum length of {limit}")
        if not empty and not value.strip():
            raise Invalid("an empty string is not permitted")
        if "\0" in value or any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
            raise Invalid("NUL and lone surrogates are not text")
        return value

    return convert


@described({"anyOf": [{"type": "boolean"}, {"enum": [0, 1]}, {"type": "string", "pattern": WORDS}]},
           {"type": "boolean"})
def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower() if isinstance(value, (str, int)) else ""
    if text in TRUE or text in FALSE:
        return text in TRUE
    raise Invalid(f"{shown(value)} cannot be converted to boolean")


def integer(low: int, high: int) -> Type:
    number = {"type": "integer", "minimum": low, "maximum": high}

    @described({"anyOf": [number, {"type": "string", "pattern": "^-?[0-9]{1,20}$"}]}, number)
    def convert(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, str)) or (
                isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,20}", value)):
            raise Invalid(f"{shown(value)} is not an integer")
        number = int(value)
        if not low <= number <= high:
            raise Invalid(f"{shown(value)} is not in the range {low} through {high}")
        return number

    return convert


def one_of(*values: int) -> Type:
    """Integers, also in strings."""
    number = integer(min(values), max(values))
    text = {"type": "string", "pattern": "^-?[0-9]{1,20}$"}

    @described({"anyOf": [{"enum": list(values)}, text]}, {"enum": list(values)})
    def convert(value: Any) -> int:
        if (found := number(value)) not in values:
            raise Invalid(f"{shown(value)} is not in {list(values)}")
        return int(found)

    return convert


@described({"type": "string", "pattern": f"^{UUID.pattern}$", "examples": [SOME_ID]},
           {"type": "string", "format": "uuid", "examples": [SOME_ID]})
def uuid(value: Any) -> str:
    if not isinstance(value, str) or not UUID.fullmatch(value):
        raise Invalid(f"{shown(value)} is not a valid UUID")
    return value.lower()


@described({"type": "string", "examples": ["fa:16:3e:1c:2d:3f"]},
           {"type": "string", "pattern": "^([0-9a-f]{2}:){5}[0-9a-f]{2}$", "examples": ["fa:16:3e:1c:2d:3f"]})
def mac(value: Any) -> str:
    try:
        address = EUI(value, dialect=mac_unix_expanded) if isinstance(value, str) else None
    except (AddrFormatError, ValueError, IndexError, TypeError):
        address = None
    if address is None or address.version != 48:
        raise Invalid(f"{shown(value)} is not a valid MAC address")
    if int(address) >> 40 & 1 or not int(address):
        raise Invalid(f"{shown(value)} is a group or zero address, which no interface can have")
    return str(address)


@described({"type": "string", "examples": ["10.0.0.5"]}, {"type": "string", "examples": ["10.0.0.5"]})
def ip(value: Any) -> str:
    try:
        if not isinstance(value, str) or "%" in value:
            # A zone is of one machine only (RFC 4007 section 11).
            raise ValueError
        return str(ip_address(value))
    except ValueError as error:
        raise Invalid(f"{shown(value)} is not a valid IP address") from error


@described({"type": "string", "pattern": "/", "examples": ["10.0.0.0/24"]},
           {"type": "string", "pattern": "/", "examples": ["10.0.0.0/24"]})
def cidr(value: Any) -> str:
    try:
        if not isinstance(value, str) or "/" not in value or "%" in value:
            raise ValueError
        return str(ip_network(value, strict=False))
    except ValueError as error:
        raise Invalid(f"{shown(value)} is not a valid IP subnet, such as 192.0.2.0/24") from error


@described({"type": "string", "examples": ["10.0.0.5"]}, {"type": "string", "examples": ["10.0.0.5"]})
def ip_or_cidr(value: Any) -> Any:
    """An address, or the addresses of a prefix."""
    return cidr(value) if isinstance(value, str) and "/" in value else ip(value)


def choice(*values: Any) -> Type:
    @described({"enum": list(values)}, {"enum": list(values)})
    def convert(value: Any) -> Any:
        if not isinstance(value, (str, int)) or value not in values:
            raise Invalid(f"{shown(value)} is not in {list(values)}")
        return value

    return convert


@described({"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 40}, {"type": "null"}],
            "examples": ["tcp"]}, {"type": ["string", "null"], "examples": ["tcp"]})
def protocol(value: Any) -> str | None:
    """A name or a number, which becomes its digits; whether there is such a protocol is for the service to say."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(integer(-2**31, 2**31 - 1)(value))
    return str(string(40)(value))


@described({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^-?[0-9]{1,20}$"}], "examples": [443]},
           {"type": "integer", "examples": [443]})
def port_number(value: Any) -> int:
    """Of 32 bits; which of them are ports is for the service to say, as it depends on the protocol."""
    return int(integer(-2**31, 2**31 - 1)(value))


def nullable(of: Type) -> Type:
    return Described(lambda value: None if value is None else of(value),
                     {"anyOf": [accepts(of), {"type": "null"}]}, {"anyOf": [shows(of), {"type": "null"}]})


def list_of(of: Type, *, unique: bool = False) -> Type:
    """null is the empty list, as for Neutron."""
    @described({"type": ["array", "null"], "items": accepts(of), "maxItems": LARGEST_LIST},
               {"type": "array", "items": shows(of)})
    def convert(value: Any) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise Invalid(f"{shown(value)} is not a list")
        if len(value) > LARGEST_LIST:
            raise Invalid(f"a list of {len(value)} items exceeds {LARGEST_LIST}")
        items = [of(item) for item in value]
        if unique and any(item in items[:index] for index, item in enumerate(items)):
            raise Invalid(f"duplicate items in the list {shown(value)}")
        return items

    return convert


def record(required: Mapping[str, Type], optional: Mapping[str, Type] | None = None) -> Type:
    """An object with just these keys."""
    known = {**required, **(optional or {})}
    closed = {"type": "object", "additionalProperties": False, "required": list(required)}

    @described({**closed, "properties": {name: accepts(of) for name, of in known.items()}},
               {**closed, "properties": {name: shows(of) for name, of in known.items()}})
    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Invalid(f"{shown(value)} is not a dictionary")
        unknown = [key for key in value if key not in known]
        if unknown:
            raise Invalid(f"unexpected keys {shown(unknown)}; known are {sorted(known)}")
        missing = [key for key in required if key not in value]
        if missing:
            raise Invalid(f"{shown(value)} lacks {missing}")
        return {key: known[key](item) for key, item in value.items()}

    return convert


@described({"type": ["object", "null"]}, {"type": "object"})
def free_record(value: Any) -> dict[str, Any]:
    """Any object of at most 4,096 characters; null is the empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(f"{shown(value)} is not a dictionary")
    if len(str(value)) > 4096:
        raise Invalid("the dictionary exceeds 4096 characters")
    string(4096)(str(value))
    return value


NO_DEFAULT: Any = object()
"""The service fills the attribute in."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a resource.

    `flags`: C may be in POST, ! must be, U may be in PUT, F filters, S sorts.
    """

    name: str
    type: Type
    flags: str = ""
    default: Any = NO_DEFAULT

    def __contains__(self, flag: str) -> bool:
        return flag in self.flags
