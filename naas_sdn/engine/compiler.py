"""Facts in, programs out: recompiles just the scopes that read what changed.

Every scope's reads are kept, misses included, so incremental equals full: the same facts give the same programs
by whatever history they came. A scope that fails to compile or that claims another's place in a table keeps its
last good program and is listed in `faults`.
"""
from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from naas_sdn.apps.contract import App, Group, Scope
from naas_sdn.engine.groups import GroupPrograms
from naas_sdn.engine.reach import FABRIC, Reach
from naas_sdn.engine.subscribers import Subscribers
from naas_sdn.model.store import Key, Store, View
from naas_sdn.model.values import Fact
from naas_sdn.pipeline.flow import Flow, SetField
from naas_sdn.pipeline.program import Meter, Program
from naas_sdn.pipeline.tables import DROPS, REASON, RETURNS, Table, next_table

LOG = logging.getLogger(__name__)

WIDEST = 1000
"""Where a network and those it is routed to have more plugged ports than this, a hypervisor holds only those remote
ones that its machines talk to."""

MISSES = Scope("misses")
_WAYS = "ways"


@dataclass(slots=True)
class _Work:
    """What one `apply` has to do, and did."""

    stale: set[Key] = field(default_factory=set)
    dirty: set[Scope] = field(default_factory=set)
    touched: set[Group] = field(default_factory=set)


def misses() -> Program:
    """What every table does with a packet that no app has a flow for."""
    return Program(tuple(map(_miss, Table)))


def _miss(table: Table) -> Flow:
    if table in RETURNS:
        return Flow(table, 0, ())
    if table in DROPS:
        return Flow(table, 0, (), (SetField(REASON, DROPS[table]),))
    return Flow(table, 0, (), goto=next_table(table))


