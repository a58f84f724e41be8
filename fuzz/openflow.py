"""OpenFlow messages, as bytes from a socket through the whole connection; and bodies, through every decoder.

The seeds are what a real Open vSwitch sent (recorded.py). A message is a byte that says how far the connection is, and
the stream that comes then.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

from os_ken.base.app_manager import AppManager
from os_ken.controller.handler import MAIN_DISPATCHER

from fuzz.cloud import running
from fuzz.kind import Kind, Take
from fuzz.mutation import mutate
from fuzz.recorded import seeds
from naas_sdn import runtime
from naas_sdn.engine.contract import Dump
from naas_sdn.engine.engine import Engine
from naas_sdn.southbound import codec, guard
from naas_sdn.southbound import constants as of
from naas_sdn.southbound.app import OpenFlowApp
from naas_sdn.southbound.connection import Connection
from naas_sdn.southbound.switch import OpenFlowSwitch

STRANGER, IN_HANDSHAKE, ADMITTED = range(3)

DRAIN = 64
"""Messages after which green threads get their turn."""


class Script:
    """A socket that has `stream` to read, in pieces of `piece` bytes, and takes whatever is written."""

    def __init__(self, stream: bytes, piece: int = 1 << 18) -> None:
        self._stream = stream
        self._piece = piece
        self._at = 0

    def recv(self, most: int) -> bytes:
        start = self._at
        self._at = start + min(most, self._piece)
        return self._stream[start:self._at]

    @property
    def fd(self) -> Script:
        """The socket beneath, as eventlet's have one."""
        return self

    def send(self, data: bytes) -> int:
        return len(data)

    def sendall(self, data: bytes) -> None: ...

    def setsockopt(self, *option: int) -> None: ...

    def settimeout(self, seconds: float | None) -> None: ...

    def shutdown(self, how: int) -> None: ...

    def close(self) -> None: ...


def _mended(chance: Random, frame: bytes) -> bytes:
    """Mostly with the header of a message that goes further than the first check."""
    if len(frame) < guard.HEADER or chance.random() < 0.05:
        return frame
    return bytes((of.VERSION,)) + frame[1:2] + (len(frame) & 0xFFFF).to_bytes(2) + frame[4:]


def conversation() -> Callable[[Random], bytes]:
    known = seeds()
    handshake = b"".join(seed.message for seed in known[:4])

    def make(chance: Random) -> bytes:
        state = chance.choice((STRANGER, IN_HANDSHAKE, ADMITTED, ADMITTED, ADMITTED, ADMITTED))
        before = chance.choice((b"", handshake, chance.choice(known).message)) if state != IN_HANDSHAKE else b""
        wrong = _mended(chance, mutate(chance, chance.choice(known), known))
        return bytes((state,)) + before + wrong + chance.choice((b"", chance.choice(known).message))

    return make


@contextmanager
def connections() -> Iterator[Take]:
    """Each message meets a new connection, behind which are the real engine and a small cloud."""
    manager = AppManager()
    manager.instantiate(OpenFlowApp)
    taken = 0
    try:
        with running() as engine:
            def take(data: bytes) -> None:
                nonlocal taken
                taken += 1
                _converse(engine, data, taken)
                if taken % DRAIN == 0:
                    runtime.sleep()

            yield take
    finally:
        manager.close()


def _converse(engine: Engine, data: bytes, number: int) -> None:
    connection = Connection(Script(data[1:], 1 << 18 if number % 8 else 7), ("192.0.2.99", 1), lambda ready: None)
    if data[:1] >= bytes((IN_HANDSHAKE,)):
        connection.set_state(MAIN_DISPATCHER)
    if data[:1] >= bytes((ADMITTED,)):
        switch = OpenFlowSwitch(connection, "hv1")
        connection.admitted = True
        connection.on_packet_in = lambda punt: engine.packet_in(switch, punt)
        connection.on_ports = lambda: engine.links(switch, switch.links())
        connection.on_foreign_change = lambda: engine.changed_behind(switch, connection.changes)
    for xid in _asked(data):
        connection.requests.open(xid)
    with suppress(guard.Malformed):
        connection.serve()


def _asked(data: bytes) -> Iterable[int]:
    """What the first message answers has been asked."""
    return (int.from_bytes(data[5:9]),) if len(data) >= 9 else ()


DECODERS: tuple[Callable[[bytes], Any], ...] = (
    lambda body: list(codec.flow_stats(body)), lambda body: list(codec.meter_config(body)),
    lambda body: list(codec.foreign_changes(body)), codec.description,
    lambda body: codec.read_flows(body, Dump()), lambda body: list(codec.table_counts(body)),
    lambda body: list(codec.meter_drops(body)), lambda body: list(codec.port_drops(body)),
)


def bodies() -> Callable[[Random], bytes]:
    known = [seed for seed in seeds() if seed.message[1] in (of.MULTIPART_REPLY, of.PACKET_IN)]
    return lambda chance: mutate(chance, chance.choice(known), known)


@contextmanager
def decoders() -> Iterator[Take]:
    """Each body meets every decoder, whatever kind it was of."""
    def take(frame: bytes) -> None:
        for decode in DECODERS:
            with suppress(guard.Malformed):
                decode(frame[16:])
        if len(frame) >= guard.SMALLEST[of.PACKET_IN]:
            with suppress(guard.Malformed):
                codec.packet_in(frame)

    yield take


KINDS = (Kind("OpenFlow, a connection", conversation(), connections, 3000, guided=True),
         Kind("OpenFlow, the decoders", bodies(), decoders, 2000, guided=True))
