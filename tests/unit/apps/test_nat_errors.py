"""ICMP errors about packets of floating addresses, as their receivers know them."""
from __future__ import annotations

import random

import pytest

from naas_sdn.apps import wire
from naas_sdn.apps.nat_errors import corrected
from naas_sdn.model.store import Store, View
from naas_sdn.pipeline.tables import Table
from tests.support import topologies
from tests.support.topologies import ip, mac

EXTERNAL, WORLD = 109, 0xC6336409
FIXED, FLOATING = int(ip(1, 11)), int(ip(9, 11))
MACHINE, OUTSIDE = wire.Station(mac(11), FIXED), wire.Station(0xAAAA, WORLD)


@pytest.fixture
def view() -> View:
    store = Store()
    for key, fact in topologies.gatewayed():
        store.put(key, fact)
    return View(store, "hv1")


def error(source: wire.Station, target: wire.Station, quoted: bytes, kind: int = 3) -> bytes:
    body = bytes((kind, 3, 0, 0, 0, 0, 0, 0)) + quoted
    return wire.build_ipv4(source, target, wire.ICMP, body[:2] + wire.checksum(body).to_bytes(2) + body[4:])


def datagram(source: int, target: int) -> bytes:
    return wire.build_udp(wire.Station(1, source), wire.Station(2, target), 5000, 53, b"question")[wire.ETHERNET:]


def quoted(frame: bytes) -> tuple[int, int]:
    """Source and destination, of an error whose checksums are right."""
    packet = wire.parse_ipv4(frame)
    assert packet is not None
    assert wire.checksum(packet.payload) == 0
    inner = packet.payload[8:]
    assert wire.checksum(inner[:20]) == 0
    return int.from_bytes(inner[12:16]), int.from_bytes(inner[16:20])


def test_either_way(view: View) -> None:
    came = corrected(view, EXTERNAL, error(OUTSIDE, MACHINE, datagram(FLOATING, WORLD), 11))
    assert came is not None
    assert (quoted(came[0]), came[1]) == ((FIXED, WORLD), Table.EDGE)
    left = corrected(view, EXTERNAL, error(wire.Station(7, FLOATING), OUTSIDE, datagram(WORLD, FIXED)))
    assert left is not None
    assert (quoted(left[0]), left[1]) == ((WORLD, FLOATING), Table.NEXT_HOP)


@pytest.mark.parametrize(("network", "frame"), [
    (101, error(OUTSIDE, MACHINE, datagram(FLOATING, WORLD))),
    (EXTERNAL, error(OUTSIDE, wire.Station(1, FIXED + 1), datagram(FLOATING, WORLD))),
    (EXTERNAL, error(OUTSIDE, MACHINE, datagram(FLOATING + 1, WORLD))),
    (EXTERNAL, error(OUTSIDE, MACHINE, datagram(FLOATING, WORLD), 8)),
    (EXTERNAL, error(OUTSIDE, MACHINE, datagram(FLOATING, WORLD)[:19])),
    (EXTERNAL, error(wire.Station(7, FLOATING), OUTSIDE, datagram(WORLD, FIXED + 1))),
    (EXTERNAL, error(OUTSIDE, MACHINE, datagram(FLOATING, WORLD))[:-1]),
], ids=str)
def test_what_is_about_nothing_goes_nowhere(view: View, network: int, frame: bytes) -> None:
    assert corrected(view, network, frame) is None


def test_any_bytes(view: View) -> None:
    chance = random.Random(1)
    good = error(OUTSIDE, MACHINE, datagram(FLOATING, WORLD))
    for _ in range(2000):
        bad = bytearray(good[:chance.randint(0, len(good))])
        for _ in range(chance.randint(0, 4)):
            if bad:
                bad[chance.randrange(len(bad))] = chance.randrange(256)
        corrected(view, EXTERNAL, bytes(bad))
