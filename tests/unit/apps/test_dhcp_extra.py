"""A port's own DHCP options: by name or number as bytes, and in the answers to its machine."""
from __future__ import annotations

from dataclasses import replace

import pytest

from naas_sdn.apps.dhcp_options import classless_routes
from naas_sdn.apps.dhcp_wire import Message, Option, Type
from naas_sdn.model import dhcp
from tests.unit.apps.dhcp_case import PORT, ROUTE, Case, ip, request, word


@pytest.mark.parametrize(("name", "value", "told"), [
    ("bootfile-name", "pxelinux.0", (67, b"pxelinux.0")), ("67", "pxelinux.0", (67, b"pxelinux.0")),
    ("dns-server", "192.0.2.1,192.0.2.2", (6, word(ip("192.0.2.1")) + word(ip("192.0.2.2")))),
    ("tftp-server", "192.0.2.1", (66, b"192.0.2.1")), ("mtu", "1400", (26, b"\x05\x78")),
    ("server-ip-address", "192.0.2.1", (dhcp.NEXT_SERVER, word(ip("192.0.2.1")))),
    ("224", "a:0b:ff", (224, b"\x0a\x0b\xff")), ("224", "192.0.2.1", (224, word(ip("192.0.2.1")))),
    ("224", "some text", (224, b"some text")), ("tag:ipxe,67", "x", None), ("nonsense", "x", None), ("-1", "x", None),
])
def test_options_as_bytes(name: str, value: str, told: tuple[int, bytes] | None) -> None:
    assert dhcp.encoded(name, value) == told


@pytest.mark.parametrize(("name", "value"), [
    *((str(code), "x") for code in sorted(dhcp.RESERVED)), ("256", "x"), ("999", "x"),
    ("router", "192.0.2"), ("router", ""), ("mtu", "67"), ("mtu", "65536"), ("mtu", "٣٤٥"), ("hostname", "a b"),
    ("domain-name", "-x"), ("bootfile-name", "a\nb"), ("bootfile-name", "x" * 256), ("224", ""),
])
def test_options_that_cannot_be_told(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        dhcp.encoded(name, value)


def offered(*options: tuple[int, bytes], **asked: bytes) -> Message:
    answer = Case(replace(PORT, dhcp_options=options)).ask(
        request(Type.DISCOVER, options={Option.PARAMETERS: asked["wanted"]} if asked else {}))
    assert answer is not None
    return answer[1]


def test_a_port_s_options_are_told_beside_its_subnet_s_and_instead() -> None:
    plain, extra = offered(), offered((67, b"pxelinux.0"), (Option.MTU, b"\x05\x78"))
    assert extra.options == {**plain.options, 67: b"pxelinux.0", Option.MTU: b"\x05\x78"}
    assert (plain.siaddr, extra.siaddr) == (0, 0)
    listed = offered((67, b"pxelinux.0"), wanted=bytes((67, 3)))
    codes = [code for code in listed.options if code in (1, 3, 67)]
    assert codes == [1, 67, 3]


def test_the_next_server_is_in_the_header() -> None:
    told = offered((dhcp.NEXT_SERVER, word(ip("192.0.2.9"))))
    assert told.siaddr == ip("192.0.2.9")
    assert dhcp.NEXT_SERVER not in told.options
    assert told.options == offered().options


def test_another_router_is_the_default_route_too() -> None:
    told = offered((Option.ROUTERS, word(ip("10.0.0.254"))))
    assert told.options[Option.ROUTERS] == word(ip("10.0.0.254"))
    default = b"\x00" + word(ip("10.0.0.254"))
    assert told.options[Option.CLASSLESS_ROUTES] == classless_routes((ROUTE,)) + default


def test_they_go_before_what_is_left_out_of_a_small_answer() -> None:
    options = tuple((code, bytes(200)) for code in (224, 225))
    told = offered(*options, (226, bytes(250)))
    assert {1, 224}.issubset(told.options)
    assert 226 not in told.options
