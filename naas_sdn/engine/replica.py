"""What one switch holds, told as Group versions, and what it takes to bring it in step.

Only `push` of a complete plan moves a version, so a plan that failed is simply made again. A scope whose program the
switch refused is `stuck`: its last good program stays, all others go on, until it compiles to something else.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from naas_sdn.apps.contract import Group, Scope
from naas_sdn.engine.compiler import Compiler
from naas_sdn.engine.contract import Dump
from naas_sdn.engine.difference import Difference
from naas_sdn.engine.groups import Change, GroupPrograms, Mark, Touch
from naas_sdn.engine.interest import Interests
from naas_sdn.model.store import Key
from naas_sdn.model.values import Attachment, Port
from naas_sdn.pipeline.program import Compiled, Delta, FlowMod, Meter, Name
from naas_sdn.pipeline.tables import Table


@dataclass(frozen=True, slots=True)
class Plan:
    """A Delta, the Group versions it leads to, and the scope and programs behind each flow and meter in it."""

    delta: Delta
    marks: Mapping[Group, Mark | None]
    """None: the switch holds nothing of the Group any more."""
    changes: tuple[Change, ...]
    complete: bool = True
    """Once it is applied, the switch is in step."""
    holds: tuple[Counter[int], dict[int, Meter]] | None = None
    """What the switch has then: flows by table, and meters; None: what it has now and the Delta."""

    def blame(self, culprits: Iterable[FlowMod | Meter]) -> list[Change]:
        """The changes that these flows and meters are of."""
        guilty = {c.cookie if isinstance(c, FlowMod) else c for c in culprits}
        return [
            change for change in self.changes if change.new is not None
            and (any(cookie in guilty for _, cookie in change.new.names())
                 or any(meter in guilty for meter in change.new.meters))
        ]

    def adding(self) -> list[tuple[Change, tuple[FlowMod, ...]]]:
        """The changes that add flows, each with those."""
        added = {flow[:2]: flow for flow in self.delta.add}
        pairs = ((change, tuple(added[name] for name in change.new.names() if name in added))
                 for change in self.changes if change.new is not None)
        return [(change, flows) for change, flows in pairs if flows]


class Replica:
    """The state of one switch, as far as it has acknowledged."""

    def __init__(self, compiler: Compiler, host: str) -> None:
        self.host = host
        self.synced = False
        self.stuck: dict[Scope, Change] = {}
        self.interests = Interests(compiler, host)
        self.tables: Counter[int] = Counter()
        """How many flows each table has; and, below, the meters by number. As far as was acknowledged."""
        self.meters: dict[int, Meter] = {}
        self._compiler = compiler
        self._marks: dict[Group, Mark] = {}
        self._groups: set[Group] = set()
        self._dirty: set[Group] = set()
        self._moved = True
        compiler.subscribers.join(self)

    @property
    def moved(self) -> bool:
        """What it subscribes to has yet to be looked at again: in large clouds, the dearest of what it does."""
        return self._moved

    def groups(self) -> set[Group]:
        """What this switch subscribes to."""
        if self._moved:
            self._moved = False
            for group, mark in self._marks.items():
                if group.kind == "ports" and mark.ports is None and self.interests.wanted(group.id) is not None:
                    # It has become wide: what is installed stays until it is idle.
                    self.interests.keep(group.id, self._compiler.group(group).remote)
            now = self._compiler.reach.subscriptions(self.host)
            now.update(Group("ports", network_id) for network_id in self.interests.networks())
            now = self._compiler.subscribers.change(self, self._groups, now)
            for group in now ^ self._groups:
                self._doubt(group)
            self._groups = now
        return self._groups

    def touch(self, group: Group, touch: Touch) -> bool:
        """Programs of the Group have changed; whether this switch must look, or holds none of them."""
        mark = self._marks.get(group)
        if mark is not None and group not in self._dirty and not touch.concerns(self.host, mark):
            return False
        self._doubt(group, touch.before)
        return True

    def move(self) -> None:
        """The subscriptions may be others."""
        self._moved = True

    def ask(self, asker: str, port: Port) -> None:
        """A machine here, on port `asker`, talks to `port`."""
        self.interests.ask(asker, port)
        self._reconsider((port.network_id,))

    def age(self, packets: Mapping[int, int]) -> None:
        """Forget remote ports of wide networks that nothing was sent to, by the packets of each cookie."""
        self._reconsider(self.interests.age(packets))

    def close(self) -> None:
        self._compiler.subscribers.leave(self, self._groups)

    def _reconsider(self, networks: Iterable[str]) -> None:
        for network_id in networks:
            self._doubt(Group("ports", network_id))
            self._moved = True

    def _doubt(self, group: Group, before: int | None = None) -> None:
        """The switch may have to hold other flows of the Group; `before`: its version when that came (None: now)."""
        mark = self._marks.get(group)
        if mark is not None and mark.ports is not None and group not in self._dirty:
            # Nothing that it holds has changed so far, or it would have been told: so many changes are not looked at.
            version = self._compiler.group(group).mark.version if before is None else before
            self._marks[group] = mark._replace(version=version)
        self._dirty.add(group)

    def desired(self) -> tuple[dict[Name, FlowMod], dict[int, Meter]]:
        """All flows by name and all meters by number that the switch should hold now."""
        flows: dict[Name, FlowMod] = {}
        meters: dict[int, Meter] = {}
        for _, program in self._kept():
            flows.update((flow[:2], flow) for flow in program.flow_mods())
            meters.update((meter.number, meter) for meter in program.meters)
        return flows, meters

    def compare(self, dump: Dump, meters: Mapping[int, Meter], suspects: Container[Name] = ()) -> Difference:
        """What a switch with these flows and meters holds other than it should; `suspects` count as changed."""
        missing: dict[Name, Scope] = {}
        changed: dict[Name, Scope] = {}
        by_meter: dict[int, tuple[Meter, Scope]] = {}
        have, found = dump.flows, 0
        for scope, program in self._kept():
            for name, fingerprint in program.fingerprints():
                shown = have.get(name)
                if shown is None:
                    missing[name] = scope
                    continue
                found += 1
                if shown != fingerprint or name in suspects:
                    changed[name] = scope
            for meter in program.meters:
                by_meter[meter.number] = (meter, scope)
        foreign: tuple[Name, ...] = ()
        if found != len(have):
            wanted = {name for _, program in self._kept() for name in program.names()}
            foreign = tuple(name for name in have if name not in wanted)
        return Difference(
            missing, changed, foreign, frozenset(dump.doubled),
            {number: scope for number, (meter, scope) in by_meter.items() if meters.get(number) != meter},
            tuple(number for number in meters if number not in by_meter),
        )

    def plan_from_dump(self, dump: Dump, meters: Mapping[int, Meter], suspects: Container[Name] = ()) -> Plan:
        """Bring a switch in step that holds these flows and meters."""
        self.remember(dump)
        return self.repair(self.compare(dump, meters, suspects))

    def repair(self, difference: Difference) -> Plan:
        """Undo it. A name that several flows have is removed first and, by the next plan, added again.

        Who has just been plugged may have got another's zone of conntrack.
        """
        marks: dict[Group, Mark | None] = dict.fromkeys(self._marks)
        marks.update((group, self._wanted(group)) for group in self.groups())
        tables: Counter[int] = Counter()
        meters: dict[int, Meter] = {}
        add: list[FlowMod] = []
        mend = {**difference.missing, **difference.changed}
        mended = set(mend.values())
        leased = {scope for (table, _), scope in difference.missing.items() if table == Table.FROM_PORT
                  and not self._is_settled(scope)}
        zones: list[int] = []
        for scope, program in self._kept():
            tables.update(table for table, _ in program.names())
            meters.update((meter.number, meter) for meter in program.meters)
            if scope in leased:
                zones += program.zones
            if scope in mended:
                add += (flow for flow in program.flow_mods() if flow[:2] in mend)
        changes = tuple(change for group, mark in marks.items() if mark is not None
                        for change in self._compiler.group(group).everything(mark))
        there = {change.scope for change in changes}
        changes += tuple(Change(scope, change.old, None) for scope, change in self.stuck.items() if scope not in there)
        delta = Delta(tuple(add), (*difference.foreign, *difference.doubled.difference(difference.foreign)),
                      tuple(meters[number] for number in difference.meters), difference.foreign_meters, tuple(zones))
        return Plan(delta, marks, changes, not difference.doubled, (tables, meters))

    def plan(self) -> Plan | None:
        """What has changed since the last acknowledged plan; None when only a dump can tell."""
        groups = self.groups()
        marks: dict[Group, Mark | None] = {}
        changes: list[Change] = []
        for group in self._dirty:
            known = self._marks.get(group)
            if group not in groups:
                gone = self._left(group) if known is not None else []
                if gone is None:
                    return None
                marks[group] = None
                changes.extend(gone)
                continue
            programs = self._compiler.group(group)
            marks[group] = wanted = self._wanted(group)
            if known is None:
                changes.extend(programs.everything(wanted))
                continue
            since = programs.since(known.version)
            if since is None:
                return None
            changes.extend(since if known.ports is wanted.ports is None else _seen(programs, since, known, wanted))
        changes = [change for change in map(self._unstick, changes) if change is not None]
        return Plan(_delta(changes), marks, tuple(changes))

    def acknowledge(self, plan: Plan) -> None:
        """The switch holds all of `plan`."""
        self.synced = plan.complete
        if plan.holds is not None:
            self.tables, self.meters = plan.holds
        else:
            self.tables.update(flow.table for flow in plan.delta.add)
            self.tables.subtract(table for table, _ in plan.delta.remove)
            self.meters.update((meter.number, meter) for meter in plan.delta.meters)
            for number in plan.delta.drop_meters:
                self.meters.pop(number, None)
        for group, mark in plan.marks.items() if plan.complete else ():
            if mark is None:
                self._marks.pop(group, None)
            else:
                self._marks[group] = mark
            if mark == (self._wanted(group) if group in self._groups else None):
                self._dirty.discard(group)
            else:
                self._dirty.add(group)
        if not self._dirty:
            self._dirty = set()     # one that was full keeps the room
        for change in plan.changes:
            stuck = self.stuck.get(change.scope)
            if stuck is not None and stuck.new != change.new:
                del self.stuck[change.scope]

    def quarantine(self, change: Change) -> None:
        """The switch refused `change.new`; it keeps `change.old`."""
        self.stuck[change.scope] = change

    def remember(self, dump: Dump) -> None:
        """Take what the switch holds of wide networks for what its machines talk to."""
        for network_id in self._compiler.reach.reached(self.host):
            if self.interests.wanted(network_id) is not None:
                programs = self._compiler.group(Group("ports", network_id))
                self.interests.keep(network_id, programs.remote_ports(dump.flows))
        self._moved = True

    def _kept(self) -> Iterator[tuple[Scope, Compiled]]:
        """Every scope that the switch should hold, and its program; of one that is stuck, the last good one."""
        for group in self.groups():
            for scope, program in self._compiler.group(group).held(self._wanted(group)):
                stuck = self.stuck.get(scope)
                kept = stuck.old if stuck is not None and stuck.new == program else program
                if kept is not None:
                    yield scope, kept

    def _is_settled(self, scope: Scope) -> bool:
        """The port has been here before."""
        vif = self._compiler.store.fact(Key("vif", scope.id))
        return isinstance(vif, Attachment) and vif.settled

    def _left(self, group: Group) -> list[Change] | None:
        """The removal of what the switch holds of a Group that it no longer subscribes to."""
        programs, mark = self._compiler.group(group), self._marks[group]
        since = programs.since(mark.version)
        if since is None:
            return None
        held: dict[Scope, Compiled | None] = dict(programs.held(mark))
        held.update((change.scope, change.old) for change in since if mark.has(change.scope))
        return [Change(scope, program, None) for scope, program in held.items() if program is not None]

    def _wanted(self, group: Group) -> Mark:
        ports = self.interests.wanted(group.id) if group.kind == "ports" else None
        whole = self._compiler.group(group).mark
        return whole if ports is None else Mark(whole.version, frozenset(ports))

    def _unstick(self, change: Change) -> Change | None:
        """The change as this switch must see it: from what it kept, not from what it refused."""
        stuck = self.stuck.get(change.scope)
        if stuck is None:
            return change
        return None if change.new == stuck.new else Change(change.scope, stuck.old, change.new)


def _seen(programs: GroupPrograms, since: Iterable[Change], known: Mark, wanted: Mark) -> Iterator[Change]:
    """The changes as a switch must see them that holds the ports of `known` and is to hold those of `wanted`."""
    changed = set()
    for change in since:
        changed.add(change.scope)
        old = change.old if known.has(change.scope) else None
        new = change.new if wanted.has(change.scope) else None
        if old is not None or new is not None:
            yield Change(change.scope, old, new)
    before, after = (frozenset(programs.remote) if mark.ports is None else mark.ports for mark in (known, wanted))
    for port in before ^ after:
        scope = programs.remote.get(port)
        if scope is not None and scope not in changed:
            program = programs.programs[scope]
            yield Change(scope, None, program) if wanted.has(scope) else Change(scope, program, None)


def _delta(changes: Iterable[Change]) -> Delta:
    add: dict[tuple[int, int], FlowMod] = {}
    remove: set[tuple[int, int]] = set()
    meters: dict[int, Meter] = {}
    drop_meters: set[int] = set()
    zones: set[int] = set()
    for change in changes:
        old, new = change.old or Compiled(), change.new or Compiled()
        add.update((flow[:2], flow) for flow in new.flow_mods())
        remove.update(old.names())
        meters.update((meter.number, meter) for meter in new.meters if meter not in old.meters)
        drop_meters.update(meter.number for meter in old.meters)
        drop_meters.difference_update(meter.number for meter in new.meters)
        zones.update(zone for zone in new.zones if zone not in old.zones)
    return Delta(
        add=tuple(flow for key, flow in add.items() if key not in remove),
        remove=tuple(remove - add.keys()),
        meters=tuple(meters.values()),
        drop_meters=tuple(drop_meters - meters.keys()),
        flush=tuple(zones),
    )
