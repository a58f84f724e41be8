"""What agents in machines read: OpenStack's meta_data and network_data, and the network-config that NoCloud has.

The records are plain JSON (dicts, lists, strings, numbers); `as_json` and `as_yaml` write them.
"""
from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import yaml

from naas_sdn.guests.values import By, Interface, Machine, Told

Json = dict[str, Any]

_TYPES = {
    (4, By.STATIC): "ipv4", (4, By.DHCP): "ipv4_dhcp",
    (6, By.STATIC): "ipv6", (6, By.DHCP): "ipv6_dhcpv6-stateful", (6, By.ADVERTISED): "ipv6_slaac",
    (6, By.ADVERTISED_AND_DHCP): "ipv6_dhcpv6-stateless",
}
"""As Nova and cloud-init call them."""


def meta_data(machine: Machine) -> Json:
    """OpenStack's meta_data.json: who the machine is."""
    named = {"hostname": machine.hostname, "name": machine.hostname} if machine.hostname else {}
    return {"uuid": machine.id, "project_id": machine.project_id, **named}


def network_data(machine: Machine) -> Json:
    """OpenStack's network_data.json, as Nova's configuration drive has it: links, networks, services.

    It has no metrics: the default route of the first link is the one that systems take.
    """
    networks: list[Json] = []
    for interface in machine.interfaces:
        for told in _once(interface):
            networks.append({"id": f"network{len(networks)}", **_network(machine, interface, told)})
    servers = dict.fromkeys(server for interface in machine.interfaces for server in interface.nameservers)
    return {
        "links": [{"id": _link(interface), "type": "ovs", "vif_id": interface.port_id, "mtu": interface.mtu,
                   "ethernet_mac_address": interface.mac} for interface in machine.interfaces],
        "networks": networks,
        "services": [{"type": "dns", "address": str(server)} for server in servers],
    }


def network_config(machine: Machine) -> Json:
    """cloud-init's network configuration version 2: NoCloud's network-config. Interfaces are called eth0 and so on."""
    ethernets = {}
    for number, interface in enumerate(machine.interfaces):
        said = ethernet(machine, interface)
        # cloud-init 22 makes ::/64 of ::/0 wherever it does not write for netplan; this key it takes for what it is.
        for route in [route for route in said.get("routes", []) if (route["to"], len(route)) == ("::/0", 2)]:
            said["gateway6"] = route["via"]
            said["routes"].remove(route)
        ethernets[f"eth{number}"] = {"match": {"macaddress": interface.mac}, "set-name": f"eth{number}", **said}
    return {"version": 2, "ethernets": ethernets}


def ethernet(machine: Machine, interface: Interface) -> Json:
    """What netplan and cloud-init are told of one interface, but for which it is."""
    made: Json = {"mtu": interface.mtu, "dhcp4": interface.gets(4, By.DHCP),
                  "dhcp6": interface.gets(6, By.DHCP, By.ADVERTISED_AND_DHCP), "accept-ra": interface.listens}
    if interface.static:
        made["addresses"] = [told.ip.with_prefixlen for told in interface.static]
    routes = [*machine.routes(interface, 4), *machine.routes(interface, 6)]
    if routes:
        made["routes"] = [{"to": str(hop.to), "via": str(hop.via),
                           **({"metric": hop.metric} if hop.metric is not None else {}),
                           **({"on-link": True} if hop.onlink else {})} for hop in routes]
    if interface.nameservers:
        search = {"search": [machine.domain]} if machine.domain else {}
        made["nameservers"] = {"addresses": [str(server) for server in interface.nameservers], **search}
    return made


def as_json(record: Json) -> bytes:
    return json.dumps(record, indent=1).encode()


def as_yaml(record: Json) -> bytes:
    text: str = yaml.safe_dump(record, sort_keys=False)
    return text.encode()


def _link(interface: Interface) -> str:
    """As Nova names the interface on the hypervisor."""
    return f"tap{interface.port_id[:11]}"


def _once(interface: Interface) -> Iterator[Told]:
    """All static addresses, but each other way once a family: a second client would ask for the same."""
    seen = set()
    for told in interface.addresses:
        way = (told.ip.version, told.by)
        if told.by is By.STATIC or way not in seen:
            seen.add(way)
            yield told


def _network(machine: Machine, interface: Interface, told: Told) -> Json:
    made: Json = {"type": _TYPES[told.ip.version, told.by], "link": _link(interface),
                  "network_id": interface.network_id}
    if told.by is not By.STATIC:
        return made
    return {**made, "ip_address": str(told.ip.ip), "netmask": str(told.ip.netmask),
            "routes": [{"network": str(to.network_address), "netmask": str(ip_network(to).netmask),
                        "gateway": str(via)} for to, via in told.hops],
            "services": [{"type": "dns", "address": str(server)} for server in told.nameservers]}