class Compiler:
    """The desired state of every hypervisor, by Group."""

    def __init__(self, apps: Iterable[App], widest: int = WIDEST) -> None:
        self.store = Store()
        self.reach = Reach(self.store, widest)
        self.subscribers = Subscribers()
        self.groups: defaultdict[Group, GroupPrograms] = defaultdict(GroupPrograms)
        self.faults: dict[Scope, str] = {}
        self._apps = tuple(apps)
        owners = Counter(table for app in self._apps for table in app.tables)
        if shared := [table.name for table, count in owners.items() if count > 1]:
            raise ValueError(f"tables {shared} have more than one writer")
        self._placed: dict[Scope, tuple[Group, set[Key]]] = {}
        self._reads: dict[Scope, frozenset[Key]] = {}
        self._readers: defaultdict[Key, set[Scope]] = defaultdict(set)
        self._places: dict[tuple[str | None, int, int, object], Scope] = {}
        self._places_on_hosts: Counter[tuple[int, int, object]] = Counter()
        self.groups[FABRIC].replace(MISSES, misses())

    def apply(self, changes: Iterable[tuple[Key, Fact | None]]) -> set[str]:
        """Take in facts (None: gone), recompile, and tell the subscribers; the hypervisors of those concerned."""
        work = _Work()

        def take(key: Key, fact: Fact | None) -> None:
            self._take(key, fact, work)

        for key, fact in changes:
            take(key, fact)
        reread = {scope.id for key in work.stale for scope in self._readers.get(key, ()) if scope.kind == _WAYS}
        moved = self.reach.follow(work.stale, reread, take,
                                  lambda network_id, reads: self._read(Scope(_WAYS, network_id), reads))
        for key in work.stale:
            work.dirty.update(self._readers.get(key, ()))
            if key.kind == "wide":
                work.touched.add(Group("ports", key.id))
        # What clashed before may not any more.
        work.dirty.update(self.faults)
        self._recompile([scope for scope in work.dirty if scope in self._placed], work)
        return self.subscribers.tell(work.touched, moved)

    def _take(self, key: Key, fact: Fact | None, work: _Work) -> None:
        old = self.store.fact(key)
        changed = self.store.put(key, fact)
        if not changed:
            return
        work.stale |= changed
        before = dict(self._placements(key, old))
        after = dict(self._placements(key, fact))
        for scope, group in before.items():
            if after.get(scope) != group:
                self._unplace(scope, key, work)
        for scope, group in after.items():
            if before.get(scope) != group:
                self._place(scope, group, key, work)

    def _placements(self, key: Key, fact: Fact | None) -> Iterator[tuple[Scope, Group]]:
        if fact is None:
            return
        for app in self._apps:
            for group, scope in app.place(key, fact):
                yield scope, group

    def _place(self, scope: Scope, group: Group, key: Key, work: _Work) -> None:
        if scope not in self._placed:
            self._placed[scope] = (group, set())
            work.dirty.add(scope)
        self._placed[scope][1].add(key)

    def _unplace(self, scope: Scope, key: Key, work: _Work) -> None:
        group, holders = self._placed[scope]
        holders.discard(key)
        if holders:
            return
        del self._placed[scope]
        self._read(scope, frozenset())
        self.faults.pop(scope, None)
        old = self.groups[group].programs.get(scope)
        if old is not None:
            self._release(scope, old)
            self.groups[group].replace(scope, None)
            work.touched.add(group)

    def _read(self, scope: Scope, reads: frozenset[Key]) -> None:
        old = self._reads.get(scope, frozenset())
        for key in old - reads:
            self._readers[key].discard(scope)
            if not self._readers[key]:
                del self._readers[key]
        for key in reads - old:
            self._readers[key].add(scope)
        if reads:
            self._reads[scope] = reads
        else:
            self._reads.pop(scope, None)

    def _recompile(self, scopes: Iterable[Scope], work: _Work) -> None:
        fresh: dict[Scope, tuple[Program | None, Program]] = {}
        for scope in scopes:
            view = View(self.store, scope.host)
            old = self.groups[self._placed[scope][0]].programs.get(scope)
            try:
                program = self._compile(view, scope)
            except Exception as error:  # an app's bug must stay that app's, and that scope's
                self.faults[scope] = str(error) or type(error).__name__
                LOG.exception("scope %s keeps its last program", scope)
            else:
                self.faults.pop(scope, None)
                if program != old:
                    fresh[scope] = (old, program)
            self._read(scope, frozenset(view.reads))
        # All make room before any claims: two ports may have swapped addresses.
        for scope, (old, _) in fresh.items():
            if old is not None:
                self._release(scope, old)
        for scope, (old, program) in fresh.items():
            self._claim(scope, program, old)
            group = self._placed[scope][0]
            if self.groups[group].programs.get(scope) != program and scope not in self.faults:
                self.groups[group].replace(scope, program)
                work.touched.add(group)

    def _compile(self, view: View, scope: Scope) -> Program:
        flows: list[Flow] = []
        meters: list[Meter] = []
        for app in self._apps:
            if scope.kind not in app.kinds:
                continue
            program = app.compile(view, scope)
            for flow in program.flows:
                if flow.table not in app.tables:
                    raise ValueError(f"{app.name} may not write table {flow.table.name}")
            flows += program.flows
            meters += program.meters
        if len({flow.place for flow in flows}) != len(flows):
            raise ValueError(f"{scope} has two flows with one table, priority and match")
        return Program(tuple(flows), tuple(meters))

    def _claim(self, scope: Scope, program: Program, old: Program | None) -> None:
        """Record who writes where; on a clash the scope is a fault and keeps what it had."""
        clash = next(filter(None, (self._clash(scope, flow) for flow in program.flows)), None)
        if clash is not None:
            LOG.error("%s", clash)
            self.faults[scope] = clash
            program = old if old is not None else Program()
        for flow in program.flows:
            self._places[scope.host, *flow.place] = scope
            if scope.host is not None:
                self._places_on_hosts[flow.place] += 1

    def _clash(self, scope: Scope, flow: Flow) -> str | None:
        """What is shared is on every hypervisor, so it clashes with any one's own."""
        holder = self._places.get((scope.host, *flow.place)) or self._places.get((None, *flow.place))
        if holder is not None:
            return f"{scope} and {holder} both claim {flow}"
        if scope.host is None and self._places_on_hosts[flow.place]:
            return f"{scope} and scopes of single hypervisors both claim {flow}"
        return None

    def _release(self, scope: Scope, program: Program) -> None:
        for flow in program.flows:
            if self._places.pop((scope.host, *flow.place), None) is not None and scope.host is not None:
                self._places_on_hosts[flow.place] -= 1
                if not self._places_on_hosts[flow.place]:
                    del self._places_on_hosts[flow.place]
