"""Machines that ask, of many cards at once: `python -m bench.asking` in the cards' namespace.

Standard input is an Order as JSON; what is printed is an Outcome as JSON.
"""
from __future__ import annotations

import json
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass
from typing import Protocol

from naas_sdn.apps import wire
from naas_sdn.apps.dhcp_wire import CLIENT_PORT, SERVER_PORT, Message, Op, Option, Type, build, parse

PATIENCE = 2.0
"""Seconds after which an exchange counts as lost."""

BUFFER = 16 << 20
_RCVBUFFORCE = 33

_PORTS, _CHECKSUM, _XID, _TYPE_OPTION = slice(34, 38), 40, slice(46, 50), 282
"""Where they are in a frame with a DHCP message whose type is its first option."""

_SERVER_TO_CLIENT = SERVER_PORT.to_bytes(2) + CLIENT_PORT.to_bytes(2)


@dataclass(frozen=True, slots=True)
class Order:
    """`exchanges` of a kind of KINDS, spread over `cards` (names and MACs).

    Either `rate` a second, each timed from when it is due, or `at_once`, a new one when another ends. `target` is the
    address that ARP asks for.
    """

    kind: str
    cards: list[tuple[str, int]]
    exchanges: int
    rate: float = 0.0
    at_once: int = 1
    target: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds of each exchange that was completed, of all, and of this process's CPU."""

    taken: list[float]
    lost: int
    elapsed: float
    cpu: float


class Kind(Protocol):
    ethertype: int

    def first(self, number: int, mac: int) -> tuple[int, bytes]:
        """Of exchange N: what names it in answers, and the frame that begins it."""

    def answer(self, frame: bytes) -> tuple[int, bytes | None] | None:
        """Which exchange a frame belongs to, and what to send next, None when that was all; None for others."""


class Dhcp:
    """DISCOVER, OFFER, REQUEST, ACK. What a card sends is made once: the client must not be what is measured."""

    ethertype = 0x0800

    def __init__(self) -> None:
        self._discover: dict[int, bytes] = {}
        self._request: dict[bytes, bytes] = {}

    def first(self, number: int, mac: int) -> tuple[int, bytes]:
        if mac not in self._discover:
            self._discover[mac] = _dhcp(Message(Op.REQUEST, Type.DISCOVER, 0, mac))
        return number, _numbered(self._discover[mac], number)

    def answer(self, frame: bytes) -> tuple[int, bytes | None] | None:
        if frame[_PORTS] != _SERVER_TO_CLIENT or frame[_TYPE_OPTION] != Option.MESSAGE_TYPE:
            return None
        number, kind = int.from_bytes(frame[_XID]), frame[_TYPE_OPTION + 2]
        if kind == Type.ACK:
            return number, None
        return (number, _numbered(self._asked(frame), number)) if kind == Type.OFFER else None

    def _asked(self, offer: bytes) -> bytes:
        """The REQUEST for what is offered."""
        mac = offer[:6]
        if mac not in self._request:
            datagram = wire.parse_udp(offer)
            message = parse(datagram.payload) if datagram is not None else None
            if message is None:
                raise SystemExit("an OFFER that is none")
            self._request[mac] = _dhcp(Message(Op.REQUEST, Type.REQUEST, 0, message.mac, options={
                Option.REQUESTED_ADDRESS: message.yiaddr.to_bytes(4),
                Option.SERVER_IDENTIFIER: message.options[Option.SERVER_IDENTIFIER]}))
        return self._request[mac]


class Arp:
    """A probe (RFC 5227) and its answer; a card asks one at a time."""

    ethertype = 0x0806

    def __init__(self, target: int) -> None:
        self._target = target.to_bytes(4)

    def first(self, number: int, mac: int) -> tuple[int, bytes]:
        own = mac.to_bytes(6)
        return mac, b"\xff" * 6 + own + bytes.fromhex("08060001080006040001") + own + bytes(10) + self._target

    def answer(self, frame: bytes) -> tuple[int, bytes | None] | None:
        return (int.from_bytes(frame[:6]), None) if frame[20:22] == b"\0\2" else None


def _dhcp(message: Message) -> bytes:
    """A frame without a checksum, so that its transaction ID may change."""
    frame = wire.build_udp(wire.Station(message.mac, 0), wire.Station(wire.BROADCAST_MAC, wire.BROADCAST_IP),
                           CLIENT_PORT, SERVER_PORT, build(message))
    return frame[:_CHECKSUM] + b"\0\0" + frame[_CHECKSUM + 2:]


def _numbered(frame: bytes, number: int) -> bytes:
    return frame[:_XID.start] + number.to_bytes(4) + frame[_XID.stop:]


def ask(order: Order) -> Outcome:
    kind: Kind = Dhcp() if order.kind == "dhcp" else Arp(order.target)
    hearing = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind.ethertype))
    hearing.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, BUFFER)
    hearing.setblocking(False)
    cards = []
    for name, mac in order.cards:
        card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        card.bind((name, 0))
        cards.append((card, mac))
    under_way: dict[int, tuple[float, socket.socket]] = {}
    taken: list[float] = []
    lost = following = 0
    begun, used = time.perf_counter(), time.process_time()
    while len(taken) + lost < order.exchanges:
        moment = time.perf_counter()
        while following < order.exchanges:
            due = begun + following / order.rate if order.rate else moment
            if due > moment if order.rate else len(under_way) >= order.at_once:
                break
            card, mac = cards[following % len(cards)]
            following += 1
            key, frame = kind.first(following, mac)
            lost += key in under_way
            under_way[key] = (due, card)
            card.send(frame)
        wait = begun + following / order.rate - moment if order.rate and following < order.exchanges else PATIENCE
        select.select([hearing], [], [], max(0.0, wait))
        _hear(kind, hearing, under_way, taken)
        lost += _given_up(under_way, moment)
    return Outcome(taken, lost, time.perf_counter() - begun, time.process_time() - used)


def _given_up(under_way: dict[int, tuple[float, socket.socket]], moment: float) -> int:
    """How many have waited too long and are forgotten; the oldest are first."""
    count = 0
    while under_way:
        oldest = next(iter(under_way))
        if moment - under_way[oldest][0] <= PATIENCE:
            break
        del under_way[oldest]
        count += 1
    return count


def _hear(kind: Kind, hearing: socket.socket, under_way: dict[int, tuple[float, socket.socket]],
          taken: list[float]) -> None:
    """All that has come."""
    while True:
        try:
            frame = hearing.recv(2048)
        except BlockingIOError:
            return
        found = kind.answer(frame)
        if found is None or found[0] not in under_way:
            continue
        name, reply = found
        since, card = under_way[name]
        if reply is None:
            del under_way[name]
            taken.append(time.perf_counter() - since)
        else:
            card.send(reply)


def main() -> None:
    json.dump(asdict(ask(Order(**json.load(sys.stdin)))), sys.stdout)


if __name__ == "__main__":
    main()
