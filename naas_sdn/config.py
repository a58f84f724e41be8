"""Every option of the controller, in one place (oslo.config: file, environment, command line).

`load()` returns the parsed options; sections are attributes (`conf.api.port`). An option can be given in
the file, or in the environment as OS_<SECTION>__<OPTION> (for example OS_DATABASE__CONNECTION).
"""
from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg

ConfigOpts = cfg.ConfigOpts

VXLAN_OVERHEAD = 50
"""Outer IPv4, UDP and VXLAN headers and the inner Ethernet header (RFC 7348 section 5)."""

QUOTAS = {"network": 100, "subnet": 100, "port": 500, "router": 10, "vif": -1, "route": 100, "trunk": -1,
          "security_group": 10, "security_group_rule": 100, "rbac_policy": 10, "floatingip": 50,
          "subnetpool": -1, "address_scope": -1, "address_group": -1, "bridge": 10}
"""How many of a resource a project may have, by default. A port has one VIF at most, so ports limit them already."""

OPTIONS: dict[str, list[cfg.Opt]] = {
    "database": [
        cfg.StrOpt("connection", secret=True, default="sqlite:////var/lib/naas-sdn/naas.db",
                   help="URL of the database: sqlite:////PATH/TO/FILE or postgresql://USER:PASSWORD@HOST/NAME."),
    ],
    "api": [
        cfg.HostAddressOpt("host", default="127.0.0.1", help="Address that the REST API listens on."),
        cfg.PortOpt("port", default=9696, help="TCP port of the REST API."),
        cfg.StrOpt("auth", default="local", choices=("local", "keystone", "noauth"),
                   help="Who is believed: the tokens and users of the naas-sdn command (local); Keystone, by "
                        "keystonemiddleware's options in [keystone_authtoken]; whoever says who he is (noauth), for "
                        "labs on a loopback address only."),
        cfg.IntOpt("workers", default=0, min=0,
                   help="Serve the API from this many processes of its own; 0 serves it in the controller."),
        cfg.IntOpt("max_body", default=1 << 20, min=1024, help="Largest accepted request body, in bytes."),
        cfg.IntOpt("page_limit", default=1000, min=1, help="Most objects that one page of a list returns."),
    ],
    "openflow": [
        cfg.HostAddressOpt("host", default="0.0.0.0", help="Address that switches connect to."),
        cfg.PortOpt("port", default=6653, help="TCP port that switches connect to."),
        cfg.StrOpt("certificate", help="PEM certificate; with key and ca, switches must use TLS."),
        cfg.StrOpt("key", help="PEM private key of the certificate."),
        cfg.StrOpt("ca", help="PEM certificate of the authority that signs the switches' certificates."),
        cfg.IntOpt("half_open", default=256, min=1, help="Most connections that have not identified themselves."),
        cfg.FloatOpt("handshake_timeout", default=5.0, min=0.1,
                     help="Seconds a new connection has to finish TLS, HELLO and the features reply."),
        cfg.FloatOpt("echo_interval", default=3.0, min=0.1, help="Seconds between echo requests to a switch."),
        cfg.IntOpt("echo_misses", default=2, min=1, help="Unanswered echo requests before a switch is down."),
        cfg.FloatOpt("check_interval", default=9.0, min=0.1,
                     help="Seconds in which every switch is asked how many flows its tables have; in four times of it, "
                          "for its meters."),
        cfg.FloatOpt("audit_interval", default=300.0, min=0.1,
                     help="Seconds in which every switch's whole table is compared."),
        cfg.FloatOpt("audit_share", default=0.018, min=0.001, max=1,
                     help="The part of a core that comparing may take; reading the sockets comes on top. Where that is "
                          "too little for audit_interval, a round takes longer."),
        cfg.BoolOpt("nat", default=True,
                    help="Translate addresses at routers' gateways: floating addresses, and source NAT for the rest. "
                         "Without, floating addresses are refused, and gateways are routed plainly."),
        cfg.BoolOpt("auto_register", default=False,
                    help="Register unknown hypervisors by what their dp_desc says. For labs only."),
        cfg.StrOpt("tunnel_interface", default="vxlan0", help="Name of the tunnel port on every hypervisor."),
        cfg.StrOpt("bridge", default="br-int",
                   help="Name of the integration bridge on every hypervisor, as compute services are told it."),
        cfg.StrOpt("datapath_type", default="system", choices=("system", "netdev"),
                   help="Of that bridge, as compute services are told it."),
        cfg.IntOpt("wide_network", default=1000, min=1,
                   help="Plugged ports above which a network is wide: a hypervisor then holds only the remote ports "
                        "that its machines talk to, and a first packet passes the controller."),
        cfg.FloatOpt("wide_idle", default=300.0, min=1,
                     help="Seconds between looks at the remote ports of wide networks that a hypervisor holds; one "
                          "that nothing was sent to since the last look is dropped."),
        cfg.IntOpt("punt_rate", default=100, min=1, help="Packets a second that one port may send to the controller."),
        cfg.IntOpt("answer_rate", default=250, min=1,
                   help="ARP and echo requests a second of one port that the switch itself answers."),
        cfg.IntOpt("slowpath_rate", default=5000, min=1,
                   help="Packets a second of one switch that its own responders (ARP, echo) may answer."),
    ],
    "network": [
        cfg.ListOpt("flat_networks", default=[],
                    help="Physical networks that operators may make an untagged network of."),
        cfg.ListOpt("network_vlan_ranges", default=[],
                    help="Physical networks with VLANs, as NAME, or as NAME:FIRST:LAST with VLANs that are given to "
                         "networks made without a number."),
        cfg.ListOpt("physical_network_mtus", default=[],
                    help="MTUs of physical networks, as NAME:MTU; others have underlay_mtu."),
        cfg.IntOpt("underlay_mtu", default=1500, min=576, help="MTU of the network between the hypervisors."),
        cfg.IntOpt("dhcp_lease", default=86400, min=60, help="DHCP lease time in seconds."),
        cfg.StrOpt("dns_domain", default="cloud.internal",
                   help="Domain name handed out by DHCP and router advertisements."),
        cfg.FloatOpt("ra_interval", default=200.0, min=4, max=600,
                     help="Most seconds between two router advertisements of a gateway that nobody asked for."),
    ],
    "statistics": [
        cfg.FloatOpt("interval", default=5.0, min=0.2, help="Seconds between reading the flow counters."),
    ],
    "quotas": [
        cfg.IntOpt(resource, default=limit, min=-1, max=2**31 - 1,
                   help=f"Most {resource} objects of a project that has no quota of its own; -1: any number.")
        for resource, limit in QUOTAS.items()
    ],
    "nova": [
        cfg.BoolOpt("events", default=False,
                    help="Tell Nova what becomes of its servers' ports. Where it is and who asks is said by "
                         "keystoneauth's options in this section (auth_type, ...)."),
        cfg.FloatOpt("interval", default=0.5, min=0.1, help="Seconds between batches of events."),
    ],
    "plugins": [
        cfg.StrOpt("l2", default="openflow", help="Plugin that realises networks and ports."),
        cfg.StrOpt("l3", default="openflow", help="Plugin that realises subnets, routers and routes; empty: none."),
        cfg.ListOpt("ipconfig", default=["dhcp"], help="Plugins that hand addresses to machines."),
        cfg.StrOpt("ipam", default="internal", help="Plugin that allocates addresses."),
        cfg.ListOpt("bridge", default=["vxlan", "gre"], help="Plugins of bridges to remote sites, one a type."),
    ],
}


def tunnel_mtu(conf: cfg.ConfigOpts) -> int:
    """Octets of a packet that fit between hypervisors, without the header of its frame."""
    return int(conf.network.underlay_mtu) - VXLAN_OVERHEAD


def quotas(conf: cfg.ConfigOpts) -> dict[str, int]:
    """The limit of each resource for projects without one of their own; -1: none."""
    return {resource: int(conf.quotas[resource]) for resource in QUOTAS}


def load(args: Sequence[str] = (), files: Sequence[str] | None = None) -> cfg.ConfigOpts:
    """Parse `args` (`--config-file`, `--database-connection`, ...) and `files` (default: the usual places).

    Raises oslo_config.cfg.ConfigFileParseError, ConfigFileValueError or RequiredOptError on bad input.
    """
    conf = cfg.ConfigOpts()
    for group, options in OPTIONS.items():
        conf.register_cli_opts(options, group)
    conf(list(args), project="naas-sdn", default_config_files=None if files is None else list(files))
    return conf
