"""The facts that flows are compiled from. Frozen; addresses are ipaddress values, MACs 48-bit integers.

`key` is a small number that the database allocates once and that registers carry: ports, hypervisors, subnets and
routers share one sequence, networks have their own (24 bits, the tunnel ID).
"""
from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from naas_sdn.model.ip import Ip, Prefix


@dataclass(frozen=True, slots=True)
class Network:
    """`mtu` is what guests may send; on an `isolated` network ports reach gateways but not each other.

    A provider network is on a `physical_network`: on its VLAN `vlan`, or untagged where that is None.
    """

    id: str
    key: int
    mtu: int
    admin_up: bool = True
    isolated: bool = False
    qos_policy_id: str | None = None
    physical_network: str | None = None
    vlan: int | None = None

    @property
    def is_provider(self) -> bool:
        return self.physical_network is not None


@dataclass(frozen=True, slots=True)
class Subnet:
    """`gateway_mac` answers for `gateway` unless a port holds that address; `server` is the DHCP identifier."""

    id: str
    network_id: str
    key: int
    cidr: Prefix
    gateway: Ip | None
    gateway_mac: int
    dhcp: bool = True
    nameservers: tuple[Ip, ...] = ()
    host_routes: tuple[tuple[Prefix, Ip], ...] = ()
    ra_mode: str | None = None
    """IPv6: what routers advertise, "slaac", "dhcpv6-stateful" or "dhcpv6-stateless"; None: nothing."""
    address_mode: str | None = None
    """IPv6: how machines get their addresses, of the same words; None: not by the cloud."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a port."""

    subnet_id: str
    ip: Ip


@dataclass(frozen=True, slots=True)
class AddressPair:
    """What a port may send as, besides its own addresses."""

    mac: int
    cidr: Prefix


@dataclass(frozen=True, slots=True)
class Port:
    """A logical port. `owner` is Neutron's device_owner, `device_id` the instance or router that uses it."""

    id: str
    network_id: str
    key: int
    mac: int
    addresses: tuple[Address, ...] = ()
    admin_up: bool = True
    port_security: bool = True
    owner: str = ""
    device_id: str = ""
    hostname: str = ""
    qos_policy_id: str | None = None
    pairs: tuple[AddressPair, ...] = ()
    dhcp_options: tuple[tuple[int, bytes], ...] = ()
    """(code, value), as model/dhcp.py encodes them."""
    groups: tuple[str, ...] | None = None
    """Security groups, whose rules say what may pass; None: everything may."""
    dhcp6_options: tuple[tuple[int, bytes], ...] = ()

    @property
    def is_machines(self) -> bool:
        """Not one that the cloud itself uses."""
        return not self.owner.startswith("network:")


ROUTER_INTERFACE = "network:router_interface"
BRIDGE_PORT = "naas:bridge"
ROUTER_GATEWAY = "network:router_gateway"
FLOATING_IP = "network:floatingip"
DHCP_SERVICE = "network:dhcp"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A VIF: the interface of a hypervisor that a port is plugged to, or one VLAN on it.

    `slot` is a number below 32768 leased on that hypervisor (meters, conntrack zone); `plugging` counts plugs and
    returns of the interface, so that an acknowledgement names which one it is for.
    """

    port_id: str
    network_id: str
    host: str
    interface: str
    slot: int
    plugging: int
    vlan: int | None = None
    settled: bool = False
    """A switch had acknowledged this plugging when it was read; no flow depends on it."""


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """`vtep` is the address of its tunnel end, `datapath_id` its bridge's OpenFlow identity."""

    name: str
    key: int
    datapath_id: int
    vtep: IPv4Address
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Uplink:
    """The interface of a hypervisor that a physical network is behind."""

    host: str
    physical_network: str
    interface: str


@dataclass(frozen=True, slots=True)
class Leg:
    """A router's interface on a subnet."""

    port_id: str
    subnet_id: str


