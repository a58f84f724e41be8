"""Flows and the other hot messages straight to bytes and back, by struct (OpenFlow 1.3.5 section 7).

os-ken's objects take a hundred times as long; its parser is the tests' oracle. Decoders read only what is used: a dump
by the headers of its entries, never their matches.
"""
from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b

from naas_sdn.engine.contract import Dump, FlowCount, Punt
from naas_sdn.pipeline.flow import (
    Action,
    CheckLarger,
    Commit,
    Controller,
    DecTtl,
    Flow,
    Fork,
    InPort,
    Match,
    Move,
    Output,
    PopVlan,
    PushVlan,
    Recirculate,
    Resubmit,
    SetField,
    Track,
    Translate,
    Untranslate,
)
from naas_sdn.pipeline.program import Meter
from naas_sdn.southbound import constants as of
from naas_sdn.southbound.guard import Malformed

OWNER = 0x4E
"""Top byte of our cookies."""

_FORMAT = b"2"
"""Part of every cookie: another one when the meaning of equal bytes changes."""

_ACTION = struct.Struct("!HH")
_GOTO = struct.Struct("!HHB3x")
_APPLY = struct.Struct("!HH4x")
_NAMED = struct.Struct("!BH")
_FLOW_MOD = struct.Struct("!BBHIQQBBHHHIIIHxx")
_PORT = struct.Struct("!I12x16s32x")
_FLOW_STATS = struct.Struct("!HBx20xQQQ")
_FLOW_NAME = struct.Struct("!HBx20xQ")
_TABLE_STATS = struct.Struct("!B3xI16x")
_UNTIMED = bytes(6)
"""No timeouts, no flags."""
_EMPTY_MATCH = struct.pack("!HHI", 1, 4, 0)
_ALL_COOKIE = _UNCOUNTED = 0xFFFFFFFFFFFFFFFF
_LONGEST_MATCH = 2048
"""Bytes of a packet-in's match; Open vSwitch, which has some hundred fields, stays well below."""

_METER_STATS, _PORT_STATS = 40, 112
"""Bytes of a meter's counters before its bands, and of a port's (OpenFlow 1.3.5 sections 7.3.5.10, 7.3.5.6)."""


def _oxm(name: str, masked: bool = False) -> int:
    kind, number, size = of.FIELDS[name]
    return kind << 16 | number << 9 | masked << 8 | (2 * size if masked else size)


_HEADS = {name: (_oxm(name).to_bytes(4), _oxm(name, masked=True).to_bytes(4), size)
          for name, (_, _, size) in of.FIELDS.items()}


@lru_cache(8192)
def _tlv(name: str, value: int, mask: int | None = None) -> bytes:
    """A port's flows name its key and its network's again and again."""
    plain, masked, size = _HEADS[name]
    if mask is None:
        return plain + value.to_bytes(size)
    return masked + value.to_bytes(size) + mask.to_bytes(size)


_CARRIED = {_oxm(name): name for name in ("metadata", *(f"reg{number}" for number in range(16)))}
"""The fields that are read from a packet-in."""


_PADDING = tuple(bytes(-size % 8) for size in range(8))


def _pad(body: bytes) -> bytes:
    return body + _PADDING[len(body) % 8]


_MOVED = {name: _oxm(name) for name in of.FIELDS} | of.NXM_HEADS
"""Open vSwitch shows what it moves by the older numbers."""


def match(fields: Match) -> bytes:
    """In the order in which Open vSwitch shows it, so that a dump has the same bytes."""
    body = b"".join([_tlv(*field) for field in fields if field[0] != "metadata"]
                    + [_tlv(*field) for field in fields if field[0] == "metadata"])
    size = 4 + len(body)
    return b"\0\1" + size.to_bytes(2) + body + _PADDING[size % 8]


def _nicira(subtype: int, body: bytes) -> bytes:
    """An experimenter action; `body` follows the subtype."""
    whole = _pad(struct.pack("!HHIH", of.ACTION_EXPERIMENTER, 0, of.NICIRA, subtype) + body)
    return whole[:2] + struct.pack("!H", len(whole)) + whole[4:]


