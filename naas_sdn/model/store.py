"""All facts in memory, with the indexes that compilation asks; and Views that remember what was read.

A `Key` is what can be read: (kind, id) for one fact, (index, of what) for a set of ids. `Store.put` returns the
keys whose answer it changed, so whatever read one of them, found or missed, is stale.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from naas_sdn.model.values import (
    AddressGroup,
    Attachment,
    Exit,
    Fact,
    FloatingIp,
    Hypervisor,
    Landing,
    Link,
    Member,
    Network,
    Outlet,
    Port,
    QosPolicy,
    Route,
    Router,
    SecurityGroup,
    SecurityRule,
    Sighting,
    Subnet,
    Uplink,
)


class Key(NamedTuple):
    kind: str
    id: Any


def indexes(kind: str, fact: Fact) -> Iterator[tuple[Key, Any]]:
    """The (index key, element) pairs that `fact` puts in the indexes."""
    match fact:
        case Network():
            yield Key("network of key", fact.key), fact.id
        case Subnet():
            yield Key("subnets of network", fact.network_id), fact.id
        case Port():
            yield Key("ports of network", fact.network_id), fact.id
            yield Key("port of key", fact.key), fact.id
            yield Key("ports of mac", (fact.network_id, fact.mac)), fact.id
            for address in fact.addresses:
                yield Key("holders of address", (address.subnet_id, address.ip)), fact.id
            if fact.owner == "network:dhcp":
                for address in fact.addresses:
                    yield Key("service ports of subnet", address.subnet_id), fact.id
        case Attachment():
            yield Key("attachments of host", fact.host), fact.port_id
            yield Key("attachments of network on host", (fact.network_id, fact.host)), fact.port_id
            yield Key("attachments of network", fact.network_id), fact.port_id
            yield Key("hosts of network", fact.network_id), fact.host
            yield Key("networks of host", fact.host), fact.network_id
        case Router():
            for leg in fact.legs:
                yield Key("routers of subnet", leg.subnet_id), fact.id
            if fact.gateway is not None:
                yield Key("routers with a gateway", ""), fact.id
        case FloatingIp():
            yield Key("floating address", (fact.network_id, fact.ip)), fact.id
        case Route():
            for subnet_id in fact.subnet_ids:
                yield Key("routes of subnet", subnet_id), fact.id
        case Hypervisor():
            yield Key("hypervisors", ""), fact.name
            yield Key("hypervisor of datapath", fact.datapath_id), fact.name
        case Uplink():
            yield Key("uplinks of host", fact.host), fact.physical_network
            yield Key("hosts at physical network", fact.physical_network), fact.host
        case Link():
            yield Key("hosts of interface", fact.interface), fact.host
            yield Key("interfaces of host", fact.host), fact.interface
        case SecurityRule():
            if fact.remote is not None:
                yield Key("remotes of group", (fact.group_id, fact.ingress)), fact.remote
        case Member():
            yield Key("members of router", fact.router_id), fact.host
        case Exit():
            yield Key("exits", ""), (fact.router_id, fact.host)
            yield Key("exits of host", fact.host), fact.router_id
        case Landing():
            yield Key("landings", ""), (fact.floating_ip_id, fact.host)
        case Outlet():
            yield Key("outlets of host", fact.host), fact.network_id
        case Sighting():
            yield Key("sightings", ""), (fact.network_id, fact.ip)
        case _:
            return


def uplink_id(host: str, physical_network: str) -> str:
    """Names of hypervisors have no spaces."""
    return f"{host} {physical_network}"


def sighting_id(network_id: str, ip: object) -> str:
    return f"{network_id} {ip}"


FEW = 6
"""Elements of an index that are kept as a tuple."""

Elements = tuple[Any, ...] | Counter[Any]
"""What an index has, each element as often as facts put it there. Most have one, and a Counter takes five times the
room of a tuple."""


def _with(elements: Elements, element: Any) -> Elements:
    if isinstance(elements, tuple):
        if len(elements) < FEW:
            return (*elements, element)
        elements = Counter(elements)
    elements[element] += 1
    return elements


def _without(elements: Elements, element: Any) -> Elements:
    if isinstance(elements, tuple):
        at = elements.index(element)
        return elements[:at] + elements[at + 1:]
    elements[element] -= 1
    if not elements[element]:
        del elements[element]
    return elements


class Store:
    """Facts by kind and id. Ids are the database's, except Link (host, interface) and Member (host, router)."""

    def __init__(self) -> None:
        self._facts: dict[Key, Fact] = {}
        self._index: dict[Key, Elements] = {}

    def fact(self, key: Key) -> Fact | None:
        return self._facts.get(key)

    def facts(self) -> Mapping[Key, Fact]:
        return self._facts

    def elements(self, key: Key) -> frozenset[Any]:
        return frozenset(self._index.get(key, ()))

    def count(self, key: Key) -> int:
        """How many elements there are."""
        found = self._index.get(key, ())
        return len(set(found)) if isinstance(found, tuple) else len(found)

    def put(self, key: Key, fact: Fact | None) -> set[Key]:
        """Replace (None: forget) one fact; the keys that now answer differently."""
        old = self._facts.get(key)
        if old == fact:
            return set()
        changed = {key}
        before = set(indexes(key.kind, old)) if old is not None else set()
        after = set(indexes(key.kind, fact)) if fact is not None else set()
        for index, element in before - after:
            elements = self._index[index] = _without(self._index[index], element)
            if element not in elements:
                changed.add(index)
                if not elements:
                    del self._index[index]
        for index, element in after - before:
            elements = self._index.get(index, ())
            if element not in elements:
                changed.add(index)
            self._index[index] = _with(elements, element)
        if fact is None:
            del self._facts[key]
        else:
            self._facts[key] = fact
        return changed


