"""OpenFlow 1.3.5 and Nicira numbers that codec.py and guard.py speak with."""
from __future__ import annotations

VERSION = 4
HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, EXPERIMENTER, FEATURES_REPLY = 0, 1, 2, 3, 4, 6
PACKET_IN, FLOW_REMOVED, PORT_STATUS, PACKET_OUT, FLOW_MOD = 10, 11, 12, 13, 14
MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER_REQUEST, BARRIER_REPLY = 18, 19, 20, 21
ROLE_REQUEST, ROLE_REPLY, METER_MOD = 24, 25, 29

MP_DESC, MP_FLOW, MP_TABLE, MP_PORT_STATS, MP_METER, MP_METER_CONFIG, MP_PORT_DESC = 0, 1, 3, 4, 9, 10, 13
MP_EXPERIMENTER = 0xFFFF
MP_MORE = 1

PORT_DELETED = 1

ADD, DELETE = 0, 3
METER_ADD, METER_MODIFY, METER_DELETE = 0, 1, 2
METER_KBPS, METER_PKTPS, METER_BURST, METER_STATS = 1, 2, 4, 8
BAND_DROP = 1

PORT_MAX, PORT_IN, PORT_CONTROLLER, PORT_ANY = 0xFFFFFF00, 0xFFFFFFF8, 0xFFFFFFFD, 0xFFFFFFFF
GROUP_ANY = METER_ALL = NO_BUFFER = 0xFFFFFFFF
ROLE_MASTER = 2

INSTRUCTION_GOTO, INSTRUCTION_APPLY, INSTRUCTION_METER = 1, 4, 6
ACTION_OUTPUT, ACTION_PUSH_VLAN, ACTION_POP_VLAN, ACTION_PUSH_MPLS, ACTION_POP_MPLS = 0, 17, 18, 19, 20
ACTION_DEC_TTL, ACTION_SET_FIELD = 24, 25
ACTION_EXPERIMENTER = 0xFFFF

NICIRA = 0x00002320
NX_REG_MOVE, NX_REG_LOAD, NX_RESUBMIT_TABLE, NX_OUTPUT_TRUNC, NX_CLONE, NX_CHECK_LARGER = 6, 7, 14, 39, 42, 49
NX_CT, CT_COMMIT, CT_STAY = 35, 1, 0xFF
NXT_CT_FLUSH_ZONE = 29
NX_NAT, NAT_SOURCE, NAT_IPV4_MIN, NAT_PORT_MIN, NAT_PORT_MAX = 36, 1, 1, 16, 32

ONF = 0x4F4E4600
BUNDLE_CONTROL, BUNDLE_ADD = 2300, 2301
BUNDLE_OPEN, BUNDLE_OPENED, BUNDLE_COMMIT, BUNDLE_COMMITTED, BUNDLE_DISCARD, BUNDLE_DISCARDED = 0, 1, 4, 5, 6, 7
BUNDLE_ATOMIC_ORDERED = 3
FLOW_MONITOR = 1870
MONITOR_ADD, MONITOR_DELETE, MONITOR_MODIFY = 2, 4, 8
MONITOR_ABBREVIATED = 3

_OXM, _NXM1, _PACKET_REGISTERS, _ERICSSON = 0x8000, 0x0001, 0x8001, 0x1000
FIELDS: dict[str, tuple[int, int, int]] = {
    "in_port": (_OXM, 0, 4), "metadata": (_OXM, 2, 8), "eth_dst": (_OXM, 3, 6), "eth_src": (_OXM, 4, 6),
    "eth_type": (_OXM, 5, 2), "vlan_vid": (_OXM, 6, 2), "ip_dscp": (_OXM, 8, 1),
    "nw_proto": (_OXM, 10, 1), "ip_src": (_OXM, 11, 4),
    "ip_dst": (_OXM, 12, 4), "tcp_src": (_OXM, 13, 2), "tcp_dst": (_OXM, 14, 2), "udp_src": (_OXM, 15, 2),
    "udp_dst": (_OXM, 16, 2), "sctp_src": (_OXM, 17, 2), "sctp_dst": (_OXM, 18, 2),
    "icmp_type": (_OXM, 19, 1), "icmp_code": (_OXM, 20, 1), "arp_op": (_OXM, 21, 2),
    "arp_spa": (_OXM, 22, 4), "arp_tpa": (_OXM, 23, 4), "arp_sha": (_OXM, 24, 6), "arp_tha": (_OXM, 25, 6),
    "ipv6_src": (_OXM, 26, 16), "ipv6_dst": (_OXM, 27, 16), "icmpv6_type": (_OXM, 29, 1),
    "icmpv6_code": (_OXM, 30, 1), "nd_target": (_OXM, 31, 16), "nd_sll": (_OXM, 32, 6), "nd_tll": (_OXM, 33, 6),
    "nd_reserved": (_ERICSSON, 1, 4), "nd_options_type": (_ERICSSON, 2, 1),
    "tun_id": (_OXM, 38, 8), "nw_ttl": (_NXM1, 29, 1), "tun_src": (_NXM1, 31, 4), "tun_dst": (_NXM1, 32, 4),
    **{f"reg{number}": (_NXM1, number, 4) for number in range(16)}, "xreg4": (_PACKET_REGISTERS, 4, 8),
    "xxreg2": (_NXM1, 113, 16), "xxreg3": (_NXM1, 114, 16), "ct_state": (_NXM1, 105, 4), "ct_nw_proto": (_NXM1, 119, 1),
    "ct_nw_src": (_NXM1, 120, 4), "ct_nw_dst": (_NXM1, 121, 4), "ct_ipv6_src": (_NXM1, 122, 16),
    "ct_ipv6_dst": (_NXM1, 123, 16), "ct_tp_src": (_NXM1, 124, 2), "ct_tp_dst": (_NXM1, 125, 2),
}
"""(class, field, bytes) of every field that a flow may use: OpenFlow 1.3.5 section 7.2.3.7, ovs-fields(7)."""

NXM_HEADS = {"eth_dst": 0x0206, "eth_src": 0x0406, "ip_src": 0x0E04, "ip_dst": 0x1004, "arp_spa": 0x2004,
             "arp_tpa": 0x2204, "arp_sha": 0x12206, "arp_tha": 0x12406, "tun_id": 0x12008,
             "ipv6_src": 0x12610, "ipv6_dst": 0x12810, "nd_target": 0x12E10, "nd_sll": 0x13006, "nd_tll": 0x13206}
"""Nicira's own headers of fields that OpenFlow has named since: ovs-fields(7)."""

ERROR_TYPES = {0: "hello failed", 1: "bad request", 2: "bad action", 3: "bad instruction", 4: "bad match",
               5: "flow mod failed", 12: "meter mod failed", 0xFFFF: "experimenter"}