@dataclass(frozen=True, slots=True)
class ExternalGateway:
    """Where a router leaves the cloud: its port on an external network. `slot` no other router has.

    With `snat` what has no floating address goes out with the gateway's.
    """

    port_id: str
    network_id: str
    slot: int
    snat: bool = True

    @property
    def zone(self) -> int:
        """Of conntrack: above those of ports."""
        return 0x8001 + self.slot


@dataclass(frozen=True, slots=True)
class Router:
    """`routes` are (destination, next hop), each next hop on the subnet of a leg."""

    id: str
    key: int
    legs: tuple[Leg, ...] = ()
    admin_up: bool = True
    routes: tuple[tuple[Prefix, Ip], ...] = ()
    gateway: ExternalGateway | None = None


@dataclass(frozen=True, slots=True)
class FloatingIp:
    """An address of external network `network_id` that stands for the address `fixed` of port `port_id`.

    Both are IPv4. `mac` is its own, of the port that holds it.
    """

    id: str
    network_id: str
    router_id: str
    ip: IPv4Address
    mac: int
    port_id: str
    fixed: IPv4Address


@dataclass(frozen=True, slots=True)
class Route:
    """A NaaS route: the two subnets reach each other through their gateways, no others."""

    id: str
    subnet_ids: tuple[str, str]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """kbit/s and kbit, or packets a second and packets."""

    rate: int
    burst: int


@dataclass(frozen=True, slots=True)
class QosPolicy:
    """As seen from the machine: egress is what it sends. `dscp` marks that, 0 to 63."""

    id: str
    egress: RateLimit | None = None
    ingress: RateLimit | None = None
    egress_packets: RateLimit | None = None
    ingress_packets: RateLimit | None = None
    dscp: int | None = None

    @property
    def limits_ingress(self) -> bool:
        return self.ingress is not None or self.ingress_packets is not None


@dataclass(frozen=True, slots=True)
class SecurityRule:
    """What may pass a port of a security group; None is anything. `low` and `high` are ports, or an ICMP type and code.

    `remote` is the id of a security group or an address group that the other end is in.
    """

    group_id: str
    ingress: bool
    version: int
    protocol: int | None = None
    low: int | None = None
    high: int | None = None
    cidr: Prefix | None = None
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """What is answered may pass too where the group is `stateful`. Its rules are facts of their own."""

    id: str
    key: int
    stateful: bool = True


@dataclass(frozen=True, slots=True)
class AddressGroup:
    """Addresses that rules name together."""

    id: str
    key: int
    cidrs: tuple[Prefix, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A connected switch has `interface` as OpenFlow port `number`."""

    host: str
    interface: str
    number: int


@dataclass(frozen=True, slots=True)
class Member:
    """A hypervisor that hosts a network on which this router has an interface, and so may send to all of them."""

    host: str
    router_id: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """Who answered on a physical network for the gateway address `ip` of an external network."""

    network_id: str
    ip: IPv4Address
    mac: int


@dataclass(frozen=True, slots=True)
class Absent:
    """A hypervisor that is not to be relied on: its switch has been away too long, or lacks an uplink."""

    host: str


@dataclass(frozen=True, slots=True)
class Exit:
    """The hypervisor that has the router's gateway."""

    router_id: str
    host: str


@dataclass(frozen=True, slots=True)
class Landing:
    """The hypervisor that translates a floating address."""

    floating_ip_id: str
    host: str


@dataclass(frozen=True, slots=True)
class Outlet:
    """By its own uplink, the hypervisor sends what leaves by routers with a gateway on this external network."""

    host: str
    network_id: str


@dataclass(frozen=True, slots=True)
class Wide:
    """A network with too many ports for every hypervisor to hold: each holds those that its machines talk to."""

    network_id: str


Fact = (Network | Subnet | Port | Attachment | Hypervisor | Uplink | Router | Route | QosPolicy | SecurityGroup
        | SecurityRule | AddressGroup | Link | Member | Wide | FloatingIp | Sighting | Absent | Exit | Landing
        | Outlet)
