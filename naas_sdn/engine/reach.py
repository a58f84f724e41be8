"""What each hypervisor subscribes to: which networks lead to which, which are wide, who is a member of what.

Kept in step with the facts as they change: a plug costs what its network's routers are, whatever they lead to.
"""
from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from naas_sdn.apps.contract import Group
from naas_sdn.apps.gateways import Ways, ways_of
from naas_sdn.engine.exits import Exits
from naas_sdn.engine.filters import Filters
from naas_sdn.model.store import Key, Store, View
from naas_sdn.model.values import Exit, Fact, Member, Network, Wide

FABRIC = Group("fabric")

Take = Callable[[Key, Fact | None], None]
Track = Callable[[str, frozenset[Key]], None]


class Reach:
    """`widest`: ports plugged into a network and those it is routed to, that each of their hypervisors holds whole."""

    def __init__(self, store: Store, widest: int) -> None:
        self._store = store
        self._widest = widest
        self._filters = Filters(store)
        self._exits = Exits(store)
        self._ways: dict[str, Ways] = {}
        self._networks: defaultdict[str, set[str]] = defaultdict(set)
        """Of each router."""
        self._plugged: dict[str, int] = {}
        self._plugged_of_router: Counter[str] = Counter()
        self._crowded: set[str] = set()
        """Routers whose networks have more than `widest` ports together, so that all of these are wide."""

    def subscriptions(self, host: str) -> set[Group]:
        """Of a hypervisor; of wide networks that it does not host itself, it may ask for some ports besides."""
        groups = {FABRIC, Group("host", host)}
        for network_id in self._served(host):
            ways = self._ways.get(network_id, Ways())
            groups.update(Group(kind, network_id) for kind in ("network", "members", "ports"))
            groups.update(Group("members", partner) for partner in ways.networks)
            groups.update(Group("ports", other) for other in self._narrow(ways))
            for router_id in ways.routers:
                groups.update((Group("router", router_id), Group("members", router_id)))
        for network_id in self._store.elements(Key("outlets of host", host)):
            groups.update((Group("network", network_id), Group("ports", network_id)))
        groups.update(self._filters.subscriptions(host))
        return groups

    def reached(self, host: str) -> set[str]:
        """The networks that a hypervisor hosts or routes to."""
        found: set[str] = set()
        for network_id in self._served(host):
            ways = self._ways.get(network_id, Ways())
            found.update((network_id, *ways.networks), *(self._networks[router_id] for router_id in ways.routers))
        return found

    def follow(self, stale: Iterable[Key], reread: Iterable[str], book: Take, track: Track) -> set[str]:
        """After the facts behind `stale` have changed: put Member and Wide facts right.

        `reread`: networks whose ways read something stale; `track` is told what a network's ways have read. Returns
        the hypervisors whose subscriptions may be others now.
        """
        stale = list(stale)
        derived: set[Key] = set()

        def take(key: Key, fact: Fact | None) -> None:
            derived.add(key)
            if key.kind == "member":
                derived.add(Key("members of router", key.id[1]))
            book(key, fact)

        rerouted, routers = self._reroute({*reread, *(key.id for key in stale if key.kind == "network")}, track)
        plugged = {key.id for key in stale if key.kind == "attachments of network"}
        networks = {key.id for key in stale if key.kind == "network"}
        widened = self._weigh(plugged, rerouted | networks, routers, take)
        moved = {key.id for key in stale if key.kind == "networks of host"} | self._filters.follow(stale)
        turned, leaving = self._exits.elect(stale, take)
        moved |= leaving
        joined = {key.id for key in stale if key.kind == "hosts of network"}
        for router_id in routers.union(turned, *(self._ways.get(network_id, Ways()).routers for network_id in joined)):
            changed = self._enrol(router_id, take)
            if router_id in routers or router_id in turned:
                moved |= changed | self._members(router_id)
        moved |= self._exits.spread((*stale, *derived), take)
        for network_id in rerouted:
            moved |= self._hosts(network_id)
        moved.update(*(self._hosts(network_id) for network_id in
                       widened.union(*(self._ways.get(network_id, Ways()).networks for network_id in widened))))
        moved.update(*(self._members(router_id) for router_id in
                       set[str]().union(*(self._ways.get(network_id, Ways()).routers for network_id in widened))))
        return moved

    def _reroute(self, networks: Iterable[str], track: Track) -> tuple[set[str], set[str]]:
        """The networks whose ways have changed, and the routers that have come to them or gone."""
        changed: set[str] = set()
        routers: set[str] = set()
        for network_id in networks:
            view = View(self._store)
            old, new = self._ways.get(network_id, Ways()), Ways()
            known = view.network(network_id) is not None
            if known:
                new = ways_of(view, network_id)
            track(network_id, frozenset(view.reads if known else ()))
            if new == old:
                continue
            changed.add(network_id)
            for router_id in old.routers ^ new.routers:
                routers.add(router_id)
                if router_id in new.routers:
                    self._networks[router_id].add(network_id)
                else:
                    self._networks[router_id].discard(network_id)
            self._ways[network_id] = new
            if new == Ways():
                del self._ways[network_id]
        for router_id in routers:
            if not self._networks[router_id]:
                del self._networks[router_id]
        return changed, routers

    def _weigh(self, plugged: set[str], rerouted: set[str], routers: set[str], take: Take) -> set[str]:
        """The networks that have become wide, or have ceased to be: at more than the limit, and at half of it."""
        weighed, reweighed = plugged | rerouted, set(routers)
        for network_id in plugged:
            count = self._store.count(Key("attachments of network", network_id))
            more = count - self._plugged.get(network_id, 0)
            self._plugged[network_id] = count
            if not count:
                del self._plugged[network_id]
            ways = self._ways.get(network_id, Ways())
            weighed |= ways.networks
            reweighed |= ways.routers
            self._plugged_of_router.update(dict.fromkeys(ways.routers, more))
        for router_id in routers:
            self._plugged_of_router[router_id] = sum(self._plugged.get(network_id, 0)
                                                     for network_id in self._networks.get(router_id, ()))
        for router_id in reweighed:
            networks = self._networks.get(router_id, set())
            crowded = self._plugged_of_router[router_id] > self._limit(router_id in self._crowded)
            if crowded != (router_id in self._crowded):
                self._crowded ^= {router_id}
                weighed |= networks
            if not networks:
                del self._plugged_of_router[router_id]
        widened = set()
        for network_id in weighed:
            ways = self._ways.get(network_id, Ways())
            was = self._is_wide(network_id)
            ports = sum(self._plugged.get(other, 0) for other in (network_id, *ways.networks))
            wide = ports > self._limit(was) or not self._crowded.isdisjoint(ways.routers)
            # Of provider networks, which hold few flows of others' ports, all is held.
            if was != (wide and not self._is_provider(network_id)):
                widened.add(network_id)
                take(Key("wide", network_id), None if was else Wide(network_id))
        return widened

    def _enrol(self, router_id: str, take: Take) -> set[str]:
        """The hypervisors that became members of a router, or are no more."""
        wanted: set[str] = set().union(*(self._hosts(network_id) for network_id in self._networks.get(router_id, ())))
        found = self._store.fact(Key("exit", router_id))
        if isinstance(found, Exit):
            wanted.add(found.host)
        changed = wanted ^ self._members(router_id)
        for host in changed:
            take(Key("member", (host, router_id)), Member(host, router_id) if host in wanted else None)
        return changed

    def _served(self, host: str) -> set[str]:
        """The networks that a hypervisor hosts, and those behind routers that leave by it."""
        return set(self._store.elements(Key("networks of host", host))).union(
            *(self._networks.get(router_id, ()) for router_id in self._store.elements(Key("exits of host", host))))

    def _narrow(self, ways: Ways) -> Iterator[str]:
        for router_id in ways.routers - self._crowded:
            yield from (other for other in self._networks[router_id] if not self._is_wide(other))
        yield from (other for other in ways.networks if not self._is_wide(other))

    def _limit(self, is_wide: bool) -> int:
        return self._widest // 2 if is_wide else self._widest

    def _is_wide(self, network_id: str) -> bool:
        return self._store.fact(Key("wide", network_id)) is not None

    def _is_provider(self, network_id: str) -> bool:
        network = self._store.fact(Key("network", network_id))
        return isinstance(network, Network) and network.is_provider

    def _hosts(self, network_id: str) -> frozenset[str]:
        return self._store.elements(Key("hosts of network", network_id))

    def _members(self, router_id: str) -> frozenset[str]:
        return self._store.elements(Key("members of router", router_id))
