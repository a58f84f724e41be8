"""The tables of a hypervisor's bridge, the registers and flags they share, and the reasons to drop or punt.

A packet enters at CLASSIFY and goes down the list; a table whose app is not loaded, or that has no flow for
a packet, passes it to `next_table` unless it is listed in DROPS. docs/pipeline.md tells the same in prose
and is checked against this module by a test.
"""
from __future__ import annotations

from enum import IntEnum, IntFlag


class Table(IntEnum):
    CLASSIFY = 0      # ingress port or tunnel -> IN, NET
    TUNNEL = 5        # tunnel ID -> NET, and whether a member sent it
    MEMBER = 6        # resubmitted to: the peer is a member of RT -> flag MEMBER
    ADMIT = 7         # only what a member sent
    UPLINK = 8        # from a physical network: not with the MAC of a machine that is here
    GUARD = 10        # MAC, IP, ARP sender and what ND tells are the port's own
    SERVICES = 20     # DHCP and DHCPv6 -> controller
    ROUTERS = 22      # router solicitations -> controller
    ARP = 25          # ARP requests -> answered
    FROM_PORT = 31    # IN -> ZONE of a port whose traffic security groups filter
    FROM_CT = 32      # IP: the connection -> its state, in the port's zone
    FROM_RULES = 33   # which end asked -> the rules to look up
    FROM_COMMIT = 34  # allowed -> kept in the zone; or dropped
    UNNAT = 40        # floating and gateway addresses of external networks -> the machine's, RT
    UNNAT_CT = 41     # what answers a connection that went out by source NAT
    EDGE = 42         # from outside, not with an address of inside
    ROUTER_IN = 45    # gateway MAC and source subnet -> RT
    ROUTE = 50        # RT and destination prefix -> NET, HOP
    NAT = 52          # leaves by a router's gateway: translated here, or on the hypervisor that has the gateway
    NAT_CT = 53       # only with the gateway's address
    NEXT_HOP = 55     # HOP -> destination MAC
    L2 = 60           # NET and destination MAC -> OUT
    FROM_COUNT = 62   # what a port sent
    FROM_QOS = 64     # the rate a port may send, and its DSCP mark
    FROM_PACKETS = 65  # the packets a second of a port that has a bit rate too
    COPY = 66         # broadcast and multicast -> one copy a receiver
    FLOOD = 67        # resubmitted to: one copy for every hypervisor with the network
    TO_ACL = 70       # no packet returns to its sender
    TO_PORT = 71      # OUT -> ZONE, as in FROM_PORT
    TO_CT = 72        # as FROM_CT
    TO_RULES = 73     # as FROM_RULES
    TO_COMMIT = 74    # as FROM_COMMIT
    GROUPS = 75       # resubmitted to: ZONE -> one look-up for each security group SG of the port
    REMOTES = 76      # resubmitted to: SG -> one look-up for each group REMOTE that its rules are about
    ADDRESS = 77      # resubmitted to: the address of the other end -> ADDRESS
    MEMBERS = 78      # resubmitted to: ADDRESS is of REMOTE -> RULES
    RULES = 79        # resubmitted to: SG, REMOTE and the connection -> flag ALLOWED
    TO_COUNT = 80     # what a port received
    TO_QOS = 84       # the rate a port may receive
    TO_PACKETS = 85   # the packets a second of a port that has a bit rate too
    OUTPUT = 90       # OUT -> local port or tunnel
    TUNNEL_OUT = 92   # what fits, to the tunnel port
    TOO_LARGE = 93    # a datapath flow of its own, so that it is counted
    PUNT = 95         # IN -> its meter -> controller
    ANSWER = 96       # IN -> its meter for ARP and echo requests that are answered
    ANEW = 97         # metered: a datapath flow ends here, another begins
    TURN = 98         # the request -> the reply, back where it came from