class View:
    """What one compilation sees of the Store. Every read is remembered in `reads`."""

    def __init__(self, store: Store, host: str | None = None) -> None:
        self._store = store
        self.host = host
        self.reads: set[Key] = set()

    def _fact(self, kind: str, identifier: Any) -> Any:
        key = Key(kind, identifier)
        self.reads.add(key)
        return self._store.fact(key)

    def _elements(self, index: str, of: Any) -> list[Any]:
        key = Key(index, of)
        self.reads.add(key)
        return sorted(self._store.elements(key))

    def network(self, network_id: str) -> Network | None:
        found: Network | None = self._fact("network", network_id)
        return found

    def subnet(self, subnet_id: str) -> Subnet | None:
        found: Subnet | None = self._fact("subnet", subnet_id)
        return found

    def port(self, port_id: str) -> Port | None:
        found: Port | None = self._fact("port", port_id)
        return found

    def attachment(self, port_id: str) -> Attachment | None:
        found: Attachment | None = self._fact("vif", port_id)
        return found

    def hypervisor(self, host: str) -> Hypervisor | None:
        found: Hypervisor | None = self._fact("hypervisor", host)
        return found

    def uplink(self, host: str, physical_network: str) -> Uplink | None:
        """Where the hypervisor is connected to the physical network."""
        found: Uplink | None = self._fact("uplink", uplink_id(host, physical_network))
        return found

    def uplinks_of(self, host: str) -> list[str]:
        """The physical networks that the hypervisor is connected to."""
        return self._elements("uplinks of host", host)

    def hosts_at(self, physical_network: str) -> list[str]:
        """The hypervisors with an uplink to it."""
        return self._elements("hosts at physical network", physical_network)

    def is_absent(self, host: str) -> bool:
        return self._fact("absent", host) is not None

    def exit(self, router_id: str) -> Exit | None:
        found: Exit | None = self._fact("exit", router_id)
        return found

    def members_of(self, router_id: str) -> list[str]:
        """The hypervisors that may send to the networks of the router."""
        return self._elements("members of router", router_id)

    def floating_ip(self, identifier: str) -> FloatingIp | None:
        found: FloatingIp | None = self._fact("floating_ip", identifier)
        return found

    def floating_ip_at(self, network_id: str, ip: Any) -> FloatingIp | None:
        """The one with this address of an external network."""
        found = self._elements("floating address", (network_id, ip))
        return self.floating_ip(found[0]) if found else None

    def sighting(self, network_id: str, ip: Any) -> Sighting | None:
        """Who has this address of a physical network."""
        found: Sighting | None = self._fact("sighting", sighting_id(network_id, ip))
        return found

    def router(self, router_id: str) -> Router | None:
        found: Router | None = self._fact("router", router_id)
        return found

    def route(self, route_id: str) -> Route | None:
        found: Route | None = self._fact("route", route_id)
        return found

    def qos_policy(self, policy_id: str) -> QosPolicy | None:
        found: QosPolicy | None = self._fact("qos_policy", policy_id)
        return found

    def security_group(self, group_id: str) -> SecurityGroup | None:
        found: SecurityGroup | None = self._fact("security_group", group_id)
        return found

    def remotes_of(self, group_id: str, *, ingress: bool) -> list[str]:
        """The groups that a security group's rules about one direction are about."""
        return self._elements("remotes of group", (group_id, ingress))

    def address_group(self, group_id: str) -> AddressGroup | None:
        found: AddressGroup | None = self._fact("address_group", group_id)
        return found

    def link(self, host: str, interface: str) -> Link | None:
        found: Link | None = self._fact("link", (host, interface))
        return found

    def is_wide(self, network_id: str) -> bool:
        """Hypervisors hold only those remote ports of the network that their machines talk to."""
        return self._fact("wide", network_id) is not None

    def subnets_of(self, network_id: str) -> list[str]:
        return self._elements("subnets of network", network_id)

    def ports_of(self, network_id: str) -> list[str]:
        return self._elements("ports of network", network_id)

    def holders_of(self, subnet_id: str, ip: Any) -> list[str]:
        """The ports that have this address."""
        return self._elements("holders of address", (subnet_id, ip))

    def service_ports_of(self, subnet_id: str) -> list[str]:
        """The ports that hold a service address of the subnet."""
        return self._elements("service ports of subnet", subnet_id)

    def attached_on(self, network_id: str, host: str) -> list[str]:
        """The ports of the network that are plugged on this hypervisor."""
        return self._elements("attachments of network on host", (network_id, host))

    def hosts_of(self, network_id: str) -> list[str]:
        """The hypervisors with a port of the network."""
        return self._elements("hosts of network", network_id)

    def networks_of(self, host: str) -> list[str]:
        """The networks with a port on this hypervisor."""
        return self._elements("networks of host", host)

    def routers_of(self, subnet_id: str) -> list[str]:
        return self._elements("routers of subnet", subnet_id)

    def routes_of(self, subnet_id: str) -> list[str]:
        return self._elements("routes of subnet", subnet_id)

    def network_of_key(self, key: int) -> Network | None:
        """The network whose register key, and tunnel ID, this is."""
        found = self._elements("network of key", key)
        return self.network(found[0]) if found else None

    def ports_of_mac(self, network_id: str, mac: int) -> list[str]:
        return self._elements("ports of mac", (network_id, mac))

    def port_of_key(self, key: int) -> Port | None:
        """The port whose register key this is."""
        found = self._elements("port of key", key)
        return self.port(found[0]) if found else None
