"""Facts in, programs out: recompiles just the scopes that read what changed.

Every scope's reads are kept, misses included, so incremental equals full: the same facts give the same programs
by whatever history they came. A Group is compiled once somebody asks for it, so a start costs what is connected. A
scope that fails to compile or that claims another's place in a table keeps its last good program and is listed in
`faults`.
"""
from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from naas_sdn.apps.contract import App, Group, Scope
from naas_sdn.engine.groups import GroupPrograms, Touch
from naas_sdn.engine.places import Places
from naas_sdn.engine.reach import FABRIC, Reach
from naas_sdn.engine.subscribers import Subscribers
from naas_sdn.model.store import Key, Store, View
from naas_sdn.model.values import Fact
from naas_sdn.pipeline.flow import Flow, SetField
from naas_sdn.pipeline.program import Announcement, Compiled, Encode, Meter, Name, Program
from naas_sdn.pipeline.tables import DROPS, REASON, RETURNS, Table, next_table

LOG = logging.getLogger(__name__)

WIDEST = 1000
"""Where a network and those it is routed to have more plugged ports than this, a hypervisor holds only those remote
ones that its machines talk to."""

FEW = 6
"""Readers of a key that are kept as a tuple."""

SLICE = 100
"""Scopes of a new Group that are compiled without letting others run."""

MISSES = Scope("misses")
_WAYS = "ways"


@dataclass(slots=True)
class _Work:
    """What one `apply` has to do, and did."""

    stale: set[Key] = field(default_factory=set)
    dirty: set[Scope] = field(default_factory=set)
    touched: dict[Group, Touch] = field(default_factory=dict)


def misses() -> Iterator[Flow]:
    """What every table does with a packet that no app has a flow for."""
    return map(_miss, Table)


def _miss(table: Table) -> Flow:
    if table in RETURNS:
        return Flow(table, 0, ())
    if table in DROPS:
        return Flow(table, 0, (), (SetField(REASON, DROPS[table]),))
    return Flow(table, 0, (), goto=next_table(table))


