"""Which security groups the ports of each hypervisor are in, and so which groups' rules and members it must hold."""
from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from naas_sdn.apps.contract import Group
from naas_sdn.model.store import Key, Store
from naas_sdn.model.values import Attachment, Port


class Filters:
    """Kept in step with the facts: a plug costs what the groups of its port are."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._of_port: dict[str, tuple[str, tuple[str, ...]]] = {}
        """Of ports that are plugged: where, and their groups."""
        self._ports: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """How many ports of each group a hypervisor has."""
        self._hosts: defaultdict[str, set[str]] = defaultdict(set)
        """Of each group that has a port there."""
        self._remotes: dict[str, frozenset[str]] = {}
        """The groups that a group's rules are about."""

    def subscriptions(self, host: str) -> Iterator[Group]:
        for group_id in self._ports.get(host, ()):
            yield Group("rules", group_id)
            for remote in self._remotes.get(group_id, ()):
                yield Group("remote", remote)

    def follow(self, stale: Iterable[Key]) -> set[str]:
        """After the facts behind `stale` have changed: the hypervisors whose subscriptions may be others now."""
        moved: set[str] = set()
        ports: set[str] = set()
        for key in stale:
            if key.kind in ("port", "vif"):
                ports.add(key.id)
            elif key.kind == "remotes of group":
                moved |= self._refer(key.id[0])
        for port_id in ports:
            moved |= self._replace(port_id)
        return moved

    def _refer(self, group_id: str) -> set[str]:
        """The group's rules are about others than before: the hypervisors with its ports."""
        remotes = frozenset[str]().union(*(self._store.elements(Key("remotes of group", (group_id, ingress)))
                                           for ingress in (True, False)))
        self._remotes.pop(group_id, None)
        if remotes:
            self._remotes[group_id] = remotes
        return self._hosts.get(group_id, set())

    def _replace(self, port_id: str) -> set[str]:
        """The hypervisors that have got their first port of a group, or have lost their last."""
        port, vif = self._store.fact(Key("port", port_id)), self._store.fact(Key("vif", port_id))
        old = self._of_port.pop(port_id, None)
        new = None
        if isinstance(vif, Attachment) and isinstance(port, Port) and port.groups:
            new = (vif.host, port.groups)
        if new is not None:
            self._of_port[port_id] = new
        if new == old:
            return set()
        moved = set()
        for (host, groups), more in ((place, more) for place, more in ((old, -1), (new, 1)) if place is not None):
            counts = self._ports[host]
            for group_id in groups:
                before = counts[group_id]
                counts[group_id] += more
                if not before:
                    self._hosts[group_id].add(host)
                    moved.add(host)
                elif not counts[group_id]:
                    self._forget(host, group_id)
                    moved.add(host)
            if not counts:
                del self._ports[host]
        return moved

    def _forget(self, host: str, group_id: str) -> None:
        del self._ports[host][group_id]
        hosts = self._hosts[group_id]
        hosts.discard(host)
        if not hosts:
            del self._hosts[group_id]
