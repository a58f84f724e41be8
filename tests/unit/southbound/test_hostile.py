"""Whoever can reach the OpenFlow port may send anything: his connection ends and is counted, others do not notice."""
from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import pytest

from naas_sdn import runtime
from naas_sdn.southbound.app import Southbound
from tests.support.attacker import attack, is_closed
from tests.support.fleet import RecordingFleet, southbound, until
from tests.support.ovs import DummySwitch

HELLO = bytes.fromhex("04000008 00000001")
HALF_OPEN = 8


def frame(kind: int, body: bytes = b"", size: int | None = None, version: int = 4) -> bytes:
    return struct.pack("!BBHI", version, kind, 8 + len(body) if size is None else size, 7) + body


FEATURES = frame(6, struct.pack("!QIBBxxII", 77, 0, 254, 0, 0, 0))
PORTS = frame(19, struct.pack("!HH4x", 13, 0))


@pytest.fixture(scope="module")
def south() -> Iterator[tuple[Southbound, RecordingFleet]]:
    with southbound(handshake_timeout=0.5, half_open=HALF_OPEN, echo_interval=0.3) as both:
        yield both


@pytest.fixture(scope="module")
def good(south: tuple[Southbound, RecordingFleet]) -> Iterator[DummySwitch]:
    """A switch that goes on whatever happens beside it."""
    with DummySwitch(1, "hv1;vtep=192.0.2.1") as ovs:
        ovs.set_controller(f"tcp:127.0.0.1:{south[0].port}")
        until(lambda: "hv1" in south[1].switches)
        yield ovs


@pytest.fixture(autouse=True)
def others_do_not_notice(south: tuple[Southbound, RecordingFleet], good: DummySwitch) -> Iterator[None]:
    switch, gone = south[1].switches["hv1"], list(south[1].gone)
    yield
    assert south[1].switches["hv1"] is switch
    assert switch.dump().flows == {}
    assert south[1].gone == gone


BAD = {
    "noise": os.urandom(4096),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + bytes(190),
    "zero length": frame(0, size=0),
    "shorter than a header": frame(0, size=7),
    "another version": frame(0, version=6),
    "openflow 1.0": frame(0, version=1),
    "zero-length HELLO elements": frame(0, bytes(4)),
    "HELLO element beyond its end": frame(0, struct.pack("!HH", 1, 4000)),
    "half a HELLO element": frame(0, b"\0\1"),
    "a flow-mod": HELLO + frame(14, bytes(48)),
    "a packet-in too early": HELLO + frame(10, bytes(60)),
    "an experimenter too early": HELLO + frame(4, bytes(16)),
    "features cut short": HELLO + frame(6, bytes(10)),
    "features too long": HELLO + frame(6, bytes(60)),
    "ports that are no whole number": HELLO + FEATURES + frame(19, struct.pack("!HH4x", 13, 0) + bytes(63)),
    "statistics nobody asked for": HELLO + FEATURES + frame(19, struct.pack("!HH4x", 8, 0) + bytes(8)),
    "a multipart reply without a type": HELLO + FEATURES + frame(19, b""),
    "a port status cut short": HELLO + FEATURES + frame(12, bytes(20)),
    "a description cut short": HELLO + FEATURES + PORTS + frame(19, struct.pack("!HH4x", 0, 0) + b"x"),
}


@pytest.mark.parametrize("attempt", BAD)
def test_bad_bytes_end_their_connection_only(south: tuple[Southbound, RecordingFleet], attempt: str) -> None:
    before = sum(south[0].counts.values())
    with attack(south[0]) as sock:
        sock.sendall(BAD[attempt])
        assert is_closed(sock)
    until(lambda: sum(south[0].counts.values()) > before)


def test_a_slow_drip_is_cut_off(south: tuple[Southbound, RecordingFleet]) -> None:
    with attack(south[0]) as sock:
        try:
            for byte in HELLO * 100:
                sock.sendall(bytes((byte,)))
                runtime.sleep(0.05)
        except OSError:
            pass
        else:
            raise AssertionError("a drip of bytes kept its connection")
    assert south[0].counts["silent"]


def test_half_open_connections_are_few_and_short(south: tuple[Southbound, RecordingFleet]) -> None:
    refused = south[0].counts["half-open"]
    silent = [attack(south[0]) for _ in range(HALF_OPEN)]
    runtime.sleep(0.05)
    with attack(south[0]) as late:
        assert is_closed(late)
    assert south[0].counts["half-open"] == refused + 1
    for sock in silent:
        assert is_closed(sock)
        sock.close()
    with attack(south[0]) as sock:
        sock.sendall(HELLO)
        assert sock.recv(8)[:2] == b"\4\0", "the cap is free again"


def test_five_hundred_at_once(south: tuple[Southbound, RecordingFleet]) -> None:
    for _ in range(5):
        swarm = [attack(south[0]) for _ in range(100)]
        for sock in swarm:
            sock.close()
    until(lambda: greeted(south[0]))


def greeted(south: Southbound) -> bool:
    with attack(south) as sock:
        return sock.recv(8)[:2] == b"\4\0"


def test_a_peer_that_never_reads_is_bounded(south: tuple[Southbound, RecordingFleet]) -> None:
    """Echo requests are answered into a queue; his own kernel's buffer is all he gets."""
    with attack(south[0]) as sock:
        sock.sendall(HELLO)
        sock.setblocking(False)
        echo = frame(2, bytes(60_000))
        for _ in range(3000):
            try:
                sock.send(echo)
            except BlockingIOError:
                runtime.sleep(0.005)
            except OSError:
                break
    until(lambda: len(south[0]._listener._connections) == 1)