def _set_field(action: SetField) -> bytes:
    if action.mask is None:
        body = _tlv(action.name, action.value)
        size = (4 + len(body) + 7) // 8 * 8
        return _pad(_ACTION.pack(of.ACTION_SET_FIELD, size) + body)
    low = (action.mask & -action.mask).bit_length() - 1
    bits = (action.mask >> low).bit_length()
    if action.mask >> low != (1 << bits) - 1:
        raise ValueError(f"{action}: the mask has a hole")
    return _nicira(of.NX_REG_LOAD, struct.pack("!HIQ", low << 6 | bits - 1, _oxm(action.name), action.value >> low))


def _action(action: Action) -> bytes:
    match action:
        case SetField():
            return _set_field(action)
        case Move():
            return _nicira(of.NX_REG_MOVE, struct.pack("!HHHII", action.bits, 0, 0, _MOVED[action.source],
                                                       _MOVED[action.target]))
        case Output():
            return struct.pack("!HHIH6x", of.ACTION_OUTPUT, 16, action.port, 0)
        case InPort():
            return struct.pack("!HHIH6x", of.ACTION_OUTPUT, 16, of.PORT_IN, 0)
        case Controller():
            return struct.pack("!HHIH6x", of.ACTION_OUTPUT, 16, of.PORT_CONTROLLER, action.max_len)
        case Resubmit():
            return _nicira(of.NX_RESUBMIT_TABLE, struct.pack("!HB3x", of.PORT_IN & 0xFFFF, action.table))
        case DecTtl():
            return struct.pack("!HH4x", of.ACTION_DEC_TTL, 8)
        case PushVlan():
            return struct.pack("!HHH2x", of.ACTION_PUSH_VLAN, 8, action.ETHER_TYPE)
        case PopVlan():
            return struct.pack("!HH4x", of.ACTION_POP_VLAN, 8)
        case CheckLarger():
            return _nicira(of.NX_CHECK_LARGER, struct.pack("!HHI", action.octets, action.bit, _oxm(action.register)))
        case Recirculate():
            return (struct.pack("!HHH2x", of.ACTION_PUSH_MPLS, 8, action.MPLS)
                    + struct.pack("!HHH2x", of.ACTION_POP_MPLS, 8, action.eth_type))
        case Fork():
            inner = b"".join(map(_action, action.actions))
            inner += _nicira(of.NX_OUTPUT_TRUNC, struct.pack("!HI", action.NOWHERE, 64))
            return _nicira(of.NX_CLONE, bytes(6) + inner)
        case Track():
            return _conntrack(0, action.zone, action.table)
        case Commit():
            return _conntrack(of.CT_COMMIT, action.zone, of.CT_STAY)
        case Translate():
            given = of.NAT_IPV4_MIN | of.NAT_PORT_MIN | of.NAT_PORT_MAX
            nat = _nicira(of.NX_NAT, struct.pack("!2xHHIHH", of.NAT_SOURCE, given, action.source, *action.PORTS))
            return _nicira(of.NX_CT, struct.pack("!HIHB5x", of.CT_COMMIT, 0, action.zone, action.table) + nat)
        case Untranslate():
            nat = _nicira(of.NX_NAT, struct.pack("!2xHH", 0, 0))
            return _nicira(of.NX_CT, struct.pack("!HIHB5x", 0, 0, action.zone, action.table) + nat)


def _conntrack(flags: int, zone: str, table: int) -> bytes:
    """`zone`: the register that has it in its low 16 bits."""
    return _nicira(of.NX_CT, struct.pack("!HIHB5x", flags, _oxm(zone), 15, table))


@lru_cache(8192)
def _instructions(meter: int | None, actions: tuple[Action, ...], goto: int | None) -> bytes:
    """Most flows do what many others do: drop for a reason, go on to the next table."""
    parts = []
    if meter is not None:
        parts.append(struct.pack("!HHI", of.INSTRUCTION_METER, 8, meter))
    if actions:
        encoded = b"".join(map(_action, actions))
        parts.append(_APPLY.pack(of.INSTRUCTION_APPLY, 8 + len(encoded)) + encoded)
    if goto is not None:
        parts.append(_GOTO.pack(of.INSTRUCTION_GOTO, 8, goto))
    return b"".join(parts)