class Compiler:
    """The desired state of every hypervisor, by Group."""

    def __init__(self, apps: Iterable[App], encode: Encode, widest: int = WIDEST) -> None:
        """`encode` gives flows the form in which they are kept and sent. `widest`: see WIDEST."""
        self.store = Store()
        self.reach = Reach(self.store, widest)
        self.subscribers = Subscribers()
        self.groups: dict[Group, GroupPrograms] = {}
        """Those that somebody has asked for."""
        self.faults: dict[Scope, str] = {}
        self._apps = tuple(apps)
        self._encode = encode
        owners = Counter(table for app in self._apps for table in app.tables)
        if shared := [table.name for table, count in owners.items() if count > 1]:
            raise ValueError(f"tables {shared} have more than one writer")
        self._placed: dict[Scope, Group] = {}
        """Where each scope lives."""
        self._scopes: defaultdict[Group, dict[Scope, int]] = defaultdict(dict)
        """What lives in each Group, and how many facts it is there for."""
        self._pending: dict[Group, list[Scope]] = {}
        """What has yet to be compiled of Groups that somebody asked for."""
        self._reads: dict[Scope, tuple[Key, ...]] = {}
        self._readers: dict[Key, tuple[Key, tuple[Scope, ...] | set[Scope]]] = {}
        """Who has read a key, and the one copy of it that is kept. Most have few readers, which a tuple holds best."""
        self._places = Places()
        self.groups[FABRIC] = GroupPrograms()
        self.groups[FABRIC].replace(MISSES, Compiled.of(Program(tuple(misses())), encode))

    def known(self) -> set[Group]:
        """The Groups in which there is something, asked for or not."""
        return set(self._scopes)

    def group(self, group: Group) -> GroupPrograms:
        """Its programs, compiled now if nobody has asked before."""
        while not self.advance(group):
            pass
        return self.groups[group]

    def advance(self, group: Group) -> bool:
        """Compile some more of a Group that nobody has asked for before; True when all of it is there."""
        if group not in self.groups:
            self.groups[group] = GroupPrograms()
            self._pending[group] = list(self._scopes.get(group, ()))
        waiting = self._pending.get(group)
        if waiting is None:
            return True
        slice_, waiting[-SLICE:] = waiting[-SLICE:], []
        self._recompile([scope for scope in slice_ if self._placed.get(scope) == group], _Work())
        if not waiting:
            del self._pending[group]
            self.groups[group].forget()
        return not waiting

    def apply(self, changes: Iterable[tuple[Key, Fact | None]]) -> set[str]:
        """Take in facts (None: gone), recompile, and tell the subscribers; the hypervisors of those concerned."""
        work = _Work()

        def take(key: Key, fact: Fact | None) -> None:
            self._take(key, fact, work)

        for key, fact in changes:
            take(key, fact)
        reread = {scope.id for key in work.stale for scope in self._readers_of(key) if scope.kind == _WAYS}
        moved = self.reach.follow(work.stale, reread, take,
                                  lambda network_id, reads: self._read(Scope(_WAYS, network_id), reads))
        for key in work.stale:
            work.dirty.update(self._readers_of(key))
            if key.kind == "wide":
                self._touch(Group("ports", key.id), work).whole = True
            elif key.kind == "attachments of network on host":
                network_id, host = key.id
                self._touch(Group("ports", network_id), work).hosts.add(host)
        # What clashed before may not any more.
        work.dirty.update(self.faults)
        self._recompile([scope for scope in work.dirty if self._placed.get(scope) in self.groups], work)
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
                self._unplace(scope, work)
        for scope, group in after.items():
            if before.get(scope) != group:
                self._place(scope, group, work)

    def _placements(self, key: Key, fact: Fact | None) -> Iterator[tuple[Scope, Group]]:
        if fact is None:
            return
        for app in self._apps:
            for group, scope in app.place(key, fact):
                yield scope, group

    def _place(self, scope: Scope, group: Group, work: _Work) -> None:
        scopes = self._scopes[group]
        if scope not in scopes:
            work.dirty.add(scope)
            self._placed[scope] = group
        scopes[scope] = scopes.get(scope, 0) + 1

    def _unplace(self, scope: Scope, work: _Work) -> None:
        group = self._placed[scope]
        scopes = self._scopes[group]
        scopes[scope] -= 1
        if scopes[scope]:
            return
        del scopes[scope], self._placed[scope]
        if not scopes:
            del self._scopes[group]
        self._read(scope, frozenset())
        self.faults.pop(scope, None)
        kept = self.groups.get(group)
        if kept is not None and scope in kept.programs:
            self._places.release(scope, kept.programs[scope].places())
            self._touch(group, work).add(scope)
            kept.replace(scope, None)

    def _touch(self, group: Group, work: _Work) -> Touch:
        """Asked for before the Group's programs change."""
        touch = work.touched.get(group)
        if touch is None:
            programs = self.groups.get(group)
            touch = work.touched[group] = Touch(programs.mark.version if programs is not None else 0)
        return touch

    def _readers_of(self, key: Key) -> Collection[Scope]:
        found = self._readers.get(key)
        return found[1] if found is not None else ()

    def _read(self, scope: Scope, reads: frozenset[Key]) -> None:
        old = self._reads.pop(scope, ())
        for key in old:
            if key not in reads:
                self._unread(key, scope)
        kept = []
        for key in reads:
            same, readers = self._readers.get(key, (key, ()))
            kept.append(same)
            if isinstance(readers, set):
                readers.add(scope)
            elif scope not in readers:
                self._readers[same] = (same, (*readers, scope) if len(readers) < FEW else {*readers, scope})
        if kept:
            self._reads[scope] = tuple(kept)

    def _unread(self, key: Key, scope: Scope) -> None:
        same, readers = self._readers[key]
        if isinstance(readers, set):
            readers.discard(scope)
        else:
            readers = tuple(reader for reader in readers if reader != scope)
            self._readers[same] = (same, readers)
        if not readers:
            del self._readers[key]

    def _recompile(self, scopes: Iterable[Scope], work: _Work) -> None:
        fresh: dict[Scope, tuple[Compiled, Compiled | None]] = {}
        for scope in scopes:
            view = View(self.store, scope.host)
            old = self.groups[self._placed[scope]].programs.get(scope)
            try:
                compiled = self._compile(view, scope)
            except Exception as error:  # an app's bug must stay that app's, and that scope's
                self.faults[scope] = str(error) or type(error).__name__
                LOG.exception("scope %s keeps its last program", scope)
            else:
                self.faults.pop(scope, None)
                program = Compiled.of(compiled, self._encode)
                if program != old:
                    # All make room before any claims: two ports may have swapped addresses.
                    fresh[scope] = (program, old)
                    if old is not None:
                        self._places.release(scope, old.places())
            self._read(scope, frozenset(view.reads))
        for scope, (program, old) in fresh.items():
            places = list(program.places())
            met = next((met for place in places if (met := self._places.holder(scope, place)) is not None), None)
            if met is not None:
                self.faults[scope] = f"{scope} and {met} both claim one place of a table"
                LOG.error("%s; the former keeps its last program", self.faults[scope])
                if old is not None:
                    self._places.claim(scope, old.places())
                continue
            self._places.claim(scope, places)
            group = self._placed[scope]
            self._touch(group, work).add(scope)
            self.groups[group].replace(scope, program)

    def texts(self, scope: Scope) -> dict[Name, str]:
        """The scope's flows, compiled anew, as ovs-ofctl(8) has them; none when it does not compile."""
        try:
            flows = tuple(misses()) if scope == MISSES else self._compile(View(self.store, scope.host), scope).flows
        except Exception:  # an app's bug, which `faults` tells of
            LOG.exception("scope %s cannot be shown", scope)
            return {}
        return {name: str(flow) for flow in flows for name in Compiled.of(Program((flow,)), self._encode).names()}

    def _compile(self, view: View, scope: Scope) -> Program:
        flows: list[Flow] = []
        meters: list[Meter] = []
        zones: list[int] = []
        announcements: list[Announcement] = []
        for app in self._apps:
            if scope.kind not in app.kinds:
                continue
            program = app.compile(view, scope)
            for flow in program.flows:
                if flow.table not in app.tables:
                    raise ValueError(f"{app.name} may not write table {flow.table.name}")
            flows += program.flows
            meters += program.meters
            zones += program.zones
            announcements += program.announcements
        if len({flow.place for flow in flows}) != len(flows):
            raise ValueError(f"{scope} has two flows with one table, priority and match")
        return Program(tuple(flows), tuple(meters), tuple(zones), tuple(announcements))
