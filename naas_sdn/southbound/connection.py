"""One OpenFlow connection: os-ken's Datapath with our own loops around it.

Frames are checked before anything parses them; what os-ken must not or need not parse goes to `Requests` and to the
handlers of the app. Sending never blocks the reader: one green thread writes, from a queue with a limit.
"""
from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from os_ken.base import app_manager  # noqa: F401 - os-ken's modules import each other; only this one can be first
from os_ken.controller import ofp_event
from os_ken.controller.controller import Datapath
from os_ken.controller.handler import CONFIG_DISPATCHER, DEAD_DISPATCHER, MAIN_DISPATCHER
from os_ken.ofproto import ofproto_parser

from naas_sdn import runtime
from naas_sdn.engine.contract import Disconnected, Punt
from naas_sdn.southbound import codec, guard
from naas_sdn.southbound import constants as of

LOG = logging.getLogger(__name__)

ANSWER = 15.0
"""Seconds that a switch has for an answer."""

QUEUE_LIMIT = 64 << 20
"""Bytes that may wait for a switch; one that lets more pile up is closed."""

QUEUE_SOFT = 1 << 20
"""Bytes above which a pusher waits, and a packet-out is lost."""

LAST_XID = 0x7FFFFFFF
READ = 256 << 10
BREATH = 64
TURN = 0.0005
"""Messages, and seconds spent on them, after which other green threads run."""

ANSWER_LIMIT = 64 << 20
"""Bytes of answers under way; a switch that goes on is closed. A dump of 100,000 flows has less than half of it."""

ERRORS_KEPT = 20_000
"""Errors that nobody has asked for yet; the oldest make room."""

MOST_PORTS = 20_000

CHANGES_KEPT = 4000
"""Foreign changes that are told at once; what is beyond shows in the dump that follows."""