class Reason(IntEnum):
    """Why a packet was dropped or sent to the controller; register REASON holds it."""

    UNKNOWN_PORT = 1        # a switch port that no VIF is plugged to
    TUNNEL_NOT_MEMBER = 2   # a peer that may not speak for this tunnel ID, or an unknown peer
    SPOOFED = 3             # MAC, IP or ARP sender is not the port's own
    VLAN_TAGGED = 4
    LINK_LOCAL_CONTROL = 5  # 01:80:C2:00:00:0x: STP, LLDP, LACP, pause
    ROGUE_DHCP = 6          # a DHCP server's packet from a tenant's port
    NO_ROUTE = 7
    GATEWAY_NO_SERVICE = 8  # addressed to a gateway, which answers ping, ARP and DHCP only
    NO_NEIGHBOUR = 9        # routed to an address that no port has
    UNKNOWN_UNICAST = 10
    ISOLATED = 11           # ports of this network do not reach each other
    ECHO = 12               # a copy back to its sender
    SPLIT_HORIZON = 13      # from a tunnel into a tunnel
    NOT_HERE = 14           # to a port that is not on this hypervisor any more
    UNPUNTABLE = 15         # a punt of a port that has no meter
    NO_TUNNEL = 16          # this hypervisor has no tunnel port
    UNANSWERABLE = 17       # a request of a port that has no meter
    TOO_LARGE = 18          # to another hypervisor, and larger than the tunnel's MTU
    ROGUE_RA = 19           # a router's advertisement, or a redirect, from a tenant's port
    UNKNOWN_VLAN = 24       # from an uplink, on a VLAN of no network that is here
    HAIRPIN = 25            # from an uplink, with the MAC of a machine that is here
    NO_UPLINK = 26          # this hypervisor has no uplink to the physical network
    NO_EGRESS_RULE = 27     # no rule of the sending port's security groups allows it
    NO_INGRESS_RULE = 28    # no rule of the receiving port's security groups allows it
    CT_INVALID = 29         # of no connection that there can be
    DHCP = 32               # punts from here on
    TTL_EXCEEDED = 33
    UNKNOWN_MAC = 34        # a wide network's port that this hypervisor has not asked for, by MAC
    UNKNOWN_ARP = 35        # the same, by ARP
    UNKNOWN_HOP = 36        # the same, as a next hop
    UNKNOWN_ND = 37         # the same, by neighbour discovery
    NO_EXIT = 45            # no hypervisor leads to the external network of the router
    NO_CONNECTION = 46      # to a router's external address, of no connection from inside
    NAT_EXHAUSTED = 47      # the router's external address has no port left
    OUTSIDE = 48            # a punt: ARP of an external network's gateway, an error about a floating address's packet
    EXPIRED = 49            # from outside, with no hop left
    ROUTER_SOLICITATION = 38
    DHCPV6 = 39
    TOO_BIG = 40            # routed, and larger than the next network's MTU


class Flag(IntFlag):
    """Bits of register FLAGS."""

    TUNNEL = 1   # came from another hypervisor
    ROUTED = 2   # went through ROUTE
    WIDE = 4     # routed to a network of which this hypervisor holds only some ports
    MEMBER = 8   # came from a hypervisor that may speak for NET
    COPY = 16    # a copy for another hypervisor
    SIZED = 32   # LARGE says whether it is
    LARGE = 64   # larger than the MTU of the tunnel, or of the network that it is routed to
    ND = 128     # neighbour discovery that tells of the port's own
    UPLINK = 1024  # came from a physical network
    TRANSIT = 4096  # came from another hypervisor to leave by a gateway that is here


class Verdict(IntFlag):
    """Bits of register ZONE above the zone."""

    INBOUND = 1 << 16   # the connection was begun by the other end
    BARE = 1 << 17      # all groups of the port are stateless: conntrack is not asked
    ALLOWED = 1 << 18   # by a rule


MEMBERS = 1 << 31
"""Added to a network's key in RT: keys of networks and of routers are two sequences."""

WIRE = (1 << 32) - 1
"""In OUT: the uplink to the physical network of NET, whatever hypervisor this is."""

