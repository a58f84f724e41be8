"""Where routers leave the cloud: which hypervisor has a router's gateway, which translates a floating address.

Derived facts, kept in step with the others. What each was derived from is remembered, so that only those which read
what has changed are looked at.
"""
from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from naas_sdn.apps.external import exit_of, landing_of, outlets_of
from naas_sdn.model.store import Key, Store, View
from naas_sdn.model.values import Exit, Fact, Landing, Outlet

Take = Callable[[Key, Fact | None], None]


class Exits:
    """Exit, Landing and Outlet facts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reads: dict[Key, frozenset[Key]] = {}
        """Of what was derived, by its key."""
        self._readers: defaultdict[Key, set[Key]] = defaultdict(set)
        self._outlets: dict[str, frozenset[tuple[str, str]]] = {}
        """Of each router."""
        self._sharing: Counter[tuple[str, str]] = Counter()
        """How many routers have this outlet."""

    def elect(self, stale: Iterable[Key], take: Take) -> tuple[set[str], set[str]]:
        """Put the Exit facts right; routers whose exit has changed, and hypervisors that were it or are."""
        routers, hosts = set(), set()
        for key in self._concerned(stale, "exit", "router"):
            view = View(self._store)
            was, chosen = self._store.fact(key), exit_of(view, key.id)
            self._remember(key, view)
            old = was.host if isinstance(was, Exit) else None
            if chosen != old:
                routers.add(key.id)
                hosts |= {host for host in (old, chosen) if host is not None}
                take(key, Exit(key.id, chosen) if chosen is not None else None)
        return routers, hosts

    def spread(self, stale: Iterable[Key], take: Take) -> set[str]:
        """Put the Outlet and Landing facts right; the hypervisors with other outlets than before."""
        stale, moved = list(stale), set()
        for key in self._concerned(stale, "outlets", "router"):
            view = View(self._store)
            old, new = self._outlets.pop(key.id, frozenset()), outlets_of(view, key.id)
            self._remember(key, view)
            if new:
                self._outlets[key.id] = new
            for outlet in old ^ new:
                shared = self._sharing[outlet]
                self._sharing[outlet] = shared + (1 if outlet in new else -1)
                if not self._sharing[outlet]:
                    del self._sharing[outlet]
                if not shared or outlet not in self._sharing:
                    moved.add(outlet[0])
                    take(Key("outlet", outlet), Outlet(*outlet) if outlet in self._sharing else None)
        for key in self._concerned(stale, "landing", "floating_ip"):
            view = View(self._store)
            host = landing_of(view, key.id)
            self._remember(key, view)
            take(key, Landing(key.id, host) if host is not None else None)
        return moved

    def _concerned(self, stale: Iterable[Key], kind: str, source: str) -> set[Key]:
        """What is derived, of this kind, from what has changed."""
        found = set()
        for key in stale:
            if key.kind == source:
                found.add(Key(kind, key.id))
            found |= {reader for reader in self._readers.get(key, ()) if reader.kind == kind}
        return found

    def _remember(self, subject: Key, view: View) -> None:
        """Routers without a gateway read nothing but themselves."""
        reads = frozenset(view.reads)
        old = self._reads.pop(subject, frozenset())
        if len(reads) > 1:
            self._reads[subject] = reads
        else:
            reads = frozenset()
        for key in old - reads:
            self._readers[key].discard(subject)
            if not self._readers[key]:
                del self._readers[key]
        for key in reads - old:
            self._readers[key].add(subject)