class Requests:
    """Questions under way, by transaction ID: each collects its parts until the last, or its error."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[runtime.Future, list[bytes]]] = {}
        self._size = 0
        self.errors: OrderedDict[int, str] = OrderedDict()
        """Errors of messages that nobody waits for, such as the flows of a bundle."""

    def open(self, xid: int) -> runtime.Future:
        future = runtime.Future()
        self._open[xid] = (future, [])
        return future

    def forget(self, xid: int) -> None:
        self._take(xid)

    def part(self, xid: int, body: bytes, more: bool) -> list[bytes] | None:
        """All parts, when this was the last of an answer that somebody waits for.

        Raises Malformed when there is no end to it.
        """
        asked = self._open.get(xid)
        if asked is None:
            return None
        asked[1].append(body)
        # An empty part, too, is kept somewhere.
        self._size += len(body) + guard.HEADER
        if self._size > ANSWER_LIMIT:
            raise guard.Malformed(f"answers of more than {ANSWER_LIMIT} bytes")
        if more:
            return None
        self._take(xid)
        asked[0].resolve(asked[1])
        return asked[1]

    def error(self, xid: int, text: str) -> None:
        asked = self._take(xid)
        if asked is not None:
            asked[0].resolve(text)
            return
        self.errors[xid] = text
        if len(self.errors) > ERRORS_KEPT:
            self.errors.popitem(last=False)

    def _take(self, xid: int) -> tuple[runtime.Future, list[bytes]] | None:
        asked = self._open.pop(xid, None)
        if asked is not None:
            self._size -= sum([len(part) + guard.HEADER for part in asked[1]])
        return asked

    def fail(self, error: Exception) -> None:
        asked, self._open = self._open, {}
        for future, _ in asked.values():
            future.fail(error)


class Connection(Datapath):  # type: ignore[misc]
    """From accept to close. `ready` is called, in a green thread of its own, when os-ken's handshake is done."""

    def __init__(self, sock: Any, address: Any, ready: Callable[[Connection], None]) -> None:
        self.requests = Requests()
        self.links: dict[int, str] = {}
        """Interface by OpenFlow port."""
        self.admitted = False
        self.on_packet_in: Callable[[Punt], None] | None = None
        self.on_ports: Callable[[], None] | None = None
        self.on_foreign_change: Callable[[], None] | None = None
        self.changes: set[tuple[int, int]] = set()
        """(table, cookie) of flows that others changed, until somebody takes them."""
        self.on_close: Callable[[], None] | None = None
        self.lost = 0
        """Packet-outs that did not fit into the queue."""
        self.unanswered = 0
        """Echo requests since anything was heard of the switch."""
        self.why = "the switch closed the connection"
        self._ready = ready
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._sender: runtime.GreenThread | None = None
        """There only while something waits: most messages go out at once, and there are many switches."""
        self._room = runtime.Signal()
        super().__init__(sock, address)
        # Reading waits as long as it takes; probes and deadlines end it. Writing has a limit of its own.
        sock.settimeout(None)

    # What os-ken calls

    def set_state(self, state: str) -> None:
        entered_main = state == MAIN_DISPATCHER and self.state != state
        super().set_state(state)
        if entered_main:
            runtime.spawn(self._ready, self)

    def send(self, buf: bytes, close_socket: bool = False) -> bool:
        if not self._waiting_bytes and self.is_active:
            # What the socket takes at once need not wait for its turn.
            buf = buf[runtime.send_now(self.socket, buf):]
        if buf:
            self._waiting.append(bytes(buf))
            self._waiting_bytes += len(buf)
        if close_socket or self._waiting_bytes > (QUEUE_LIMIT if self.admitted else QUEUE_SOFT):
            self.end("the version was refused" if close_socket else "it does not read what it is sent")
        if buf and self._sender is None:
            self._sender = runtime.spawn(self._send_loop)
        return True

    def serve(self) -> None:
        """Handshake, then everything, until either side closes."""
        self.send_msg(self.ofproto_parser.OFPHello(self))
        try:
            self._recv_loop()
        finally:
            self.is_active = False
            super().set_state(DEAD_DISPATCHER)
            self.requests.fail(Disconnected(f"{self.address[0]}: {self.why}"))
            if self.on_close is not None:
                self.on_close()
            if self._sender is not None:
                self._sender.kill()
            self.socket.close()

    def _recv_loop(self) -> None:
        buffer = bytearray()
        handled, spent = 0, 0.0
        while self.state != DEAD_DISPATCHER:
            try:
                chunk = self.socket.recv(READ)
            except OSError as error:
                self.why = str(error)
                return
            if not chunk:
                return
            self.unanswered = 0
            buffer += chunk
            offset = 0
            while len(buffer) - offset >= guard.HEADER:
                size = guard.length(buffer[offset:offset + guard.HEADER])
                if len(buffer) - offset < size:
                    break
                begun = time.monotonic()
                self._handle(bytes(buffer[offset:offset + size]))
                offset += size
                handled += 1
                spent += time.monotonic() - begun
                if handled >= BREATH or spent > TURN:
                    handled, spent = 0, 0.0
                    runtime.sleep()
                    if self.state == DEAD_DISPATCHER:
                        return
            del buffer[:offset]

    def _send_loop(self) -> None:
        while self._waiting and self.is_active:
            batch = b"".join(self._take())
            try:
                with runtime.Timeout(ANSWER, TimeoutError("timed out")):
                    self.socket.sendall(batch)
            except (OSError, TimeoutError) as error:
                self.end(f"it does not read what it is sent ({error})")
                return
            self._waiting_bytes -= len(batch)
            self._room.set()
        self._sender = None

    # What the rest of the package calls

    def end(self, why: str) -> None:
        """Close; the reader notices."""
        if self.state != DEAD_DISPATCHER:
            self.why = why
            super().set_state(DEAD_DISPATCHER)
            self._close_write()
            runtime.spawn(self._shut)

    def probe(self) -> None:
        """Ask for a sign of life. Raises Disconnected."""
        self.unanswered += 1
        self.post(codec.echo_request())

    def post(self, message: bytes) -> int:
        """Queue a message under a new transaction ID, which is returned. Raises Disconnected."""
        xid = self.next_xid()
        self.write(codec.with_xid(message, xid))
        return xid

    def ask(self, message: bytes, seconds: float = ANSWER) -> list[bytes]:
        """The bodies of the reply's parts.

        Raises Disconnected, TimeoutError, or Malformed with the error that the switch answered.
        """
        xid = self.next_xid()
        future = self.requests.open(xid)
        self.write(codec.with_xid(message, xid))
        try:
            answer = future.wait(seconds)
        finally:
            self.requests.forget(xid)
        if isinstance(answer, str):
            raise guard.Malformed(answer)
        parts: list[bytes] = answer
        return parts

    def next_xid(self) -> int:
        xid = int(self.xid) + 1 & LAST_XID
        self.xid: int = xid
        return xid

    def reserve(self, count: int) -> int:
        """The first of so many transaction IDs in a row."""
        first = int(self.xid) + 1
        if first + count > LAST_XID:
            first = 1
        self.xid = first + count - 1
        return first

    def write(self, message: bytes) -> None:
        """Queue bytes. Raises Disconnected."""
        if self.state == DEAD_DISPATCHER:
            raise Disconnected(f"{self.address[0]}: {self.why}")
        self.send(message)

    def breathe(self) -> None:
        """Let a bulk sender wait until the switch has read most of what is queued. Raises Disconnected."""
        while self._waiting_bytes > QUEUE_SOFT:
            if not self._room.wait(ANSWER):
                self.end("it does not read what it is sent")
            if self.state == DEAD_DISPATCHER:
                raise Disconnected(f"{self.address[0]}: {self.why}")
        runtime.sleep()

    @property
    def busy(self) -> bool:
        """Too much is queued for a packet that may as well be lost."""
        return self._waiting_bytes > QUEUE_SOFT

    def _take(self) -> list[bytes]:
        """Up to one write's worth."""
        taken, size = [], 0
        while self._waiting and size < READ:
            taken.append(self._waiting.popleft())
            size += len(taken[-1])
        return taken

    def _shut(self) -> None:
        """A reader blocked in recv notices a shutdown, once what was queued last has had its chance."""
        runtime.sleep(0.1)
        with suppress(OSError):
            self.socket.shutdown(2)

    def _handle(self, frame: bytes) -> None:
        guard.check(frame, admitted=self.admitted)
        kind, xid = frame[1], int.from_bytes(frame[4:8])
        if kind == of.MULTIPART_REPLY:
            part, flags = int.from_bytes(frame[8:10]), int.from_bytes(frame[10:12])
            if part == of.MP_EXPERIMENTER:
                self._note_changes(frozenset(codec.foreign_changes(frame[16:])))
            elif part == of.MP_PORT_DESC and self.state == CONFIG_DISPATCHER:
                self._learn_ports(frame[16:], bool(flags & of.MP_MORE))
            else:
                answer = self.requests.part(xid, frame[16:], bool(flags & of.MP_MORE))
                if part == of.MP_PORT_DESC and answer is not None:
                    self._take_ports(b"".join(answer))
            return
        if kind in (of.BARRIER_REPLY, of.EXPERIMENTER, of.ROLE_REPLY, of.ECHO_REPLY):
            self.requests.part(xid, frame[8:], False)
            return
        if kind == of.ERROR:
            self.requests.error(xid, codec.error_text(frame))
            return
        if kind == of.PACKET_IN:
            if self.on_packet_in is not None:
                self.on_packet_in(codec.packet_in(frame))
            return
        if kind == of.FLOW_REMOVED:
            return
        if kind == of.PORT_STATUS:
            self._change_port(*codec.port_status(frame))
            return
        if kind == of.ECHO_REQUEST:
            self.send(codec.echo_reply(frame))
            return
        if kind == of.HELLO:
            frame = frame[:2] + (8).to_bytes(2) + frame[4:8]
        self._to_osken(frame, xid)

    def _learn_ports(self, body: bytes, more: bool) -> None:
        """The last step of the handshake."""
        self.links.update(codec.ports(body))
        self._check_ports()
        if not more:
            self.set_state(MAIN_DISPATCHER)

    def _change_port(self, reason: int, number: int, name: str) -> None:
        known = self.links.get(number)
        if reason == of.PORT_DELETED:
            self.links.pop(number, None)
        else:
            self.links[number] = name
            self._check_ports()
        if self.links.get(number) != known and self.on_ports is not None:
            self.on_ports()

    def _take_ports(self, body: bytes) -> None:
        """These are all the ports. Done by the reader, so that what a later port status says stays."""
        if len(body) % guard.PORT or len(body) > MOST_PORTS * guard.PORT:
            raise guard.Malformed(f"port descriptions with {len(body)} bytes")
        self.links = dict(codec.ports(body))

    def _check_ports(self) -> None:
        if len(self.links) > MOST_PORTS:
            raise guard.Malformed(f"more than {MOST_PORTS} ports")

    def _note_changes(self, flows: Collection[tuple[int, int]]) -> None:
        if flows and self.on_foreign_change is not None:
            if len(self.changes) < CHANGES_KEPT:
                self.changes.update(flows)
            self.on_foreign_change()

    def _to_osken(self, frame: bytes, xid: int) -> None:
        """As os-ken's own reader does with every message."""
        message = ofproto_parser.msg(self, frame[0], frame[1], len(frame), xid, bytearray(frame))
        if message is None:
            raise guard.Malformed(f"os-ken cannot read a message of type {frame[1]}")
        event = ofp_event.ofp_msg_to_ev(message)
        brick = self.ofp_brick
        for handler in brick.get_handlers(event):
            if self.state in handler.callers[event.__class__].dispatchers:
                handler(event)
