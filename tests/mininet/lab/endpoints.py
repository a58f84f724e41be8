"""The two ends of a flow, run in machines: `send PORT SECONDS AT_LEAST ADDRESS...` and `receive PORT`.

The sender sends every address one numbered datagram each SECONDS, never two within half of that, and keeps one TCP
connection with each. SIGTERM ends either: the sender when it has sent AT_LEAST, the receiver when all is quiet. Both
then print what they know as JSON.
"""
from __future__ import annotations

import hashlib
import json
import selectors
import signal
import socket
import struct
import sys
import time
from types import FrameType
from typing import Any

ROUND = 10
"""Datagrams to one piece of the stream."""
PIECE = 8192
QUIET = 1.0
"""Seconds without anything after which nothing more is expected."""
FAREWELL = 30.0
"""Seconds that what is under way in a stream has to arrive."""
BUFFER, TIMESTAMPS = 33, 35
"""SO_RCVBUFFORCE, for more than others may have; SO_TIMESTAMPNS, for when a datagram came, however late it is read."""

stopped: list[int] = []


def stop(number: int, _: FrameType | None) -> None:
    stopped.append(number)


class Stream:
    """One connection, and what it has carried; a piece that does not fit now is sent on later."""

    def __init__(self, address: str, port: int) -> None:
        self.error = ""
        self.octets = 0
        self._digest = hashlib.sha256()
        self._rest = b""
        self._socket = socket.create_connection((address, port), 10)
        self._socket.setblocking(False)

    def push(self) -> None:
        if self.error:
            return
        self._rest = self._rest or hashlib.sha256(struct.pack("!Q", self.octets)).digest() * (PIECE // 32)
        try:
            sent = self._socket.send(self._rest)
        except BlockingIOError:
            return
        except OSError as error:
            self.error = str(error)
            return
        self._digest.update(self._rest[:sent])
        self.octets += sent
        self._rest = self._rest[sent:]

    def finish(self) -> dict[str, Any]:
        """End it as TCP does, and wait until the other end has everything."""
        try:
            self._socket.settimeout(FAREWELL)
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.recv(1)
        except OSError as error:
            self.error = self.error or str(error)
        return {"octets": self.octets, "digest": self._digest.hexdigest(), "error": self.error}


def send(port: int, interval: float, at_least: int, addresses: list[str]) -> dict[str, Any]:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    streams = {address: Stream(address, port) for address in addresses}
    print("ready", flush=True)
    number, due = 0, time.monotonic()
    while not stopped or number < at_least:
        for address in addresses:
            datagrams.sendto(struct.pack("!Q", number), (address, port))
        number += 1
        if number % ROUND == 0:
            for stream in streams.values():
                stream.push()
        now = time.monotonic()
        due = max(due + interval, now + interval / 2)
        time.sleep(due - now)
    return {"sent": number, "streams": {address: stream.finish() for address, stream in streams.items()}}


def receive(port: int) -> dict[str, Any]:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.SOL_SOCKET, BUFFER, 8 << 20)
    datagrams.setsockopt(socket.SOL_SOCKET, TIMESTAMPS, 1)
    datagrams.bind(("", port))
    listener = socket.create_server(("", port))
    selector = selectors.DefaultSelector()
    for own in (datagrams, listener):
        own.setblocking(False)
        selector.register(own, selectors.EVENT_READ)
    print("ready", flush=True)
    numbers: set[int] = set()
    streams: dict[socket.socket, list[Any]] = {}
    last, gap, quiet_since = 0.0, 0.0, time.monotonic()
    while not stopped or time.monotonic() < quiet_since + QUIET:
        for key, _ in selector.select(QUIET / 4):
            quiet_since = time.monotonic()
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if sock is datagrams:
                data, extra, *_ = datagrams.recvmsg(64, 64)
                (number,) = struct.unpack("!Q", data)
                seconds, nanoseconds = struct.unpack("qq", extra[0][2])
                moment = seconds + nanoseconds / 1e9
                gap, last = max(gap, moment - last if last else 0), moment
                numbers.add(number)
            elif sock is listener:
                accepted, _ = listener.accept()
                streams[accepted] = [0, hashlib.sha256()]
                selector.register(accepted, selectors.EVENT_READ)
            else:
                try:
                    piece = sock.recv(1 << 16)
                except OSError:
                    piece = b""
                if piece:
                    streams[sock][0] += len(piece)
                    streams[sock][1].update(piece)
                else:
                    selector.unregister(sock)
                    sock.close()
    return {"received": len(numbers), "gap": gap,
            "streams": [[octets, digest.hexdigest()] for octets, digest in streams.values()]}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    if sys.argv[1] == "send":
        print(json.dumps(send(int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])), flush=True)
    else:
        print(json.dumps(receive(int(sys.argv[2]))), flush=True)
