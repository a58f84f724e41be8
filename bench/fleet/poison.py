"""Hostile peers in a process of their own: `python -m bench.fleet.poison WHAT PORT NUMBER VTEP [KEY ...]`.

Hypervisor hvNUMBER connects to the controller on 127.0.0.1:PORT as a switch should, is admitted, and then does WHAT
for as long as it lives, coming back whenever it is cut off. KEYs are of its ports. `silent` is no switch: 10,000
connections from 127.0.0.0/8 that say nothing, each tried again when it is closed. A line is printed when it begins.
"""
from __future__ import annotations

import asyncio
import os
import random
import struct
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress

from bench.fleet import openflow as of
from bench.fleet.switch import Switch
from fuzz.mutation import mutate
from fuzz.recorded import seeds
from naas_sdn.apps import wire
from naas_sdn.apps.dhcp_wire import CLIENT_PORT, SERVER_PORT, Message, Op, Type, build
from naas_sdn.pipeline.tables import Reason

SILENT = 10_000
AGAIN = 0.02
"""Seconds between attempts to connect."""

PATIENT = 5
"""Seconds before a silent connection that was closed is tried again."""

BLOCK = 64 << 10
"""Bytes written at once."""


def message(kind: int, xid: int, body: bytes) -> bytes:
    return struct.pack("!BBHI", 4, kind, 8 + len(body), xid) + body


def garbage(chance: random.Random, keys: list[int]) -> Iterable[bytes]:
    known = seeds()
    while True:
        wrong = mutate(chance, chance.choice(known), known)
        yield wrong[:1] + wrong[1:2] + (len(wrong) & 0xFFFF).to_bytes(2) + wrong[4:]


def packet_ins(chance: random.Random, keys: list[int]) -> Iterable[bytes]:
    """DISCOVERs of its own ports, whose answers nobody needs."""
    source, target = wire.Station(0xFA163E000001, 0), wire.Station(wire.BROADCAST_MAC, wire.BROADCAST_IP)
    frame = wire.build_udp(source, target, CLIENT_PORT, SERVER_PORT,
                           build(Message(Op.REQUEST, Type.DISCOVER, 7, source.mac)))
    while True:
        fields = struct.pack("!IIII", 0x00010204, chance.choice(keys), 0x00010C04, Reason.DHCP)
        head = struct.pack("!IHBBQHH", 0xFFFFFFFF, len(frame), 1, 95, 77, 1, 4 + len(fields)) + fields
        yield message(of.PACKET_IN, 0, head + bytes(-(4 + len(fields)) % 8 + 2) + frame)


def ports(chance: random.Random, keys: list[int]) -> Iterable[bytes]:
    """Ports that come and go."""
    while True:
        number = chance.randrange(1000, 5000)
        for reason in (of.PORT_ADDED, of.PORT_DELETED):
            yield message(of.PORT_STATUS, 0, struct.pack("!B7xI4x6s2x16s8I", reason, number, b"\2" * 6,
                                                      f"tap{number:x}".encode(), *(8 * [0])))


def errors(chance: random.Random, keys: list[int]) -> Iterable[bytes]:
    """For transactions that were, are, or will be."""
    while True:
        yield message(of.ERROR, chance.getrandbits(31), struct.pack("!HH", 5, 1) + bytes(64))


def changes(chance: random.Random, keys: list[int]) -> Iterable[bytes]:
    """Somebody else's, by the flow monitor."""
    while True:
        updates = b"".join(struct.pack("!HHHHHHHBxQHHI", 32, chance.randrange(3), 0, 0, 5, 0, 4, 60,
                                       chance.getrandbits(64), 1, 4, 0) for _ in range(100))
        yield message(of.MULTIPART_REPLY, 0, struct.pack("!HH4xII", of.EXPERIMENTAL, 0, of.ONF, of.MONITOR) + updates)


FLOODS: dict[str, Callable[[random.Random, list[int]], Iterable[bytes]]] = {
    "garbage": garbage, "packet-ins": packet_ins, "ports": ports, "errors": errors, "changes": changes}
ENDLESS = "endless answers"
WHATS = (*FLOODS, ENDLESS, "silent")


class Poison(Switch):
    """A good switch until it is asked for its flow monitor, which is when it has been admitted."""

    def __init__(self, what: str, number: int, vtep: str, keys: list[int]) -> None:
        super().__init__(number, f"hv{number}", vtep, ["vxlan0", "if1"], lambda switch, size: None)
        self._what = what
        self._keys = keys
        self._chance = random.Random(what)
        self._flood: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._writable.set()
        if self._flood is not None:
            self._flood.cancel()
            self._flood = None

    def _report(self, xid: int, body: bytes) -> None:
        (kind,) = struct.unpack_from("!H", body)
        if kind in (of.DESC, of.PORTS) or (self._what != ENDLESS and kind != of.EXPERIMENTAL):
            super()._report(xid, body)
        elif self._flood is None:
            print("under way", flush=True)
            source = self._endless(xid, kind) if self._what == ENDLESS else FLOODS[self._what](self._chance, self._keys)
            self._flood = asyncio.get_running_loop().create_task(self._pour(source))

    def _endless(self, xid: int, kind: int) -> Iterable[bytes]:
        entry = struct.pack("!HBxIIHHHH4xQQQHHI", 56, 60, 1, 2, 100, 0, 0, 0, 77, 5, 500, 1, 4, 0)
        part = message(of.MULTIPART_REPLY, xid, struct.pack("!HH4x", kind, 1) + entry * (1000 * (kind == of.FLOWS)))
        while True:
            yield part

    async def _pour(self, source: Iterable[bytes]) -> None:
        block, size = [], 0
        for piece in source:
            block.append(piece)
            size += len(piece)
            if size < BLOCK:
                continue
            await self._writable.wait()
            if self._transport is None:
                return
            self._transport.write(b"".join(block))
            block, size = [], 0
            await asyncio.sleep(0)


async def poison(what: str, port: int, number: int, vtep: str, keys: list[int]) -> None:
    switch, loop = Poison(what, number, vtep, keys), asyncio.get_running_loop()
    while True:
        if not switch.is_connected:
            with suppress(OSError):
                await loop.create_connection(lambda: switch, "127.0.0.1", port)
        await asyncio.sleep(AGAIN)


async def silent(port: int) -> None:
    async def keep(number: int) -> None:
        address = f"127.1.{number >> 8}.{number & 255 or 1}"
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
                while await reader.read(4096):
                    pass
                writer.close()
            await asyncio.sleep(PATIENT)

    keeping = [asyncio.create_task(keep(number)) for number in range(SILENT)]
    await asyncio.sleep(2)
    print("under way", flush=True)
    await asyncio.gather(*keeping)


if __name__ == "__main__":
    # He would have a machine of his own.
    os.nice(19)
    if sys.argv[1] == "silent":
        asyncio.run(silent(int(sys.argv[2])))
    else:
        asyncio.run(poison(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4],
                           [int(key) for key in sys.argv[5:]] or [0]))
