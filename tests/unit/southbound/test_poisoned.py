"""A hypervisor that was admitted and is hostile: what it makes the controller keep, tell and do is bounded."""
from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from naas_sdn import runtime
from naas_sdn.engine.contract import Disconnected
from naas_sdn.southbound.app import Southbound
from naas_sdn.southbound.connection import QUEUE_SOFT, Connection
from naas_sdn.southbound.switch import OpenFlowSwitch
from tests.support.attacker import attack, is_closed
from tests.support.fleet import RecordingFleet, southbound, until
from tests.unit.southbound.test_hostile import HELLO, PORTS, frame


@pytest.fixture
def south() -> Iterator[tuple[Southbound, RecordingFleet]]:
    with southbound() as both:
        yield both


def admitted_peer(south: tuple[Southbound, RecordingFleet], wait: bool = True, number: int = 2) -> socket.socket:
    """A connection that is hv2, or another, and does no more than it must to be admitted."""
    sock = attack(south[0])
    sock.sendall(HELLO + frame(6, struct.pack("!QIBBxxII", number, 0, 254, 0, 0, 0)) + PORTS)
    asked = bytearray()

    def description() -> bytes | None:
        nonlocal asked
        asked += sock.recv(4096)
        offset = 0
        while offset + 8 <= len(asked):
            _, kind, size, _ = struct.unpack_from("!BBHI", asked, offset)
            if kind == 18 and asked[offset + 8:offset + 10] == b"\0\0":
                return bytes(asked[offset + 4:offset + 8])
            offset += size
        return None

    xid = until(description)
    body = struct.pack("!HH4x", 0, 0) + bytes(800) + f"hv{number};vtep=192.0.2.2".encode().ljust(256, b"\0")
    sock.sendall(struct.pack("!BBH", 4, 19, 8 + len(body)) + xid + body)
    if wait:
        until(lambda: f"hv{number}" in south[1].switches)
    return sock


def connection(south: tuple[Southbound, RecordingFleet]) -> Connection:
    switch = south[1].switches["hv2"]
    assert isinstance(switch, OpenFlowSwitch)
    return switch._connection


def port_status(number: int, reason: int = 0) -> bytes:
    return frame(12, struct.pack("!B7xI4x6s2x16s8I", reason, number, bytes(6), b"tap%x" % number, *(8 * [0])))


def test_a_storm_of_ports_is_told_seldom_and_told_right(
        south: tuple[Southbound, RecordingFleet], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, int]] = []
    monkeypatch.setattr(south[1], "links", lambda switch, links: told.append(links))
    with admitted_peer(south) as sock:
        storm = b"".join(port_status(number) + port_status(number, 1) for number in range(1, 2000))
        sock.sendall(storm + port_status(7) + port_status(7))
        until(lambda: told and told[-1] == {"tap7": 7})
        assert len(told) < 100
        before = len(told)
        sock.sendall(port_status(7) * 100 + port_status(8))
        until(lambda: told[-1] == {"tap7": 7, "tap8": 8})
        assert len(told) == before + 1, "what changes nothing is not told"


def test_ports_without_end_end_the_connection(
        south: tuple[Southbound, RecordingFleet], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naas_sdn.southbound.connection.MOST_PORTS", 10)
    with admitted_peer(south) as sock:
        sock.sendall(b"".join(map(port_status, range(1, 20))))
        assert is_closed(sock)


def test_an_answer_without_end_ends_the_connection(
        south: tuple[Southbound, RecordingFleet], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naas_sdn.southbound.connection.ANSWER_LIMIT", 10_000)
    with admitted_peer(south) as sock:
        future = connection(south).requests.open(99)
        part = struct.pack("!BBHIHH4x", 4, 19, 16, 99, 1, 1)
        sock.sendall(part * 2000)
        assert is_closed(sock)
        with pytest.raises(Disconnected):
            future.wait(1)


def test_errors_that_nobody_asked_for_are_few(
        south: tuple[Southbound, RecordingFleet], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naas_sdn.southbound.connection.ERRORS_KEPT", 10)
    with admitted_peer(south) as sock:
        sock.sendall(b"".join(struct.pack("!BBHIHH", 4, 1, 12, xid, 5, 1) for xid in range(1000, 1100)))
        until(lambda: list(connection(south).requests.errors) == list(range(1090, 1100)))


def test_who_comes_again_and_again_waits(south: tuple[Southbound, RecordingFleet]) -> None:
    def refused() -> bool:
        with admitted_peer(south, wait=False) as sock:
            before = south[0].counts["restless"]
            until(lambda: "hv2" in south[1].switches or south[0].counts["restless"] > before)
            told = south[0].counts["restless"] > before
            assert not told or is_closed(sock)
        until(lambda: "hv2" not in south[1].switches)
        return told

    until(refused)


def test_five_hundred_come_at_once_and_none_is_refused(south: tuple[Southbound, RecordingFleet]) -> None:
    numbers = range(1, 501)
    south[1].names = {number: f"hv{number}" for number in numbers}
    peers: list[socket.socket] = []
    for number in numbers:
        runtime.spawn(lambda number: peers.append(admitted_peer(south, number=number)), number)
    until(lambda: len(peers) == len(numbers), seconds=30)
    assert not south[0].counts
    for peer in peers:
        peer.close()


def test_a_stranger_may_leave_little_unread(south: tuple[Southbound, RecordingFleet]) -> None:
    with attack(south[0]) as sock:
        sock.sendall(HELLO)
        until(lambda: south[0]._listener._strange)
        [stranger] = [one for one in south[0]._listener._strange if one.is_active]
        # The kernel takes some megabytes first.
        stranger.send(bytes(32 * QUEUE_SOFT))
        assert is_closed(sock)