def add_flow(flow: Flow) -> bytes:
    """A flow-mod ADD, transaction ID 0, its cookie a hash of the rest. Counters of a flow that it replaces go on."""
    body = match(flow.match) + _instructions(flow.meter, flow.actions, flow.goto)
    digest = blake2b(_NAMED.pack(flow.table, flow.priority) + body, digest_size=7, salt=_FORMAT).digest()
    return _FLOW_MOD.pack(of.VERSION, of.FLOW_MOD, _FLOW_MOD.size + len(body), 0, OWNER << 56 | int.from_bytes(digest),
                          0, flow.table, of.ADD, 0, 0, flow.priority, of.NO_BUFFER, of.PORT_ANY, of.GROUP_ANY, 0) + body


def delete_flow(table: int, cookie: int) -> bytes:
    """A flow-mod that deletes just the flows of `table` with exactly this cookie."""
    return _FLOW_MOD.pack(of.VERSION, of.FLOW_MOD, _FLOW_MOD.size + len(_EMPTY_MATCH), 0, cookie, _ALL_COOKIE, table,
                          of.DELETE, 0, 0, 0, of.NO_BUFFER, of.PORT_ANY, of.GROUP_ANY, 0) + _EMPTY_MATCH


def _message(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("!BBHI", of.VERSION, kind, 8 + len(body), 0) + body


def with_xid(message: bytes, xid: int) -> bytes:
    """The same message under a transaction ID."""
    return message[:4] + xid.to_bytes(4) + message[8:]


def meter_mod(command: int, meter: Meter) -> bytes:
    flags = (of.METER_PKTPS if meter.packets else of.METER_KBPS) | of.METER_BURST | of.METER_STATS
    band = struct.pack("!HHII4x", of.BAND_DROP, 16, meter.rate, meter.burst)
    return _message(of.METER_MOD, struct.pack("!HHI", command, flags, meter.number) + band)


def meter_delete(number: int) -> bytes:
    return _message(of.METER_MOD, struct.pack("!HHI", of.METER_DELETE, 0, number))


def flush_zone(zone: int) -> bytes:
    """Forget all connections of one conntrack zone."""
    return _message(of.EXPERIMENTER, struct.pack("!II6xH", of.NICIRA, of.NXT_CT_FLUSH_ZONE, zone))


def barrier() -> bytes:
    return _message(of.BARRIER_REQUEST)


def echo_request() -> bytes:
    return _message(of.ECHO_REQUEST)


def echo_reply(request: bytes) -> bytes:
    return request[:1] + bytes((of.ECHO_REPLY,)) + request[2:]


def bundle_control(bundle: int, kind: int) -> bytes:
    """ONF extension 230 for OpenFlow 1.3."""
    return _message(of.EXPERIMENTER, struct.pack("!IIIHH", of.ONF, of.BUNDLE_CONTROL, bundle, kind,
                                                 of.BUNDLE_ATOMIC_ORDERED))


def bundle_add(bundle: int, message: bytes, xid: int) -> bytes:
    """The message inside carries the same transaction ID."""
    head = struct.pack("!BBHIIII2xH", of.VERSION, of.EXPERIMENTER, 24 + len(message), xid, of.ONF, of.BUNDLE_ADD,
                       bundle, of.BUNDLE_ATOMIC_ORDERED)
    return head + with_xid(message, xid)


def packet_out(actions: Iterable[Action], frame: bytes, in_port: int = of.PORT_CONTROLLER) -> bytes:
    encoded = b"".join(map(_action, actions))
    head = struct.pack("!IIH6x", of.NO_BUFFER, in_port, len(encoded))
    return _message(of.PACKET_OUT, head + encoded + frame)


def flow_stats_request(table: int = 0xFF) -> bytes:
    """All flows of one table, or of all."""
    return _message(of.MULTIPART_REQUEST, struct.pack(
        "!HH4xB3xII4xQQ", of.MP_FLOW, 0, table, of.PORT_ANY, of.GROUP_ANY, 0, 0) + _EMPTY_MATCH)


def monitor_request() -> bytes:
    """Tell of every change to any flow; one of our own by its transaction ID only (ONF extension 187)."""
    flags = of.MONITOR_ADD | of.MONITOR_DELETE | of.MONITOR_MODIFY
    monitor = struct.pack("!IHHIB3x", 1, flags, 4, of.PORT_ANY, 0xFF) + _EMPTY_MATCH
    return _message(of.MULTIPART_REQUEST, struct.pack("!HH4xII", of.MP_EXPERIMENTER, 0, of.ONF, of.FLOW_MONITOR)
                    + monitor)


def foreign_changes(body: bytes) -> Iterator[tuple[int, int]]:
    """(table, cookie) of the flows that others changed, by one part of a monitor's updates. Raises Malformed."""
    if len(body) < 8 or struct.unpack_from("!II", body) != (of.ONF, of.FLOW_MONITOR):
        raise Malformed("an experimenter's multipart reply that was not asked for")
    for offset, size in _entries(body[8:], 8, 0, "a flow update"):
        (event,) = struct.unpack_from("!H", body, offset + 10)
        if event != of.MONITOR_ABBREVIATED:
            if size < 24:
                raise Malformed(f"a full flow update of {size} bytes")
            yield struct.unpack_from("!BxQ", body, offset + 22)


def meter_config_request() -> bytes:
    return _message(of.MULTIPART_REQUEST, struct.pack("!HH4xI4x", of.MP_METER_CONFIG, 0, of.METER_ALL))


def meter_stats_request() -> bytes:
    return _message(of.MULTIPART_REQUEST, struct.pack("!HH4xI4x", of.MP_METER, 0, of.METER_ALL))


def port_stats_request() -> bytes:
    return _message(of.MULTIPART_REQUEST, struct.pack("!HH4xI4x", of.MP_PORT_STATS, 0, of.PORT_ANY))


def port_descriptions_request() -> bytes:
    return _message(of.MULTIPART_REQUEST, struct.pack("!HH4x", of.MP_PORT_DESC, 0))


def description_request() -> bytes:
    return _message(of.MULTIPART_REQUEST, struct.pack("!HH4x", of.MP_DESC, 0))


def role_request(role: int, generation: int) -> bytes:
    return _message(of.ROLE_REQUEST, struct.pack("!I4xQ", role, generation))


def flow_stats(body: bytes) -> Iterator[FlowCount]:
    """The entries of one part of a flow statistics reply. Raises Malformed."""
    offset, end = 0, len(body)
    while offset < end:
        if end - offset < 56:
            raise Malformed("half a flow entry")
        size, table, cookie, packets, octets = _FLOW_STATS.unpack_from(body, offset)
        if size < 56 or offset + size > end:
            raise Malformed(f"a flow entry of {size} bytes")
        yield FlowCount(table, cookie, packets, octets)
        offset += size


def read_flows(body: bytes, dump: Dump) -> None:
    """Add the entries of one part of a flow statistics reply to `dump`. Raises Malformed."""
    flows, doubled = dump.flows, dump.doubled
    offset, end = 0, len(body)
    while offset < end:
        if end - offset < 56:
            raise Malformed("half a flow entry")
        size, table, cookie = _FLOW_NAME.unpack_from(body, offset)
        beyond = offset + size
        if size < 56 or beyond > end:
            raise Malformed(f"a flow entry of {size} bytes")
        key = table, cookie
        if key in flows:
            doubled.add(key)
        # As Compiled.fingerprints has it.
        flows[key] = (hash((body[offset + 12:offset + 14], body[offset + 48:beyond]))
                      if body[offset + 14:offset + 20] == _UNTIMED else 0)
        offset = beyond


def table_stats_request() -> bytes:
    return _message(of.MULTIPART_REQUEST, struct.pack("!HH4x", of.MP_TABLE, 0))


def table_counts(body: bytes) -> Iterator[tuple[int, int]]:
    """Of one part of a reply: each table and how many flows it has, if any. Raises Malformed."""
    if len(body) % _TABLE_STATS.size:
        raise Malformed(f"table counters of {len(body)} bytes")
    return (counted for counted in _TABLE_STATS.iter_unpack(body) if counted[1])


def meter_config(body: bytes) -> Iterator[Meter]:
    """Meters of one part of a reply; one that is not ours in kind has rate 0, so it never equals ours."""
    for offset, size in _entries(body, 8, 0, "a meter"):
        _, flags, number = struct.unpack_from("!HHI", body, offset)
        rate = burst = 0
        expected = of.METER_BURST | of.METER_STATS
        if size == 24 and flags & expected == expected:
            kind, length, rate, burst = struct.unpack_from("!HHII", body, offset + 8)
            if kind != of.BAND_DROP or length != 16:
                rate = burst = 0
        yield Meter(number, rate, burst, bool(flags & of.METER_PKTPS))


def meter_drops(body: bytes) -> Iterator[tuple[int, int, int]]:
    """Of each meter in one part of a reply: number, packets and octets that its first band dropped.

    Raises Malformed.
    """
    for offset, size in _entries(body, _METER_STATS, 4, "a meter's counters"):
        if size >= _METER_STATS + 16:
            number, packets, octets = struct.unpack_from("!I36xQQ", body, offset)
            yield number, packets, octets


def port_drops(body: bytes) -> Iterator[tuple[int, int, int]]:
    """Of each port in one part of a reply: number, packets dropped on receiving and on sending. Raises Malformed.

    What the switch does not count is 0.
    """
    if len(body) % _PORT_STATS:
        raise Malformed(f"port counters of {len(body)} bytes")
    for offset in range(0, len(body), _PORT_STATS):
        number, received, sent = struct.unpack_from("!I36xQQ", body, offset)
        yield number, received if received != _UNCOUNTED else 0, sent if sent != _UNCOUNTED else 0


def _entries(body: bytes, smallest: int, at: int, what: str) -> Iterator[tuple[int, int]]:
    """Offset and size of each entry; its size is the 16-bit number `at` bytes into it. Raises Malformed."""
    offset, end = 0, len(body)
    while offset < end:
        if end - offset < smallest:
            raise Malformed(f"half of {what}")
        (size,) = struct.unpack_from("!H", body, offset + at)
        if size < smallest or offset + size > end:
            raise Malformed(f"{what} of {size} bytes")
        yield offset, size
        offset += size


def ports(body: bytes) -> Iterator[tuple[int, str]]:
    """Number and name of each port in one part of a description, whose size the guard has checked."""
    for number, name in _PORT.iter_unpack(body):
        yield number, name.split(b"\0", 1)[0].decode("utf-8", "replace")


def port_status(frame: bytes) -> tuple[int, int, str]:
    """Reason, number and name."""
    [(number, name)] = ports(frame[16:])
    return frame[8], number, name


def packet_in(frame: bytes) -> Punt:
    """Raises Malformed."""
    kind, length = struct.unpack_from("!HH", frame, 24)
    end = 24 + length
    if kind != 1 or not 4 <= length <= _LONGEST_MATCH or end > len(frame):
        raise Malformed("a packet-in's match")
    fields: dict[str, int] = {}
    offset = 28
    while offset < end:
        if end - offset < 4:
            raise Malformed("half a field in a packet-in")
        (header,) = struct.unpack_from("!I", frame, offset)
        size = header & 0xFF
        if offset + 4 + size > end:
            raise Malformed("a field beyond a packet-in's match")
        name = _CARRIED.get(header)
        if name is not None:
            fields[name] = int.from_bytes(frame[offset + 4:offset + 4 + size])
        offset += 4 + size
    data = frame[24 + (length + 7) // 8 * 8 + 2:]
    return Punt(fields, data, len(data) == int.from_bytes(frame[12:14]))


def error_text(frame: bytes) -> str:
    kind, code = struct.unpack_from("!HH", frame, 8)
    return f"{of.ERROR_TYPES.get(kind, f'error type {kind}')}, code {code}"


def description(body: bytes) -> str:
    """The dp_desc of a description reply (section 7.3.5.1). Raises Malformed."""
    if len(body) < 1056:
        raise Malformed("a short switch description")
    return body[800:1056].split(b"\0", 1)[0].decode("utf-8", "replace")