NET = "metadata"        # network key, also the tunnel ID
FLAGS = "reg0"
IN = "reg1"             # key of the port, or of the hypervisor, that the packet came from
OUT = "reg2"            # key of the port, or of the hypervisor, that it goes to; WIRE
HOP = "reg3"            # IPv4 address of the next hop
HOP6 = "xxreg2"         # IPv6 address of the next hop: HOP6_PARTS, from ROUTE to NEXT_HOP
HOP6_PARTS = ("reg8", "reg9", "reg10", "reg11")
"""As Open vSwitch shows HOP6 in matches, the highest bits first."""
ZONE = "reg4"           # conntrack's zone of a local port, which no other of its hypervisor has; and bits of Verdict
RT = "reg5"             # routing table: the key of a router or subnet; in MEMBER of a router, or MEMBERS + a network's
REASON = "reg6"
SOURCE_NET = "reg7"     # network key of the sending port; 0 from a tunnel
SG = "reg10"            # key of a security group that the port is in
REMOTE = "reg11"        # key of the group that the other end must be in; 0: of none
ADDRESS = ("reg12", "reg13", "reg14", "reg15")
"""The address of the other end: IPv6 in all of them, which are xxreg3, and IPv4 in the last."""
SCRATCH = "xreg4"       # reg8 and reg9: within one flow
ANSWER_MAC = SCRATCH    # from ARP to TURN: the MAC of the address that was asked for
ANSWER_FLAGS = "reg10"  # from ARP to TURN: of a neighbour advertisement (RFC 4861 section 4.4)

DROPS: dict[Table, Reason] = {
    Table.CLASSIFY: Reason.UNKNOWN_PORT,
    Table.TUNNEL: Reason.TUNNEL_NOT_MEMBER,
    Table.ADMIT: Reason.TUNNEL_NOT_MEMBER,
    Table.GUARD: Reason.SPOOFED,
    Table.FROM_COMMIT: Reason.NO_EGRESS_RULE,
    Table.UNNAT_CT: Reason.NO_CONNECTION,
    Table.ROUTE: Reason.NO_ROUTE,
    Table.NAT: Reason.NO_EXIT,
    Table.NAT_CT: Reason.NAT_EXHAUSTED,
    Table.NEXT_HOP: Reason.NO_NEIGHBOUR,
    Table.L2: Reason.UNKNOWN_UNICAST,
    Table.TO_COMMIT: Reason.NO_INGRESS_RULE,
    Table.OUTPUT: Reason.NOT_HERE,
    Table.TUNNEL_OUT: Reason.NO_TUNNEL,
    Table.TOO_LARGE: Reason.TOO_LARGE,
    Table.PUNT: Reason.UNPUNTABLE,
    Table.ANSWER: Reason.UNANSWERABLE,
    Table.ANEW: Reason.UNANSWERABLE,
    Table.TURN: Reason.UNANSWERABLE,
}
"""What a table without a flow for the packet drops it for."""

RETURNS = frozenset((Table.MEMBER, Table.FLOOD, Table.GROUPS, Table.REMOTES, Table.ADDRESS, Table.MEMBERS,
                     Table.RULES))
"""Looked up on the side: a miss goes back to where the lookup came from."""

SKIPS: dict[Table, Table] = {
    Table.UPLINK: Table.UNNAT,      # nobody here has that MAC
    Table.UNNAT: Table.L2,          # not for a router
    Table.EDGE: Table.ROUTE,
    Table.FROM_PORT: Table.ROUTER_IN,   # not filtered
    Table.FROM_CT: Table.ROUTER_IN,     # not IP
    Table.ROUTER_IN: Table.L2,      # not addressed to a gateway: bridged
    Table.FROM_QOS: Table.COPY,     # one limit at most
    Table.COPY: Table.TO_ACL,
    Table.TO_PORT: Table.TO_COUNT,
    Table.TO_CT: Table.TO_COUNT,
    Table.TO_QOS: Table.OUTPUT,
}
"""Where a miss goes when it is not the next table."""

_ORDER = tuple(Table)


def next_table(table: Table) -> Table:
    """Where a packet goes that `table` lets pass."""
    return SKIPS.get(table) or _ORDER[_ORDER.index(table) + 1]
