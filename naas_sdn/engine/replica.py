"""What one switch holds, told as Group versions, and what it takes to bring it in step.

Only `push` of a complete plan moves a version, so a plan that failed is simply made again. A scope whose program the
switch refused is `stuck`: its last good program stays, all others go on, until it compiles to something else.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from naas_sdn.apps.contract import Group, Scope
from naas_sdn.engine.compiler import Compiler
from naas_sdn.engine.groups import Change, GroupPrograms
from naas_sdn.engine.interest import Interests
from naas_sdn.model.values import Port
from naas_sdn.pipeline.program import Compiled, Delta, FlowMod, Meter


class Mark(NamedTuple):
    """What a switch has of a Group: this version, of all ports or, in a wide network, of these."""

    version: int
    ports: frozenset[str] | None = None

    def has(self, scope: Scope) -> bool:
        return not scope.remote or self.ports is None or scope.id in self.ports


@dataclass(frozen=True, slots=True)
class Plan:
    """A Delta, the Group versions it leads to, and the scope and programs behind each flow and meter in it."""

    delta: Delta
    marks: Mapping[Group, Mark | None]
    """None: the switch holds nothing of the Group any more."""
    changes: tuple[Change, ...]
    complete: bool = True
    """Once it is applied, the switch is in step."""

    def blame(self, culprits: Iterable[FlowMod | Meter]) -> list[Change]:
        """The changes that these flows and meters are of."""
        guilty = {c.cookie if isinstance(c, FlowMod) else c for c in culprits}
        return [
            change for change in self.changes if change.new is not None
            and (any(cookie in guilty for _, cookie in change.new.names())
                 or any(meter in guilty for meter in change.new.meters))
        ]


class Replica:
    """The state of one switch, as far as it has acknowledged."""

    def __init__(self, compiler: Compiler, host: str) -> None:
        self.host = host
        self.synced = False
        self.stuck: dict[Scope, Change] = {}
        self.interests = Interests(compiler, host)
        self._compiler = compiler
        self._marks: dict[Group, Mark] = {}
        self._groups: set[Group] = set()
        self._dirty: set[Group] = set()
        self._moved = True
        compiler.subscribers.join(self)

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
            self._compiler.subscribers.change(self, self._groups, now)
            self._dirty |= now ^ self._groups
            self._groups = now
        return self._groups

    def touch(self, group: Group) -> None:
        """Programs of the Group have changed."""
        self._dirty.add(group)

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
            self._dirty.add(Group("ports", network_id))
            self._moved = True

    def desired(self) -> tuple[dict[tuple[int, int], FlowMod], dict[int, Meter]]:
        """All flows by (table, cookie) and all meters by number that the switch should hold now."""
        flows: dict[tuple[int, int], FlowMod] = {}
        meters: dict[int, Meter] = {}
        for group in self.groups():
            wanted = self._wanted(group)
            for scope, program in self._compiler.group(group).programs.items():
                if not wanted.has(scope):
                    continue
                stuck = self.stuck.get(scope)
                kept = stuck.old if stuck is not None and stuck.new == program else program
                if kept is not None:
                    flows.update((flow[:2], flow) for flow in kept.flow_mods())
                    meters.update((meter.number, meter) for meter in kept.meters)
        return flows, meters

    def plan_from_dump(self, have: Counter[tuple[int, int]], meters: Mapping[int, Meter],
                       drifted: Collection[tuple[int, int]] = ()) -> Plan:
        """Bring a switch in step that holds these flows, by (table, cookie), and these meters.

        A (table, cookie) that is there twice is removed first and, by the next plan, added again; one that has
        drifted is written over.
        """
        self._remember(have)
        groups = self.groups()
        wanted, wanted_meters = self.desired()
        marks: dict[Group, Mark | None] = dict.fromkeys(self._marks)
        marks.update((group, self._wanted(group)) for group in groups)
        doubled = {key for key, count in have.items() if count > 1}
        changes = tuple(change for group, mark in marks.items() if mark is not None
                        for change in self._compiler.group(group).everything() if mark.has(change.scope))
        there = {change.scope for change in changes}
        changes += tuple(Change(scope, change.old, None) for scope, change in self.stuck.items() if scope not in there)
        return Plan(
            Delta(
                add=tuple(flow for key, flow in wanted.items() if key not in have or key in drifted),
                remove=tuple(key for key in have if key not in wanted or key in doubled),
                meters=tuple(meter for number, meter in wanted_meters.items() if meters.get(number) != meter),
                drop_meters=tuple(number for number in meters if number not in wanted_meters),
            ),
            marks, changes, complete=not doubled,
        )

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
                changes.extend(change for change in programs.everything() if wanted.has(change.scope))
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
        for group, mark in plan.marks.items() if plan.complete else ():
            if mark is None:
                self._marks.pop(group, None)
            else:
                self._marks[group] = mark
            if mark == (self._wanted(group) if group in self._groups else None):
                self._dirty.discard(group)
        for change in plan.changes:
            stuck = self.stuck.get(change.scope)
            if stuck is not None and stuck.new != change.new:
                del self.stuck[change.scope]

    def quarantine(self, change: Change) -> None:
        """The switch refused `change.new`; it keeps `change.old`."""
        self.stuck[change.scope] = change

    def _remember(self, have: Counter[tuple[int, int]]) -> None:
        """Take what the switch holds of wide networks for what its machines talk to."""
        for network_id in self._compiler.reach.reached(self.host):
            if self.interests.wanted(network_id) is not None:
                self.interests.keep(network_id, self._compiler.group(Group("ports", network_id)).remote_ports(have))
        self._moved = True

    def _left(self, group: Group) -> list[Change] | None:
        """The removal of what the switch holds of a Group that it no longer subscribes to."""
        programs, mark = self._compiler.group(group), self._marks[group]
        since = programs.since(mark.version)
        if since is None:
            return None
        changed = {change.scope: change.old for change in since}
        held: dict[Scope, Compiled | None] = {**programs.programs, **changed}
        return [Change(scope, program, None) for scope, program in held.items()
                if program is not None and mark.has(scope)]

    def _wanted(self, group: Group) -> Mark:
        ports = self.interests.wanted(group.id) if group.kind == "ports" else None
        return Mark(self._compiler.group(group).version, frozenset(ports) if ports is not None else None)

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
    for change in changes:
        old, new = change.old or Compiled(), change.new or Compiled()
        add.update((flow[:2], flow) for flow in new.flow_mods())
        remove.update(old.names())
        meters.update((meter.number, meter) for meter in new.meters if meter not in old.meters)
        drop_meters.update(meter.number for meter in old.meters)
        drop_meters.difference_update(meter.number for meter in new.meters)
    return Delta(
        add=tuple(flow for key, flow in add.items() if key not in remove),
        remove=tuple(remove - add.keys()),
        meters=tuple(meters.values()),
        drop_meters=tuple(drop_meters - meters.keys()),
    )
